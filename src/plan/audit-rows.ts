/** A block as the columns of `changes` and of `quarantine`. */
import type { Column } from '../clickhouse/column';
import { FixedColumn } from '../clickhouse/column-fixed';
import { ArrayColumn, NullableColumn } from '../clickhouse/column-nested';
import { StringColumn } from '../clickhouse/column-string';
import type { NamedColumn } from '../clickhouse/native';
import type { BadRecord, ChangeBlock } from './change-block';

/** A 64-bit id as its low and high 32-bit words. */
export interface WideId {
  readonly low: number;
  readonly high: number;
}

export interface AuditFacts {
  readonly redelivered: Uint8Array;
  readonly withheld: ReadonlyMap<number, readonly string[]>;
  /** For each table of the block. */
  readonly wireSchemas: readonly WideId[];
}

export interface BlockColumns {
  readonly columns: readonly NamedColumn[];
  readonly rowCount: number;
}

/**
 * The rows of `changes`, without the columns that are one value for the block (topic, partition, ingested_at).
 * @param leaveOut offsets that `changes` holds already
 */
export function auditRows(
  block: ChangeBlock,
  { redelivered, withheld, wireSchemas }: AuditFacts,
  leaveOut: ReadonlySet<number>,
): BlockColumns {
  const rows: number[] = [];
  for (let row = 0; row < block.rowCount; row++) if (!leaveOut.has(block.offsets[row] ?? -1)) rows.push(row);
  const whole = rows.length === block.rowCount;
  const text = (of: (row: number) => string): Column => {
    const column = new StringColumn();
    const encoded = new Map<string, Uint8Array>();
    for (const row of rows) {
      const value = of(row);
      let bytes = encoded.get(value);
      if (bytes === undefined) encoded.set(value, (bytes = Buffer.from(value, 'utf8')));
      column.appendBytes(bytes, 0, bytes.length);
    }
    return column;
  };
  const images = (from: StringColumn): Column => {
    if (whole) return from;
    const column = new StringColumn();
    for (const row of rows) column.appendFrom(from, row);
    return column;
  };
  const nullable = (values: Float64Array): Column => {
    const inner = new FixedColumn('UInt64', 8);
    const column = new NullableColumn(inner);
    for (const row of rows) {
      const value = values[row] ?? -1;
      if (value < 0) column.appendDefault();
      else {
        column.markPresent();
        inner.appendNumber(value);
      }
    }
    return column;
  };
  const numbers = (type: string, values: Float64Array): Column => {
    const column = new FixedColumn(type, 8);
    for (const row of rows) column.appendNumber(values[row] ?? 0);
    return column;
  };
  const flags = new FixedColumn('UInt8', 1);
  const names = new StringColumn();
  const unavailable = new ArrayColumn('Array(String)', names);
  const wire = new FixedColumn('UInt64', 8);
  const noId: WideId = { low: 0, high: 0 };
  for (const row of rows) {
    flags.appendInt(redelivered[row] ?? 0);
    for (const name of withheld.get(row) ?? []) names.appendText(name);
    unavailable.endRow();
    const { low, high } = wireSchemas[block.tableOf[row] ?? 0] ?? noId;
    wire.appendWords(low, high);
  }
  const table = (row: number): ChangeBlock['tables'][number] | undefined => block.tables[block.tableOf[row] ?? 0];
  return {
    rowCount: rows.length,
    columns: [
      { name: 'source', column: text((row) => table(row)?.source ?? '') },
      { name: 'db', column: text((row) => table(row)?.db ?? '') },
      { name: 'schema', column: text((row) => table(row)?.schema ?? '') },
      { name: 'table', column: text((row) => table(row)?.name ?? '') },
      { name: 'op', column: text((row) => String.fromCharCode(block.ops[row] ?? 0)) },
      { name: 'key', column: images(block.key) },
      { name: 'before', column: images(block.before) },
      { name: 'after', column: images(block.after) },
      { name: 'ts', column: numbers("DateTime64(6, 'UTC')", block.tsUs) },
      { name: 'captured_at', column: numbers("DateTime64(6, 'UTC')", block.capturedUs) },
      { name: 'tx_id', column: nullable(block.txIds) },
      { name: 'tx_order', column: nullable(block.txOrders) },
      { name: 'lsn', column: nullable(block.lsns) },
      { name: 'commit_lsn', column: nullable(block.commitLsns) },
      { name: 'snapshot', column: text((row) => block.snapshotAt(row)) },
      { name: 'redelivered', column: flags },
      { name: 'unavailable', column: unavailable },
      { name: 'wire_schema', column: wire },
      { name: 'offset', column: numbers('UInt64', block.offsets) },
    ],
  };
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
  for (const record of records) {
    offset.appendNumber(record.offset);
    texts.code.appendText(record.code);
    texts.message.appendText(message(record));
    texts.table.appendText(record.table);
    texts.column.appendText(record.column);
    bytes.key.appendBytes(record.key, 0, record.key.length);
    bytes.value.appendBytes(record.value, 0, record.value.length);
    bytes.headers.appendBytes(record.headers, 0, record.headers.length);
  }
  const named = Object.entries({ offset, ...texts, ...bytes }).map(([name, column]) => ({ name, column }));
  return { columns: named, rowCount: records.length };
}
