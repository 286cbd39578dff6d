/** Columns that became text since a value did not fit them under the policy `lossless`; remembered in `control`. */
import { widenedName } from '../column-rules';
import type { Memory } from './table-past';

interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A value of the column does not fit its type, and must not be lost: the mirror is to be made anew with text in its place. */
export class ColumnTooNarrow extends Error {
  readonly column: string;

  constructor(column: string) {
    super(`The column ${column} must become text.`);
    this.column = column;
  }
}

export async function readWidened(memory: Pick<Memory, 'get'>, table: TableName): Promise<readonly string[]> {
  const text = await memory.get(widenedName(table));
  return text === null ? [] : (JSON.parse(text) as string[]);
}

/** False where it was so already. */
export async function rememberWidened(memory: Memory, table: TableName, column: string): Promise<boolean> {
  const widened = await readWidened(memory, table);
  if (widened.includes(column)) return false;
  await memory.set(widenedName(table), JSON.stringify([...widened, column].sort()));
  return true;
}
