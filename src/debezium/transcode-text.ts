/** Reads what becomes text or raw bytes: strings, bytea, UUIDs, bit strings, geometries. */
import type { FixedColumn } from '../clickhouse/column-fixed';
import type { StringColumn } from '../clickhouse/column-string';
import { decodeBase64, decoded } from './base64';
import { skipSpace, skipString, skipValue, unescapeInto } from './json-scan';
import { boolAt } from './transcode-number';
import { bigInt64, closingQuote, HEX_DIGIT, QUOTE, readInt64, type ValueReader } from './transcode-value';

const BACKSLASH = 0x5c;

/** Appends the content of the JSON string at `at`; copied as it is unless it holds escapes. */
export const readText: ValueReader = (b, at, end, column) => {
  if (b[at] !== QUOTE) return -1;
  const start = at + 1;
  let i = start;
  for (; i < end; i++) {
    const c = b[i];
    if (c === QUOTE) {
      (column as StringColumn).appendBytes(b, start, i);
      return i + 1;
    }
    if (c === BACKSLASH) break;
  }
  const close = closingQuote(b, i, end);
  if (close < 0) return -1;
  appendUnescaped(b, start, close, column as StringColumn);
  return close + 1;
};

function appendUnescaped(b: Uint8Array, start: number, end: number, column: StringColumn): void {
  // Unescaping never makes text longer.
  const target = column.beginRow(end - start);
  column.endRow(target, unescapeInto(b, start, end, column.bytes, target));
}

/** Any JSON value, kept as its own text. */
export const readJson: ValueReader = (b, at, end, column) => {
  const next = skipValue(b, at, end);
  if (next < 0) return -1;
  (column as StringColumn).appendBytes(b, at, next);
  return next;
};

/** bytea in hexadecimal digits. */
export const readHex: ValueReader = (b, at, end, column) => {
  const close = b[at] === QUOTE ? closingQuote(b, at + 1, end) : -1;
  const length = (close - at - 1) / 2;
  if (close < 0 || !Number.isInteger(length)) return -1;
  const strings = column as StringColumn;
  const target = strings.beginRow(length);
  const bytes = strings.bytes;
  for (let i = 0; i < length; i++) {
    const high = HEX_DIGIT[b[at + 1 + 2 * i] ?? 0] ?? -1;
    const low = HEX_DIGIT[b[at + 2 + 2 * i] ?? 0] ?? -1;
    if (high < 0 || low < 0) return -1;
    bytes[target + i] = (high << 4) | low;
  }
  strings.endRow(target, target + length);
  return close + 1;
};

/** bytea in base64 of either alphabet. */
export const readBase64: ValueReader = (b, at, end, column) => {
  const close = b[at] === QUOTE ? closingQuote(b, at + 1, end) : -1;
  if (close < 0 || !decodeBase64(b, at + 1, close)) return -1;
  (column as StringColumn).appendBytes(decoded.bytes, 0, decoded.length);
  return close + 1;
};

const MICROSECONDS_OF = { hour: 3600000000n, minute: 60000000n, second: 1000000n };

/**
 * interval as a count of microseconds, written as the ISO 8601 text of the other mode. Debezium has made days of months
 * and hours of days by then, so that only an interval of hours and less is what it was.
 */
export const readDuration: ValueReader = (b, at, end, column) => {
  if (b[at] === QUOTE) return readText(b, at, end, column);
  const next = readInt64(b, at, end);
  if (next < 0) return -1;
  (column as StringColumn).appendText(durationText(bigInt64()));
  return next;
};

/** `P0Y0M0DT-4H-5M-6.5S`: each part with its own sign, the fraction without trailing zeros. */
export function durationText(micros: bigint): string {
  const { hour, minute, second } = MICROSECONDS_OF;
  const rest = micros % minute;
  const fraction = String(abs(rest % second))
    .padStart(6, '0')
    .replace(/0+$/, '');
  const seconds = `${rest < 0n ? '-' : ''}${abs(rest / second)}${fraction === '' ? '' : `.${fraction}`}`;
  return `P0Y0M0DT${micros / hour}H${(micros % hour) / minute}M${seconds}S`;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** hstore that is kept as text: a JSON string of an object, or the object itself. */
export const readTextOrObject: ValueReader = (b, at, end, column) =>
  b[at] === QUOTE ? readText(b, at, end, column) : readJson(b, at, end, column);

const uuidWords = new Int32Array(4);
/** ClickHouse keeps a UUID as two little-endian 64-bit halves, the first half first: where each 8 digits go. */
const UUID_WORD_ORDER = [1, 0, 3, 2];

export const readUuid: ValueReader = (b, at, end, column) => {
  if (b[at] !== QUOTE) return -1;
  let i = at + 1;
  for (const place of UUID_WORD_ORDER) {
    let word = 0;
    for (let digits = 0; digits < 8; i++) {
      if (i >= end) return -1;
      if (b[i] === 0x2d) continue;
      const digit = HEX_DIGIT[b[i] ?? 0] ?? -1;
      if (digit < 0) return -1;
      word = (word << 4) | digit;
      digits++;
    }
    uuidWords[place] = word;
  }
  if (b[i] !== QUOTE) return -1;
  (column as FixedColumn).appendWide(uuidWords);
  return i + 1;
};

const ZERO = 0x30;

/** bit(1) and varbit(1): a JSON boolean, as 0 or 1. */
export const readBit: ValueReader = (b, at, end, column) => {
  const value = boolAt(b, at, end);
  if (value < 0) return -1;
  const strings = column as StringColumn;
  const target = strings.beginRow(1);
  strings.bytes[target] = ZERO + value;
  strings.endRow(target, target + 1);
  return at + (value === 1 ? 4 : 5);
};

/**
 * bit(n): base64 of little-endian bytes, written as n digits. For varbit (`width` 0) Debezium loses the length, so its
 * value is written without leading zeros.
 */
export function bitsReader(width: number): ValueReader {
  return (b, at, end, column) => {
    const close = b[at] === QUOTE ? closingQuote(b, at + 1, end) : -1;
    if (close < 0 || !decodeBase64(b, at + 1, close)) return -1;
    const used = significantBits();
    if (width > 0 && used > width) return -1;
    const length = width > 0 ? width : used;
    const strings = column as StringColumn;
    const target = strings.beginRow(length);
    for (let i = 0; i < length; i++) {
      const bit = length - 1 - i;
      const byte = bit >> 3 < decoded.length ? (decoded.bytes[bit >> 3] ?? 0) : 0;
      strings.bytes[target + i] = ZERO + ((byte >> (bit & 7)) & 1);
    }
    strings.endRow(target, target + length);
    return close + 1;
  };
}

function significantBits(): number {
  for (let i = decoded.length - 1; i >= 0; i--) {
    const byte = decoded.bytes[i] ?? 0;
    if (byte !== 0) return i * 8 + 32 - Math.clz32(byte);
  }
  return 0;
}

const HEX_DIGITS = Buffer.from('0123456789ABCDEF', 'latin1');
const WKB = Buffer.from('"wkb"', 'latin1');

/** PostGIS: the object's wkb, which is EWKB, in the upper-case hexadecimal that PostgreSQL prints. */
export const readEwkb: ValueReader = (b, at, end, column) => {
  const close = skipValue(b, at, end);
  const start = close < 0 ? -1 : fieldValue(b, at, close, WKB);
  if (start < 0 || b[start] !== QUOTE) return -1;
  const quote = closingQuote(b, start + 1, close);
  if (quote < 0 || !decodeBase64(b, start + 1, quote)) return -1;
  const strings = column as StringColumn;
  const target = strings.beginRow(decoded.length * 2);
  for (let i = 0; i < decoded.length; i++) {
    const byte = decoded.bytes[i] ?? 0;
    strings.bytes[target + 2 * i] = HEX_DIGITS[byte >> 4] ?? 0;
    strings.bytes[target + 2 * i + 1] = HEX_DIGITS[byte & 15] ?? 0;
  }
  strings.endRow(target, target + decoded.length * 2);
  return close;
};

/** Where the value of a field of the object [at, end) starts, -1 if it has none; `name` is given with its quotes. */
export function fieldValue(b: Uint8Array, at: number, end: number, name: Uint8Array): number {
  let i = b[at] === 0x7b ? skipSpace(b, at + 1, end) : -1;
  while (i >= 0 && b[i] === QUOTE) {
    const nameEnd = skipString(b, i, end);
    if (nameEnd < 0) return -1;
    const value = skipSpace(b, skipSpace(b, nameEnd, end) + 1, end);
    if (nameEnd - i === name.length && startsWith(b, i, name)) return value;
    i = skipValue(b, value, end);
    if (i < 0) return -1;
    i = skipSpace(b, i, end);
    if (b[i] !== 0x2c) return -1;
    i = skipSpace(b, i + 1, end);
  }
  return -1;
}

/** Whether `expected` stands at `at`. */
export function startsWith(b: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (b[at + i] !== expected[i]) return false;
  return true;
}
