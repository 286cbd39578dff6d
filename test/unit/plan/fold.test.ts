/** Events folded over the rows that stand, with real rows, against a plain map of rows. */
import * as fc from 'fast-check';
import { foldOver, type FoldEvent, type Standing } from '../../../src/plan/fold';
import { MirrorRows, type RowRef } from '../../../src/plan/mirror-rows';
import { appendRow, asStrings, readRow, readSigned, rowsOf, SHAPE, type Row } from './blocks';

const NOTE = 1;
const TAGS = 2;

const row = (id: number, note: string | null = 'n', tags: readonly string[] | null = ['x']): Row => ({
  id,
  note,
  tags,
});

function standingOf(rows: readonly Row[]): Standing {
  const mirror = rowsOf(rows);
  return { rows: mirror, byKey: new Map(rows.map((_, at) => [mirror.keyOf(at), at])) };
}

/** What happened, in words: a row, or the key of a deleted one; `lacks` are columns whose value was withheld. */
interface Happened {
  readonly row?: Row;
  readonly gone?: number;
  readonly lsn?: number;
  readonly lacks?: readonly number[];
  readonly older?: RowRef;
}

function fold(happened: readonly Happened[], standing: readonly Row[] = []) {
  const images = new MirrorRows(SHAPE);
  const events = happened.map(({ row: after, gone = 0, lsn, lacks, older }, index): FoldEvent => {
    const image = appendRow(images, after ?? row(gone, null, []));
    return {
      key: images.keyOf(image),
      origin: { offset: 100 + index, commitLsn: 5, lsn: lsn ?? 1000 + index, tsUs: 7 },
      image,
      present: after !== undefined,
      withheld: lacks === undefined ? null : new Map(lacks.map((column) => [column, older ?? null])),
    };
  });
  const { signed, unresolved } = foldOver(images, events, standingOf(standing));
  const origins = Array.from({ length: signed.rowCount }, (_, at) => signed.offset.numberAt(at));
  return {
    signed: readSigned(signed),
    origins,
    unresolved: unresolved.map(({ origin }) => origin.offset),
    raw: signed,
  };
}

describe('folding events over the rows that stand', () => {
  it('writes a new row once, whatever happened to it before', () => {
    const { signed, origins } = fold([{ row: row(1, 'a') }, { row: row(1, 'b') }, { row: row(1, 'c') }]);
    expect(signed).toEqual([[1, row(1, 'c')]]);
    expect(origins).toEqual([102]);
  });

  it('takes the row that stands away and adds the new one', () => {
    expect(fold([{ row: row(1, 'b') }], [row(1, 'a'), row(2, 'z')]).signed).toEqual([
      [-1, row(1, 'a')],
      [1, row(1, 'b')],
    ]);
  });

  it('takes away what stands, not what a delete says', () => {
    expect(fold([{ gone: 1 }], [row(1, 'stands')]).signed).toEqual([[-1, row(1, 'stands')]]);
  });

  it('writes nothing for a delete where nothing stands, nor for a row that came and went', () => {
    expect(fold([{ gone: 1 }]).signed).toEqual([]);
    expect(fold([{ row: row(1) }, { gone: 1 }]).signed).toEqual([]);
  });

  it('writes nothing where the result is the row that stands', () => {
    expect(fold([{ row: row(1, 'a') }], [row(1, 'a')]).signed).toEqual([]);
    expect(fold([{ gone: 1 }, { row: row(1, 'a') }], [row(1, 'a')]).signed).toEqual([]);
  });

  it('tells NULL from the value that stands in its place', () => {
    expect(fold([{ row: row(1, null, null) }], [row(1, '', [])]).signed).toEqual([
      [-1, row(1, '', [])],
      [1, row(1, null, null)],
    ]);
    expect(fold([{ row: row(1, 'a', null) }], [row(1, 'a', [])]).signed).toHaveLength(2);
  });

  it('gives both rows the place of the event that made the result', () => {
    const { origins, raw } = fold([{ row: row(1, 'b') }, { row: row(1, 'c') }], [row(1, 'a')]);
    expect(origins).toEqual([101, 101]);
    expect([raw.lsn.numberAt(0), raw.commitLsn.numberAt(1), raw.commitTs.numberAt(1)]).toEqual([1001, 5, 7]);
  });
});

describe('withheld values', () => {
  it('come from the row that stands, NULL included', () => {
    const { signed } = fold([{ row: row(1, 'b', []), lacks: [TAGS] }], [row(1, 'a', null)]);
    expect(signed).toEqual([
      [-1, row(1, 'a', null)],
      [1, row(1, 'b', null)],
    ]);
  });

  it('come from the event before in the same block, rather than from what stands', () => {
    const { signed } = fold(
      [{ row: row(1, 'newer', ['p']) }, { row: row(1, '', ['q']), lacks: [NOTE] }],
      [row(1, 'a')],
    );
    expect(signed[1]).toEqual([1, row(1, 'newer', ['q'])]);
  });

  it('come from the older image that is named, rather than from what stands', () => {
    const older = { rows: rowsOf([row(1, 'named', ['named'])]), row: 0 };
    const { signed } = fold([{ row: row(1, '', ['q']), lacks: [NOTE], older }], [row(1, 'a')]);
    expect(signed[1]).toEqual([1, row(1, 'named', ['q'])]);
    expect(fold([{ row: row(1, '', ['q']), lacks: [NOTE], older }]).signed).toEqual([[1, row(1, 'named', ['q'])]]);
  });

  it('of a changed key come from the row under the old key', () => {
    const change: Happened[] = [
      { gone: 1, lsn: 50 },
      { row: row(2, '', ['q']), lsn: 50, lacks: [NOTE] },
    ];
    expect(fold(change, [row(1, 'old')])).toMatchObject({
      signed: [
        [-1, row(1, 'old')],
        [1, row(2, 'old', ['q'])],
      ],
      unresolved: [],
    });
    expect(fold([{ row: row(1, 'in the block') }, ...change]).signed).toEqual([[1, row(2, 'in the block', ['q'])]]);
  });

  it('are not taken from a row that another event deleted', () => {
    const { signed, unresolved } = fold(
      [
        { gone: 1, lsn: 50 },
        { row: row(2, ''), lsn: 51, lacks: [NOTE] },
      ],
      [row(1)],
    );
    expect(unresolved).toEqual([101]);
    expect(signed).toEqual([[-1, row(1)]]);
  });

  it('that are nowhere to be found leave the key as it was, and the events after it go on', () => {
    expect(fold([{ row: row(1, ''), lacks: [NOTE] }])).toMatchObject({ signed: [], unresolved: [100] });
    const after = fold([{ row: row(1, ''), lacks: [NOTE] }, { row: row(1, 'whole') }]);
    expect(after).toMatchObject({ signed: [[1, row(1, 'whole')]], unresolved: [100] });
    const deleted = fold([{ gone: 1 }, { row: row(1, ''), lsn: 7, lacks: [NOTE] }], [row(1)]);
    expect(deleted).toMatchObject({ signed: [[-1, row(1)]], unresolved: [101] });
  });
});

const id = fc.integer({ min: 1, max: 4 });
const note = fc.option(fc.constantFrom('', 'a', 'b'));
const tags = fc.option(fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }));
const anyRow: fc.Arbitrary<Row> = fc.record({ id, note, tags });
const anyHappened: fc.Arbitrary<Happened> = fc.oneof(
  fc.record({ row: anyRow }),
  fc.record({ gone: id }),
  fc.record({ row: anyRow, lacks: fc.uniqueArray(fc.constantFrom(NOTE, TAGS), { minLength: 1 }) }),
);

/** The same in the plainest way: a map from key to row. */
function oracle(happened: readonly Happened[], standing: readonly Row[]) {
  const rows = new Map(standing.map((one) => [one.id, one]));
  const unresolved: number[] = [];
  happened.forEach(({ row: after, gone = 0, lacks = [] }, index) => {
    if (after === undefined) {
      rows.delete(gone);
      return;
    }
    const before = rows.get(after.id);
    if (lacks.length > 0 && before === undefined) unresolved.push(100 + index);
    else
      rows.set(after.id, {
        id: after.id,
        note: lacks.includes(NOTE) ? before!.note : after.note,
        tags: lacks.includes(TAGS) ? before!.tags : after.tags,
      });
  });
  return { rows, unresolved };
}

describe('whatever happens', () => {
  it('leads to the rows of a plain map, takes away only what stands, and never leaves a surplus', () => {
    fc.assert(
      fc.property(
        fc.array(anyHappened, { maxLength: 12 }),
        fc.uniqueArray(anyRow, { selector: (one) => one.id }),
        (happened, standing) => {
          const found = fold(happened, standing);
          const expected = oracle(happened, standing);
          expect(found.unresolved).toEqual(expected.unresolved);
          const rows = new Map(standing.map((one) => [one.id, one]));
          for (const [sign, written] of found.signed) {
            const stands = rows.get(written.id);
            if (sign === -1) {
              expect(stands).toEqual(written);
              rows.delete(written.id);
            } else {
              expect(stands).toBeUndefined();
              rows.set(written.id, written);
            }
          }
          expect(rows).toEqual(expected.rows);
          const same = (one: Row): boolean => standing.some((old) => fc.stringify(old) === fc.stringify(one));
          expect(found.signed.filter(([sign, one]) => sign === 1 && same(one))).toEqual([]);
        },
      ),
    );
  });
});

describe('rows of a mirror', () => {
  it('have the same key for the same key columns alone, of every type and in key order', () => {
    const mirror = rowsOf([row(1, 'a'), row(1, 'b', null), row(2, 'a'), row(-1, 'a')]);
    const keys = [0, 1, 2, 3].map((at) => mirror.keyOf(at));
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(3);
    const columns = [
      { name: 'a', type: 'String' },
      { name: 'b', type: 'String' },
    ];
    const twoTexts = new MirrorRows({ columns, key: [1, 0] });
    const append = (...texts: string[]): void => {
      twoTexts.columns.forEach((column, at) => asStrings(column).appendText(texts[at]!));
      twoTexts.nulls.endRow();
    };
    append('x', 'yz');
    append('xy', 'z');
    expect(twoTexts.keyOf(0)).not.toBe(twoTexts.keyOf(1));
    expect(twoTexts.keysOf([0, 1]).names).toEqual(['b', 'a']);
  });

  it('are copied, compared and cleared with the names of their NULL arrays', () => {
    const mirror = rowsOf([row(1, 'a', null), row(1, 'a', [])]);
    expect(mirror.equals(0, mirror, 1)).toBe(false);
    const copy = new MirrorRows(SHAPE);
    copy.appendFrom(mirror, 0);
    expect(readRow(copy, 0)).toEqual(row(1, 'a', null));
    expect(copy.equals(0, mirror, 0)).toBe(true);
    copy.clear();
    expect(copy.rowCount).toBe(0);
    copy.appendFrom(mirror, 1);
    expect(readRow(copy, 0)).toEqual(row(1, 'a', []));
  });
});
