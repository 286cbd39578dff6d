/** Reads a source table from the PostgreSQL catalogue: its columns with domains resolved, its key, its replica identity. */
import type { ReplicaIdentity, SourceColumn, SourceTable } from '../model';

/** Runs one statement and returns its rows, as `Postgres.query` does. */
export type CatalogueQuery = (sql: string, params: readonly unknown[]) => Promise<readonly object[]>;

/**
 * One row per column, even for a table without columns. A domain is followed to its base type and takes the innermost
 * modifier that is set, as PostgreSQL enforces it. The element of an array is not followed: Debezium leaves out arrays
 * of domains, so they must be told apart (typtype d).
 */
const TABLE_SQL = `
WITH RECURSIVE target AS (
  SELECT c.oid, c.relreplident
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
  SELECT i.indexrelid, i.indkey, i.indnkeyatts
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
       r.attname::text AS name,
       pg_catalog.format_type(r.atttypid, r.atttypmod) AS type,
       coalesce(element.typname, t.typname)::text AS base,
       coalesce(element.typtype, t.typtype)::text AS kind,
       r.modifier,
       element.oid IS NOT NULL AS array,
       r.attnotnull OR r.domain_not_null AS "notNull",
       r.attgenerated <> '' AS generated,
       (SELECT position FROM pg_catalog.generate_series(0, k.indnkeyatts - 1) AS position
        WHERE k.indkey[position] = r.attnum) AS "keyPosition"
FROM target
LEFT JOIN (
  SELECT resolved.* FROM resolved JOIN pg_catalog.pg_type ON pg_type.oid = resolved.typid WHERE pg_type.typtype <> 'd'
) r ON true
LEFT JOIN pg_catalog.pg_type t ON t.oid = r.typid
LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
LEFT JOIN key_index k ON true
ORDER BY r.attnum`;

interface CatalogueRow {
  readonly identity: string;
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
 * The table as the catalogue has it now; null if there is none (a view is none). Its key is the primary key in key
 * order, else the first by name of the unique, valid indexes over whole NOT NULL columns.
 */
export async function readTable(query: CatalogueQuery, schema: string, name: string): Promise<SourceTable | null> {
  const rows = (await query(TABLE_SQL, [schema, name])) as readonly CatalogueRow[];
  const first = rows[0];
  if (first === undefined) return null;
  const present = rows.filter((row) => row.name !== null);
  const key = present
    .filter((row) => row.keyPosition !== null)
    .sort((a, b) => (a.keyPosition ?? 0) - (b.keyPosition ?? 0))
    .map((row) => row.name ?? '');
  return { schema, name, identity: IDENTITIES[first.identity] ?? 'nothing', columns: present.map(column), key };
}

function column({ name, type, base, kind, modifier, array, notNull, generated }: CatalogueRow): SourceColumn {
  return { name: name ?? '', type, base, kind, modifier, array, notNull, generated };
}
