/** How often blocks are cut that are not full, on a clock of the test. */
import fc from 'fast-check';
import { BLOCKS_PER_SECOND, createPace } from '../../../src/delivery/pace';

const AGE_MS = 250;

/**
 * Changes arrive for every partition every `everyMs`; each partition cuts as soon as it may. When which one was cut, ms.
 */
function cutsOf(options: { partitions: number; everyMs: number; forMs: number; behind?: number }): [string, number][] {
  const { partitions, everyMs, forMs, behind = 0 } = options;
  const pace = createPace(AGE_MS);
  const cuts: [string, number][] = [];
  const names = Array.from({ length: partitions }, (_, n) => String(n));
  const lastCut = new Map<string, number>();
  const since = new Map<string, number>();
  for (let now = 0; now < forMs; now += 5) {
    for (const name of names) {
      if (now % everyMs === 0 && !since.has(name)) since.set(name, now);
      const from = since.get(name);
      if (from === undefined) continue;
      if (now < pace.dueAt({ lastCut: lastCut.get(name) ?? -Infinity, since: from, behind }, now)) continue;
      pace.cut(name, now);
      lastCut.set(name, now);
      since.delete(name);
      cuts.push([name, now]);
    }
  }
  return cuts;
}

describe('the pace of blocks', () => {
  it('is at most four a second for one partition that changes all the time', () => {
    const cuts = cutsOf({ partitions: 1, everyMs: 5, forMs: 20_000 });
    expect(cuts.length).toBe(20_000 / AGE_MS);
  });

  it('lets the first change after a pause go at once', () => {
    const cuts = cutsOf({ partitions: 3, everyMs: 30_000, forMs: 100_000 });
    expect(cuts.map(([, at]) => at % 30_000)).toEqual(cuts.map(() => 0));
    expect(cuts.length).toBe(3 * 4);
  });

  it('is shared by all partitions that change at once, and each gets its turn', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (partitions) => {
        const seconds = 40;
        const cuts = cutsOf({ partitions, everyMs: 5, forMs: seconds * 1_000 });
        const settled = cuts.filter(([, at]) => at >= 20_000);
        const most = Math.min(BLOCKS_PER_SECOND, (partitions * 1_000) / AGE_MS);
        expect(settled.length).toBeLessThanOrEqual(most * 20 + partitions);
        expect(new Set(settled.map(([name]) => name)).size).toBe(partitions);
      }),
      { seed: 6, numRuns: 20 },
    );
  });

  it('leaves nothing of a partition that stopped changing', () => {
    const pace = createPace(AGE_MS);
    for (let n = 0; n < 200; n++) pace.cut(String(n), 0);
    const due = (now: number): number => pace.dueAt({ lastCut: now, since: now, behind: 0 }, now) - now;
    expect(due(1)).toBe((200 * 1_000) / BLOCKS_PER_SECOND);
    expect(due(20_000)).toBe(AGE_MS);
  });

  it('waits for a block to fill while much is still to be read, but not for ever', () => {
    const pace = createPace(AGE_MS);
    const due = (behind: number): number => pace.dueAt({ lastCut: 4_900, since: 5_000, behind }, 5_000);
    expect(due(0)).toBe(4_900 + AGE_MS);
    expect(due(1_000_000)).toBe(6_000);
  });

  it('lets the first block of a partition go at once, however much is still to be read', () => {
    const pace = createPace(AGE_MS);
    expect(pace.dueAt({ lastCut: -Infinity, since: 5_000, behind: 1_000_000 }, 5_000)).toBe(-Infinity);
  });
});
