/** Finds the rows of a block that withhold values, without looking at each value: a search for the placeholder's bytes. */
import type { ChangeBlock } from './change-block';

/**
 * Rows (c and u) whose `after` withholds values, with the columns' names, in no order.
 * @param needles one of them is in every image that withholds a value
 * @param columnsOf names the withheld columns of an image; the placeholder inside a longer text is not one
 */
export function withheldRows(
  block: ChangeBlock,
  needles: readonly Uint8Array[],
  columnsOf: (bytes: Uint8Array, start: number, end: number) => string[],
): Map<number, string[]> {
  const found = new Map<number, string[]>();
  const images = block.after;
  const all = Buffer.from(images.bytes.buffer, images.bytes.byteOffset, images.byteLength);
  for (const needle of needles) {
    let row = 0;
    for (let at = all.indexOf(needle); at >= 0; at = all.indexOf(needle, images.end(row))) {
      row = rowAt(block, at);
      if (found.has(row)) continue;
      const columns = columnsOf(images.bytes, images.start(row), images.end(row));
      if (columns.length > 0) found.set(row, columns);
    }
  }
  return found;
}

/** The row whose image covers byte `at`. */
function rowAt(block: ChangeBlock, at: number): number {
  let low = 0;
  let high = block.rowCount - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (block.after.end(middle) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
