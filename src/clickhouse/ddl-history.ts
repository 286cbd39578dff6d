/** The views that look back: a table as it was at a moment, and the life of each of its rows, from `changes` alone. */
import type { MirrorPlace } from './ddl';
import { expressionByForms, isMixed, PROFILE_FORMS, type ImageForms } from './image-forms';
import { shownName, type MirrorColumn, type MirrorLayout } from './mirror-layout';
import { nullableType, type WireForm } from './mirror-type';
import { quoteName, quoteText } from './quote';

/** A view of the machinery database, as it should stand. */
export interface LookBackView {
  readonly name: string;
  /** Marks the view as ours and says of which table; what stands has a digest of `select` after it. */
  readonly comment: string;
  readonly select: string;
}

/**
 * `<table>__at(at = …)`: the rows of the table as they were at a moment, by commit time, that one included; columns and
 * types of the table's view. Before the first snapshot there is nothing.
 */
export function atView({ layout, databases, name, forms = PROFILE_FORMS }: MirrorPlace): LookBackView {
  const x = prefixOf(layout);
  const source: Source = {
    layout,
    forms,
    changes: `${quoteName(databases.machinery)}.changes`,
    x,
    moment: `ts <= {at:DateTime64(6, 'UTC')}`,
  };
  const columns = layout.columns.map((column, index) => {
    const image = layout.key.includes(index) ? `${x}key` : imageOf(source, column);
    return `${presentValue(source, column, image)} AS ${quoteName(shownName(column))}`;
  });
  const truncated = `ifNull(${x}truncated, 0)`;
  return {
    name: `${name}__at`,
    comment: `debezium-clickhouse: ${layout.schema}.${layout.table} as of a moment`,
    select:
      `SELECT ${columns.join(', ')} FROM (SELECT ${x}key, ${images(source)} FROM (${newestStates(source)}) AS ${x}states ` +
      `LEFT ANY JOIN (SELECT topic AS ${x}topic, partition AS ${x}partition, max(offset) AS ${x}truncated ` +
      `FROM ${source.changes} WHERE ${ofTable(source)} AND op = 't' GROUP BY topic, partition) AS ${x}truncates ` +
      `USING (${x}topic, ${x}partition) WHERE ${x}op != 'd' AND ${x}offset >= ${truncated})`,
  };
}

/** The columns of a history that are not the table's, in order, each with the internal column it shows. */
const OWN = [
  ['valid_from', 'ts'],
  ['valid_to', 'until'],
  ['op', 'op'],
  ['tx_id', 'tx_id'],
  ['lsn', 'lsn'],
  ['topic', 'topic'],
  ['partition', 'partition'],
  ['offset', 'offset'],
  ['key', 'key'],
] as const;

/**
 * `<table>__history`: each event of each row with the time for which it held. The key's columns, ours, then the row's
 * other columns as the event left them, NULL after a delete. Where the table has a column named as one of ours, ours
 * gets underscores in front. In no order.
 */
export function historyView({ layout, databases, name, forms = PROFILE_FORMS }: MirrorPlace): LookBackView {
  const x = prefixOf(layout);
  const source: Source = { layout, forms, changes: `${quoteName(databases.machinery)}.changes`, x, moment: null };
  const key = layout.key.flatMap((index) => layout.columns[index] ?? []);
  const others = layout.columns.filter((column) => !key.includes(column));
  const ends = `isNotNull(${x}t_ts) AND ${x}op != 'd' AND (isNull(${x}next_offset) OR ${x}t_offset < ${x}next_offset)`;
  const columns = [
    ...key.map((column) => `${presentValue(source, column, `${x}key`)} AS ${quoteName(shownName(column))}`),
    ...OWN.map(([own, internal]) => `${x}${internal} AS ${quoteName(freeName(layout, own))}`),
    ...others.map(
      (column) => `${formerValue(source, column, imageOf(source, column))} AS ${quoteName(shownName(column))}`,
    ),
  ];
  const kept = OWN.map(([, internal]) => (internal === 'until' ? '' : `${x}${internal}`)).filter((one) => one !== '');
  return {
    name: `${name}__history`,
    comment: `debezium-clickhouse: history of ${layout.schema}.${layout.table}`,
    select:
      `SELECT ${columns.join(', ')} FROM (SELECT ${kept.join(', ')}, if(${ends}, ${x}t_ts, ${x}next_ts) AS ${x}until, ` +
      `${images(source)} FROM (${events(source)}) AS ${x}events ` +
      `ASOF LEFT JOIN (SELECT topic AS ${x}t_topic, partition AS ${x}t_partition, offset AS ${x}t_offset, ` +
      `toNullable(ts) AS ${x}t_ts FROM ${source.changes} WHERE ${ofTable(source)} AND op = 't') AS ${x}truncates ` +
      `ON ${x}topic = ${x}t_topic AND ${x}partition = ${x}t_partition AND ${x}offset < ${x}t_offset)`,
  };
}

/** Creates or replaces the view; `digest` tells definitions apart, since a view with parameters shows no columns. */
export function createLookBackSql({ databases }: MirrorPlace, view: LookBackView, digest: string): string {
  return (
    `CREATE OR REPLACE VIEW ${quoteName(databases.machinery)}.${quoteName(view.name)} ` +
    `DEFINER = CURRENT_USER SQL SECURITY DEFINER AS ${view.select} COMMENT ${quoteText(lookBackComment(view, digest))}`
  );
}

/** The comment of a view that stands as wanted. */
export function lookBackComment({ comment }: LookBackView, digest: string): string {
  return `${comment} (${digest})`;
}

/** Where a view's rows come from. Internal columns begin with `x`, which no column of the table does. */
interface Source {
  readonly layout: MirrorLayout;
  readonly forms: ImageForms;
  readonly changes: string;
  readonly x: string;
  /** A condition that leaves out events after a moment; null for all. */
  readonly moment: string | null;
}

/** In ClickHouse an alias hides a column of its name, so no name of ours may be a name of the table's. */
function prefixOf({ columns }: MirrorLayout): string {
  let prefix = 'x_';
  while (columns.some((column) => column.name.startsWith(prefix) || shownName(column).startsWith(prefix)))
    prefix = `x${prefix}`;
  return prefix;
}

function freeName({ columns }: MirrorLayout, wanted: string): string {
  let name = wanted;
  while (columns.some((column) => shownName(column) === name)) name = `_${name}`;
  return name;
}

function ofTable({ layout, moment }: Source, of = ''): string {
  const when = moment === null ? '' : ` AND ${of}${moment}`;
  return (
    `${of}schema = ${quoteText(layout.schema)} AND ${of}table = ${quoteText(layout.table)} ` +
    `AND ${of}redelivered = 0${when}`
  );
}

/** Forms of fixed length: PostgreSQL never stores them out of line, so they are never withheld. */
const NEVER_WITHHELD: ReadonlySet<WireForm> = new Set<WireForm>([
  'int',
  'float',
  'bool',
  'date',
  'timestamp',
  'timestamptz',
  'time',
  'uuid',
  'point',
  'bit',
]);

/** The columns whose value may be withheld. Those of the key are read from the event's key. */
function withholdable({ columns, key }: MirrorLayout): MirrorColumn[] {
  return columns.filter(({ codec }, index) => !key.includes(index) && (codec.array || !NEVER_WITHHELD.has(codec.form)));
}

/** The internal column that holds the image from which the column is read. */
function imageOf({ layout, x }: Source, column: MirrorColumn): string {
  const index = withholdable(layout).indexOf(column);
  return index < 0 ? `${x}after` : `${x}image_${index + 1}`;
}

function images({ layout, x }: Source): string {
  const carried = withholdable(layout).map(
    (_, index) => `if(empty(${x}carried), ${x}after, ${x}carried[${index + 1}]) AS ${x}image_${index + 1}`,
  );
  return [`${x}after`, ...carried].join(', ');
}

/**
 * An event's image as the queries carry it along: where images are written in several ways, the id of its wire schema
 * stands before it, even before one that is empty.
 */
function carriedImage({ forms }: Source, of = ''): string {
  return isMixed(forms) ? `concat(toString(${of}wire_schema), ${of}after)` : `${of}after`;
}

/** The typed value in an image that was carried along, or in the key that came with the event's own image. */
function valueIn({ forms, x }: Source, column: MirrorColumn, image: string): string {
  if (!isMixed(forms)) return expressionByForms(column, image, forms, '');
  const carried = image === `${x}key` ? `${x}after` : image;
  const json = image === `${x}key` ? image : `replaceRegexpOne(${image}, '^[0-9]+', '')`;
  return expressionByForms(column, json, forms, `toUInt64OrZero(extract(${carried}, '^[0-9]+'))`);
}

/** The value as the table's view has it. */
function presentValue(source: Source, column: MirrorColumn, image: string): string {
  const value = valueIn(source, column, image);
  const type = quoteText(column.type);
  if (nullableType(column.type) === column.type) return `CAST(${value}, ${type})`;
  return `CAST(ifNull(${value}, defaultValueOfTypeName(${type})), ${type})`;
}

/** The value, or NULL where there is no row. */
function formerValue(source: Source, column: MirrorColumn, image: string): string {
  return `CAST(${valueIn(source, column, image)}, ${quoteText(nullableType(column.type))})`;
}

/** Keys of which some event withholds a value. Where there are none, finding that out costs one light scan. */
function withheldKeys(source: Source): string {
  return `(SELECT key FROM ${source.changes} WHERE ${ofTable(source)} AND notEmpty(unavailable))`;
}

/**
 * For each column the newest image that has its value. A delete is an image that has all of them, empty, so no value
 * comes from an earlier life of the key.
 */
function carriers(source: Source, over: string): string {
  const { layout, x } = source;
  const found = withholdable(layout).map(
    ({ name }) => `argMaxIf(${x}after, (${x}offset, ${x}step), NOT has(${x}unavailable, ${quoteText(name)}))${over}`,
  );
  return `[${found.join(', ')}] AS ${x}carried`;
}

const LAST = '18446744073709551615';
/**
 * The step of an event itself. Those that only lend their values to it have steps before that: the offsets of the
 * creates that lead from key to older key, then their own offset, so that they stand as if the key had never changed.
 */
const OWN_STEP = `[${LAST}]`;
const NO_OP = `CAST('', 'LowCardinality(String)')`;

/**
 * Events that lend values to a create that withholds some: under DEFAULT identity a changed key arrives as a delete and
 * a create of one LSN, and what the create withholds was last sent under the old key, or under the one before that. They
 * stand at the create's place and begin with an empty one, so that nothing older under the new key is taken (a truncate
 * leaves no delete).
 */
function lenders(source: Source, rest: string): string {
  const { x, changes } = source;
  const from = (of: string): string => `FROM ${changes} AS ${x}${of} `;
  const where = (of: string): string => `WHERE ${ofTable(source, `${x}${of}.`)}`;
  const creates =
    `SELECT topic AS ${x}c_topic, partition AS ${x}c_partition, key AS ${x}c_key, offset AS ${x}c_offset, ` +
    `lsn AS ${x}c_lsn, tx_id AS ${x}c_tx_id FROM ${changes} WHERE ${ofTable(source)} AND op = 'c' AND notEmpty(unavailable)`;
  const moves =
    `SELECT ${x}c_topic, ${x}c_partition, ${x}c_key, ${x}c_offset, ${x}d.topic AS ${x}d_topic, ` +
    `${x}d.partition AS ${x}d_partition, ${x}d.key AS ${x}d_key, ${x}d.offset AS ${x}d_offset ` +
    `${from('d')}INNER JOIN (${creates}) AS ${x}c ON ${x}d.lsn = ${x}c_lsn AND ${x}d.tx_id = ${x}c_tx_id ` +
    `${where('d')} AND ${x}d.op = 'd'`;
  // From a create to its old key, and on from the create that began that key's last life, if that withheld values too.
  const chains =
    `WITH RECURSIVE ${x}chain AS (SELECT *, emptyArrayUInt64() AS ${x}path FROM (${moves}) UNION ALL ` +
    `SELECT ${x}l.${x}c_topic, ${x}l.${x}c_partition, ${x}l.${x}c_key, ${x}l.${x}c_offset, ${x}m.${x}d_topic, ` +
    `${x}m.${x}d_partition, ${x}m.${x}d_key, ${x}m.${x}d_offset, arrayPushBack(${x}l.${x}path, ${x}m.${x}c_offset) FROM ${x}chain AS ${x}l ` +
    `ASOF INNER JOIN (${moves}) AS ${x}m ON ${x}l.${x}d_topic = ${x}m.${x}c_topic ` +
    `AND ${x}l.${x}d_partition = ${x}m.${x}c_partition AND ${x}l.${x}d_key = ${x}m.${x}c_key ` +
    `AND ${x}l.${x}d_offset > ${x}m.${x}c_offset) SELECT * FROM ${x}chain`;
  const place = `${x}c_topic AS ${x}topic, ${x}c_partition AS ${x}partition, ${x}c_key AS ${x}key, ${x}c_offset AS ${x}offset`;
  return (
    `SELECT ${place}, emptyArrayUInt64() AS ${x}step, '' AS ${x}after, ` +
    `emptyArrayString() AS ${x}unavailable${rest} FROM (${creates}) ` +
    `UNION ALL SELECT ${place}, arrayConcat(${x}path, [${x}o.offset, ${LAST}]) AS ${x}step, ${carriedImage(source, `${x}o.`)} AS ${x}after, ` +
    `${x}o.unavailable AS ${x}unavailable${rest} ${from('o')}INNER JOIN (${chains}) AS ${x}h ` +
    `ON ${x}o.topic = ${x}d_topic AND ${x}o.partition = ${x}d_partition AND ${x}o.key = ${x}d_key ` +
    `${where('o')} AND ${x}o.op != 't' AND ${x}o.offset < ${x}d_offset`
  );
}

/** For each topic, partition and key its newest event, a delete included, and the images of what that withholds. */
function newestStates(source: Source): string {
  const { layout, changes, x } = source;
  const rows = `${ofTable(source)} AND op != 't'`;
  const place = `topic AS ${x}topic, partition AS ${x}partition, key AS ${x}key`;
  const plain = (keys: string): string =>
    `SELECT ${place}, max(offset) AS ${x}offset, argMax((op, ${carriedImage(source)}), offset) AS ${x}newest, ` +
    `emptyArrayString() AS ${x}carried FROM ${changes} WHERE ${rows}${keys} GROUP BY topic, partition, key`;
  const states = (from: string): string =>
    `SELECT ${x}topic, ${x}partition, ${x}key, ${x}offset, ${x}newest.1 AS ${x}op, ${x}newest.2 AS ${x}after, ` +
    `${x}carried FROM (${from})`;
  if (withholdable(layout).length === 0) return states(plain(''));
  const own =
    `SELECT ${place}, offset AS ${x}offset, ${OWN_STEP} AS ${x}step, ${carriedImage(source)} AS ${x}after, ` +
    `unavailable AS ${x}unavailable, op AS ${x}op FROM ${changes} WHERE ${rows} AND key IN ${withheldKeys(source)}`;
  const completed =
    `SELECT ${x}topic, ${x}partition, ${x}key, max(${x}offset) AS ${x}newest_offset, ` +
    `argMax((${x}op, ${x}after), (${x}offset, ${x}step)) AS ${x}newest, ${carriers(source, '')} ` +
    `FROM (${own} UNION ALL ${lenders(source, `, ${NO_OP} AS ${x}op`)}) GROUP BY ${x}topic, ${x}partition, ${x}key`;
  return states(`${plain(` AND key NOT IN ${withheldKeys(source)}`)} UNION ALL ${completed}`);
}

/** Every event of a row with the time and offset of its key's next one, and the images of what it withholds. */
function events(source: Source): string {
  const { layout, changes, x } = source;
  const next = (column: string): string =>
    `leadInFrame(toNullable(${column})) OVER (PARTITION BY topic, partition, key ORDER BY offset ` +
    `ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS ${x}next_${column}`;
  const own = (keys: string): string =>
    `SELECT topic AS ${x}topic, partition AS ${x}partition, key AS ${x}key, offset AS ${x}offset, ` +
    `${OWN_STEP} AS ${x}step, ${carriedImage(source)} AS ${x}after, unavailable AS ${x}unavailable, op AS ${x}op, ts AS ${x}ts, ` +
    `tx_id AS ${x}tx_id, lsn AS ${x}lsn, ${next('ts')}, ${next('offset')} ` +
    `FROM ${changes} WHERE ${ofTable(source)} AND op != 't'${keys}`;
  const shown =
    `${x}topic, ${x}partition, ${x}key, ${x}offset, ${x}after, ${x}op, ${x}ts, ${x}tx_id, ${x}lsn, ` +
    `${x}next_ts, ${x}next_offset`;
  const plain = (keys: string): string => `SELECT ${shown}, emptyArrayString() AS ${x}carried FROM (${own(keys)})`;
  if (withholdable(layout).length === 0) return plain('');
  const nothing =
    `, ${NO_OP} AS ${x}op, toDateTime64(0, 6, 'UTC') AS ${x}ts, NULL AS ${x}tx_id, NULL AS ${x}lsn, NULL AS ${x}next_ts, ` +
    `NULL AS ${x}next_offset`;
  const over =
    ` OVER (PARTITION BY ${x}topic, ${x}partition, ${x}key ORDER BY ${x}offset, ${x}step ` +
    `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`;
  const completed =
    `SELECT ${shown}, ${x}step, ${carriers(source, over)} ` +
    `FROM (${own(` AND key IN ${withheldKeys(source)}`)} UNION ALL ${lenders(source, nothing)})`;
  return (
    `${plain(` AND key NOT IN ${withheldKeys(source)}`)} UNION ALL ` +
    `SELECT ${shown}, ${x}carried FROM (${completed}) WHERE ${x}step = ${OWN_STEP}`
  );
}
