import { atView, createLookBackSql, historyView, lookBackComment } from '../../../src/clickhouse/ddl-history';
import { publicName, type MirrorPlace } from '../../../src/clickhouse/ddl';
import { mirrorLayout } from '../../../src/clickhouse/mirror-layout';
import type { SourceColumn } from '../../../src/model';

function column(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

function placeOf(columns: readonly SourceColumn[], key: readonly string[], schema = 'public', name = 't'): MirrorPlace {
  const layout = mirrorLayout({ schema, name, identity: 'default', columns, key });
  if ('code' in layout) throw new Error(layout.code);
  return { layout, databases: { views: 'cdc', machinery: 'cdc_cdc' }, name: publicName(schema, name) };
}

const id = column('id', 'int4', { notNull: true });

/** The names of a statement's outermost columns, in order. */
function shown(select: string): string[] {
  const outermost = select.slice(0, select.indexOf(' FROM ('));
  return [...outermost.matchAll(/ AS (`[^`]*`)(?:,|$)/g)].map(([, name]) => name ?? '');
}

describe('the view of a table as it was', () => {
  it('has exactly the columns of the table, in its order and with the types of its view', () => {
    const place = placeOf([column('note', 'text'), id, column('tags', 'text', { array: true })], ['id']);
    const { select } = atView(place);
    expect(shown(select)).toEqual(['`note`', '`id`', '`tags`']);
    expect(select).toContain("CAST(JSONExtract(x_image_1, 'note', 'Nullable(String)'), 'Nullable(String)') AS `note`");
    expect(select).toContain(
      "CAST(ifNull(JSONExtract(x_key, 'id', 'Nullable(Int32)'), defaultValueOfTypeName('Int32')), 'Int32') AS `id`",
    );
    expect(select).toContain("'Array(Nullable(String))') AS `tags`");
  });

  it('reads only events of its table up to the moment, each once', () => {
    const { select } = atView(placeOf([id, column('note', 'text')], ['id'], "s'x", 'T'));
    const reads = select.match(/FROM `cdc_cdc`\.changes/g) ?? [];
    const conditions = select.match(
      /schema = 's\\'x' AND (x_\w\.)?table = 'T' AND (x_\w\.)?redelivered = 0 AND (x_\w\.)?ts <= \{at:DateTime64\(6, 'UTC'\)\}/g,
    );
    expect(reads.length).toBeGreaterThan(1);
    expect(conditions).toHaveLength(reads.length);
  });

  it('asks for withheld values only where a column can be stored out of line', () => {
    const fixed = ['int8', 'bool', 'date', 'timestamptz', 'uuid', 'float8'].map((base) => column(base, base));
    expect(atView(placeOf([id, ...fixed], ['id'])).select).not.toContain('unavailable');
    for (const base of ['text', 'jsonb', 'bytea', 'numeric', 'varbit', 'hstore', 'vector']) {
      expect(atView(placeOf([id, column(base, base)], ['id'])).select).toContain(`NOT has(x_unavailable, '${base}')`);
    }
    expect(atView(placeOf([id, column('list', 'int4', { array: true })], ['id'])).select).toContain('unavailable');
  });
});

describe('the view of the lives of rows', () => {
  it('begins with the key in key order, then the time and the event, then the rest of the row', () => {
    const place = placeOf([column('note', 'text', { notNull: true }), id, column('shop', 'text')], ['shop', 'id']);
    const { select } = historyView(place);
    const own = ['valid_from', 'valid_to', 'op', 'tx_id', 'lsn', 'topic', 'partition', 'offset', 'key'];
    expect(shown(select)).toEqual(['shop', 'id', ...own, 'note'].map((name) => `\`${name}\``));
    // After a delete there is no note, though no row has none.
    expect(select).toContain("'Nullable(String)') AS `note`");
    expect(select).not.toContain('{at:');
  });

  it('gives way to columns that are named as its own, and as what it uses inside', () => {
    const named = ['op', '_op', 'key', 'x_after', 'xx_topic'].map((name) => column(name, 'text'));
    const { select } = historyView(placeOf([id, ...named], ['id']));
    const names = shown(select);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['`op`', '`__op`', '`_key`', '`x_after`', '`valid_from`']));
    expect(select).toContain('after AS xxx_after');
  });
});

describe('a look-back view in ClickHouse', () => {
  it('is made with the rights of its maker, and known by a comment that tells definitions apart', () => {
    const place = placeOf([id], ['id'], 'shop', 'a');
    const view = atView(place);
    const sql = createLookBackSql(place, view, 'd1');
    expect(
      sql.startsWith(
        'CREATE OR REPLACE VIEW `cdc_cdc`.`shop_a__at` DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT ',
      ),
    ).toBe(true);
    expect(sql.endsWith(" COMMENT 'debezium-clickhouse: shop.a as of a moment (d1)'")).toBe(true);
    expect(lookBackComment(view, 'd2')).not.toBe(lookBackComment(view, 'd1'));
    expect(historyView(place).name).toBe('shop_a__history');
    expect(historyView(place).comment).not.toBe(view.comment);
  });
});
