import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { columnComment, isWidened, planMirror, type StandingColumn } from '../../../src/clickhouse/mirror-plan';
import type { SourceColumn } from '../../../src/model';

const column = (name: string, attnum: number, more: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name, base: 'int4', type: 'integer', kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
  attnum,
  ...more,
});

function layoutOf(columns: readonly SourceColumn[], { key = ['id'], oid = 7 } = {}): MirrorLayout {
  const layout = mirrorLayout({ schema: 'public', name: 't', identity: 'full', columns, key, oid });
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

/** The mirror that a layout makes. */
const standingOf = (layout: MirrorLayout): StandingColumn[] =>
  layout.columns.map((one) => ({ name: one.name, type: one.type, comment: columnComment(layout, one) }));

const id = column('id', 1);
const text = { base: 'text', type: 'text' };
const plan = (before: MirrorLayout, now: MirrorLayout) => planMirror(now, standingOf(before), '(id)');
const kinds = (made: ReturnType<typeof plan>): string[] =>
  made.kind === 'rebuild'
    ? made.changes.map((one) => `${one.column}: ${one.from} > ${one.to}`)
    : made.steps.map((step) => `${step.kind} ${step.column.name} ${step.column.type}`);

describe('a mirror that stands', () => {
  const before = layoutOf([id, column('a', 2)]);

  it('needs nothing when nothing changed, whichever side holds NULL', () => {
    expect(kinds(plan(before, before))).toEqual([]);
    const nullable = standingOf(before).map((one) => (one.name === 'a' ? { ...one, type: 'Nullable(Int32)' } : one));
    const found = planMirror(before, nullable, 'id');
    expect(found).toMatchObject({
      kind: 'in-place',
      steps: [],
      layout: { columns: [{}, { type: 'Nullable(Int32)' }] },
    });
    expect(kinds(plan(before, layoutOf([id, column('a', 2, { notNull: false })])))).toEqual([
      'modify a Nullable(Int32)',
    ]);
  });

  it('gets a new column, Nullable unless older rows have a value in it', () => {
    expect(kinds(plan(before, layoutOf([id, column('a', 2), column('b', 3)])))).toEqual(['add b Nullable(Int32)']);
    const filled = layoutOf([id, column('a', 2), column('b', 3, { missing: '5' })]);
    expect(kinds(plan(before, filled))).toEqual(['add b Int32']);
  });

  it('knows a renamed column again by its number', () => {
    expect(kinds(plan(before, layoutOf([id, column('b', 2)])))).toEqual(['rename b Int32']);
  });

  it('is made anew where a name now means another column, or two exchanged theirs', () => {
    expect(kinds(plan(before, layoutOf([id, column('a', 3)])))).toEqual(['a: another column > integer']);
    const two = layoutOf([id, column('a', 2), column('b', 3)]);
    expect(kinds(plan(two, layoutOf([id, column('b', 2), column('a', 3)])))).toEqual(['b: a > b', 'a: b > a']);
  });

  it('is widened in place where every value stays what it was, and made anew where not', () => {
    const bigint = layoutOf([id, column('a', 2, { base: 'int8', type: 'bigint' })]);
    expect(kinds(plan(before, bigint))).toEqual(['modify a Int64']);
    expect(kinds(plan(bigint, before))).toEqual(['a: bigint > integer']);
    expect(kinds(plan(before, layoutOf([id, column('a', 2, text)])))).toEqual(['a: integer > text']);
    const char = layoutOf([id, column('a', 2, { base: 'bpchar', type: 'character(5)' })]);
    expect(kinds(plan(char, layoutOf([id, column('a', 2, text)])))).toEqual(['a: character(5) > text']);
  });

  it('is made anew where the key or the table is another', () => {
    const keyed = layoutOf([id, column('a', 2)], { key: ['a', 'id'] });
    expect(kinds(plan(before, keyed))).toEqual([': key (id) > key (a, id)']);
    expect(kinds(plan(before, layoutOf([column('id', 1, { base: 'int8', type: 'bigint' }), column('a', 2)])))).toEqual([
      'id: integer > bigint',
    ]);
    expect(kinds(plan(before, layoutOf([id, column('a', 2)], { oid: 8 })))).toEqual([': table 7 > table 8']);
  });

  it('of old, without comments, is matched by names and types', () => {
    const old = standingOf(before).map((one) => ({ ...one, comment: '' }));
    expect(planMirror(before, old, 'id')).toMatchObject({ kind: 'in-place' });
    expect(planMirror(layoutOf([id, column('a', 2, text)]), old, 'id')).toMatchObject({ kind: 'rebuild' });
  });
});

it.each([
  ['smallint', 'bigint', true],
  ['bigint', 'integer', false],
  ['integer', 'numeric(12,0)', false],
  ['character varying(5)', 'character varying(9)', true],
  ['character varying(9)', 'character varying(5)', false],
  ['text', 'character varying', true],
  ['text', 'character varying(5)', false],
  ['character varying(5)', 'text', true],
  ['numeric(6,2)', 'numeric(8,4)', true],
  ['numeric(6,2)', 'numeric(7,4)', false],
  ['numeric(6,2)', 'numeric', true],
  ['real', 'double precision', false],
  ['timestamp(3) without time zone', 'timestamp without time zone', true],
  ['timestamp without time zone', 'timestamp(3) without time zone', false],
  ['timestamp without time zone', 'timestamp with time zone', false],
])('%s becomes %s without a value changing: %s', (from, to, expected) => {
  expect(isWidened(from, to)).toBe(expected);
});
