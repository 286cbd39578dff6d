/** Reads integers, floats and booleans of an image into columns, without a string per value. */
import type { FixedColumn } from '../clickhouse/column-fixed';
import { closingQuote, int64, MINUS, QUOTE, readInt64, ascii, type ValueReader } from './transcode-value';

const LIMITS = new Map([
  [2, 32767],
  [4, 2147483647],
]);

/** int2, int4 and int8; out of range is not understood, because the source column must have changed its type. */
export function intReader(width: number): ValueReader {
  if (width === 8) return readLong;
  const most = LIMITS.get(width) ?? 0;
  return (b, at, end, column) => {
    const next = readInt64(b, at, end);
    if (next < 0 || int64.value > most || int64.value < -most - 1) return -1;
    (column as FixedColumn).appendInt(int64.low);
    return next;
  };
}

const readLong: ValueReader = (b, at, end, column) => {
  const next = readInt64(b, at, end);
  if (next < 0) return -1;
  (column as FixedColumn).appendWords(int64.low, int64.high);
  return next;
};

/** oid: Debezium sends it as a positive int64. */
export const readUnsigned: ValueReader = (b, at, end, column) => {
  const next = readInt64(b, at, end);
  if (next < 0 || int64.value < 0 || int64.value > 4294967295) return -1;
  (column as FixedColumn).appendInt(int64.low);
  return next;
};

export const readBool: ValueReader = (b, at, end, column) => {
  const value = boolAt(b, at, end);
  if (value < 0) return -1;
  (column as FixedColumn).appendInt(value);
  return at + (value === 1 ? 4 : 5);
};

/** 1 where `true` stands at `at`, 0 for `false`, else -1. */
export function boolAt(b: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end && b[at] === 0x74 && b[at + 1] === 0x72 && b[at + 2] === 0x75 && b[at + 3] === 0x65) return 1;
  const isFalse =
    b[at] === 0x66 && b[at + 1] === 0x61 && b[at + 2] === 0x6c && b[at + 3] === 0x73 && b[at + 4] === 0x65;
  return at + 5 <= end && isFalse ? 0 : -1;
}

/** 10^0 to 10^22, the powers of ten that are exact doubles. */
export const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** The double read last by `readDouble`. */
const double = { value: 0 };

/** A JSON number, or the strings NaN, Infinity and -Infinity. */
export const readFloat: ValueReader = (b, at, end, column) => {
  const next = readDouble(b, at, end);
  if (next < 0) return -1;
  (column as FixedColumn).appendFloat(double.value);
  return next;
};

/**
 * Up to 15 digits and a power of ten up to 22 are both exact doubles, so one division or multiplication rounds right;
 * everything else goes through text.
 */

function readDouble(b: Uint8Array, at: number, end: number): number {
  if (b[at] === QUOTE) return readSpecial(b, at, end);
  const negative = b[at] === MINUS;
  let i = negative ? at + 1 : at;
  const first = i;
  let mantissa = 0;
  let digits = 0;
  let fraction = 0;
  let point = false;
  for (; i < end; i++) {
    const c = b[i] ?? 0;
    if (c === 0x2e && !point) point = true;
    else if (c >= 0x30 && c <= 0x39) {
      mantissa = mantissa * 10 + c - 0x30;
      if (mantissa !== 0) digits++;
      if (point) fraction++;
    } else break;
  }
  if (i === first) return -1;
  const exponential = (b[i] ?? 0) === 0x45 || b[i] === 0x65;
  if (!exponential && digits <= 15 && fraction < POWERS.length) {
    const value = mantissa / (POWERS[fraction] ?? 1);
    double.value = negative ? -value : value;
    return i;
  }
  while (i < end && isNumberByte(b[i] ?? 0)) i++;
  double.value = Number(ascii(b, at, i));
  return Number.isNaN(double.value) ? -1 : i;
}

/** Whether a byte can be part of a JSON number. */
export function isNumberByte(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || c === 0x2b || c === MINUS || c === 0x2e || c === 0x45 || c === 0x65;
}

function readSpecial(b: Uint8Array, at: number, end: number): number {
  const close = closingQuote(b, at + 1, end);
  if (close < 0) return -1;
  const text = ascii(b, at + 1, close);
  if (text !== 'NaN' && text !== 'Infinity' && text !== '-Infinity') return -1;
  double.value = Number(text);
  return close + 1;
}
