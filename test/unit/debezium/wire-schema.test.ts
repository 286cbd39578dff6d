/** Schemas of both wires that have one, as Debezium writes them, and the row that each describes. */
import * as fc from 'fast-check';
import { kindOfAvro, readAvroSchema, recordIn, rowSchemaOf, sourceNames } from '../../../src/debezium/avro-schema';
import { kindOfName, readConnectSchema, wireSchema } from '../../../src/debezium/wire-schema';
import type { WireField, WireSchema } from '../../../src/model';

const DECIMAL = 'org.apache.kafka.connect.data.Decimal';

const connectRow = (field: string): object => ({
  type: 'struct',
  fields: [
    { type: 'int16', optional: false, default: 0, field: 'id' },
    { type: 'int64', optional: true, name: 'io.debezium.time.MicroTimestamp', version: 1, field: 'made_at' },
    { type: 'bytes', optional: true, name: DECIMAL, version: 1, parameters: { scale: '2', 'connect.decimal.precision': '10' }, field: 'price' },
    { type: 'array', items: { type: 'string', optional: true }, optional: true, field: 'tags' },
    { type: 'map', keys: { type: 'string', optional: false }, values: { type: 'string', optional: true }, optional: true, field: 'extra' },
    {
      type: 'struct',
      fields: [
        { type: 'int32', optional: false, field: 'scale' },
        { type: 'bytes', optional: false, field: 'value' },
      ],
      optional: true,
      name: 'io.debezium.data.VariableScaleDecimal',
      version: 1,
      field: 'any',
    },
    { type: 'map', keys: { type: 'int16', optional: false }, values: { type: 'double', optional: false }, optional: true, field: 'sparse' },
  ],
  optional: true,
  name: 'srv.public.t.Value',
  field,
}); // prettier-ignore

const connectEnvelope = (name = 'srv.public.t.Envelope'): object => ({
  type: 'struct',
  fields: [connectRow('before'), connectRow('after'), { type: 'string', optional: false, field: 'op' }],
  optional: false,
  name,
  version: 2,
});

const avroEnvelope = (adjusted: 'adjusted' | 'plain' = 'plain'): object => ({
  type: 'record',
  name: 'Envelope',
  namespace: 'srv.public.t',
  fields: [
    {
      name: 'before',
      type: [
        'null',
        {
          type: 'record',
          name: 'Value',
          fields: [
            { name: 'id', type: { type: 'int', 'connect.default': 0, 'connect.type': 'int16' }, default: 0 },
            {
              name: adjusted === 'adjusted' ? 'made_u005fat' : 'made_at',
              type: ['null', { type: 'long', 'connect.version': 1, 'connect.name': 'io.debezium.time.MicroTimestamp' }],
              default: null,
            },
            {
              name: 'price',
              type: [
                {
                  type: 'bytes',
                  scale: 2,
                  precision: 10,
                  'connect.parameters': { scale: '2', 'connect.decimal.precision': '10' },
                  'connect.name': DECIMAL,
                  logicalType: 'decimal',
                },
                'null',
              ],
              default: 'AA==',
            },
            { name: 'tags', type: ['null', { type: 'array', items: ['null', 'string'] }], default: null },
            { name: 'extra', type: ['null', { type: 'map', values: ['null', 'string'] }], default: null },
            {
              name: 'any',
              type: [
                'null',
                {
                  type: 'record',
                  name: 'VariableScaleDecimal',
                  namespace: 'io.debezium.data',
                  fields: [
                    { name: 'scale', type: 'int' },
                    { name: 'value', type: 'bytes' },
                  ],
                  'connect.name': 'io.debezium.data.VariableScaleDecimal',
                },
              ],
              default: null,
            },
            {
              name: 'sparse',
              type: [
                'null',
                {
                  type: 'array',
                  items: {
                    type: 'record',
                    name: 'MapEntry',
                    namespace: 'io.confluent.connect.avro',
                    fields: [
                      { name: 'key', type: { type: 'int', 'connect.type': 'int16' } },
                      { name: 'value', type: 'double' },
                    ],
                  },
                },
              ],
              default: null,
            },
          ],
          'connect.name': 'srv.public.t.Value',
        },
      ],
      default: null,
    },
    { name: 'after', type: ['null', 'Value'], default: null },
    { name: 'op', type: 'string' },
  ],
  'connect.version': 2,
  'connect.name': 'srv.public.t.Envelope',
});

function avroRow(schema: unknown): WireSchema | null {
  const type = readAvroSchema(JSON.stringify(schema));
  const record = type === null ? null : recordIn(type);
  return record === null ? null : rowSchemaOf(record);
}

const leaf = (name: string, type: WireField['type'], more: Partial<WireField> = {}): WireField => ({
  name,
  type,
  semantic: null,
  parameters: {},
  optional: false,
  ...more,
});

describe('the schema of a row', () => {
  const connect = readConnectSchema(JSON.stringify(connectEnvelope()));

  it('has the columns with type, meaning, parameters and parts', () => {
    const optional = { optional: true };
    expect(connect).toMatchObject({ kind: 'envelope' });
    expect(connect?.row?.fields).toEqual([
      leaf('id', 'int16'),
      leaf('made_at', 'int64', { ...optional, semantic: 'io.debezium.time.MicroTimestamp' }),
      leaf('price', 'bytes', { ...optional, semantic: DECIMAL, parameters: { scale: '2', 'connect.decimal.precision': '10' } }),
      leaf('tags', 'array', { ...optional, items: leaf('', 'string', optional) }),
      leaf('extra', 'map', { ...optional, keys: leaf('', 'string'), items: leaf('', 'string', optional) }),
      leaf('any', 'struct', {
        ...optional,
        semantic: 'io.debezium.data.VariableScaleDecimal',
        fields: [leaf('scale', 'int32'), leaf('value', 'bytes')],
      }),
      leaf('sparse', 'map', { ...optional, keys: leaf('', 'int16'), items: leaf('', 'double') }),
    ]); // prettier-ignore
  });

  it('is the same from Avro, with a union in either order, a reference by name and adjusted names', () => {
    // Only Avro says how a Decimal is written.
    const fields = connect?.row?.fields.map((field) => {
      if (field.semantic !== 'org.apache.kafka.connect.data.Decimal') return field;
      return { ...field, parameters: { 'decimal.format': 'BASE64', ...field.parameters } };
    });
    const expected = wireSchema(fields ?? []);
    expect(expected.fingerprint).not.toBe(connect?.row?.fingerprint);
    expect(avroRow(avroEnvelope())).toEqual(expected);
    expect(avroRow(avroEnvelope('adjusted'))?.fingerprint).toBe(expected.fingerprint);
  });

  it('differs in its fingerprint by everything that changes how a value is read', () => {
    const row = (change: (field: Record<string, unknown>) => void): string => {
      const schema = structuredClone(connectEnvelope()) as { fields: { fields: Record<string, unknown>[] }[] };
      change(schema.fields[1]!.fields[2]!);
      return readConnectSchema(JSON.stringify(schema))!.row!.fingerprint;
    };
    const same = row((field) => Object.assign(field, { default: 'AA==', doc: 'x', version: 7 }));
    expect(same).toBe(connect?.row?.fingerprint);
    const others = [
      row((field) => (field['field'] = 'cost')),
      row((field) => (field['type'] = 'string')),
      row((field) => (field['name'] = 'other')),
      row((field) => (field['parameters'] = { scale: '3' })),
      row((field) => (field['optional'] = false)),
    ];
    expect(new Set([same, ...others]).size).toBe(6);
  });

  it.each([
    ['no JSON', '{"type":"struct"'],
    ['no struct', '{"type":"string"}'],
    ['null', 'null'],
  ])('is not read from %s', (_, text) => {
    expect(readConnectSchema(text)).toBeNull();
  });

  it('is not there for a row with a type that Connect does not have', () => {
    const schema = { type: 'struct', name: 'a.Envelope', fields: [{ field: 'after', type: 'struct', fields: [{ field: 'a', type: 'uuid' }] }] }; // prettier-ignore
    expect(readConnectSchema(JSON.stringify(schema))).toEqual({ kind: 'envelope', row: null });
  });

  it('is null, never an error, for whatever is sent as one', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          expect(() => [readConnectSchema(text), readAvroSchema(text)]).not.toThrow();
        },
      ),
    );
  });
});

describe('an Avro schema', () => {
  it.each([
    ['that contains itself', { type: 'record', name: 'A', fields: [{ name: 'next', type: ['null', 'A'] }] }],
    ['with a union of two types beside null', ['null', 'int', 'string']],
    ['that refers to what it does not declare', { type: 'array', items: 'Other' }],
    ['nested deeper than anything real', Array.from({ length: 200 }).reduce<unknown>((items) => ({ type: 'array', items }), 'int')],
    ['without a name', { type: 'record', fields: [] }],
  ])('is refused: %s', (_, schema) => {
    expect(readAvroSchema(JSON.stringify(schema))).toBeNull();
  }); // prettier-ignore

  it('says by its name what the record is', () => {
    const kind = (name: string, namespace: string) =>
      kindOfAvro(readAvroSchema(JSON.stringify({ type: 'record', name, namespace, fields: [] }))!);
    expect(kind('Envelope', 'srv.public.t')).toBe('envelope');
    expect(kind('Heartbeat', 'io.debezium.connector.common')).toBe('heartbeat');
    expect(kind('Value', 'srv.public.t')).toBe('row');
    expect(kindOfName('io.debezium.connector.common.TransactionMetadataValue')).toBe('transaction');
    expect(kindOfName('io.debezium.connector.postgresql.MessageValue')).toBe('message');
    expect(kindOfName('something')).toBe('unknown');
  });
});

describe('names adjusted for Avro', () => {
  it('are told from names that only look so', () => {
    expect(sourceNames(['id', 'first_u005fname', 'co_u0020l'])).toEqual(['id', 'first_name', 'co l']);
    expect(sourceNames(['id', 'first_name', 'co_u0020l'])).toEqual(['id', 'first_name', 'co_u0020l']);
    expect(sourceNames(['id', 'name'])).toEqual(['id', 'name']);
  });

  it('are read though their codes have three digits or four', () => {
    const adjust = (name: string): string =>
      [...Array(name.length).keys()]
        .map((n) => name.charCodeAt(n))
        .map((unit) => (/[a-zA-Z0-9]/.test(String.fromCharCode(unit)) ? String.fromCharCode(unit) : `_u${unit < 0x100 ? '00' : ''}${unit.toString(16)}`))
        .join(''); // prettier-ignore
    const names = ['имя', 'opłata', '価格', 'a b', 'größe', '😀x', 'số tiền', 'preis_€', 'ağaç', '_'];
    expect(sourceNames(names.map(adjust))).toEqual(names);
  });
});
