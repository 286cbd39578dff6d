/** Asks ClickHouse for the facts that `check` judges; changes nothing. */
import type { ClickHouseFacts, Wanted } from './facts';

export type ClickHouseQuery = <T>(sql: string, params?: Record<string, unknown>) => Promise<T[]>;

/** What is remembered of the names of tables. */
export type TableNames = Pick<ClickHouseFacts, 'named' | 'renamed'>;

/** Rights that the service uses, on its two databases. */
const RIGHTS = ['SELECT', 'INSERT', 'ALTER', 'CREATE TABLE', 'CREATE VIEW', 'DROP TABLE', 'DROP VIEW', 'TRUNCATE'];

/** Throws what the query throws. */
export async function clickhouseFacts(
  query: ClickHouseQuery,
  { database }: Wanted,
  tableNames: () => Promise<TableNames>,
): Promise<ClickHouseFacts> {
  const machinery = `${database}_cdc`;
  const names = [database, machinery];
  const [server, databases, objects, tables, disks] = await Promise.all([
    query<{ version: string; user: string; readonly: string }>(
      "SELECT version() AS version, currentUser() AS user, toString(getSetting('readonly')) AS readonly",
    ),
    query<{ name: string; engine: string }>(
      'SELECT name, engine FROM system.databases WHERE name IN {names:Array(String)} ORDER BY name',
      { names },
    ),
    query<{ name: string; comment: string }>(
      'SELECT name, comment FROM system.tables WHERE database = {database:String} ORDER BY name',
      { database },
    ),
    query<{ name: string; engine: string; text: string }>(
      `SELECT name, engine, engine_full AS text FROM system.tables
        WHERE database = {machinery:String} AND engine LIKE '%MergeTree'
          AND (name IN ('changes', 'quarantine') OR endsWith(name, '__mirror')) ORDER BY name`,
      { machinery },
    ),
    query<{ name: string; free: string; total: string }>(
      "SELECT name, toString(free_space) AS free, toString(total_space) AS total FROM system.disks WHERE type = 'Local'",
    ).catch(() => []),
  ]);
  const [row] = server;
  return {
    version: row?.version ?? '',
    user: row?.user ?? '',
    readonly: (row?.readonly ?? '0') === '1',
    databases,
    objects,
    tokened: tables.map(({ name, engine, text }) => ({
      name,
      replicated: /^(Replicated|Shared)/.test(engine),
      window: windowIn(text),
    })),
    lacks: await lacking(query, names),
    disks: disks.map(({ name, free, total }) => ({ name, freeBytes: Number(free), totalBytes: Number(total) })),
    ...(databases.some(({ name }) => name === machinery)
      ? await remembered(query, machinery, tableNames)
      : { group: null, named: [], renamed: [] }),
  };
}

function windowIn(text: string): number | null {
  const [, number] = /\b(?:non_)?replicated_deduplication_window = (\d+)/.exec(text) ?? [];
  return number === undefined ? null : Number(number);
}

/** By CHECK GRANT, which came with 24.11; older servers tell nothing, and nothing is judged. */
async function lacking(query: ClickHouseQuery, names: readonly string[]): Promise<string[]> {
  const wanted = names.flatMap((name) => [...RIGHTS, 'CREATE DATABASE'].map((right) => `${right} ON ${name}.*`));
  const answers = await Promise.all(
    wanted.map(async (right) => {
      const rows = await query<{ result: number }>(`CHECK GRANT ${right}`).catch(() => null);
      return rows?.[0]?.result === 0 ? right : null;
    }),
  );
  return answers.filter((right): right is string => right !== null);
}

/** Before the first start nothing is there to remember. */
async function remembered(
  query: ClickHouseQuery,
  machinery: string,
  names: () => Promise<TableNames>,
): Promise<TableNames & Pick<ClickHouseFacts, 'group'>> {
  const [groups, { named, renamed }] = await Promise.all([
    query<{ value: string }>(`SELECT value FROM ${machinery}.control FINAL WHERE name = 'group'`).catch(() => []),
    names().catch(() => ({ named: [], renamed: [] })),
  ]);
  return { group: groups[0]?.value ?? null, named, renamed };
}
