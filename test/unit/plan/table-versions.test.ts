import { isLater, type SourceColumn, type SourceTable } from '../../../src/model';
import { placeOf, tableAt, withVersion, type EventPlace, type TableVersion } from '../../../src/plan/table-versions';

const column = (name: string, attnum: number, more: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name, base: 'int4', type: 'integer', kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
  attnum,
  ...more,
});
const table = (columns: readonly SourceColumn[], more: Partial<SourceTable> = {}): SourceTable => ({
  ...{ schema: 'public', name: 't', identity: 'full', key: ['id'], oid: 7 },
  columns,
  ...more,
});
const id = column('id', 1);
const at = (lsn: number, txId: number): EventPlace => ({ lsn, txId, sentUs: -1 });
const fields = (...names: readonly string[]) => new Set(names);
const namesOf = (found: SourceTable | null) => found?.columns.map(({ name, type }) => `${name} ${type}`);

/** Two versions; the second was found between the LSNs 100 and 200. */
function two(before: readonly SourceColumn[], now: readonly SourceColumn[]): readonly TableVersion[] {
  return withVersion(withVersion([], table(before), { after: 0, by: 10 }), table(now), { after: 100, by: 200 });
}

describe('the versions of a table', () => {
  it('are only what makes images and rows differ', () => {
    const first = withVersion([], table([id]), { after: 0, by: 1 });
    expect(withVersion(first, table([{ ...id, notNull: false }], { identity: 'default' }), { after: 1, by: 2 })).toBe(
      first,
    );
    expect(withVersion(first, table([id, column('a', 2)]), { after: 1, by: 2 })).toHaveLength(2);
  });

  it('keep what older rows read in a column after PostgreSQL forgot it', () => {
    const added = two([id], [id, column('a', 2, { missing: '5' })]);
    const rewritten = withVersion(
      added,
      table([id, column('a', 2, { filled: true }), column('b', 3, { filled: true })]),
      {
        after: 300,
        by: 400,
      },
    );
    expect(rewritten.at(-1)?.source.columns.slice(1)).toEqual([
      column('a', 2, { missing: '5' }),
      column('b', 3, { filled: true }),
    ]);
    // In the first version nothing is older than its columns.
    expect(withVersion([], table([column('a', 2, { filled: true })]), { after: 0, by: 1 })[0]?.source.columns).toEqual([
      column('a', 2),
    ]);
  });
});

describe('an event', () => {
  const retyped = two([id, column('a', 2)], [id, column('a', 2, { type: 'date', base: 'date', alteredBy: 50 })]);

  it('outside the two looks that found a version is of the one before or of it, whatever else it says', () => {
    expect(namesOf(tableAt(retyped, at(100, 99), fields('id', 'a')))).toEqual(['id integer', 'a integer']);
    expect(namesOf(tableAt(retyped, at(201, 1), fields('id', 'a')))).toEqual(['id integer', 'a date']);
  });

  it('between them is told by its transaction where the names are the same', () => {
    expect(namesOf(tableAt(retyped, at(150, 49), fields('id', 'a')))).toEqual(['id integer', 'a integer']);
    expect(namesOf(tableAt(retyped, at(150, 50), fields('id', 'a')))).toEqual(['id integer', 'a date']);
    expect(namesOf(tableAt(retyped, at(-1, -1), fields('id', 'a')))).toEqual(['id integer', 'a date']);
  });

  it('between them is told by the names in its image where they differ', () => {
    const renamed = two([id, column('a', 2)], [id, column('b', 2, { alteredBy: 50 })]);
    expect(namesOf(tableAt(renamed, at(150, 60), fields('id', 'a')))).toEqual(['id integer', 'a integer']);
    expect(namesOf(tableAt(renamed, at(150, 40), fields('id', 'b')))).toEqual(['id integer', 'b integer']);
  });

  it('may be of a version that no look has seen: each column is told by itself', () => {
    const versions = two(
      [id, column('gone', 2), column('a', 3)],
      [id, column('a', 4, { type: 'text', base: 'text', alteredBy: 60 }), column('id2', 5, { alteredBy: 50 })],
    );
    // After `gone` was dropped, before `a` was made anew.
    expect(namesOf(tableAt(versions, at(150, 55), fields('id', 'a')))).toEqual(['id integer', 'id2 integer']);
    expect(namesOf(tableAt(versions, at(150, 60), fields('id', 'a', 'id2')))).toEqual([
      'id integer',
      'a text',
      'id2 integer',
    ]);
  });

  it('of a table that was dropped and made again is of the one whose transaction is not after it', () => {
    const first = withVersion([], table([id]), { after: 0, by: 10 });
    const versions = withVersion(first, table([id], { oid: 8, madeBy: 50 }), { after: 100, by: 200 });
    expect(tableAt(versions, at(150, 49), fields('id'))?.oid).toBe(7);
    expect(tableAt(versions, at(150, 50), fields('id'))?.oid).toBe(8);
  });
});

describe('a row of an incremental snapshot', () => {
  const first = withVersion([], table([id]), { after: 0, by: 10 });
  const versions = withVersion(first, table([id], { oid: 8, madeBy: 50 }), { after: 100, by: 200, sentUs: 5_000 });
  const sent = (commitLsn: number, tsUs: number): EventPlace => placeOf({ lsn: -1, txId: -1, commitLsn, tsUs });

  it('that was here before a version was found is of the one before', () => {
    expect(tableAt(versions, sent(90, 5_000), fields('id'))?.oid).toBe(7);
    expect(tableAt(versions, sent(-1, 4_000), fields('id'))?.oid).toBe(7);
  });

  it('that came later is of the newer one, however far back Debezium was', () => {
    expect(tableAt(versions, sent(90, 5_001), fields('id'))?.oid).toBe(8);
    expect(tableAt(versions, sent(201, 6_000), fields('id'))?.oid).toBe(8);
  });

  it('is told by the names in its image where nothing else tells', () => {
    const renamed = two([id, column('a', 2)], [id, column('b', 2, { alteredBy: 50 })]);
    expect(namesOf(tableAt(renamed, sent(150, 6_000), fields('id', 'a')))).toEqual(['id integer', 'a integer']);
    expect(namesOf(tableAt(renamed, sent(90, 6_000), fields('id', 'b')))).toEqual(['id integer', 'b integer']);
  });
});

it('transaction ids that came round are later than those before', () => {
  expect([isLater(5, 4), isLater(4, 5), isLater(3, 0xfffffff0), isLater(0xfffffff0, 3), isLater(7, 7)]).toEqual([
    true,
    false,
    true,
    false,
    false,
  ]);
});
