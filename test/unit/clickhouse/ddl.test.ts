import {
  mirrorStepSql,
  createChangesViewSql,
  createMirrorSql,
  createViewSql,
  publicName,
  quoteName,
  quoteText,
  type MirrorPlace,
} from '../../../src/clickhouse/ddl';
import { mirrorLayout } from '../../../src/clickhouse/mirror-layout';
import type { SourceColumn } from '../../../src/model';

function column(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

function placeOf(columns: readonly SourceColumn[], key: readonly string[], schema = 'public', name = 't'): MirrorPlace {
  const layout = mirrorLayout({ schema, name, identity: 'full', columns, key });
  if ('code' in layout) throw new Error(layout.code);
  return { layout, databases: { views: 'cdc', machinery: 'cdc_cdc' }, name: publicName(schema, name) };
}

const ORDERS = placeOf(
  [column('id', 'int4', { notNull: true }), column('shop', 'text'), column('at', 'timestamptz')],
  ['shop', 'id'],
);

describe('quoting', () => {
  it('survives names and text with quotes, backslashes, dots and other scripts', () => {
    expect(quoteName('a`b\\c.d "é\'')).toBe('`a\\`b\\\\c.d "é\'`');
    expect(quoteText('it\'s \\ "x"')).toBe("'it\\'s \\\\ \"x\"'");
  });
});

describe('the statements of a mirrored table', () => {
  it('create the mirror with its key in key order and our own columns last', () => {
    expect(createMirrorSql(ORDERS)).toBe(
      "CREATE TABLE `cdc_cdc`.`t__mirror` (`id` Int32, `shop` String, `at` Nullable(DateTime64(6, 'UTC')), _sign Int8, " +
        '_topic LowCardinality(String), _partition UInt32, _offset UInt64, _commit_lsn UInt64, _lsn UInt64, ' +
        "_commit_ts DateTime64(6, 'UTC'), _nulls Array(LowCardinality(String))) ENGINE = CollapsingMergeTree(_sign) " +
        'ORDER BY (`shop`, `id`) SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000 ' +
        "COMMENT 'debezium-clickhouse: mirror of public.t'",
    );
  });

  it('create a view of exactly the source columns, with the rights of its maker', () => {
    expect(createViewSql(ORDERS)).toBe(
      'CREATE OR REPLACE VIEW `cdc`.`t` DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT `id`, `shop`, `at` ' +
        "FROM `cdc_cdc`.`t__mirror` FINAL WHERE _sign = 1 COMMENT 'debezium-clickhouse: public.t'",
    );
  });

  it('create a view of the changes that counts each once and hides placeholders', () => {
    const sql = createChangesViewSql(placeOf([column('i`d', 'int4', { notNull: true })], ['i`d'], "s'x", 'T'));
    expect(sql).toContain("WHERE schema = 's\\'x' AND table = 'T' AND redelivered = 0");
    expect(sql).toContain("JSONExtract(before, 'i`d', 'Nullable(Int32)') AS `old_i\\`d`");
    expect(sql).toContain(
      "if(has(unavailable, 'i`d'), NULL, JSONExtract(after, 'i`d', 'Nullable(Int32)')) AS `new_i\\`d`",
    );
    expect(sql).toContain("VIEW `cdc_cdc`.`s'x_T__changes`");
  });

  it('have an expression for every form of value, element and scalar', () => {
    const bases = [
      'int2',
      'float8',
      'bool',
      'text',
      'bytea',
      'date',
      'timestamp',
      'timestamptz',
      'time',
      'numeric',
      'uuid',
      'geometry',
    ];
    const columns = bases.flatMap((base) => [column(base, base), column(`${base}_list`, base, { array: true })]);
    const sql = createChangesViewSql(placeOf([column('id', 'int4', { notNull: true }), ...columns], ['id']));
    for (const { name } of columns) expect(sql).toContain(`AS \`new_${name}\``);
    expect(sql).toContain("unhex(JSONExtract(after, 'bytea', 'Nullable(String)'))");
    expect(sql).toContain("arrayMap(x -> unhex(x), JSONExtract(after, 'bytea_list', 'Array(Nullable(String))'))");
  });

  it('add, rename and modify a column, with what older rows read in it', () => {
    const at = ORDERS.layout.columns[2];
    const id = ORDERS.layout.columns[0];
    if (at === undefined || id === undefined) throw new Error('The layout lost its columns.');
    expect(mirrorStepSql(ORDERS, { kind: 'add', column: { ...at, type: "Nullable(DateTime64(6, 'UTC'))" } })).toBe(
      "ALTER TABLE `cdc_cdc`.`t__mirror` ADD COLUMN IF NOT EXISTS `at` Nullable(DateTime64(6, 'UTC')) AFTER `shop`",
    );
    const five = { ...id, missing: '5', attnum: 3, sourceType: 'integer' };
    expect(mirrorStepSql(ORDERS, { kind: 'add', column: five })).toContain(
      "ADD COLUMN IF NOT EXISTS `id` Int32 DEFAULT CAST(JSONExtract('{\"id\":5}', 'id', 'Nullable(Int32)'), 'Int32') COMMENT '0.3 integer' FIRST",
    );
    expect(mirrorStepSql(ORDERS, { kind: 'modify', column: { ...id, type: 'Nullable(Int32)' }, from: '' })).toBe(
      'ALTER TABLE `cdc_cdc`.`t__mirror` MODIFY COLUMN `id` Nullable(Int32)',
    );
    expect(mirrorStepSql(ORDERS, { kind: 'rename', column: id, from: 'old' })).toBe(
      'ALTER TABLE `cdc_cdc`.`t__mirror` RENAME COLUMN IF EXISTS `old` TO `id`',
    );
  });

  it('name tables of other schemas after both', () => {
    expect(publicName('public', 'a')).toBe('a');
    expect(publicName('shop', 'a')).toBe('shop_a');
  });
});
