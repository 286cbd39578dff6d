/** Guarded inserts: one block of bytes, one token, and a condition that the server checks when it starts. */
import { FixedColumn } from './column-fixed';
import type { NamedColumn } from './native';
import { encodeBlock } from './native';
import { quoteName, quoteText } from './ddl';
import type { ClickHouse } from './client';

/** A table as the block was prepared for it. */
export interface TargetTable {
  readonly database: string;
  readonly name: string;
  readonly uuid: string;
}

/** What must still be true when the server starts on an insert; else it refuses (GUARD_REFUSED) and writes nothing. */
export interface Guard {
  /** ms since the epoch by ClickHouse's clock. */
  readonly deadlineMs: number;
  /** `changes` as the announce named it. */
  readonly changes: TargetTable;
}

export interface GuardedInsert {
  readonly table: TargetTable;
  readonly columns: readonly NamedColumn[];
  readonly rowCount: number;
  /** Columns with one value for the whole block: name and SQL literal. */
  readonly constants: readonly (readonly [string, string])[];
  /**
   * Key columns of a table where rows with one key must stay in the order they are given. The server's own sort on
   * insert does not keep it (measured on 26.7.2: 230 of 3,808 rows in wrong order), so it is told to sort by the key and
   * the row's number; what is sorted already it leaves as it is.
   */
  readonly keepOrderWithin: readonly string[] | null;
  /** Deduplicates repeats: an insert of the same token is written once within the table's window. */
  readonly token: string;
}

/**
 * Keeps a block in one part: far above any block's rows and bytes. Rows of it that take each other away are folded before
 * they are written, whatever the server's profile says: the late part of a row that came and went would show that row
 * again, after a redo that found nothing to write, and so used no token (`foldedOnInsert` in the model).
 */
const ONE_PART = {
  optimize_on_insert: 1 as const,
  max_insert_block_size: '16777216',
  min_insert_block_size_rows: '16777216',
  min_insert_block_size_bytes: '2147483648',
  max_insert_threads: '1',
};

/** Writes one block as one part, there whole or not at all. `seconds` bounds it on the server. */
export async function guardedInsert(
  clickhouse: Pick<ClickHouse, 'insert'>,
  insert: GuardedInsert,
  guard: Guard,
  seconds: number,
): Promise<void> {
  await clickhouse.insert(guardedSql(insert, guard), encodeBlock(sentColumns(insert), insert.rowCount), {
    ...ONE_PART,
    async_insert: 0,
    insert_deduplicate: 1,
    insert_deduplication_token: insert.token,
    max_execution_time: seconds,
    max_query_size: '1048576',
  });
}

/** Numbers the rows of a block where their order counts. Columns of sources cannot have this name: it is ours (META_COLUMNS). */
const ROW_NUMBER = '_row';

function sentColumns({ columns, rowCount, keepOrderWithin }: GuardedInsert): readonly NamedColumn[] {
  if (keepOrderWithin === null) return columns;
  const numbers = new FixedColumn('UInt32', 4);
  numbers.appendCounting(rowCount);
  return [...columns, { name: ROW_NUMBER, column: numbers }];
}

/** The statement of a guarded insert; the block follows it in FORMAT Native. */
export function guardedSql(insert: GuardedInsert, { deadlineMs, changes }: Guard): string {
  const { table, columns, constants, keepOrderWithin } = insert;
  const names = [...columns.map(({ name }) => name), ...constants.map(([name]) => name)].map(quoteName);
  // Without a name of its own, the literal 0 would be called as a column of the source may be: `0`.
  const named = constants.map(([name, literal]) => `${literal} AS ${quoteName(name)}`);
  const values = [...columns.map(({ name }) => quoteName(name)), ...named];
  const sent = columns.map(({ name, column }) => `${quoteName(name)} ${column.type}`);
  if (keepOrderWithin !== null) sent.push(`${ROW_NUMBER} UInt32`);
  const order =
    keepOrderWithin === null ? '' : `ORDER BY ${[...keepOrderWithin.map(quoteName), ROW_NUMBER].join(', ')} `;
  const tables = table.uuid === changes.uuid ? [changes] : [changes, table];
  const alive = tables
    .map(
      ({ database, name, uuid }) =>
        `(database = ${quoteText(database)} AND name = ${quoteText(name)} AND uuid = ${quoteText(uuid)})`,
    )
    .join(' OR ');
  return (
    `INSERT INTO ${quoteName(table.database)}.${quoteName(table.name)} (${names.join(', ')}) ` +
    `SELECT ${values.join(', ')} FROM input(${quoteText(sent.join(', '))}) ` +
    `WHERE throwIf(now64(3) > fromUnixTimestamp64Milli(${deadlineMs}, 'UTC')) = 0 ` +
    `AND throwIf((SELECT count() FROM system.tables WHERE ${alive}) != ${tables.length}) = 0 ${order}FORMAT Native`
  );
}
