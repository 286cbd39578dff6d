/** A block as the columns of `changes` and of `quarantine`. */
import { FixedColumn } from '../clickhouse/column-fixed';
import { ArrayColumn, NullableColumn } from '../clickhouse/column-nested';
import { StringColumn } from '../clickhouse/column-string';
import type { NamedColumn } from '../clickhouse/native';
import type { BadRecord, BlockTable, ChangeBlock } from './change-block';

/** A 64-bit id as its low and high 32-bit words. */
export interface WideId {
  readonly low: number;
  readonly high: number;
}

export interface AuditFacts {
  readonly redelivered: Uint8Array;
  readonly withheld: ReadonlyMap<number, readonly string[]>;
  /** For each table of the block, by the index into the block's wire schemas. */
  readonly wireSchemas: readonly (readonly (WideId | undefined)[])[];
}

export interface BlockColumns {
  readonly columns: readonly NamedColumn[];
  readonly rowCount: number;
}

/** Text, a number, or the empty array: what one value for a whole block may be. */
export type UniformValue = string | number | bigint | readonly [];

/** The rows of `changes`: what differs from row to row as columns, what does not as one value. */
export interface AuditRows extends BlockColumns {
  readonly uniform: readonly (readonly [name: string, value: UniformValue])[];
}

/** What `redelivered` says of a row whose key and images are erased. */
export const FORGOTTEN = 2;

const TIME = "DateTime64(6, 'UTC')";
const NO_ID: WideId = { low: 0, high: 0 };

/** Columns that are filled block after block: kept with their buffers, as making them anew was half of the work. */
export class AuditColumns {
  readonly op = new FixedColumn('FixedString(1)', 1);
  readonly ts = new FixedColumn(TIME, 8);
  readonly capturedAt = new FixedColumn(TIME, 8);
  readonly txId = nullableNumber();
  readonly txOrder = nullableNumber();
  readonly lsn = nullableNumber();
  readonly commitLsn = nullableNumber();
  readonly offset = new FixedColumn('UInt64', 8);

  clear(): void {
    for (const column of [this.op, this.ts, this.capturedAt, this.offset]) column.clear();
    for (const column of [this.txId, this.txOrder, this.lsn, this.commitLsn]) column.clear();
  }
}

function nullableNumber(): NullableColumn {
  return new NullableColumn(new FixedColumn('UInt64', 8));
}

/**
 * The rows of `changes`, without the columns that the delivery knows (topic, partition, ingested_at). The columns are
 * `into`'s and the block's own: they hold until either is used again.
 * @param leaveOut offsets that `changes` holds already
 */
export function auditRows(
  block: ChangeBlock,
  facts: AuditFacts,
  leaveOut: ReadonlySet<number>,
  into: AuditColumns = new AuditColumns(),
): AuditRows {
  into.clear();
  const rows = leaveOut.size === 0 ? null : rowsToWrite(block, leaveOut);
  // The key and the images of a row that was forgotten are not written again.
  const erased = facts.redelivered.includes(FORGOTTEN);
  if ((rows?.length === block.rowCount || rows === null) && !erased) return wholeBlock(block, facts, into);
  return someRows(block, facts, { rows: rows ?? [...everyRow(block.rowCount)], into });
}

function rowsToWrite(block: ChangeBlock, leaveOut: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  for (let row = 0; row < block.rowCount; row++) if (!leaveOut.has(block.offsets[row] ?? -1)) rows.push(row);
  return rows;
}

/** Every row: straight from the block's arrays and images. */
function wholeBlock(block: ChangeBlock, facts: AuditFacts, into: AuditColumns): AuditRows {
  const count = block.rowCount;
  into.op.appendAll(block.ops, count);
  into.ts.appendNumbers(block.tsUs, count);
  into.capturedAt.appendNumbers(block.capturedUs, count);
  into.txId.appendPositive(block.txIds, count);
  into.txOrder.appendPositive(block.txOrders, count);
  into.lsn.appendPositive(block.lsns, count);
  into.commitLsn.appendPositive(block.commitLsns, count);
  into.offset.appendNumbers(block.offsets, count);
  const images = { key: block.key, before: block.before, after: block.after };
  return assemble(into, images, describe(block, facts, everyRow(count)), count);
}

/** A redo, where some rows are there already, or rows that were forgotten. */
function someRows(
  block: ChangeBlock,
  facts: AuditFacts,
  of: { rows: readonly number[]; into: AuditColumns },
): AuditRows {
  const { rows, into } = of;
  const picked = (values: Float64Array): Float64Array => Float64Array.from(rows, (row) => values[row] ?? -1);
  const images = { key: new StringColumn(), before: new StringColumn(), after: new StringColumn() };
  for (const row of rows) {
    into.op.appendInt(block.ops[row] ?? 0);
    if (facts.redelivered[row] === FORGOTTEN) {
      for (const image of [images.key, images.before, images.after]) image.appendDefault();
      continue;
    }
    images.key.appendFrom(block.key, row);
    images.before.appendFrom(block.before, row);
    images.after.appendFrom(block.after, row);
  }
  into.ts.appendNumbers(picked(block.tsUs), rows.length);
  into.capturedAt.appendNumbers(picked(block.capturedUs), rows.length);
  into.txId.appendPositive(picked(block.txIds), rows.length);
  into.txOrder.appendPositive(picked(block.txOrders), rows.length);
  into.lsn.appendPositive(picked(block.lsns), rows.length);
  into.commitLsn.appendPositive(picked(block.commitLsns), rows.length);
  into.offset.appendNumbers(picked(block.offsets), rows.length);
  return assemble(into, images, describe(block, facts, rows), rows.length);
}

interface Described {
  readonly columns: readonly NamedColumn[];
  readonly uniform: AuditRows['uniform'];
}

function assemble(
  into: AuditColumns,
  images: { key: StringColumn; before: StringColumn; after: StringColumn },
  described: Described,
  rowCount: number,
): AuditRows {
  return {
    rowCount,
    uniform: described.uniform,
    columns: [
      { name: 'op', column: into.op },
      { name: 'key', column: images.key },
      { name: 'before', column: images.before },
      { name: 'after', column: images.after },
      { name: 'ts', column: into.ts },
      { name: 'captured_at', column: into.capturedAt },
      { name: 'tx_id', column: into.txId },
      { name: 'tx_order', column: into.txOrder },
      { name: 'lsn', column: into.lsn },
      { name: 'commit_lsn', column: into.commitLsn },
      ...described.columns,
      { name: 'offset', column: into.offset },
    ],
  };
}

/** What is nearly always one value for the block: the table, the snapshot's marker, and what is rare. */
function describe(block: ChangeBlock, facts: AuditFacts, rows: Iterable<number>): Described {
  const columns: NamedColumn[] = [];
  const uniform: [string, UniformValue][] = [];
  const [only, second] = block.tables;
  if (only !== undefined && second === undefined) {
    uniform.push(['source', only.source], ['db', only.db], ['schema', only.schema], ['table', only.name]);
    const [id, other] = (facts.wireSchemas[0] ?? []).filter((one) => one !== undefined);
    if (other === undefined) uniform.push(['wire_schema', wideNumber(id ?? NO_ID)]);
    else columns.push(wireColumn(block, facts, rows));
  } else columns.push(...tableColumns(block, facts, rows));
  if (block.snapshotLabels.length === 1) uniform.push(['snapshot', block.snapshotLabels[0] ?? '']);
  else columns.push({ name: 'snapshot', column: textColumn(rows, (row) => block.snapshotAt(row)) });
  if (facts.redelivered.every((flag) => flag === 0)) uniform.push(['redelivered', 0]);
  else columns.push({ name: 'redelivered', column: flags(rows, facts.redelivered) });
  if (facts.withheld.size === 0) uniform.push(['unavailable', []]);
  else columns.push({ name: 'unavailable', column: withheldNames(rows, facts.withheld) });
  return { columns, uniform };
}

function wireColumn(block: ChangeBlock, { wireSchemas }: AuditFacts, rows: Iterable<number>): NamedColumn {
  const wire = new FixedColumn('UInt64', 8);
  for (const row of rows) {
    const { low, high } = wireSchemas[block.tableOf[row] ?? 0]?.[block.wireSchemaOf[row] ?? 0] ?? NO_ID;
    wire.appendWords(low, high);
  }
  return { name: 'wire_schema', column: wire };
}

function tableColumns(block: ChangeBlock, facts: AuditFacts, rows: Iterable<number>): NamedColumn[] {
  const of = (row: number): BlockTable | undefined => block.tables[block.tableOf[row] ?? 0];
  return [
    { name: 'source', column: textColumn(rows, (row) => of(row)?.source ?? '') },
    { name: 'db', column: textColumn(rows, (row) => of(row)?.db ?? '') },
    { name: 'schema', column: textColumn(rows, (row) => of(row)?.schema ?? '') },
    { name: 'table', column: textColumn(rows, (row) => of(row)?.name ?? '') },
    wireColumn(block, facts, rows),
  ];
}

/** Walked only for what is rarely needed. */
function everyRow(count: number): Iterable<number> {
  return {
    *[Symbol.iterator]() {
      for (let row = 0; row < count; row++) yield row;
    },
  };
}

function wideNumber({ low, high }: WideId): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function textColumn(rows: Iterable<number>, of: (row: number) => string): StringColumn {
  const column = new StringColumn();
  const encoded = new Map<string, Uint8Array>();
  for (const row of rows) {
    const value = of(row);
    let bytes = encoded.get(value);
    if (bytes === undefined) encoded.set(value, (bytes = Buffer.from(value, 'utf8')));
    column.appendBytes(bytes, 0, bytes.length);
  }
  return column;
}

function flags(rows: Iterable<number>, redelivered: Uint8Array): FixedColumn {
  const column = new FixedColumn('UInt8', 1);
  for (const row of rows) column.appendInt(redelivered[row] ?? 0);
  return column;
}

function withheldNames(rows: Iterable<number>, withheld: AuditFacts['withheld']): ArrayColumn {
  const names = new StringColumn();
  const column = new ArrayColumn('Array(String)', names);
  for (const row of rows) {
    for (const name of withheld.get(row) ?? []) names.appendText(name);
    column.endRow();
  }
  return column;
}

/** The rows of `quarantine`, without topic, partition and at. */
export function quarantineRows(records: readonly BadRecord[], message: (record: BadRecord) => string): BlockColumns {
  const offset = new FixedColumn('UInt64', 8);
  const texts = {
    code: new StringColumn(),
    message: new StringColumn(),
    table: new StringColumn(),
    column: new StringColumn(),
  };
  const bytes = { key: new StringColumn(), value: new StringColumn(), headers: new StringColumn() };
  const digest = new StringColumn();
  const sizes = {
    key_size: new FixedColumn('UInt64', 8),
    value_size: new FixedColumn('UInt64', 8),
    headers_size: new FixedColumn('UInt64', 8),
  };
  for (const record of records) {
    offset.appendNumber(record.offset);
    texts.code.appendText(record.code);
    texts.message.appendText(message(record));
    texts.table.appendText(record.table);
    texts.column.appendText(record.column);
    bytes.key.appendBytes(record.key, 0, record.key.length);
    bytes.value.appendBytes(record.value, 0, record.value.length);
    bytes.headers.appendBytes(record.headers, 0, record.headers.length);
    const { hidden } = record;
    digest.appendText(hidden?.digest ?? '');
    sizes.key_size.appendNumber(hidden?.keySize ?? 0);
    sizes.value_size.appendNumber(hidden?.valueSize ?? 0);
    sizes.headers_size.appendNumber(hidden?.headersSize ?? 0);
  }
  const named = Object.entries({ offset, ...texts, ...bytes, digest, ...sizes }).map(([name, column]) => ({
    name,
    column,
  }));
  return { columns: named, rowCount: records.length };
}
