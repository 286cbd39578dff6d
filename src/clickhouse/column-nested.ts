/** Columns made of other columns: Nullable, Array and Map, Tuple. */
import type { ByteSink, ByteSource } from './byte-stream';
import type { Column } from './column-contract';
import { FixedColumn } from './column-fixed';

/** A byte map (1 is NULL), then the values; a NULL row holds the default of its type. */
export class NullableColumn implements Column {
  readonly type: string;
  readonly inner: Column;
  private readonly nulls = new FixedColumn('UInt8', 1);

  constructor(inner: Column) {
    this.inner = inner;
    this.type = `Nullable(${inner.type})`;
  }

  get rows(): number {
    return this.nulls.rows;
  }

  /** Appends "not NULL"; the value must be appended to `inner` with it. */
  markPresent(): void {
    this.nulls.appendInt(0);
  }

  /** Appends the first `count` of many integers, NULL for those below 0; the inner column must be of width 8. */
  appendPositive(values: Float64Array, count: number): void {
    const inner = this.inner as FixedColumn;
    for (let i = 0; i < count; i++) {
      const value = values[i] as number;
      const isNull = value < 0;
      this.nulls.appendInt(isNull ? 1 : 0);
      inner.appendNumber(isNull ? 0 : value);
    }
  }

  isNull(row: number): boolean {
    return this.nulls.numberAt(row) === 1;
  }

  appendDefault(): void {
    this.nulls.appendInt(1);
    this.inner.appendDefault();
  }

  appendFrom(other: Column, row: number): void {
    const from = other as NullableColumn;
    this.nulls.appendFrom(from.nulls, row);
    this.inner.appendFrom(from.inner, row);
  }

  equals(row: number, other: Column, otherRow: number): boolean {
    const theirs = other as NullableColumn;
    if (!this.nulls.equals(row, theirs.nulls, otherRow)) return false;
    return this.isNull(row) || this.inner.equals(row, theirs.inner, otherRow);
  }

  rewind(rows: number): void {
    this.nulls.rewind(rows);
    this.inner.rewind(rows);
  }

  clear(): void {
    this.nulls.clear();
    this.inner.clear();
  }

  encode(out: ByteSink): void {
    this.nulls.encode(out);
    this.inner.encode(out);
  }

  decode(input: ByteSource, rows: number): void {
    this.nulls.decode(input, rows);
    this.inner.decode(input, rows);
  }
}

/** Cumulative ends, then the elements of all rows. A Map is an array of (key, value) tuples on the wire. */
export class ArrayColumn implements Column {
  readonly type: string;
  /** Append a row's elements here, then call `endRow`. */
  readonly element: Column;
  private readonly ends = new FixedColumn('UInt64', 8);

  constructor(type: string, element: Column) {
    this.type = type;
    this.element = element;
  }

  get rows(): number {
    return this.ends.rows;
  }

  /** Ends a row: what was appended to `element` since the last row is its content. */
  endRow(): void {
    this.ends.appendWords(this.element.rows, 0);
  }

  start(row: number): number {
    return row === 0 ? 0 : this.end(row - 1);
  }

  end(row: number): number {
    return this.ends.numberAt(row);
  }

  appendDefault(): void {
    this.endRow();
  }

  appendFrom(other: Column, row: number): void {
    const from = other as ArrayColumn;
    const end = from.end(row);
    for (let i = from.start(row); i < end; i++) this.element.appendFrom(from.element, i);
    this.endRow();
  }

  equals(row: number, other: Column, otherRow: number): boolean {
    const theirs = other as ArrayColumn;
    const start = this.start(row);
    const otherStart = theirs.start(otherRow);
    const length = this.end(row) - start;
    if (theirs.end(otherRow) - otherStart !== length) return false;
    for (let i = 0; i < length; i++) {
      if (!this.element.equals(start + i, theirs.element, otherStart + i)) return false;
    }
    return true;
  }

  rewind(rows: number): void {
    this.ends.rewind(rows);
    this.element.rewind(this.ends.rows === 0 ? 0 : this.end(this.ends.rows - 1));
  }

  clear(): void {
    this.ends.clear();
    this.element.clear();
  }

  encode(out: ByteSink): void {
    this.ends.encode(out);
    this.element.encode(out);
  }

  decode(input: ByteSource, rows: number): void {
    this.decodeWith(input, rows, (elements) => this.element.decode(input, elements));
  }

  /** As `decode`, with the elements read by the caller. The ends of the payload are moved by the elements already held. */
  decodeWith(input: ByteSource, rows: number, decodeElements: (elements: number) => void): void {
    const base = this.element.rows;
    const first = this.ends.rows;
    this.ends.decode(input, rows);
    const elements = rows === 0 ? 0 : this.end(first + rows - 1);
    for (let row = first; base > 0 && row < first + rows; row++) this.ends.words[2 * row] = this.end(row) + base;
    decodeElements(elements);
  }
}

/** The columns of its elements, one after the other. */
export class TupleColumn implements Column {
  readonly type: string;
  /** Append to each of them once per row. */
  readonly elements: readonly Column[];

  constructor(elements: readonly Column[]) {
    this.elements = elements;
    this.type = `Tuple(${elements.map((element) => element.type).join(', ')})`;
  }

  get rows(): number {
    return Math.min(...this.elements.map((element) => element.rows));
  }

  appendDefault(): void {
    for (const element of this.elements) element.appendDefault();
  }

  appendFrom(other: Column, row: number): void {
    const theirs = (other as TupleColumn).elements;
    this.elements.forEach((element, i) => {
      const from = theirs[i];
      if (from !== undefined) element.appendFrom(from, row);
    });
  }

  equals(row: number, other: Column, otherRow: number): boolean {
    const theirs = (other as TupleColumn).elements;
    return this.elements.every((element, i) => {
      const against = theirs[i];
      return against !== undefined && element.equals(row, against, otherRow);
    });
  }

  rewind(rows: number): void {
    for (const element of this.elements) element.rewind(rows);
  }

  clear(): void {
    for (const element of this.elements) element.clear();
  }

  encode(out: ByteSink): void {
    for (const element of this.elements) element.encode(out);
  }

  decode(input: ByteSource, rows: number): void {
    for (const element of this.elements) element.decode(input, rows);
  }
}
