/** Dates and times: their values, what Connect has of them in each mode, and their bytes in ClickHouse. */
import type { ConnectorModes } from '../../src/model';
import type { Data, Shape } from './connect-data';
import type { Random } from './random';
import { column, defaultOf, type TypeOracle } from './type-oracle';

const DEBEZIUM = 'io.debezium.time.';
const CONNECT = 'org.apache.kafka.connect.data.';

const DAY = 86400000;
/** 1900-01-01 and 2299-12-31. */
const FIRST_DAY = -25567;
const LAST_DAY = 120529;

/** An ISO date, the year as java.time writes it. */
export function isoDate(days: number): string {
  // The Gregorian calendar repeats every 400 years, which are 146,097 days.
  const cycles = Math.floor(days / 146097);
  const date = new Date((days - cycles * 146097) * DAY).toISOString();
  const year = Number(date.slice(0, 4)) + cycles * 400;
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : year > 9999 ? '+' : ''}${digits}${date.slice(4, 10)}`;
}

const heldDay = (days: number): number => Math.min(Math.max(days, FIRST_DAY), LAST_DAY);

export const date: TypeOracle<number> = {
  column: column('date', 'date'),
  make(random) {
    const kind = random.below(8);
    if (kind === 0)
      return random.pick([FIRST_DAY, FIRST_DAY - 1, LAST_DAY, LAST_DAY + 1, 2145042905, Infinity, -Infinity]);
    return kind < 3 ? random.between(-2440550, 2932896) : random.between(FIRST_DAY, LAST_DAY);
  },
  shape({ time }) {
    if (time === 'isostring') return { type: 'string', name: `${DEBEZIUM}IsoDate` };
    return { type: 'int32', name: time === 'connect' ? `${CONNECT}Date` : `${DEBEZIUM}Date` };
  },
  data(days, { time }) {
    if (time !== 'isostring') return days === Infinity ? 2146033979 : days === -Infinity ? -2147472691 : days;
    if (!Number.isFinite(days)) return days > 0 ? '+5877611-06-21Z' : '-5877611-06-22Z';
    return `${isoDate(days)}Z`;
  },
  expected: (days) => isoDate(heldDay(days)),
  native: (days, [out]) => out?.i32(heldDay(days)),
  nativeDefault: defaultOf(4),
};

export function fractionText(micros: bigint): string {
  const fraction = String(micros).padStart(6, '0').replace(/0+$/, '');
  return fraction === '' ? '' : `.${fraction}`;
}

/** Microseconds since 1970 as ISO text with `separator`, and the fraction as PostgreSQL writes it. */
function instantText(micros: bigint, separator: string): string {
  const day = 86400000000n;
  const days = micros / day - (micros % day < 0n ? 1n : 0n);
  return `${isoDate(Number(days))}${separator}${timeText(micros - days * day)}`;
}

function timeText(micros: bigint): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Number(micros / 1000000n);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map(two).join(':') + fractionText(micros % 1000000n);
}

/** 0001-01-01 and the end of 9999. */
const FIRST_INSTANT = -62135596800000000n;
const LAST_INSTANT = 253402300799999999n;
/** 4714 BC, and the last that Debezium's microseconds hold. */
const EARLIEST = -210866803200000000n;
const LATEST = 9214646400000000000n;

type Instant = bigint | 'infinity' | '-infinity';
type Range = readonly [bigint, bigint];

function heldInstant(value: Instant): bigint {
  const micros = value === 'infinity' ? LATEST : value === '-infinity' ? EARLIEST : value;
  return micros < FIRST_INSTANT ? FIRST_INSTANT : micros > LAST_INSTANT ? LAST_INSTANT : micros;
}

const instant = { expected: (value: Instant) => instantText(heldInstant(value), ' '), nativeDefault: defaultOf(8) };

const isCoarse = (precision: number, { time }: ConnectorModes): boolean =>
  time === 'connect' || (precision >= 0 && precision <= 3);

/** Of microseconds, or of milliseconds where nothing finer comes through. */
function between(random: Random, [first, last]: Range, coarse: boolean): bigint {
  const step = coarse ? 1000n : 1n;
  return random.bigBetween(first / step, last / step) * step;
}

export function timestamp(precision: number): TypeOracle<Instant> {
  return {
    ...instant,
    column: column(precision < 0 ? 'timestamp' : `timestamp_${precision}`, 'timestamp', { modifier: precision }),
    make(random, modes) {
      const nanos = modes.time === 'nanoseconds';
      const all: Range = nanos ? [-9223372036854775n, 9223372036854775n] : [EARLIEST, LATEST];
      const kind = random.below(8);
      if (kind === 0) return random.pick(['infinity', '-infinity'] as const);
      const near: Range = kind === 1 ? [-5000000n, 5000000n] : nanos ? all : [FIRST_INSTANT, LAST_INSTANT];
      return between(random, kind === 2 ? all : near, isCoarse(precision, modes));
    },
    shape: (modes) => timestampShape(precision, modes),
    data: (value, modes) => timestampData(value, precision, modes),
    native: (value, [out]) => out?.wide(heldInstant(value), 8),
  };
}

/** Milliseconds are what `connect` has, and the adaptive modes for up to three digits. */
function inMillis(precision: number, { time }: ConnectorModes): boolean {
  return time === 'connect' || (time.startsWith('adaptive') && precision >= 0 && precision <= 3);
}

function timestampShape(precision: number, modes: ConnectorModes): Shape {
  if (modes.time === 'isostring') return { type: 'string', name: `${DEBEZIUM}IsoTimestamp` };
  if (modes.time === 'connect') return { type: 'int64', name: `${CONNECT}Timestamp` };
  if (modes.time === 'nanoseconds') return { type: 'int64', name: `${DEBEZIUM}NanoTimestamp` };
  return { type: 'int64', name: `${DEBEZIUM}${inMillis(precision, modes) ? 'Timestamp' : 'MicroTimestamp'}` };
}

function timestampData(value: Instant, precision: number, modes: ConnectorModes): Data {
  if (modes.time === 'isostring') {
    if (value === 'infinity') return '+292278994-08-16T23:00:00Z';
    return value === '-infinity' ? '-292275055-05-16T23:00:00Z' : `${instantText(value, 'T')}Z`;
  }
  const millis = inMillis(precision, modes);
  if (value === 'infinity') return millis ? 9223372036825200000n : 9223372036854775807n;
  if (value === '-infinity') return millis ? -9223372036832400000n : -9223372036854775808n;
  if (modes.time === 'nanoseconds') return value * 1000n;
  return millis ? value / 1000n : value;
}

export function time(precision: number): TypeOracle<bigint> {
  const inMilliseconds = ({ time: mode }: ConnectorModes): boolean =>
    mode === 'connect' || (mode === 'adaptive' && precision >= 0 && precision <= 3);
  return {
    column: column(precision < 0 ? 'time' : `time_${precision}`, 'time', { modifier: precision }),
    make(random, modes) {
      const last = modes.time === 'isostring' ? 86399999999n : 86400000000n;
      if (random.oneIn(8)) return random.pick([0n, modes.time === 'isostring' ? 0n : last]);
      return between(random, [0n, last], isCoarse(precision, modes));
    },
    shape(modes) {
      if (modes.time === 'isostring') return { type: 'string', name: `${DEBEZIUM}IsoTime` };
      if (modes.time === 'connect') return { type: 'int32', name: `${CONNECT}Time` };
      if (modes.time === 'nanoseconds') return { type: 'int64', name: `${DEBEZIUM}NanoTime` };
      if (inMilliseconds(modes)) return { type: 'int32', name: `${DEBEZIUM}Time` };
      return { type: 'int64', name: `${DEBEZIUM}MicroTime` };
    },
    data(micros, modes) {
      if (modes.time === 'isostring') return `${timeText(micros)}Z`;
      if (modes.time === 'nanoseconds') return micros * 1000n;
      return Number(inMilliseconds(modes) ? micros / 1000n : micros);
    },
    expected: timeText,
    native: (micros, [out]) => out?.wide(micros, 8),
    nativeDefault: defaultOf(8),
  };
}

export const timestamptz: TypeOracle<Instant> = {
  ...instant,
  column: column('timestamptz', 'timestamptz'),
  make(random) {
    const kind = random.below(8);
    if (kind === 0) return random.pick(['infinity', '-infinity'] as const);
    return between(random, kind < 3 ? [EARLIEST, LATEST] : [FIRST_INSTANT, LAST_INSTANT], false);
  },
  shape: () => ({ type: 'string', name: `${DEBEZIUM}ZonedTimestamp` }),
  data: (value) => (typeof value === 'string' ? value : `${instantText(value, 'T')}Z`),
  native: (value, [out]) => out?.wide(heldInstant(value), 8),
};

/** An interval of hours and less, which both modes keep. */
export const interval: TypeOracle<bigint> = {
  column: column('interval', 'interval'),
  make(random) {
    if (random.oneIn(2)) return random.bigBetween(-90000000n, 90000000n);
    const value = random.integer(64);
    return value === -(2n ** 63n) ? 0n : value;
  },
  shape: ({ interval: mode }) =>
    mode === 'numeric'
      ? { type: 'int64', name: `${DEBEZIUM}MicroDuration` }
      : { type: 'string', name: `${DEBEZIUM}Interval` },
  data: (micros, { interval: mode }) => (mode === 'numeric' ? micros : duration(micros)),
  expected: duration,
  native: (micros, [out]) => out?.text(duration(micros)),
  nativeDefault: defaultOf(0),
};

function duration(micros: bigint): string {
  const sign = micros < 0n ? -1n : 1n;
  const size = micros * sign;
  const signed = (value: bigint): string => String(value * sign);
  const seconds = (size / 1000000n) % 60n;
  const fraction = fractionText(size % 1000000n);
  const minus = sign < 0n && (seconds > 0n || fraction !== '') ? '-' : '';
  return `P0Y0M0DT${signed(size / 3600000000n)}H${signed((size / 60000000n) % 60n)}M${minus}${seconds}${fraction}S`;
}
