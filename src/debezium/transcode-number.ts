/** Reads integers, floats, booleans and decimals of an image into columns, without a string per value. */
import type { FixedColumn } from '../clickhouse/column-fixed';
import { closingQuote, int64, MINUS, QUOTE, readInt64, ascii, type Tally, type ValueReader } from './transcode-value';

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

const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

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

function isNumberByte(c: number): boolean {
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

/** The largest and smallest of a decimal as 16-bit limbs, and room to work in. */
const limbs = new Uint32Array(16);
const words = new Int32Array(8);

const NAMES_ABOVE = new Set(['NAN', 'NaN', 'POSITIVE_INFINITY', 'Infinity']);
const NAMES_BELOW = new Set(['NEGATIVE_INFINITY', '-Infinity']);

/**
 * numeric and money as a JSON string of plain digits. Digits beyond the scale are rounded half away from zero; what has
 * too many whole digits becomes the largest or smallest value, NaN and Infinity the largest; all of these are counted.
 */
export function decimalReader(precision: number, scale: number, tally: Tally): ValueReader {
  return (b, at, end, column) => {
    const quoted = b[at] === QUOTE;
    const start = quoted ? at + 1 : at;
    const close = quoted ? closingQuote(b, start, end) : numberEnd(b, at, end);
    if (close <= start) return -1;
    const fixed = column as FixedColumn;
    const first = b[start] ?? 0;
    const named = quoted && first !== MINUS ? first > 0x39 : (b[start + 1] ?? 0) > 0x39;
    if (named) {
      const name = ascii(b, start, close);
      if (!NAMES_ABOVE.has(name) && !NAMES_BELOW.has(name)) return -1;
      tally.count++;
      appendLargest(fixed, precision, NAMES_BELOW.has(name));
    } else if (!appendDecimal(b, start, close, { fixed, precision, scale, tally })) return -1;
    return quoted ? close + 1 : close;
  };
}

function numberEnd(b: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && isNumberByte(b[i] ?? 0)) i++;
  return i;
}

interface DecimalTarget {
  readonly fixed: FixedColumn;
  readonly precision: number;
  readonly scale: number;
  readonly tally: Tally;
}

/** Appends the plain decimal text [start, end); false if it is none. */
// eslint-disable-next-line complexity -- one pass over the digits, with the cut at the scale
function appendDecimal(b: Uint8Array, start: number, end: number, target: DecimalTarget): boolean {
  const { fixed, precision, scale, tally } = target;
  const negative = b[start] === MINUS;
  let i = negative ? start + 1 : start;
  if (i >= end) return false;
  while (i < end - 1 && b[i] === 0x30) i++;
  const whole = i;
  while (i < end && isDigit(b[i])) i++;
  const wholeDigits = i - whole === 1 && b[whole] === 0x30 ? 0 : i - whole;
  const from = wholeDigits === 0 ? i : whole;
  if (i < end && b[i] !== 0x2e) return false;
  const point = i;
  const fractionStart = Math.min(point + 1, end);
  for (i = fractionStart; i < end; i++) if (!isDigit(b[i])) return false;
  if (wholeDigits === 0 && point === whole && fractionStart === end) return false;
  const kept = Math.min(end - fractionStart, scale);
  const rest = fractionStart + kept;
  const altered = anyDigit(b, rest, end);
  const up = (b[rest] ?? 0) >= 0x35 && rest < end;
  if (altered) tally.count++;
  if (wholeDigits > precision - scale) {
    if (!altered) tally.count++;
    appendLargest(fixed, precision, negative);
    return true;
  }
  if (
    up &&
    allNines(b, from, point, wholeDigits) &&
    wholeDigits === precision - scale &&
    allNines(b, fractionStart, rest, kept)
  ) {
    appendLargest(fixed, precision, negative);
    return true;
  }
  if (fixed.width <= 8 && wholeDigits + scale <= 15) {
    let value = 0;
    for (i = from; i < point; i++) value = value * 10 + (b[i] ?? 0) - 0x30;
    for (i = fractionStart; i < rest; i++) value = value * 10 + (b[i] ?? 0) - 0x30;
    value = value * (POWERS[scale - kept] ?? 1) + (up ? 1 : 0);
    fixed.appendNumber(negative ? -value : value);
    return true;
  }
  limbs.fill(0);
  let used = timesAdd(b, from, point, 1);
  used = timesAdd(b, fractionStart, rest, used);
  for (let zeros = scale - kept; zeros > 0; zeros -= 4) used = multiplyAdd(POWERS[Math.min(zeros, 4)] ?? 1, 0, used);
  if (up) multiplyAdd(1, 1, used);
  appendLimbs(fixed, negative);
  return true;
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= 0x30 && c <= 0x39;
}

function anyDigit(b: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (b[i] !== 0x30) return true;
  return false;
}

function allNines(b: Uint8Array, start: number, end: number, count: number): boolean {
  for (let i = start; i < end; i++) if (b[i] !== 0x39) return false;
  return end - start === count;
}

/** Appends 10^precision - 1, or its negative. */
function appendLargest(fixed: FixedColumn, precision: number, negative: boolean): void {
  limbs.fill(0);
  let used = 1;
  for (let digits = precision; digits > 0; digits -= 4) {
    const power = POWERS[Math.min(digits, 4)] ?? 1;
    used = multiplyAdd(power, power - 1, used);
  }
  appendLimbs(fixed, negative);
}

/** Brings the digits [start, end) into `limbs`, four at a time. Returns how many limbs may be other than zero. */
function timesAdd(b: Uint8Array, start: number, end: number, used: number): number {
  let limbsUsed = used;
  for (let i = start; i < end;) {
    const stop = Math.min(i + 4, end);
    const power = POWERS[stop - i] ?? 1;
    let chunk = 0;
    for (; i < stop; i++) chunk = chunk * 10 + (b[i] ?? 0) - 0x30;
    limbsUsed = multiplyAdd(power, chunk, limbsUsed);
  }
  return limbsUsed;
}

/** limbs = limbs * factor + addend, both at most 10^4, so that a limb's product stays below 2^31. */
function multiplyAdd(factor: number, addend: number, used: number): number {
  let carry = addend;
  for (let i = 0; i < used; i++) {
    const product = (limbs[i] ?? 0) * factor + carry;
    limbs[i] = product & 0xffff;
    carry = product >>> 16;
  }
  if (carry === 0 || used === limbs.length) return used;
  limbs[used] = carry;
  return used + 1;
}

function appendLimbs(fixed: FixedColumn, negative: boolean): void {
  let carry = 1;
  for (let i = 0; i < 8; i++) {
    const word = ((limbs[2 * i] ?? 0) | ((limbs[2 * i + 1] ?? 0) << 16)) >>> 0;
    if (!negative) words[i] = word;
    else {
      const inverted = (~word >>> 0) + carry;
      words[i] = inverted;
      carry = inverted > 0xffffffff ? 1 : 0;
    }
  }
  fixed.appendWide(words);
}
