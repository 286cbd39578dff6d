import { openReconciliation, type IdLook } from '../../../src/http/reconciliation';

function buckets(ids: readonly number[]): Map<string, string> {
  const made = new Map<string, bigint>();
  for (const id of ids) {
    const bucket = String(Math.floor(id / 62));
    made.set(bucket, (made.get(bucket) ?? 0n) | (1n << BigInt(id % 62)));
  }
  return new Map([...made].map(([bucket, bits]) => [bucket, String(bits)]));
}

interface Sides {
  readonly source: readonly number[];
  readonly mirror: readonly number[];
  readonly lsn?: bigint;
  readonly sent?: bigint | null;
  readonly reached?: 'yes' | 'no';
}

function look({ source, mirror, lsn = 100n, sent = 100n, reached = 'yes' }: Sides): IdLook {
  return {
    sent,
    reached,
    mirror: { rows: mirror.length, ids: new Set(mirror).size, buckets: buckets(mirror) },
    source: { rows: source.length, buckets: buckets(source), lsn },
  };
}

const NONE = { count: 0, ids: [] };

test('equal sides have no gap and nothing on its way', () => {
  const ids = Array.from({ length: 500 }, (_, index) => index * 3);
  expect(openReconciliation().judge(look({ source: ids, mirror: ids }))).toEqual({
    sourceRows: 500,
    mirrorRows: 500,
    doubled: 0,
    arriving: NONE,
    leaving: NONE,
    missing: NONE,
    surplus: NONE,
  });
});

test('what is seen for the first time is on its way, whatever the position is', () => {
  const found = openReconciliation().judge(look({ source: [1, 2, 200], mirror: [1, 7], sent: 10_000n }));
  expect(found).toMatchObject({
    arriving: { count: 2, ids: ['2', '200'] },
    leaving: { count: 1, ids: ['7'] },
    missing: NONE,
    surplus: NONE,
  });
});

test('what is still different after the mirror passed it is a gap, by name', () => {
  const one = openReconciliation();
  one.judge(look({ source: [1, 2, 63], mirror: [1, 7], lsn: 100n }));
  const found = one.judge(look({ source: [1, 2, 63, 64], mirror: [1, 7], lsn: 200n, sent: 150n }));
  expect(found).toMatchObject({
    missing: { count: 2, ids: ['2', '63'] },
    surplus: { count: 1, ids: ['7'] },
    arriving: { count: 1, ids: ['64'] },
    leaving: NONE,
  });
});

test.each<[string, Partial<Sides>]>([
  ['the connector has not sent the WAL up to there', { sent: 99n }],
  ['it is not known what the connector has sent', { sent: null }],
  ['the mirror has not reached the ends of Kafka', { reached: 'no' }],
])('it is on its way as long as %s', (_why, position) => {
  const one = openReconciliation();
  const sides = { source: [1, 2], mirror: [1], lsn: 100n };
  one.judge(look(sides));
  for (let looks = 0; looks < 5; looks++)
    expect(one.judge(look({ ...sides, lsn: 500n, ...position }))).toMatchObject({
      arriving: { count: 1 },
      missing: NONE,
    });
  expect(one.judge(look({ ...sides, lsn: 500n, sent: 100n }))).toMatchObject({ missing: { count: 1, ids: ['2'] } });
});

test('a difference that went away and comes again begins anew', () => {
  const one = openReconciliation();
  one.judge(look({ source: [1, 2], mirror: [1] }));
  one.judge(look({ source: [1, 2], mirror: [1, 2] }));
  expect(one.judge(look({ source: [1, 2], mirror: [1] }))).toMatchObject({ arriving: { count: 1 }, missing: NONE });
});

test('a second row of one id is seen', () => {
  expect(openReconciliation().judge(look({ source: [1, 2], mirror: [1, 2, 2] }))).toMatchObject({
    mirrorRows: 3,
    doubled: 1,
    arriving: NONE,
  });
});

test('many differences are counted, and the lowest are named', () => {
  const source = Array.from({ length: 30_000 }, (_, index) => index);
  const found = openReconciliation().judge(look({ source, mirror: [] }));
  expect(found.arriving.count).toBe(30_000);
  expect(found.arriving.ids).toHaveLength(20);
  expect(found.arriving.ids[0]).toBe('0');
});
