/** Reads decimals of an image into columns, in each notation that Debezium has for them. */
import type { FixedColumn } from '../clickhouse/column-fixed';
import type { StringColumn } from '../clickhouse/column-string';
import type { ImageCodec } from '../clickhouse/mirror-type';
import { decodeBase64, decoded } from './base64';
import { roundedDecimal } from './decimal-text';
import { skipValue } from './json-scan';
import { isNumberByte, POWERS } from './transcode-number';
import { fieldValue, readText } from './transcode-text';
import { ascii, closingQuote, int64, MINUS, QUOTE, readInt64, type Misfits, type ValueReader } from './transcode-value';

const OPEN_OBJECT = 0x7b;

/** The largest and smallest of a decimal as 16-bit limbs, and room to work in. */
const limbs = new Uint32Array(16);
const words = new Int32Array(8);

const NAMES_ABOVE = new Set(['NAN', 'NaN', 'POSITIVE_INFINITY', 'Infinity']);
const NAMES_BELOW = new Set(['NEGATIVE_INFINITY', '-Infinity']);

/**
 * numeric and money as a JSON string of plain digits, a JSON number, or in the notations of `precise`. Digits beyond the
 * scale are rounded half away from zero; what has too many whole digits becomes the largest or smallest value, NaN and
 * Infinity the largest; all of these are counted, except a rounding to the scale that PostgreSQL has declared: it was
 * PostgreSQL's own, when the column's type was altered.
 */
export function decimalReader(codec: ImageCodec, misfits: Misfits): ValueReader {
  const { precision, scale, notation, wireScale } = codec;
  const declared = codec.declared === true;
  return (b, at, end, column) => {
    const target: DecimalTarget = { fixed: column as FixedColumn, precision, scale, declared, misfits };
    if (b[at] === OPEN_OBJECT) return readScaled(b, at, end, target);
    if (b[at] !== QUOTE) return readNumber(b, at, end, target);
    const close = closingQuote(b, at + 1, end);
    if (close <= at + 1) return -1;
    if (notation === 'unscaled')
      return decodeBase64(b, at + 1, close) && appendUnscaled(wireScale, target) ? close + 1 : -1;
    if (!isNamed(b, at + 1)) return appendDecimal(b, at + 1, close, target) ? close + 1 : -1;
    const name = ascii(b, at + 1, close);
    if (!NAMES_ABOVE.has(name) && !NAMES_BELOW.has(name)) return -1;
    misfits.hit();
    appendLargest(target.fixed, precision, NAMES_BELOW.has(name));
    return close + 1;
  };
}

/** A numeric with more digits than any Decimal, as PostgreSQL prints it. */
export function decimalTextReader({ notation, wireScale, scale: most, declared }: ImageCodec): ValueReader {
  const rounded = (text: string): string => (declared === true ? roundedDecimal(text, most) : text);
  return (b, at, end, column) => {
    const strings = column as StringColumn;
    if (b[at] === OPEN_OBJECT) {
      const close = skipValue(b, at, end);
      const scale = close < 0 ? -1 : decodeScaled(b, at, close);
      if (scale < 0) return -1;
      strings.appendText(rounded(unscaledText(scale)));
      return close;
    }
    if (b[at] !== QUOTE) {
      const close = numberEnd(b, at, end);
      const plain = plainNumber(ascii(b, at, close));
      if (plain === null) return -1;
      strings.appendText(rounded(plain));
      return close;
    }
    const close = closingQuote(b, at + 1, end);
    if (notation !== 'unscaled') {
      if (close < 0) return -1;
      if (!isNamed(b, at + 1)) {
        if (declared !== true) return readText(b, at, end, column);
        strings.appendText(rounded(ascii(b, at + 1, close)));
        return close + 1;
      }
      const name = ascii(b, at + 1, close);
      if (!NAMES_ABOVE.has(name) && !NAMES_BELOW.has(name)) return -1;
      strings.appendText(NAMES_BELOW.has(name) ? '-Infinity' : name.toUpperCase() === 'NAN' ? 'NaN' : 'Infinity');
      return close + 1;
    }
    if (close <= at + 1 || !decodeBase64(b, at + 1, close)) return -1;
    strings.appendText(rounded(unscaledText(wireScale)));
    return close + 1;
  };
}

/** Whether the text is a name such as NaN or -Infinity, not digits. */
function isNamed(b: Uint8Array, start: number): boolean {
  const first = b[start] ?? 0;
  return (first === MINUS ? (b[start + 1] ?? 0) : first) > 0x39;
}

function readNumber(b: Uint8Array, at: number, end: number, target: DecimalTarget): number {
  const close = numberEnd(b, at, end);
  if (close === at) return -1;
  if (!hasExponent(b, at, close)) return appendDecimal(b, at, close, target) ? close : -1;
  const plain = plainNumber(ascii(b, at, close));
  return plain !== null && appendText(plain, target) ? close : -1;
}

function hasExponent(b: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (b[i] === 0x45 || b[i] === 0x65) return true;
  return false;
}

/** More zeros than PostgreSQL has digits are no number of its. */
const MOST_ZEROS = 200_000;

/** A JSON number without its exponent; null if it is none. */
function plainNumber(text: string): string | null {
  const [, sign = '', whole = '', , fraction = '', exponent = '0'] =
    /^(-?)(\d+)(\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/.exec(text) ?? [];
  const shift = Number(exponent);
  if (whole === '' || Math.abs(shift) > MOST_ZEROS) return null;
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const SCALE = Buffer.from('"scale"', 'latin1');
const VALUE = Buffer.from('"value"', 'latin1');

/** The object {scale, value} of a numeric without a declared scale. */
function readScaled(b: Uint8Array, at: number, end: number, target: DecimalTarget): number {
  const close = skipValue(b, at, end);
  const scale = close < 0 ? -1 : decodeScaled(b, at, close);
  return scale >= 0 && appendUnscaled(scale, target) ? close : -1;
}

/** Decodes the value of {scale, value} and returns its scale; -1 where it is none. */
function decodeScaled(b: Uint8Array, at: number, close: number): number {
  const scaleAt = fieldValue(b, at, close, SCALE);
  const valueAt = fieldValue(b, at, close, VALUE);
  if (scaleAt < 0 || valueAt < 0 || b[valueAt] !== QUOTE || readInt64(b, scaleAt, close) < 0) return -1;
  const scale = int64.value;
  const quote = closingQuote(b, valueAt + 1, close);
  if (scale < 0 || scale > MOST_ZEROS || quote <= valueAt + 1) return -1;
  return decodeBase64(b, valueAt + 1, quote) ? scale : -1;
}

/** Decimal digits that any two's complement integer of so many bytes fits in. */
const DIGITS_OF_BYTES = Array.from(
  { length: 33 },
  (_, bytes) => (2n ** BigInt(Math.max(0, 8 * bytes - 1))).toString().length,
);

/** Appends the integer in `decoded` divided by 10^`scale`. */
function appendUnscaled(scale: number, target: DecimalTarget): boolean {
  const { bytes, length } = decoded;
  if (length === 0) return false;
  const { fixed, precision } = target;
  if (scale === target.scale && length <= fixed.width && (DIGITS_OF_BYTES[length] ?? 99) <= precision) {
    const fill = (bytes[0] ?? 0) & 0x80 ? 0xff : 0;
    for (let i = 0; i < 8; i++) {
      let word = 0;
      for (let part = 3; part >= 0; part--) {
        const from = length - 1 - (4 * i + part);
        word = (word << 8) | (from >= 0 ? (bytes[from] ?? 0) : fill);
      }
      words[i] = word;
    }
    fixed.appendWide(words);
    return true;
  }
  return appendText(unscaledText(scale), target);
}

/** The integer in `decoded` divided by 10^`scale`, in plain digits. */
function unscaledText(scale: number): string {
  const { bytes, length } = decoded;
  const unsigned = length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes.subarray(0, length)).toString('hex')}`);
  const value = BigInt.asIntN(length * 8, unsigned);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
}

function appendText(plain: string, target: DecimalTarget): boolean {
  const bytes = Buffer.from(plain, 'latin1');
  return appendDecimal(bytes, 0, bytes.length, target);
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
  /** More digits after the point than `scale` are no misfit. */
  readonly declared: boolean;
  readonly misfits: Misfits;
}

/** Appends the plain decimal text [start, end); false if it is none. */
// eslint-disable-next-line complexity -- one pass over the digits, with the cut at the scale
function appendDecimal(b: Uint8Array, start: number, end: number, target: DecimalTarget): boolean {
  const { fixed, precision, scale, declared, misfits } = target;
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
  const altered = !declared && anyDigit(b, rest, end);
  const up = (b[rest] ?? 0) >= 0x35 && rest < end;
  if (altered) misfits.hit();
  if (wholeDigits > precision - scale) {
    if (!altered) misfits.hit();
    appendLargest(fixed, precision, negative);
    return true;
  }
  if (
    up &&
    allNines(b, from, point, wholeDigits) &&
    wholeDigits === precision - scale &&
    allNines(b, fractionStart, rest, kept)
  ) {
    if (!altered) misfits.hit();
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
