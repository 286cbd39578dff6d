/** An Avro writer schema with its references resolved, and the row schema that Kafka Connect wrote it from. */
import { DECIMAL_FORMAT, type WireField, type WireSchema, type WireType } from '../model';
import {
  kindOfName,
  listOf,
  objectOf,
  parametersOf,
  parsed,
  wireSchema,
  withParts,
  type SchemaKind,
} from './wire-schema';

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
type Primitive = (typeof PRIMITIVES)[number];

/** What Connect's converter noted at a schema; nothing of it changes how the bytes are read. */
export interface ConnectNotes {
  /** `connect.name`, or the name of the Connect type that a `logicalType` stands for. */
  readonly semantic: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  /** `int8` and `int16`, which Avro has not. */
  readonly connectType: string | null;
}

export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
}

/** A schema by what stands in the bytes. Branches of a union keep the order of the schema: the bytes name them by it. */
export type AvroType = ConnectNotes &
  (
    | { readonly kind: Primitive }
    | { readonly kind: 'fixed'; readonly size: number }
    | { readonly kind: 'enum'; readonly symbols: readonly string[] }
    | { readonly kind: 'array'; readonly items: AvroType }
    | { readonly kind: 'map'; readonly items: AvroType }
    | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
    | { readonly kind: 'record'; readonly name: string; readonly fields: readonly AvroField[] }
  );

export type AvroRecord = Extract<AvroType, { readonly kind: 'record' }>;

/** Schemas may be nested this deep; Debezium's are four or five levels deep. */
const MAX_DEPTH = 64;

const NO_NOTES: ConnectNotes = { semantic: null, parameters: {}, connectType: null };
const CONNECT = 'org.apache.kafka.connect.data.';
const LOGICAL = new Map([
  ['decimal', `${CONNECT}Decimal`],
  ['date', `${CONNECT}Date`],
  ['time-millis', `${CONNECT}Time`],
  ['timestamp-millis', `${CONNECT}Timestamp`],
]);

/**
 * Reads a writer schema. Null for text that is no Avro schema, and for what Kafka Connect never writes: a type that
 * contains itself, a union of several types beside null. Never throws.
 */
export function readAvroSchema(text: string): AvroType | null {
  const schema = parsed(text);
  return schema === undefined ? null : typeOf(schema, { namespace: '', depth: 0, names: new Map() });
}

/** The types named so far by their full name, null for one that is not complete yet. */
interface Scope {
  readonly namespace: string;
  readonly depth: number;
  readonly names: Map<string, AvroType | null>;
}

function typeOf(schema: unknown, scope: Scope): AvroType | null {
  if (scope.depth > MAX_DEPTH) return null;
  const inner = { ...scope, depth: scope.depth + 1 };
  if (typeof schema === 'string') return namedType(schema, scope);
  if (Array.isArray(schema)) return unionOf(schema, inner);
  const node = objectOf(schema);
  if (node === null) return null;
  const { type } = node;
  if (typeof type !== 'string') return withNotes(typeOf(type, inner), node);
  switch (type) {
    case 'record':
    case 'error':
      return recordOf(node, inner);
    case 'enum':
    case 'fixed':
      return declared(node, scope, () => leafOf(node, type));
    case 'array':
    case 'map': {
      const items = typeOf(node[type === 'array' ? 'items' : 'values'], inner);
      return items === null ? null : { ...notesOf(node), kind: type, items };
    }
    default:
      return withNotes(namedType(type, scope), node);
  }
}

/** A primitive, or a type that was declared before. */
function namedType(name: string, { namespace, names }: Scope): AvroType | null {
  const primitive = PRIMITIVES.find((one) => one === name);
  if (primitive !== undefined) return { ...NO_NOTES, kind: primitive };
  const declared = names.get(fullName(name, namespace)) ?? names.get(name) ?? null;
  return declared === null ? null : withoutColumn(declared);
}

/** What the connector notes at a column is of the column where a record is declared, not of others that refer to it. */
function withoutColumn(type: AvroType): AvroType {
  const entries = Object.entries(type.parameters).filter(([name]) => !name.startsWith(OF_COLUMN));
  return { ...type, parameters: Object.fromEntries(entries) };
}

function unionOf(branches: readonly unknown[], scope: Scope): AvroType | null {
  const types = branches.map((one) => typeOf(one, scope));
  if (!types.every((type) => type !== null)) return null;
  const values = types.filter(({ kind }) => kind !== 'null');
  if (values.length !== 1 || types.length > 2 || values[0]?.kind === 'union') return null;
  return { ...NO_NOTES, kind: 'union', branches: types };
}

function recordOf(node: Readonly<Record<string, unknown>>, scope: Scope): AvroType | null {
  const name = nameOf(node, scope);
  const namespace = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  return declared(node, scope, () => {
    const fields: AvroField[] = [];
    for (const one of listOf(node['fields'])) {
      const field = objectOf(one);
      const type = typeOf(field?.['type'], { ...scope, namespace });
      if (field === null || type === null || typeof field['name'] !== 'string') return null;
      fields.push({ name: field['name'], type });
    }
    return { ...notesOf(node), kind: 'record', name, fields };
  });
}

function leafOf(node: Readonly<Record<string, unknown>>, type: 'enum' | 'fixed'): AvroType | null {
  if (type === 'enum') {
    const symbols = listOf(node['symbols']);
    if (!symbols.every((symbol) => typeof symbol === 'string')) return null;
    return { ...notesOf(node), kind: 'enum', symbols };
  }
  const size = node['size'];
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0) return null;
  return { ...notesOf(node), kind: 'fixed', size };
}

/** Declares a named type: a reference to it from inside itself finds null. */
function declared(node: Readonly<Record<string, unknown>>, scope: Scope, make: () => AvroType | null): AvroType | null {
  const name = nameOf(node, scope);
  if (name === '' || scope.names.has(name)) return null;
  scope.names.set(name, null);
  const type = make();
  scope.names.set(name, type);
  return type;
}

function nameOf(node: Readonly<Record<string, unknown>>, { namespace }: Scope): string {
  const { name } = node;
  if (typeof name !== 'string') return '';
  const own = node['namespace'];
  return fullName(name, typeof own === 'string' ? own : namespace);
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function withNotes(type: AvroType | null, node: Readonly<Record<string, unknown>>): AvroType | null {
  if (type === null) return null;
  const { semantic, parameters, connectType } = notesOf(node);
  return {
    ...type,
    semantic: semantic ?? type.semantic,
    parameters: { ...type.parameters, ...parameters },
    connectType: connectType ?? type.connectType,
  };
}

function notesOf(node: Readonly<Record<string, unknown>>): ConnectNotes {
  const { scale, precision, logicalType } = node;
  const name = node['connect.name'];
  const type = node['connect.type'];
  const logical = typeof logicalType === 'string' ? (LOGICAL.get(logicalType) ?? null) : null;
  const semantic = typeof name === 'string' ? name : logical;
  const ofDecimal =
    semantic === `${CONNECT}Decimal`
      ? {
          scale: String(typeof scale === 'number' ? scale : 0),
          // Whatever the connector's option for JSON says.
          [DECIMAL_FORMAT]: 'BASE64',
          ...(typeof precision === 'number' ? { 'connect.decimal.precision': String(precision) } : {}),
        }
      : {};
  return {
    semantic,
    parameters: parametersOf({ ...ofDecimal, ...parametersOf(node['connect.parameters']) }),
    connectType: typeof type === 'string' ? type : null,
  };
}

/** What the value of a record is by the full name of its schema. */
export function kindOfAvro(type: AvroType): SchemaKind {
  const record = recordIn(type);
  return record === null ? 'unknown' : kindOfName(record.semantic ?? record.name);
}

/** The record that a type is, also as the one branch beside null; null if it is none. */
export function recordIn(type: AvroType): AvroRecord | null {
  if (type.kind === 'union') return type.branches.map(recordIn).find((record) => record !== null) ?? null;
  return type.kind === 'record' ? type : null;
}

/** The row of an envelope, as Connect's schema has it; null where there is none. */
export function rowSchemaOf(envelope: AvroRecord): WireSchema | null {
  const members = envelope.fields.filter(({ name }) => name === 'after' || name === 'before');
  const row = members.map(({ type }) => recordIn(type)).find((record) => record !== null);
  if (row === undefined) return null;
  const fields = fieldsOf(row);
  return fields === null ? null : wireSchema(fields);
}

function fieldsOf({ fields }: AvroRecord): WireField[] | null {
  const names = columnNames(fields);
  const found = fields.map(({ type }, n) => fieldOf(names[n] ?? '', type));
  return found.every((field) => field !== null) ? found : null;
}

const CONNECT_TYPES: Readonly<Record<Exclude<AvroType['kind'], 'null' | 'union'>, WireType>> = {
  boolean: 'boolean',
  int: 'int32',
  long: 'int64',
  float: 'float',
  double: 'double',
  bytes: 'bytes',
  string: 'string',
  fixed: 'bytes',
  enum: 'string',
  array: 'array',
  map: 'map',
  record: 'struct',
};

function fieldOf(name: string, type: AvroType): WireField | null {
  const value = type.kind === 'union' ? type.branches.find(({ kind }) => kind !== 'null') : type;
  if (value === undefined || value.kind === 'null' || value.kind === 'union') return null;
  const { semantic, parameters, connectType } = value;
  const small = value.kind === 'int' && (connectType === 'int8' || connectType === 'int16');
  const field: WireField = {
    name,
    type: small ? connectType : CONNECT_TYPES[value.kind],
    semantic,
    parameters,
    optional: type.kind === 'union',
  };
  if (value.kind === 'array') {
    const entry = mapEntry(value.items);
    if (entry === null) return withParts(field, { items: fieldOf('', value.items) });
    return withParts({ ...field, type: 'map' }, { keys: fieldOf('', entry.key), items: fieldOf('', entry.value) });
  }
  if (value.kind === 'map') {
    const keys: WireField = { name: '', type: 'string', semantic: null, parameters: {}, optional: false };
    return withParts(field, { keys, items: fieldOf('', value.items) });
  }
  if (value.kind !== 'record') return field;
  const fields = fieldsOf(value);
  return fields === null ? null : { ...field, semantic: semantic ?? value.name, fields };
}

/** The converter writes a map whose keys are no plain strings as an array of these records. */
export function mapEntry(items: AvroType): { readonly key: AvroType; readonly value: AvroType } | null {
  if (items.kind !== 'record' || items.fields.length !== 2) return null;
  if (items.name !== 'MapEntry' && !items.name.endsWith('.MapEntry')) return null;
  const [key, value] = items.fields;
  return key?.name === 'key' && value?.name === 'value' ? { key: key.type, value: value.type } : null;
}

/** What `column.propagate.source.type` notes at each column. */
const OF_COLUMN = '__debezium.source.column.';
const COLUMN_NAME = `${OF_COLUMN}name`;

/** The columns of a row by their names in PostgreSQL: as the connector noted them, else as `sourceNames` has them. */
export function columnNames(fields: readonly AvroField[]): readonly string[] {
  const names = sourceNames(fields.map(({ name }) => name));
  return fields.map(({ type }, n) => {
    const value = type.kind === 'union' ? type.branches.find(({ kind }) => kind !== 'null') : type;
    return value?.parameters[COLUMN_NAME] ?? names[n] ?? '';
  });
}

/** `_u` and the hexadecimal digits of a UTF-16 unit: `00` and two, or three or four without zeros before them. */
const ESCAPED_UNIT = /_u(00[0-9a-f]{2}|[1-9a-f][0-9a-f]{2,3})/g;

/**
 * Column names as PostgreSQL has them, of those of one row. With `field.name.adjustment.mode=avro_unicode` Debezium writes
 * every character that is no ASCII letter or digit as `_u` and its hexadecimal code, the underscore too. So names are
 * taken to be adjusted if one has such an escape and each underscore begins one. Codes have no fixed length: where a
 * letter or digit follows, the reading that is the likelier script is taken (docs/wires.md).
 */
export function sourceNames(names: readonly string[]): readonly string[] {
  const rests = names.map((name) => name.replace(ESCAPED_UNIT, ''));
  const adjusted = names.some((name, n) => name !== rests[n]) && rests.every((rest) => !rest.includes('_'));
  return adjusted ? names.map(sourceName) : names;
}

/** The name that `avro_unicode` made into this one. */
export function sourceName(adjusted: string): string {
  return adjusted.replace(ESCAPED_UNIT, (_, digits: string) => {
    const unit = Number.parseInt(digits, 16);
    if (digits.length < 4 || !isRareScript(unit)) return String.fromCharCode(unit);
    return String.fromCharCode(unit >> 4) + digits.slice(3);
  });
}

/** Scripts that column names hardly have, read with four digits: with three they are Latin, Greek or Cyrillic letters. */
function isRareScript(unit: number): boolean {
  return (unit >= 0x1000 && unit < 0x1e00) || (unit >= 0x3400 && unit < 0x4e00);
}
