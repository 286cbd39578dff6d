/** Asks PostgreSQL for the facts that `check` judges; changes nothing. */
import type { PolicyInForce } from '../column-rules';
import { tableName, type ReplicaIdentity } from '../model';
import type {
  ColumnFacts,
  ColumnType,
  PostgresFacts,
  PublicationFacts,
  RelationFacts,
  SlotFacts,
  TableFacts,
  Wanted,
} from './facts';

export type Query = <T>(sql: string, params?: readonly unknown[]) => Promise<T[]>;

/** What the settings and the target say of tables and types. */
export interface TableQuestions {
  /** Which tables, as `schema.table`. */
  readonly includes: (table: string) => boolean;
  /** Whether Debezium sends columns of this type. */
  readonly sends: (column: ColumnType) => boolean;
  /** The policies that may act on a column of the table. */
  readonly policies: (of: {
    readonly schema: string;
    readonly name: string;
  }) => (column: ColumnType & { readonly notNull: boolean }, inKey: boolean) => readonly PolicyInForce[];
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
  ) AS has_key,
  ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage IN ('x', 'e')
      AND NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey::int2[]))
    ORDER BY a.attnum) AS toastable,
  c.relpersistence = 'u' AS unlogged,
  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS can_select
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, 2`;

/** Of the same tables and of partitioned ones; the type of an array is that of its elements. Statistics tell of days BC without a look at the rows. */
const COLUMNS_SQL = `
WITH RECURSIVE resolved AS (
  SELECT a.attrelid, a.attnum, a.atttypid AS typid, a.atttypmod AS modifier
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  UNION ALL
  SELECT r.attrelid, r.attnum, t.typbasetype, CASE WHEN r.modifier >= 0 THEN r.modifier ELSE t.typtypmod END
  FROM resolved r JOIN pg_type t ON t.oid = r.typid WHERE t.typtype = 'd'
)
SELECT n.nspname AS schema, c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
  coalesce(e.typname, t.typname) AS base, coalesce(e.typtype, t.typtype)::text AS kind, r.modifier, e.oid IS NOT NULL AS array,
  a.attndims::int AS dimensions, a.atthasdef AND NOT a.attnotnull AS "nullableDefault",
  a.attnotnull AS "notNull",
  t.typname IN ('date', 'timestamp', 'timestamptz') AND EXISTS (
    SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
      AND concat(s.histogram_bounds::text, s.most_common_vals::text) LIKE '% BC%') AS ancient
FROM resolved r JOIN pg_type t ON t.oid = r.typid AND t.typtype <> 'd'
JOIN pg_attribute a ON a.attrelid = r.attrelid AND a.attnum = r.attnum
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typsubscript = 'array_subscript_handler'::regproc
ORDER BY c.oid, a.attnum`;

/** The key is the one that the mirror has: the primary key, else the first by name of the unique indexes over NOT NULL columns. */
const RELATIONS_SQL = `
SELECT n.nspname AS schema, c.relname AS name, c.oid::bigint::float8 AS oid,
  (SELECT a.xmin::text::float8 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum < 0 LIMIT 1) AS "madeBy",
  ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
  ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum = ANY ((k.indkey::int2[])[0:k.indnkeyatts - 1]) ORDER BY a.attnum) AS key,
  coalesce(k.indisprimary, false) AS "hasPrimaryKey",
  CASE coalesce((SELECT p.pubviaroot FROM pg_publication p WHERE p.pubname = $1), false)
    WHEN true THEN NOT c.relispartition ELSE c.relkind <> 'p' END AS streamed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT i.indkey, i.indnkeyatts, i.indisprimary FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (
      SELECT FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND NOT a.attnotnull)
  ORDER BY i.indisprimary DESC, ic.relname COLLATE "C" LIMIT 1
) k ON true
WHERE c.relkind IN ('r', 'p') AND c.relpersistence IN ('p', 'u')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, 2`;

const SERVER_SQL = `
SELECT current_setting('wal_level') AS wal_level, current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS number,
  current_setting('max_replication_slots')::int AS max_slots, current_setting('max_wal_senders')::int AS max_senders,
  (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keeps_mb,
  (SELECT count(*)::int FROM pg_stat_replication) AS senders,
  current_user AS role,
  (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS replication`;

const SLOTS_SQL = `
SELECT slot_name AS name, coalesce(plugin, '') AS plugin, coalesce(database = current_database(), false) AS ours, active,
  coalesce(wal_status, '') AS wal_status,
  coalesce(pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::text AS held
FROM pg_replication_slots ORDER BY 1`;

const PUBLICATION_SQL = `
SELECT puballtables AS all_tables, pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = $1`;

/** A leaf counts as published where a table above it is. */
const MEMBERS_SQL = `
SELECT n.nspname AS schema, c.relname AS name, bool_or(p.rowfilter IS NOT NULL) AS filters_rows,
  bool_or(p.attnames IS NOT NULL AND cardinality(p.attnames) < (
    SELECT count(*) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')) AS filters_columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_publication_tables p ON p.pubname = $1 AND (
  (p.schemaname = n.nspname AND p.tablename = c.relname)
  OR format('%I.%I', p.schemaname, p.tablename)::regclass IN (SELECT relid FROM pg_partition_ancestors(c.oid)))
WHERE c.relkind = 'r'
GROUP BY 1, 2`;

/** 14 knows neither filters nor lists of columns. */
const MEMBERS_SQL_14 = `
SELECT schemaname AS schema, tablename AS name, false AS filters_rows, false AS filters_columns
FROM pg_publication_tables WHERE pubname = $1`;

const IDENTITIES: Readonly<Record<string, ReplicaIdentity>> = { d: 'default', f: 'full', n: 'nothing', i: 'index' };

interface ServerRow {
  readonly wal_level: string;
  readonly version: string;
  readonly number: number;
  readonly max_slots: number;
  readonly max_senders: number;
  readonly keeps_mb: string | null;
  readonly senders: number;
  readonly role: string;
  readonly replication: boolean;
}

interface SlotRow {
  readonly name: string;
  readonly plugin: string;
  readonly ours: boolean;
  readonly active: boolean;
  readonly wal_status: string;
  readonly held: string;
}

interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly identity: string;
  readonly has_primary_key: boolean;
  readonly has_key: boolean;
  readonly toastable: readonly string[];
  readonly unlogged: boolean;
  readonly can_select: boolean;
}

interface ColumnRow extends Omit<ColumnFacts, 'sent'> {
  readonly schema: string;
  readonly table: string;
  readonly notNull: boolean;
}

type RelationRow = Omit<RelationFacts, 'included' | 'policies'>;

/** Throws what the query throws. */
export async function postgresFacts(query: Query, wanted: Wanted, questions: TableQuestions): Promise<PostgresFacts> {
  const { includes, sends } = questions;
  const [[server], slots, tables, columns, relations] = await Promise.all([
    query<ServerRow>(SERVER_SQL),
    query<SlotRow>(SLOTS_SQL),
    query<TableRow>(TABLES_SQL),
    query<ColumnRow>(COLUMNS_SQL),
    query<RelationRow>(RELATIONS_SQL, [wanted.publication]),
  ]);
  const columnsOf = Map.groupBy(columns, ({ schema, table }) => tableName({ schema, name: table }));
  // It is one row by its form.
  if (server === undefined) throw new Error('PostgreSQL told nothing of itself');
  return {
    version: server.version,
    versionNumber: server.number,
    walLevel: server.wal_level,
    slotKeepsBytes:
      server.keeps_mb === null || Number(server.keeps_mb) < 0 ? null : Number(server.keeps_mb) * 1024 * 1024,
    slots: slots.map(({ wal_status: walStatus, held, ...slot }): SlotFacts => ({
      ...slot,
      walStatus,
      heldBytes: Number(held),
    })),
    maxSlots: server.max_slots,
    walSenders: server.senders,
    maxWalSenders: server.max_senders,
    role: { name: server.role, replication: server.replication },
    publication: await publicationFacts(query, wanted.publication, server.number),
    signalTableExists: tables.some((table) => tableName(table) === wanted.signalTable),
    tables: tables
      .map((row) => {
        const columns = columnsOf.get(tableName(row)) ?? [];
        return toTable(
          row,
          columns.map(({ schema: _, table: _table, notNull: _notNull, ...column }) => ({
            ...column,
            sent: sends(column),
          })),
        );
      })
      .filter((table) => includes(tableName(table))),
    relations: relations.map((row) => toRelation(row, columnsOf.get(tableName(row)) ?? [], questions)),
  };
}

function toRelation(row: RelationRow, columns: readonly ColumnRow[], questions: TableQuestions): RelationFacts {
  const policies = questions.policies(row);
  return {
    ...row,
    included: questions.includes(tableName(row)),
    policies: columns.flatMap((column) =>
      policies(column, row.key.includes(column.name)).map((inForce) => ({
        column: column.name,
        type: column.type,
        ...inForce,
      })),
    ),
  };
}

async function publicationFacts(query: Query, name: string, version: number): Promise<PublicationFacts | null> {
  const [row] = await query<Readonly<Record<string, boolean>>>(PUBLICATION_SQL, [name]);
  if (row === undefined) return null;
  const members = await query<{ schema: string; name: string; filters_rows: boolean; filters_columns: boolean }>(
    version >= 150_000 ? MEMBERS_SQL : MEMBERS_SQL_14,
    [name],
  );
  return {
    leavesOut: ['insert', 'update', 'delete', 'truncate'].filter((operation) => row[`pub${operation}`] === false),
    forAllTables: row['all_tables'] === true,
    tables: members.map((member) => ({
      table: tableName(member),
      filtersRows: member.filters_rows,
      filtersColumns: member.filters_columns,
    })),
  };
}

function toTable(row: TableRow, columns: readonly ColumnFacts[]): TableFacts {
  const { schema, name, toastable, unlogged } = row;
  return {
    schema,
    name,
    toastable,
    unlogged,
    identity: IDENTITIES[row.identity] ?? 'default',
    hasPrimaryKey: row.has_primary_key,
    hasKey: row.has_key,
    canSelect: row.can_select,
    columns,
  };
}
