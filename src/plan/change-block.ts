/** A block of changes while it is gathered: struct-of-arrays, images kept as the bytes they came in. */
import { StringColumn } from '../clickhouse/column-string';
import type { BadRecordCode } from '../errors';
import { OP, type WireSchema } from '../model';
import type { JudgedRows } from './position';
import { placeOf, type EventPlace } from './table-versions';

/** Debezium's snapshot markers; a row stores the index. Anything else is kept as a further label of the block. */
const NOT_SNAPSHOT = 'false';

/** The table a row belongs to, as `source` names it. */
export interface BlockTable {
  readonly source: string;
  readonly db: string;
  readonly schema: string;
  readonly name: string;
}

/** The numbers of one change; -1 stands for null. */
export interface ChangeFields {
  readonly offset: number;
  readonly op: number;
  /** Microseconds since the epoch: commit time, and Debezium's clock. */
  readonly tsUs: number;
  readonly capturedUs: number;
  readonly lsn: number;
  readonly commitLsn: number;
  readonly txId: number;
  readonly txOrder: number;
  /** Index into the block's `tables`. */
  readonly table: number;
  /** Debezium's snapshot marker, 'false' for streamed changes. */
  readonly snapshot: string;
  /** Index into the block's `wireSchemas`; 0, or absent, where the wire has none. */
  readonly wireSchema?: number;
}

/** A record that could not be decoded, with what is needed to look at it and to try again. */
export interface BadRecord {
  readonly offset: number;
  readonly code: BadRecordCode;
  /** `schema.table` and column where known. */
  readonly table: string;
  readonly column: string;
  /** What the code does not say, such as the number of a schema; no values of the row. */
  readonly note?: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: Uint8Array;
  /** Set where the bytes are not kept, since they may hold what is masked: `key`, `value` and `headers` are empty. */
  readonly hidden?: HiddenBytes;
}

/** What is known of bytes that are not kept. */
export interface HiddenBytes {
  readonly keySize: number;
  readonly valueSize: number;
  readonly headersSize: number;
  /** By which the record is known again in Kafka. */
  readonly digest: string;
}

/** Bytes of a range, for `appendImages`; start -1 means absent. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Rows are in offset order. Buffers are kept by `reset`, so blocks are reused. `key`, `before` and `after` hold the JSON
 * text as Debezium sent it, '' when absent; from Avro, the text that its JSON converter would have written without schema.
 */
export class ChangeBlock implements JudgedRows {
  rowCount = 0;
  /** The first offset of the block; the first change or bad record sets it. */
  start = -1;
  /** The offset after the last visible record. */
  end = -1;
  /** Bytes of keys and images. */
  byteCount = 0;
  /** ms that its first record waited until the block was cut; told by who gathers it. */
  waitedMs = 0;
  /** Its rows were read from `changes`: whatever is masked in them is so already. */
  stored = false;
  /** Columns whose values were masked after the block was gathered, as `table index:name`: nothing is hashed twice. */
  readonly maskedLate = new Set<string>();
  key = new StringColumn();
  before = new StringColumn();
  after = new StringColumn();
  tables: BlockTable[] = [];
  snapshotLabels: string[] = [NOT_SNAPSHOT];
  /** The schemas of the rows, by the index that `wireSchemaOf` holds; the first is that of plain JSON, which has none. */
  wireSchemas: (WireSchema | null)[] = [null];
  bad: BadRecord[] = [];
  offsets = new Float64Array(1024);
  ops = new Uint8Array(1024);
  tableOf = new Uint16Array(1024);
  /** Rows of one table may have several schemas: a redo has fixed bounds, so a block is not cut where the schema changes. */
  wireSchemaOf = new Uint32Array(1024);
  snapshotOf = new Uint8Array(1024);
  tsUs = new Float64Array(1024);
  capturedUs = new Float64Array(1024);
  lsns = new Float64Array(1024);
  commitLsns = new Float64Array(1024);
  txIds = new Float64Array(1024);
  txOrders = new Float64Array(1024);

  /** Empties the block for the next range; buffers stay. */
  reset(): void {
    this.rowCount = 0;
    this.start = -1;
    this.end = -1;
    this.byteCount = 0;
    this.waitedMs = 0;
    this.stored = false;
    this.maskedLate.clear();
    this.key.clear();
    this.before.clear();
    this.after.clear();
    this.tables = [];
    this.snapshotLabels = [NOT_SNAPSHOT];
    this.wireSchemas = [null];
    this.bad = [];
  }

  /** Nothing to write: no change and no bad record. */
  get empty(): boolean {
    return this.rowCount === 0 && this.bad.length === 0;
  }

  /** The index of a table in this block; compared by value. */
  tableIndex(table: BlockTable): number {
    const found = this.tables.findIndex(
      (one) =>
        one.name === table.name && one.schema === table.schema && one.db === table.db && one.source === table.source,
    );
    return found >= 0 ? found : this.tables.push(table) - 1;
  }

  /** The index of a row's schema in this block; compared by what it says. */
  wireSchemaIndex(schema: WireSchema | null): number {
    const found = this.wireSchemas.findIndex((one) => one === schema || one?.fingerprint === schema?.fingerprint);
    return found >= 0 ? found : this.wireSchemas.push(schema) - 1;
  }

  /** The schema of a row; null where its wire has none. */
  wireSchemaAt(row: number): WireSchema | null {
    return this.wireSchemas[this.wireSchemaOf[row] ?? 0] ?? null;
  }

  /** Appends a change; images are copied from `bytes`, the key from `keyBytes`. */
  append(
    fields: ChangeFields,
    bytes: Uint8Array,
    ranges: { key: ByteRange; before: ByteRange; after: ByteRange },
    keyBytes: Uint8Array = bytes,
  ): void {
    const row = this.rowCount;
    if (row === this.offsets.length) this.grow();
    this.offsets[row] = fields.offset;
    this.ops[row] = fields.op;
    this.tableOf[row] = fields.table;
    this.wireSchemaOf[row] = fields.wireSchema ?? 0;
    this.snapshotOf[row] = this.snapshotLabel(fields.snapshot);
    this.tsUs[row] = fields.tsUs;
    this.capturedUs[row] = fields.capturedUs;
    this.lsns[row] = fields.lsn;
    this.commitLsns[row] = fields.commitLsn;
    this.txIds[row] = fields.txId;
    this.txOrders[row] = fields.txOrder;
    this.appendRange(this.key, keyBytes, ranges.key);
    this.appendRange(this.before, bytes, ranges.before);
    this.appendRange(this.after, bytes, ranges.after);
    this.rowCount = row + 1;
    if (this.start < 0) this.start = fields.offset;
  }

  appendBad(record: BadRecord): void {
    this.bad.push(record);
    this.byteCount += record.value.length + record.key.length;
    if (this.start < 0) this.start = record.offset;
  }

  /** Puts other key and images in the place of those of a table's rows; `write` appends what it makes of the bytes [start, end). */
  replaceImages(
    table: number,
    write: (bytes: Uint8Array, start: number, end: number, into: StringColumn) => void,
  ): void {
    const replaced = (from: StringColumn): StringColumn => {
      const into = new StringColumn();
      for (let row = 0; row < this.rowCount; row++) {
        if (this.tableOf[row] === table && this.has(from, row)) write(from.bytes, from.start(row), from.end(row), into);
        else into.appendFrom(from, row);
      }
      return into;
    };
    this.key = replaced(this.key);
    this.before = replaced(this.before);
    this.after = replaced(this.after);
  }

  streamed(row: number): boolean {
    return this.ops[row] !== OP.r;
  }

  commitLsn(row: number): number {
    return this.commitLsns[row] ?? -1;
  }

  lsn(row: number): number {
    return this.lsns[row] ?? -1;
  }

  place(row: number): EventPlace {
    return placeOf({
      lsn: this.lsn(row),
      commitLsn: this.commitLsn(row),
      txId: this.txIds[row] ?? -1,
      tsUs: this.tsUs[row] ?? -1,
    });
  }

  identity(row: number): string | null {
    return eventIdentity({
      lsn: this.lsn(row),
      txId: this.txIds[row] ?? -1,
      txOrder: this.txOrders[row] ?? -1,
      op: String.fromCharCode(this.ops[row] ?? 0),
      key: this.key.textAt(row),
      table: this.tables[this.tableOf[row] ?? 0]?.name ?? '',
    });
  }

  /** True for an image that is there. */
  has(images: StringColumn, row: number): boolean {
    return images.end(row) > images.start(row);
  }

  snapshotAt(row: number): string {
    return this.snapshotLabels[this.snapshotOf[row] ?? 0] ?? NOT_SNAPSHOT;
  }

  private appendRange(column: StringColumn, bytes: Uint8Array, { start, end }: ByteRange): void {
    if (start < 0) column.appendDefault();
    else {
      column.appendBytes(bytes, start, end);
      this.byteCount += end - start;
    }
  }

  private snapshotLabel(label: string): number {
    if (label === NOT_SNAPSHOT) return 0;
    const found = this.snapshotLabels.indexOf(label);
    return found >= 0 ? found : this.snapshotLabels.push(label) - 1;
  }

  private grow(): void {
    const size = this.offsets.length * 2;
    const wider = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(size);
      to.set(from);
      return to;
    };
    this.offsets = wider(this.offsets);
    this.tsUs = wider(this.tsUs);
    this.capturedUs = wider(this.capturedUs);
    this.lsns = wider(this.lsns);
    this.commitLsns = wider(this.commitLsns);
    this.txIds = wider(this.txIds);
    this.txOrders = wider(this.txOrders);
    const ops = new Uint8Array(size);
    ops.set(this.ops);
    this.ops = ops;
    const snapshotOf = new Uint8Array(size);
    snapshotOf.set(this.snapshotOf);
    this.snapshotOf = snapshotOf;
    const tableOf = new Uint16Array(size);
    tableOf.set(this.tableOf);
    this.tableOf = tableOf;
    const wireSchemaOf = new Uint32Array(size);
    wireSchemaOf.set(this.wireSchemaOf);
    this.wireSchemaOf = wireSchemaOf;
  }
}

/**
 * What two records of one event have in common: (lsn, tx_id, op, key), and the table. Without a key, rows of one COPY
 * page are alike, so the order within the transaction takes its place; without that either, the event cannot be told
 * from its like and null says so: it then counts as new.
 */
export function eventIdentity(event: {
  lsn: number;
  txId: number;
  txOrder: number;
  op: string;
  key: string;
  table: string;
}): string | null {
  const { lsn, txId, txOrder, op, key, table } = event;
  if (key === '' && op !== 't') return txOrder < 0 ? null : `${lsn}/${txId}/${op}/${table}#${txOrder}`;
  return `${lsn}/${txId}/${op}/${table}/${key}`;
}
