/** Masks in a block what the catalogue alone tells of, before anything of it is written. */
import { maskImages } from '../pipeline';
import type { ChangeBlock } from '../plan/change-block';
import type { OpenTable, TableNeed, Tables } from './ports';

/** Opens a table of the block, by its index; its images are masked when this resolves. */
export async function openMasked(
  block: ChangeBlock,
  index: number,
  need: TableNeed,
  tables: Pick<Tables, 'open'>,
): Promise<OpenTable> {
  const source = block.tables[index];
  if (source === undefined) throw new RangeError('no such table in the block');
  const table = await tables.open(source, need);
  maskLate(block, index, table);
  return table;
}

/** Each column once, since a block may be prepared again. */
export function maskLate(block: ChangeBlock, table: number, { late }: Pick<OpenTable, 'late'>): void {
  if (!late || block.stored) return;
  const due = late.columns.filter((column) => !block.maskedLate.has(`${table}:${column}`));
  if (due.length === 0) return;
  maskImages(block, table, late.of(due));
  for (const column of due) block.maskedLate.add(`${table}:${column}`);
}
