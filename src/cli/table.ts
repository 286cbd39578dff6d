/** Prints rows as a table that fits a width; the only file that imports cli-table3. */
import Table from 'cli-table3';

export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of the terminal. Cells are cut so that no line is longer, as far as the number of columns allows. */
  readonly width: number;
  /** Indexes of the columns that are cut first; the others only when that is not enough. All of them if not given. */
  readonly cutFirst?: readonly number[];
}

/** Narrower than this a cell tells nothing. */
const LEAST_CELL = 4;
/** cli-table3 draws a line and a blank on each side of each cell. */
const AROUND_CELL = 3;

/** The table as lines, without a line break at the end. Cells are made safe for a terminal first. */
export function fittedTable({ head, rows, width, cutFirst }: TextTable): string {
  const shown = rows.map((row) => row.map(withoutControls));
  const natural = head.map((title, column) =>
    Math.max(...[title, ...shown.map((row) => row[column] ?? '')].map(cells)),
  );
  const room = width - AROUND_CELL * head.length - 1;
  const widths = shrink(shrink(natural, room, cutFirst), room);
  const table = new Table({
    head: [...head],
    colWidths: widths.map((cell) => cell + AROUND_CELL - 1),
    style: { compact: true, head: [], border: [] },
  });
  for (const row of shown) table.push(row);
  return table.toString();
}

/** Takes from the widest of the columns in `from`, as evenly as can be, until the sum of all is at most `room`. */
export function shrink(widths: readonly number[], room: number, from?: readonly number[]): number[] {
  const limit = (width: number, column: number, cap: number): number =>
    from === undefined || from.includes(column) ? Math.min(width, cap) : width;
  const sum = (cap: number): number => widths.reduce((total, width, column) => total + limit(width, column, cap), 0);
  let cap = Math.max(...widths, LEAST_CELL);
  while (cap > LEAST_CELL && sum(cap) > room) cap--;
  let spare = Math.max(0, room - sum(cap));
  return widths.map((width, column) => {
    const limited = limit(width, column, cap);
    if (limited === width || spare === 0) return limited;
    spare--;
    return limited + 1;
  });
}

/** A value must not move the cursor, change colours or turn the direction of writing. */
export function withoutControls(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u;

/** Cells of a terminal that a text takes. */
function cells(text: string): number {
  return Array.from(text).reduce((total, one) => total + (WIDE.test(one) ? 2 : 1), 0);
}
