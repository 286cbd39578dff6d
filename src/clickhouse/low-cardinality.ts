/** Reads LowCardinality columns of an answer: ClickHouse sends them as dictionaries over HTTP whatever is asked for. */
import type { ByteSource } from './byte-stream';
import type { Column } from './column-contract';
import { FixedColumn, type FixedWidth } from './column-fixed';
import { ArrayColumn, NullableColumn } from './column-nested';
import { StringColumn } from './column-string';
import { ServiceError } from '../errors';

const DICTIONARY = /LowCardinality\((String|Nullable\(String\))\)/;

/** The type without LowCardinality, as our columns hold it: `Array(LowCardinality(String))` -> `Array(String)`. */
export function plainType(type: string): string {
  return type.replace(DICTIONARY, '$1');
}

/** Appends `rows` rows of a payload of the given type, LowCardinality or not, to a column of its plain type. */
export function decodeColumn(type: string, column: Column, input: ByteSource, rows: number): void {
  if (!DICTIONARY.test(type)) return column.decode(input, rows);
  // The version of the form stands before everything else, the ends of an array included; it says nothing more.
  input.take(8);
  if (column instanceof ArrayColumn) {
    column.decodeWith(input, rows, (elements) => decodeDictionaries(column.element, input, elements));
  } else decodeDictionaries(column, input, rows);
}

const WIDTHS: readonly FixedWidth[] = [1, 2, 4, 8];
const SHARED_DICTIONARY = 0x100;

function decodeDictionaries(column: Column, input: ByteSource, rows: number): void {
  for (let left = rows; left > 0;) left -= decodeDictionary(column, input, left);
}

function decodeDictionary(column: Column, input: ByteSource, most: number): number {
  const flags = readUInt64(input);
  const width = WIDTHS[flags & 0xff];
  if (width === undefined || (flags & SHARED_DICTIONARY) !== 0) throw unknownForm();
  const dictionary = new StringColumn();
  dictionary.decode(input, readUInt64(input));
  const rows = readUInt64(input);
  if (rows === 0 || rows > most) throw unknownForm();
  const indexes = new FixedColumn(`UInt${width * 8}`, width);
  indexes.decode(input, rows);
  for (let row = 0; row < rows; row++) {
    // Narrow columns hand out their low bits as signed.
    const index = width === 2 ? indexes.numberAt(row) & 0xffff : indexes.numberAt(row);
    appendEntry(column, dictionary, index);
  }
  return rows;
}

/** The first entry of a nullable dictionary stands for NULL. */
function appendEntry(column: Column, dictionary: StringColumn, index: number): void {
  if (!(column instanceof NullableColumn)) column.appendFrom(dictionary, index);
  else if (index === 0) column.appendDefault();
  else {
    column.markPresent();
    column.inner.appendFrom(dictionary, index);
  }
}

function readUInt64(input: ByteSource): number {
  const at = input.take(8);
  let value = 0;
  for (let i = 7; i >= 0; i--) value = value * 256 + (input.bytes[at + i] ?? 0);
  return value;
}

function unknownForm(): ServiceError {
  return new ServiceError('INTERNAL', 'ClickHouse sent a LowCardinality column in a form this service does not read.', {
    hint: 'Please report it with the version of the ClickHouse server.',
  });
}
