/** What the readers of single values share: their shape, failure, and the integer scan. */
import type { Column } from '../clickhouse/column-contract';

/**
 * Reads the JSON value at `at` and appends it to the column, which is the value's own (never a Nullable around it).
 * Returns the index after the value, or -1 when its form is not understood; rows half appended are taken back by the caller.
 */
export type ValueReader = (b: Uint8Array, at: number, end: number, column: Column) => number;

/** Told of each value of one column that does not fit its type; the nearest that does is appended then. */
export interface Misfits {
  hit(): void;
}

export const QUOTE = 0x22;
export const MINUS = 0x2d;
const BACKSLASH = 0x5c;

/** Index of the closing quote of the string whose content starts at `at`, -1 if there is none before `end`. */
export function closingQuote(b: Uint8Array, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const c = b[i];
    if (c === QUOTE) return i;
    if (c === BACKSLASH) i++;
  }
  return -1;
}

/** Whether `null` stands at `at`. */
export function isNull(b: Uint8Array, at: number, end: number): boolean {
  return at + 4 <= end && b[at] === 0x6e && b[at + 1] === 0x75 && b[at + 2] === 0x6c && b[at + 3] === 0x6c;
}

/** ASCII bytes as text; for rare paths. */
export function ascii(b: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(b[i] ?? 0);
  return text;
}

/** The value of a hexadecimal digit by its byte, -1 for any other byte. */
export const HEX_DIGIT = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_DIGIT[digit.charCodeAt(0)] = value;
  HEX_DIGIT[digit.toUpperCase().charCodeAt(0)] = value;
}

const TWO_32 = 4294967296;
export const INT64_MIN = -(1n << 63n);
export const INT64_MAX = (1n << 63n) - 1n;

/** The last integer read by `readInt64`: its two words, and its value as a double (exact up to 2^53). */
export const int64 = { low: 0, high: 0, value: 0 };

/** Reads the JSON integer at `at` into `int64`; the index after it, -1 if there is none or it is beyond 64 bits. */
export function readInt64(b: Uint8Array, at: number, end: number): number {
  const negative = b[at] === MINUS;
  const first = negative ? at + 1 : at;
  let i = first;
  let value = 0;
  while (i < end) {
    const digit = (b[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    i++;
  }
  if (i === first) return -1;
  // A sum of digits that stays within 2^53 was never rounded.
  if (value > Number.MAX_SAFE_INTEGER) return setBig(BigInt(ascii(b, at, i))) ? i : -1;
  setInt64(negative ? -value : value);
  return i;
}

/** Sets `int64` from a safe integer. */
export function setInt64(value: number): void {
  int64.low = value | 0;
  int64.high = Math.floor(value / TWO_32) | 0;
  int64.value = value;
}

/** Sets `int64` from any 64-bit integer; false if it is none. */
export function setBig(value: bigint): boolean {
  if (value < INT64_MIN || value > INT64_MAX) return false;
  int64.low = Number(BigInt.asIntN(32, value));
  int64.high = Number(value >> 32n);
  int64.value = Number(value);
  return true;
}

/** `int64` without rounding; for values beyond 2^53. */
export function bigInt64(): bigint {
  return (BigInt(int64.high) << 32n) | BigInt(int64.low >>> 0);
}
