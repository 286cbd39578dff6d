/** What of a table is compared, and the statements that ask both sides for it. */
import { expressionByForms, type ImageForms } from '../clickhouse/image-forms';
import {
  COUNT_COLUMN,
  HASH_COLUMN,
  isCounted,
  type MirrorColumn,
  type MirrorLayout,
} from '../clickhouse/mirror-layout';
import { quoteName, quoteText } from '../clickhouse/quote';
import type { SourceColumn, SourceTable } from '../model';
import { hashedText } from './hashed-text';
import { mirrorText } from './mirror-text';
import { notComparedReason, sourceText } from './source-text';

/** A column that is compared. */
interface Compared {
  readonly column: MirrorColumn;
  readonly base: string;
  readonly inKey: boolean;
  readonly text: string;
  readonly altered: string | null;
}

export interface NotCompared {
  readonly column: string;
  readonly reason: string;
}

/** Where the rows of a table are. */
export interface TablePlace {
  readonly source: SourceTable;
  /** True for a partitioned table: its rows are in its partitions. Those of other children belong to the children. */
  readonly partitioned: boolean;
  /** Qualified and quoted. */
  readonly mirror: string;
  readonly changes: string;
  /** How the images of the table in `changes` are written. */
  readonly forms: ImageForms;
  /** Whether the session can make the hashes of masked columns. */
  readonly hashes: 'made' | 'not made';
}

/** Part of a table: rows by a hash of their key, so that both sides choose alike whatever their collations. */
export interface Share {
  /** The top bits of the key's hash say which of 2^bits buckets a row is in. */
  readonly bits: number;
  /** Of 2^32 keys about so many are looked at; 2^32 for all. */
  readonly sample: number;
}

/**
 * The statements about one table. A row is known by the MD5 of its key, in 32 hexadecimal digits; where the table has no
 * key, by that of all its values, and how often it is there is one more cell, the last.
 */
export interface TablePlan {
  readonly counted: boolean;
  readonly names: readonly string[];
  /** Indexes into `names`. */
  readonly key: readonly number[];
  readonly notCompared: readonly NotCompared[];
  /** Columns a policy may alter; the sums `altered_<n>` of the source's buckets count them. */
  readonly policies: readonly string[];
  /** Per bucket: `bucket`, `row_count`, `sum_a`, `sum_b`, and `altered_<n>`. */
  sourceBuckets(share: Share): string;
  mirrorBuckets(share: Share): string;
  /** `row_key` and `row_hash` of the rows in some buckets. */
  sourceHashes(share: Share, buckets: readonly number[]): string;
  mirrorHashes(share: Share, buckets: readonly number[]): string;
  /** `row_key` and `cells` of the rows with some keys; the keys are parameter 1 of the source's statement. */
  sourceRows(): string;
  mirrorRows(keys: readonly string[]): string;
  /** Events of some keys: `row_key, topic, partition, offset, op, hidden, cells, unavailable`, `lsn` and `ts_us`. */
  events(keys: readonly string[], where: string, hidden: string): string;
  /** The same for envelopes that are not in `changes`, given as texts. */
  strangers(envelopes: readonly string[]): string;
  /** `row_key` and `key`: every way in which `changes` writes some keys. */
  keyTexts(keys: readonly string[]): string;
  /** Key columns, `_topic`, `_partition` and `_offset` of every signed row of some keys. */
  signedRows(keys: readonly string[]): string;
  /** `_verify_key`, `_verify_cells` and `_verify_signs` of keys whose signs do not add up to 0 or 1. */
  wrongSigns(limit: number): string;
  /** `signs` and `standing`: the sum of all signs, and the rows that stand; different where a row stands by no sign. */
  signTotals(): string;
  /** The same as of `wrongSigns`, of keys that have a row though their signs add up to 0. */
  missingSigns(limit: number): string;
}

const ALL = 0x100000000;
/** Forms whose text has no `|` and is never `~`. */
const PLAIN = new Set([
  'int',
  'bool',
  'uuid',
  'date',
  'timestamp',
  'timestamptz',
  'time',
  'decimal',
  'float',
  'hex',
  'bit',
  'bits',
  'point',
]);

/** The plan; a text says why the table cannot be compared. `standing`: the columns that the mirror has. */
export function planTable(place: TablePlace, layout: MirrorLayout, standing: ReadonlySet<string>): TablePlan | string {
  const { source, mirror, changes, forms } = place;
  const counted = isCounted(layout);
  const columns = chooseColumns(place, layout, standing);
  if (typeof columns === 'string') return columns;
  const { compared, notCompared } = columns;
  // In the order of the key, so that both sides hash the same text.
  const keyed = counted
    ? compared
    : layout.key
        .map((index) => compared.find(({ column }) => column.name === layout.columns[index]?.name))
        .filter((one) => one !== undefined);
  if (keyed.length === 0) return 'none of its columns can be compared';
  const policies = compared.filter(({ altered }) => altered !== null);

  const sourceFrame = (some: readonly Compared[]): string => some.map(frameInSource).join(' || ');
  const from = `FROM ${place.partitioned ? '' : 'ONLY '}${quoteId(source.schema)}.${quoteId(source.name)} AS s`;
  const flags = policies.map(({ altered }, index) => `, coalesce(${altered}, false)::int AS altered_${index}`).join('');
  const hashedSource = (also: string): string =>
    `(SELECT md5(${sourceFrame(keyed)}) AS row_key, md5(${sourceFrame(compared)}) AS row_hash${also} ${from}) AS hashed`;
  const sourceBucket = ({ bits }: Share): string => `(('x' || substr(row_key, 1, 8))::bit(32)::bigint >> ${32 - bits})`;
  const sourceSample = ({ sample }: Share): string =>
    sample >= ALL ? 'true' : `('x' || substr(row_key, 25, 8))::bit(32)::bigint < ${sample}`;
  const half = (at: number): string => `sum(('x' || substr(row_hash, ${at}, 16))::bit(64)::bigint)::text`;

  const rowOf = (value: (one: Compared) => string, isNull: (one: Compared) => string): MirrorSide => ({
    key: `MD5(concat('', ${keyed.map((one) => frameInMirror(one, value(one), isNull(one))).join(', ')}))`,
    hash: `MD5(concat('', ${compared.map((one) => frameInMirror(one, value(one), isNull(one))).join(', ')}))`,
    cells: `[${compared.map((one) => `if(${isNull(one)}, NULL, ${mirrorText(one.column, one.base, value(one))})`).join(', ')}]::Array(Nullable(String))`,
  });
  const own = rowOf(({ column }) => quoteName(column.name), mirrorNull);
  const image = rowOf(({ column }) => expressionByForms(column, 'row_image', forms, 'wire_schema'), imageNull);
  // An envelope that is in Kafka only is taken for one that is written as the newest in `changes`.
  const stranger = rowOf(
    ({ column }) => expressionByForms(column, 'row_image', { ...forms, others: [] }, 'wire_schema'),
    imageNull,
  );
  const standingRows = `FROM ${mirror} FINAL WHERE _sign = 1`;
  // ClickHouse takes an alias before a column of that name, so these are names that no column of a source has.
  const hashedMirror = `(SELECT ${own.key} AS _verify_key, ${own.hash} AS _verify_hash ${standingRows})`;
  const mirrorBucket = ({ bits }: Share): string =>
    `bitShiftRight(toUInt64(reinterpretAsUInt32(reverse(substring(_verify_key, 1, 4)))), ${32 - bits})`;
  const mirrorSample = ({ sample }: Share): string =>
    sample >= ALL ? '1' : `reinterpretAsUInt32(reverse(substring(_verify_key, 13, 4))) < ${sample}`;
  const mirrorHalf = (at: number): string =>
    `toString(sum(toInt128(reinterpretAsInt64(reverse(substring(_verify_hash, ${at}, 8))))))`;
  const among = (keys: readonly string[]): string =>
    `_verify_key IN (${keys.map((key) => `unhex('${key}')`).join(', ')})`;
  const keyNames = keyed.map(({ column }) => quoteName(column.name)).join(', ');
  const signs = (having: string, limit: number): string =>
    `SELECT lower(hex(${own.key})) AS _verify_key, [${keyed.map((one) => mirrorText(one.column, one.base, quoteName(one.column.name))).join(', ')}]::Array(String) AS _verify_cells, toInt32(sum(_sign)) AS _verify_signs FROM ${mirror} ` +
    `GROUP BY ${keyNames} HAVING ${having} LIMIT ${limit} SETTINGS optimize_aggregation_in_order = 1`;
  const OP_IMAGE = `if(op = 'd', if(before = '', key, before), after)`;

  const plan: TablePlan = {
    counted,
    names: compared.map(({ column }) => column.name),
    key: keyed.map((one) => compared.indexOf(one)),
    notCompared,
    policies: policies.map(({ column }) => column.name),
    sourceBuckets: (share) =>
      `SELECT ${sourceBucket(share)}::int AS bucket, count(*)::int AS row_count, ${half(1)} AS sum_a, ${half(17)} AS sum_b` +
      `${policies.map((_, index) => `, sum(altered_${index})::int AS altered_${index}`).join('')} FROM ${hashedSource(flags)} WHERE ${sourceSample(share)} GROUP BY 1`,
    mirrorBuckets: (share) =>
      `SELECT toUInt32(${mirrorBucket(share)}) AS bucket, toUInt32(count()) AS row_count, ${mirrorHalf(1)} AS sum_a, ${mirrorHalf(9)} AS sum_b ` +
      `FROM ${hashedMirror} WHERE ${mirrorSample(share)} GROUP BY bucket`,
    sourceHashes: (share, buckets) =>
      `SELECT row_key, row_hash FROM ${hashedSource('')} WHERE ${sourceSample(share)} AND ${sourceBucket(share)} = ANY('{${buckets.join(',')}}'::bigint[])`,
    mirrorHashes: (share, buckets) =>
      `SELECT lower(hex(_verify_key)) AS row_key, lower(hex(_verify_hash)) AS row_hash FROM ${hashedMirror} WHERE ${mirrorSample(share)} AND ${mirrorBucket(share)} IN (${buckets.join(', ')})`,
    sourceRows: () =>
      `SELECT row_key, cells FROM (SELECT md5(${sourceFrame(keyed)}) AS row_key, ARRAY[${compared.map(({ text }) => text).join(', ')}]::text[] AS cells ${from}) AS hashed WHERE row_key = ANY($1)`,
    mirrorRows: (keys) =>
      `SELECT lower(hex(_verify_key)) AS row_key, _verify_cells AS cells FROM (SELECT ${own.key} AS _verify_key, ${own.cells} AS _verify_cells ${standingRows}) WHERE ${among(keys)}`,
    events: (keys, where, hidden) =>
      `SELECT lower(hex(_verify_key)) AS row_key, topic, partition, offset, op, hidden, cells, unavailable, lsn, ts_us FROM (SELECT ${image.key} AS _verify_key, ${image.cells} AS cells, ` +
      `topic, partition, offset, op, unavailable, lsn, toUnixTimestamp64Micro(ts) AS ts_us, toUInt8(${hidden}) AS hidden FROM (SELECT *, ${OP_IMAGE} AS row_image FROM ${changes} ` +
      `WHERE schema = ${quoteText(source.schema)} AND table = ${quoteText(source.name)} AND redelivered = 0 AND op != 't' AND (${where}))) WHERE ${among(keys)} ORDER BY topic, partition, offset`,
    strangers: (envelopes) =>
      `SELECT lower(hex(${stranger.key})) AS row_key, op, ${stranger.cells} AS cells FROM (SELECT JSONExtractString(envelope, 'op') AS op, JSONExtractRaw(envelope, if(op = 'd', 'before', 'after')) AS row_image ` +
      `FROM (SELECT arrayJoin([${envelopes.map(quoteText).join(', ')}]) AS envelope) WHERE JSONExtractString(envelope, 'source', 'schema') = ${quoteText(source.schema)} ` +
      `AND JSONExtractString(envelope, 'source', 'table') = ${quoteText(source.name)}) WHERE op IN ('c', 'u', 'd', 'r')`,
    keyTexts: (keys) =>
      `SELECT DISTINCT lower(hex(_verify_key)) AS row_key, key FROM (SELECT ${image.key} AS _verify_key, key FROM (SELECT *, ${OP_IMAGE} AS row_image FROM ${changes} ` +
      `WHERE schema = ${quoteText(source.schema)} AND table = ${quoteText(source.name)} AND redelivered = 0 AND op != 't')) WHERE ${among(keys)}`,
    signedRows: (keys) =>
      `SELECT DISTINCT ${keyNames}, _topic, _partition, _offset FROM (SELECT *, ${own.key} AS _verify_key FROM ${mirror}) WHERE ${among(keys)}`,
    wrongSigns: (limit) => signs('_verify_signs NOT IN (0, 1)', limit),
    signTotals: () =>
      `SELECT sum(_sign)::Int64 AS signs, (SELECT count()::Int64 ${standingRows}) AS standing FROM ${mirror}`,
    missingSigns: (limit) =>
      signs(`_verify_signs = 0 AND (${keyNames}) IN (SELECT ${keyNames} ${standingRows})`, limit),
  };
  if (!counted) return plan;
  // What an update withheld of the row after it is as it was before.
  const whole = rowOf(({ column }) => wholeImage(column, forms), wholeNull);
  const counting = `(SELECT ${own.key} AS _verify_key, ${own.hash} AS _verify_hash, ${own.cells} AS _verify_cells, ${COUNT_COLUMN} AS _verify_count ${standingRows})`;
  const countedHalf = (at: number): string =>
    `toString(sum(toInt128(reinterpretAsInt64(reverse(substring(_verify_hash, ${at}, 8)))) * _verify_count))`;
  const countedSigns = (having: string, limit: number): string =>
    `SELECT lower(hex(any(${own.key}))) AS _verify_key, []::Array(String) AS _verify_cells, toInt32(sum(_sign)) AS _verify_signs FROM ${mirror} ` +
    `GROUP BY ${COUNTED_KEY} HAVING ${having} LIMIT ${limit} SETTINGS optimize_aggregation_in_order = 1`;
  const ofTable = `schema = ${quoteText(source.schema)} AND table = ${quoteText(source.name)}`;
  const pairs = `arrayFilter(one -> one.1 != '', [(before, -1, []::Array(String)), (after, 1, arrayMap(name -> toString(name), unavailable))])`;
  return {
    ...plan,
    names: [...plan.names, COUNT_COLUMN],
    key: [],
    mirrorBuckets: (share) =>
      `SELECT toUInt32(${mirrorBucket(share)}) AS bucket, toInt32(sum(_verify_count)) AS row_count, ${countedHalf(1)} AS sum_a, ${countedHalf(9)} AS sum_b ` +
      `FROM ${counting} WHERE ${mirrorSample(share)} GROUP BY bucket`,
    sourceHashes: (share, buckets) =>
      `SELECT row_key, count(*)::text AS row_hash FROM ${hashedSource('')} WHERE ${sourceSample(share)} AND ${sourceBucket(share)} = ANY('{${buckets.join(',')}}'::bigint[]) GROUP BY row_key`,
    mirrorHashes: (share, buckets) =>
      `SELECT lower(hex(_verify_key)) AS row_key, toString(sum(_verify_count)) AS row_hash FROM ${counting} WHERE ${mirrorSample(share)} AND ${mirrorBucket(share)} IN (${buckets.join(', ')}) ` +
      `GROUP BY _verify_key HAVING sum(_verify_count) != 0`,
    sourceRows: () =>
      `SELECT row_key, array_append(cells, count(*)::text) AS cells FROM (SELECT md5(${sourceFrame(keyed)}) AS row_key, ARRAY[${compared.map(({ text }) => text).join(', ')}]::text[] AS cells ${from}) AS hashed WHERE row_key = ANY($1) GROUP BY row_key, cells`,
    mirrorRows: (keys) =>
      `SELECT lower(hex(_verify_key)) AS row_key, arrayPushBack(any(_verify_cells), toString(sum(_verify_count))) AS cells FROM ${counting} WHERE ${among(keys)} GROUP BY _verify_key HAVING sum(_verify_count) != 0`,
    events: (keys, where, hidden) =>
      `SELECT lower(hex(_verify_key)) AS row_key, topic, partition, offset, op, hidden, cells, []::Array(String) AS unavailable, lsn, ts_us FROM (SELECT ${whole.key} AS _verify_key, [toString(image_by)]::Array(Nullable(String)) AS cells, ` +
      `topic, partition, offset, op, lsn, ts_us, hidden FROM (SELECT *, toUnixTimestamp64Micro(ts) AS ts_us, toUInt8(${hidden}) AS hidden, arrayJoin(${pairs}) AS image, image.1 AS row_image, image.2 AS image_by, image.3 AS image_lacks FROM ${changes} ` +
      `WHERE ${ofTable} AND redelivered = 0 AND op != 't' AND NOT (op = 'r' AND lsn IS NULL) AND (${where}))) WHERE ${among(keys)} ORDER BY topic, partition, offset`,
    strangers: (envelopes) =>
      `SELECT lower(hex(${stranger.key})) AS row_key, op, []::Array(Nullable(String)) AS cells FROM (SELECT JSONExtractString(envelope, 'op') AS op, arrayJoin([JSONExtractRaw(envelope, 'before'), JSONExtractRaw(envelope, 'after')]) AS row_image ` +
      `FROM (SELECT arrayJoin([${envelopes.map(quoteText).join(', ')}]) AS envelope) WHERE JSONExtractString(envelope, 'source', 'schema') = ${quoteText(source.schema)} ` +
      `AND JSONExtractString(envelope, 'source', 'table') = ${quoteText(source.name)}) WHERE op IN ('c', 'u', 'd', 'r') AND row_image NOT IN ('', 'null')`,
    wrongSigns: (limit) => countedSigns('_verify_signs NOT IN (0, 1)', limit),
    missingSigns: (limit) =>
      countedSigns(`_verify_signs = 0 AND (${COUNTED_KEY}) IN (SELECT ${COUNTED_KEY} ${standingRows})`, limit),
  };
}

/** Which columns are compared, and why others are not; a text where one of the key is not. */
function chooseColumns(
  { source, hashes }: TablePlace,
  layout: MirrorLayout,
  standing: ReadonlySet<string>,
): { readonly compared: Compared[]; readonly notCompared: NotCompared[] } | string {
  const compared: Compared[] = [];
  const notCompared: NotCompared[] = layout.omitted.map(({ name, reason }) => ({
    column: name,
    reason: OMITTED[reason],
  }));
  for (const [index, column] of layout.columns.entries()) {
    const of = source.columns.find(({ name }) => name === column.name);
    if (of === undefined) continue;
    const inKey = layout.key.includes(index);
    const reason = standing.has(column.name) ? whyNot(column, of, hashes) : 'the mirror has no such column yet';
    if (reason === null) compared.push({ column, inKey, ...comparedText(column, of) });
    else if (inKey) return `its key column ${column.name} cannot be compared: ${reason}`;
    else notCompared.push({ column: column.name, reason });
  }
  return { compared, notCompared };
}

function whyNot(column: MirrorColumn, of: SourceColumn, hashes: TablePlace['hashes']): string | null {
  if (!column.hashed) return notComparedReason(column, of);
  if (hashedText(of, '') === null)
    return `its values are hashes (mask: hash), and what was hashed of a ${of.type} depends on the connector's modes`;
  return hashes === 'made' ? null : 'its values are hashes (mask: hash); verify --masked compares them';
}

function comparedText(column: MirrorColumn, of: SourceColumn): Pick<Compared, 'base' | 'text' | 'altered'> {
  const x = `s.${quoteSource(of)}`;
  const hash = column.hashed ? hashedText(of, x) : null;
  return hash === null ? { base: of.base, ...sourceText(column, of, x) } : { base: 'text', text: hash, altered: null };
}

const COUNTED_KEY = `${HASH_COLUMN}, _topic, _partition`;

function wholeImage(column: MirrorColumn, forms: ImageForms): string {
  const of = (image: string): string => expressionByForms(column, image, forms, 'wire_schema');
  return `if(has(image_lacks, ${quoteText(column.name)}), ${of('before')}, ${of('row_image')})`;
}

function wholeNull({ column }: Compared): string {
  const name = quoteText(column.name);
  return `(JSONExtractRaw(if(has(image_lacks, ${name}), before, row_image), ${name}) IN ('', 'null'))`;
}

interface MirrorSide {
  readonly key: string;
  readonly hash: string;
  readonly cells: string;
}

const OMITTED = {
  'unsupported-type': 'Debezium does not send this type',
  generated: 'generated columns are not in the stream',
  masked: 'a rule keeps it out of ClickHouse (mask: drop)',
  skipped: 'a rule leaves it out of the mirror (skip)',
} as const;

/** A text with its length where it could hold anything, so that the texts of a row cannot be read in two ways. */
function frameInSource({ column, text }: Compared): string {
  return isPlain(column)
    ? `coalesce(${text}, '~') || '|'`
    : `coalesce(octet_length(${text}) || ':' || (${text}), '~') || '|'`;
}

function frameInMirror({ column, base }: Compared, value: string, isNull: string): string {
  const text = mirrorText(column, base, value);
  const framed = isPlain(column) ? `concat(${text}, '|')` : `concat(toString(length(${text})), ':', ${text}, '|')`;
  return `if(${isNull}, '~|', ${framed})`;
}

function isPlain({ codec }: MirrorColumn): boolean {
  return !codec.array && PLAIN.has(codec.form);
}

/** A NULL that the type cannot hold is named in `_nulls`. */
function mirrorNull({ column, inKey }: Compared): string {
  return inKey ? '0' : `(isNull(${quoteName(column.name)}) OR has(_nulls, ${quoteText(column.name)}))`;
}

function imageNull({ column }: Compared): string {
  return `(JSONExtractRaw(row_image, ${quoteText(column.name)}) IN ('', 'null'))`;
}

function quoteSource({ name }: SourceColumn): string {
  return quoteId(name);
}

function quoteId(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
