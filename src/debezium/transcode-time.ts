/** Reads dates and times of an image into columns; what ClickHouse cannot hold becomes the nearest it can. */
import type { FixedColumn } from '../clickhouse/column-fixed';
import {
  ascii,
  bigInt64,
  closingQuote,
  int64,
  INT64_MAX,
  INT64_MIN,
  MINUS,
  QUOTE,
  readInt64,
  setBig,
  setInt64,
  type Misfits,
  type ValueReader,
} from './transcode-value';

/** What Date32 holds, in days since 1970-01-01: 1900-01-01 to 2299-12-31. Measured: beyond it 26.7 shows another date. */
export const DATE_RANGE = { first: -25567, last: 120529 } as const;

/**
 * What DateTime64(6, 'UTC') holds and shows exactly, in seconds since 1970-01-01: 0001-01-01 00:00:00 to
 * 9999-12-31 23:59:59. Measured on 26.7.2; the documented 1900 to 2299 is narrower, and 9999-12-31 is a common value.
 */
export const TIMESTAMP_RANGE = { firstSecond: -62135596800, lastSecond: 253402300799 } as const;

/** Debezium's days for `infinity`: 3.6 streaming, any snapshot or array element, 3.7 streaming. */
export const INFINITE_DAYS = new Set([-2147472692, -622191234, 2146033979]);

/** No timestamp of PostgreSQL is before 4714 BC; Debezium's arithmetic wraps round for those near its upper end. */
export const FIRST_MICROSECOND_OF_POSTGRESQL = -211813488000000000;
/** Debezium's microseconds for `-infinity`: 3.6 and 3.7. */
const MINUS_INFINITY = new Set([-9223372036832400000, -9223372036854775808]);

const MICROSECONDS = 1000000;
const SECONDS_OF_DAY = 86400;

/** What Date holds: 1970-01-01 to 2149-06-06. */
const SHORT_DATE_RANGE = { first: 0, last: 65535 } as const;

/** date: days since 1970-01-01, or ISO 8601 text. `width`: 2 for Date, 4 for Date32. */
export function dateReader(misfits: Misfits, width: number): ValueReader {
  const { first, last } = width === 2 ? SHORT_DATE_RANGE : DATE_RANGE;
  return (b, at, end, column) => {
    const next = readDays(b, at, end);
    if (next < 0) return -1;
    const days = INFINITE_DAYS.has(int64.value) ? Infinity : int64.value;
    const held = Math.min(Math.max(days, first), last);
    if (held !== days) misfits.hit();
    (column as FixedColumn).appendInt(held);
    return next;
  };
}

/** Days since 1970-01-01 into `int64`, those of infinities among them. Returns the index after the value. */
export function readDays(b: Uint8Array, at: number, end: number): number {
  return b[at] === QUOTE ? readIsoDate(b, at, end) : readInt64(b, at, end);
}

/** time: a count of `unit` since midnight, or ISO 8601 text. */
export function timeReader(unit: TimeUnit): ValueReader {
  return (b, at, end, column) => {
    const next = readTimeOfDay(b, at, end, unit);
    if (next < 0) return -1;
    (column as FixedColumn).appendWords(int64.low, int64.high);
    return next;
  };
}

/** Microseconds since midnight into `int64`. Returns the index after the value. */
export function readTimeOfDay(b: Uint8Array, at: number, end: number, unit: TimeUnit): number {
  const next = b[at] === QUOTE ? readIsoTime(b, at, end) : readCount(b, at, end, unit);
  return next < 0 || int64.value < 0 || int64.value > SECONDS_OF_DAY * MICROSECONDS ? -1 : next;
}

/** timestamp: a count of `unit` since 1970-01-01, or ISO 8601 text. */
export function timestampReader(misfits: Misfits, unit: TimeUnit, cut: number): ValueReader {
  const iso = timestamptzReader(misfits, cut);
  return (b, at, end, column) => {
    if (b[at] === QUOTE) return iso(b, at, end, column);
    const next = readInt64(b, at, end);
    if (next < 0) return -1;
    appendTimestamp(column as FixedColumn, secondOf(unit), misfits, cut);
    return next;
  };
}

/** What a count of time counts. */
export type TimeUnit = 'milliseconds' | 'microseconds' | 'nanoseconds';

/** Reads a small count of `unit` as microseconds into `int64`. */
function readCount(b: Uint8Array, at: number, end: number, unit: TimeUnit): number {
  const next = readInt64(b, at, end);
  if (next < 0 || unit === 'microseconds') return next;
  setInt64(unit === 'milliseconds' ? int64.value * 1000 : Math.floor(int64.value / 1000));
  return next;
}

/** The second that `int64` of the unit is in, infinite for an infinity; leaves `int64` as microseconds where those are held. */
function secondOf(unit: TimeUnit): number {
  if (unit === 'microseconds') {
    const wrapped = int64.value < FIRST_MICROSECOND_OF_POSTGRESQL && !MINUS_INFINITY.has(int64.value);
    return wrapped ? Infinity : wholeSecond();
  }
  if (unit === 'milliseconds') {
    // Beyond PostgreSQL's range there are only the infinities.
    const second = Math.floor(int64.value / 1000);
    if (second >= TIMESTAMP_RANGE.firstSecond && second <= TIMESTAMP_RANGE.lastSecond)
      setBig(BigInt(int64.value) * 1000n);
    return second;
  }
  const nanos = bigInt64();
  // Debezium keeps nothing beyond 1677 to 2262 but the infinities, which are the ends of 64 bits.
  if (nanos === INT64_MAX) return Infinity;
  if (nanos === INT64_MIN) return -Infinity;
  setBig(floorDivide(nanos, 1000n));
  return wholeSecond();
}

export function floorDivide(value: bigint, by: bigint): bigint {
  return value / by - (value < 0n && value % by !== 0n ? 1n : 0n);
}

/** `2016-11-04Z`, years beyond four digits with a sign: days into `int64`. Returns the index after it. */
function readIsoDate(b: Uint8Array, at: number, end: number): number {
  const close = closingQuote(b, at + 1, end);
  const sign = b[at + 1];
  const negative = sign === MINUS;
  cursor = negative || sign === 0x2b ? at + 2 : at + 1;
  const years = readDigits(b, close, 9);
  const month = readPart(b, close, MINUS);
  const day = readPart(b, close, MINUS);
  if (b[cursor] === 0x5a) cursor++;
  if (close < 0 || years < 0 || month < 1 || month > 12 || day < 1 || cursor !== close) return -1;
  const days = ISO_INFINITIES.get(ascii(b, at + 1, close));
  setInt64(days ?? daysSince1970(negative ? -years : years, month, day));
  return close + 1;
}

/** Infinite dates as text where their sign does not tell: 3.6 streaming, snapshots. */
const ISO_INFINITIES = new Map([
  ['-5877611-06-21Z', 2146033979],
  ['+292269055-12-02Z', -2147472691],
]);

/** `13:51:02.123456Z`: microseconds into `int64`. Returns the index after it. */
function readIsoTime(b: Uint8Array, at: number, end: number): number {
  const close = closingQuote(b, at + 1, end);
  cursor = at + 1;
  const hour = readDigits(b, close, 2);
  const minute = readPart(b, close, 0x3a);
  const second = b[cursor] === 0x3a ? readPart(b, close, 0x3a) : 0;
  if (close < 0 || hour < 0 || minute < 0 || second < 0 || !readFraction(b, close)) return -1;
  if (b[cursor] === 0x5a) cursor++;
  if (cursor !== close) return -1;
  setInt64((hour * 3600 + minute * 60 + second) * MICROSECONDS + iso.microsecond);
  return close + 1;
}

/** The second that `int64` microseconds are in. The range's last instant is beyond 2^53, where a double rounds up. */
function wholeSecond(): number {
  if (Number.isSafeInteger(int64.value)) return Math.floor(int64.value / MICROSECONDS);
  const micros = bigInt64();
  return Number(floorDivide(micros, 1000000n));
}

/** timestamptz: ISO 8601 text in UTC or with an offset, years beyond four digits with a sign, or infinity. */
export function timestamptzReader(misfits: Misfits, cut: number): ValueReader {
  return (b, at, end, column) => {
    const next = readInstant(b, at, end);
    if (next < 0) return -1;
    const second = iso.second;
    if (Math.abs(second) < 9e9) setInt64(second * MICROSECONDS + iso.microsecond);
    else if (Number.isFinite(second)) setBig(BigInt(second) * 1000000n + BigInt(iso.microsecond));
    appendTimestamp(column as FixedColumn, second, misfits, cut);
    return next;
  };
}

/** ISO 8601 text of an instant into `iso`. Returns the index after the value. */
export function readInstant(b: Uint8Array, at: number, end: number): number {
  if (b[at] !== QUOTE) return -1;
  const close = closingQuote(b, at + 1, end);
  return close < 0 || !readIso(b, at + 1, close) ? -1 : close + 1;
}

/** Appends `int64` without its last `cut` digits, or the end of the range that `second` is beyond. */
function appendTimestamp(column: FixedColumn, second: number, misfits: Misfits, cut: number): void {
  const { firstSecond, lastSecond } = TIMESTAMP_RANGE;
  if (second < firstSecond) {
    misfits.hit();
    setInt64Seconds(firstSecond, 0);
  } else if (second > lastSecond) {
    misfits.hit();
    setInt64Seconds(lastSecond, MICROSECONDS - 1);
  }
  if (cut > 0) cutDigits(cut, misfits, second >= firstSecond && second <= lastSecond);
  column.appendWords(int64.low, int64.high);
}

function cutDigits(cut: number, misfits: Misfits, isInRange: boolean): void {
  const micros = bigInt64();
  const held = floorDivide(micros, 10n ** BigInt(cut));
  if (isInRange && held * 10n ** BigInt(cut) !== micros) misfits.hit();
  setBig(held);
}

function setInt64Seconds(second: number, microsecond: number): void {
  setBig(BigInt(second) * 1000000n + BigInt(microsecond));
}

/** The instant read last by `readIso`; `second` is infinite for the infinities. */
export const iso = { second: 0, microsecond: 0 };
/** Where `readDigits` stopped. */
let cursor = 0;

/** Reads up to `most` digits at the cursor; -1 if there is none. */
function readDigits(b: Uint8Array, end: number, most: number): number {
  const stop = Math.min(end, cursor + most);
  const start = cursor;
  let value = 0;
  while (cursor < stop) {
    const digit = (b[cursor] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    cursor++;
  }
  return cursor === start ? -1 : value;
}

/** Reads one separator and the two digits after it; -1 if they are not there. */
function readPart(b: Uint8Array, end: number, separator: number): number {
  if (b[cursor] !== separator) return -1;
  cursor++;
  return readDigits(b, end, 2);
}

function readIso(b: Uint8Array, start: number, end: number): boolean {
  const sign = b[start];
  const negative = sign === MINUS;
  cursor = negative || sign === 0x2b ? start + 1 : start;
  if (b[cursor] === 0x69) return readInfinity(end, negative);
  const years = readDigits(b, end, 9);
  const month = readPart(b, end, MINUS);
  const day = readPart(b, end, MINUS);
  const hour = readPart(b, end, 0x54);
  const minute = readPart(b, end, 0x3a);
  if (years < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || minute < 0) return false;
  const second = b[cursor] === 0x3a ? readPart(b, end, 0x3a) : 0;
  if (second < 0 || !readFraction(b, end)) return false;
  const offset = readOffset(b, end);
  if (Number.isNaN(offset) || cursor !== end) return false;
  const days = daysSince1970(negative ? -years : years, month, day);
  iso.second = days * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second - offset;
  return true;
}

function readInfinity(end: number, negative: boolean): boolean {
  iso.second = negative ? -Infinity : Infinity;
  iso.microsecond = 0;
  return end - cursor === 'infinity'.length;
}

function readFraction(b: Uint8Array, end: number): boolean {
  iso.microsecond = 0;
  if (b[cursor] !== 0x2e) return true;
  const start = ++cursor;
  const digits = readDigits(b, end, 6);
  if (digits < 0) return false;
  iso.microsecond = digits * 10 ** (6 - (cursor - start));
  // PostgreSQL has microseconds; further digits can only be zeros.
  while (cursor < end && b[cursor] === 0x30) cursor++;
  return true;
}

/** Z or +hh:mm, in seconds east of UTC; NaN if neither stands at the cursor. */
function readOffset(b: Uint8Array, end: number): number {
  const sign = b[cursor++];
  if (sign === 0x5a) return 0;
  if (sign !== 0x2b && sign !== MINUS) return NaN;
  const hours = readDigits(b, end, 2);
  const minutes = b[cursor] === 0x3a ? readPart(b, end, 0x3a) : 0;
  if (hours < 0 || minutes < 0) return NaN;
  const seconds = hours * 3600 + minutes * 60;
  return sign === MINUS ? -seconds : seconds;
}

/** Days of the proleptic Gregorian calendar; year 0 is 1 BC. Counts from March, so that the leap day ends a year. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const monthFromMarch = (month + 9) % 12;
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leaps + Math.floor((153 * monthFromMarch + 2) / 5) + day - 1 - 719468;
}
