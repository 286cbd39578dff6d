/** Text, bytes and what is made of several values: their values, what Connect has of them, and their bytes in ClickHouse. */
import type { Data, Shape } from './connect-data';
import { anyDouble, floatBits } from './numbers';
import type { Random } from './random';
import { column, defaultOf, type TypeOracle } from './type-oracle';

const SPECIAL = [
  '',
  '"',
  '\\',
  '\\"',
  '{"a":1}',
  'null',
  '😀',
  '__debezium',
  '\u2028',
  '/',
  '\\u0041',
  '\u007f',
  '\ufeff',
];
/** Where code points are taken from; none of these ranges has surrogates. */
const RANGES: readonly (readonly [number, number])[] = [
  [0x20, 0x7e],
  [0x20, 0x7e],
  [0x01, 0x1f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x10ffff],
];

export function anyText(random: Random): string {
  if (random.oneIn(8)) return random.pick(SPECIAL);
  const points: number[] = [];
  const mixed = random.oneIn(3);
  for (let left = random.oneIn(64) ? random.below(600) : random.below(14); left > 0; left--) {
    const [first, last] = mixed ? random.pick(RANGES) : ([0x20, 0x7e] as const);
    points.push(random.between(first, last));
  }
  return String.fromCodePoint(...points);
}

/** @param semantic the name that Debezium gives the schema */
export function textual(base: string, semantic?: string): TypeOracle<string> {
  return {
    column: column(base, base),
    make: anyText,
    shape: () => ({ type: 'string', ...(semantic === undefined ? {} : { name: semantic }) }),
    data: (value) => value,
    expected: (value) => value,
    native: (value, [out]) => out?.text(value),
    nativeDefault: defaultOf(0),
  };
}

const MOODS = ['sad', 'ok', 'happy', 'so-so "quoted"', ''];

export const mood: TypeOracle<string> = {
  ...textual('mood'),
  column: column('mood', 'mood', { kind: 'e' }),
  make: (random) => random.pick(MOODS),
  shape: () => ({ type: 'string', name: 'io.debezium.data.Enum', parameters: { allowed: MOODS.join(',') } }),
};

function anyBytes(random: Random, most: number): Uint8Array {
  const bytes = new Uint8Array(random.below(most + 1));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  return bytes;
}

export const bytea: TypeOracle<Uint8Array> = {
  column: column('bytea', 'bytea'),
  make: (random) => anyBytes(random, random.oneIn(16) ? 300 : 40),
  shape: ({ binary }) => ({ type: binary === 'bytes' ? 'bytes' : 'string' }),
  data(value, { binary }) {
    const bytes = Buffer.from(value);
    if (binary === 'bytes') return bytes;
    if (binary === 'hex') return bytes.toString('hex');
    const base64 = bytes.toString('base64');
    return binary === 'base64-url-safe' ? base64.replaceAll('+', '-').replaceAll('/', '_') : base64;
  },
  expected: (value) => Buffer.from(value).toString('hex'),
  native: (value, [out]) => out?.string(value),
  nativeDefault: defaultOf(0),
};

/** Little-endian without zeros at the end, as Debezium sends bit(n). */
export const bits: TypeOracle<bigint> = {
  column: column('bits', 'bit', { modifier: 19 }),
  make: (random) => random.bigBetween(0n, (1n << 19n) - 1n),
  shape: () => ({ type: 'bytes', name: 'io.debezium.data.Bits', parameters: { length: '19' } }),
  data(value) {
    const bytes: number[] = [];
    for (let rest = value; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 0xffn));
    return Buffer.from(bytes);
  },
  expected: (value) => value.toString(2).padStart(19, '0'),
  native: (value, [out]) => out?.text(value.toString(2).padStart(19, '0')),
  nativeDefault: defaultOf(0),
};

export const uuid: TypeOracle<string> = {
  column: column('uuid', 'uuid'),
  make(random) {
    const words = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0'));
    return words.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  },
  shape: () => ({ type: 'string', name: 'io.debezium.data.Uuid' }),
  data: (value) => value,
  expected: (value) => value,
  native(value, [out]) {
    // Two halves of eight bytes, each with its last byte first.
    const bytes = Buffer.from(value.replaceAll('-', ''), 'hex');
    out?.raw(bytes.subarray(0, 8).reverse());
    out?.raw(bytes.subarray(8).reverse());
  },
  nativeDefault: defaultOf(16),
};

type Pairs = readonly (readonly [string, string | null])[];

const framed = (part: string | null): string => (part === null ? '~' : `${Buffer.byteLength(part)}:${part}`);

export const hstore: TypeOracle<Pairs> = {
  column: column('hstore', 'hstore'),
  make(random) {
    const pairs = new Map<string, string | null>();
    for (let left = random.below(5); left > 0; left--)
      pairs.set(anyText(random), random.oneIn(5) ? null : anyText(random));
    return [...pairs];
  },
  shape: ({ hstore: mode }): Shape =>
    mode === 'map' ? { type: 'map', items: { type: 'string' } } : { type: 'string', name: 'io.debezium.data.Json' },
  data(pairs, { hstore: mode }): Data {
    if (mode === 'map') return pairs;
    return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  },
  expected: (pairs) =>
    [...pairs]
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, value]) => framed(key) + framed(value))
      .join(''),
  parts: 4,
  native(pairs, [ends, keys, nulls, values]) {
    for (const [key, value] of pairs) {
      keys?.text(key);
      nulls?.u8(value === null ? 1 : 0);
      values?.text(value ?? '');
    }
    if (ends !== undefined) ends.wide(BigInt((ends.count += pairs.length)), 8);
  },
  nativeDefault: ([ends]) => ends?.wide(BigInt(ends.count), 8),
};

export const point: TypeOracle<readonly [number, number]> = {
  column: column('point', 'point'),
  make: (random) => [anyFinite(random), anyFinite(random)],
  shape: () => ({
    type: 'struct',
    name: 'io.debezium.data.geometry.Point',
    fields: [
      { name: 'x', shape: { type: 'double' }, optional: false },
      { name: 'y', shape: { type: 'double' }, optional: false },
      { name: 'wkb', shape: { type: 'bytes' }, optional: true },
      { name: 'srid', shape: { type: 'int32' }, optional: true },
    ],
  }),
  data: ([x, y]) => [x, y, Buffer.from('AQEAAAAA', 'base64'), null],
  expected: ([x, y]) => `${floatBits(x, 8)},${floatBits(y, 8)}`,
  parts: 2,
  native([x, y], [xs, ys]) {
    xs?.f64(x);
    ys?.f64(y);
  },
  nativeDefault: (out) => out.forEach((one) => one.f64(0)),
};

function anyFinite(random: Random): number {
  const value = anyDouble(random);
  return Number.isFinite(value) ? value : 0.5;
}
