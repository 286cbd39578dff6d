/** What the service remembers about its target, in the table `control`: the newest value of each name. */
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';

export interface Control {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
  /** All names with a prefix, each with its newest value and when it was set (ms since the epoch), oldest first. */
  newest(prefix: string): Promise<ControlValue[]>;
}

export interface ControlValue {
  readonly name: string;
  readonly value: string;
  readonly atMs: number;
}

export function openControl(clickhouse: ClickHouse, machinery: string): Control {
  const table = `${quoteName(machinery)}.control`;
  return {
    async get(name) {
      const rows = await clickhouse.query<{ value: string }>(
        `SELECT value FROM ${table} FINAL WHERE name = ${quoteText(name)}`,
      );
      return rows[0]?.value ?? null;
    },
    async newest(prefix) {
      const rows = await clickhouse.query<{ name: string; value: string; at_ms: string }>(
        `SELECT name, value, toUnixTimestamp64Milli(at) AS at_ms FROM ${table} FINAL WHERE startsWith(name, ${quoteText(prefix)}) ORDER BY at`,
      );
      return rows.map(({ name, value, at_ms }) => ({ name, value, atMs: Number(at_ms) }));
    },
    set: (name, value) =>
      clickhouse.command(`INSERT INTO ${table} (name, value) VALUES (${quoteText(name)}, ${quoteText(value)})`),
  };
}
