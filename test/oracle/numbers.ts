/** Integers, floats and decimals: their values, what Connect has of them, and their bytes in ClickHouse. */
import type { ConnectorModes } from '../../src/model';
import { javaNumber, type Data, type Shape } from './connect-data';
import type { Random } from './random';
import { column, defaultOf, type TypeOracle } from './type-oracle';

const INTEGERS = { int2: ['int16', 2], int4: ['int32', 4], int8: ['int64', 8] } as const;

export function integer(base: keyof typeof INTEGERS): TypeOracle<bigint> {
  const [type, width] = INTEGERS[base];
  const limit = 1n << BigInt(width * 8 - 1);
  return {
    column: column(base, base),
    make: (random) => (random.oneIn(8) ? random.pick([-limit, limit - 1n, 0n, -1n]) : random.integer(width * 8)),
    shape: () => ({ type }),
    data: (value) => (width === 8 ? value : Number(value)),
    expected: String,
    native: (value, [out]) => (width === 2 ? out?.i16(Number(value)) : out?.wide(value, width)),
    nativeDefault: defaultOf(width),
  };
}

export const oid: TypeOracle<number> = {
  column: column('oid', 'oid'),
  make: (random) => (random.oneIn(4) ? random.pick([0, 4294967295, 2147483648]) : random.uint32()),
  shape: () => ({ type: 'int64' }),
  data: (value) => value,
  expected: String,
  native: (value, [out]) => out?.u32(value),
  nativeDefault: defaultOf(4),
};

const scratch = Buffer.alloc(8);

/** The bytes of a float, most significant first; there is one NaN. */
export function floatBits(value: number, width: 4 | 8): string {
  if (Number.isNaN(value)) return 'NaN';
  if (width === 4) scratch.writeFloatBE(value);
  else scratch.writeDoubleBE(value);
  return scratch.toString('hex', 0, width);
}

const SOME_FLOATS = [0, -0, NaN, Infinity, -Infinity, 1, -1.5, 1e7, 9999999, 1e-3, 9.99e-4, 123456.789];

/** Any bit pattern, and numbers as people have them. */
export function anyDouble(random: Random): number {
  const kind = random.below(8);
  if (kind === 0) return random.pick([...SOME_FLOATS, 5e-324, Number.MAX_VALUE, 1.7976931348623157e308]);
  if (kind < 4) return (random.between(-1e15, 1e15) * 10 ** random.below(4)) / 10 ** random.below(12);
  scratch.writeUInt32LE(random.uint32(), 0);
  scratch.writeUInt32LE(random.uint32(), 4);
  const value = scratch.readDoubleLE(0);
  return Number.isNaN(value) ? NaN : value;
}

function anyFloat(random: Random): number {
  const kind = random.below(8);
  if (kind === 0) return Math.fround(random.pick([...SOME_FLOATS, 1.4e-45, 3.4028235e38]));
  if (kind < 4) return Math.fround(random.between(-1e7, 1e7) / 10 ** random.below(6));
  scratch.writeUInt32LE(random.uint32(), 0);
  const value = scratch.readFloatLE(0);
  return Number.isNaN(value) ? NaN : value;
}

export function float(base: 'float4' | 'float8'): TypeOracle<number> {
  const width = base === 'float4' ? 4 : 8;
  return {
    column: column(base, base),
    make: base === 'float4' ? anyFloat : anyDouble,
    shape: () => ({ type: base === 'float4' ? 'float' : 'double' }),
    data: (value) => value,
    expected: (value) => floatBits(value, width),
    native: (value, [out]) => (width === 4 ? out?.f32(value) : out?.f64(value)),
    nativeDefault: defaultOf(width),
  };
}

export const bool: TypeOracle<boolean> = {
  column: column('bool', 'bool'),
  make: (random) => random.oneIn(2),
  shape: () => ({ type: 'boolean' }),
  data: (value) => value,
  expected: String,
  native: (value, [out]) => out?.u8(value ? 1 : 0),
  nativeDefault: defaultOf(1),
};

/** unscaled / 10^scale, or a name of what is no number. */
type Decimal = { readonly unscaled: bigint; readonly scale: number } | 'NaN' | 'Infinity' | '-Infinity';

const NAMES = { NaN: 'NAN', Infinity: 'POSITIVE_INFINITY', '-Infinity': 'NEGATIVE_INFINITY' } as const;

function plain(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}

/** As BigInteger.toByteArray. */
function twosComplement(value: bigint): Buffer {
  const hex = (value < 0n ? -value - 1n : value).toString(16);
  // A bit for the sign: a first digit of 8 and more has none to spare.
  const digits = hex.length + (hex.length % 2 === 0 && hex >= '8' ? 1 : 0);
  const bytes = Buffer.from(hex.padStart(digits + (digits % 2), '0'), 'hex');
  if (value < 0n) for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number);
  return bytes;
}

const POWERS: bigint[] = [];
const tens = (power: number): bigint => (POWERS[power] ??= 10n ** BigInt(power));

const DECIMAL = 'org.apache.kafka.connect.data.Decimal';

/** `wireScale` is null for a numeric without a declared one. */
function decimalShape(modes: ConnectorModes, wireScale: number | null, precision?: number): Shape {
  if (modes.decimal === 'string') return { type: 'string' };
  if (modes.decimal === 'double') return { type: 'double' };
  if (wireScale !== null) {
    const more = precision === undefined ? {} : { 'connect.decimal.precision': String(precision) };
    return { type: 'bytes', name: DECIMAL, scale: wireScale, parameters: { scale: String(wireScale), ...more } };
  }
  return {
    type: 'struct',
    name: 'io.debezium.data.VariableScaleDecimal',
    fields: [
      { name: 'scale', shape: { type: 'int32' }, optional: false },
      { name: 'value', shape: { type: 'bytes' }, optional: false },
    ],
  };
}

function decimalData(value: Decimal, modes: ConnectorModes, wireScale: number | null): Data {
  if (typeof value === 'string') return modes.decimal === 'string' ? NAMES[value] : Number(value);
  if (modes.decimal === 'string') return plain(value.unscaled, value.scale);
  if (modes.decimal === 'double') return Number(plain(value.unscaled, value.scale));
  if (wireScale !== null) return twosComplement(value.unscaled * tens(wireScale - value.scale));
  let { unscaled, scale } = value;
  for (; scale > 0 && unscaled % 10n === 0n; scale--) unscaled /= 10n;
  return [scale, twosComplement(unscaled)];
}

/** Rounded half away from zero at `scale`, then held within `precision` digits; unscaled. */
function held(value: Decimal, precision: number, scale: number): bigint {
  const most = tens(precision) - 1n;
  if (typeof value === 'string') return value === '-Infinity' ? -most : most;
  const negative = value.unscaled < 0n;
  const size = negative ? -value.unscaled : value.unscaled;
  const drop = value.scale - scale;
  const rounded = drop <= 0 ? size * tens(-drop) : (size + tens(drop) / 2n) / tens(drop);
  const kept = rounded > most ? most : rounded;
  return negative ? -kept : kept;
}

function shown(unscaled: bigint, scale: number): string {
  const text = plain(unscaled, scale);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

const widthOf = (precision: number): number => (precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32);

/** Numbers that a double holds, for the mode that makes doubles of them. */
function asDouble(value: Decimal): Decimal {
  if (typeof value === 'string') return value;
  const text = Number(plain(value.unscaled, value.scale)).toString();
  if (!/^-?\d+(\.\d+)?$/.test(text)) return { unscaled: BigInt(Math.trunc(Number(text) % 1e15)), scale: 0 };
  const [whole = '', fraction = ''] = text.split('.');
  return { unscaled: BigInt(whole + fraction), scale: fraction.length };
}

const modifierOf = (precision: number, scale: number): number => ((precision << 16) | (scale & 0x7ff)) + 4;

export function numeric(precision: number, scale: number): TypeOracle<Decimal> {
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  const places = Math.max(scale, 0);
  const wireScale = scale < 0 ? 2048 + scale : scale;
  const most = tens(precision) - 1n;
  return {
    column: column(`numeric_${precision}_${scale < 0 ? 'm' : ''}${Math.abs(scale)}`, 'numeric', {
      modifier: modifierOf(precision, scale),
    }),
    make: (random, modes) => {
      // `precise` makes NULL of what is no number.
      if (modes.decimal !== 'precise' && random.oneIn(10)) return 'NaN';
      const unscaled = random.oneIn(8) ? random.pick([0n, most, -most, -1n]) : random.digits(precision);
      const exact = scale < 0 ? { unscaled: unscaled * tens(-scale), scale: 0 } : { unscaled, scale };
      return modes.decimal === 'double' ? asDouble(exact) : exact;
    },
    shape: (modes) => decimalShape(modes, wireScale, precision),
    data: (value, modes) => decimalData(value, modes, wireScale),
    expected: (value) => shown(held(value, digits, places), places),
    native: (value, [out]) => out?.wide(held(value, digits, places), widthOf(digits)),
    nativeDefault: defaultOf(widthOf(digits)),
  };
}

export const unconstrained: TypeOracle<Decimal> = {
  column: column('numeric_any', 'numeric'),
  make: (random, modes) => {
    if (modes.decimal !== 'precise' && random.oneIn(10)) return random.pick(['NaN', 'Infinity', '-Infinity'] as const);
    const value = { unscaled: random.digits(60), scale: random.below(38) };
    return modes.decimal === 'double' ? asDouble(value) : value;
  },
  shape: (modes) => decimalShape(modes, null),
  data: (value, modes) => decimalData(value, modes, null),
  expected: (value) => shown(held(value, 76, 38), 38),
  native: (value, [out]) => out?.wide(held(value, 76, 38), 32),
  nativeDefault: defaultOf(32),
};

export const money: TypeOracle<bigint> = {
  column: column('money', 'money'),
  make: (random, modes) => random.integer(modes.decimal === 'double' ? 32 : 64),
  shape: (modes) => decimalShape(modes, 2),
  data: (cents, modes) => decimalData({ unscaled: cents, scale: 2 }, modes, 2),
  expected: (cents) => shown(cents, 2),
  native: (cents, [out]) => out?.wide(cents, 16),
  nativeDefault: defaultOf(16),
};

/** More digits than any Decimal: text in the mirror, as PostgreSQL prints it. */
export const wide: TypeOracle<bigint> = {
  column: column('numeric_90_5', 'numeric', { modifier: modifierOf(90, 5) }),
  make: (random, modes) =>
    modes.decimal === 'double' ? BigInt(random.between(-(2 ** 20), 2 ** 20)) * 100000n : random.digits(90),
  shape: (modes) => decimalShape(modes, 5, 90),
  data: (unscaled, modes) => decimalData({ unscaled, scale: 5 }, modes, 5),
  expected: wideText,
  native: (unscaled, [out], modes) => out?.text(wideText(unscaled, modes)),
  nativeDefault: defaultOf(0),
};

function wideText(unscaled: bigint, modes: ConnectorModes): string {
  return modes.decimal === 'double' ? javaNumber(Number(unscaled / 100000n), Number) : plain(unscaled, 5);
}
