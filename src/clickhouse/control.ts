/** What the service remembers about its target, in the table `control`: the newest value of each name. */
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';

export interface Control {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
  /** All names with a prefix, each with its newest value, oldest first. */
  newest(prefix: string): Promise<ControlValue[]>;
  /** Forgets names; those with a prefix that were last set more than `olderThanMs` ago, or any time if 0. */
  forget(prefix: string, olderThanMs?: number): Promise<void>;
}

export interface ControlValue {
  readonly name: string;
  readonly value: string;
  /** How long ago it was set, by ClickHouse's clock. */
  readonly ageMs: number;
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
      const rows = await clickhouse.query<{ name: string; value: string; age_ms: string }>(
        `SELECT name, value, toUnixTimestamp64Milli(now64(6, 'UTC')) - toUnixTimestamp64Milli(at) AS age_ms FROM ${table} FINAL WHERE startsWith(name, ${quoteText(prefix)}) ORDER BY at`,
      );
      return rows.map(({ name, value, age_ms }) => ({ name, value, ageMs: Math.max(0, Number(age_ms)) }));
    },
    set: (name, value) =>
      clickhouse.command(`INSERT INTO ${table} (name, value) VALUES (${quoteText(name)}, ${quoteText(value)})`, {
        max_query_size: String(8 << 20),
      }),
    forget: (prefix, olderThanMs = 0) =>
      clickhouse.command(
        `DELETE FROM ${table} WHERE startsWith(name, ${quoteText(prefix)})` +
          (olderThanMs === 0 ? '' : ` AND at < now64(6, 'UTC') - INTERVAL ${Math.ceil(olderThanMs / 1_000)} SECOND`),
      ),
  };
}
