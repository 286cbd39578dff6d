/** Blocks of ClickHouse's Native format: columns to bytes for an insert, and the bytes of an answer to columns. */
import { ByteSink, ByteSource } from './byte-stream';
import type { Column } from './column-contract';
import { decodeColumn, plainType } from './low-cardinality';
import { ServiceError } from '../errors';

/** A column under the name that the table or the `input()` structure has for it. */
export interface NamedColumn {
  readonly name: string;
  readonly column: Column;
}

/**
 * One block of `rows` rows as chunks of at most 1 MiB. Chunks may refer to the columns' own buffers: leave the columns
 * alone until the insert is done. Throws `INTERNAL` if a column has another number of rows.
 */
export function encodeBlock(columns: readonly NamedColumn[], rows: number): Uint8Array[] {
  const out = new ByteSink();
  out.varint(columns.length);
  out.varint(rows);
  for (const { name, column } of columns) {
    if (column.rows !== rows) throw mismatch(`Column ${name} has ${column.rows} rows in a block of ${rows}.`);
    out.text(name);
    out.text(column.type);
    column.encode(out);
  }
  return out.take();
}

/**
 * Appends all blocks of an answer in FORMAT Native to the columns, which must be those of the answer in its order, and
 * returns how many rows came. LowCardinality columns are read into columns of their plain type: measured on 26.7.2,
 * `low_cardinality_allow_in_native_format=0` does nothing over HTTP.
 */
export function decodeBlocks(bytes: Uint8Array, columns: readonly NamedColumn[]): number {
  const input = new ByteSource(bytes);
  let total = 0;
  while (!input.atEnd) {
    const count = input.varint();
    const rows = input.varint();
    if (count === 0) continue;
    if (count !== columns.length) throw mismatch(`An answer has ${count} columns, ${columns.length} were expected.`);
    for (const { name, column } of columns) {
      const actualName = input.text();
      const actualType = input.text();
      if (actualName !== name || !sameType(actualType, column.type)) {
        throw mismatch(`An answer has ${actualName} ${actualType} where ${name} ${column.type} was expected.`);
      }
      decodeColumn(actualType, column, input, rows);
    }
    total += rows;
  }
  return total;
}

/** The server writes `Decimal(10, 2)` where a table may have been declared with `Decimal(10,2)`. */
function sameType(actual: string, expected: string): boolean {
  return actual === expected || plainType(actual).replaceAll(' ', '') === expected.replaceAll(' ', '');
}

/** An answer that has other columns than were asked for, or of another type: the table was altered meanwhile. */
export class ForeignColumns extends ServiceError {}

function mismatch(message: string): ServiceError {
  return new ForeignColumns('INTERNAL', message, {
    hint: 'A table of ours was altered by hand, or this is a fault of the service: please report it with the log.',
  });
}
