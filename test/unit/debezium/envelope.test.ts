/** Every kind of record an envelope can turn out to be, and every way it can be written or damaged. */
import * as fc from 'fast-check';
import { openEnvelope } from '../../../src/debezium/envelope';
import { Envelope } from '../../../src/debezium/envelope-found';
import { textOf } from '../../../src/debezium/json-scan';

/** As captured from the connector (Debezium 3.6.1, plain JSON). */
const CAPTURED =
  '{"before":null,"after":{"id":10,"first_name":"a","n":5,"opt":"x"},"source":{"version":"3.6.1.Final","connector":"postgresql","name":"srv","ts_ms":1795223719264,"snapshot":"false","db":"demo","sequence":"[null,\\"31299144\\"]","ts_us":1795223719264516,"ts_ns":1795223719264516000,"schema":"public","table":"c","txId":756,"lsn":31299144,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"c","ts_ms":1795223719374,"ts_us":1795223719374145,"ts_ns":1795223719374145120}';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type Fields = Readonly<Record<string, Json>>;

const SOURCE: Fields = {
  version: '3.7.0.Final',
  connector: 'postgresql',
  name: 'shop',
  ts_ms: 1795223719264,
  snapshot: 'false',
  db: 'demo',
  sequence: '["31299000","31299144"]',
  ts_us: 1795223719264516,
  schema: 'public',
  table: 'sales',
  txId: 756,
  lsn: 31299144,
  xmin: null,
};
const ROW: Fields = { id: 1, name: 'a "b" {c}' };
const ENVELOPE: Fields = {
  before: null,
  after: ROW,
  source: SOURCE,
  transaction: { id: '756:31299144', total_order: 3, data_collection_order: 2 },
  op: 'c',
  ts_ms: 1795223719374,
  ts_us: 1795223719374145,
};

const envelope = new Envelope();

function without(fields: Fields, name: string): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));
}

/** Opens text that stands in the middle of other bytes, and tells what was found in words. */
function open(text: string) {
  const head = '{"op":"';
  const b = Buffer.from(`${head}${text}}"`);
  const end = b.length - 2;
  const kind = openEnvelope(b, head.length, end, envelope);
  const range = (from: number, to: number) => (from < 0 ? (expect(to).toBe(-1), null) : b.toString('utf8', from, to));
  const content = (from: number, to: number) => (from < 0 ? (expect(to).toBe(-1), null) : textOf(b, from, to));
  const { op, tsUs, capturedUs, lsn, commitLsn, txId, txOrder, error } = envelope;
  return {
    kind,
    op: op < 0 ? null : String.fromCharCode(op),
    before: range(envelope.beforeStart, envelope.beforeEnd),
    after: range(envelope.afterStart, envelope.afterEnd),
    schema: content(envelope.schemaStart, envelope.schemaEnd),
    table: content(envelope.tableStart, envelope.tableEnd),
    db: content(envelope.dbStart, envelope.dbEnd),
    name: content(envelope.nameStart, envelope.nameEnd),
    snapshot: content(envelope.snapshotStart, envelope.snapshotEnd),
    ...{ tsUs, capturedUs, lsn, commitLsn, txId, txOrder, error },
  };
}

function openValue(value: Json) {
  return open(JSON.stringify(value));
}

const EXPECTED = {
  kind: 'change',
  op: 'c',
  before: null,
  after: JSON.stringify(ROW),
  schema: 'public',
  table: 'sales',
  db: 'demo',
  name: 'shop',
  snapshot: 'false',
  tsUs: 1795223719264516,
  capturedUs: 1795223719374145,
  lsn: 31299144,
  commitLsn: 31299000,
  txId: 756,
  txOrder: 3,
};

describe('a change', () => {
  test('is read from a record as the connector sent it', () => {
    expect(open(CAPTURED)).toMatchObject({
      ...EXPECTED,
      after: '{"id":10,"first_name":"a","n":5,"opt":"x"}',
      table: 'c',
      name: 'srv',
      commitLsn: -1,
      txOrder: -1,
    });
  });

  test.each([
    ['c', null, ROW],
    ['r', null, ROW],
    ['u', null, ROW],
    ['u', { id: 0 }, ROW],
    ['d', ROW, null],
    ['d', null, null],
    ['t', null, null],
  ])('has op %s with before %j and after %j', (op, before, after) => {
    const found = openValue({ ...ENVELOPE, op, before, after });
    const text = (image: Json) => (image === null ? null : JSON.stringify(image));
    expect(found).toMatchObject({ ...EXPECTED, op, before: text(before), after: text(after) });
  });

  test('may have its members in any order, with white space and members nobody knows', () => {
    const entries = (fields: Fields) =>
      fc.shuffledSubarray(Object.entries(fields), { minLength: Object.keys(fields).length });
    const unknown = fc.dictionary(fc.stringMatching(/^x[a-z"\\é]{0,5}$/), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 3,
    });
    const shuffled = fc
      .tuple(unknown, unknown)
      .chain(([top, inner]) =>
        fc.tuple(entries({ ...ENVELOPE, ...(top as Fields) }), entries({ ...SOURCE, ...(inner as Fields) })),
      );
    fc.assert(
      fc.property(shuffled, fc.constantFrom(undefined, 1, '\t'), ([top, source], indent) => {
        const value: Record<string, Json> = { ...Object.fromEntries(top), source: Object.fromEntries(source) };
        const { after, ...found } = open(
          JSON.stringify(Object.fromEntries(top.map(([k]) => [k, value[k] as Json])), null, indent),
        );
        expect(JSON.parse(after ?? '')).toEqual(ROW);
        expect({ ...found, after: EXPECTED.after }).toMatchObject(EXPECTED);
      }),
    );
  });

  test('of an old Debezium has its times in milliseconds only', () => {
    const found = openValue({ ...without(ENVELOPE, 'ts_us'), source: without(SOURCE, 'ts_us') });
    expect(found).toMatchObject({ ...EXPECTED, tsUs: 1795223719264000, capturedUs: 1795223719374000 });
  });

  test('lacks what is optional', () => {
    const found = openValue({ after: ROW, op: 'u', source: { schema: 'public', table: 'sales' } });
    const absent = {
      tsUs: -1,
      capturedUs: -1,
      lsn: -1,
      commitLsn: -1,
      txId: -1,
      txOrder: -1,
      db: null,
      name: null,
      snapshot: null,
    };
    expect(found).toMatchObject({ ...EXPECTED, op: 'u', ...absent });
  });

  test('of an incremental snapshot has null for lsn and txId', () => {
    const source = { ...SOURCE, lsn: null, txId: null, snapshot: 'incremental', sequence: null };
    expect(openValue({ ...ENVELOPE, op: 'r', source })).toMatchObject({
      kind: 'change',
      lsn: -1,
      txId: -1,
      commitLsn: -1,
      snapshot: 'incremental',
    });
  });

  test.each([
    [null, null],
    [true, 'true'],
    [false, 'false'],
    ['last', 'last'],
  ])('may have %j for snapshot', (snapshot, expected) => {
    expect(openValue({ ...ENVELOPE, source: { ...SOURCE, snapshot } })).toMatchObject({
      kind: 'change',
      snapshot: expected,
    });
  });

  test.each([
    ['[null,"31299144"]', -1],
    ['["31299000","31299144"]', 31299000],
    ['[ "31299000" , null ]', 31299000],
    ['[31299000,31299144]', 31299000],
    ['["0","0"]', 0],
    ['["31299000"]', 31299000],
    ['[]', -1],
    ['["1","2","3"]', 1],
  ])('has its commit LSN in the sequence %s', (sequence, commitLsn) => {
    expect(openValue({ ...ENVELOPE, source: { ...SOURCE, sequence } })).toMatchObject({ ...EXPECTED, commitLsn });
  });

  test('may have a table, a schema and a database whose names need escapes', () => {
    const source = { ...SOURCE, schema: 'We "ird"', table: 'Ta-ble.\\x', db: '' };
    expect(openValue({ ...ENVELOPE, source })).toMatchObject({
      ...EXPECTED,
      schema: 'We "ird"',
      table: 'Ta-ble.\\x',
      db: '',
    });
  });

  test('may have escapes in the names of its members and in op', () => {
    const text = JSON.stringify(ENVELOPE)
      .replace('"after"', '"\\u0061fter"')
      .replace('"source"', '"s\\u006Furce"')
      .replace('"table"', '"tabl\\u0065"')
      .replace('"total_order"', '"total\\u005forder"')
      .replace('"op":"c"', '"\\u006fp":"\\u0063"')
      .replace('["31', '\\u005b"31');
    expect(open(text)).toMatchObject(EXPECTED);
  });

  test('counts the last of members that occur twice', () => {
    const text = JSON.stringify(ENVELOPE);
    const twice = (extra: string) => open(`${text.slice(0, -1)},${extra}}`);
    expect(twice('"op":"u"')).toMatchObject({ ...EXPECTED, op: 'u' });
    expect(twice('"after":{"id":2}')).toMatchObject({ ...EXPECTED, after: '{"id":2}' });
    expect(twice('"after":null')).toMatchObject({ kind: 'bad' });
    expect(twice('"transaction":null')).toMatchObject({ ...EXPECTED, txOrder: -1 });
    expect(twice('"source":{"schema":"s","table":"t"}')).toMatchObject({
      kind: 'change',
      schema: 's',
      table: 't',
      lsn: -1,
      db: null,
      tsUs: -1,
    });
    expect(twice('"source":null')).toMatchObject({ kind: 'bad' });
    expect(open(text.replace('"lsn":31299144', '"lsn":99999999999999999999,"lsn":31299144'))).toMatchObject(EXPECTED);
  });
});

describe('a record that is skipped', () => {
  test('is a tombstone when its value is null, as bytes or as text', () => {
    expect(openEnvelope(new Uint8Array(), -1, -1, envelope)).toBe('tombstone');
    expect(open('null').kind).toBe('tombstone');
    expect(open(' null\n').kind).toBe('tombstone');
  });

  test('is a heartbeat, a transaction record or a logical message', () => {
    expect(openValue({ ts_ms: 1795223719374 }).kind).toBe('heartbeat');
    expect(
      openValue({ status: 'BEGIN', id: '756:31299144', event_count: null, data_collections: null, ts_ms: 1 }).kind,
    ).toBe('transaction');
    expect(
      openValue({
        status: 'END',
        id: '756',
        event_count: 2,
        data_collections: [{ data_collection: 'a.b', event_count: 2 }],
      }).kind,
    ).toBe('transaction');
    expect(openValue({ status: 'END', id: '756:1' }).kind).toBe('transaction');
    const message = {
      op: 'm',
      ts_ms: 1,
      source: { ...SOURCE, schema: '', table: '' },
      transaction: null,
      message: { prefix: 'heartbeat', content: '' },
    };
    expect(openValue(message).kind).toBe('message');
  });
});

describe('a bad record', () => {
  test.each<[string, Json]>([
    ['a flattened row', { id: 1, name: 'a' }],
    ['a flattened row with added fields', { id: 1, __op: 'c', __table: 't' }],
    ['a flattened row with a clock', { id: 1, ts_ms: 5 }],
    ['a flattened row of orders', { id: 7, status: 'END' }],
    ['a flattened row of orders with a text key', { id: 'a-7', status: 'BEGIN' }],
    ['JSON with schema, which is opened elsewhere', { schema: { type: 'struct' }, payload: null }],
    ['a flattened row that has schema and payload as text', { schema: 'a', payload: 'b' }],
    ['a flattened row with op and after', { id: 1, op: 'c', after: 'noon' }],
    ['an empty object', {}],
  ])('is flattened: %s', (_, value) => {
    expect(openValue(value)).toMatchObject({ kind: 'bad', error: 'ENVELOPE_FLATTENED' });
  });

  test.each(['x', 'C', '', 'cc', 'é', 5, true])('has an unknown op: %j', (op) => {
    expect(openValue({ ...ENVELOPE, op })).toMatchObject({ kind: 'bad', error: 'ENVELOPE_UNKNOWN_OP' });
  });

  test.each<[string, Json]>([
    ['no op', without(ENVELOPE, 'op')],
    ['a null op', { ...ENVELOPE, op: null }],
    ['no source', without(ENVELOPE, 'source')],
    ['no table', { ...ENVELOPE, source: without(SOURCE, 'table') }],
    ['a table that is a number', { ...ENVELOPE, source: { ...SOURCE, table: 5 } }],
    ['a schema that is null', { ...ENVELOPE, source: { ...SOURCE, schema: null } }],
    ['a create without after', { ...ENVELOPE, after: null }],
    ['an update without after', without({ ...ENVELOPE, op: 'u' }, 'after')],
    ['an after that is an array', { ...ENVELOPE, after: [1] }],
    ['a before that is text', { ...ENVELOPE, op: 'd', before: 'x' }],
    ['an lsn that is text', { ...ENVELOPE, source: { ...SOURCE, lsn: '31299144' } }],
    ['an lsn with a fraction', { ...ENVELOPE, source: { ...SOURCE, lsn: 1.5 } }],
    ['a negative time', { ...ENVELOPE, source: { ...SOURCE, ts_us: -5 } }],
    ['a sequence that is no array', { ...ENVELOPE, source: { ...SOURCE, sequence: '31299144' } }],
    ['a sequence that is empty text', { ...ENVELOPE, source: { ...SOURCE, sequence: '' } }],
    ['a sequence that is no JSON', { ...ENVELOPE, source: { ...SOURCE, sequence: '["1","2"' } }],
    ['a sequence with letters', { ...ENVELOPE, source: { ...SOURCE, sequence: '["a","2"]' } }],
    ['an array', [ENVELOPE]],
    ['a number', 5],
    ['text', 'null'],
  ])('is malformed: %s', (_, value) => {
    expect(openValue(value)).toMatchObject({ kind: 'bad', error: 'ENVELOPE_MALFORMED' });
  });

  test.each([
    '',
    ' ',
    'nul',
    'null null',
    'garbage',
    '\ufeff{}',
    `${CAPTURED}x`,
    `${CAPTURED}{}`,
    CAPTURED.replace('"n":5', '"n":05'),
    CAPTURED.replace('756', '0756'),
  ])('is malformed when its text is no JSON: %j', (text) => {
    expect(open(text)).toMatchObject({ kind: 'bad', error: 'ENVELOPE_MALFORMED' });
  });

  test.each([
    ['lsn', '"lsn":31299144', '"lsn":9007199254740992'],
    ['txId', '"txId":756', '"txId":99999999999999999999'],
    ['ts_us', '"ts_us":1795223719264516', '"ts_us":17952237192645160000'],
    ['the time in milliseconds', /"ts_us":1795223719264516/, '"ts_us":null,"ts_ms":9007199254740991'],
    ['total_order', '"total_order":3', '"total_order":9007199254740993'],
    ['the sequence', '\\"31299000\\"', '\\"9007199254740992\\"'],
    ['the second of the sequence', '\\"31299144\\"', '\\"9007199254740992\\"'],
    ['the sequence in another form', '\\"31299000\\",', ' 9007199254740992 ,'],
  ])('has a number that JavaScript cannot hold exactly in %s', (_, from, to) => {
    const text = JSON.stringify(ENVELOPE);
    expect(text.replace(from, to)).not.toBe(text);
    expect(open(text.replace(from, to))).toMatchObject({ kind: 'bad', error: 'ENVELOPE_NUMBER_TOO_LARGE' });
  });

  test('is one that was cut off at any byte, or lacks any byte of its structure', () => {
    for (const text of [CAPTURED, JSON.stringify(ENVELOPE)]) {
      const b = Buffer.from(text);
      for (let end = 0; end < b.length; end++) expect(openEnvelope(b, 0, end, envelope)).toBe('bad');
    }
  });

  test('is a change exactly as long as JSON.parse reads it, whichever byte is replaced', () => {
    fc.assert(
      fc.property(
        fc.nat(CAPTURED.length - 1),
        fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', ' ', '0', 'x', '\n'),
        (at, put) => {
          const text = CAPTURED.slice(0, at) + put + CAPTURED.slice(at + 1);
          const { kind, error } = open(text);
          let parsed = true;
          try {
            JSON.parse(text);
          } catch {
            parsed = false;
          }
          if (!parsed) expect({ kind, error }).toEqual({ kind: 'bad', error: 'ENVELOPE_MALFORMED' });
          else if (kind === 'change')
            expect(JSON.parse(text)).toMatchObject({
              op: 'c',
              after: {},
              source: { table: expect.any(String) as string },
            });
        },
      ),
      { numRuns: 2000 },
    );
  });
});
