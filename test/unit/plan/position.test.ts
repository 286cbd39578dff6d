/** Which events Debezium sends again: the histories of the delivery protocol, and generated streams that are replayed. */
import * as fc from 'fast-check';
import { isBeyond, judge, needTwins, NO_WATERMARK, type JudgedRows, type Watermark } from '../../../src/plan/position';
import { blockOf, type Fact } from './blocks';

/** An event of the source; `key` tells events of one position apart, null where nothing does. */
interface Event {
  readonly commitLsn: number;
  readonly lsn: number;
  readonly key: string | null;
  readonly snapshot?: true;
}

function rows(events: readonly Event[]): JudgedRows {
  return {
    rowCount: events.length,
    streamed: (row) => events[row]?.snapshot !== true,
    commitLsn: (row) => events[row]!.commitLsn,
    lsn: (row) => events[row]!.lsn,
    identity: (row) => identity(events[row]!),
  };
}

function identity({ lsn, key }: Event): string | null {
  return key === null ? null : `${lsn}/${key}`;
}

const event = (commitLsn: number | null, lsn: number, key: string | null): Event => ({
  commitLsn: commitLsn ?? -1,
  lsn,
  key,
});

/** What `changes` holds of these events at the LSNs that are asked for. */
function twinsIn(changes: readonly Event[], block: readonly Event[], candidates: readonly number[]): Set<string> {
  const lsns = new Set(candidates.map((row) => block[row]!.lsn));
  const found = changes.filter((one) => one.snapshot !== true && lsns.has(one.lsn)).map(identity);
  return new Set(found.filter((one) => one !== null));
}

/** W as assignment restores it from what `changes` holds. */
function restored(changes: readonly Event[], redelivered: readonly number[]): Watermark {
  const last = changes.findLastIndex((one, at) => one.snapshot !== true && redelivered[at] === 0);
  const mark = changes[last];
  if (mark === undefined) return NO_WATERMARK;
  const level = changes.filter(
    ({ commitLsn, lsn, snapshot }) =>
      snapshot !== true &&
      lsn === mark.lsn &&
      (mark.commitLsn === -1 || commitLsn === -1 || commitLsn === mark.commitLsn),
  );
  return { position: mark, identities: new Set(level.map(identity).filter((one) => one !== null)) };
}

/** Judges events in blocks of the given sizes, the watermark carried on or, after a block named in `restarts`, restored. */
function judgeAll(
  events: readonly Event[],
  sizes: readonly number[] = [events.length],
  restarts: readonly number[] = [],
) {
  const redelivered: number[] = [];
  let mark: Watermark = NO_WATERMARK;
  let from = 0;
  for (let block = 0; from < events.length; block++) {
    const size = Math.max(1, sizes[block % Math.max(1, sizes.length)] ?? 1);
    const some = events.slice(from, from + size);
    const before = events.slice(0, from);
    const found = judge(rows(some), mark, twinsIn(before, some, needTwins(rows(some), mark)));
    redelivered.push(...found.redelivered);
    from += some.length;
    mark = restarts.includes(block) ? restored(events.slice(0, from), redelivered) : found.after;
  }
  return { redelivered, mark };
}

describe('beyond a position', () => {
  it.each([
    [[10, 20], [10, 20], false],
    [[10, 21], [10, 20], true],
    [[10, 19], [10, 20], false],
    [[11, 5], [10, 20], true],
    [[9, 99], [10, 20], false],
    [[-1, 20], [10, 20], false],
    [[-1, 21], [10, 20], false],
    [[10, 20], [-1, 20], false],
    [[10, 21], [-1, 20], true],
    [[10, 19], [-1, 20], false],
    [[-1, 5], [-1, -1], true],
    [[0, 0], [-1, -1], true],
  ] as const)('%j against %j is %s', ([commitLsn, lsn], [markCommit, markLsn], beyond) => {
    expect(isBeyond(commitLsn, lsn, { commitLsn: markCommit, lsn: markLsn })).toBe(beyond);
  });
});

describe('the histories of the protocol', () => {
  const [c, u] = [event(100, 110, 'c1'), event(120, 130, 'u1')];

  it('1: a create sent again after the update of its row is redelivered', () => {
    expect(judgeAll([c, u, c]).redelivered).toEqual([0, 0, 1]);
    expect(judgeAll([c, u, c], [1]).redelivered).toEqual([0, 0, 1]);
  });

  it('2: a create sent again after the delete of its row is redelivered, though no row stands', () => {
    expect(judgeAll([c, event(120, 130, 'd1'), c], [2, 1]).redelivered).toEqual([0, 0, 1]);
  });

  it('3: after a restart the watermark from changes tells what is sent again', () => {
    expect(judgeAll([c, c], [1], [0]).redelivered).toEqual([0, 1]);
    expect(judgeAll([c, u, c, u], [2], [0]).redelivered).toEqual([0, 0, 1, 1]);
  });

  it('4: the first transaction is known again though its commit LSN is null first and a number then', () => {
    const first = [event(null, 110, 'c1'), event(null, 120, 'c2')];
    const again = [event(90, 110, 'c1'), event(90, 120, 'c2')];
    for (const sizes of [[4], [2], [1]]) {
      expect(judgeAll([...first, ...again], sizes).redelivered).toEqual([0, 0, 1, 1]);
      expect(judgeAll([...first, ...again], sizes, [0, 1, 2]).redelivered).toEqual([0, 0, 1, 1]);
    }
  });

  it('4: a late LSN after the first transaction is new, and the watermark is there then', () => {
    const late = event(140, 105, 'c9');
    const { redelivered, mark } = judgeAll([event(null, 110, 'c1'), event(null, 130, 'c2'), late]);
    expect(redelivered).toEqual([0, 0, 0]);
    expect(mark.position).toEqual({ commitLsn: 140, lsn: 105 });
    expect(mark.identities).toEqual(new Set(['105/c9']));
  });

  it('rows of a COPY page share one LSN, are new all the same, and need no look-up', () => {
    const page = ['a', 'b', 'c', 'd'].map((key) => event(100, 110, key));
    expect(needTwins(rows(page), NO_WATERMARK)).toEqual([]);
    const { redelivered, mark } = judgeAll(page, [3]);
    expect(redelivered).toEqual([0, 0, 0, 0]);
    expect(mark.identities).toEqual(new Set(['110/a', '110/b', '110/c', '110/d']));
    expect(needTwins(rows([event(100, 110, 'e')]), mark)).toEqual([]);
  });

  it('the last event sent again is redelivered without a look-up, since the events at the watermark are known', () => {
    const { mark } = judgeAll([c, u]);
    expect(needTwins(rows([u]), mark)).toEqual([]);
    expect([...judge(rows([u]), mark, new Set()).redelivered]).toEqual([1]);
  });

  it('LSNs that start lower after a restore of the source are new events', () => {
    const { redelivered, mark } = judgeAll([c, u, event(10, 20, 'c5'), event(21, 30, 'c6')], [2]);
    expect(redelivered).toEqual([0, 0, 0, 0]);
    expect(mark.position).toEqual({ commitLsn: 21, lsn: 30 });
  });

  it('a snapshot row neither is redelivered nor moves the watermark', () => {
    const read: Event = { commitLsn: 500, lsn: 500, key: 'r', snapshot: true };
    const { redelivered, mark } = judgeAll([read, c, read, u, read]);
    expect(redelivered).toEqual([0, 0, 0, 0, 0]);
    expect(mark.position).toEqual({ commitLsn: 120, lsn: 130 });
    expect(needTwins(rows([read]), mark)).toEqual([]);
  });

  it('an event that cannot be told from its like counts as new', () => {
    const nameless = event(100, 110, null);
    expect(judgeAll([nameless, nameless]).redelivered).toEqual([0, 0]);
  });

  it('asks for the events that went back, and then also for those level with the watermark', () => {
    const mark = judgeAll([c, u]).mark;
    expect(needTwins(rows([c, u, event(140, 150, 'n')]), mark)).toEqual([0, 1]);
    expect(needTwins(rows([event(140, 150, 'n'), event(140, 150, 'm')]), mark)).toEqual([]);
  });
});

/** Transactions in commit order: each sees the commit LSN before it, has LSNs of its own time, and may be a COPY page. */
const stream = fc
  .array(
    fc.record({
      late: fc.nat(60),
      changes: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((transactions) => {
    let committed = 1000;
    let count = 0;
    return transactions.flatMap(({ late, changes }, tx): Event[] => {
      let lsn = tx === 0 ? committed : committed - late;
      const events = changes.map((step) => {
        lsn += step;
        return { commitLsn: tx === 0 ? -1 : committed, lsn, key: `t${tx}/${count++}` };
      });
      committed = Math.max(committed, lsn) + 10;
      return events;
    });
  });

/** Connect restarts and sends `length` events from `from` on; a commit LSN that was null may be a number then. */
const replays = fc.array(fc.record({ from: fc.nat(), length: fc.nat(), known: fc.boolean() }), { maxLength: 3 });

const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 });
const restarts = fc.uniqueArray(fc.nat(12), { maxLength: 5 });

describe('a stream that is replayed from any earlier point', () => {
  it('has exactly the repeated events marked, however it is cut into blocks and wherever the service restarts', () => {
    fc.assert(
      fc.property(stream, replays, sizes, restarts, (events, again, cuts, stops) => {
        const sent: Event[] = [];
        const expected: number[] = [];
        let reached = 0;
        const runs = [...again, { from: 0, length: events.length, known: true }];
        let nowKnown = false;
        for (const [run, { from, length, known }] of runs.entries()) {
          nowKnown ||= known && run > 0;
          const begin = Math.min(from % events.length, reached);
          const end = Math.max(reached, Math.min(events.length, begin + length));
          for (let at = begin; at < end; at++) {
            const one = events[at]!;
            sent.push(nowKnown && one.commitLsn === -1 ? { ...one, commitLsn: 990 } : one);
            expected.push(at < reached ? 1 : 0);
          }
          reached = end;
        }
        expect(judgeAll(sent, cuts, stops).redelivered).toEqual(expected);
      }),
    );
  });
});

describe('a watermark that went back', () => {
  it('knows the earlier events where it stands then', () => {
    const first = event(null, 1000, 'a');
    const late = event(1010, 1000, 'b');
    const { mark } = judgeAll([first, late], [1]);
    expect(mark.identities).toEqual(new Set(['1000/a', '1000/b']));
    expect(judgeAll([first, late, first, late], [1]).redelivered).toEqual([0, 0, 1, 1]);
    expect(judgeAll([first, late, event(990, 1000, 'a'), late], [4]).redelivered).toEqual([0, 0, 1, 1]);
  });

  it('knows the events there that an earlier block wrote', () => {
    const [there, later, restoredLater] = [event(100, 110, 'a'), event(120, 130, 'b'), event(100, 110, 'c')];
    const { redelivered, mark } = judgeAll([there, later, restoredLater, there], [1]);
    expect(redelivered).toEqual([0, 0, 0, 1]);
    expect(mark.identities).toEqual(new Set(['110/a', '110/c']));
  });

  it('does not let an event of the first transaction pass for new because its LSN is higher', () => {
    const first = event(null, 1000, 'a');
    expect(judgeAll([first, event(1010, 900, 'b'), first], [1]).redelivered).toEqual([0, 0, 1]);
  });
});

describe('the identity of an event in a block', () => {
  const at = (offset: number, more: Partial<Fact> = {}): Fact => ({
    offset,
    op: 'c',
    key: '{"id":1}',
    lsn: 5,
    ...more,
  });
  const block = blockOf([
    at(0),
    at(1),
    at(2, { op: 'u' }),
    at(3, { key: '{"id":2}' }),
    at(4, { table: 'stock' }),
    at(5, { txId: 8 }),
    at(6, { lsn: 6 }),
  ]);

  it('is (lsn, tx_id, op, key) and the table', () => {
    const identities = [0, 1, 2, 3, 4, 5, 6].map((row) => block.identity(row));
    expect(identities[1]).toBe(identities[0]);
    expect(new Set(identities).size).toBe(6);
  });

  it('is the place in the transaction where there is no key, and nothing where there is neither', () => {
    const nameless = { op: 'c', lsn: 5 } as const;
    const keyless = blockOf([
      { offset: 0, ...nameless, txOrder: 1 },
      { offset: 1, ...nameless, txOrder: 2 },
      { offset: 2, ...nameless, txOrder: 1 },
      { offset: 3, ...nameless },
      { offset: 4, op: 't', lsn: 5 },
    ]);
    expect(keyless.identity(0)).not.toBe(keyless.identity(1));
    expect(keyless.identity(2)).toBe(keyless.identity(0));
    expect(keyless.identity(3)).toBeNull();
    expect(keyless.identity(4)).not.toBeNull();
  });
});
