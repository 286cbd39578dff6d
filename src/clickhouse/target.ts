/** What stands in the machinery database now, by ClickHouse's own clock: read at most once a second. */
import type { ClickHouse } from './client';
import { quoteText } from './ddl';
import type { TargetTable } from './insert';

export interface Glance {
  /** ClickHouse's clock when it was read, ms since the epoch. */
  readonly clockMs: number;
  /** Every table of the machinery database by name. */
  readonly tables: ReadonlyMap<string, TargetTable>;
}

export interface Target {
  /** What was seen at most a second ago. An older clock only makes a guard stricter, so it is never too late. */
  glance(): Promise<Glance>;
  /** Makes the next glance read again; after a table was created, or an insert was refused. */
  forget(): void;
}

const FRESH_MS = 1_000;

/** @param now a monotonic clock in ms */
export function watchTarget(clickhouse: ClickHouse, machinery: string, now: () => number): Target {
  let last: { at: number; glance: Promise<Glance> } | null = null;
  const read = async (): Promise<Glance> => {
    const rows = await clickhouse.query<{ name: string; uuid: string; clock: string }>(
      `SELECT name, toString(uuid) AS uuid, toUnixTimestamp64Milli(now64(3)) AS clock FROM system.tables WHERE database = ${quoteText(machinery)}`,
    );
    return {
      clockMs: Number(rows[0]?.clock ?? 0),
      tables: new Map(rows.map(({ name, uuid }) => [name, { database: machinery, name, uuid }])),
    };
  };
  return {
    glance() {
      if (last !== null && now() - last.at < FRESH_MS) return last.glance;
      const reading = { at: now(), glance: read() };
      last = reading;
      reading.glance.catch(() => {
        if (last === reading) last = null;
      });
      return reading.glance;
    },
    forget() {
      last = null;
    },
  };
}
