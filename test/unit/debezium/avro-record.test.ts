/** Avro bytes and the JSON text that they become, against a plain encoder; and bytes that are no Avro. */
import * as fc from 'fast-check';
import { compileAvro, openAvro, renderAvro, type CompiledSchema } from '../../../src/debezium/avro-record';
import { Envelope } from '../../../src/debezium/envelope-found';
import { doubleText, floatText, JsonOutput } from '../../../src/debezium/json-output';
import { encode, long, type Schema } from './avro-encode';
import { envelopeSchema } from './avro-envelope';
import { envelope as jsonEnvelope } from '../delivery/wire';

const output = new JsonOutput();

function compiled(schema: Schema): CompiledSchema {
  const made = compileAvro(JSON.stringify(schema));
  if (made === null) throw new Error('no schema');
  return made;
}

function rendered(schema: Schema, bytes: Uint8Array): string | null {
  output.clear();
  if (!renderAvro(compiled(schema), { bytes, start: 0, end: bytes.length }, output)) return null;
  return Buffer.from(output.bytes.subarray(0, output.at)).toString('utf8');
}

const text = (schema: Schema, value: unknown): string | null => rendered(schema, encode(schema, value));

describe('a value becomes the text that the JSON converter would have written', () => {
  it.each<[string, Schema, unknown, string]>([
    ['null', ['null', 'int'], null, 'null'],
    ['null beside a default', ['int', 'null'], null, 'null'],
    ['a value beside a default', ['int', 'null'], 5, '5'],
    ['a boolean', 'boolean', true, 'true'],
    ['an int', 'int', -2147483648, '-2147483648'],
    ['the largest long', 'long', 9223372036854775807n, '9223372036854775807'],
    ['the smallest long', 'long', -9223372036854775808n, '-9223372036854775808'],
    ['2^53 + 1', 'long', 9007199254740993n, '9007199254740993'],
    ['2^53 − 1', 'long', 9007199254740991n, '9007199254740991'],
    ['−2^53', 'long', -9007199254740992n, '-9007199254740992'],
    ['microseconds', 'long', 1795223719264516n, '1795223719264516'],
    ['text', 'string', 'tx"\\\n\u0001é😀', '"tx\\"\\\\\\n\\u0001é😀"'],
    ['bytes', 'bytes', Buffer.from([0, 1, 2, 0xca, 0xff]), '"AAECyv8="'],
    ['no bytes', 'bytes', Buffer.alloc(0), '""'],
    ['a decimal', { type: 'bytes', logicalType: 'decimal', scale: 2, precision: 5 }, Buffer.from([0xff]), '"/w=="'],
    ['fixed bytes', { type: 'fixed', name: 'F', size: 2 }, Buffer.from([1, 2]), '"AQI="'],
    ['an enum', { type: 'enum', name: 'E', symbols: ['sad', 'ok'] }, 'ok', '"ok"'],
    ['an array', { type: 'array', items: ['null', 'string'] }, ['a', null, 'NULL', ''], '["a",null,"NULL",""]'],
    ['an empty array', { type: 'array', items: 'int' }, [], '[]'],
    ['a map', { type: 'map', values: ['null', 'string'] }, { 'k"1': 'v', k2: null }, '{"k\\"1":"v","k2":null}'],
    [
      'a map whose keys are no strings',
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
      [
        { key: 1, value: 1.5 },
        { key: 7, value: 2 },
      ],
      '[[1,1.5],[7,2.0]]',
    ],
    [
      'a struct',
      { type: 'record', name: 'V', fields: [{ name: 'scale', type: 'int' }, { name: 'value', type: 'bytes' }] },
      { scale: 1, value: Buffer.from([11]) },
      '{"scale":1,"value":"Cw=="}',
    ],
    ['a struct without fields', { type: 'record', name: 'V', fields: [] }, {}, '{}'],
    ['a float', 'float', 3.33, '3.33'],
    ['a double', 'double', 6.66, '6.66'],
    ['NaN', 'double', NaN, '"NaN"'],
    ['infinity', 'float', -Infinity, '"-Infinity"'],
    ['negative zero', 'double', -0, '-0.0'],
  ])('%s', (_, schema, value, expected) => {
    expect(text(schema, value)).toBe(expected);
  }); // prettier-ignore

  it('for every long', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(63), (value, shift) => {
        const wide = value >> BigInt(shift);
        expect(rendered('long', long(wide))).toBe(wide.toString());
      }),
      { numRuns: 3000 },
    );
  });

  it('for every string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(JSON.parse(text('string', value) ?? '')).toBe(value);
      }),
      { numRuns: 500 },
    );
  });

  it('for bytes of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        expect(text('bytes', Buffer.from(value))).toBe(`"${Buffer.from(value).toString('base64')}"`);
      }),
    );
  });
});

describe('a number with a fraction', () => {
  it.each([
    [1, '1.0'],
    [-0, '-0.0'],
    [0.001, '0.001'],
    [9.9e-4, '9.9E-4'],
    [9999999.5, '9999999.5'],
    [1e7, '1.0E7'],
    [1.5e300, '1.5E300'],
    [5e-324, '4.9E-324'],
    [Number.MAX_VALUE, '1.7976931348623157E308'],
    [NaN, '"NaN"'],
  ])('is written as Java writes it: %d', (value, expected) => {
    expect(doubleText(value)).toBe(expected);
  });

  it.each([
    [3.33, '3.33'],
    [16777216, '1.6777216E7'],
    [1.17549435e-38, '1.1754944E-38'],
    [1.4e-45, '1.4E-45'],
    [3.4028235e38, '3.4028235E38'],
    [0.1, '0.1'],
  ])('is written with the digits of a float: %d', (value, expected) => {
    expect(floatText(Math.fround(value))).toBe(expected);
  });

  it('is read as the same number again', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Object.is(JSON.parse(doubleText(value)), value)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Object.is(Math.fround(JSON.parse(floatText(value)) as number), value)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

const ROW = [
  { name: 'id', type: 'long' },
  { name: 'note', type: ['null', 'string'] },
];
const ENVELOPE = envelopeSchema(ROW);

interface Told {
  readonly op?: string;
  readonly after?: object | null;
  readonly before?: object | null;
  readonly lsn?: number;
  readonly table?: string;
  readonly snapshot?: string;
  readonly total_order?: number;
}

const complete = (told: Told): object => {
  const made = jsonEnvelope(told) as { source: object; transaction: object | null };
  const transaction = made.transaction === null ? null : { ...made.transaction, data_collection_order: 1 };
  return { ...made, transaction, ts_ns: 1_795_223_719_374_145_120n, source: { ...made.source, ts_ns: 1n } };
};

function opened(bytes: Uint8Array, schema: CompiledSchema = compiled(ENVELOPE)) {
  const into = new Envelope();
  output.clear();
  const kind = openAvro(schema, { bytes, start: 0, end: bytes.length }, into, output);
  const shown = (start: number, end: number): string | null =>
    start < 0 ? null : Buffer.from(output.bytes.subarray(start, end)).toString('utf8');
  return {
    kind,
    error: into.error,
    op: into.op < 0 ? null : String.fromCharCode(into.op),
    before: shown(into.beforeStart, into.beforeEnd),
    after: shown(into.afterStart, into.afterEnd),
    names: [
      shown(into.nameStart, into.nameEnd),
      shown(into.dbStart, into.dbEnd),
      shown(into.schemaStart, into.schemaEnd),
      shown(into.tableStart, into.tableEnd),
    ],
    snapshot: shown(into.snapshotStart, into.snapshotEnd),
    numbers: [into.tsUs, into.capturedUs, into.lsn, into.commitLsn, into.txId, into.txOrder],
  };
}

it('columns of one record type have their own names, and so have the parts of other records', () => {
  const noted = (name: string): object => ({ 'connect.parameters': { '__debezium.source.column.name': name } });
  const point = { type: 'record', name: 'Point', namespace: 'geo', fields: [{ name: 'x', type: 'int' }], ...noted('at_first') };
  const circle = { type: 'record', name: 'Circle', namespace: 'geo', fields: [{ name: 'center', type: 'Point' }], ...noted('around') };
  const fields = [
    { name: 'at_u005ffirst', type: ['null', point] },
    { name: 'at_u005flast', type: ['null', 'geo.Point'] },
    { name: 'around', type: ['null', circle] },
  ];
  const value = { at_u005ffirst: { x: 1 }, at_u005flast: { x: 2 }, around: { center: { x: 3 } } };
  const row: Schema = { type: 'record', name: 'Value', namespace: 'shop', fields };
  expect(text(row, value)).toBe('{"at_first":{"x":1},"at_last":{"x":2},"around":{"center":{"x":3}}}');
}); // prettier-ignore

describe('an envelope', () => {
  it('is read from the bytes, its images as JSON', () => {
    const told = { op: 'u', before: { id: 1n, note: null }, after: { id: 2n ** 62n, note: 'x"y' }, snapshot: 'last', lsn: 5000, total_order: 3 }; // prettier-ignore
    expect(opened(encode(ENVELOPE, complete(told)))).toEqual({
      kind: 'change',
      error: 'ENVELOPE_MALFORMED',
      op: 'u',
      before: '{"id":1,"note":null}',
      after: '{"id":4611686018427387904,"note":"x\\"y"}',
      names: ['shop', 'demo', 'public', 'orders'],
      snapshot: 'last',
      numbers: [1_795_223_719_264_516, 1_795_223_719_374_145, 5000, 4990, 756, 3],
    });
  });

  it('of an older connector lacks fields', () => {
    const older = structuredClone(ENVELOPE) as unknown as {
      fields: { name: string; type: { fields: { name: string }[] } }[];
    };
    const source = older.fields.find(({ name }) => name === 'source')!.type;
    source.fields = source.fields.filter(({ name }) => !['ts_us', 'ts_ns', 'xmin'].includes(name));
    older.fields = older.fields.filter(({ name }) => !['ts_us', 'ts_ns', 'transaction'].includes(name));
    const schema = older as unknown as Schema;
    const { kind, numbers } = opened(encode(schema, complete({ after: { id: 1n, note: null } })), compiled(schema));
    expect([kind, numbers[0], numbers[1]]).toEqual(['change', 1_795_223_719_264_000, 1_795_223_719_374_000]);
  });

  it.each<[string, Told, string]>([
    ['an op that nobody knows', { op: 'x', after: { id: 1n } }, 'ENVELOPE_UNKNOWN_OP'],
    ['a create without a row', { op: 'c' }, 'ENVELOPE_MALFORMED'],
    ['a number that JavaScript cannot hold', { after: { id: 1n }, lsn: 2 ** 60 }, 'ENVELOPE_NUMBER_TOO_LARGE'],
  ])('is bad with %s', (_, told, error) => {
    expect(opened(encode(ENVELOPE, complete(told)))).toMatchObject({ kind: 'bad', error });
  });

  it('is a message, a truncate or a delete by its op', () => {
    const kindOf = (op: string): string => opened(encode(ENVELOPE, complete({ op, before: null }))).kind;
    expect([kindOf('m'), kindOf('t'), kindOf('d')]).toEqual(['message', 'change', 'change']);
  });

  it('is told from rows without one, heartbeats and transactions by the name of the schema', () => {
    const record = (name: string, namespace: string): CompiledSchema =>
      compiled({ type: 'record', name, namespace, fields: [{ name: 'ts_ms', type: 'long' }] });
    const bytes = long(5);
    expect(opened(bytes, record('Value', 'shop.public.orders'))).toMatchObject({ kind: 'bad', error: 'ENVELOPE_FLATTENED' }); // prettier-ignore
    expect(opened(bytes, record('Heartbeat', 'io.debezium.connector.common')).kind).toBe('heartbeat');
    expect(opened(bytes, record('TransactionMetadataValue', 'io.debezium.connector.common')).kind).toBe('transaction');
    expect(opened(long(0), compiled(['null', ENVELOPE])).kind).toBe('tombstone');
  });

  it('needs the members that Debezium gives it, in the types that it gives them', () => {
    expect(compileAvro(JSON.stringify(envelopeSchema([], { name: 'Envelope' })))).not.toBeNull();
    const wrong = JSON.stringify(ENVELOPE).replace('"name":"op","type":"string"', '"name":"op","type":"long"');
    expect(compileAvro(wrong)).toBeNull();
  });
});

describe('bytes that are not what their schema says', () => {
  const good = encode(ENVELOPE, complete({ op: 'u', before: { id: 7n, note: 'a' }, after: { id: 7n, note: 'bb' } }));
  const schema = compiled(ENVELOPE);

  it('are bad wherever they are cut off, and with anything behind them', () => {
    for (let end = 0; end < good.length; end++) expect(opened(good.subarray(0, end), schema).kind).toBe('bad');
    expect(opened(Buffer.concat([good, Buffer.from([0])]), schema).kind).toBe('bad');
  });

  it('are a change, a skip or bad, and never an error, whatever they are', () => {
    const outcomes = ['change', 'message', 'bad'];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(outcomes).toContain(opened(bytes, schema).kind);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of edits) bytes[at] = byte;
        const { kind, after } = opened(bytes, schema);
        expect(outcomes).toContain(kind);
        if (kind === 'change' && after !== null) expect(() => JSON.parse(after) as unknown).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  it.each<[string, Schema, number[]]>([
    ['a union branch that is not there', ['null', 'int'], [4, 0]],
    ['a negative union branch', ['null', 'int'], [1, 0]],
    ['an int beyond 32 bits', 'int', [...long(2147483648n)]],
    ['a long of eleven bytes', 'long', [...Array<number>(10).fill(0xff), 1]],
    ['a long of more than 64 bits', 'long', [...Array<number>(9).fill(0xff), 2]],
    ['a boolean that is neither', 'boolean', [2]],
    ['text of a negative length', 'string', [...long(-5)]],
    ['text longer than the record', 'string', [...long(2n ** 40n), 0x61]],
    ['a symbol that is not there', { type: 'enum', name: 'E', symbols: ['a'] }, [2]],
    ['an array with more items than bytes', { type: 'array', items: 'int' }, [...long(2n ** 40n), 2]],
    ['an array of endless nothing', { type: 'array', items: 'null' }, [...long(2n ** 50n), 0]],
    ['arrays of arrays of nothing', { type: 'array', items: { type: 'array', items: 'null' } },
      [...long(40000n), ...Array.from({ length: 40000 }, () => [...long(60000n), 0]).flat(), 0]],
    ['a count beyond 2^53', { type: 'array', items: 'null' }, [...long(2n ** 60n)]],
  ])('are refused: %s', (_, of, bytes) => {
    expect(rendered(of, Uint8Array.from(bytes))).toBeNull();
  }); // prettier-ignore
});
