import fc from 'fast-check';
import { differingCells, judge, sameState, type KeyEvent, type RowState } from '../../../src/verify/judge';

const NAMES = ['id', 'a', 'b'];

function event(op: string, cells: (string | null)[], rest: Partial<KeyEvent> = {}): KeyEvent {
  return { op, cells, unavailable: [], hidden: true, certain: false, ...rest };
}

describe('a key without later events', () => {
  it('is equal when both sides hold the same row, or none', () => {
    expect(judge(['1', 'x', null], ['1', 'x', null], [], NAMES).equal).toBe(true);
    expect(judge(null, null, [], NAMES).equal).toBe(true);
  });

  it('differs in one value, in a row that is missing and in one too many', () => {
    expect(judge(['1', 'x', null], ['1', 'x', ''], [], NAMES).equal).toBe(false);
    expect(judge(['1', 'x', null], null, [], NAMES)).toEqual({ equal: false, expected: ['1', 'x', null], moved: 0 });
    expect(judge(null, ['1', 'x', null], [], NAMES)).toEqual({ equal: false, expected: null, moved: 0 });
  });
});

describe('a key that was changed after the snapshot', () => {
  const update = event('u', ['1', 'y', null]);

  it('may have reached the mirror or not while its event is not acknowledged', () => {
    expect(judge(['1', 'x', null], ['1', 'y', null], [update], NAMES).equal).toBe(true);
    expect(judge(['1', 'x', null], ['1', 'x', null], [update], NAMES).equal).toBe(true);
    expect(judge(['1', 'x', null], ['1', 'z', null], [update], NAMES).equal).toBe(false);
  });

  it('must have reached the mirror once its event is acknowledged', () => {
    const written = { ...update, certain: true };
    expect(judge(['1', 'x', null], ['1', 'x', null], [written], NAMES)).toEqual({
      equal: false,
      expected: ['1', 'y', null],
      moved: 1,
    });
    expect(judge(['1', 'x', null], ['1', 'y', null], [written], NAMES).equal).toBe(true);
  });

  it('takes a withheld value from the row that the snapshot saw, not on trust', () => {
    const withheld = event('u', ['1', 'y', null], { unavailable: ['b'], certain: true });
    expect(judge(['1', 'x', 'long'], ['1', 'y', 'long'], [withheld], NAMES).equal).toBe(true);
    expect(judge(['1', 'x', 'long'], ['1', 'y', 'lost'], [withheld], NAMES).equal).toBe(false);
  });

  it('is gone after a delete and after a truncate', () => {
    for (const op of ['d', 't'])
      expect(judge(['1', 'x', null], null, [event(op, [], { certain: true })], NAMES).equal).toBe(true);
  });

  it('does not count an event that the snapshot sees, though it came late', () => {
    const seen = event('u', ['1', 'x', null], { hidden: false, certain: true });
    expect(
      judge(['1', 'x', null], ['1', 'x', null], [event('u', ['1', 'w', null], { certain: true }), seen], NAMES),
    ).toMatchObject({ equal: true, moved: 0 });
  });

  it('takes no snapshot read for an event that the snapshot of the comparison sees', () => {
    const read = event('r', ['1', 'y', null], { hidden: false, certain: true });
    expect(judge(['1', 'x', null], ['1', 'y', null], [update, read], NAMES).equal).toBe(true);
  });
});

describe('for any history of a key', () => {
  const cell = fc.option(fc.constantFrom('p', 'q', 'r'), { nil: null });
  const state: fc.Arbitrary<RowState> = fc.option(
    fc.tuple(cell, cell).map(([a, b]) => ['1', a, b]),
    { nil: null },
  );
  const history = fc.record({
    states: fc.array(state, { minLength: 1, maxLength: 8 }),
    seen: fc.nat(),
    acknowledged: fc.nat(),
    reached: fc.nat(),
  });

  /** States 0 to `seen` were committed before the snapshot; the mirror holds that of `reached`; all below `acknowledged` is in it. */
  const scene = ({ states, ...at }: { states: RowState[]; seen: number; acknowledged: number; reached: number }) => {
    const seen = at.seen % states.length;
    const reached = seen + (at.reached % (states.length - seen));
    const acknowledged = seen + (at.acknowledged % (reached - seen + 1));
    const events = states.map((after, index): KeyEvent => {
      const before = states[index - 1] ?? null;
      // A value that did not change may be withheld.
      const unavailable = after !== null && before !== null && index % 2 === 1 && after[2] === before[2] ? ['b'] : [];
      return {
        op: after === null ? 'd' : 'u',
        cells: after === null ? [] : after.map((one, i) => (unavailable.length > 0 && i === 2 ? null : one)),
        unavailable,
        hidden: index > seen,
        certain: index <= acknowledged,
      };
    });
    return {
      source: states[seen] ?? null,
      right: states[reached] ?? null,
      possible: states.slice(acknowledged),
      events,
    };
  };

  it('a right mirror is never called different', () => {
    fc.assert(
      fc.property(history, (of) => {
        const { source, right, events } = scene(of);
        expect(judge(source, right, events, NAMES).equal).toBe(true);
      }),
    );
  });

  it('a mirror that holds what the source never had since is always found', () => {
    fc.assert(
      fc.property(history, state, (of, wrong) => {
        const { source, possible, events } = scene(of);
        fc.pre(!possible.some((one) => sameState(one, wrong)));
        expect(judge(source, wrong, events, NAMES).equal).toBe(false);
      }),
    );
  });
});

it('names the cells that differ, and none that is not known', () => {
  expect(differingCells(['1', 'x', undefined], ['1', 'y', 'z'])).toEqual([1]);
});
