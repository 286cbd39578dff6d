/** How a mirror is recognised, made, or left alone, decided against what stands in ClickHouse. */
import type { ClickHouse } from '../../../src/clickhouse/client';
import type { Control } from '../../../src/clickhouse/control';
import { changesViewComment, mirrorComment, viewComment } from '../../../src/clickhouse/ddl';
import { PROFILE_FORMS } from '../../../src/clickhouse/image-forms';
import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { openMirrorStore, type MirrorStore, type WantedMirror } from '../../../src/clickhouse/mirror-store';
import type { SourceColumn, SourceTable } from '../../../src/model';

const DATABASES = { views: 'cdc', machinery: 'cdc_cdc' };
const column = (name: string, base: string): SourceColumn => ({
  ...{ name, base, type: base, kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
});
const SOURCE: SourceTable = {
  schema: 'public',
  name: 'orders',
  identity: 'full',
  columns: [column('id', 'int8'), column('note', 'text')],
  key: ['id'],
};

function layoutOf(source: SourceTable): MirrorLayout {
  const layout = mirrorLayout(source);
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

/** Tables by `database.name`. Statements are written down; of them, CREATE of a shadow gives it the UUID `new`. */
function storeOver(tables: Record<string, { comment: string; uuid: string }>, known: Record<string, string> = {}) {
  const statements: string[] = [];
  const remembered = new Map(Object.entries(known));
  const answer = (sql: string): object[] => {
    const [, database = '', name = ''] = /database = '(\w+)' AND (?:name|table) = '(\w+)'/.exec(sql) ?? [];
    const found = tables[`${database}.${name}`];
    if (found === undefined) return [];
    if (!sql.includes('system.columns')) return [{ ...found, sorting_key: 'id' }];
    return layoutOf(SOURCE).columns.flatMap(({ name: of, type }) => [
      { name: of, type, comment: '' },
      { name: `new_${of}`, type },
    ]);
  };
  const clickhouse: Pick<ClickHouse, 'query' | 'command'> = {
    query: async <T>(sql: string) => answer(sql) as T[],
    command: async (sql) => {
      statements.push(sql);
      const [, made] = /^CREATE TABLE `cdc_cdc`\.`(\w+)`/.exec(sql) ?? [];
      if (made !== undefined) tables[`cdc_cdc.${made}`] = { comment: '', uuid: 'new' };
    },
  };
  const control: Pick<Control, 'get' | 'set' | 'forget'> = {
    get: async (name) => remembered.get(name) ?? null,
    set: async (name, value) => void remembered.set(name, value),
    forget: async (name) => void remembered.delete(name),
  };
  const store = openMirrorStore(clickhouse as ClickHouse, DATABASES, control as Control);
  return { store, statements, remembered };
}

const layout = layoutOf(SOURCE);
const CHANGES = { 'cdc_cdc.changes': { comment: '', uuid: 'audit' } };
const standing = { ...CHANGES, 'cdc_cdc.orders__mirror': { comment: mirrorComment(layout), uuid: 'old' } };

async function ensure(store: MirrorStore, more: Partial<WantedMirror> = {}) {
  const filled: string[] = [];
  const made = await store.ensureMirror({
    layout,
    view: 'orders',
    visible: ['id', 'note'],
    forms: PROFILE_FORMS,
    mirror: 'keep',
    shownBy: null,
    fill: async ({ name, uuid }) => void filled.push(`${name} ${uuid}`),
    ...more,
  });
  return { made, filled };
}

describe('a mirror', () => {
  it('that is missing is filled beside its name before it gets it, and is remembered by its UUID', async () => {
    const { store, statements, remembered } = storeOver({});
    const { made, filled } = await ensure(store);
    expect(made).toMatchObject({ made: 'created', table: { name: 'orders__mirror', uuid: 'new' } });
    expect(filled).toEqual([expect.stringMatching(/^orders__mirror__new_[0-9a-f]{12} new$/)]);
    expect(statements.map((sql) => sql.split(' ').slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining(['CREATE TABLE', 'RENAME TABLE', 'CREATE OR']),
    );
    expect(remembered.get('mirror:orders__mirror:new')).toBe('no changes');
  });

  it('whose filling fails gets no name, and is not remembered', async () => {
    const { store, statements, remembered } = storeOver({});
    const fill = () => Promise.reject(new Error('away'));
    await expect(ensure(store, { fill })).rejects.toThrow('away');
    expect(statements.some((sql) => sql.startsWith('RENAME') || sql.startsWith('EXCHANGE'))).toBe(false);
    expect(remembered.size).toBe(0);
  });

  it('that stands and is remembered is kept, and not filled again', async () => {
    const { store, statements } = storeOver({ ...standing }, { 'mirror:orders__mirror:old': 'audit' });
    const { made, filled } = await ensure(store);
    expect(made).toMatchObject({ made: 'kept', table: { uuid: 'old' } });
    expect(filled).toEqual([]);
    expect(statements.filter((sql) => /^(CREATE TABLE|ALTER|EXCHANGE|RENAME|DROP)/.test(sql))).toEqual([]);
  });

  it('that stands and is remembered is built anew and exchanged when a rebuild is asked for', async () => {
    const { store, statements } = storeOver({ ...standing }, { 'mirror:orders__mirror:old': 'audit' });
    const { made, filled } = await ensure(store, { mirror: 'rebuild' });
    expect(made).toMatchObject({ made: 'created', table: { uuid: 'new' } });
    expect(filled).toEqual([expect.stringMatching(/^orders__mirror__new_[0-9a-f]{12} new$/)]);
    expect(statements.some((sql) => sql.startsWith('EXCHANGE TABLES'))).toBe(true);
  });

  it.each([
    ['UUID', 'older', 'audit'],
    ['changes', 'old', 'another'],
  ])('whose %s is not the remembered one is built anew and exchanged', async (_, uuid, changes) => {
    const { store, statements } = storeOver({ ...standing }, { [`mirror:orders__mirror:${uuid}`]: changes });
    const { made } = await ensure(store);
    expect(made).toMatchObject({ made: 'created', table: { uuid: 'new' } });
    expect(statements.some((sql) => sql.startsWith('EXCHANGE TABLES'))).toBe(true);
  });

  it.each([
    ['view', { 'cdc.orders': { comment: 'mine', uuid: 'v' } }],
    ['view of another source', { 'cdc.orders': { comment: viewComment({ ...layout, schema: 'x' }), uuid: 'v' } }],
    ['mirror', { 'cdc_cdc.orders__mirror': { comment: '', uuid: 'm' } }],
    ['view of changes', { 'cdc_cdc.orders__changes': { comment: changesViewComment({ ...layout, table: 'x' }), uuid: 'c' } }], // prettier-ignore
  ])('is not made, nor anything touched, where the name of its %s is taken', async (_, tables) => {
    const { store, statements } = storeOver(tables);
    expect((await ensure(store)).made).toBe('TABLE_NAME_TAKEN');
    expect(statements).toEqual([]);
  });

  it('stands while the table of its name has its UUID', async () => {
    const { store } = storeOver({ ...standing }, { 'mirror:orders__mirror:old': 'audit' });
    const table = { database: 'cdc_cdc', name: 'orders__mirror', uuid: 'old' };
    expect(await store.stands(table)).toBe(true);
    expect(await store.stands({ ...table, uuid: 'other' })).toBe(false);
    expect(await store.stands({ ...table, name: 'gone' })).toBe(false);
  });
});
