/**
 * Values as a person knows them, the JSON that Debezium writes of them in each of its modes, and the text that must come
 * out of ClickHouse: the plain reference for transcoders and change expressions, made without any code of theirs.
 */
import fc from 'fast-check';
import { PROFILE_MODES, type ConnectorModes, type SourceColumn } from '../../src/model';

/** How values of one type are made, written and expected. */
export interface TypeOracle<V> {
  readonly column: SourceColumn;
  readonly values: (modes: ConnectorModes) => fc.Arbitrary<V>;
  readonly json: (value: V, modes: ConnectorModes) => string;
  /** The text in the form of `cellText`. */
  readonly expected: (value: V, modes: ConnectorModes) => string;
}

/** A type with its values hidden: a generator of JSON with the text it must become. */
export interface Generated {
  readonly column: SourceColumn;
  readonly cells: (modes: ConnectorModes) => fc.Arbitrary<Cell>;
}

/** `expected` is null for NULL. */
export interface Cell {
  readonly json: string;
  readonly expected: string | null;
}

export function column(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

const bigint = (bits: number): fc.Arbitrary<bigint> => {
  const limit = 1n << BigInt(bits - 1);
  const most = limit - 1n;
  return fc.oneof(
    fc.bigInt({ min: -limit, max: most }),
    fc.constantFrom(-limit, most, 0n, -1n),
    fc.integer().map((value) => BigInt.asIntN(bits, BigInt(value))),
  );
};

/** A Java double as its own text. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return JSON.stringify(String(value));
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e7)) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}

/** The bytes of a float, most significant first; there is one NaN. */
function floatBits(value: number, width: 4 | 8): string {
  if (Number.isNaN(value)) return 'NaN';
  const bytes = Buffer.alloc(width);
  if (width === 4) bytes.writeFloatBE(value);
  else bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

/** unscaled / 10^scale, or a name of what is no number. */
type Decimal = { readonly unscaled: bigint; readonly scale: number } | 'NaN' | 'Infinity' | '-Infinity';

const NAMES = { NaN: 'NAN', Infinity: 'POSITIVE_INFINITY', '-Infinity': 'NEGATIVE_INFINITY' } as const;

function plain({ unscaled, scale }: { unscaled: bigint; scale: number }): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}

/** As BigInteger.toByteArray. */
function twosComplement(value: bigint): Buffer {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes++;
  return Buffer.from(
    BigInt.asUintN(bytes * 8, value)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex',
  );
}

function decimalJson(value: Decimal, modes: ConnectorModes, wireScale: number | null): string {
  if (typeof value === 'string') return JSON.stringify(modes.decimal === 'string' ? NAMES[value] : value);
  if (modes.decimal === 'string') return JSON.stringify(plain(value));
  if (modes.decimal === 'double') return javaDouble(Number(plain(value)));
  if (wireScale === null) {
    let { unscaled, scale } = value;
    for (; scale > 0 && unscaled % 10n === 0n; scale--) unscaled /= 10n;
    return `{"scale":${scale},"value":"${twosComplement(unscaled).toString('base64')}"}`;
  }
  const unscaled = value.unscaled * 10n ** BigInt(wireScale - value.scale);
  if (modes.decimalFormat === 'NUMERIC') {
    // BigDecimal writes an exponent for what is far behind the point.
    return unscaled === 0n && wireScale > 6 ? `0E-${wireScale}` : plain({ unscaled, scale: wireScale });
  }
  return `"${twosComplement(unscaled).toString('base64')}"`;
}

/** Rounded half away from zero at `scale`, then held within `precision` digits; trailing zeros left out. */
function heldDecimal(value: Decimal, precision: number, scale: number): string {
  const most = 10n ** BigInt(precision) - 1n;
  let held = value === '-Infinity' ? -most : most;
  if (typeof value !== 'string') {
    const sign = value.unscaled < 0n ? -1n : 1n;
    const size = value.unscaled * sign;
    const drop = value.scale - scale;
    const rounded = drop <= 0 ? size * 10n ** BigInt(-drop) : (size + 10n ** BigInt(drop) / 2n) / 10n ** BigInt(drop);
    held = sign * (rounded > most ? most : rounded);
  }
  const text = plain({ unscaled: held, scale });
  const trimmed = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return trimmed === '-0' ? '0' : trimmed;
}

const SPECIAL = fc.constantFrom<Decimal>('NaN', 'Infinity', '-Infinity');

/** Numbers that a double holds, for the mode that makes doubles of them. */
function asDouble(value: Decimal): Decimal {
  if (typeof value === 'string') return value;
  const text = Number(plain(value)).toString();
  if (!/^-?\d+(\.\d+)?$/.test(text)) return { unscaled: BigInt(Math.trunc(Number(text) % 1e15)), scale: 0 };
  const [whole = '', fraction = ''] = text.split('.');
  return { unscaled: BigInt(whole + fraction), scale: fraction.length };
}

function numeric(precision: number, scale: number): TypeOracle<Decimal> {
  const modifier = ((precision << 16) | (scale & 0x7ff)) + 4;
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  const most = 10n ** BigInt(precision);
  return {
    column: column(`numeric_${precision}_${scale < 0 ? 'm' : ''}${Math.abs(scale)}`, 'numeric', { modifier }),
    values: (modes) => {
      const numbers = fc
        .oneof(fc.bigInt({ min: -most + 1n, max: most - 1n }), fc.constantFrom(0n, most - 1n, 1n - most, -1n))
        .map((unscaled): Decimal => {
          const exact = scale < 0 ? { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 } : { unscaled, scale };
          return modes.decimal === 'double' ? asDouble(exact) : exact;
        });
      // `precise` makes NULL of what is no number.
      return modes.decimal === 'precise' ? numbers : fc.oneof({ weight: 9, arbitrary: numbers }, fc.constant('NaN'));
    },
    json: (value, modes) => decimalJson(value, modes, scale < 0 ? 2048 + scale : scale),
    expected: (value) => heldDecimal(value, digits, Math.max(scale, 0)),
  };
}

const unconstrained: TypeOracle<Decimal> = {
  column: column('numeric_any', 'numeric'),
  values: (modes) => {
    const within = fc.record({
      unscaled: fc.oneof(fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }), fc.integer().map(BigInt)),
      scale: fc.integer({ min: 0, max: 37 }),
    });
    const numbers = within.map((value): Decimal => (modes.decimal === 'double' ? asDouble(value) : value));
    return modes.decimal === 'precise' ? numbers : fc.oneof({ weight: 9, arbitrary: numbers }, SPECIAL);
  },
  json: (value, modes) => decimalJson(value, modes, null),
  expected: (value) => heldDecimal(value, 76, 38),
};

const money: TypeOracle<bigint> = {
  column: column('money', 'money'),
  values: (modes) => (modes.decimal === 'double' ? fc.integer().map(BigInt) : bigint(64)),
  json: (cents, modes) => decimalJson({ unscaled: cents, scale: 2 }, modes, 2),
  expected: (cents) => heldDecimal({ unscaled: cents, scale: 2 }, 19, 2),
};

/** More digits than any Decimal: text in the mirror, as PostgreSQL prints it. */
const wide: TypeOracle<bigint> = {
  column: column('numeric_90_5', 'numeric', { modifier: ((90 << 16) | 5) + 4 }),
  values: (modes) =>
    modes.decimal === 'double'
      ? fc.integer({ min: -(2 ** 20), max: 2 ** 20 }).map((value) => BigInt(value) * 100000n)
      : fc.bigInt({ min: -(10n ** 90n) + 1n, max: 10n ** 90n - 1n }),
  json: (unscaled, modes) => decimalJson({ unscaled, scale: 5 }, modes, 5),
  expected: (unscaled, modes) =>
    modes.decimal === 'double' ? `${unscaled / 100000n}.0` : plain({ unscaled, scale: 5 }),
};

const DAY = 86400000;
const FIRST_DAY = -25567;
const LAST_DAY = 120529;

/** An ISO date, the year as java.time writes it. */
function isoDate(days: number): string {
  // The Gregorian calendar repeats every 400 years, which are 146,097 days.
  const cycles = Math.floor(days / 146097);
  const date = new Date((days - cycles * 146097) * DAY).toISOString();
  const year = Number(date.slice(0, 4)) + cycles * 400;
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : year > 9999 ? '+' : ''}${digits}${date.slice(4, 10)}`;
}

const date: TypeOracle<number> = {
  column: column('date', 'date'),
  values: () =>
    fc.oneof(
      fc.integer({ min: FIRST_DAY, max: LAST_DAY }),
      fc.integer({ min: -2440550, max: 2932896 }),
      fc.constantFrom(FIRST_DAY, FIRST_DAY - 1, LAST_DAY, LAST_DAY + 1, 2145042905, Infinity, -Infinity),
    ),
  json: (days, { time }) => {
    if (time === 'isostring') {
      if (!Number.isFinite(days)) return days > 0 ? '"+5877611-06-21Z"' : '"-5877611-06-22Z"';
      return `"${isoDate(days)}Z"`;
    }
    return String(days === Infinity ? 2146033979 : days === -Infinity ? -2147472691 : days);
  },
  expected: (days) => isoDate(Math.min(Math.max(days, FIRST_DAY), LAST_DAY)),
};

function fractionText(micros: bigint): string {
  const fraction = String(micros).padStart(6, '0').replace(/0+$/, '');
  return fraction === '' ? '' : `.${fraction}`;
}

/** Microseconds since 1970 as ISO text with `separator`, and the fraction as PostgreSQL writes it. */
function instantText(micros: bigint, separator: string): string {
  const day = 86400000000n;
  const days = micros / day - (micros % day < 0n ? 1n : 0n);
  const rest = micros - days * day;
  return `${isoDate(Number(days))}${separator}${timeText(rest)}`;
}

function timeText(micros: bigint): string {
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const seconds = micros / 1000000n;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fractionText(micros % 1000000n)}`;
}

const FIRST_INSTANT = -62135596800000000n;
const LAST_INSTANT = 253402300799999999n;
/** 4714 BC, and the last that Debezium's microseconds hold. */
const EARLIEST = -210866803200000000n;
const LATEST = 9214646400000000000n;

const coarseOf = (precision: number, { time }: ConnectorModes): boolean =>
  time === 'connect' || (precision >= 0 && precision <= 3);

type Instant = bigint | 'infinity' | '-infinity';

function heldInstant(value: Instant): string {
  const micros = value === 'infinity' ? LATEST : value === '-infinity' ? EARLIEST : value;
  const held = micros < FIRST_INSTANT ? FIRST_INSTANT : micros > LAST_INSTANT ? LAST_INSTANT : micros;
  return instantText(held, ' ');
}

const instants = (precision: number, modes: ConnectorModes, range: readonly [bigint, bigint]): fc.Arbitrary<bigint> => {
  const step = coarseOf(precision, modes) ? 1000n : 1n;
  return fc.bigInt({ min: range[0] / step, max: range[1] / step }).map((value) => value * step);
};

function timestamp(precision: number): TypeOracle<Instant> {
  return {
    column: column(precision < 0 ? 'timestamp' : `timestamp_${precision}`, 'timestamp', { modifier: precision }),
    values: (modes) => {
      const nanos = modes.time === 'nanoseconds';
      const all: readonly [bigint, bigint] = nanos ? [-9223372036854775n, 9223372036854775n] : [EARLIEST, LATEST];
      const common: readonly [bigint, bigint] = nanos ? all : [FIRST_INSTANT, LAST_INSTANT];
      return fc.oneof(
        instants(precision, modes, common),
        instants(precision, modes, all),
        instants(precision, modes, [-5000000n, 5000000n]),
        fc.constantFrom<Instant>('infinity', '-infinity'),
      );
    },
    json: (value, modes) => timestampJson(value, precision, modes),
    expected: heldInstant,
  };
}

function timestampJson(value: Instant, precision: number, modes: ConnectorModes): string {
  const { time } = modes;
  if (time === 'isostring') {
    if (value === 'infinity') return '"+292278994-08-16T23:00:00Z"';
    return value === '-infinity' ? '"-292275055-05-16T23:00:00Z"' : `"${instantText(value, 'T')}Z"`;
  }
  const coarse = time === 'connect' || (time.startsWith('adaptive') && precision >= 0 && precision <= 3);
  if (value === 'infinity') return coarse ? '9223372036825200000' : '9223372036854775807';
  if (value === '-infinity') return coarse ? '-9223372036832400000' : '-9223372036854775808';
  if (time === 'nanoseconds') return String(value * 1000n);
  return String(coarse ? (value - (((value % 1000n) + 1000n) % 1000n)) / 1000n : value);
}

function time(precision: number): TypeOracle<bigint> {
  return {
    column: column(precision < 0 ? 'time' : `time_${precision}`, 'time', { modifier: precision }),
    values: (modes) => {
      const last = modes.time === 'isostring' ? 86399999999n : 86400000000n;
      return fc.oneof(
        instants(precision, modes, [0n, last]),
        fc.constantFrom(0n, modes.time === 'isostring' ? 0n : last),
      );
    },
    json: (micros, { time: mode }) => {
      if (mode === 'isostring') return `"${timeText(micros)}Z"`;
      if (mode === 'nanoseconds') return String(micros * 1000n);
      const coarse = mode === 'connect' || (mode === 'adaptive' && precision >= 0 && precision <= 3);
      return String(coarse ? micros / 1000n : micros);
    },
    expected: timeText,
  };
}

const timestamptz: TypeOracle<Instant> = {
  column: column('timestamptz', 'timestamptz'),
  values: (modes) =>
    fc.oneof(
      instants(-1, { ...modes, time: 'microseconds' }, [FIRST_INSTANT, LAST_INSTANT]),
      instants(-1, { ...modes, time: 'microseconds' }, [EARLIEST, LATEST]),
      fc.constantFrom<Instant>('infinity', '-infinity'),
    ),
  json: (value) => (typeof value === 'string' ? `"${value}"` : `"${instantText(value, 'T')}Z"`),
  expected: heldInstant,
};

/** An interval of hours and less, which both modes keep. */
const interval: TypeOracle<bigint> = {
  column: column('interval', 'interval'),
  values: () =>
    fc.oneof(
      bigint(64).filter((value) => value > -(2n ** 63n)),
      fc.bigInt({ min: -90000000n, max: 90000000n }),
    ),
  json: (micros, { interval: mode }) => (mode === 'numeric' ? String(micros) : JSON.stringify(duration(micros))),
  expected: duration,
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

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed() && !value.includes('\0')),
  fc.constantFrom('', '"', '\\', '\\"', '{"a":1}', 'null', '😀', '__debezium', '\u2028', '/'),
);

const textual = (name: string): TypeOracle<string> => ({
  column: column(name, name),
  values: () => text,
  json: (value) => JSON.stringify(value),
  expected: (value) => value,
});

const bytea: TypeOracle<Uint8Array> = {
  column: column('bytea', 'bytea'),
  values: () => fc.uint8Array({ maxLength: 40 }),
  json: (value, { binary }) => {
    const bytes = Buffer.from(value);
    if (binary === 'hex') return `"${bytes.toString('hex')}"`;
    const base64 = bytes.toString('base64');
    return `"${binary === 'base64-url-safe' ? base64.replaceAll('+', '-').replaceAll('/', '_') : base64}"`;
  },
  expected: (value) => Buffer.from(value).toString('hex'),
};

const bits: TypeOracle<bigint> = {
  column: column('bits', 'bit', { modifier: 19 }),
  values: () => fc.bigInt({ min: 0n, max: (1n << 19n) - 1n }),
  json: (value) => {
    const bytes: number[] = [];
    for (let rest = value; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 0xffn));
    return `"${Buffer.from(bytes).toString('base64')}"`;
  },
  expected: (value) => value.toString(2).padStart(19, '0'),
};

type Pairs = readonly (readonly [string, string | null])[];

const hstore: TypeOracle<Pairs> = {
  column: column('hstore', 'hstore'),
  values: () =>
    fc.uniqueArray(fc.tuple(text, fc.option(text, { nil: null })), { selector: ([key]) => key, maxLength: 4 }),
  json: (pairs, { hstore: mode }) => {
    const members = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    const object = `{${members.join(',')}}`;
    return mode === 'map' ? object : JSON.stringify(object);
  },
  expected: (pairs) => {
    const framed = (part: string | null): string => (part === null ? '~' : `${Buffer.byteLength(part)}:${part}`);
    return [...pairs]
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, value]) => framed(key) + framed(value))
      .join('');
  },
};

const float = (base: 'float4' | 'float8'): TypeOracle<number> => ({
  column: column(base, base),
  values: () => (base === 'float4' ? fc.float() : fc.double()),
  json: (value) => javaDouble(value),
  expected: (value) => floatBits(value, base === 'float4' ? 4 : 8),
});

const integer = (base: 'int2' | 'int4' | 'int8', size: number): TypeOracle<bigint> => ({
  column: column(base, base),
  values: () => bigint(size),
  json: String,
  expected: String,
});

const uuid: TypeOracle<string> = {
  column: column('uuid', 'uuid'),
  values: () => fc.uuid(),
  json: (value) => `"${value}"`,
  expected: (value) => value,
};

const bool: TypeOracle<boolean> = {
  column: column('bool', 'bool'),
  values: () => fc.boolean(),
  json: String,
  expected: String,
};

const point: TypeOracle<readonly [number, number]> = {
  column: column('point', 'point'),
  values: () =>
    fc.tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.double({ noNaN: true, noDefaultInfinity: true })),
  json: ([x, y]) => `{"x":${javaDouble(x)},"y":${javaDouble(y)},"wkb":"AQEAAAAA","srid":null}`,
  expected: ([x, y]) => `${floatBits(x, 8)},${floatBits(y, 8)}`,
};

/** A type whose values may be NULL. */
function hidden<V>({ column: of, values, json, expected }: TypeOracle<V>): Generated {
  return {
    column: of,
    cells: (modes) =>
      fc
        .option(values(modes), { nil: null, freq: 8 })
        .map((value) =>
          value === null
            ? { json: 'null', expected: null }
            : { json: json(value, modes), expected: expected(value, modes) },
        ),
  };
}

/** The same type as the element of an array, NULL elements included. */
function arrayOf<V>({ column: of, values, json, expected }: TypeOracle<V>): Generated {
  return {
    column: { ...of, name: `${of.name}_array`, array: true },
    cells: (modes) =>
      fc.array(fc.option(values(modes), { nil: null }), { maxLength: 4 }).map((elements) => ({
        json: `[${elements.map((value) => (value === null ? 'null' : json(value, modes))).join(',')}]`,
        expected: elements
          .map((value) => {
            if (value === null) return '~';
            const one = expected(value, modes);
            return `${Buffer.byteLength(one)}:${one}`;
          })
          .join(''),
      })),
  };
}

/** Every type with a reader of its own. */
export const GENERATED: readonly Generated[] = [
  hidden(integer('int2', 16)),
  hidden(integer('int4', 32)),
  hidden(integer('int8', 64)),
  hidden(float('float4')),
  hidden(float('float8')),
  hidden(bool),
  hidden(numeric(5, 2)),
  hidden(numeric(18, 6)),
  hidden(numeric(38, 10)),
  hidden(numeric(76, 38)),
  hidden(numeric(5, -2)),
  hidden(numeric(3, 5)),
  hidden(unconstrained),
  hidden(wide),
  hidden(money),
  hidden(date),
  hidden(timestamp(-1)),
  hidden(timestamp(3)),
  hidden(timestamptz),
  hidden(time(-1)),
  hidden(time(0)),
  hidden(interval),
  hidden(textual('text')),
  hidden(textual('jsonb')),
  hidden(bytea),
  hidden(bits),
  hidden(hstore),
  hidden(uuid),
  hidden(point),
  arrayOf(integer('int8', 64)),
  arrayOf(float('float8')),
  arrayOf(numeric(10, 2)),
  arrayOf(unconstrained),
  arrayOf(date),
  arrayOf(timestamp(-1)),
  arrayOf(time(3)),
  arrayOf(timestamptz),
  arrayOf(textual('text')),
  arrayOf(bytea),
  arrayOf(uuid),
];

/** Modes that between them have each value of each option. */
export const SOME_MODES: readonly ConnectorModes[] = [
  PROFILE_MODES,
  {
    decimal: 'precise',
    decimalFormat: 'BASE64',
    time: 'adaptive',
    binary: 'bytes',
    interval: 'numeric',
    hstore: 'json',
  },
  {
    decimal: 'precise',
    decimalFormat: 'NUMERIC',
    time: 'isostring',
    binary: 'base64-url-safe',
    interval: 'string',
    hstore: 'map',
  },
  { decimal: 'double', decimalFormat: 'BASE64', time: 'connect', binary: 'base64', interval: 'numeric', hstore: 'map' },
  {
    decimal: 'string',
    decimalFormat: 'BASE64',
    time: 'nanoseconds',
    binary: 'hex',
    interval: 'numeric',
    hstore: 'json',
  },
  {
    decimal: 'precise',
    decimalFormat: 'BASE64',
    time: 'adaptive_time_microseconds',
    binary: 'base64',
    interval: 'string',
    hstore: 'map',
  },
];
