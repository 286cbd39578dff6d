/** Records of every wire, each for itself, through one opener: what they are, their ranges, their key and their schema. */
import * as fc from 'fast-check';
import { compileAvro } from '../../../src/debezium/avro-record';
import { createRecordOpener, type KnownSchemas } from '../../../src/debezium/open-record';
import type { SchemaRef } from '../../../src/debezium/schema-header';
import type { RecordCursor } from '../../../src/model';
import { envelope } from '../delivery/wire';
import { encode, framed, long } from './avro-encode';
import { envelopeSchema } from './avro-envelope';

const EIGHT = (id: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(id));
  return bytes;
};

/** A record of Kafka's with its headers as they are in a record batch. */
function recordOf(
  value: Uint8Array | string | null,
  key: Uint8Array | string | null = null,
  headers: Readonly<Record<string, Uint8Array>> = {},
): RecordCursor {
  const counted = (bytes: Uint8Array): Buffer => Buffer.concat([long(bytes.length), bytes]);
  const head = Object.entries(headers).flatMap(([name, bytes]) => [counted(Buffer.from(name)), counted(bytes)]);
  const parts = [
    key === null ? null : Buffer.from(key),
    value === null ? null : Buffer.from(value),
    Buffer.concat([long(Object.keys(headers).length), ...head]),
  ];
  const bytes = Buffer.concat([Buffer.from('##'), ...parts.map((part) => part ?? Buffer.alloc(0)), Buffer.from('##')]);
  let at = 2;
  const range = (part: Buffer | null | undefined): [number, number] => {
    if (part === null || part === undefined) return [-1, -1];
    at += part.length;
    return [at - part.length, at];
  };
  const [keyStart, keyEnd] = range(parts[0]);
  const [valueStart, valueEnd] = range(parts[1]);
  const [headersStart, headersEnd] = range(parts[2]);
  const place = { offset: 0, timestampMs: 0, next: () => false };
  return { ...place, bytes, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd };
}

const opener = (find: KnownSchemas['find'] = () => null) => createRecordOpener({ find });

function opened(record: RecordCursor, by = opener()) {
  const kind = by.open(record);
  const { envelope: e, bytes, keyBytes, keyStart, keyEnd, schema, needed, note } = by;
  const text = (of: Uint8Array, start: number, end: number): string | null =>
    start < 0 ? null : Buffer.from(of.subarray(start, end)).toString('utf8');
  if (kind === 'bad') return { kind, error: e.error, note };
  if (kind === 'unresolved') return { kind, needed };
  if (kind !== 'change') return { kind };
  return {
    kind,
    key: text(keyBytes, keyStart, keyEnd),
    before: text(bytes, e.beforeStart, e.beforeEnd),
    after: text(bytes, e.afterStart, e.afterEnd),
    table: text(bytes, e.tableStart, e.tableEnd),
    lsn: e.lsn,
    fields: schema?.fields.map(({ name, type }) => `${name} ${type}`) ?? null,
  };
}

const ROW = { type: 'struct', fields: [{ type: 'int32', optional: false, field: 'id' }], optional: true };
const schemaOf = (name: string, row: object = ROW): object => ({
  type: 'struct',
  name,
  fields: [
    { ...row, field: 'before' },
    { ...row, field: 'after' },
  ],
});
const ENVELOPE = schemaOf('shop.public.orders.Envelope');
const wrapped = (schema: unknown, payload: unknown): string => JSON.stringify({ schema, payload });
const CREATED = envelope({ after: { id: 7 }, lsn: 4000 });
const CHANGE = { kind: 'change', before: null, after: '{"id":7}', table: 'orders', lsn: 4000 };
const KEY_SCHEMA = { type: 'struct', fields: [{ type: 'int32', field: 'id' }], name: 'shop.public.orders.Key' };

describe('JSON with schema', () => {
  it('is opened as the JSON inside it, with the schema of the row', () => {
    expect(opened(recordOf(wrapped(ENVELOPE, CREATED), '{"id":7}'))).toEqual({ ...CHANGE, key: '{"id":7}', fields: ['id int32'] }); // prettier-ignore
  });

  it.each<[string, string, string | null]>([
    ['with schema', wrapped(KEY_SCHEMA, { id: 7 }), '{"id":7}'],
    ['with schema and null', wrapped(KEY_SCHEMA, null), null],
    ['without schema', '{"id":7}', '{"id":7}'],
    ['of a table with such columns', '{"schema":"a","payload":1}', '{"schema":"a","payload":1}'],
    ['with white space', ` ${JSON.stringify({ schema: KEY_SCHEMA, payload: { id: 7 } }, null, 1)}`, ` ${JSON.stringify({ schema: KEY_SCHEMA, payload: { id: 7 } }, null, 1)}`],
  ])('has its key for itself: %s', (_, key, expected) => {
    expect(opened(recordOf(JSON.stringify(CREATED), key))).toMatchObject({ ...CHANGE, key: expected, fields: null });
    expect(opened(recordOf(wrapped(ENVELOPE, CREATED), key))).toMatchObject({ ...CHANGE, key: expected });
  }); // prettier-ignore

  it('is recognised again, also after other schemas and other wires', () => {
    const by = opener();
    const other = schemaOf('shop.public.orders.Envelope', {
      ...ROW,
      fields: [...ROW.fields, { type: 'string', optional: true, field: 'v' }],
    });
    const first = recordOf(wrapped(ENVELOPE, CREATED));
    for (let round = 0; round < 3; round++) {
      expect(opened(first, by)).toMatchObject({ ...CHANGE, fields: ['id int32'] });
      expect(opened(recordOf(wrapped(other, CREATED)), by)).toMatchObject({ fields: ['id int32', 'v string'] });
      expect(opened(recordOf(JSON.stringify(CREATED)), by)).toMatchObject({ ...CHANGE, fields: null });
    }
    for (let n = 0; n < 40; n++) {
      const schema = schemaOf(`shop.public.t${n}.Envelope`);
      expect(opened(recordOf(wrapped(schema, CREATED)), by)).toMatchObject(CHANGE);
    }
    expect(opened(first, by)).toMatchObject(CHANGE);
  });

  it('may have quotes, backslashes and more in names, defaults and the values of an enum', () => {
    const name = 'a "quoted" \\ na\nme';
    const fields = [
      ...ROW.fields,
      { type: 'string', optional: true, default: '{"a":"b\\c"}', parameters: { allowed: 'so-so "x",\t' }, field: name },
    ];
    const schema = schemaOf('shop.public.orders.Envelope', { ...ROW, fields });
    const key = wrapped({ ...KEY_SCHEMA, fields: [{ type: 'int32', field: name }] }, { [name]: 7 });
    const by = opener();
    for (let round = 0; round < 2; round++) {
      const found = opened(recordOf(wrapped(schema, CREATED), key), by);
      expect(found).toEqual({ ...CHANGE, key: JSON.stringify({ [name]: 7 }), fields: ['id int32', `${name} string`] });
      expect(by.schema?.fields[1]?.parameters).toEqual({ allowed: 'so-so "x",\t' });
    }
  });

  it('may have its members in any order and with white space', () => {
    const reversed = JSON.stringify({ payload: CREATED, schema: ENVELOPE });
    const spaced = JSON.stringify({ schema: ENVELOPE, payload: CREATED }, null, 2);
    for (const text of [reversed, spaced, `\n${spaced} `]) {
      expect(opened(recordOf(text))).toMatchObject({ kind: 'change', table: 'orders', fields: ['id int32'] });
    }
  });

  it.each<[string, string, object]>([
    ['a tombstone', wrapped(null, null), { kind: 'tombstone' }],
    ['a tombstone with the schema of a row', wrapped(schemaOf('shop.public.orders.Value'), null), { kind: 'tombstone' }],
    ['a heartbeat', wrapped(schemaOf('io.debezium.connector.common.Heartbeat'), { ts_ms: 5 }), { kind: 'heartbeat' }],
    ['a transaction', wrapped(schemaOf('io.debezium.connector.common.TransactionMetadataValue'), { status: 'BEGIN', id: '7:1' }), { kind: 'transaction' }],
    ['a message', wrapped(schemaOf('io.debezium.connector.postgresql.MessageValue'), { op: 'm', source: {} }), { kind: 'message' }],
    ['a flattened row', wrapped(schemaOf('shop.public.orders.Value'), { id: 7 }), { kind: 'bad', error: 'ENVELOPE_FLATTENED' }],
    ['a flattened row that has only the column of a heartbeat', wrapped(schemaOf('shop.public.orders.Value'), { ts_ms: 7 }), { kind: 'bad', error: 'ENVELOPE_FLATTENED' }],
    ['a flattened row with columns of these names', JSON.stringify({ schema: 'a', payload: null }), { kind: 'bad', error: 'ENVELOPE_FLATTENED' }],
    ['a payload without schema', wrapped(null, CREATED), { ...CHANGE, fields: null }],
    ['an envelope without a row that can be understood', wrapped({ type: 'struct', name: 'a.Envelope', fields: [] }, CREATED), { ...CHANGE, fields: null }],
    ['a payload that is cut off', wrapped(ENVELOPE, CREATED).slice(0, -9), { kind: 'bad', error: 'ENVELOPE_MALFORMED' }],
    ['something behind the payload', `${wrapped(ENVELOPE, CREATED).slice(0, -1)},"x":1}`, { kind: 'bad' }],
  ])('tells what it is: %s', (_, text, expected) => {
    expect(opened(recordOf(text))).toMatchObject(expected);
    // Once more with the schema known.
    const by = opener();
    expect(opened(recordOf(wrapped(ENVELOPE, CREATED)), by)).toMatchObject(CHANGE);
    expect(opened(recordOf(text), by)).toMatchObject(expected);
  }); // prettier-ignore
});

const AVRO = envelopeSchema([{ name: 'id', type: 'int' }]);
const ADJUSTED = envelopeSchema([{ name: 'order_u005fid', type: 'int' }]);
const KEY = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'int' }] };
const COMPILED = new Map([
  [1, compileAvro(JSON.stringify(AVRO))!],
  [2, compileAvro(JSON.stringify(KEY))!],
  [3, compileAvro(JSON.stringify(ADJUSTED))!],
]);
const known: KnownSchemas['find'] = (_, id) =>
  COMPILED.get(id) ?? (id === 8 ? 'unreadable' : id === 9 ? 'unknown' : null);
const avroValue = encode(AVRO, CREATED);
const AVRO_CHANGE = { ...CHANGE, fields: ['id int32'] };

describe('Avro', () => {
  it('is opened by the number in its framing, value and key each with its own', () => {
    const record = recordOf(framed(1, avroValue), framed(2, encode(KEY, { id: 7 })));
    expect(opened(record, opener(known))).toEqual({ ...AVRO_CHANGE, key: '{"id":7}' });
    expect(opened(recordOf(framed(1, avroValue), '{"id":7}'), opener(known))).toMatchObject({ key: '{"id":7}' });
    expect(opened(recordOf(JSON.stringify(CREATED), framed(2, encode(KEY, { id: 7 }))), opener(known))).toMatchObject({ ...CHANGE, key: '{"id":7}', fields: null }); // prettier-ignore
  });

  it('says which schema it needs, of the value and of the key', () => {
    expect(opened(recordOf(framed(70, avroValue)))).toEqual({ kind: 'unresolved', needed: { space: 'id', id: 70 } });
    const record = recordOf(framed(1, avroValue), framed(4_000_000_000, encode(KEY, { id: 7 })));
    expect(opened(record, opener(known))).toEqual({ kind: 'unresolved', needed: { space: 'id', id: 4_000_000_000 } });
  });

  it.each<[string, Record<string, Uint8Array>, SchemaRef]>([
    ['globalId', { other: Buffer.from('x'), 'apicurio.value.globalId': EIGHT(1) }, { space: 'globalId', id: 1 }],
    ['contentId', { 'apicurio.value.contentId': EIGHT(1), 'apicurio.value.encoding': Buffer.from('BINARY') }, { space: 'contentId', id: 1 }],
  ])('is opened by the number in a header: %s', (_, headers, ref) => {
    const asked: SchemaRef[] = [];
    const by = opener((space, id) => (asked.push({ space, id }), known(space, id)));
    expect(opened(recordOf(avroValue, '{"id":7}', headers), by)).toEqual({ ...AVRO_CHANGE, key: '{"id":7}' });
    expect(asked).toEqual([ref]);
    const both = { ...headers, 'apicurio.key.globalId': EIGHT(2) };
    expect(opened(recordOf(avroValue, encode(KEY, { id: 7 }), both), by)).toMatchObject({ key: '{"id":7}' });
  }); // prettier-ignore

  it('is not opened by headers that are not its own, or cannot be', () => {
    const plain = recordOf(JSON.stringify(CREATED), null, { 'apicurio.value.globalId': EIGHT(1) });
    expect(opened(plain, opener(known))).toMatchObject(CHANGE);
    for (const headers of [{ 'apicurio.value.globalId': Buffer.from([1]) }, { 'apicurio.value.globalId': Buffer.alloc(8, 0xff) }, { 'apicurio.value.encoding': Buffer.from('JSON'), 'apicurio.value.globalId': EIGHT(1) }]) {
      expect(opened(recordOf(avroValue, null, headers), opener(known)).kind).not.toBe('change');
    }
  }); // prettier-ignore

  it('with eight bytes of number is told by the first four of them being zero', () => {
    const record = recordOf(Buffer.concat([Buffer.from([0]), EIGHT(1), avroValue]));
    expect(opened(record, opener(known))).toMatchObject(AVRO_CHANGE);
    expect(opened(record)).toEqual({ kind: 'unresolved', needed: { space: 'either', id: 1 } });
  });

  it.each<[string, Uint8Array, Uint8Array | null, object]>([
    ['a schema that the registry has not', framed(9, avroValue), null, { error: 'SCHEMA_UNKNOWN', note: 'schema 9 of the registry' }],
    ['a schema of another kind', framed(8, avroValue), null, { error: 'SCHEMA_UNREADABLE', note: 'schema 8 of the registry' }],
    ['a key whose schema is unknown', framed(1, avroValue), framed(9, avroValue), { error: 'SCHEMA_UNKNOWN' }],
    ['damaged bytes', framed(1, avroValue.subarray(1)), null, { error: 'ENVELOPE_MALFORMED', note: 'schema 1 of the registry' }],
    ['a damaged key', framed(1, avroValue), framed(2, Buffer.from([0xff])), { error: 'KEY_MALFORMED', note: 'schema 2 of the registry' }],
    ['a framing that is cut off', Buffer.from([0, 0, 0]), null, { error: 'ENVELOPE_MALFORMED', note: '' }],
  ])('is bad, and says why: %s', (_, value, key, expected) => {
    expect(opened(recordOf(value, key), opener(known))).toMatchObject({ kind: 'bad', ...expected });
  }); // prettier-ignore

  it('gives columns and key their names in PostgreSQL back, also where the key is plain JSON', () => {
    const value = framed(3, encode(ADJUSTED, envelope({ after: { order_u005fid: 7 } })));
    for (const key of ['{"order_u005fid":7}', wrapped(KEY_SCHEMA, { order_u005fid: 7 })]) {
      expect(opened(recordOf(value, key), opener(known))).toMatchObject({
        kind: 'change',
        key: '{"order_id":7}',
        after: '{"order_id":7}',
        fields: ['order_id int32'],
      });
    }
  });
});

describe('whatever bytes a record has', () => {
  const OUTCOMES = ['change', 'tombstone', 'heartbeat', 'transaction', 'message', 'bad', 'unresolved'];
  const good = [
    Buffer.from(JSON.stringify(CREATED)),
    Buffer.from(wrapped(ENVELOPE, CREATED)),
    framed(1, avroValue),
    Buffer.concat([Buffer.from([0]), EIGHT(1), avroValue]),
    avroValue,
  ];
  const keys = [Buffer.from('{"id":7}'), Buffer.from(wrapped(KEY_SCHEMA, { id: 7 })), framed(2, encode(KEY, { id: 7 }))];
  const by = opener(known);

  it('it is one of the outcomes, and the images of a change are JSON', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    const edited = (from: readonly Buffer[]) =>
      fc.tuple(fc.constantFrom(...from), edits, fc.nat(3)).map(([of, changes, cut]) => {
        const copy = Buffer.from(of.subarray(0, of.length - (cut === 3 ? 3 : 0)));
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy;
      });
    const any = (from: readonly Buffer[]) => fc.oneof({ weight: 4, arbitrary: edited(from) }, { weight: 1, arbitrary: bytes });
    fc.assert(
      fc.property(any(good), any(keys), fc.nat(20), bytes, (value, key, of, noise) => {
        const headers = { 'apicurio.value.globalId': of === 0 ? EIGHT(1) : noise, [`apicurio.${of}`]: noise };
        const record = recordOf(value, key, of < 4 ? headers : {});
        const broken = of === 5 ? { ...record, headersStart: record.keyStart, headersEnd: record.valueEnd } : record;
        const found = opened(broken, by);
        expect(OUTCOMES).toContain(found.kind);
        if ('after' in found && found.after !== null) expect(() => JSON.parse(found.after ?? '') as unknown).not.toThrow();
      }),
      { numRuns: 5000 },
    );
  });
}); // prettier-ignore
