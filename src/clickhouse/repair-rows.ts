/** What mending single rows of a mirror needs of ClickHouse: the signs of keys added up, and rows removed. */
import { FixedColumn } from './column-fixed';
import { MirrorRows } from '../plan/mirror-rows';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';
import type { TargetTable } from './insert';
import { decodeBlocks, encodeBlock } from './native';

/** Keys of one statement at most. */
const KEYS_A_QUERY = 10_000;

/** The sum of the signs of each key that has rows, by `MirrorRows.keyOf`. */
export async function signsOf(
  clickhouse: ClickHouse,
  mirror: TargetTable,
  images: MirrorRows,
  rows: readonly number[],
): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (let from = 0; from < rows.length; from += KEYS_A_QUERY) {
    const { names, block } = keysAsBlock(images, rows.slice(from, from + KEYS_A_QUERY));
    const found = new MirrorRows(images.shape);
    const signs = new FixedColumn('Int64', 8);
    const keys = images.shape.key.flatMap((index) => found.columns[index] ?? []);
    const bytes = await clickhouse.queryNative(
      `SELECT ${names}, sum(_sign)::Int64 AS _signs FROM ${qualified(mirror)} WHERE (${names}) IN (${block}) GROUP BY ${names}`,
    );
    decodeBlocks(bytes, [
      ...keys.map((column, position) => ({ name: nameOfKey(images, position), column })),
      { name: '_signs', column: signs },
    ]);
    for (let row = 0; row < signs.rows; row++) sums.set(found.keyOf(row), signs.numberAt(row));
  }
  return sums;
}

/** Removes every row of some keys; does nothing once ClickHouse's clock is past `deadlineMs`. */
export async function removeKeys(
  clickhouse: ClickHouse,
  mirror: TargetTable,
  { images, rows }: { readonly images: MirrorRows; readonly rows: readonly number[] },
  deadlineMs: number,
): Promise<void> {
  for (let from = 0; from < rows.length; from += KEYS_A_QUERY) {
    const { names, block } = keysAsBlock(images, rows.slice(from, from + KEYS_A_QUERY));
    await remove(clickhouse, mirror, `(${names}) IN (${block})`, deadlineMs);
  }
}

/**
 * Removes rows by their key and place. Rows of the same key from another place stay.
 * @param strays key columns, `_topic`, `_partition` and `_offset` in Native format, in hexadecimal
 */
export async function removeStrays(
  clickhouse: ClickHouse,
  mirror: TargetTable,
  { key, strays }: { readonly key: readonly string[]; readonly strays: string },
  deadlineMs: number,
): Promise<void> {
  const names = [...key, '_topic', '_partition', '_offset'].map(quoteName).join(', ');
  const block = `SELECT ${names} FROM format(Native, unhex(${quoteText(strays)}))`;
  await remove(clickhouse, mirror, `(${names}) IN (${block})`, deadlineMs);
}

async function remove(clickhouse: ClickHouse, mirror: TargetTable, where: string, deadlineMs: number): Promise<void> {
  const inTime = `now64(3) <= fromUnixTimestamp64Milli(${deadlineMs}, 'UTC')`;
  await clickhouse.command(`DELETE FROM ${qualified(mirror)} WHERE ${where} AND ${inTime}`, {
    lightweight_deletes_sync: '2',
    max_query_size: String(64 << 20),
  });
}

function keysAsBlock(images: MirrorRows, rows: readonly number[]): { names: string; block: string } {
  const { columns } = images.keysOf(rows);
  const named = columns.map((column, position) => ({ name: nameOfKey(images, position), column }));
  const bytes = Buffer.concat(encodeBlock(named, columns[0]?.rows ?? 0)).toString('hex');
  const names = named.map(({ name }) => quoteName(name)).join(', ');
  return { names, block: `SELECT ${names} FROM format(Native, unhex(${quoteText(bytes)}))` };
}

function nameOfKey(images: MirrorRows, position: number): string {
  return images.shape.columns[images.shape.key[position] ?? -1]?.name ?? '';
}

function qualified({ database, name }: TargetTable): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}
