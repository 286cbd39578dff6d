/** What a column becomes by the rules of the settings: its type where they name one, and the policy for values that do not fit it. */
import {
  DEFAULT_POLICIES,
  type ColumnChoices,
  type Policy,
  type PolicyInForce,
  type PolicyKind,
} from '../column-rules';
import type { SourceColumn } from '../model';
import { mirrorType, nullableType, type MirrorType, type WireCodec, type WireForm } from './mirror-type';

/** Forms of which some values fit no type but String. */
const KINDS: Partial<Record<WireForm, PolicyKind>> = {
  decimal: 'numeric',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
};

/** Forms that can be written as PostgreSQL prints their values. */
const PRINTED: ReadonlySet<WireForm> = new Set(['int', 'uuid', 'decimal', 'date', 'timestamp', 'timestamptz', 'time']);

/** What a source column becomes; null for a type that Debezium leaves out of its events. */
export function chosenType(column: SourceColumn, inKey: boolean, choices: ColumnChoices): MirrorType | null {
  const own = mirrorType(column, inKey);
  if (own === null) return null;
  const rule = choices.rule(column.name);
  const found = rule.type === undefined ? own : (withType(own, rule.type) ?? own);
  const policy = policyOf(found, inKey, rule.policy, choices);
  const isText = policy === 'lossless' && choices.widened.has(column.name);
  const typed = isText ? asText(found, 'String') : { ...found, policy };
  if (nullableType(typed.type) !== typed.type || isNullable(typed.type) || column.notNull || inKey) return typed;
  return { ...typed, nulls: (rule.policy ?? choices.defaults.null) === 'reject' ? 'reject' : 'clamp' };
}

/** The policies that may act on a column. A NULL that reads as the empty value is none: the mirror's `_nulls` names it. */
export function policiesInForce(column: SourceColumn, inKey: boolean, choices: ColumnChoices): PolicyInForce[] {
  const rule = choices.rule(column.name);
  const found = chosenType(column, inKey, { ...choices, widened: new Set() });
  if (found === null || rule.mask !== undefined || rule.skip === true) return [];
  const { policy, nulls, codec } = found;
  const kind = KINDS[codec.form];
  const inForce: PolicyInForce[] = [];
  if (policy !== 'exact' && kind !== undefined) {
    const asked = rule.policy ?? choices.defaults[kind];
    const isDefault = rule.policy === undefined && asked === DEFAULT_POLICIES[kind];
    inForce.push({ on: 'values', policy, from: asked !== policy ? 'key' : isDefault ? 'default' : 'COLUMNS' });
  }
  if (nulls === 'reject') inForce.push({ on: 'NULL', policy: 'reject', from: 'COLUMNS' });
  return inForce;
}

/** Whether the rules give the column a type that its values cannot have. */
export function isTypeImpossible(column: SourceColumn, inKey: boolean, choices: ColumnChoices): boolean {
  const { type } = choices.rule(column.name);
  const own = type === undefined ? null : mirrorType(column, inKey);
  return type !== undefined && own !== null && withType(own, type) === null;
}

/** A key is never clamped: two rows would become one. */
function policyOf(
  { policy, codec }: MirrorType,
  inKey: boolean,
  asked: Policy | undefined,
  { defaults }: ColumnChoices,
): MirrorType['policy'] {
  const kind = KINDS[codec.form];
  if (policy === 'exact' || kind === undefined) return 'exact';
  const wanted = asked ?? defaults[kind];
  return inKey && wanted === 'clamp' ? 'lossless' : wanted;
}

function isNullable(type: string): boolean {
  return /^(LowCardinality\()?Nullable\(/.test(type);
}

/** The type with what stands around the old one: Array, Nullable. */
function around(own: MirrorType, type: string): string {
  if (own.codec.array) return `Array(Nullable(${type}))`;
  return isNullable(own.type) ? nullableType(type) : type;
}

function asText(own: MirrorType, type: string): MirrorType {
  return { type: around(own, type), codec: { ...own.codec, asText: true }, policy: 'exact' };
}

/** Null where the column's values cannot be written as that type. */
function withType(own: MirrorType, wanted: string): MirrorType | null {
  const { codec } = own;
  const [, element] = /^Array\(Nullable\((.+)\)\)$/.exec(wanted) ?? [];
  if ((element !== undefined) !== codec.array) return null;
  const type = element ?? wanted;
  if (type === 'String' || type === 'LowCardinality(String)') {
    if (codec.form === 'text') return { ...own, type: around(own, type) };
    return PRINTED.has(codec.form) ? asText(own, type) : null;
  }
  if (codec.asText) return null;
  const sizes = sizesOf(codec, type);
  if (sizes === null) return null;
  const policy = codec.form === 'int' ? 'exact' : 'clamp';
  // Another scale than PostgreSQL's: what it does not hold does not fit.
  const { declared: _, ...rest } = codec;
  return { type: around(own, type), codec: { ...rest, ...sizes }, policy };
}

const INTEGERS = new Map([
  ['Int16', 2],
  ['Int32', 4],
  ['Int64', 8],
]);

/** What differs in the codec that writes values of the form as that type; null where none does. */
function sizesOf(codec: WireCodec, type: string): Partial<WireCodec> | null {
  return SIZES[codec.form]?.(type, codec) ?? null;
}

const SIZES: Partial<Record<WireForm, (type: string, codec: WireCodec) => Partial<WireCodec> | null>> = {
  int: (type, { width, precision }) => {
    const bytes = INTEGERS.get(type) ?? 0;
    const isUnsigned = precision === 1;
    return bytes > width || (bytes === width && !isUnsigned) ? { width: bytes, precision: 0 } : null;
  },
  decimal: (type) => {
    const [, digits, scale] = /^Decimal\((\d+), (\d+)\)$/.exec(type) ?? [];
    return digits === undefined ? null : { precision: Number(digits), scale: Number(scale) };
  },
  date: (type) => (type === 'Date' ? { width: 2 } : type === 'Date32' ? { width: 4 } : null),
  // A timestamp without time zone shown in another zone would be another time of day.
  timestamp: (type) => (type.endsWith(`'UTC')`) ? cutOf(type) : null),
  timestamptz: cutOf,
};

function cutOf(type: string): Partial<WireCodec> | null {
  const [, digits] = /^DateTime64\((\d), /.exec(type) ?? [];
  return digits === undefined ? null : { scale: 6 - Number(digits) };
}
