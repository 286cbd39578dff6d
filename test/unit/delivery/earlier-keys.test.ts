/** Which events name their rows by a key that the table had before. */
import { earlierImages } from '../../../src/delivery/table-past';
import type { SourceColumn, SourceTable } from '../../../src/model';
import { withKeyBetween, withVersion, type TableVersion } from '../../../src/plan/table-versions';

const column = (name: string, attnum: number, type = 'integer', base = 'int4'): SourceColumn => ({
  ...{ name, attnum, type, base, kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
});
const COLUMNS = [column('id', 1), column('region', 2), column('n', 3)];

interface Then {
  readonly key: readonly string[];
  readonly columns?: readonly SourceColumn[];
  readonly oid?: number;
  readonly keyIndex?: number;
}

/** Versions that were found between the LSNs 100 and 200, 200 and 300, and so on. */
function versionsOf(...all: readonly Then[]): readonly TableVersion[] {
  return all.reduce<readonly TableVersion[]>((versions, { key, columns = COLUMNS, oid = 7, keyIndex }, index) => {
    const source: SourceTable = {
      schema: 'public',
      name: 't',
      identity: 'full',
      key: [...key],
      oid,
      columns: [...columns],
      ...(keyIndex === undefined ? {} : { keyIndex }),
    };
    return withVersion(versions, source, { after: index * 100, by: (index + 1) * 100 });
  }, []);
}

const isEarlier = (versions: readonly TableVersion[], key: string, lsn: number): boolean | undefined =>
  earlierImages(versions)?.isUnderEarlierKey(Buffer.from(key), lsn);

const ID = '{"id":5}';
const BOTH = '{"region":1,"id":5}';

describe('an event is under an earlier key', () => {
  const rekeyed = versionsOf({ key: ['id'] }, { key: ['region', 'id'] });

  it('where its key is of other columns, in whatever order', () => {
    expect(earlierImages(rekeyed)?.rekeyed).toBe(true);
    expect(isEarlier(rekeyed, ID, 50)).toBe(true);
    expect(isEarlier(rekeyed, ID, 150)).toBe(true);
    expect(isEarlier(rekeyed, BOTH, 150)).toBe(false);
    expect(isEarlier(rekeyed, '{"id":5,"region":1}', 150)).toBe(false);
  });

  it('where it has none, of the time before there was a key', () => {
    const keyed = versionsOf({ key: [] }, { key: ['id'] });
    expect(isEarlier(keyed, '', 150)).toBe(true);
    expect(isEarlier(keyed, ID, 150)).toBe(false);
  });

  it('not when it is surely of the table of now: a connector may have keys of its own', () => {
    expect(isEarlier(rekeyed, ID, 201)).toBe(false);
  });

  it('where the key column has another name by now, or was another column', () => {
    const renamed = versionsOf({ key: ['id'] }, { key: ['no'], columns: [column('no', 1), ...COLUMNS.slice(1)] });
    expect(isEarlier(renamed, ID, 50)).toBe(true);
    expect(isEarlier(renamed, '{"no":5}', 150)).toBe(false);
    const exchanged = versionsOf({ key: ['id'] }, { key: ['id'], columns: [column('id', 9), ...COLUMNS.slice(1)] });
    expect(isEarlier(exchanged, ID, 150)).toBe(true);
    expect(isEarlier(exchanged, ID, 201)).toBe(false);
  });

  it('where its values are written in another way by now, not where they only may be larger', () => {
    const as = (type: string, base: string): readonly TableVersion[] =>
      versionsOf({ key: ['id'] }, { key: ['id'], columns: [column('id', 1, type, base), ...COLUMNS.slice(1)] });
    expect(isEarlier(as('text', 'text'), ID, 150)).toBe(true);
    expect(isEarlier(as('bigint', 'int8'), ID, 150)).toBe(false);
    expect(earlierImages(as('bigint', 'int8'))?.rekeyed).toBe(false);
  });

  it('where the key was another in between: rows may have changed under that one', () => {
    const back = versionsOf({ key: ['id'] }, { key: ['region'] }, { key: ['id'] });
    expect(isEarlier(back, ID, 50)).toBe(true);
    expect(isEarlier(back, '{"region":1}', 250)).toBe(true);
    expect(isEarlier(back, ID, 250)).toBe(false);
  });

  it('never while only other things were altered, or in another table that had the name', () => {
    const grown = versionsOf({ key: ['id'] }, { key: ['id'], columns: [...COLUMNS, column('more', 4)] });
    expect(isEarlier(grown, ID, 50)).toBe(false);
    const remade = versionsOf({ key: ['id'] }, { key: ['region'], oid: 8 });
    expect(isEarlier(remade, ID, 50)).toBe(false);
  });

  describe('that no look has seen, as the key was changed and changed back between two', () => {
    const REGION = '{"region":1}';
    const back = versionsOf({ key: ['id'], keyIndex: 1 }, { key: ['id'], keyIndex: 2 });

    it('where its key is of other columns: those of now may be of a key whose index was only rebuilt', () => {
      expect(back).toHaveLength(1);
      expect(earlierImages(back)?.rekeyed).toBe(true);
      expect(isEarlier(back, REGION, 150)).toBe(true);
      expect(isEarlier(back, REGION, 201)).toBe(false);
      expect(isEarlier(back, ID, 150)).toBe(false);
      expect(earlierImages(back)?.unseenKey(Buffer.from(REGION))).toEqual(['region']);
      expect(earlierImages(back)?.unseenKey(Buffer.from(ID))).toBeNull();
    });

    it('once such an event was met, of all that was before the look that found it', () => {
      const learned = withKeyBetween(back, ['region']);
      expect(learned.map(({ source }) => source.key)).toEqual([['id'], ['region'], ['id']]);
      expect(isEarlier(learned, ID, 150)).toBe(true);
      expect(isEarlier(learned, ID, 201)).toBe(false);
      expect(earlierImages(learned)?.unseenKey(Buffer.from(REGION))).toBeNull();
      expect(withKeyBetween(learned, ['region'])).toBe(learned);
    });

    it('where a column was added meanwhile, too', () => {
      const more = [...COLUMNS, column('more', 4)];
      const grown = versionsOf({ key: ['id'], keyIndex: 1 }, { key: ['id'], keyIndex: 2, columns: more });
      expect(isEarlier(grown, REGION, 150)).toBe(true);
      const learned = withKeyBetween(grown, ['region']);
      expect(learned.map(({ source }) => source.key)).toEqual([['id'], ['region'], ['id']]);
      expect(isEarlier(learned, ID, 150)).toBe(true);
      const later = versionsOf(
        { key: ['id'], keyIndex: 1 },
        { key: ['id'], keyIndex: 2 },
        { key: ['id'], keyIndex: 2, columns: more },
      );
      expect(isEarlier(withKeyBetween(later, ['region']), ID, 150)).toBe(true);
      expect(isEarlier(withKeyBetween(later, ['region']), ID, 250)).toBe(false);
    });

    it('not where the index is the same, is met for the first time, or the key has a column that is gone', () => {
      expect(earlierImages(versionsOf({ key: ['id'], keyIndex: 1 }, { key: ['id'], keyIndex: 1 }))).toBeNull();
      const first = versionsOf({ key: ['id'] }, { key: ['id'], keyIndex: 1 });
      expect(first[0]?.source.keyIndex).toBe(1);
      expect(earlierImages(first)).toBeNull();
      expect(
        earlierImages(versionsOf({ key: ['id'], keyIndex: 1 }, { key: ['id'], keyIndex: 2, oid: 8 }))?.rekeyed,
      ).toBe(false);
      expect(withKeyBetween(back, ['gone'])).toBe(back);
      expect(isEarlier(back, '{"gone":1}', 150)).toBe(true);
    });
  });
});
