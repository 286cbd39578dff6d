/** SQL that brings values written in other ways than our profile's into one that `changeExpression` goes on from. */
import { quoteText } from './quote';

/** `body` with a name for each value, so that a long expression stands in the statement once. Bodies see no columns. */
export function withNames(values: Readonly<Record<string, string>>, body: string): string {
  const names = Object.keys(values).join(', ');
  const arrays = Object.values(values).map((value) => `[${value}]`);
  return `arrayMap((${names}) -> ${body}, ${arrays.join(', ')})[1]`;
}

const LIMB_DIGITS = 15;
const LIMB = `1${'0'.repeat(LIMB_DIGITS)}`;

/** limbs * factor + addend; limbs are digits of base 10^15, the lowest first. */
function multiplyAdd(limbs: string, factor: number, addend: string): string {
  const sum = `(l * ${factor} + c.2)`;
  return (
    `arrayFold((c, l) -> (arrayPushBack(c.1, ${sum} % ${LIMB}), intDiv(${sum}, ${LIMB})), ${limbs}, ` +
    `(emptyArrayUInt64(), ${addend})).1`
  );
}

/** The big-endian two's complement bytes `b` as decimal digits with a sign; beyond 32 bytes in long multiplication. */
function integerText(): string {
  const negative = `(reinterpretAsUInt8(substring(b, 1, 1)) > 127)`;
  const extended = `concat(reverse(b), repeat(if(${negative}, unhex('FF'), unhex('00')), 32 - length(b)))`;
  // Nothing to multiply where 32 bytes are enough.
  const bytes = `arrayMap(i -> bitXor(reinterpretAsUInt8(substring(b, i, 1)), if(${negative}, 255, 0)), range(1, if(length(b) > 32, length(b) + 1, 1)))`;
  const zeros = `arrayWithConstant(intDiv(length(b), 6) + 1, toUInt64(0))`;
  const magnitude = `arrayFold((a, d) -> ${multiplyAdd('a', 256, 'toUInt64(d)')}, ${bytes}, ${zeros})`;
  const limbs = multiplyAdd(magnitude, 1, `toUInt64(${negative})`);
  const digits = `trimLeft(arrayStringConcat(arrayReverse(arrayMap(l -> leftPad(toString(l), ${LIMB_DIGITS}, '0'), ${limbs}))), '0')`;
  return `if(length(b) > 32, concat(if(${negative}, '-', ''), ${digits}), toString(reinterpretAsInt256(${extended})))`;
}

/**
 * Base64 of an unscaled integer as plain decimal text; NULL for NULL.
 * @param x of type Nullable(String)
 * @param scale digits after the point, an expression that is not NULL
 */
export function unscaledText(x: string, scale: string): string {
  const integer = withNames({ b: `assumeNotNull(tryBase64Decode(ifNull(${x}, 'AA==')))` }, integerText());
  const sign = `if(startsWith(t, '-'), '-', '')`;
  // leftPad also cuts what is longer.
  const digits = `leftPad(replaceOne(t, '-', ''), greatest(length(t) - startsWith(t, '-'), s + 1), '0')`;
  const pointed = withNames(
    { d: digits, g: sign, s: 's' },
    `concat(g, substring(d, 1, length(d) - s), if(s > 0, '.', ''), substring(d, length(d) - s + 1))`,
  );
  return `if(isNull(${x}), NULL, ${withNames({ t: integer, s: `assumeNotNull(${scale})` }, pointed)})`;
}

const STRING = '"(?:[^"\\\\]|\\\\.)*"';
const OBJECT = `\\{(?:[^"{}]|${STRING})*\\}`;
const ARRAY = `\\[(?:[^"{}\\[\\]]|${STRING}|${OBJECT}|\\[(?:[^"{}\\[\\]]|${STRING}|${OBJECT})*\\])*\\]`;
const WIDE_OBJECT = `\\{(?:[^"{}\\[\\]]|${STRING}|${OBJECT}|${ARRAY})*\\}`;

/**
 * The JSON text of a field of the image as it was written, where JSONExtractRaw would make a double of a number; '' if
 * there is none.
 * @param name unquoted
 */
export function rawField(image: string, name: string): string {
  const field = JSON.stringify(name).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const others = `(?:${STRING}:(?:${STRING}|${WIDE_OBJECT}|${ARRAY}|[^",{}\\[\\]]+),)*`;
  const pattern = `^\\{${others}${field}:(${STRING}|${WIDE_OBJECT}|${ARRAY}|[^",{}\\[\\]]+)`;
  return `extract(${image}, ${quoteText(pattern)})`;
}

/** What `rawField` gave as text that is no JSON: NULL for null and for nothing. */
export function rawScalar(raw: string): string {
  return `nullIf(nullIf(trim(BOTH '"' FROM ${raw}), 'null'), '')`;
}

/** The elements of an array that `rawField` gave: numbers and quoted names, as text; NULL for null. */
export function rawElements(raw: string): string {
  return `arrayMap(x -> ${rawScalar('x')}, extractAll(if(startsWith(${raw}, '['), ${raw}, ''), '"[^"]*"|[^\\\\[\\\\],\\\\s]+'))`;
}

/** The text of a JSON number without its exponent, as PostgreSQL prints numbers; NULL for NULL. */
export function plainNumber(x: string): string {
  const plain =
    `multiIf(e = 0, n, e < 0, concat(g, '0.', repeat('0', -e - w), d), ` +
    `e >= length(d) - w, concat(g, d, repeat('0', e - (length(d) - w))), ` +
    `concat(g, substring(d, 1, w + e), '.', substring(d, w + e + 1)))`;
  const parts = withNames(
    {
      n: 'n',
      g: `if(startsWith(n, '-'), '-', '')`,
      d: `replaceRegexpAll(n, '[-.]|[eE].*', '')`,
      w: `toInt64(length(extract(n, '^-?([0-9]+)')))`,
      e: `toInt64OrZero(extract(n, '[eE]([+-]?[0-9]+)$'))`,
    },
    plain,
  );
  return `if(isNull(${x}), NULL, ${withNames({ n: `assumeNotNull(${x})` }, parts)})`;
}

/** A count of microseconds as the ISO 8601 text of an interval; NULL for NULL. */
export function durationText(x: string): string {
  const seconds = `concat(if(m % 60000000 < 0, '-', ''), toString(CAST(abs(m % 60000000), 'Decimal(38, 6)') / 1000000))`;
  const text = `concat('P0Y0M0DT', toString(intDiv(m, 3600000000)), 'H', toString(intDiv(m % 3600000000, 60000000)), 'M', ${seconds}, 'S')`;
  return `if(isNull(${x}), NULL, ${withNames({ m: `assumeNotNull(${x})` }, text)})`;
}

/** Milliseconds or nanoseconds as the microseconds of our profile, the infinities as one of its own. */
export function microseconds(x: string, unit: 'milliseconds' | 'nanoseconds'): string {
  if (unit === 'milliseconds')
    return `multiIf(${x} < -62135596800000, -9223372036854775808, ${x} > 253402300799999, 9223372036854775807, ${x} * 1000)`;
  // intDiv cuts towards zero.
  const floored = `intDiv(${x} - if(${x} % 1000 < 0, ${x} % 1000 + 1000, ${x} % 1000), 1000)`;
  return `multiIf(${x} = 9223372036854775807 OR ${x} < -9223372036854775807, ${x}, ${floored})`;
}

/** ISO 8601 text of a date as days since 1970; infinities and what Date32 does not hold as days outside its range. */
export function isoDays(x: string): string {
  const below = `(startsWith(${x}, '-') AND ${x} != '-5877611-06-21Z') OR ${x} = '+292269055-12-02Z' OR (${x} >= '0' AND ${x} < '1900')`;
  return `multiIf(isNull(${x}), NULL, ${below}, -9999999, NOT match(assumeNotNull(${x}), '^[12]') OR ${x} >= '2300', 9999999, toInt32(toDate32OrNull(substring(assumeNotNull(${x}), 1, 10))))`;
}

/** ISO 8601 text of a time as microseconds since midnight. */
export function isoMicroseconds(x: string): string {
  const seconds = `(toInt64(substring(t, 1, 2)) * 3600 + toInt64(substring(t, 4, 2)) * 60)`;
  const rest = `toInt64(toDecimal64(replaceOne(substring(t, 7), 'Z', ''), 6) * 1000000)`;
  return `if(isNull(${x}), NULL, ${withNames({ t: `assumeNotNull(${x})` }, `${seconds} * 1000000 + ${rest}`)})`;
}

/**
 * The integer v that `x`, base64 of v * 10^scale, stands for, as text: what PostgreSQL's negative scales become, which
 * are beyond any integer of ClickHouse. v * 5^scale is taken from the bits above `scale` and multiplied by the inverse
 * of 5^scale, modulo 2^248.
 */
export function divisibleText(x: string, scale: number): string {
  const bits = 248n;
  const modulus = 1n << bits;
  const inverse = inverseOf(5n, BigInt(scale), modulus);
  const first = scale >> 3;
  const little = `concat(reverse(b), repeat(if(reinterpretAsUInt8(substring(b, 1, 1)) > 127, unhex('FF'), unhex('00')), greatest(0, ${first + 33} - toInt64(length(b)))))`;
  const low = `bitShiftRight(reinterpretAsUInt256(substring(${little}, ${first + 1}, 32)), ${scale & 7})`;
  const product = `bitAnd(${low} * toUInt256('${inverse}'), toUInt256('${modulus - 1n}'))`;
  const signed = withNames(
    { p: product },
    `toString(if(p >= toUInt256('${modulus >> 1n}'), toInt256(p) - toInt256('${modulus}'), toInt256(p)))`,
  );
  return `if(isNull(${x}), NULL, ${withNames({ b: `assumeNotNull(tryBase64Decode(ifNull(${x}, 'AA==')))` }, signed)})`;
}

/** The inverse of base^exponent modulo a power of two: base^-1 raised to the exponent. */
function inverseOf(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let inverse = 1n;
  // Newton's step doubles the number of right bits.
  for (let bits = 1; bits < 256; bits *= 2) inverse = (inverse * (2n - base * inverse)) % modulus;
  let power = ((inverse % modulus) + modulus) % modulus;
  let result = 1n;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * power) % modulus;
    power = (power * power) % modulus;
  }
  return result;
}
