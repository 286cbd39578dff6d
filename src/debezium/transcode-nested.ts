/** Reads values made of values: arrays, hstore, points, vectors. */
import { type ArrayColumn, type NullableColumn, type TupleColumn } from '../clickhouse/column-nested';
import type { StringColumn } from '../clickhouse/column-string';
import { skipSpace, skipValue, unescapeInto } from './json-scan';
import { readFloat } from './transcode-number';
import { fieldValue, readText } from './transcode-text';
import { closingQuote, isNull, QUOTE, type ValueReader } from './transcode-value';

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A JSON array of `element` or null, into Array(Nullable(T)). */
export function arrayReader(element: ValueReader): ValueReader {
  return elementsReader((b, at, end, column) => {
    const nullable = column as NullableColumn;
    if (isNull(b, at, end)) {
      nullable.appendDefault();
      return at + 4;
    }
    nullable.markPresent();
    return element(b, at, end, nullable.inner);
  });
}

/** pgvector: a JSON array of numbers, into Array(Float32). */
export const readVector: ValueReader = elementsReader(readFloat);

function elementsReader(element: ValueReader): ValueReader {
  return (b, at, end, column) => {
    const array = column as ArrayColumn;
    if (b[at] !== OPEN_ARRAY) return -1;
    let i = skipSpace(b, at + 1, end);
    if (b[i] !== CLOSE_ARRAY) {
      for (;;) {
        i = element(b, i, end, array.element);
        if (i < 0) return -1;
        i = skipSpace(b, i, end);
        if (b[i] === CLOSE_ARRAY) break;
        if (b[i] !== COMMA) return -1;
        i = skipSpace(b, i + 1, end);
      }
    }
    array.endRow();
    return i + 1;
  };
}

const X = Buffer.from('"x"', 'latin1');
const Y = Buffer.from('"y"', 'latin1');

/** point: an object with x and y, into Tuple(Float64, Float64). */
export const readPoint: ValueReader = (b, at, end, column) => {
  const [x, y] = (column as TupleColumn).elements;
  const close = skipValue(b, at, end);
  if (close < 0 || x === undefined || y === undefined) return -1;
  const xAt = fieldValue(b, at, close, X);
  const yAt = fieldValue(b, at, close, Y);
  if (xAt < 0 || yAt < 0) return -1;
  if (readFloat(b, xAt, close, x) < 0 || readFloat(b, yAt, close, y) < 0) return -1;
  return close;
};

/** The text inside the string that holds an hstore; shared, because no reader is interrupted by another. */
let inner = new Uint8Array(4096);

/**
 * hstore: an object of strings and nulls, or a JSON string that holds one, into Map(String, Nullable(String)).
 */
export const readHstore: ValueReader = (b, at, end, column) => {
  if (b[at] === OPEN_OBJECT) return readHstoreObject(b, at, end, column);
  const close = b[at] === QUOTE ? closingQuote(b, at + 1, end) : -1;
  if (close < 0) return -1;
  if (inner.length < close - at) inner = new Uint8Array((close - at) * 2);
  const length = unescapeInto(b, at + 1, close, inner, 0);
  const map = column as ArrayColumn;
  if (!readPairs(inner, length, map.element as TupleColumn)) return -1;
  map.endRow();
  return close + 1;
};

const readHstoreObject: ValueReader = (b, at, end, column) => {
  const close = skipValue(b, at, end);
  const map = column as ArrayColumn;
  if (close < 0 || !readPairs(b.subarray(at, close), close - at, map.element as TupleColumn)) return -1;
  map.endRow();
  return close;
};

function readPairs(b: Uint8Array, end: number, pairs: TupleColumn): boolean {
  const keys = pairs.elements[0] as StringColumn;
  const values = pairs.elements[1] as NullableColumn;
  if (b[0] !== OPEN_OBJECT) return false;
  let i = skipSpace(b, 1, end);
  if (b[i] === CLOSE_OBJECT) return i + 1 === end;
  for (;;) {
    i = readText(b, i, end, keys);
    i = i < 0 ? -1 : skipSpace(b, i, end);
    if (i < 0 || b[i] !== COLON) return false;
    i = readPairValue(b, skipSpace(b, i + 1, end), end, values);
    i = i < 0 ? -1 : skipSpace(b, i, end);
    if (i < 0) return false;
    if (b[i] === CLOSE_OBJECT) return i + 1 === end;
    if (b[i] !== COMMA) return false;
    i = skipSpace(b, i + 1, end);
  }
}

function readPairValue(b: Uint8Array, at: number, end: number, values: NullableColumn): number {
  if (isNull(b, at, end)) {
    values.appendDefault();
    return at + 4;
  }
  values.markPresent();
  return readText(b, at, end, values.inner);
}
