/** Asks every part for the facts that `check` judges; changes nothing anywhere. */
import { ServiceError } from '../errors';
import { tableName, type ReplicaIdentity } from '../model';
import type {
  CheckFacts,
  ClickHouseFacts,
  ConnectFacts,
  Looked,
  PostgresFacts,
  TableFacts,
  TopicFacts,
  Wanted,
} from './facts';

type Query = <T>(sql: string) => Promise<T[]>;

/** How each part is asked; null where no setting names it. */
export interface Parts {
  readonly postgres: Query | null;
  readonly topics: () => Promise<readonly TopicFacts[]>;
  readonly clickhouse: <T>(sql: string, params: Record<string, unknown>) => Promise<T[]>;
  readonly connector: (() => Promise<ConnectFacts>) | null;
  /** Which tables, as `schema.table`. */
  readonly includes: (table: string) => boolean;
}

/** All parts at once, so that it takes as long as the slowest. Never throws for a part that is away. */
export async function gather(parts: Parts, wanted: Wanted): Promise<CheckFacts> {
  const { postgres: query, connector } = parts;
  const [postgres, kafka, clickhouse, connect] = await Promise.all([
    look(query === null ? null : () => postgresFacts(query, parts.includes)),
    look(async () => ({ topics: await parts.topics() })),
    look(() => clickhouseFacts(parts.clickhouse, wanted.database)),
    look(connector),
  ]);
  return { postgres, kafka, clickhouse, connect, wanted };
}

async function look<T>(ask: (() => Promise<T>) | null): Promise<Looked<T>> {
  if (ask === null) return { state: 'not set' };
  try {
    return { state: 'reached', facts: await ask() };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { state: 'failed', code: error.code, message: error.message, hint: error.hint };
  }
}

/**
 * Ordinary tables and the leaves of partitioned ones: PostgreSQL publishes each leaf under its own name and identity.
 * An identity by the primary key's own index is the same as DEFAULT.
 */
const TABLES_SQL = `
SELECT n.nspname AS schema, c.relname AS name, CASE WHEN EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisprimary
  ) AND c.relreplident = 'i' THEN 'd' ELSE c.relreplident END AS identity,
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS has_primary_key,
  EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (i.indisprimary OR NOT EXISTS (
        SELECT FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnotnull))
  ) AS has_key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, 2`;

const IDENTITIES: Readonly<Record<string, ReplicaIdentity>> = { d: 'default', f: 'full', n: 'nothing', i: 'index' };

interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly identity: string;
  readonly has_primary_key: boolean;
  readonly has_key: boolean;
}

async function postgresFacts(query: Query, includes: (table: string) => boolean): Promise<PostgresFacts> {
  const [settings, rows] = await Promise.all([
    query<{ wal_level: string; version: string }>(
      "SELECT current_setting('wal_level') AS wal_level, current_setting('server_version') AS version",
    ),
    query<TableRow>(TABLES_SQL),
  ]);
  const tables = rows.map((row): TableFacts => {
    const { schema, name, has_key: hasKey, has_primary_key: hasPrimaryKey } = row;
    return { schema, name, identity: IDENTITIES[row.identity] ?? 'default', hasKey, hasPrimaryKey };
  });
  return {
    version: settings[0]?.version ?? '',
    walLevel: settings[0]?.wal_level ?? '',
    tables: tables.filter((table) => includes(tableName(table))),
  };
}

async function clickhouseFacts(query: Parts['clickhouse'], database: string): Promise<ClickHouseFacts> {
  const names = [database, `${database}_cdc`];
  const [version, databases, objects] = await Promise.all([
    query<{ version: string }>('SELECT version() AS version', {}),
    query<{ name: string; engine: string }>(
      'SELECT name, engine FROM system.databases WHERE name IN {names:Array(String)} ORDER BY name',
      { names },
    ),
    query<{ name: string; comment: string }>(
      'SELECT name, comment FROM system.tables WHERE database = {database:String} ORDER BY name',
      { database },
    ),
  ]);
  return { version: version[0]?.version ?? '', databases, objects };
}
