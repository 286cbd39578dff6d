/** What a record's own schema says of it: its kind, and the schema of its row as JSON with schema has it. */
import type { WireField, WireSchema, WireType } from '../model';

/** What a record is, by the name of its schema; `unknown` for a name that is not Debezium's. */
export type SchemaKind = 'envelope' | 'heartbeat' | 'transaction' | 'message' | 'row' | 'unknown';

/** The schema of a record's value in JSON with schema. */
export interface ConnectSchema {
  readonly kind: SchemaKind;
  /** Of an envelope: its row; null where it has none or one that cannot be understood. */
  readonly row: WireSchema | null;
}

/** Schemas may be nested this deep; Debezium's are four or five levels deep. */
const MAX_DEPTH = 64;

const TYPES: ReadonlySet<string> = new Set<WireType>([
  'boolean',
  'int8',
  'int16',
  'int32',
  'int64',
  'float',
  'double',
  'string',
  'bytes',
  'array',
  'map',
  'struct',
]);

const COMMON = 'io.debezium.connector.common.';
const KINDS = new Map<string, SchemaKind>([
  [`${COMMON}Heartbeat`, 'heartbeat'],
  [`${COMMON}TransactionMetadataValue`, 'transaction'],
  ['io.debezium.connector.postgresql.MessageValue', 'message'],
]);

/** What the value of a record is by the name of its schema, which the connector chooses. */
export function kindOfName(name: string): SchemaKind {
  const known = KINDS.get(name);
  if (known !== undefined) return known;
  if (name.endsWith('.Envelope') || name === 'Envelope') return 'envelope';
  return name.endsWith('.Value') || name === 'Value' ? 'row' : 'unknown';
}

/** A row's schema from its fields. */
export function wireSchema(fields: readonly WireField[]): WireSchema {
  return { fields, fingerprint: JSON.stringify(fields.map((field) => canonical(field))) };
}

/**
 * Reads the member `schema` of JSON with schema, as text. Null if it is no schema of a struct; never throws.
 * The grammar is that of Kafka's JsonConverter.
 */
export function readConnectSchema(text: string): ConnectSchema | null {
  const schema = objectOf(parsed(text));
  if (schema?.['type'] !== 'struct') return null;
  const kind = kindOfName(typeof schema['name'] === 'string' ? schema['name'] : '');
  return { kind, row: kind === 'envelope' ? rowOf(schema) : null };
}

/** The row of an envelope: `after`, else `before`; both are always the same. */
function rowOf(envelope: Readonly<Record<string, unknown>>): WireSchema | null {
  const members = listOf(envelope['fields']).map(objectOf);
  const row = members.find((one) => one?.['field'] === 'after') ?? members.find((one) => one?.['field'] === 'before');
  const field = fieldOf(row ?? null, 0);
  return field?.fields === undefined ? null : wireSchema(field.fields);
}

function fieldOf(schema: Readonly<Record<string, unknown>> | null, depth: number): WireField | null {
  const type = schema?.['type'];
  if (schema === null || depth > MAX_DEPTH || typeof type !== 'string' || !TYPES.has(type)) return null;
  const name = schema['field'];
  const base = {
    name: typeof name === 'string' ? name : '',
    type: type as WireType,
    semantic: typeof schema['name'] === 'string' ? schema['name'] : null,
    parameters: parametersOf(schema['parameters']),
    optional: schema['optional'] === true,
  };
  if (type === 'array') return withParts(base, { items: fieldOf(objectOf(schema['items']), depth + 1) });
  if (type === 'map') {
    const keys = fieldOf(objectOf(schema['keys']), depth + 1);
    return withParts(base, { keys, items: fieldOf(objectOf(schema['values']), depth + 1) });
  }
  if (type !== 'struct') return base;
  const fields = listOf(schema['fields']).map((one) => fieldOf(objectOf(one), depth + 1));
  return fields.every((field) => field !== null) ? { ...base, fields } : null;
}

/** The field with its parts; null if one of them could not be read. */
export function withParts(
  field: WireField,
  parts: { readonly items: WireField | null; readonly keys?: WireField | null },
): WireField | null {
  if (parts.items === null || parts.keys === null) return null;
  return { ...field, items: parts.items, ...(parts.keys === undefined ? {} : { keys: parts.keys }) };
}

/** Texts by name, in the order of the names; anything else is left out. */
export function parametersOf(value: unknown): Record<string, string> {
  const entries = Object.entries(objectOf(value) ?? {}).filter((entry): entry is [string, string] => {
    return typeof entry[1] === 'string';
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A JSON object, or null for anything else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

/** A JSON array, or an empty one for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** JSON text as a value; undefined if it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function canonical(field: WireField): unknown {
  const { name, type, semantic, parameters, optional, items, keys, fields } = field;
  return [
    name,
    type,
    semantic,
    Object.keys(parameters)
      .sort()
      .map((key) => [key, parameters[key]]),
    optional,
    items === undefined ? null : canonical(items),
    keys === undefined ? null : canonical(keys),
    fields === undefined ? null : fields.map(canonical),
  ];
}
