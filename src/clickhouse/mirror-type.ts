/** Decides what a PostgreSQL column becomes in its table's mirror, and how its value stands in Debezium's JSON. */
import type { Policy } from '../column-rules';
import type { SourceColumn } from '../model';

/**
 * The form of a value in an image under the connector profile of this project (`decimal.handling.mode=string`,
 * `time.precision.mode=microseconds`, `binary.handling.mode=hex`, `interval.handling.mode=string`). Captured from
 * Debezium 3.7.0.Final on PostgreSQL 18.
 */
export type WireForm =
  | 'int'
  | 'float'
  | 'bool'
  /** A JSON string, copied. */
  | 'text'
  /** Any JSON value, kept as its own text: line, box, path and the like, which have no type in ClickHouse. */
  | 'json'
  /** bytea: hexadecimal digits. */
  | 'hex'
  /** Days since 1970-01-01. */
  | 'date'
  /** Microseconds since 1970-01-01. */
  | 'timestamp'
  /** ISO 8601 text, or infinity. */
  | 'timestamptz'
  /** Microseconds since midnight, 24:00 included. */
  | 'time'
  | 'decimal'
  | 'uuid'
  /** bit(1) and varbit(1): a JSON boolean. */
  | 'bit'
  /** bit(n): base64 of little-endian bytes without trailing zeros, in every `binary.handling.mode`. */
  | 'bits'
  /** hstore: a JSON string that holds a JSON object. */
  | 'hstore'
  /** An object with x and y. */
  | 'point'
  /** pgvector: an array of numbers. */
  | 'vector'
  /** PostGIS: an object whose wkb is base64 of the EWKB. */
  | 'ewkb';

/** How one value is read from an image and appended to its column. */
export interface WireCodec {
  readonly form: WireForm;
  /** True for an array of `form`. */
  readonly array: boolean;
  /** Bytes of a number; precision and scale of a decimal; bits of bit(n), 0 for varbit, whose length Debezium loses. */
  readonly width: number;
  readonly precision: number;
  readonly scale: number;
  /** A decimal of the scale that PostgreSQL holds the column to: only values from before an ALTER TABLE have more digits. */
  readonly declared?: true;
  /** The column is String and has the value as PostgreSQL prints it, whatever its form. */
  readonly asText?: true;
}

/**
 * How a value of a form is written where that is not the way of our profile. Times: a count of another unit, or ISO 8601
 * text. `base64` (either alphabet) for bytes. Decimals: `unscaled` is base64 of a big-endian two's complement integer,
 * to be divided by 10^`wireScale`; `scaled` the object {scale, value} of such a one; `number` a JSON number, with an
 * exponent perhaps. `duration`: an interval as a count of microseconds. `object`: an hstore as an object, not as its text.
 */
export type Notation =
  | 'profile'
  | 'milliseconds'
  | 'nanoseconds'
  | 'iso'
  | 'base64'
  | 'unscaled'
  | 'scaled'
  | 'number'
  | 'duration'
  | 'object'
  /** Not for this mirror: a value that is to be masked now, or the hash of one that need no longer be. */
  | 'hidden';

/** How a column's value is read from the JSON of certain images. */
export interface ImageCodec extends WireCodec {
  readonly notation: Notation;
  /** Of `unscaled`; else 0. */
  readonly wireScale: number;
}

/** What a column is in the mirror. */
export interface MirrorType {
  /** The column's type in ClickHouse. */
  readonly type: string;
  readonly codec: WireCodec;
  /** What becomes of a value that does not fit; `exact` where every value does. */
  readonly policy: 'exact' | Policy;
  /** A NULL that the type cannot hold: its default, named in `_nulls`; or `reject`. Absent where there is none. */
  readonly nulls?: 'clamp' | 'reject';
}

interface ElementType extends MirrorType {
  /** ClickHouse has no Nullable of this type (Array, Map, Tuple): a NULL is its default and is named in `_nulls`. */
  readonly composite: boolean;
}

const STRING = plain('String', 'text');
/** Of more digits than any Decimal. */
const LONG_DECIMAL: ElementType = { ...STRING, codec: { ...codec('decimal'), asText: true } };
const EWKB = plain('String', 'ewkb');
const JSON_TEXT = plain('String', 'json');

/** Types that Debezium omits from events when they are an array's element, or sends as null (bit). Measured on 3.7.0.Final. */
const OMITTED_IN_ARRAYS = new Set(
  'interval money xml name point line lseg box path polygon circle bit varbit vector halfvec sparsevec'.split(' '),
);

const BY_BASE = new Map<string, ElementType>([
  ['int2', plain('Int16', 'int', 2)],
  ['int4', plain('Int32', 'int', 4)],
  ['int8', plain('Int64', 'int', 8)],
  // oid is unsigned in PostgreSQL; precision 1 tells the reader so.
  ['oid', { ...plain('UInt32', 'int', 4), codec: codec('int', { width: 4, precision: 1 }) }],
  ['float4', plain('Float32', 'float', 4)],
  ['float8', plain('Float64', 'float', 8)],
  ['bool', plain('Bool', 'bool', 1)],
  ['bytea', plain('String', 'hex')],
  ['date', clamped('Date32', 'date', 4)],
  ['timestamp', clamped(`DateTime64(6, 'UTC')`, 'timestamp', 8)],
  ['timestamptz', clamped(`DateTime64(6, 'UTC')`, 'timestamptz', 8)],
  ['time', plain('Time64(6)', 'time', 8)],
  ['uuid', plain('UUID', 'uuid', 16)],
  // int8 cents: 19 digits hold every value.
  ['money', decimal(19, 2, 'exact')],
  ['hstore', composite('Map(String, Nullable(String))', 'hstore')],
  ['point', composite('Tuple(Float64, Float64)', 'point')],
  ['vector', composite('Array(Float32)', 'vector')],
  ['halfvec', composite('Array(Float32)', 'vector')],
  ['sparsevec', JSON_TEXT],
  ['geometry', EWKB],
  ['geography', EWKB],
]);

for (const base of [
  'text',
  'varchar',
  'bpchar',
  'char',
  'citext',
  'name',
  'xml',
  'json',
  'jsonb',
  'interval',
  'timetz',
]) {
  BY_BASE.set(base, STRING);
}
for (const base of ['inet', 'cidr', 'macaddr', 'macaddr8', 'tsvector', 'ltree']) BY_BASE.set(base, STRING);
for (const base of ['int4range', 'int8range', 'numrange', 'tsrange', 'tstzrange', 'daterange'])
  BY_BASE.set(base, STRING);
for (const base of ['isbn', 'isbn13', 'ismn', 'ismn13', 'issn', 'issn13', 'ean13', 'upc']) BY_BASE.set(base, STRING);
for (const base of ['line', 'lseg', 'box', 'path', 'polygon', 'circle']) BY_BASE.set(base, JSON_TEXT);

/** What a source column becomes; null for a type that Debezium leaves out of its events. Key columns are never Nullable. */
export function mirrorType(column: SourceColumn, inKey: boolean): MirrorType | null {
  const found = elementType(column);
  if (found === null) return null;
  const { type, codec: wire, policy } = found;
  if (column.array) {
    if (OMITTED_IN_ARRAYS.has(column.base)) return null;
    // hstore[] arrives as JSON texts; an element that cannot be Nullable could not hold a NULL.
    const element = found.composite ? STRING : found;
    const elementText = element.type.startsWith('LowCardinality') ? 'String' : element.type;
    return {
      type: `Array(Nullable(${elementText}))`,
      codec: { ...element.codec, array: true },
      policy: element.policy,
    };
  }
  // ClickHouse sorts by no Map; hstore can be a key in PostgreSQL.
  if (inKey && wire.form === 'hstore') return STRING;
  if (inKey || column.notNull || found.composite) return { type, codec: wire, policy };
  return { type: nullableType(type), codec: wire, policy };
}

/** What a column becomes whose values come as hashes. */
export function hashedType(notNull: boolean): MirrorType {
  const { type, codec: wire, policy } = STRING;
  return { type: notNull ? type : nullableType(type), codec: wire, policy };
}

/** The type that also holds NULL, where ClickHouse has one: not for Array, Map and Tuple. */
export function nullableType(type: string): string {
  if (type === 'LowCardinality(String)') return 'LowCardinality(Nullable(String))';
  return /^(Nullable|Array|Map|Tuple|LowCardinality)\(/.test(type) ? type : `Nullable(${type})`;
}

function elementType(column: SourceColumn): ElementType | null {
  const { base, kind, modifier } = column;
  if (kind === 'e') return { ...STRING, type: 'LowCardinality(String)' };
  if (base === 'numeric') return numeric(modifier);
  if (base === 'bit' || base === 'varbit') return bits(base, modifier);
  // Composite types, multiranges, and domains that are array elements are left out by Debezium.
  if (kind !== 'b' && kind !== 'r') return null;
  return BY_BASE.get(base) ?? null;
}

/** Reads PostgreSQL's numeric modifier: ((precision << 16) | (scale & 0x7ff)) + 4, the scale signed in 11 bits. */
function numeric(modifier: number): ElementType {
  if (modifier < 4) return decimal(76, 38, 'clamp');
  const precision = (modifier - 4) >> 16;
  const low = (modifier - 4) & 0x7ff;
  const scale = low > 1023 ? low - 2048 : low;
  // numeric(5,-2) holds whole numbers of up to seven digits; numeric(3,5) has five digits after the point.
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  if (digits > 76) return LONG_DECIMAL;
  const found = decimal(digits, Math.max(scale, 0), 'clamp');
  return { ...found, codec: { ...found.codec, declared: true } };
}

function bits(base: string, modifier: number): ElementType {
  // format_type shows `bit` for bit(1); an unbounded varbit has modifier -1.
  if (modifier === 1) return plain('String', 'bit');
  return { ...plain('String', 'bits'), codec: codec('bits', { width: base === 'bit' ? modifier : 0 }) };
}

function codec(form: WireForm, sizes: { width?: number; precision?: number; scale?: number } = {}): WireCodec {
  return { form, array: false, width: sizes.width ?? 0, precision: sizes.precision ?? 0, scale: sizes.scale ?? 0 };
}

function plain(type: string, form: WireForm, width = 0): ElementType {
  return { type, codec: codec(form, { width }), policy: 'exact', composite: false };
}

function clamped(type: string, form: WireForm, width: number): ElementType {
  return { ...plain(type, form, width), policy: 'clamp' };
}

function composite(type: string, form: WireForm): ElementType {
  return { ...plain(type, form), composite: true };
}

/** A decimal; NaN and the infinities are in no Decimal, so every numeric may be clamped. */
function decimal(precision: number, scale: number, policy: 'exact' | 'clamp'): ElementType {
  return {
    type: `Decimal(${precision}, ${scale})`,
    codec: codec('decimal', { precision, scale }),
    policy,
    composite: false,
  };
}
