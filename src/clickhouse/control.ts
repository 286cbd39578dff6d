/** What the service remembers about its target, in the table `control`: the newest value of each name. */
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';

export interface Control {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
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
    set: (name, value) =>
      clickhouse.command(`INSERT INTO ${table} (name, value) VALUES (${quoteText(name)}, ${quoteText(value)})`),
  };
}
