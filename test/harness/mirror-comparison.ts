/** Compares a view in ClickHouse with its table in PostgreSQL, value by value, each as text in one form for both. */
import type { ClickHouse } from '../../src/clickhouse/client';
import type { Postgres } from '../../src/postgres/client';

export interface Comparison {
  readonly sourceRows: number;
  readonly viewRows: number;
  /** The sum of all signs of the mirror, times the count where it counts: the number of rows, or some later delete would leave a row behind. */
  readonly signs: number;
  /** Rows of the source that the view lacks, and rows of the view that the source does not have; at most a few. */
  readonly missing: readonly string[];
  readonly surplus: readonly string[];
}

interface Column {
  readonly name: string;
  readonly base: string;
  readonly array: boolean;
}

const MOMENT = `'YYYY-MM-DD HH24:MI:SS.US'`;

/** The value as text in PostgreSQL, in the form that `inClickHouse` gives. */
function inPostgres({ name, base, array }: Column): string {
  const value = `"${name.replaceAll('"', '""')}"`;
  // A NULL array reads as [] in the view, by design; the mirror's _nulls tells them apart.
  if (array) return `coalesce(to_json(${value})::text, '[]')`;
  switch (base) {
    case 'timestamptz':
      return `to_char(${value} AT TIME ZONE 'UTC', ${MOMENT})`;
    case 'timestamp':
      return `to_char(${value}, ${MOMENT})`;
    case 'time':
      return `to_char(${value}, 'HH24:MI:SS.US')`;
    case 'numeric':
      return `trim_scale(${value})::text`;
    case 'bpchar':
      // A cast to text would cut its blanks.
      return `CASE WHEN ${value} IS NOT NULL THEN format('%s', ${value}) END`;
    case 'bytea':
      return `encode(${value}, 'hex')`;
    default:
      return `${value}::text`;
  }
}

function inClickHouse({ name, base, array }: Column): string {
  const value = `\`${name.replaceAll('`', '\\`')}\``;
  if (array) return `toNullable(toJSONString(${value}))`;
  return base === 'bytea' ? `toNullable(lower(hex(${value})))` : `toNullable(toString(${value}))`;
}

/** Floats are written differently by the two; JSON differs in its spaces. */
function normal({ base, array }: Column, text: string | null): string {
  if (text === null) return 'NULL';
  if (array) return JSON.stringify(JSON.parse(text));
  return base === 'float4' || base === 'float8' ? String(Number(text)) : text;
}

export async function compareMirror(options: {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly table: string;
  readonly database: string;
  readonly view?: string;
}): Promise<Comparison> {
  const { postgres, clickhouse, table, database, view = table } = options;
  const columns = await postgres.query<Column>(
    `SELECT a.attname AS name, coalesce(e.typname, t.typname) AS base, e.oid IS NOT NULL AS array
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typsubscript = 'array_subscript_handler'::regproc
      WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [`public."${table}"`],
  );
  const asRow = ({ row }: { row: (string | null)[] }): string =>
    columns.map((column, index) => `${column.name}=${normal(column, row[index] ?? null)}`).join(' ');
  const source = (
    await postgres.query<{ row: (string | null)[] }>(
      `SELECT ARRAY[${columns.map(inPostgres).join(', ')}]::text[] AS row FROM public."${table}"`,
    )
  ).map(asRow);
  const shown = (
    await clickhouse.query<{ row: (string | null)[] }>(
      `SELECT [${columns.map(inClickHouse).join(', ')}] AS row FROM \`${database}\`.\`${view}\``,
    )
  ).map(asRow);
  const differing = {
    missing: difference(source, shown).slice(0, 5),
    surplus: difference(shown, source).slice(0, 5),
  };
  const meta = await clickhouse.query<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = '${database}_cdc' AND table = '${view}__mirror' AND name IN ('_sign', '_count')`,
  );
  // A partitioned table that comes leaf by leaf has no mirror of its own.
  if (meta.length === 0)
    return { sourceRows: source.length, viewRows: shown.length, signs: shown.length, ...differing };
  const [sum] = await clickhouse.query<{ signs: string }>(
    `SELECT sum(_sign${meta.length === 2 ? ' * _count' : ''}) AS signs FROM \`${database}_cdc\`.\`${view}__mirror\``,
  );
  return {
    sourceRows: source.length,
    viewRows: shown.length,
    signs: Number(sum?.signs),
    ...differing,
  };
}

export function isEqual({ sourceRows, viewRows, signs, missing, surplus }: Comparison): boolean {
  return sourceRows === viewRows && sourceRows === signs && missing.length === 0 && surplus.length === 0;
}

/** What is in `left` more often than in `right`. */
function difference(left: readonly string[], right: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const row of right) counts.set(row, (counts.get(row) ?? 0) + 1);
  return left.filter((row) => {
    const count = counts.get(row) ?? 0;
    counts.set(row, count - 1);
    return count <= 0;
  });
}
