/**
 * Records of PostGIS and pgvector, whose extensions the local PostgreSQL has not: made from the form that Debezium's
 * documentation and tests describe, not captured. `npm run golden:documented` writes their files.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROFILES, type Profile } from '../../src/connect/profile';
import { encode, framed, type Schema } from '../unit/debezium/avro-encode';
import { SOURCE_SCHEMA } from '../unit/debezium/avro-envelope';
import type { GoldenFile } from './golden';

export const ORIGIN = 'from the documented form, not captured';

/** `POINT(174.9479 -36.7208)` with SRID 3187, a line of SRID 4326, and a point without SRID, as PostGIS writes EWKB. */
const POINT = '0101000020730C00001C7C613255DE6540787AA52C435C42C0';
const LINE =
  '0105000020E610000001000000010200000002000000A779C7293A2465400B462575025A46C0C66D3480B7FC6440C3D32B65195246C0';
const PLAIN = '0101000000000000000000F03F0000000000000040';

const wkb = (hex: string, srid: number | null): object => ({ wkb: Buffer.from(hex, 'hex'), srid });

/** `1:201, 9:209` of 25 dimensions. */
const SPARSE = new Map([
  [1, 201],
  [9, 209],
]);

type Row = Readonly<Record<string, unknown>>;

const FULL: Row = {
  id: 1,
  spot: wkb(POINT, 3187),
  road: wkb(LINE, 4326),
  plain: wkb(PLAIN, null),
  spots: [wkb(POINT, 3187), null],
  dense: [10, -0.5, 1e-10],
  half: [101, 102.5],
  sparse: { dimensions: 25, vector: SPARSE },
};
const EMPTY: Row = { id: 2, spot: null, road: null, plain: null, spots: [], dense: null, half: null, sparse: null };

const CHANGES: readonly { readonly op: string; readonly before: Row | null; readonly after: Row | null }[] = [
  { op: 'c', before: null, after: FULL },
  { op: 'c', before: null, after: EMPTY },
  { op: 'u', before: EMPTY, after: { ...FULL, id: 2, spots: null } },
  { op: 'd', before: FULL, after: null },
];

/** Per column its Connect schema, as JSON with schema has it; the schema of Avro follows from it. */
const GEO = (name: string): object => ({
  type: 'struct',
  fields: [
    { type: 'bytes', optional: false, field: 'wkb' },
    { type: 'int32', optional: true, field: 'srid' },
  ],
  optional: true,
  name: `io.debezium.data.geometry.${name}`,
  version: 1,
});
const COLUMNS: readonly (readonly [string, object])[] = [
  ['id', { type: 'int32', optional: false }],
  ['spot', GEO('Geometry')],
  ['road', GEO('Geography')],
  ['plain', GEO('Geometry')],
  ['spots', { type: 'array', items: GEO('Geometry'), optional: true }],
  ['dense', vector('double', 'DoubleVector')],
  ['half', vector('float', 'FloatVector')],
  [
    'sparse',
    {
      type: 'struct',
      fields: [
        { type: 'int16', optional: false, field: 'dimensions' },
        {
          type: 'map',
          keys: { type: 'int16', optional: false },
          values: { type: 'double', optional: false },
          optional: false,
          field: 'vector',
        },
      ],
      optional: true,
      name: 'io.debezium.data.SparseDoubleVector',
      version: 1,
    },
  ],
];

function vector(type: string, name: string): object {
  return {
    type: 'array',
    items: { type, optional: false },
    optional: true,
    name: `io.debezium.data.${name}`,
    version: 1,
  };
}

function jsonSchema(): object {
  const row = { type: 'struct', fields: COLUMNS.map(([field, schema]) => ({ ...schema, field })), optional: true };
  const text = (field: string, optional = false): object => ({ type: 'string', optional, field });
  const long = (field: string, optional = true): object => ({ type: 'int64', optional, field });
  const source = [
    ...['version', 'connector', 'name'].map((field) => text(field)),
    long('ts_ms', false),
    text('snapshot', true),
    text('db'),
    text('sequence', true),
    ...['ts_us', 'ts_ns'].map((field) => long(field)),
    ...['schema', 'table'].map((field) => text(field)),
    ...['txId', 'lsn', 'xmin'].map((field) => long(field)),
  ];
  return {
    type: 'struct',
    fields: [
      { ...row, name: 'golden.public.places.Value', field: 'before' },
      { ...row, name: 'golden.public.places.Value', field: 'after' },
      {
        type: 'struct',
        fields: source,
        optional: false,
        name: 'io.debezium.connector.postgresql.Source',
        field: 'source',
      },
      text('op'),
      ...['ts_ms', 'ts_us', 'ts_ns'].map((field) => long(field)),
    ],
    optional: false,
    name: 'golden.public.places.Envelope',
    version: 2,
  };
}

function avroSchema(): Schema {
  const optional = (type: Schema): Schema => ['null', type];
  const geo = (name: string): Schema => ({
    type: 'record',
    name,
    namespace: 'io.debezium.data.geometry',
    fields: [
      { name: 'wkb', type: 'bytes' },
      { name: 'srid', type: optional('int') },
    ],
    'connect.version': 1,
    'connect.name': `io.debezium.data.geometry.${name}`,
  });
  const entry: Schema = {
    type: 'record',
    name: 'MapEntry',
    namespace: 'io.confluent.connect.avro',
    fields: [
      { name: 'key', type: { type: 'int', 'connect.type': 'int16' } },
      { name: 'value', type: 'double' },
    ],
  };
  const sparse: Schema = {
    type: 'record',
    name: 'SparseDoubleVector',
    namespace: 'io.debezium.data',
    fields: [
      { name: 'dimensions', type: { type: 'int', 'connect.type': 'int16' } },
      { name: 'vector', type: { type: 'array', items: entry } },
    ],
    'connect.version': 1,
    'connect.name': 'io.debezium.data.SparseDoubleVector',
  };
  const list = (items: Schema, name: string): Schema => ({
    type: 'array',
    items,
    'connect.name': `io.debezium.data.${name}`,
  });
  const types: Readonly<Record<string, Schema>> = {
    id: 'int',
    spot: optional(geo('Geometry')),
    road: optional(geo('Geography')),
    plain: optional('io.debezium.data.geometry.Geometry'),
    spots: optional({ type: 'array', items: optional('io.debezium.data.geometry.Geometry') }),
    dense: optional(list('double', 'DoubleVector')),
    half: optional(list('float', 'FloatVector')),
    sparse: optional(sparse),
  };
  const row: Schema = {
    type: 'record',
    name: 'Value',
    fields: Object.entries(types).map(([name, type]) => ({ name, type })),
    'connect.name': 'golden.public.places.Value',
  };
  return {
    type: 'record',
    name: 'Envelope',
    namespace: 'golden.public.places',
    fields: [
      { name: 'before', type: optional(row) },
      { name: 'after', type: optional('Value') },
      { name: 'source', type: SOURCE_SCHEMA },
      { name: 'op', type: 'string' },
      ...['ts_ms', 'ts_us', 'ts_ns'].map((name) => ({ name, type: optional('long') })),
    ],
    'connect.version': 2,
    'connect.name': 'golden.public.places.Envelope',
  };
}

/** As the JsonConverter writes it: bytes as base64, a map without text keys as pairs, doubles with a point. */
function jsonText(
  value: unknown,
  schema: { type: string; items?: unknown; fields?: unknown; values?: unknown },
): string {
  if (value === null) return 'null';
  const part = (of: unknown): typeof schema => of as typeof schema;
  switch (schema.type) {
    case 'bytes':
      return JSON.stringify((value as Buffer).toString('base64'));
    case 'float':
    case 'double':
      return javaText(value as number);
    case 'array':
      return `[${(value as unknown[]).map((one) => jsonText(one, part(schema.items))).join(',')}]`;
    case 'map': {
      const pairs = [...(value as Map<number, number>)];
      return `[${pairs.map(([key, one]) => `[${key},${jsonText(one, part(schema.values))}]`).join(',')}]`;
    }
    case 'struct': {
      const fields = schema.fields as ({ readonly field: string } & typeof schema)[];
      const row = value as Row;
      return `{${fields.map((one) => `"${one.field}":${jsonText(row[one.field] ?? null, one)}`).join(',')}}`;
    }
    default:
      return JSON.stringify(value);
  }
}

function javaText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value).replace('e', 'E');
}

/** What the encoder of Avro takes: a map is a list of entries. */
function avroRow(row: Row | null): Row | null {
  if (row === null || row['sparse'] === null) return row;
  const vector = [...SPARSE].map(([key, value]) => ({ key, value }));
  return { ...row, sparse: { dimensions: 25, vector } };
}

const SOURCE = {
  version: '3.7.0.Final',
  connector: 'postgresql',
  name: 'golden',
  ts_ms: 1795265695613,
  snapshot: 'false',
  db: 'golden',
  sequence: null,
  ts_us: 1795265695613087,
  ts_ns: 1795265695613087000n,
  schema: 'public',
  table: 'places',
  txId: 871,
  lsn: 43030808,
  xmin: null,
};

export function documented(profile: Profile): GoldenFile {
  const topic = 'golden.public.places';
  const schema = jsonSchema() as Parameters<typeof jsonText>[1];
  const rowSchema = { type: 'struct', fields: COLUMNS.map(([field, one]) => ({ ...one, field })) };
  const prefix = `{"schema":${JSON.stringify(schema)},`;
  const records = CHANGES.map(({ op, before, after }, index) => {
    const source = { ...SOURCE, lsn: SOURCE.lsn + index };
    const key = JSON.stringify({ id: (after ?? before)?.['id'] });
    if (profile === 'avro') {
      const envelope = { before: avroRow(before), after: avroRow(after), source, op, ts_ms: source.ts_ms };
      return { topic, key, value: `base64:${framed(1, encode(avroSchema(), envelope)).toString('base64')}` };
    }
    const images = `"before":${jsonText(before, rowSchema)},"after":${jsonText(after, rowSchema)}`;
    const rest = `"source":${sourceText(source)},"op":"${op}","ts_ms":${source.ts_ms}`;
    const payload = `{${images},${rest}}`;
    return { topic, key, value: profile === 'json' ? payload : `prefix:0:"payload":${payload}}` };
  });
  return {
    origin: ORIGIN,
    schemas: profile === 'avro' ? { 1: avroSchema() } : {},
    prefixes: profile === 'json-schema' ? [prefix] : [],
    records,
  };
}

function sourceText(source: typeof SOURCE): string {
  const members = Object.entries(source).map(
    ([name, value]) => `"${name}":${typeof value === 'bigint' ? String(value) : JSON.stringify(value)}`,
  );
  return `{${members.join(',')}}`;
}

export function documentedFile(profile: Profile): string {
  return join(__dirname, `documented-${profile}.golden.json`);
}

export function asText(golden: GoldenFile): string {
  return `${JSON.stringify(golden, null, 1)}\n`;
}

if (require.main === module)
  for (const profile of PROFILES) writeFileSync(documentedFile(profile), asText(documented(profile)));
