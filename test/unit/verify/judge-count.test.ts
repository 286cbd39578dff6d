import fc from 'fast-check';
import { judgeCount, type CountEvent } from '../../../src/verify/judge-count';

function event(by: number, rest: Partial<CountEvent> = {}): CountEvent {
  return { op: 'c', by, place: '0@t', offset: 1, hidden: true, certain: false, ...rest };
}

describe('the count of a row without a key', () => {
  it('is equal where both sides have it as often, and differs by one', () => {
    expect(judgeCount(3, 3, [])).toEqual({ equal: true, expected: 3, moved: 0 });
    expect(judgeCount(3, 2, [])).toEqual({ equal: false, expected: 3, moved: 0 });
    expect(judgeCount(0, 1, [])).toEqual({ equal: false, expected: 0, moved: 0 });
  });

  it('may have followed what came later or not, until it is acknowledged', () => {
    const later = [event(1, { offset: 1 }), event(1, { offset: 2 })];
    expect([0, 1, 2, 3, 4].filter((mirror) => judgeCount(1, mirror, later).equal)).toEqual([1, 2, 3]);
    const first = [event(1, { offset: 1, certain: true }), event(1, { offset: 2 })];
    expect([0, 1, 2, 3, 4].filter((mirror) => judgeCount(1, mirror, first).equal)).toEqual([2, 3]);
  });

  it('does not move by what the snapshot sees, by rows of a snapshot, or by an update that leaves the row as it is', () => {
    const events = [event(5, { hidden: false }), event(1, { op: 'r' }), event(-1, { op: 'u' }), event(1, { op: 'u' })];
    expect(judgeCount(2, 2, events)).toEqual({ equal: true, expected: 2, moved: 0 });
    expect(judgeCount(2, 1, events).equal).toBe(false);
  });

  it('may be in any of the ways in which two partitions were written', () => {
    const events = [event(1, { place: '0@t', offset: 7 }), event(-1, { place: '1@t', offset: 3 })];
    expect([0, 1, 2, 3, 4].filter((mirror) => judgeCount(2, mirror, events).equal)).toEqual([1, 2, 3]);
  });

  it('is none after a truncate, and goes on from there', () => {
    const events = [event(0, { op: 't', certain: true }), event(1, { offset: 2 })];
    expect([0, 1, 2, 3, 4].filter((mirror) => judgeCount(4, mirror, events).equal)).toEqual([0, 1]);
  });

  it('is right at every position a right mirror may be at, and at no other', () => {
    const steps = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.nat(5), steps, fc.nat(12), fc.nat(12), (source, by, acknowledged, written) => {
        const [certain, at] = [Math.min(acknowledged, written, by.length), Math.min(written, by.length)];
        const events = by.map((one, offset) => event(one, { offset, certain: offset < certain }));
        const counts = [source];
        for (const one of by) counts.push((counts.at(-1) ?? 0) + one);
        expect(judgeCount(source, counts[at] ?? 0, events).equal).toBe(true);
        const never = Math.max(...counts) + 1;
        expect(judgeCount(source, never, events).equal).toBe(false);
      }),
    );
  });
});
