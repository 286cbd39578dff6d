/** The steps of one block: what is looked at, announced and written, in which order, and what a fault leaves behind. */
import type { Past } from '../../../src/delivery/prepare';
import { createBlockWriter, Reassign, type BlockWriter } from '../../../src/delivery/write-block';
import type { BlockTable, ChangeBlock } from '../../../src/plan/change-block';
import { parseNote } from '../../../src/plan/commit';
import { NO_MARKS } from '../../../src/plan/marks';
import { NO_WATERMARK } from '../../../src/plan/position';
import { blockOf, type Fact } from '../plan/blocks';
import { away, createWorld, LIMITS, offsetsOf, refused, TARGET, type World } from './fakes';
import { TOPIC } from './wire';

const PAST: Past = { watermark: NO_WATERMARK, snapshot: { kind: 'mixed' }, marks: NO_MARKS, highest: -1 };
const image = (id: number): string => JSON.stringify({ id, note: 'n' });
const c = (offset: number, id = offset): Fact => ({ offset, op: 'c', key: `{"id":${id}}`, after: image(id) });

function writerOf(world: World, abort = new AbortController(), remake = renewing(world)): BlockWriter {
  const { ports } = world;
  return createBlockWriter({
    of: TOPIC,
    epoch: 1,
    target: TARGET,
    ports,
    limits: LIMITS,
    signal: abort.signal,
    remake,
  });
}

function renewing(world: World): (table: BlockTable) => Promise<void> {
  return ({ name }) => {
    world.calls.push(`renew ${name}`);
    world.renewed.set(name, (world.renewed.get(name) ?? 0) + 1);
    return Promise.resolve();
  };
}

function withBad(block: ChangeBlock, offset: number): ChangeBlock {
  const none = new Uint8Array(0);
  const value = Buffer.from('{');
  block.appendBad({ offset, code: 'ENVELOPE_MALFORMED', table: '', column: '', key: none, value, headers: none });
  block.end = offset + 1;
  return block;
}

const tokensOf = (world: World): string[] => [...world.written.keys()];

describe('a fresh block', () => {
  it('is announced before it is written to changes, quarantine and the mirrors, in this order', async () => {
    const world = createWorld();
    await writerOf(world).write(withBad(blockOf([c(5), { ...c(6), table: 'stock' }]), 7), PAST, { redo: null });
    expect(world.calls).toEqual([
      'lease',
      'announce [5, 8)',
      'insert changes [5, 8)',
      'insert quarantine [5, 8)',
      'insert orders__mirror [5, 8)',
      'insert stock__mirror [5, 8)',
      'release',
    ]);
    expect(parseNote(world.committed!.metadata)).toEqual({ target: TARGET, announced: { end: 8, at: world.nowMs } });
    expect(world.events).toEqual([
      expect.objectContaining({ tag: 'block-written', start: 5, end: 8, rows: 2, modes: { 'public.orders': 'append', 'public.stock': 'append' } }),
      expect.objectContaining({ tag: 'record-quarantined', offset: 7, code: 'ENVELOPE_MALFORMED' }),
    ]); // prettier-ignore
  });

  it('that must merge looks at the rows that stand before it is announced', async () => {
    const world = createWorld();
    world.wholeBefore = false;
    await writerOf(world).write(blockOf([{ ...c(0), op: 'u' }]), PAST, { redo: null });
    expect(world.calls.slice(0, 3)).toEqual(['lease', 'look: current rows', 'announce [0, 1)']);
  });

  it('goes under one time and under tokens of its own, guarded by the clock from before the announce', async () => {
    const world = createWorld();
    world.onCommit = () => void (world.clockMs += 1_000_000);
    await writerOf(world).write(blockOf([c(0)]), PAST, { redo: null });
    const all = [...world.written.values()];
    expect(new Set(tokensOf(world)).size).toBe(2);
    for (const { guard, seconds, insert } of all) {
      expect(guard).toEqual({ changes: { database: 'cdc_cdc', name: 'changes', uuid: TARGET }, deadlineMs: 5_030_000 });
      expect(seconds).toBe(LIMITS.insertSeconds);
      expect(insert.rowCount).toBe(1);
    }
    expect(Object.fromEntries(all[0]!.insert.constants)).toMatchObject({
      topic: `'${TOPIC.topic}'`,
      partition: '0',
      ingested_at: "fromUnixTimestamp64Milli(9000000, 'UTC')",
    });
  });

  it('tells the next block what was found', async () => {
    const after = await writerOf(createWorld()).write(blockOf([c(0), c(1)]), PAST, { redo: null });
    expect(after.watermark.position).toEqual({ commitLsn: 901, lsn: 1001 });
    expect(after).toMatchObject({ snapshot: { kind: 'mixed' }, highest: -1 });
  });

  it('whose changes are all sent again is in changes, and not in the mirror', async () => {
    const world = createWorld();
    const writer = writerOf(world);
    const past = await writer.write(blockOf([c(0, 1)]), PAST, { redo: null });
    world.calls.length = 0;
    await writer.write(blockOf([{ ...c(1, 1), lsn: 1000, commitLsn: 900 }]), past, { redo: null });
    expect(world.calls).toEqual(['lease', 'announce [1, 2)', 'insert changes [1, 2)', 'release']);
  });
});

describe('a truncate', () => {
  const t: Fact = { offset: 3, op: 't' };

  it('removes what lies below it once it is in changes', async () => {
    const world = createWorld();
    await writerOf(world).write(blockOf([t]), PAST, { redo: null });
    expect(world.calls).toEqual([
      'lease',
      'announce [3, 4)',
      'insert changes [3, 4)',
      'remove of public.orders below 3',
      'release',
    ]);
  });

  it('leaves the mirror alone, and says so, where the topic has more than one partition', async () => {
    const world = createWorld();
    world.partitions = 2;
    await writerOf(world).write(blockOf([t]), PAST, { redo: null });
    expect(world.calls).toEqual(['lease', 'announce [3, 4)', 'insert changes [3, 4)', 'release']);
    expect(world.events[0]).toMatchObject({ tag: 'truncate-by-rebuild', table: 'public.orders', partitions: 2 });
    const until = { [`${TOPIC.topic}:0`]: world.high, [`${TOPIC.topic}:1`]: world.high };
    expect(world.marks).toEqual([{ schema: 'public', table: 'orders', until }]);
  });
});

describe('a block with events under an earlier key', () => {
  const OLD = '{"no":1}';
  const old = (offset: number): Fact => ({ ...c(offset), key: OLD });
  const rekeyed = (): World => {
    const world = createWorld();
    world.earlier = {
      newestBeyond: -1,
      rekeyed: true,
      isUnderEarlierKey: (key) => Buffer.from(key).toString() === OLD,
      unseenKey: (key) => (Buffer.from(key).toString() === OLD ? ['no'] : null),
      read: () => null,
      takeUnknown: () => new Map(),
      namesOf: (column) => [column],
    };
    return world;
  };

  it('is in changes and held out of its mirror, which is made anew before the first block that is not', async () => {
    const world = rekeyed();
    const writer = writerOf(world);
    let past = await writer.write(blockOf([old(0), c(1)]), PAST, { redo: null });
    past = await writer.write(blockOf([{ ...old(2), op: 'u' }]), past, { redo: null });
    await writer.write(blockOf([c(3)]), past, { redo: null });
    expect(world.calls).toEqual([
      ...['lease', 'announce [0, 2)', 'insert changes [0, 2)', 'release'],
      ...['lease', 'announce [2, 3)', 'insert changes [2, 3)', 'release'],
      ...['lease', 'release', 'renew orders'],
      ...['lease', 'announce [3, 4)', 'insert changes [3, 4)', 'insert orders__mirror [3, 4)', 'release'],
    ]);
    expect(world.events[0]).toMatchObject({ tag: 'block-written', modes: { 'public.orders': 'held' } });
  });

  it('tells of a key that no look at the catalogue has seen', async () => {
    const world = rekeyed();
    await writerOf(world).write(blockOf([c(0), old(1)]), PAST, { redo: null });
    expect(world.learned).toEqual([{ table: 'orders', key: ['no'] }]);
  });

  it('of one table leaves those of others as they are, and is not passed by them', async () => {
    const world = rekeyed();
    const writer = writerOf(world);
    const past = await writer.write(blockOf([old(0), { ...c(1), table: 'stock' }]), PAST, { redo: null });
    await writer.write(blockOf([{ ...c(2), table: 'stock' }]), past, { redo: null });
    expect(world.calls.filter((call) => /mirror|renew|announce/.test(call))).toEqual([
      ...['announce [0, 2)', 'insert stock__mirror [0, 2)', 'renew orders'],
      ...['announce [2, 3)', 'insert stock__mirror [2, 3)'],
    ]);
  });

  it('is acknowledged once the mirror is made anew, and by whom does not matter', async () => {
    const world = rekeyed();
    const writer = writerOf(world);
    await writer.write(blockOf([old(0)]), PAST, { redo: null });
    await writer.acknowledge(1);
    expect(world.calls.slice(-2)).toEqual(['renew orders', 'acknowledge 1']);
    await writer.write(blockOf([old(1)]), PAST, { redo: null });
    world.renewed.set('orders', 7);
    world.calls.length = 0;
    await writer.settle(2);
    expect(world.calls).toEqual(['acknowledge 2']);
  });

  it('is looked at anew where its mirror could not be made: it is announced still', async () => {
    const world = rekeyed();
    const writer = writerOf(world, new AbortController(), () => Promise.reject(refused()));
    await writer.write(blockOf([old(0)]), PAST, { redo: null });
    await expect(writer.acknowledge(1)).rejects.toBeInstanceOf(Reassign);
    expect(parseNote(world.committed!.metadata)?.announced).toMatchObject({ end: 1 });
  });

  it('that is written again beside the blocks has its mirror made anew at once', async () => {
    const world = rekeyed();
    await writerOf(world).rewrite(blockOf([old(0)]), { ...PAST, highest: 0 });
    expect(world.calls.at(-1)).toBe('renew orders');
  });
});

describe('a block that was seen', () => {
  it('looks first and writes only what changes lacks', async () => {
    const world = createWorld();
    world.changes.add(0).add(2);
    await writerOf(world).write(blockOf([c(0), c(1), c(2)]), { ...PAST, highest: 2 }, { redo: null });
    expect(world.calls.slice(0, 3)).toEqual(['lease', 'look: present in [0, 3)', 'look: current rows']);
    const [first] = [...world.written.values()];
    expect(offsetsOf(first!.insert)).toEqual([1]);
    expect(first!.seconds).toBe(LIMITS.insertSeconds * 2);
  });

  it('is written again under the announced bounds and time, so that its tokens are the same', async () => {
    const world = createWorld();
    const block = blockOf([c(0), c(2)]);
    await writerOf(world).write(block, PAST, { redo: null });
    const tokens = tokensOf(world);
    const announced = parseNote(world.committed!.metadata)!.announced!;
    world.changes.clear();
    world.mirrored.clear();
    world.written.clear();
    world.nowMs += 77_000;
    await writerOf(world).write(block, PAST, { redo: announced });
    expect(tokensOf(world)).toEqual(tokens);
    expect(parseNote(world.committed!.metadata)?.announced).toEqual(announced);
  });
});

describe('a fault', () => {
  it('of the group: a fenced announce writes nothing', async () => {
    const world = createWorld();
    world.epoch = 2;
    await expect(writerOf(world).write(blockOf([c(0)]), PAST, { redo: null })).rejects.toBeInstanceOf(Reassign);
    expect(world.calls).toEqual(['lease', 'announce [0, 1)', 'release']);
    expect(world).toMatchObject({ committed: null, written: new Map() });
  });

  it('of the target: one that was replaced is not even announced', async () => {
    const world = createWorld();
    world.changesUuid = 'another';
    await expect(writerOf(world).write(blockOf([c(0)]), PAST, { redo: null })).rejects.toBeInstanceOf(Reassign);
    expect(world.calls).toEqual(['lease', 'release']);
  });

  it('of an answer to the announce: the same words are sent again', async () => {
    const world = createWorld();
    const words: string[] = [];
    world.onCommit = ({ offset, metadata }) => {
      words.push(`${offset} ${metadata}`);
      world.nowMs += 5_000;
      if (words.length < 3) throw away('KAFKA_REQUEST_FAILED');
    };
    await writerOf(world).write(blockOf([c(0)]), PAST, { redo: null });
    expect(words).toHaveLength(3);
    expect(new Set(words).size).toBe(1);
    expect(world.events.map(({ tag }) => tag)).toEqual([
      'kafka-waiting',
      'kafka-waiting',
      'back-again',
      'block-written',
    ]);
  });

  it('of an answer to an insert: it is sent again under the same token, and written once', async () => {
    const world = createWorld();
    const tokens: string[] = [];
    world.onInsert = (insert) => {
      tokens.push(insert.token);
      if (tokens.length === 1) {
        world.written.set(insert.token, { insert, guard: { deadlineMs: 0, changes: insert.table }, seconds: 0 });
        world.changes.add(0);
        throw away('CLICKHOUSE_UNREACHABLE');
      }
    };
    await writerOf(world).write(blockOf([c(0)]), PAST, { redo: null });
    expect(tokens[1]).toBe(tokens[0]);
  });

  describe('of ClickHouse, killed once it had noted a token and before it had the rows', () => {
    /** Tokens of `changes` and the mirror that an insert of nothing has used up. */
    const useUp = (world: World, tokens: readonly string[]): void => {
      for (const token of tokens) world.written.set(token, {} as never);
    };
    const RANGE = `${TOPIC.topic}:${TOPIC.partition}:0:2`;

    it('is seen by the look after a redo: changes first, under other tokens, and then all of it is redone', async () => {
      const world = createWorld();
      const writer = writerOf(world);
      const redo = { end: 2, at: 9_000_000 };
      const [audit, mirror] = ['changes', 'orders__mirror'].map((table) => `${table}:${RANGE}:${redo.at}`);
      useUp(world, [audit!, `${audit}:1`, mirror!]);
      await expect(writer.write(blockOf([c(0), c(1)]), PAST, { redo })).rejects.toBeInstanceOf(Reassign);
      expect([...world.changes]).toEqual([0, 1]);
      expect(world.calls.filter((call) => call.includes('insert orders__mirror'))).toEqual([]);
      await writer.write(blockOf([c(0), c(1)]), PAST, { redo });
      expect(world.mirrored).toEqual(new Set(['orders__mirror']));
      expect(
        world.events.map((event) => (event.tag === 'written-again' ? [event.tag, event.rows] : event.tag)),
      ).toEqual([['written-again', 2], ['written-again', 2], ['written-again', 2], 'block-written']);
      expect(new Set(world.calls.filter((call) => call.startsWith('announce')))).toEqual(new Set(['announce [0, 2)']));
    });

    it('is seen by the look after an insert that was repeated, too', async () => {
      const world = createWorld();
      let sent = 0;
      world.onInsert = ({ token }) => {
        if (token.startsWith('changes') && ++sent === 1) {
          useUp(world, [token]);
          throw away('CLICKHOUSE_UNREACHABLE');
        }
      };
      await expect(writerOf(world).write(blockOf([c(0), c(1)]), PAST, { redo: null })).rejects.toBeInstanceOf(Reassign);
      expect([...world.changes]).toEqual([0, 1]);
      expect(world.mirrored.size).toBe(0);
      expect(world.events).toContainEqual({ tag: 'written-again', ...TOPIC, start: 0, end: 2, rows: 2 });
    });

    it('costs a block whose inserts were each answered at once no look', async () => {
      const world = createWorld();
      await writerOf(world).write(blockOf([c(0), c(1)]), PAST, { redo: null });
      expect(world.calls.filter((call) => call.startsWith('look'))).toEqual([]);
    });
  });

  it('of the guard: nothing more is written, and the partition goes back to assignment', async () => {
    const world = createWorld();
    world.onInsert = ({ table }) => {
      if (table.name !== 'changes') throw refused();
    };
    await expect(writerOf(world).write(blockOf([c(0), { ...c(1), table: 'stock' }]), PAST, { redo: null })).rejects.toBeInstanceOf(Reassign); // prettier-ignore
    expect(world.calls.at(-2)).toBe('insert orders__mirror [0, 2)');
    expect(world.calls.at(-1)).toBe('release');
    expect(world.events).toEqual([{ tag: 'redo', ...TOPIC, start: 0, end: 2, reason: 'GUARD_REFUSED' }]);
  });

  it('of the assignment: once abandoned, an insert under way is the last request', async () => {
    const world = createWorld();
    const abort = new AbortController();
    world.onInsert = () => abort.abort(new Error('the assignment is over'));
    await expect(writerOf(world, abort).write(blockOf([c(0)]), PAST, { redo: null })).rejects.toThrow(
      'the assignment is over',
    );
    expect(world.calls).toEqual(['lease', 'announce [0, 1)', 'insert changes [0, 1)', 'release']);
    expect(world.written.size).toBe(1);
  });
});

describe('an acknowledgement', () => {
  it('names the target and no end', async () => {
    const world = createWorld();
    await writerOf(world).acknowledge(42);
    expect(world.committed?.offset).toBe(42);
    expect(parseNote(world.committed!.metadata)).toEqual({ target: TARGET, announced: null });
  });

  it('that is fenced goes back to assignment', async () => {
    const world = createWorld();
    world.epoch = 2;
    await expect(writerOf(world).acknowledge(42)).rejects.toBeInstanceOf(Reassign);
    expect(world.committed).toBeNull();
  });
});
