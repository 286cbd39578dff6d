/** The statements that make and widen what a mirrored table has in ClickHouse: its mirror, its view, the view of its changes. */
import { changeExpression } from './change-expression';
import { expressionByForms, PROFILE_FORMS, type ImageForms } from './image-forms';
import { COUNT_COLUMN, HASH_COLUMN, isCounted, shownName, type MirrorColumn, type MirrorLayout } from './mirror-layout';
import { columnComment, type MirrorStep } from './mirror-plan';
import type { PartitionedTable } from '../model';
import { quoteName, quoteText } from './quote';

export { quoteName, quoteText };

/** The two databases of the service, both Atomic. */
export interface Databases {
  /** What people query: one view per source table. */
  readonly views: string;
  /** Everything else. */
  readonly machinery: string;
}

/** The settings that DDL of ours needs: servers before 26.7 make no Time64 column without it. */
export const DDL_SETTINGS = { enable_time_time64_type: 1 } as const;

/** The name a source table has in ClickHouse unless a route gives it another. */
export function publicName(schema: string, table: string): string {
  return schema === 'public' ? table : `${schema}_${table}`;
}

/** The name of the mirror, in the machinery database. */
export function mirrorName(name: string): string {
  return `${name}__mirror`;
}

/** The name of the view of a table's changes, in the machinery database. */
export function changesViewName(name: string): string {
  return `${name}__changes`;
}

const MARK = 'debezium-clickhouse';

/** The comment by which a mirror is known to be ours and of which table. */
export function mirrorComment({ schema, table }: MirrorLayout): string {
  return `${MARK}: mirror of ${schema}.${table}`;
}

/** The comment of a table's view. */
export function viewComment({ schema, table }: MirrorLayout): string {
  return `${MARK}: ${schema}.${table}`;
}

/** The comment of the view of a table's changes. */
export function changesViewComment({ schema, table }: MirrorLayout): string {
  return `${MARK}: changes of ${schema}.${table}`;
}

/** Columns of a mirror beside those of its source; LSNs are 0 where Debezium gave none. */
const META = [
  '_sign Int8',
  '_topic LowCardinality(String)',
  '_partition UInt32',
  '_offset UInt64',
  '_commit_lsn UInt64',
  '_lsn UInt64',
  `_commit_ts DateTime64(6, 'UTC')`,
  '_nulls Array(LowCardinality(String))',
];

/** What of ours a table gets: its layout, where, and under which name. */
export interface MirrorPlace {
  readonly layout: MirrorLayout;
  readonly databases: Databases;
  /** `publicName` or what a route says. */
  readonly name: string;
  /** How the images of the table in `changes` are written; as our profile writes them where that is not said. */
  readonly forms?: ImageForms;
}

/**
 * Creates the mirror (or, `as` another name, one that is to take its place); fails if there is a table of that name. The deduplication window is far above the inserts
 * possible while a repeated one could still arrive; small granules make look-ups of scattered keys cheap.
 */
export function createMirrorSql({ layout, databases, name }: MirrorPlace, as: string = mirrorName(name)): string {
  const columns = [
    ...layout.columns.map((column) => `${quoteName(column.name)} ${columnRest(layout, column)}`),
    ...(isCounted(layout) ? [`${HASH_COLUMN} UUID`, `${COUNT_COLUMN} Int64`] : []),
    ...META,
  ];
  const key = isCounted(layout)
    ? [HASH_COLUMN, '_topic', '_partition']
    : layout.key.map((index) => quoteName(layout.columns[index]?.name ?? ''));
  return (
    `CREATE TABLE ${quoteName(databases.machinery)}.${quoteName(as)} (${columns.join(', ')}) ` +
    `ENGINE = CollapsingMergeTree(_sign) ORDER BY (${key.join(', ')}) ` +
    `SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000 ` +
    `COMMENT ${quoteText(mirrorComment(layout))}`
  );
}

/** Creates or replaces the view that has the source's columns and its present rows. Readers need rights on it alone. */
export function createViewSql({ layout, databases, name }: MirrorPlace): string {
  const shown = layout.columns.map((column) => quoteName(shownName(column)));
  const mirror = `${quoteName(databases.machinery)}.${quoteName(mirrorName(name))}`;
  const isRenamed = layout.columns.some(({ shownAs }) => shownAs !== undefined) && !isCounted(layout);
  // An alias hides a column of its name, so what is renamed is qualified.
  const columns = isRenamed
    ? layout.columns.map((column, index) => `m.${quoteName(column.name)} AS ${shown[index] ?? ''}`)
    : shown;
  const rows = isCounted(layout)
    ? countedRows(layout, mirror)
    : `${mirror}${isRenamed ? ' AS m' : ''} FINAL WHERE _sign = 1`;
  return (
    `CREATE OR REPLACE VIEW ${quoteName(databases.views)}.${quoteName(name)} ` +
    `DEFINER = CURRENT_USER SQL SECURITY DEFINER ` +
    `AS SELECT ${columns.join(', ')} FROM ${rows} COMMENT ${quoteText(viewComment(layout))}`
  );
}

/** The comment of the view over the leaves of a partitioned table. */
export function partitionsComment({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${MARK}: leaves of ${schema}.${name}`;
}

/** A leaf that has a view, with the columns that stand in it. */
export interface LeafView {
  readonly name: string;
  readonly columns: ReadonlySet<string>;
}

/**
 * Creates or replaces the view of a partitioned table: the rows of all its leaves. A leaf that did not follow an added
 * column yet, since nothing of it has arrived, has NULL there.
 */
export function createPartitionsViewSql(
  table: PartitionedTable,
  leaves: readonly LeafView[],
  { views, name }: { readonly views: string; readonly name: string },
): string {
  const columns = table.columns.filter((column) => leaves.some((leaf) => leaf.columns.has(column)));
  const selects = leaves.map((leaf) => {
    const values = columns.map((column) =>
      leaf.columns.has(column) ? quoteName(column) : `NULL AS ${quoteName(column)}`,
    );
    return `SELECT ${values.join(', ')} FROM ${quoteName(views)}.${quoteName(leaf.name)}`;
  });
  return (
    `CREATE OR REPLACE VIEW ${quoteName(views)}.${quoteName(name)} DEFINER = CURRENT_USER SQL SECURITY DEFINER ` +
    `AS ${selects.join(' UNION ALL ')} COMMENT ${quoteText(partitionsComment(table))}`
  );
}

/** Each row as often as it is there: partitions count for themselves, and one may take away what another brought. */
function countedRows(layout: MirrorLayout, mirror: string): string {
  const values = layout.columns.map((column) => `any(m.${quoteName(column.name)}) AS ${quoteName(shownName(column))}`);
  return (
    `(SELECT ${values.join(', ')}, sum(m.${COUNT_COLUMN}) AS ${COUNT_COLUMN} ` +
    `FROM ${mirror} AS m FINAL WHERE _sign = 1 GROUP BY m.${HASH_COLUMN}) ` +
    `ARRAY JOIN range(toUInt64(greatest(${COUNT_COLUMN}, 0)))`
  );
}

/**
 * Creates or replaces the view of a table's changes: each once, with typed `old_` and `new_` columns.
 * @param comment `changesViewComment`, with what tells definitions apart
 */
export function createChangesViewSql(
  { layout, databases, name, forms = PROFILE_FORMS }: MirrorPlace,
  comment: string = changesViewComment(layout),
): string {
  const values = layout.columns.flatMap((column) => [
    `${expressionByForms(column, 'before', forms, 'wire_schema')} AS ${quoteName(`old_${shownName(column)}`)}`,
    `${newValue(column, forms)} AS ${quoteName(`new_${shownName(column)}`)}`,
  ]);
  const columns = ['topic', 'partition', 'offset', 'op', 'ts', 'tx_id', 'lsn', ...values];
  return (
    `CREATE OR REPLACE VIEW ${quoteName(databases.machinery)}.${quoteName(changesViewName(name))} ` +
    `DEFINER = CURRENT_USER SQL SECURITY DEFINER ` +
    `AS SELECT ${columns.join(', ')} FROM ${quoteName(databases.machinery)}.changes ` +
    `WHERE schema = ${quoteText(layout.schema)} AND table = ${quoteText(layout.table)} AND redelivered = 0 ` +
    `COMMENT ${quoteText(comment)}`
  );
}

/** A withheld value reads as NULL, [] or {}, not as Debezium's placeholder. */
function newValue(column: MirrorColumn, forms: ImageForms): string {
  const value = expressionByForms(column, 'after', forms, 'wire_schema');
  const { form, array } = column.codec;
  if (!array && form === 'point') return value;
  const nothing = array || form === 'vector' ? '[]' : form === 'hstore' ? 'map()' : 'NULL';
  return `if(has(unavailable, ${quoteText(column.name)}), ${nothing}, ${value})`;
}

/** Type, default and comment. The default is what parts that were written before the column read in it. */
function columnRest(layout: MirrorLayout, column: MirrorColumn): string {
  const { missing, type } = column;
  const image = missing === undefined ? null : quoteText(`{${JSON.stringify(column.name)}:${missing}}`);
  const value = image === null ? '' : ` DEFAULT CAST(${changeExpression(column, image)}, ${quoteText(type)})`;
  const comment = columnComment(layout, column);
  return `${type}${value}${comment === '' ? '' : ` COMMENT ${quoteText(comment)}`}`;
}

/** The statement of a step in place; new columns stand before our own. May be repeated. */
export function mirrorStepSql({ layout, databases, name }: MirrorPlace, step: MirrorStep): string {
  const { column } = step;
  const table = `${quoteName(databases.machinery)}.${quoteName(mirrorName(name))}`;
  const own = `${quoteName(column.name)} ${columnRest(layout, column)}`;
  switch (step.kind) {
    case 'rename':
      return `ALTER TABLE ${table} RENAME COLUMN IF EXISTS ${quoteName(step.from)} TO ${quoteName(column.name)}`;
    case 'modify':
      return `ALTER TABLE ${table} MODIFY COLUMN ${own}`;
    case 'add': {
      const index = layout.columns.findIndex((other) => other.name === column.name);
      const previous = layout.columns[index - 1];
      const place = previous === undefined ? 'FIRST' : `AFTER ${quoteName(previous.name)}`;
      return `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${own} ${place}`;
    }
  }
}
