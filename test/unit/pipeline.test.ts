/** Record batches fed to a gatherer, and the blocks that come out. */
import * as fc from 'fast-check';
import { OP, type RecordChunk } from '../../src/model';
import { createGatherer, type Filter, type Gatherer, type GathererOptions } from '../../src/pipeline';
import { MAX_BLOCK_OFFSETS } from '../../src/plan/assignment';
import type { ChangeBlock } from '../../src/plan/change-block';
import { chunkOf, created, envelope, type Sent } from './delivery/wire';

const KEEP_ALL: Filter = { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false };
const OPTIONS: GathererOptions = {
  limits: { rows: 1000, bytes: 1 << 20 },
  filter: KEEP_ALL,
  schemas: { find: () => null },
  from: 0,
  redoEnd: null,
};

const gatherer = (more: Partial<GathererOptions> = {}): Gatherer => createGatherer({ ...OPTIONS, ...more });

function fed(records: readonly Sent[] | RecordChunk, more: Partial<GathererOptions> = {}): Gatherer {
  const made = gatherer(more);
  expect(made.feed('topic' in records ? records : chunkOf(records))).toBeNull();
  return made;
}

function offsetsOf(block: ChangeBlock | null): number[] | null {
  return block === null ? null : [...block.offsets.subarray(0, block.rowCount)];
}

/** All blocks, the open one last, as bounds and offsets. */
function blocksOf(from: Gatherer): { start: number; end: number; offsets: number[] }[] {
  const blocks: { start: number; end: number; offsets: number[] }[] = [];
  for (let block = from.takeFull() ?? from.takeOpen(); block !== null; block = from.takeFull() ?? from.takeOpen()) {
    blocks.push({ start: block.start, end: block.end, offsets: offsetsOf(block)! });
    from.release(block);
  }
  return blocks;
}

const TOMBSTONE: unknown = null;
const HEARTBEAT = { ts_ms: 1_795_223_719_374 };
const MESSAGE = { op: 'm', ts_ms: 1, source: { lsn: 1 }, message: { prefix: 'p', content: '' } };
const BEGIN = { status: 'BEGIN', id: '756:1', event_count: null, data_collections: null, ts_ms: 1 };

describe('a gatherer that rests', () => {
  it('keeps what was taken, and goes on as before', () => {
    const made = fed([created(1), created(2)]);
    made.rest();
    expect(offsetsOf(made.takeOpen())).toEqual([1, 2]);
    made.rest();
    expect(made.takeOpen()).toBeNull();
    made.feed(chunkOf([created(3)]));
    made.rest();
    made.feed(chunkOf([created(4)]));
    const block = made.takeOpen();
    expect([block?.start, block?.end, offsetsOf(block)]).toEqual([3, 5, [3, 4]]);
    expect(block?.tables.map(({ name }) => name)).toEqual(['orders']);
  });
});

describe('what a change becomes', () => {
  it('is its place, its op, its position and its images as they came', () => {
    const value = envelope({
      op: 'u',
      before: { id: 1, note: 'ü' },
      after: { id: 1, note: '{"' },
      lsn: 5000,
      snapshot: 'last',
      total_order: 3,
    });
    const block = fed([{ offset: 40, key: '{"id":1}', value }]).takeOpen()!;
    expect(block).toMatchObject({ rowCount: 1, start: 40, end: 41, bad: [] });
    expect(block.tables).toEqual([{ source: 'shop', db: 'demo', schema: 'public', name: 'orders' }]);
    expect([block.key.textAt(0), block.before.textAt(0), block.after.textAt(0)]).toEqual([
      '{"id":1}',
      '{"id":1,"note":"ü"}',
      '{"id":1,"note":"{\\""}',
    ]);
    expect([block.ops[0], block.lsn(0), block.commitLsn(0), block.txIds[0]]).toEqual([OP.u, 5000, 4990, 756]);
    expect([block.tsUs[0], block.capturedUs[0], block.txOrders[0], block.snapshotAt(0)]).toEqual([
      1_795_223_719_264_516, 1_795_223_719_374_145, 3, 'last',
    ]); // prettier-ignore
  });

  it('belongs to its table, whose name may need escapes, and each table is there once', () => {
    const odd = 'o"r\\d\u0001é';
    const names = ['orders', odd, 'orders', odd, 'stock', odd];
    const block = fed(names.map((table, offset) => created(offset, { table }))).takeOpen();
    expect(block?.tables.map(({ name }) => name)).toEqual(['orders', odd, 'stock']);
    expect([...block!.tableOf.subarray(0, 6)]).toEqual([0, 1, 0, 1, 2, 1]);
  });

  it('belongs to its table in the next block too, whose tables are counted anew', () => {
    const made = fed([created(0, { table: 'a' }), created(1, { table: 'b' }), created(2, { table: 'b' })], {
      limits: { rows: 2, bytes: 1 << 20 },
    });
    made.release(made.takeFull()!);
    made.feed(chunkOf([created(3, { table: 'b' }), created(4, { table: 'a' })]));
    const second = made.takeFull();
    expect([second?.tables.map(({ name }) => name), second?.tableOf[0], second?.tableOf[1]]).toEqual([['b'], 0, 0]);
    expect(made.takeOpen()?.tables.map(({ name }) => name)).toEqual(['a']);
  });

  it('belongs to its table though there are more tables than are remembered', () => {
    const records = Array.from({ length: 900 }, (_, offset) => created(offset, { table: `t${offset % 300}` }));
    const block = fed(records).takeOpen()!;
    expect(block.tables).toHaveLength(300);
    for (let row = 0; row < 900; row++) expect(block.tables[block.tableOf[row]!]?.name).toBe(`t${row % 300}`);
  });
});

describe('what is left out', () => {
  it('is skipped and counted by kind, once', () => {
    const made = fed([
      created(0),
      { offset: 1, key: '{"id":0}', value: TOMBSTONE },
      { offset: 2, value: HEARTBEAT },
      { offset: 3, value: BEGIN },
      { offset: 4, value: MESSAGE },
      { offset: 5, value: TOMBSTONE },
    ]);
    expect(Object.fromEntries(made.takeSkipped())).toEqual({ tombstone: 2, heartbeat: 1, transaction: 1, message: 1 });
    expect(made.takeSkipped().size).toBe(0);
    expect(made.position).toBe(6);
    expect(blocksOf(made)).toEqual([{ start: 0, end: 1, offsets: [0] }]);
  });

  it('is a table, an operation or a row of the signal table that the filter names', () => {
    const filter: Filter = {
      ops: new Set([OP.c, OP.d]),
      keeps: (schema, table) => schema === 'public' && table !== 'secret',
      isSignal: (_, table) => table === 'signals',
    };
    const records = [
      created(0, { table: 'secret' }),
      created(1, { schema: 'other' }),
      created(2, { op: 'u' }),
      created(3, { table: 'signals' }),
      created(4, { op: 'd', before: { id: 4 }, after: null }),
      created(5),
    ];
    const made = fed(records, { filter });
    expect(Object.fromEntries(made.takeSkipped())).toEqual({ filtered: 3, signal: 1 });
    expect(blocksOf(made)).toEqual([{ start: 4, end: 6, offsets: [4, 5] }]);
  });

  it('is whatever lies below the position, so that nothing is taken twice', () => {
    const made = fed(
      [3, 4, 5, 6].map((offset) => created(offset)),
      { from: 5 },
    );
    made.feed(chunkOf([5, 6, 7].map((offset) => created(offset))));
    expect(blocksOf(made)).toEqual([{ start: 5, end: 8, offsets: [5, 6, 7] }]);
  });

  it('moves the position, control records included, though there is no block', () => {
    const made = fed(chunkOf([{ offset: 2, value: HEARTBEAT }], { to: 9 }));
    expect(made).toMatchObject({ position: 9, hasOpen: false, hasFull: false });
    expect(made.takeOpen()).toBeNull();
    made.feed(chunkOf([], { to: 30 }));
    expect(made.position).toBe(30);
    made.feed(chunkOf([], { to: 20 }));
    expect(made.position).toBe(30);
  });
});

describe('a record that cannot be decoded', () => {
  it('is kept with its bytes and its place, between changes and alone', () => {
    const garbage = Buffer.from([0x7b, 0xff, 0x22]);
    const chunk = chunkOf([created(0), { offset: 1, key: 'k', value: garbage }, created(2)]);
    const block = fed(chunk).takeOpen();
    // The consumer fills its buffer again as soon as it was handed over.
    const walk = chunk.records();
    walk.next();
    walk.bytes.fill(0);
    expect(offsetsOf(block)).toEqual([0, 2]);
    expect(block?.bad).toHaveLength(1);
    const [bad] = block!.bad;
    expect(bad).toMatchObject({ offset: 1, code: 'ENVELOPE_MALFORMED', table: '', column: '' });
    expect(Buffer.from(bad!.key).toString()).toBe('k');
    expect(Buffer.from(bad!.value)).toEqual(garbage);
    expect(Buffer.from(bad!.headers).toString('hex')).toBe('0202680276');
    const alone = fed([{ offset: 8, value: garbage }]).takeOpen();
    expect(alone).toMatchObject({ rowCount: 0, start: 8, end: 9, bad: [{ offset: 8, key: new Uint8Array(0) }] });
  });

  it('says why', () => {
    const codes = [created(0, { op: 'x' }), created(1, { lsn: 2 ** 60 }), { offset: 2, value: { id: 1, note: 'n' } }];
    expect(
      fed(codes)
        .takeOpen()
        ?.bad.map(({ code }) => code),
    ).toEqual(['ENVELOPE_UNKNOWN_OP', 'ENVELOPE_NUMBER_TOO_LARGE', 'ENVELOPE_FLATTENED']);
  });
});

describe('a block is cut', () => {
  const many = (from: number, count: number): Sent[] => Array.from({ length: count }, (_, n) => created(from + n));

  it('by rows', () => {
    const made = fed(many(0, 7), { limits: { rows: 3, bytes: 1 << 20 } });
    expect(made.hasFull).toBe(true);
    expect(blocksOf(made).map(({ offsets }) => offsets)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  it('by bytes, as soon as it has reached them', () => {
    const size = '{"id":0}'.length + '{"id":0,"note":"n"}'.length;
    const cut = (bytes: number) => blocksOf(fed(many(0, 4), { limits: { rows: 100, bytes } })).map(({ end }) => end);
    expect(cut(size * 2)).toEqual([2, 4]);
    expect(cut(size * 2 + 1)).toEqual([3, 4]);
    expect(cut(1)).toEqual([1, 2, 3, 4]);
  });

  it('so that it never covers more offsets than the protocol allows, and may cover exactly as many', () => {
    const M = MAX_BLOCK_OFFSETS;
    expect(blocksOf(fed([created(5), created(5 + M - 1), created(5 + M)]))).toEqual([
      { start: 5, end: 5 + M, offsets: [5, 5 + M - 1] },
      { start: 5 + M, end: 6 + M, offsets: [5 + M] },
    ]);
    expect(blocksOf(fed([created(5), created(5 + M)])).map(({ end }) => end)).toEqual([6, 6 + M]);
    const skippedOnly = fed(chunkOf([created(5)], { to: 5 + M }));
    expect(skippedOnly.hasFull).toBe(true);
  });

  it('around a truncate, which is alone in its block', () => {
    const truncate = (offset: number): Sent => ({ offset, value: envelope({ op: 't' }) });
    const made = fed([created(0), truncate(1), truncate(2), created(3), created(4)]);
    expect(blocksOf(made).map(({ offsets }) => offsets)).toEqual([[0], [1], [2], [3, 4]]);
  });

  it('when its owner says so, and goes on behind it', () => {
    const made = fed(many(0, 2));
    expect(offsetsOf(made.takeOpen())).toEqual([0, 1]);
    expect(made.hasOpen).toBe(false);
    made.feed(chunkOf(many(2, 1)));
    expect(blocksOf(made)).toEqual([{ start: 2, end: 3, offsets: [2] }]);
  });
});

describe('a redo', () => {
  const redo = { from: 10, redoEnd: 20 };

  it('is exactly what was announced, whatever its size, and is given out only when it is complete', () => {
    const limits = { rows: 2, bytes: 1 };
    const made = fed(
      [10, 12, 14].map((offset) => created(offset)),
      { ...redo, limits },
    );
    expect(made).toMatchObject({ redoing: true, hasOpen: false, hasFull: false });
    expect([made.takeOpen(), made.takeFull()]).toEqual([null, null]);
    made.feed(chunkOf([16, 19, 20, 21].map((offset) => created(offset))));
    expect(made.redoing).toBe(false);
    expect(blocksOf(made)).toEqual([
      { start: 10, end: 20, offsets: [10, 12, 14, 16, 19] },
      { start: 20, end: 21, offsets: [20] },
      { start: 21, end: 22, offsets: [21] },
    ]);
  });

  it('ends with the last visible record, without waiting for a next one', () => {
    const made = fed([created(10), created(19)], redo);
    expect(blocksOf(made)).toEqual([{ start: 10, end: 20, offsets: [10, 19] }]);
  });

  it('has the announced bounds though compaction or a filter left it less, or nothing', () => {
    expect(blocksOf(fed([created(15), created(30)], redo))).toEqual([
      { start: 10, end: 20, offsets: [15] },
      { start: 30, end: 31, offsets: [30] },
    ]);
    const empty = fed([{ offset: 12, value: HEARTBEAT }, created(25)], redo);
    const block = empty.takeFull();
    expect(block).toMatchObject({ start: 10, end: 20, rowCount: 0, empty: true });
    expect(blocksOf(empty)).toEqual([{ start: 25, end: 26, offsets: [25] }]);
    expect(blocksOf(fed(chunkOf([], { to: 20 }), redo))).toEqual([{ start: 10, end: 20, offsets: [] }]);
  });

  it('is not cut at a truncate', () => {
    const made = fed([created(10), { offset: 11, value: envelope({ op: 't' }) }, created(19)], redo);
    expect(blocksOf(made)[0]).toEqual({ start: 10, end: 20, offsets: [10, 11, 19] });
  });
});

describe('however records arrive', () => {
  const kinds = fc.array(fc.constantFrom('change', 'tombstone', 'truncate', 'bad'), { maxLength: 40 });
  const record = (kind: string, offset: number): Sent => {
    if (kind === 'change') return created(offset);
    if (kind === 'truncate') return { offset, value: envelope({ op: 't' }) };
    return { offset, value: kind === 'bad' ? Buffer.from('{') : TOMBSTONE };
  };

  it('each change and bad record is in one block, in order, within its bounds, and blocks do not overlap', () => {
    fc.assert(
      fc.property(
        kinds,
        fc.array(fc.integer({ min: 1, max: 9 })),
        fc.integer({ min: 1, max: 5 }),
        (all, cuts, rows) => {
          const records = all.map((kind, n) => record(kind, n * 2));
          const made = gatherer({ limits: { rows, bytes: 1 << 20 } });
          const blocks: ChangeBlock[] = [];
          for (let at = 0, n = 0; at < records.length; n++) {
            const size = cuts[n % Math.max(1, cuts.length)] ?? 3;
            made.feed(chunkOf(records.slice(at, at + size)));
            at += size;
            for (let block = made.takeFull(); block !== null; block = made.takeFull()) blocks.push(block);
          }
          const open = made.takeOpen();
          if (open !== null) blocks.push(open);
          const wanted = (...of: string[]) => all.flatMap((kind, n) => (of.includes(kind) ? [n * 2] : []));
          expect(blocks.flatMap((block) => offsetsOf(block))).toEqual(wanted('change', 'truncate'));
          expect(blocks.flatMap((block) => block.bad.map(({ offset }) => offset))).toEqual(wanted('bad'));
          let reached = 0;
          for (const block of blocks) {
            expect(block.start).toBeGreaterThanOrEqual(reached);
            expect(block.end).toBeGreaterThan(block.start);
            for (const offset of offsetsOf(block)!) expect(offset >= block.start && offset < block.end).toBe(true);
            for (const { offset } of block.bad) expect(offset >= block.start && offset < block.end).toBe(true);
            expect(block.rowCount).toBeLessThanOrEqual(rows);
            reached = block.end;
          }
        },
      ),
    );
  });
});
