/** Columns of strings, kept in the wire's own form so that writing them out is one slice. */
import type { ByteSink, ByteSource } from './byte-stream';
import type { Column } from './column-contract';

const FIRST_BYTES = 4096;
const FIRST_ROWS = 256;
/** Below this length a copy loop beats making a view for `set`. */
const LOOP_COPY_BYTES = 64;

/** Bytes that an unsigned LEB128 length below 2^35 takes. */
function lengthBytes(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x4000) return 2;
  if (length < 0x200000) return 3;
  return length < 0x10000000 ? 4 : 5;
}

/** Each value is its varint length and its bytes, one after the other in `bytes`. Values are bytes, not checked as UTF-8. */
export class StringColumn implements Column {
  readonly type = 'String';
  rows = 0;
  /** All values in wire form; reallocated when it grows, so read it anew after appending. */
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** Where the length of each row stands in `bytes`; entry `rows` is the length of all. */
  private heads: Float64Array = new Float64Array(FIRST_ROWS);

  /** Where the content of a row starts in `bytes`. */
  start(row: number): number {
    let at = this.heads[row] ?? 0;
    while ((this.bytes[at++] ?? 0) >= 0x80);
    return at;
  }

  /** Where the content of a row ends in `bytes`. */
  end(row: number): number {
    return this.heads[row + 1] ?? 0;
  }

  /** All bytes held, lengths included. */
  get byteLength(): number {
    return this.heads[this.rows] ?? 0;
  }

  /** The content of a row as text; for rare paths. */
  textAt(row: number): string {
    const start = this.start(row);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, this.end(row) - start).toString('utf8');
  }

  /** Appends the bytes [start, end) of `source`. */
  appendBytes(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let at = this.open(length);
    at = this.writeLength(at, length);
    this.copy(source, start, end, at);
    this.close(at + length);
  }

  /** Appends text; for constants and rare paths. */
  appendText(value: string): void {
    const encoded = Buffer.from(value, 'utf8');
    this.appendBytes(encoded, 0, encoded.length);
  }

  /**
   * Begins a row of at most `most` bytes and returns where its content goes in `bytes`.
   * Write there and call `endRow` with the position after the last byte; nothing is appended until then.
   */
  beginRow(most: number): number {
    return this.open(most) + lengthBytes(most);
  }

  /** Finishes the row that `beginRow` placed at `start`. */
  endRow(start: number, end: number): void {
    const length = end - start;
    const head = this.byteLength;
    const contentAt = head + lengthBytes(length);
    if (contentAt !== start) this.bytes.copyWithin(contentAt, start, end);
    this.writeLength(head, length);
    this.close(contentAt + length);
  }

  appendDefault(): void {
    const at = this.open(0);
    this.bytes[at] = 0;
    this.close(at + 1);
  }

  appendFrom(other: Column, row: number): void {
    const from = other as StringColumn;
    const start = from.heads[row] ?? 0;
    const end = from.end(row);
    const at = this.open(end - start);
    this.copy(from.bytes, start, end, at);
    this.close(at + end - start);
  }

  equals(row: number, other: Column, otherRow: number): boolean {
    const theirs = other as StringColumn;
    const a = this.heads[row] ?? 0;
    const b = theirs.heads[otherRow] ?? 0;
    const length = this.end(row) - a;
    if (theirs.end(otherRow) - b !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[a + i] !== theirs.bytes[b + i]) return false;
    return true;
  }

  rewind(rows: number): void {
    if (rows < this.rows) this.rows = rows;
  }

  clear(): void {
    this.rows = 0;
  }

  encode(out: ByteSink): void {
    out.bytes(this.bytes.subarray(0, this.byteLength));
  }

  decode(input: ByteSource, rows: number): void {
    for (let i = 0; i < rows; i++) {
      const length = input.varint();
      const start = input.take(length);
      this.appendBytes(input.bytes, start, start + length);
    }
  }

  private copy(source: Uint8Array, start: number, end: number, at: number): void {
    if (end - start > LOOP_COPY_BYTES) {
      this.bytes.set(source.subarray(start, end), at);
      return;
    }
    const target = this.bytes;
    for (let i = start; i < end; i++) target[at++] = source[i] ?? 0;
  }

  private writeLength(at: number, length: number): number {
    const bytes = this.bytes;
    while (length >= 0x80) {
      bytes[at++] = (length & 0x7f) | 0x80;
      length >>>= 7;
    }
    bytes[at++] = length;
    return at;
  }

  /** Makes room for one row of `length` bytes and returns where its length goes. */
  private open(length: number): number {
    const at = this.byteLength;
    const needed = at + length + 5;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, needed));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
    }
    if (this.rows + 2 > this.heads.length) {
      const grown = new Float64Array(this.heads.length * 2);
      grown.set(this.heads);
      this.heads = grown;
    }
    return at;
  }

  private close(end: number): void {
    this.heads[++this.rows] = end;
  }
}
