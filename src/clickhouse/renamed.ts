/** Tables that were given another name, as `control` remembers them, and whether their rows have been read under it since. */
import type { NamedTable, RenamedTable, TableRef } from '../model';
import { quoteName, quoteText } from './quote';

const NAMED = 'named:';
const RENAMED = 'renamed:';

export function namedName(oid: number): string {
  return `${NAMED}${oid}`;
}

export function renamedName({ schema, name }: TableRef): string {
  return `${RENAMED}${schema}.${name}`;
}

export type Query = <T>(sql: string) => Promise<T[]>;

/**
 * Whether a snapshot has brought rows of the table since: where its first record is, in the order of offsets. Incremental ones
 * have no LSN by which it could be told elsewhere.
 */
export async function isReadAgain(
  query: Query,
  machinery: string,
  { table: { schema, name }, topic, partition, offset }: RenamedTable,
): Promise<boolean> {
  const place = `topic = ${quoteText(topic)} AND partition = ${partition} AND offset >= ${offset}`;
  const found = await query(
    `SELECT 1 AS found FROM ${quoteName(machinery)}.changes WHERE ${place} AND schema = ${quoteText(schema)} AND table = ${quoteText(name)} AND op = 'r' LIMIT 1`,
  );
  return found.length > 0;
}

/** All tables that were renamed, under the names they have now. */
export async function renamedTables(
  query: Query,
  machinery: string,
): Promise<(RenamedTable & { readAgain: boolean })[]> {
  const rows = await query<{ value: string }>(remembered(machinery, RENAMED));
  const found = rows.map(({ value }) => JSON.parse(value) as RenamedTable);
  return Promise.all(found.map(async (one) => ({ ...one, readAgain: await isReadAgain(query, machinery, one) })));
}

/** Every table by its oid, and those that were renamed. */
export async function rememberedNames(
  query: Query,
  machinery: string,
): Promise<{
  named: (NamedTable & { readonly oid: number })[];
  renamed: (RenamedTable & { readonly readAgain: boolean })[];
}> {
  const rows = await query<{ name: string; value: string }>(remembered(machinery, NAMED));
  return {
    named: rows.map(({ name, value }) => ({
      ...(JSON.parse(value) as NamedTable),
      oid: Number(name.slice(NAMED.length)),
    })),
    renamed: await renamedTables(query, machinery),
  };
}

function remembered(machinery: string, prefix: string): string {
  return `SELECT name, value FROM ${quoteName(machinery)}.control FINAL WHERE startsWith(name, ${quoteText(prefix)}) ORDER BY name`;
}
