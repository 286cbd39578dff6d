/** One SQL expression per column that turns the JSON text of an image in `changes` into the column's typed value. */
import {
  divisibleText,
  durationText,
  isoDays,
  isoMicroseconds,
  microseconds,
  plainNumber,
  rawElements,
  rawField,
  rawScalar,
  unscaledText,
  withNames,
} from './change-notation';
import {
  INFINITE_DAYS,
  MINUS_INFINITY,
  printedDate,
  printedDecimal,
  printedIso,
  printedTime,
  printedTimestamp,
} from './change-printed';
import { profileCodec } from './image-codec';
import type { MirrorColumn } from './mirror-layout';
import { nullableType, type ImageCodec, type Notation, type WireCodec, type WireForm } from './mirror-type';
import { quoteText } from './quote';

/** Microseconds of the first and last instant that DateTime64(6) shows, as in the transcoder. */
const FIRST_INSTANT = '-62135596800000000';
const LAST_INSTANT = '253402300799999999';
const FIRST_DATE = '-25567';
const LAST_DATE = '120529';

/** How a value is taken out of the JSON and what is made of it; `type` is the type it is taken out as. */
interface Extraction {
  readonly type: string;
  readonly value: (x: string) => string;
}

const same = (x: string): string => x;

/** The forms that are taken out of the JSON in a way of their own, by image and quoted name. */
const WHOLE: Partial<Record<WireForm | 'object', (image: string, name: string) => string>> = {
  object: (image, name) => `JSONExtract(${image}, ${name}, 'Map(String, Nullable(String))')`,
  hstore: (image, name) => `JSONExtract(JSONExtractString(${image}, ${name}), 'Map(String, Nullable(String))')`,
  point: (image, name) =>
    `tuple(JSONExtract(${image}, ${name}, 'x', 'Float64'), JSONExtract(${image}, ${name}, 'y', 'Float64'))`,
  vector: (image, name) => `JSONExtract(${image}, ${name}, 'Array(Float32)')`,
  ewkb: (image, name) => `hex(base64Decode(JSONExtract(${image}, ${name}, 'wkb', 'Nullable(String)')))`,
};

/**
 * The typed value of a column in `image`, a column of `changes` that holds an image or ''. Values that do not fit are
 * clamped as in the mirror, except that digits of an unconstrained numeric beyond the 38th are cut, not rounded.
 * @param codec how the value stands in the image
 */
export function changeExpression(
  column: MirrorColumn,
  image: string,
  codec: ImageCodec = profileCodec(column.codec),
): string {
  const name = quoteText(column.name);
  if (codec.notation === 'hidden') return hiddenValue(column);
  if (codec.array) return arrayExpression({ column, image, name, codec });
  if (codec.form === 'json' || (codec.notation === 'object' && codec.form === 'text'))
    return `nullIf(nullIf(${rawField(image, column.name)}, ''), 'null')`;
  if (codec.notation === 'number') return extraction(column, codec).value(rawScalar(rawField(image, column.name)));
  if (codec.notation === 'scaled') {
    const scale = `ifNull(JSONExtract(${image}, ${name}, 'scale', 'Nullable(Int32)'), 0)`;
    const text = unscaledText(`JSONExtract(${image}, ${name}, 'value', 'Nullable(String)')`, scale);
    return codec.asText ? text : decimalOf(codec, text);
  }
  const whole = WHOLE[codec.notation === 'object' ? 'object' : codec.form];
  if (whole !== undefined) return whole(image, name);
  const { type, value } = extraction(column, codec);
  return value(`JSONExtract(${image}, ${name}, 'Nullable(${type})')`);
}

/** NULL, or where the type has none its default. */
function hiddenValue({ type }: MirrorColumn): string {
  const nullable = nullableType(type);
  return nullable.includes('Nullable(') && !/^(Array|Map|Tuple)\(/.test(nullable)
    ? `CAST(NULL, ${quoteText(nullable)})`
    : `defaultValueOfTypeName(${quoteText(type)})`;
}

interface Place {
  readonly column: MirrorColumn;
  readonly image: string;
  readonly name: string;
  readonly codec: ImageCodec;
}

function arrayExpression({ column, image, name, codec }: Place): string {
  const each = (element: string): string => `arrayMap(x -> ${element}, JSONExtractArrayRaw(${image}, ${name}))`;
  if (codec.form === 'ewkb') return each(`if(x = 'null', NULL, hex(base64Decode(JSONExtractString(x, 'wkb'))))`);
  if (codec.notation === 'object') return each(`nullIf(x, 'null')`);
  if (codec.notation === 'scaled') {
    const text = unscaledText(`if(x = 'null', NULL, JSONExtractString(x, 'value'))`, `JSONExtractInt(x, 'scale')`);
    return each(codec.asText ? text : decimalOf(codec, text));
  }
  const { type, value } = extraction(column, codec);
  if (codec.notation === 'number') return `arrayMap(x -> ${value('x')}, ${rawElements(rawField(image, column.name))})`;
  const elements = `JSONExtract(${image}, ${name}, 'Array(Nullable(${type}))')`;
  return value === same ? elements : `arrayMap(x -> ${value('x')}, ${elements})`;
}

/** What a column holds before Nullable and Array: `Nullable(Int64)` -> `Int64`. */
function bareType({ type }: MirrorColumn): string {
  return type.replace(/^Array\((.*)\)$/, '$1').replace(/^Nullable\((.*)\)$/, '$1');
}

function extraction(column: MirrorColumn, codec: ImageCodec): Extraction {
  if (codec.asText) return printed(codec);
  if (codec.form === 'timestamp' || codec.form === 'timestamptz') return instantOf(column, codec);
  if (codec.form === 'int' || codec.form === 'float' || codec.form === 'bool')
    return { type: bareType(column), value: same };
  return SCALARS[codec.form]?.(codec) ?? { type: 'String', value: same };
}

/** A value as PostgreSQL prints it, for a column that is String instead of its own type. */
function printed(codec: ImageCodec): Extraction {
  if (codec.notation === 'iso' && codec.form !== 'time') return { type: 'String', value: (x) => printedIso(x, '') };
  return PRINTED[codec.form]?.(codec) ?? { type: 'String', value: same };
}

function unitOf({ notation }: ImageCodec): 'microseconds' | 'milliseconds' | 'nanoseconds' {
  return notation === 'milliseconds' || notation === 'nanoseconds' ? notation : 'microseconds';
}

const PRINTED: Partial<Record<WireForm, (codec: ImageCodec) => Extraction>> = {
  int: () => ({ type: 'Int64', value: (x) => `toString(${x})` }),
  date: () => ({ type: 'Int64', value: printedDate }),
  timestamp: (codec) => ({ type: 'Int64', value: (x) => printedTimestamp(x, unitOf(codec)) }),
  timestamptz: () => ({ type: 'String', value: (x) => printedIso(x, '+00') }),
  time: (codec) =>
    codec.notation === 'iso'
      ? { type: 'String', value: (x) => printedTime(x, 'iso') }
      : { type: 'Int64', value: (x) => printedTime(x, unitOf(codec)) },
  decimal: (codec) => ({
    type: 'String',
    value: (x) => (codec.notation === 'number' ? plainNumber(x) : printedDecimal(decimalText(codec, x))),
  }),
};

/** An instant without the digits that the column does not have, in the column's time zone. */
function instantOf(column: MirrorColumn, codec: ImageCodec): Extraction {
  const own = SCALARS[codec.form]?.(codec) ?? { type: 'String', value: same };
  const type = bareType(column);
  if (type === `DateTime64(6, 'UTC')`) return own;
  const value = (x: string): string => {
    const micros = `toUnixTimestamp64Micro(${own.value(x)})`;
    const held = codec.scale === 0 ? micros : `(${micros} - positiveModulo(${micros}, ${10 ** codec.scale}))`;
    return `CAST(fromUnixTimestamp64Micro(${held}, 'UTC'), ${quoteText(`Nullable(${type})`)})`;
  };
  return { type: own.type, value };
}

/** What is made of a value that is not already of its type. */
const SCALARS: Partial<Record<WireForm, (codec: ImageCodec) => Extraction>> = {
  text: textOf,
  date: ({ notation, width }) =>
    notation === 'iso'
      ? { type: 'String', value: (x) => dateOf(isoDays(x), width) }
      : { type: 'Int64', value: (x) => dateOf(x, width) },
  timestamp: ({ notation }) => {
    if (notation === 'iso') return { type: 'String', value: timestamptzOf };
    return notation === 'milliseconds' || notation === 'nanoseconds'
      ? { type: 'Int64', value: (x) => timestampOf(microseconds(x, notation)) }
      : { type: 'Int64', value: timestampOf };
  },
  time: ({ notation }) =>
    notation === 'iso'
      ? { type: 'String', value: (x) => timeOf(isoMicroseconds(x), 1_000_000) }
      : { type: 'Int64', value: (x) => timeOf(x, UNITS_IN_A_SECOND[notation] ?? 1_000_000) },
  bit: () => ({ type: 'Bool', value: (x) => `CAST(CAST(${x}, 'Nullable(UInt8)'), 'Nullable(String)')` }),
  hex: ({ notation }) => ({
    type: 'String',
    value: (x) => (notation === 'base64' ? `tryBase64Decode(translate(${x}, '-_', '+/'))` : `unhex(${x})`),
  }),
  uuid: () => ({ type: 'String', value: (x) => `toUUIDOrNull(${x})` }),
  bits: ({ width }) => ({ type: 'String', value: (x) => bitsOf(width, x) }),
  decimal: (codec) => ({ type: 'String', value: (x) => decimalOf(codec, decimalText(codec, x)) }),
  timestamptz: () => ({ type: 'String', value: timestamptzOf }),
};

const UNITS_IN_A_SECOND: Partial<Record<Notation, number>> = { milliseconds: 1_000, nanoseconds: 1_000_000_000 };

/** Intervals, and numerics with more digits than any Decimal, are text in the mirror. */
function textOf(codec: ImageCodec): Extraction {
  if (codec.notation === 'duration') return { type: 'Int64', value: durationText };
  if (codec.notation === 'number') return { type: 'String', value: plainNumber };
  return { type: 'String', value: codec.notation === 'unscaled' ? (x) => decimalText(codec, x) : same };
}

/** A decimal as text, whatever its notation. Scales above 1,000 are PostgreSQL's negative ones, taken as unsigned. */
function decimalText({ notation, wireScale }: ImageCodec, x: string): string {
  if (notation !== 'unscaled') return x;
  return wireScale > 1_000 ? divisibleText(x, wireScale) : unscaledText(x, String(wireScale));
}

function timeOf(x: string, units: number): string {
  const digits = String(units).length - 1;
  return `CAST(CAST(${x}, 'Nullable(Decimal(38, ${digits}))') / ${units}, 'Nullable(Time64(6))')`;
}

// least() and greatest() pass over NULL and would make a date of it; a comparison with NULL chooses the last branch.
function dateOf(x: string, width: number): string {
  const [first, last] = width === 2 ? ['0', '65535'] : [FIRST_DATE, LAST_DATE];
  const days = `multiIf(${x} IN ${INFINITE_DAYS} OR ${x} > ${last}, ${last}, ${x} < ${first}, ${first}, ${x})`;
  if (width === 2) return `CAST(CAST(${days}, 'Nullable(UInt16)'), 'Nullable(Date)')`;
  return `CAST(CAST(${days}, 'Nullable(Int32)'), 'Nullable(Date32)')`;
}

function timestampOf(x: string): string {
  // Below 4714 BC there is nothing in PostgreSQL but -infinity: the rest are wrapped values of its upper end.
  const micros =
    `multiIf(${x} IN ${MINUS_INFINITY}, ${FIRST_INSTANT}, ${x} < -211813488000000000 OR ${x} > ${LAST_INSTANT}, ` +
    `${LAST_INSTANT}, ${x} < ${FIRST_INSTANT}, ${FIRST_INSTANT}, ${x})`;
  return `fromUnixTimestamp64Micro(CAST(${micros}, 'Nullable(Int64)'), 'UTC')`;
}

function timestamptzOf(x: string): string {
  const first = `fromUnixTimestamp64Micro(${FIRST_INSTANT}, 'UTC')`;
  const last = `fromUnixTimestamp64Micro(${LAST_INSTANT}, 'UTC')`;
  // A minus begins -infinity and years BC, a plus years of five digits; year 0000 is 1 BC.
  return (
    `multiIf(startsWith(${x}, '-') OR startsWith(${x}, '0000'), ${first}, ` +
    `${x} = 'infinity' OR startsWith(${x}, '+'), ${last}, parseDateTime64BestEffortOrNull(${x}, 6, 'UTC'))`
  );
}

function bitsOf(width: number, x: string): string {
  const digits = `bin(reverse(base64Decode(${x})))`;
  if (width === 0) return `replaceRegexpOne(${digits}, '^0+', '')`;
  return `right(concat(repeat('0', ${width}), ${digits}), ${width})`;
}

function decimalOf({ precision, scale }: WireCodec, x: string): string {
  const digits = '9'.repeat(precision - scale) || '0';
  const largest = scale > 0 ? `${digits}.${'9'.repeat(scale)}` : digits;
  const held = `toDecimal256OrNull(t, ${scale})`;
  const limit = `toDecimal256('${largest}', ${scale})`;
  const fitting =
    `multiIf(isNull(t), NULL, t IN ('NAN', 'NaN', 'POSITIVE_INFINITY', 'Infinity'), ${limit}, ` +
    `t IN ('NEGATIVE_INFINITY', '-Infinity'), -${limit}, isNull(${held}) OR abs(${held}) > ${limit}, ` +
    `if(startsWith(t, '-'), -${limit}, ${limit}), ${held})`;
  return `CAST(${withNames({ t: x }, fitting)}, 'Nullable(Decimal(${precision}, ${scale}))')`;
}
