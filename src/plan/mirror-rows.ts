/** Rows of a mirror as columns: images that were read, rows that stand in ClickHouse, and the signed rows to write. */
import { ByteSink } from '../clickhouse/byte-stream';
import { createColumn, type Column } from '../clickhouse/column';
import { FixedColumn } from '../clickhouse/column-fixed';
import { ArrayColumn } from '../clickhouse/column-nested';
import { StringColumn } from '../clickhouse/column-string';

/** What the mirror of a table is made of: the ClickHouse type of each column, and which columns are its key. */
export interface RowShape {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Indexes into `columns`, in key order. */
  readonly key: readonly number[];
}

/** Rows without a sign: `columns` as the shape has them, and `nulls`, the names of arrays and maps that are NULL. */
export class MirrorRows {
  readonly shape: RowShape;
  readonly columns: readonly Column[];
  readonly nulls: ArrayColumn;
  private readonly names = new StringColumn();

  constructor(shape: RowShape) {
    this.shape = shape;
    this.columns = shape.columns.map(({ type }) => createColumn(type));
    this.nulls = new ArrayColumn('Array(String)', this.names);
  }

  get rowCount(): number {
    return this.nulls.rows;
  }

  clear(): void {
    for (const column of this.columns) column.clear();
    this.nulls.clear();
  }

  appendFrom(other: MirrorRows, row: number): void {
    this.columns.forEach((column, index) => {
      const from = other.columns[index];
      if (from !== undefined) column.appendFrom(from, row);
    });
    this.nulls.appendFrom(other.nulls, row);
  }

  /** Appends a row whose columns come from different rows, and with each array or map whether it is NULL there. */
  appendPicked(pick: (column: number) => RowRef): void {
    this.columns.forEach((column, index) => {
      const { rows, row } = pick(index);
      const from = rows.columns[index];
      if (from !== undefined) column.appendFrom(from, row);
      const name = this.shape.columns[index]?.name ?? '';
      if (rows.nullNames(row).includes(name)) this.names.appendText(name);
    });
    this.nulls.endRow();
  }

  nullNames(row: number): string[] {
    const names: string[] = [];
    for (let i = this.nulls.start(row); i < this.nulls.end(row); i++) names.push(this.names.textAt(i));
    return names;
  }

  /** Whether two rows hold the same values in every column. */
  equals(row: number, other: MirrorRows, otherRow: number): boolean {
    for (let i = 0; i < this.columns.length; i++) {
      const mine = this.columns[i];
      const theirs = other.columns[i];
      if (mine !== undefined && theirs !== undefined && !mine.equals(row, theirs, otherRow)) return false;
    }
    return this.nullNames(row).sort().join() === other.nullNames(otherRow).sort().join();
  }

  /** The key of a row as a string that is equal for equal keys; its characters mean nothing else. */
  keyOf(row: number): string {
    let key = '';
    for (const index of this.shape.key) key += this.keyPart(index, row);
    return key;
  }

  /** Parts of fixed width need no mark of their end; others are preceded by their length. */
  private keyPart(index: number, row: number): string {
    const column = this.columns[index];
    if (column instanceof FixedColumn) return column.unitsAt(row);
    const text = column instanceof StringColumn ? column.textAt(row) : this.encodedPart(index, row);
    return `${text.length}:${text}`;
  }

  /** Any other column in the key: its wire form. */
  private encodedPart(index: number, row: number): string {
    const from = this.columns[index];
    const cell = createColumn(this.shape.columns[index]?.type ?? '');
    if (from !== undefined) cell.appendFrom(from, row);
    const out = new ByteSink();
    cell.encode(out);
    return Buffer.concat(out.take()).toString('latin1');
  }

  /** The key columns of some rows, as columns of their own: what a look-up asks for. */
  keysOf(rows: Iterable<number>): { names: string[]; columns: Column[] } {
    const names = this.shape.key.map((index) => this.shape.columns[index]?.name ?? '');
    const columns = this.shape.key.map((index) => createColumn(this.shape.columns[index]?.type ?? ''));
    for (const row of rows) {
      columns.forEach((column, position) => {
        const from = this.columns[this.shape.key[position] ?? 0];
        if (from !== undefined) column.appendFrom(from, row);
      });
    }
    return { names, columns };
  }
}

/** One row of some rows. */
export interface RowRef {
  readonly rows: MirrorRows;
  readonly row: number;
}

/** Where a row of a mirror comes from: its event. LSNs are 0 where Debezium gives none. */
export interface RowOrigin {
  readonly offset: number;
  readonly commitLsn: number;
  readonly lsn: number;
  /** Microseconds since the epoch. */
  readonly tsUs: number;
}

/** The signed rows of one insert: rows, and the meta columns beside them. */
export class SignedRows {
  readonly rows: MirrorRows;
  readonly sign = new FixedColumn('Int8', 1);
  readonly offset = new FixedColumn('UInt64', 8);
  readonly commitLsn = new FixedColumn('UInt64', 8);
  readonly lsn = new FixedColumn('UInt64', 8);
  readonly commitTs = new FixedColumn("DateTime64(6, 'UTC')", 8);

  constructor(shape: RowShape) {
    this.rows = new MirrorRows(shape);
  }

  get rowCount(): number {
    return this.sign.rows;
  }

  clear(): void {
    this.rows.clear();
    for (const column of [this.sign, this.offset, this.commitLsn, this.lsn, this.commitTs]) column.clear();
  }

  /** Completes a row that was appended to `rows`. */
  sealRow(sign: 1 | -1, origin: RowOrigin): void {
    this.sign.appendInt(sign);
    this.offset.appendNumber(origin.offset);
    this.commitLsn.appendNumber(Math.max(0, origin.commitLsn));
    this.lsn.appendNumber(Math.max(0, origin.lsn));
    this.commitTs.appendNumber(origin.tsUs);
  }

  append(sign: 1 | -1, from: MirrorRows, row: number, origin: RowOrigin): void {
    this.rows.appendFrom(from, row);
    this.sealRow(sign, origin);
  }
}
