/** Puts a table of PostgreSQL and its mirror in ClickHouse side by side, row by row, every value as text. */
import type { ClickHouse } from '../src/clickhouse/client';
import { quoteName } from '../src/clickhouse/quote';
import { ServiceError } from '../src/errors';
import type { SourceColumn } from '../src/model';
import { readTable } from '../src/postgres/catalogue';
import type { Postgres } from '../src/postgres/client';

/** Values in column order; null for NULL. */
export type TextRow = readonly (string | null)[];

/** A table to compare: its columns, and the two statements that read them as the same text. */
export interface ComparedTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** Indexes into `columns`, in key order. */
  readonly key: readonly number[];
  readonly sourceSql: string;
  readonly mirrorSql: string;
  /** Only the newest rows, where there are many: LIMIT for the source, a condition on the keys for the mirror. */
  readonly newest: { readonly sourceSql: string; readonly mirrorSql: string };
}

/** Of a table with more rows than this only so many of the newest are compared value by value, and the others counted. */
export const MOST_COMPARED = 5_000;

/** One key, as it stands on each side; null where there is no such row. */
export interface RowPair {
  readonly key: string;
  readonly source: TextRow | null;
  /** More than one would be a fault of the mirror. */
  readonly mirror: readonly TextRow[];
  readonly equal: boolean;
}

export interface Comparison {
  readonly table: ComparedTable;
  readonly pairs: readonly RowPair[];
  readonly sourceRows: number;
  readonly mirrorRows: number;
  /** `newest`: `MOST_COMPARED` rows by their values, all by their number. */
  readonly extent: 'all' | 'newest';
  readonly equal: boolean;
}

/** Reads the table's columns and key from PostgreSQL's catalogue. Throws STACK_FAILED where there is no such table. */
export async function describeTable(postgres: Postgres, name: string, database: string): Promise<ComparedTable> {
  const found = await readTable((sql, params) => postgres.query(sql, params), 'public', name);
  if (found === null) {
    throw new ServiceError('STACK_FAILED', `PostgreSQL has no table public.${name}`, { hint: 'Run demo/schema.sql.' });
  }
  const { columns, key } = found;
  const sourceSql = `SELECT ARRAY[${columns.map(sourceText).join(', ')}] AS row FROM public.${quotePostgres(name)}`;
  const mirrorSql = `SELECT [${columns.map(mirrorText).join(', ')}] AS row FROM ${quoteName(database)}.${quoteName(name)}`;
  const time = columns.find(({ base }) => base.startsWith('timestamp'))?.name ?? key[0] ?? '';
  const keys = key.map((column) => `toString(${quoteName(column)})`).join(', ');
  return {
    name,
    columns: columns.map((column) => column.name),
    key: key.map((column) => columns.findIndex((other) => other.name === column)),
    sourceSql,
    mirrorSql,
    newest: {
      sourceSql: `${sourceSql} ORDER BY ${quotePostgres(time)} DESC LIMIT ${MOST_COMPARED}`,
      mirrorSql: `${mirrorSql} WHERE [${keys}] IN {keys:Array(Array(String))}`,
    },
  };
}

/** Both sides as they are now. A mirror that was not made yet has no rows. */
export async function compareTable(
  table: ComparedTable,
  { postgres, clickhouse, database }: { postgres: Postgres; clickhouse: ClickHouse; database: string },
): Promise<Comparison> {
  const counted = await postgres.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM public.${quotePostgres(table.name)}`,
  );
  const sourceRows = counted[0]?.rows ?? 0;
  const extent = sourceRows > MOST_COMPARED ? 'newest' : 'all';
  const { sourceSql, mirrorSql } = extent === 'all' ? table : table.newest;
  const source = (await postgres.query<{ row: TextRow }>(sourceSql)).map(({ row }) => row);
  if (!(await hasView(table, clickhouse, database))) return pairUp(table, source, []);
  const keys = extent === 'all' ? [] : source.map((row) => table.key.map((column) => row[column]));
  const mirror = await clickhouse.query<{ row: TextRow }>(mirrorSql, { keys });
  const compared = pairUp(
    table,
    source,
    mirror.map(({ row }) => row),
  );
  if (extent === 'all') return compared;
  const [of] = await clickhouse.query<{ rows: string }>(
    `SELECT count() AS rows FROM ${quoteName(database)}.${quoteName(table.name)}`,
  );
  const mirrorRows = Number(of?.rows ?? 0);
  return { ...compared, sourceRows, mirrorRows, extent, equal: compared.equal && sourceRows === mirrorRows };
}

/** Pairs the rows of both sides by their key. */
export function pairUp(table: ComparedTable, source: readonly TextRow[], mirror: readonly TextRow[]): Comparison {
  const pairs = new Map<string, { source: TextRow | null; mirror: TextRow[] }>();
  for (const row of source) pairs.set(keyText(table, row), { source: row, mirror: [] });
  for (const row of mirror) {
    const key = keyText(table, row);
    const pair = pairs.get(key) ?? { source: null, mirror: [] };
    pair.mirror.push(row);
    pairs.set(key, pair);
  }
  const judged = [...pairs].map(([key, pair]) => ({ key, ...pair, equal: isEqual(pair) }));
  return {
    table,
    pairs: judged,
    sourceRows: source.length,
    mirrorRows: mirror.length,
    extent: 'all',
    equal: judged.every(({ equal }) => equal),
  };
}

function keyText({ key }: ComparedTable, row: TextRow): string {
  return JSON.stringify(key.map((column) => row[column]));
}

function isEqual({ source, mirror }: { source: TextRow | null; mirror: readonly TextRow[] }): boolean {
  return source !== null && mirror.length === 1 && JSON.stringify(source) === JSON.stringify(mirror[0]);
}

async function hasView({ name }: ComparedTable, clickhouse: ClickHouse, database: string): Promise<boolean> {
  const views = await clickhouse.query(
    'SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name },
  );
  return views.length > 0;
}

const MICROSECONDS = 'YYYY-MM-DD HH24:MI:SS.US';

/** A value as PostgreSQL writes it, times in UTC with all six digits. */
function sourceText({ name, base }: SourceColumn): string {
  const column = quotePostgres(name);
  if (base === 'timestamptz') return `to_char(${column} AT TIME ZONE 'UTC', '${MICROSECONDS}')`;
  if (base === 'timestamp') return `to_char(${column}, '${MICROSECONDS}')`;
  return `${column}::text`;
}

/** The same text from ClickHouse, which leaves out the zeros at a Decimal's end unless it is told the scale. */
function mirrorText({ name, base, modifier }: SourceColumn): string {
  const column = quoteName(name);
  return base === 'numeric' ? `toDecimalString(${column}, ${(modifier - 4) & 0x7ff})` : `toString(${column})`;
}

function quotePostgres(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
