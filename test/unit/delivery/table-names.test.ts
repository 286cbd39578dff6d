/** A table is known by its oid: what another name of it means, and what must not be taken for one. */
import { columnRules } from '../../../src/column-rules';
import { tableKnowledge, type Found } from '../../../src/delivery/table-knowledge';
import type { Memory } from '../../../src/delivery/table-past';
import type { ServiceEvent } from '../../../src/events';
import { createMasking } from '../../../src/masking';
import type { SourceColumn, SourceTable } from '../../../src/model';
import { placeholderOf } from '../../../src/placeholder';

const column = (name: string, attnum: number): SourceColumn => ({
  ...{ name, base: 'text', type: 'text', kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
  attnum,
});
const table = (name: string, more: Partial<SourceTable> = {}): SourceTable => ({
  ...{ schema: 'public', name, identity: 'full', key: ['id'], oid: 7, madeBy: 50, namedBy: 60 },
  columns: [column('id', 1), column('email', 2)],
  ...more,
});

/** A source whose tables can be exchanged, and a service that meets them. */
function world() {
  const remembered = new Map<string, string>();
  const memory: Memory = {
    get: (name) => Promise.resolve(remembered.get(name) ?? null),
    set: (name, value) => Promise.resolve(void remembered.set(name, value)),
  };
  const events: ServiceEvent[] = [];
  const state = { tables: [] as SourceTable[], lsn: 100, readAgain: false };
  const rules = columnRules([{ table: 'public.people', column: 'email', rule: { mask: 'hash' } }]);
  const start = () =>
    tableKnowledge({
      catalogue: {
        table: (_, name) => Promise.resolve(state.tables.find((one) => one.name === name) ?? null),
        state: (_, name) =>
          Promise.resolve({ lsn: state.lsn, state: JSON.stringify(state.tables.map((one) => one.name === name)) }),
      },
      memory,
      rules,
      masking: createMasking({ rules, secret: 's', placeholder: placeholderOf('x') }),
      isReadAgain: () => Promise.resolve(state.readAgain),
      emit: (event) => events.push(event),
      signal: new AbortController().signal,
    });
  let knowledge = start();
  const meet = async (name: string, offset: number | null): Promise<Found> => {
    state.lsn += 100;
    const shownBy = offset === null ? null : { topic: `t.${name}`, partition: 0, offset };
    return knowledge.of({ schema: 'public', name }, null, shownBy);
  };
  return {
    events,
    state,
    meet,
    restart: () => (knowledge = start()),
    told: () => events.flatMap((one) => (one.tag === 'table-renamed' ? [`${one.table} was ${one.from}`] : [])),
  };
}

it('tells of another name once, and again after a start, until its rows have been read again', async () => {
  const { state, meet, told, restart } = world();
  state.tables = [table('people')];
  await meet('people', 0);
  state.tables = [table('persons')];
  await meet('persons', 5);
  await meet('persons', 6);
  expect(told()).toEqual(['public.persons was public.people']);
  restart();
  await meet('persons', 7);
  expect(told()).toHaveLength(2);
  state.readAgain = true;
  restart();
  await meet('persons', 8);
  expect(told()).toHaveLength(2);
});

it('has its blocks merged from then on: an event may be about a row that the mirror lacks', async () => {
  const { state, meet } = world();
  const wholeBefore = ({ known }: Found) => (typeof known === 'string' ? known : known.wholeBefore);
  state.tables = [table('a')];
  expect(wholeBefore(await meet('a', 0))).toBe(true);
  state.tables = [table('b')];
  expect(wholeBefore(await meet('b', 1))).toBe(false);
  state.readAgain = true;
  expect(wholeBefore(await meet('b', null))).toBe(false);
});

it('tells of the way back, and of two tables that exchange their names', async () => {
  const { state, meet, told } = world();
  state.tables = [table('a'), table('b', { oid: 8 })];
  for (const name of ['a', 'b']) await meet(name, 0);
  state.tables = [table('b'), table('a', { oid: 8 })];
  for (const name of ['a', 'b']) await meet(name, 10);
  expect(told()).toEqual(['public.a was public.b', 'public.b was public.a']);
  state.tables = [table('a'), table('b', { oid: 8 })];
  await meet('a', 20);
  expect(told().slice(2)).toEqual(['public.a was public.b']);
});

it('takes no other table of the same oid, and no look without a record, for another name', async () => {
  const { state, meet, told } = world();
  state.tables = [table('a')];
  await meet('a', 0);
  state.tables = [table('b', { madeBy: 51 }), table('c', { oid: 9 })];
  await meet('b', 5);
  await meet('c', 5);
  state.tables = [table('d', { madeBy: 51 })];
  await meet('d', null);
  expect(told()).toEqual([]);
  await meet('d', 9);
  expect(told()).toEqual(['public.d was public.b']);
});

it('reads events of before it had the name as those of the table that had it then', async () => {
  const { state, meet } = world();
  state.tables = [table('a'), table('b', { oid: 8, madeBy: 40 })];
  for (const name of ['a', 'b']) await meet(name, 0);
  state.tables = [table('a', { oid: 8, madeBy: 40, namedBy: 90 })];
  const { known } = await meet('a', 10);
  expect(typeof known === 'string' ? known : known.versions.map(({ source }) => [source.oid, source.madeBy])).toEqual([
    [7, 50],
    [8, 90],
  ]);
});

it('keeps columns masked that were so under the old name, in every later look', async () => {
  const { state, meet, restart } = world();
  const masks = ({ known, source }: Found) => [
    source?.columns.map(({ mask }) => mask),
    typeof known === 'string' ? known : known.layout.columns.map(({ hashed }) => hashed ?? false),
  ];
  state.tables = [table('people')];
  await meet('people', 0);
  state.tables = [table('persons')];
  const masked = [
    [undefined, 'hash'],
    [false, true],
  ];
  expect(masks(await meet('persons', 5))).toEqual(masked);
  restart();
  expect(masks(await meet('persons', 6))).toEqual(masked);
  state.tables = [table('folk', { columns: [column('id', 1), column('mail', 2)] })];
  expect(masks(await meet('folk', 7))).toEqual(masked);
  state.tables = [];
  expect(masks(await meet('folk', 8))).toEqual(masked);
  state.tables = [table('others', { oid: 9 })];
  expect(masks(await meet('others', 9))[0]).toEqual([undefined, undefined]);
});
