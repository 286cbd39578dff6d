/** What is read by a known shape is what is read without: for changes alike, for others, and for damaged ones. */
import * as fc from 'fast-check';
import { openEnvelope } from '../../../src/debezium/envelope';
import { Envelope } from '../../../src/debezium/envelope-found';

const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'abc',
    'abcd',
    'new "and" \\ old',
    'Grüße',
    'x y z',
    '\n',
    '😀',
    'a longer text, of many words',
  ),
  fc.string({ maxLength: 20 }),
);
const value = fc.oneof(
  text,
  fc.constantFrom(null, true, false, 0, -1, 12, 3.5, 1e21, 1767252084026484),
  fc.constantFrom([], [1, 2], { a: 'b' }, ['x', { y: null }]),
);
const image = fc.oneof(
  { weight: 9, arbitrary: fc.record({ id: fc.nat(), name: value, note: value }) },
  { weight: 1, arbitrary: fc.dictionary(fc.stringMatching(/^[a-z]{0,3}$/), value, { maxKeys: 4 }) },
);
/** Mostly the first of the two, so that many records have the shape of the one before. */
const mostly = <A, B>(usual: fc.Arbitrary<A>, rare: fc.Arbitrary<B>): fc.Arbitrary<A | B> =>
  fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: rare });
const number = mostly(fc.nat(), fc.constantFrom(2 ** 53, 1795223719264516000, 0, -5, null, '7'));
const lsn = mostly(
  fc.constantFrom('[null,"31299144"]', '["31299000","31299144"]'),
  fc.oneof(fc.constantFrom('[]', null), fc.string()),
);

const change = fc
  .record({
    before: fc.oneof(fc.constant(null), image),
    after: fc.oneof(fc.constant(null), image),
    op: mostly(fc.constantFrom('c', 'u', 'd', 'r', 't'), fc.constantFrom('m', 'x', 'C', '', 'cc', '"')),
    table: mostly(fc.constant('sales'), fc.constant('other')),
    snapshot: mostly(fc.constant('false'), fc.constantFrom('last', null, true)),
    transaction: fc.oneof(
      fc.constant(null),
      fc.record({ id: text, total_order: number, data_collection_order: number }),
    ),
    numbers: fc.tuple(number, number, number, number, number),
    sequence: lsn,
    origin: mostly(fc.constant(null), fc.constantFrom('elsewhere', 7)),
  })
  .map(({ before, after, op, table, snapshot, transaction, numbers, sequence, origin }) =>
    JSON.stringify({
      before,
      after,
      source: {
        ...{ version: '3.7.0.Final', connector: 'postgresql', name: 'shop', ts_ms: numbers[0], snapshot, db: 'demo' },
        ...{
          sequence,
          ts_us: numbers[1],
          schema: 'public',
          table,
          txId: numbers[2],
          lsn: numbers[3],
          xmin: null,
          origin,
        },
      },
      transaction,
      op,
      ts_ms: numbers[4],
      ts_us: 1795223719374145,
      ts_ns: 1795223719374145120,
    }),
  );

/** A change as it is, cut off, or with a byte replaced. */
const damaged = fc
  .tuple(change, fc.nat(), fc.constantFrom('"', '\\', '{', '}', ',', ':', ' ', '0', 'n', '\n', ''), fc.nat({ max: 9 }))
  .map(([whole, at, byte, how]) => {
    const place = at % whole.length;
    if (how > 3) return whole;
    return how === 0 ? whole.slice(0, place) : whole.slice(0, place) + byte + whole.slice(place + 1);
  });

function open(b: Buffer, end: number, into: Envelope): object {
  const kind = openEnvelope(b, 3, end, into);
  if (kind === 'bad') return { kind, error: into.error };
  if (kind !== 'change') return { kind };
  return { kind, ...into, shape: null, error: null, tsMs: null, capturedMs: null };
}

test('a value is read by the shape of the ones before as it is read without it', () => {
  let matched = 0;
  fc.assert(
    fc.property(fc.array(damaged, { minLength: 5, maxLength: 25 }), (values) => {
      const knowing = new Envelope();
      for (const one of values) {
        // Within other bytes: what lies behind the end must not be read for the value's own.
        const b = Buffer.from(`{ "${one}"}`);
        const end = b.length - 2;
        const { misses } = knowing.shape;
        const found = open(b, end, knowing);
        if (knowing.shape.misses === misses && 'op' in found) matched++;
        expect(found).toEqual(open(b, end, new Envelope()));
      }
    }),
    { numRuns: 250 },
  );
  expect(matched).toBeGreaterThan(100);
});

test('a change written as its table is always written is read by its shape', () => {
  const text = (n: number, op: string): string =>
    `{"before":null,"after":{"id":${n},"name":"row ${n}","note":null},"source":{"version":"3.7.0.Final","connector":"postgresql",` +
    `"name":"shop","ts_ms":${1795223719264 + n},"snapshot":"false","db":"demo","sequence":"[\\"${n + 1}\\",\\"${n + 2}\\"]",` +
    `"ts_us":1795223719264516,"ts_ns":1795223719264516000,"schema":"public","table":"sales","txId":756,"lsn":${n + 3},"xmin":null,` +
    `"origin":null,"origin_lsn":null},"transaction":{"id":"756:${n}","total_order":${n + 4},"data_collection_order":${n + 5}},` +
    `"op":"${op}","ts_ms":1795223719374,"ts_us":1795223719374145,"ts_ns":1795223719374145120}`;
  const into = new Envelope();
  for (let n = 1; n < 50; n++) {
    const b = Buffer.from(text(n * n * 997, n % 2 === 0 ? 'c' : 'r'));
    expect(openEnvelope(b, 0, b.length, into)).toBe('change');
    expect(into).toMatchObject({
      lsn: n * n * 997 + 3,
      commitLsn: n * n * 997 + 1,
      txOrder: n * n * 997 + 4,
      txId: 756,
    });
    expect(b.toString('utf8', into.tableStart, into.tableEnd)).toBe('sales');
  }
  expect(into.shape.misses).toBe(1);
});
