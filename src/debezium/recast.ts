/** What a value becomes when PostgreSQL changes its column's type by a plain cast; no event tells, so it is computed. */
import type { SourceColumn } from '../model';
import { roundedDecimal } from './decimal-text';

/** The JSON of the value under the new type, or null where a plain cast cannot be told (a time zone, an expression). */
type Cast = (raw: string, from: SourceColumn, to: SourceColumn) => string | null;

const INTEGERS = new Set(['int2', 'int4', 'int8', 'oid']);
const TEXTS = new Set(['text', 'varchar', 'bpchar', 'citext', 'name', 'char']);

type Family = 'int' | 'numeric' | 'float' | 'text' | 'enum' | 'bool' | 'date' | 'timestamp' | 'uuid' | 'json' | 'other';

function familyOf({ base, kind }: SourceColumn): Family {
  if (kind === 'e') return 'enum';
  if (INTEGERS.has(base)) return 'int';
  if (TEXTS.has(base)) return 'text';
  if (base === 'float4' || base === 'float8') return 'float';
  if (base === 'json' || base === 'jsonb') return 'json';
  const own = ['numeric', 'bool', 'date', 'timestamp', 'uuid'] as const;
  return own.find((one) => one === base) ?? 'other';
}

const DAY_US = 86_400_000_000n;

const same: Cast = (raw) => raw;
const quoted: Cast = (raw) => JSON.stringify(raw);
const bare = (raw: string): string => (raw.startsWith('"') ? (JSON.parse(raw) as string) : raw);

/** By family of the old and of the new type. */
const CASTS: Partial<Record<`${Family} ${Family}`, Cast>> = {
  'int int': same,
  'int numeric': quoted,
  'int float': same,
  'int text': (raw, _, to) => fitText(raw, to),
  'int bool': (raw) => String(raw !== '0'),
  'bool int': (raw) => (raw === 'true' ? '1' : '0'),
  'bool text': (raw, _, to) => fitText(raw, to),
  'numeric numeric': (raw, _, to) => {
    const rounded = roundedDecimal(bare(raw), scaleOf(to));
    return raw.startsWith('"') ? JSON.stringify(rounded) : rounded;
  },
  'numeric int': (raw) => roundedAway(bare(raw)),
  'numeric float': (raw) => (isDecimal(bare(raw)) ? bare(raw) : null),
  'numeric text': (raw, _, to) => (isDecimal(bare(raw)) ? fitText(bare(raw), to) : null),
  'float float': (raw, from, to) =>
    from.base === 'float4' && to.base === 'float8' && !raw.startsWith('"') ? floatJson(Math.fround(Number(raw))) : raw,
  'float numeric': (raw, from) =>
    raw.startsWith('"') ? null : plainDecimal(Number(raw), from.base === 'float4' ? 6 : 15),
  'float int': (raw) => (raw.startsWith('"') ? null : roundedEven(Number(raw))),
  'text text': (raw, from, to) => fitText(textOf(raw, from), to),
  'text enum': (raw, from) => JSON.stringify(textOf(raw, from)),
  'text int': (raw, from) => /^[+-]?\d+$/.exec(textOf(raw, from).trim())?.[0].replace(/^\+/, '') ?? null,
  'text numeric': (raw, from) => {
    const text = textOf(raw, from).trim();
    return isDecimal(text) ? JSON.stringify(text) : null;
  },
  'text uuid': (raw, from) => {
    const text = textOf(raw, from).toLowerCase();
    return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text) ? JSON.stringify(text) : null;
  },
  'enum text': (raw, _, to) => fitText(bare(raw), to),
  'enum enum': same,
  'uuid text': (raw, _, to) => fitText(bare(raw), to),
  'json text': (raw, _, to) => fitText(bare(raw), to),
  'date timestamp': (raw) => (isFinite(raw) ? String(BigInt(raw) * DAY_US) : null),
  'timestamp date': (raw) => (isFinite(raw) ? String(floored(BigInt(raw), DAY_US)) : null),
  'timestamp timestamp': (raw, _, to) => (isFinite(raw) ? roundedTime(raw, to.modifier) : raw),
};

/**
 * @param raw JSON text of the value in an image of the old version; not `null`
 * @returns the JSON text an image of the new version would have, or null where it cannot be told
 */
export function recast(raw: string, from: SourceColumn, to: SourceColumn): string | null {
  if (isSameType(from, to)) return raw;
  if (from.array !== to.array) return null;
  const families = `${familyOf(from)} ${familyOf(to)}` as const;
  if (from.array) return families === 'int int' ? raw : null;
  if (families === 'other other') return from.base === to.base ? raw : null;
  return CASTS[families]?.(raw, from, to) ?? null;
}

/** Whether values of both types are the same in images and in rows, each one of them. */
export function isSameType(a: SourceColumn, b: SourceColumn): boolean {
  return (
    a.type === b.type && a.base === b.base && a.kind === b.kind && a.array === b.array && a.modifier === b.modifier
  );
}

function textOf(raw: string, { base }: SourceColumn): string {
  // char(n) loses its blanks when it is cast.
  return base === 'bpchar' ? bare(raw).replace(/ +$/, '') : bare(raw);
}

/** A text as the new type holds it: cut to varchar(n), padded to char(n); the modifier is n + 4. */
function fitText(text: string, { base, modifier }: SourceColumn): string {
  if (modifier < 4 || (base !== 'varchar' && base !== 'bpchar')) return JSON.stringify(text);
  const characters = Array.from(text).slice(0, modifier - 4);
  const blanks = base === 'bpchar' ? ' '.repeat(Math.max(0, modifier - 4 - characters.length)) : '';
  return JSON.stringify(characters.join('') + blanks);
}

function isDecimal(text: string): boolean {
  return /^[+-]?\d+(\.\d*)?$/.test(text);
}

/** The scale of numeric(p,s), 0 where s is below; of numeric without one as many digits as there are. */
function scaleOf({ modifier }: SourceColumn): number {
  if (modifier < 4) return Infinity;
  const scale = (modifier - 4) & 0x7ff;
  return scale > 1023 ? 0 : scale;
}

/** Half away from zero, as numeric is rounded. */
function roundedAway(text: string): string | null {
  if (!isDecimal(text)) return null;
  const [whole = '0', fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const size = BigInt(whole) + (fraction >= '5' ? 1n : 0n);
  return String(text.startsWith('-') ? -size : size);
}

/** Half to even, as floats are rounded. */
function roundedEven(value: number): string | null {
  const floor = Math.floor(value);
  const half = value - floor === 0.5;
  const rounded = half ? floor + (Math.abs(floor) % 2) : Math.round(value);
  return Number.isSafeInteger(rounded) ? String(rounded) : null;
}

function floatJson(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** A float as numeric keeps it: so many significant digits, without an exponent. */
function plainDecimal(value: number, digits: number): string | null {
  const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e');
  const figures = mantissa.replace(/[-.]/g, '');
  const point = Number(exponent) + 1;
  if (Math.abs(point) > 400) return null;
  const padded = point <= 0 ? '0'.repeat(1 - point) + figures : figures.padEnd(point, '0');
  const at = Math.max(point, 1);
  const text = `${padded.slice(0, at)}.${padded.slice(at)}`.replace(/\.?0*$/, '');
  return JSON.stringify(value < 0 ? `-${text}` : text);
}

/** Debezium's numbers for infinity are far beyond what a cast could move. */
function isFinite(raw: string): boolean {
  return /^-?\d{1,18}$/.test(raw) && !['-2147472692', '-2147472691', '-622191234', '-625821272'].includes(raw);
}

function floored(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** A timestamp(p): half away from zero on the microseconds. */
function roundedTime(raw: string, modifier: number): string {
  if (modifier < 0 || modifier >= 6) return raw;
  const unit = 10n ** BigInt(6 - modifier);
  const value = BigInt(raw);
  const half = value < 0n ? -unit / 2n : unit / 2n;
  return String(((value + half) / unit) * unit);
}
