/** Every row of the assignment table, its boundaries, and what no row may ever do. */
import * as fc from 'fast-check';
import { decideStart, MAX_BLOCK_OFFSETS as M, type Found, type Start } from '../../../src/plan/assignment';

const TARGET = 'a0000000-0000-0000-0000-000000000001';
const OTHER = 'b0000000-0000-0000-0000-000000000002';
const BLOCK = { end: 700, at: 1_795_000_000_000 };

const FOUND: Found = {
  committed: 500,
  note: { target: TARGET, announced: null },
  highest: 499,
  low: 0,
  high: 1000,
  target: TARGET,
  waited: false,
};

const found = (more: Partial<Found>): Found => ({ ...FOUND, ...more });
const idle = { target: TARGET, announced: null };
const announced = { target: TARGET, announced: BLOCK };
const replaced = { target: OTHER, announced: BLOCK };
const HAND = { note: null } as const;

describe('the start of a partition', () => {
  it.each<[string, Partial<Found>, Start]>([
    ['waits when the target was replaced', { note: replaced }, { kind: 'wait', why: 'replaced' }],
    [
      'is the oldest record once the wait for a replaced target is over',
      { note: replaced, waited: true, low: 3, highest: null },
      { kind: 'read', why: 'replaced', from: 3 },
    ],
    [
      'is the oldest record for a replaced target even where an idle commit says there is nothing to redo',
      { note: { target: OTHER, announced: null }, waited: true },
      { kind: 'read', why: 'replaced', from: 0 },
    ],
    [
      'minds a replaced target before a topic that was made again',
      { note: replaced, waited: true, highest: 2000, low: 1 },
      { kind: 'read', why: 'replaced', from: 1 },
    ],
    [
      'waits where rows of older offsets may still be landing',
      { note: { ...idle, settling: true } },
      { kind: 'wait', why: 'settling' },
    ],
    [
      'is the committed offset once the wait for such rows is over',
      { note: { ...idle, settling: true }, waited: true },
      { kind: 'read', why: 'ours', from: 500 },
    ],
    ['redoes what was announced', { note: announced }, { kind: 'redo', from: 500, block: BLOCK }],
    [
      'redoes what was announced before anything was written',
      { note: announced, highest: null },
      { kind: 'redo', from: 500, block: BLOCK },
    ],
    [
      'reads on when the announced block ends where the commit is',
      { committed: 700, note: announced, highest: 699 },
      { kind: 'read', why: 'ours', from: 700 },
    ],
    ['is the committed offset of an idle commit', { note: idle }, { kind: 'read', why: 'ours', from: 500 }],
    [
      'is the committed offset of an idle commit at the oldest record',
      { note: idle, low: 500 },
      { kind: 'read', why: 'ours', from: 500 },
    ],
    [
      'is the committed offset though only skipped records came since H',
      { note: idle, highest: 20 },
      { kind: 'read', why: 'ours', from: 500 },
    ],
    ['waits when a hand committed', HAND, { kind: 'wait', why: 'hand' }],
    ['waits when Kafka forgot the group', { committed: null, note: null }, { kind: 'wait', why: 'hand' }],
    ['waits for a hand though nothing was written', { ...HAND, highest: null }, { kind: 'wait', why: 'hand' }],
    [
      'follows a hand that went back',
      { ...HAND, waited: true, committed: 10, highest: 300_000, high: 400_000 },
      { kind: 'read', why: 'hand', from: 10 },
    ],
    [
      'does not follow a hand that went forward',
      { ...HAND, waited: true, committed: 350_000, highest: 300_000, high: 400_000 },
      { kind: 'read', why: 'hand', from: 300_001 - M },
    ],
    [
      'goes back by a whole block when Kafka forgot the group',
      { committed: null, note: null, waited: true, highest: 300_000, high: 400_000 },
      { kind: 'read', why: 'hand', from: 300_001 - M },
    ],
    ['never goes below 0', { ...HAND, waited: true, committed: 900 }, { kind: 'read', why: 'hand', from: 0 }],
    [
      'is 0 for a hand where nothing was written',
      { ...HAND, waited: true, highest: null },
      { kind: 'read', why: 'hand', from: 0 },
    ],
    [
      'stops for a hand where nothing was written and the oldest records are gone',
      { ...HAND, waited: true, highest: null, low: 40 },
      { kind: 'stop', code: 'CHANGES_EXPIRED', from: 0, to: 40 },
    ],
    [
      'stops when the topic ends below what we acknowledged, though not below H',
      { note: idle, committed: 600, highest: 499, high: 550 },
      { kind: 'stop', code: 'TOPIC_RECREATED', highest: 599, high: 550 },
    ],
    [
      'reconciles what expired when the oldest record is at H + 1',
      { ...HAND, waited: true, low: 500 },
      { kind: 'reconcile-expired', from: 0, to: 500 },
    ],
    [
      'reads when the oldest record is where a hand leads to',
      { ...HAND, waited: true, committed: 10, highest: 300_000, low: 10, high: 400_000 },
      { kind: 'read', why: 'hand', from: 10 },
    ],
    [
      'reconciles from where a hand leads to when the oldest record is one above',
      { ...HAND, waited: true, committed: 10, highest: 300_000, low: 11, high: 400_000 },
      { kind: 'reconcile-expired', from: 10, to: 11 },
    ],
    [
      'is a stop when a hand committed and the record after H expired',
      { ...HAND, waited: true, low: 501 },
      { kind: 'stop', code: 'CHANGES_EXPIRED', from: 500, to: 501 },
    ],
    [
      'is a stop when the record after our commit expired',
      { note: idle, low: 501 },
      { kind: 'stop', code: 'CHANGES_EXPIRED', from: 500, to: 501 },
    ],
    [
      'is a stop when a part of the announced block expired',
      { note: announced, low: 600 },
      { kind: 'stop', code: 'CHANGES_EXPIRED', from: 500, to: 600 },
    ],
    [
      'is the oldest record at the first start, without a wait, whatever expired',
      { committed: null, note: null, highest: null, low: 70 },
      { kind: 'read', why: 'first', from: 70 },
    ],
    [
      'is a stop when the topic ends at H',
      { note: idle, high: 499 },
      { kind: 'stop', code: 'TOPIC_RECREATED', highest: 499, high: 499 },
    ],
    [
      'is a stop, without a wait, when a hand committed and the topic ends below H',
      { ...HAND, high: 0 },
      { kind: 'stop', code: 'TOPIC_RECREATED', highest: 499, high: 0 },
    ],
    ['goes on when the topic ends one above H', { note: idle, high: 500 }, { kind: 'read', why: 'ours', from: 500 }],
  ])('%s', (_, more, start) => {
    expect(decideStart(found(more))).toEqual(start);
  });
});

const anyFound = fc
  .record({
    committed: fc.option(fc.nat(400_000)),
    note: fc.option(
      fc.record({
        target: fc.constantFrom(TARGET, OTHER),
        announced: fc.option(fc.record({ end: fc.nat(400_000), at: fc.nat() })),
      }),
    ),
    highest: fc.option(fc.nat(400_000)),
    low: fc.oneof(fc.constant(0), fc.nat(300_000)),
    held: fc.nat(300_000),
    waited: fc.boolean(),
  })
  .map(({ held, ...rest }): Found => ({ ...rest, high: rest.low + held, target: TARGET }));

describe('whatever is found', () => {
  it('a start is never below what Kafka holds, and a wait is asked for once only', () => {
    fc.assert(
      fc.property(anyFound, (any) => {
        const start = decideStart(any);
        if (start.kind === 'read' || start.kind === 'redo') expect(start.from).toBeGreaterThanOrEqual(any.low);
        if (start.kind === 'reconcile-expired') expect(start.to).toBe(any.low);
        if (any.waited) expect(start.kind).not.toBe('wait');
      }),
    );
  });

  it('a hand never leads above H + 1, nor skips an offset that changes lacks', () => {
    fc.assert(
      fc.property(anyFound, (any) => {
        const start = decideStart({ ...any, note: null, waited: true });
        const next = (any.highest ?? -1) + 1;
        if (start.kind === 'reconcile-expired') expect(start.to).toBeLessThanOrEqual(next);
        if (start.kind === 'read' && any.highest !== null) expect(start.from).toBeLessThanOrEqual(next);
      }),
    );
  });

  it('a hand always leads back to where the mirrors are for certain', () => {
    fc.assert(
      fc.property(anyFound, (any) => {
        const start = decideStart({ ...any, note: null, waited: true });
        if (start.kind !== 'read' && start.kind !== 'reconcile-expired') return;
        if (any.highest !== null) expect(start.from).toBeLessThanOrEqual(Math.max(0, any.highest + 1 - M));
      }),
    );
  });

  it('a redo begins at the commit and ends beyond it', () => {
    fc.assert(
      fc.property(anyFound, (any) => {
        const start = decideStart(any);
        if (start.kind !== 'redo') return;
        expect(start.from).toBe(any.committed);
        expect(start.block.end).toBeGreaterThan(start.from);
      }),
    );
  });
});
