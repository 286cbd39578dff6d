/** Prints rows as a table that fits a width; the only file that imports cli-table3. */
import Table from 'cli-table3';

export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of the terminal. Cells are cut so that no line is longer, as far as the number of columns allows. */
  readonly width: number;
}

/** Narrower than this a cell tells nothing. */
const LEAST_CELL = 4;
/** cli-table3 draws a line and a blank on each side of each cell. */
const AROUND_CELL = 3;

/** The table as lines, without a line break at the end. Cells are made safe for a terminal first. */
export function fittedTable({ head, rows, width }: TextTable): string {
  const shown = rows.map((row) => row.map(withoutControls));
  const natural = head.map((title, column) =>
    Math.max(...[title, ...shown.map((row) => row[column] ?? '')].map(cells)),
  );
  const widths = shrink(natural, width - AROUND_CELL * head.length - 1);
  const table = new Table({
    head: [...head],
    colWidths: widths.map((cell) => cell + AROUND_CELL - 1),
    style: { compact: true, head: [], border: [] },
  });
  for (const row of shown) table.push(row);
  return table.toString();
}

/** Takes from the widest columns, as evenly as can be, until their sum is at most `room`. */
export function shrink(widths: readonly number[], room: number): number[] {
  let cap = Math.max(...widths, LEAST_CELL);
  const sum = (): number => widths.reduce((total, width) => total + Math.min(width, cap), 0);
  while (cap > LEAST_CELL && sum() > room) cap--;
  let spare = Math.max(0, room - sum());
  return widths.map((width) => {
    if (width <= cap || spare === 0) return Math.min(width, cap);
    spare--;
    return cap + 1;
  });
}

/** A value must not move the cursor, change colours or turn the direction of writing. */
function withoutControls(text: string): string {
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
