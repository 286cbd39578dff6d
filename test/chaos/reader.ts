/** Reads the views the whole time, and remembers whenever a row went back to an older state. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClickHouse } from '../../src/clickhouse/client';

export interface ReaderReport {
  readonly samples: number;
  /** What was seen to go back, in words. */
  readonly violations: readonly string[];
}

interface Seen {
  version: number;
  /** It was away since that version was seen. */
  gone: boolean;
}

const EVERY_MS = 100;
const SHOWN = 20;

/** `v` of a key only grows, deleted and made again or not: lower is older, and the same again after the row was away is, too. */
export function startReader(
  clickhouse: ClickHouse,
  database: string,
  tables: readonly string[],
): { stop(): Promise<ReaderReport> } {
  const seen = new Map(tables.map((table) => [table, new Map<number, Seen>()]));
  const violations: string[] = [];
  let samples = 0;
  let going = true;

  const look = async (table: string): Promise<void> => {
    // Asked for from the newest on, so that a row that stands twice shows its newest state first and then goes back.
    const rows = await clickhouse.query<{ id: number; v: string }>(
      `SELECT id, v FROM \`${database}\`.\`${table}\` ORDER BY id, v DESC`,
    );
    samples++;
    const known = seen.get(table) ?? new Map<number, Seen>();
    const present = new Set<number>();
    const at = new Date().toISOString();
    for (const { id, v } of rows) {
      const version = Number(v);
      const last = known.get(id);
      const wrong = present.has(id) ? 'is there twice' : wentBack(last, version);
      if (wrong !== null) violations.push(`${at} ${table} ${id} ${wrong}`);
      present.add(id);
      known.set(id, { version: Math.max(version, last?.version ?? 0), gone: false });
    }
    for (const [id, row] of known) if (!present.has(id)) row.gone = true;
  };

  const loop = async (): Promise<void> => {
    for (let turn = 0; going; turn++) {
      const table = tables[turn % tables.length];
      // ClickHouse is away now and then.
      if (table !== undefined) await look(table).catch(() => pause(200));
      await pause(EVERY_MS);
    }
  };
  const ended = loop();
  return {
    async stop() {
      going = false;
      await ended;
      return { samples, violations: violations.slice(0, SHOWN) };
    },
  };
}

/** How a version is older than what was seen of the key before; null if it is not. */
function wentBack(last: Seen | undefined, version: number): string | null {
  if (last === undefined || version > last.version) return null;
  if (version < last.version) return `went from ${last.version} to ${version}`;
  return last.gone ? `was away and came back as ${version}` : null;
}
