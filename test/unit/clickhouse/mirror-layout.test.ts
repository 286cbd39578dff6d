import { ignoreFields, mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { mirrorType } from '../../../src/clickhouse/mirror-type';
import type { SourceColumn, SourceTable } from '../../../src/model';

function column(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

function table(columns: readonly SourceColumn[], key: readonly string[] = ['id']): SourceTable {
  return { schema: 'public', name: 't', identity: 'full', columns, key };
}

function layoutOf(columns: readonly SourceColumn[], ignored: readonly string[] = []): MirrorLayout {
  const layout = mirrorLayout(table(columns));
  if ('code' in layout) throw new Error(layout.code);
  return ignoreFields(layout, ignored);
}

const ID = column('id', 'int8', { notNull: true });
const numeric = (precision: number, scale: number): SourceColumn =>
  column('c', 'numeric', { modifier: ((precision << 16) | (scale & 0x7ff)) + 4 });

describe('a table', () => {
  const array = (name: string): SourceColumn => column(name, 'int4', { array: true });

  it('is not mirrored where ClickHouse would take two of its arrays for one Nested column', () => {
    const refused = { code: 'TABLE_COLUMN_RESERVED', column: 'a.c' };
    expect(mirrorLayout(table([ID, array('a.b'), array('a.c')]))).toEqual(refused);
    expect(mirrorLayout(table([ID, array('a.b'), column('x', 'text'), column('a.c', 'vector')]))).toEqual(refused);
  });

  it.each([
    [[array('a.b'), array('b.b'), array('a')]],
    [[array('a.b'), column('a.c', 'text'), column('a.d', 'hstore')]],
    [[array('.b'), array('.c')]],
    [[array('a.'), array('a.b')]],
  ])('is mirrored with other names that have a dot, number %#', (columns) => {
    expect(mirrorLayout(table([ID, ...columns]))).toHaveProperty('columns');
  });
});

describe('the type of a mirror column', () => {
  it.each([
    [column('c', 'int4'), 'Nullable(Int32)', 'exact'],
    [column('c', 'int4', { notNull: true }), 'Int32', 'exact'],
    [column('c', 'oid'), 'Nullable(UInt32)', 'exact'],
    [numeric(12, 2), 'Nullable(Decimal(12, 2))', 'clamp'],
    [numeric(3, 5), 'Nullable(Decimal(5, 5))', 'clamp'],
    [numeric(5, -2), 'Nullable(Decimal(7, 0))', 'clamp'],
    [numeric(76, 38), 'Nullable(Decimal(76, 38))', 'clamp'],
    [numeric(77, 0), 'Nullable(String)', 'exact'],
    [column('c', 'numeric'), 'Nullable(Decimal(76, 38))', 'clamp'],
    [column('c', 'money'), 'Nullable(Decimal(19, 2))', 'exact'],
    [column('c', 'date'), 'Nullable(Date32)', 'clamp'],
    [column('c', 'timestamptz'), "Nullable(DateTime64(6, 'UTC'))", 'clamp'],
    [column('c', 'time'), 'Nullable(Time64(6))', 'exact'],
    [column('c', 'mood', { kind: 'e' }), 'LowCardinality(Nullable(String))', 'exact'],
    [column('c', 'mood', { kind: 'e', notNull: true }), 'LowCardinality(String)', 'exact'],
    [column('c', 'mood', { kind: 'e', array: true }), 'Array(Nullable(String))', 'exact'],
    [column('c', 'text', { array: true, notNull: true }), 'Array(Nullable(String))', 'exact'],
    [column('c', 'hstore'), 'Map(String, Nullable(String))', 'exact'],
    [column('c', 'hstore', { array: true }), 'Array(Nullable(String))', 'exact'],
    [column('c', 'point'), 'Tuple(Float64, Float64)', 'exact'],
    [column('c', 'vector'), 'Array(Float32)', 'exact'],
    [column('c', 'tstzrange', { kind: 'r' }), 'Nullable(String)', 'exact'],
    [column('c', 'bit', { modifier: 12 }), 'Nullable(String)', 'exact'],
  ])('follows from the source column, number %#', (source, type, policy) => {
    expect(mirrorType(source, false)).toMatchObject({ type, policy });
  });

  it('is never Nullable nor a Map in the key', () => {
    expect(mirrorType(column('c', 'text'), true)?.type).toBe('String');
    expect(mirrorType(column('c', 'hstore'), true)?.type).toBe('String');
  });

  it.each([
    column('c', 'tsquery'),
    column('c', 'pg_lsn'),
    column('c', 'comp', { kind: 'c' }),
    column('c', 'int4multirange', { kind: 'm' }),
    column('c', 'money', { array: true }),
    column('c', 'bit', { array: true, modifier: 3 }),
    column('c', 'posint', { array: true, kind: 'd' }),
    column('c', 'point', { array: true }),
  ])('does not exist for what Debezium leaves out, number %#', (source) => {
    expect(mirrorType(source, false)).toBeNull();
  });
});

describe('the layout of a mirror', () => {
  it('keeps the key order, leaves out what cannot be right and knows its fields', () => {
    const columns = [ID, column('q', 'tsquery'), column('g', 'int4', { generated: true }), column('b', 'text')];
    const layout = ignoreFields(mirrorLayout(table(columns, ['b', 'id'])) as MirrorLayout, ['gone', 'b']);
    expect(layout).toMatchObject({
      key: [1, 0],
      columns: [
        { name: 'id', type: 'Int64' },
        { name: 'b', type: 'String' },
      ],
      omitted: [
        { name: 'q', reason: 'unsupported-type' },
        { name: 'g', reason: 'generated' },
      ],
      fields: [
        { name: 'id', column: 0 },
        { name: 'q', column: -1 },
        { name: 'g', column: -1 },
        { name: 'b', column: 1 },
        { name: 'gone', column: -1 },
      ],
    });
  });

  it('is refused without a usable key and with a column of our own name', () => {
    expect(mirrorLayout(table([column('id', 'pg_lsn')], []))).toEqual({ code: 'TABLE_WITHOUT_KEY' });
    expect(mirrorLayout(table([ID, column('_count', 'int4')], []))).toMatchObject({ code: 'TABLE_COLUMN_RESERVED' });
    expect(mirrorLayout(table([ID], []))).toMatchObject({ key: [], columns: [{ name: 'id' }] });
    expect(mirrorLayout(table([column('id', 'pg_lsn')]))).toEqual({ code: 'TABLE_WITHOUT_KEY' });
    expect(mirrorLayout(table([ID, column('_sign', 'int4')]))).toEqual({
      code: 'TABLE_COLUMN_RESERVED',
      column: '_sign',
    });
  });

  it('has a fingerprint that changes with types, names and key alone', () => {
    const prints = [
      layoutOf([ID, column('a', 'text')]),
      layoutOf([ID, column('a', 'int4')]),
      layoutOf([ID, column('b', 'text')]),
      layoutOf([ID, column('a', 'bit', { modifier: 3 })]),
      layoutOf([ID, column('a', 'text')], ['gone']),
    ].map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).toBe(prints.length);
    expect(layoutOf([ID, column('a', 'varchar', { type: 'character varying(9)' })]).fingerprint).toBe(prints[0]);
  });
});
