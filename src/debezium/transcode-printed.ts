/** Reads values of an image into String columns, as PostgreSQL prints them with DateStyle ISO in UTC: nothing is out of range there. */
import type { StringColumn } from '../clickhouse/column-string';
import {
  FIRST_MICROSECOND_OF_POSTGRESQL,
  floorDivide,
  INFINITE_DAYS,
  iso,
  readDays,
  readInstant,
  readTimeOfDay,
  type TimeUnit,
} from './transcode-time';
import { ascii, bigInt64, int64, INT64_MAX, INT64_MIN, QUOTE, readInt64, type ValueReader } from './transcode-value';

/** PostgreSQL's first day, 4714-11-24 BC; before it there is only -infinity. */
const FIRST_DAY = -2440588;
/** Debezium's counts for infinity and -infinity that are no wrapped instants, by their unit. */
const INFINITE: Record<TimeUnit, ReadonlyMap<bigint, string>> = {
  microseconds: new Map([
    [9223372036825200000n, 'infinity'],
    [INT64_MAX, 'infinity'],
    [-9223372036832400000n, '-infinity'],
    [INT64_MIN, '-infinity'],
  ]),
  milliseconds: new Map([
    [9223372036825200n, 'infinity'],
    [9223372036854775n, 'infinity'],
    [INT64_MAX, 'infinity'],
    [-9223372036832400n, '-infinity'],
    [-9223372036854776n, '-infinity'],
    [INT64_MIN, '-infinity'],
  ]),
  nanoseconds: new Map([
    [INT64_MAX, 'infinity'],
    [INT64_MIN, '-infinity'],
  ]),
};

export const printInteger: ValueReader = (b, at, end, column) => {
  const next = readInt64(b, at, end);
  if (next >= 0) (column as StringColumn).appendText(ascii(b, at, next));
  return next;
};

export const printDate: ValueReader = (b, at, end, column) => {
  const next = readDays(b, at, end);
  if (next < 0) return -1;
  (column as StringColumn).appendText(dateText(int64.value));
  return next;
};

function dateText(days: number): string {
  if (INFINITE_DAYS.has(days)) return 'infinity';
  if (days < FIRST_DAY) return '-infinity';
  const { text, era } = civil(days);
  return text + era;
}

/** timestamp: a count of `unit` since 1970-01-01, or ISO 8601 text. */
export function timestampPrinter(unit: TimeUnit): ValueReader {
  return (b, at, end, column) => {
    const isText = b[at] === QUOTE;
    const next = isText ? readInstant(b, at, end) : readInt64(b, at, end);
    if (next < 0) return -1;
    (column as StringColumn).appendText(isText ? instantText(iso.second, iso.microsecond, '') : countText(unit));
    return next;
  };
}

export const printTimestamptz: ValueReader = (b, at, end, column) => {
  const next = readInstant(b, at, end);
  if (next < 0) return -1;
  (column as StringColumn).appendText(instantText(iso.second, iso.microsecond, '+00'));
  return next;
};

export function timePrinter(unit: TimeUnit): ValueReader {
  return (b, at, end, column) => {
    const next = readTimeOfDay(b, at, end, unit);
    if (next < 0) return -1;
    const second = Math.floor(int64.value / 1_000_000);
    (column as StringColumn).appendText(clockText(second, int64.value - second * 1_000_000));
    return next;
  };
}

/** The instant that `int64` counts. */
function countText(unit: TimeUnit): string {
  const count = bigInt64();
  const infinite = INFINITE[unit].get(count);
  if (infinite !== undefined) return infinite;
  let micros = unit === 'milliseconds' ? count * 1_000n : unit === 'nanoseconds' ? floorDivide(count, 1_000n) : count;
  // Microseconds of PostgreSQL's last years are beyond 64 bits and come round from below; milliseconds are not.
  if (micros < BigInt(FIRST_MICROSECOND_OF_POSTGRESQL)) {
    if (unit !== 'microseconds') return '-infinity';
    micros += 1n << 64n;
  }
  const second = floorDivide(micros, 1_000_000n);
  return instantText(Number(second), Number(micros - second * 1_000_000n), '');
}

function instantText(second: number, microsecond: number, zone: string): string {
  if (!Number.isFinite(second)) return second < 0 ? '-infinity' : 'infinity';
  const days = Math.floor(second / 86_400);
  const { text, era } = civil(days);
  return `${text} ${clockText(second - days * 86_400, microsecond)}${zone}${era}`;
}

function clockText(second: number, microsecond: number): string {
  const parts = [Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60];
  const fraction = String(microsecond).padStart(6, '0').replace(/0+$/, '');
  return parts.map((part) => String(part).padStart(2, '0')).join(':') + (fraction === '' ? '' : `.${fraction}`);
}

/** A day as `2016-11-04`, with the era that stands at the end of a text. Counts from March, so that the leap day ends a year. */
function civil(days: number): { text: string; era: string } {
  const shifted = days + 719_468;
  const cycle = Math.floor(shifted / 146_097);
  const ofCycle = shifted - cycle * 146_097;
  const years = Math.floor(
    (ofCycle - Math.floor(ofCycle / 1_460) + Math.floor(ofCycle / 36_524) - Math.floor(ofCycle / 146_096)) / 365,
  );
  const ofYear = ofCycle - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = years + cycle * 400 + (month <= 2 ? 1 : 0);
  const shown = year > 0 ? year : 1 - year;
  const text = [String(shown).padStart(4, '0'), String(month).padStart(2, '0'), String(day).padStart(2, '0')];
  return { text: text.join('-'), era: year > 0 ? '' : ' BC' };
}
