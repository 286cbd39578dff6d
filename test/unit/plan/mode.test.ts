/** How a block is written: op, identity and images, withheld values, redelivery, and the runs of a snapshot. */
import { appendableReads, chooseMode, type Mode, type ModeFacts, type SnapshotState } from '../../../src/plan/mode';
import { blockOf, type Fact } from './blocks';

const AFTER = '{"id":1,"note":"new"}';
const BEFORE = '{"id":1,"note":"old"}';

function modeOf(facts: readonly Fact[], more: Partial<ModeFacts> = {}): Mode {
  const block = blockOf(facts);
  return chooseMode({
    block,
    rows: facts.map((_, row) => row),
    seen: false,
    redelivered: new Uint8Array(facts.length),
    appendable: new Uint8Array(facts.length),
    wholeBefore: true,
    withheld: new Map(),
    doubtful: () => false,
    ...more,
  });
}

const c: Fact = { offset: 0, op: 'c', after: AFTER };
const u: Fact = { offset: 1, op: 'u', before: BEFORE, after: AFTER };
const d: Fact = { offset: 2, op: 'd', before: BEFORE };
const r: Fact = { offset: 3, op: 'r', after: AFTER };

describe('the mode of a fresh block', () => {
  it('is merge for a key with a record in quarantine: its row may not stand as the event takes for granted', () => {
    expect(modeOf([c, u, d])).toBe('append');
    expect(modeOf([c, u, d], { doubtful: (row) => row === 1 })).toBe('merge');
  });

  it.each<[string, Mode, Fact, Partial<ModeFacts>]>([
    ['a create with FULL identity', 'append', c, {}],
    ['a create with DEFAULT identity', 'append', c, { wholeBefore: false }],
    ['a create that withholds a value', 'merge', c, { withheld: new Map([[0, ['note']]]) }],
    ['an update with a whole before', 'append', u, {}],
    ['an update whose before is not known to be whole', 'merge', u, { wholeBefore: false }],
    ['an update without before', 'merge', { ...c, op: 'u' }, {}],
    ['an update that withholds a value', 'merge', u, { withheld: new Map([[0, ['note']]]) }],
    ['a delete with a whole before', 'append', d, {}],
    ['a delete whose before is not known to be whole', 'merge', d, { wholeBefore: false }],
    ['a delete without before', 'merge', { offset: 2, op: 'd' }, {}],
    ['a snapshot row of the only run', 'append', r, { appendable: Uint8Array.of(1) }],
    ['a snapshot row that may repeat another', 'merge', r, {}],
    ['a redelivered update without before', 'append', { ...c, op: 'u' }, { redelivered: Uint8Array.of(1) }],
    ['a redelivered change that withholds a value', 'append', c, { redelivered: Uint8Array.of(1), withheld: new Map([[0, ['note']]]) }], // prettier-ignore
  ])('of %s is %s', (_, mode, fact, more) => {
    expect(modeOf([fact], more)).toBe(mode);
  });

  it('is merge as soon as one change of the table needs it, and minds the rows of its table only', () => {
    const mixed = [c, u, { ...c, offset: 2, op: 'u' } as const];
    expect(modeOf(mixed)).toBe('merge');
    expect(modeOf(mixed, { rows: [0, 1] })).toBe('append');
    expect(modeOf(mixed, { rows: [2] })).toBe('merge');
  });
});

describe('the mode of a block that was seen before', () => {
  it('is reconcile, whatever it holds', () => {
    for (const fact of [c, u, d, r]) expect(modeOf([fact], { seen: true })).toBe('reconcile');
    expect(modeOf([c], { seen: true, redelivered: Uint8Array.of(1) })).toBe('reconcile');
  });
});

describe('snapshot rows', () => {
  const read = (offset: number, lsn: number): Fact => ({ offset, op: 'r', after: AFTER, lsn });
  const EMPTY: SnapshotState = { kind: 'empty' };
  const MIXED: SnapshotState = { kind: 'mixed' };
  const run = (lsn: number, tsUs = 1_000_000): SnapshotState => ({ kind: 'one-run', lsn, tsUs });

  it.each<
    [string, { from: SnapshotState; facts: readonly Fact[]; appendable: readonly number[]; after: SnapshotState }]
  >([
    [
      'of the first run are appended',
      { from: EMPTY, facts: [read(0, 9), read(1, 9)], appendable: [1, 1], after: run(9) },
    ],
    ['of the run that goes on are appended', { from: run(9), facts: [read(0, 9)], appendable: [1], after: run(9) }],
    [
      'of a run repeated at once, with the same LSN, are not',
      { from: run(9, 1), facts: [read(0, 9), read(1, 9)], appendable: [0, 0], after: MIXED },
    ],
    ['of another run are not', { from: run(9), facts: [read(0, 10), read(1, 10)], appendable: [0, 0], after: MIXED }],
    [
      'after a change of run are not, not even of the first again',
      { from: EMPTY, facts: [read(0, 9), read(1, 8), read(2, 9)], appendable: [1, 0, 0], after: MIXED },
    ],
    [
      'after a streamed change are not',
      { from: EMPTY, facts: [{ ...c, lsn: 9 }, read(1, 9)], appendable: [0, 0], after: MIXED },
    ],
    [
      'before a streamed change are',
      { from: EMPTY, facts: [read(0, 9), { ...c, offset: 1, lsn: 9 }], appendable: [1, 0], after: MIXED },
    ],
    ['that meet anything else in changes are not', { from: MIXED, facts: [read(0, 9)], appendable: [0], after: MIXED }],
    [
      'without an LSN (incremental) are not',
      { from: EMPTY, facts: [read(0, -1), read(1, -1)], appendable: [0, 0], after: MIXED },
    ],
  ])('%s', (_, { from, facts, appendable, after }) => {
    const found = appendableReads(blockOf(facts), from);
    expect([...found.appendable]).toEqual(appendable);
    expect(found.after).toEqual(after);
  });

  it('leave the state as it is where there are none', () => {
    expect(appendableReads(blockOf([]), run(9))).toEqual({ appendable: new Uint8Array(0), after: run(9) });
  });
});
