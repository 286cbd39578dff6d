/** Reads a source table from the PostgreSQL catalogue: its columns with domains resolved, its key, its replica identity. */
import { isLater, type PartitionedTable, type ReplicaIdentity, type SourceColumn, type SourceTable } from '../model';

/** Runs one statement and returns its rows, as `Postgres.query` does. */
export type CatalogueQuery = (sql: string, params: readonly unknown[]) => Promise<readonly object[]>;

/**
 * One row per column, even for a table without columns. A domain is followed to its base type and takes the innermost
 * modifier that is set, as PostgreSQL enforces it. The element of an array is not followed: Debezium leaves out arrays
 * of domains, so they must be told apart (typtype d).
 */
const TABLE_SQL = `
WITH RECURSIVE target AS (
  SELECT c.oid, c.xmin, c.relreplident, c.relispartition, c.relkind = 'p' AS partitioned
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f')
), resolved AS (
  SELECT a.attnum, a.attname, a.attnotnull, a.attgenerated, a.atttypid, a.atttypmod,
         a.atttypid AS typid, a.atttypmod AS modifier, false AS domain_not_null
  FROM target JOIN pg_catalog.pg_attribute a ON a.attrelid = target.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT r.attnum, r.attname, r.attnotnull, r.attgenerated, r.atttypid, r.atttypmod,
         t.typbasetype, CASE WHEN r.modifier >= 0 THEN r.modifier ELSE t.typtypmod END, r.domain_not_null OR t.typnotnull
  FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.typid
  WHERE t.typtype = 'd'
), key_index AS (
  SELECT i.indexrelid, i.indkey, i.indnkeyatts, i.xmin
  FROM target JOIN pg_catalog.pg_index i ON i.indrelid = target.oid
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (
      SELECT 1 FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS position
      JOIN pg_catalog.pg_attribute a ON a.attrelid = target.oid AND a.attnum = i.indkey[position]
      WHERE NOT a.attnotnull
    )
  ORDER BY i.indisprimary DESC, ic.relname COLLATE "C"
  LIMIT 1
)
SELECT target.relreplident::text AS identity,
       target.oid::bigint::text AS oid,
       -- The row of a column of the system is never written again; those of the table's own are, when they are altered.
       (SELECT s.xmin::text FROM pg_catalog.pg_attribute s WHERE s.attrelid = target.oid AND s.attnum < 0 LIMIT 1) AS "madeBy",
       target.xmin::text AS "namedBy",
       own.xmin::text AS "alteredBy",
       k.xmin::text AS "keyedBy",
       k.indexrelid::bigint::text AS "keyIndex",
       -- A snapshot reads both a partitioned table and its leaves; the stream has one of them, as the publication says.
       CASE coalesce((SELECT p.pubviaroot FROM pg_catalog.pg_publication p WHERE p.pubname = $3), false)
         WHEN true THEN target.relispartition ELSE target.partitioned END AS "notStreamed",
       CASE WHEN target.relispartition THEN (
         SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', rc.relname,
           'columns', (SELECT pg_catalog.json_agg(ra.attname ORDER BY ra.attnum) FROM pg_catalog.pg_attribute ra
                       WHERE ra.attrelid = rc.oid AND ra.attnum > 0 AND NOT ra.attisdropped),
           'leaves', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', ln.nspname, 'name', lc.relname)
                                                 ORDER BY ln.nspname COLLATE "C", lc.relname COLLATE "C")
                      FROM pg_catalog.pg_partition_tree(rc.oid) leaf JOIN pg_catalog.pg_class lc ON lc.oid = leaf.relid
                      JOIN pg_catalog.pg_namespace ln ON ln.oid = lc.relnamespace WHERE leaf.isleaf))
         FROM pg_catalog.pg_class rc JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
         WHERE rc.oid = pg_catalog.pg_partition_root(target.oid)) END AS "leafOf",
       r.attnum,
       missing.value AS missing,
       own.atthasdef AND missing.value IS NULL AS filled,
       r.attname::text AS name,
       pg_catalog.format_type(r.atttypid, r.atttypmod) AS type,
       coalesce(element.typname, t.typname)::text AS base,
       coalesce(element.typtype, t.typtype)::text AS kind,
       r.modifier,
       element.oid IS NOT NULL AS array,
       r.attnotnull OR r.domain_not_null AS "notNull",
       r.attgenerated <> '' AND NOT (r.attgenerated = 's' AND EXISTS (
         -- PostgreSQL 18 can publish them; the catalogue of older servers has no such column.
         SELECT 1 FROM pg_catalog.pg_publication p WHERE p.pubname = $3 AND pg_catalog.to_jsonb(p)->>'pubgencols' = 's'
       )) AS generated,
       (SELECT position FROM pg_catalog.generate_series(0, k.indnkeyatts - 1) AS position
        WHERE k.indkey[position] = r.attnum) AS "keyPosition"
FROM target
LEFT JOIN (
  SELECT resolved.* FROM resolved JOIN pg_catalog.pg_type ON pg_type.oid = resolved.typid WHERE pg_type.typtype <> 'd'
) r ON true
LEFT JOIN pg_catalog.pg_attribute own ON own.attrelid = target.oid AND own.attnum = r.attnum
LEFT JOIN LATERAL (
  -- A partitioned table has no rows of its own: its leaves know.
  SELECT (pg_catalog.array_to_json(a.attmissingval)->0)::text AS value FROM pg_catalog.pg_attribute a
  WHERE a.atthasmissing AND a.attname = r.attname AND (a.attrelid = target.oid OR target.partitioned AND a.attrelid IN
    (SELECT leaf.relid FROM pg_catalog.pg_partition_tree(target.oid) leaf WHERE leaf.isleaf))
  LIMIT 1
) missing ON true
LEFT JOIN pg_catalog.pg_type t ON t.oid = r.typid
LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
LEFT JOIN key_index k ON true
ORDER BY r.attnum`;

interface CatalogueRow {
  readonly identity: string;
  readonly oid: string;
  readonly leafOf: PartitionedTable | null;
  readonly notStreamed: boolean;
  readonly madeBy: string | null;
  readonly namedBy: string;
  readonly alteredBy: string | null;
  readonly keyedBy: string | null;
  readonly keyIndex: string | null;
  readonly attnum: number;
  readonly missing: string | null;
  readonly filled: boolean | null;
  readonly name: string | null;
  readonly type: string;
  readonly base: string;
  readonly kind: string;
  readonly modifier: number;
  readonly array: boolean;
  readonly notNull: boolean;
  readonly generated: boolean;
  readonly keyPosition: number | null;
}

const IDENTITIES: Readonly<Record<string, ReplicaIdentity>> = { f: 'full', d: 'default', i: 'index', n: 'nothing' };

/**
 * The table as the catalogue has it now; null if there is none (a view is none). A generated column counts as one only
 * where the publication leaves it out of the stream. Its key is the primary key in key
 * order, else the first by name of the unique, valid indexes over whole NOT NULL columns.
 */
export async function readTable(
  query: CatalogueQuery,
  schema: string,
  name: string,
  publication = '',
): Promise<SourceTable | null> {
  const rows = (await query(TABLE_SQL, [schema, name, publication])) as readonly CatalogueRow[];
  const first = rows[0];
  if (first === undefined) return null;
  const present = rows.filter((row) => row.name !== null);
  const key = present
    .filter((row) => row.keyPosition !== null)
    .sort((a, b) => (a.keyPosition ?? 0) - (b.keyPosition ?? 0))
    .map((row) => row.name ?? '');
  const altered = present.flatMap((row) => [row.alteredBy, row.keyedBy]).filter((xid) => typeof xid === 'string');
  return {
    schema,
    name,
    identity: IDENTITIES[first.identity] ?? 'nothing',
    columns: present.map(column),
    key,
    keyIndex: Number(first.keyIndex ?? 0),
    ...(first.notStreamed ? { notStreamed: true as const } : {}),
    ...(first.leafOf ? { leafOf: first.leafOf } : {}),
    oid: Number(first.oid),
    madeBy: Number(first.madeBy ?? 0),
    namedBy: Number(first.namedBy),
    alteredBy: altered
      .map(Number)
      .reduce((newest, xid) => (isLater(xid, newest) ? xid : newest), Number(altered[0] ?? 0)),
  };
}

function column(row: CatalogueRow): SourceColumn {
  const { name, type, base, kind, modifier, array, notNull, generated, attnum, missing, filled } = row;
  return {
    name: name ?? '',
    type,
    base,
    kind,
    modifier,
    array,
    notNull,
    generated,
    attnum,
    alteredBy: Number(row.alteredBy ?? 0),
    ...(typeof missing === 'string' ? { missing } : {}),
    ...(filled === true ? { filled } : {}),
  };
}

const LSN_SQL = `SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::text AS lsn`;

/** Everything of a table that an ALTER TABLE writes, as one text; another name is written to its own row of the catalogue. */
const STATE_SQL = `
SELECT c.oid::text || '/' || c.xmin::text || '/' || c.relreplident::text || '/' ||
       (SELECT string_agg(a.attnum || ':' || a.xmin::text, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0) || '/' ||
       coalesce((SELECT string_agg(i.indexrelid || ':' || i.xmin::text || i.indisvalid, ',' ORDER BY i.indexrelid)
        FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique), '') || '/' ||
       CASE WHEN c.relispartition THEN (SELECT string_agg(relid::oid::text, ',') FROM
         (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) WHERE isleaf ORDER BY 1) AS leaf)
       ELSE '' END AS state
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`;

/** A look at the catalogue: nothing of the table was altered between two that are equal. */
export interface CatalogueState {
  /** Where the WAL ended before the look: an event at or below it is of this state or of an older one. */
  readonly lsn: number;
  readonly state: string;
}

/** How the table stands in the catalogue now, without reading it all; `state` is '' where there is none. */
export async function catalogueState(query: CatalogueQuery, schema: string, name: string): Promise<CatalogueState> {
  const [at] = (await query(LSN_SQL, [])) as readonly { readonly lsn: string | null }[];
  const [found] = (await query(STATE_SQL, [schema, name])) as readonly { readonly state: string }[];
  return { lsn: Number(at?.lsn ?? 0), state: found?.state ?? '' };
}
