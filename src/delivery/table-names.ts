/**
 * The name that each table of the source had last, by its oid: that stays when it is renamed, and no event tells. Rows that
 * have not changed since are in the topic of the old name only, so a renamed table is remembered with the record that
 * showed it.
 */
import { namedName, renamedName } from '../clickhouse/renamed';
import type { ShownBy } from '../clickhouse/schema-changes';
import type { Masking } from '../masking';
import { tableName, type NamedTable, type RenamedTable, type SourceTable, type TableRef } from '../model';
import type { TableVersion } from '../plan/table-versions';
import { readPast, type Memory } from './table-past';

/** What is known of a table that had another name; null for nothing, or where another table has the name now. */
async function readRenamed(memory: Pick<Memory, 'get'>, table: TableRef, oid: number): Promise<RenamedTable | null> {
  const text = await memory.get(renamedName(table));
  const renamed = text === null ? null : (JSON.parse(text) as RenamedTable);
  return renamed?.oid === oid ? renamed : null;
}

/** Remembers under which name the table is found; what is known of it where it had another before. */
export async function rememberName(
  memory: Memory,
  source: SourceTable,
  shownBy: ShownBy | null,
): Promise<RenamedTable | null> {
  const { schema, name, oid = 0, madeBy = 0 } = source;
  if (oid === 0 || madeBy === 0) return null;
  const text = shownBy === null ? null : await memory.get(namedName(oid));
  const before = text === null ? null : (JSON.parse(text) as NamedTable);
  const isSame = before !== null && before.madeBy === madeBy;
  if (shownBy === null || (isSame && tableName(before) === tableName(source))) return readRenamed(memory, source, oid);
  const { topic, partition, offset } = shownBy;
  // First what follows from it: a process that dies in between finds it again.
  if (isSame) {
    const from = { schema: before.schema, name: before.name };
    const renamed: RenamedTable = { table: { schema, name }, from, oid, topic, partition, offset };
    await memory.set(renamedName(source), JSON.stringify(renamed));
  }
  await memory.set(namedName(oid), JSON.stringify({ schema, name, madeBy } satisfies NamedTable));
  return readRenamed(memory, source, oid);
}

/** The versions of a table under the names that it had before, so that what was masked then stays so. */
export async function pastUnderOtherNames(
  memory: Memory,
  { schema, name, oid = 0 }: SourceTable,
  masking: Pick<Masking, 'source'>,
): Promise<readonly TableVersion[]> {
  const versions: TableVersion[] = [];
  const seen = new Set<string>();
  for (let at: TableRef | undefined = { schema, name }; at !== undefined && !seen.has(tableName(at));) {
    seen.add(tableName(at));
    const renamed: RenamedTable | null = await readRenamed(memory, at, oid);
    at = renamed?.from;
    if (at !== undefined) versions.unshift(...(await readPast(memory, at, masking)));
  }
  return versions;
}
