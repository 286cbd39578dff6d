/** Columns whose values all take the same number of bytes: integers, floats, dates, decimals, UUIDs. */
import type { ByteSink, ByteSource } from './byte-stream';
import type { Column } from './column-contract';

/** Bytes of one value. */
export type FixedWidth = 1 | 2 | 4 | 8 | 16 | 32;

const FIRST_CAPACITY = 256;
const TWO_32 = 4294967296;

/**
 * One growable buffer seen through several typed arrays, so that each append is a plain store whatever the type.
 * Values are little-endian, as the Native format and every platform Node runs on have it.
 */
export class FixedColumn implements Column {
  readonly type: string;
  readonly width: FixedWidth;
  rows = 0;
  private capacity = FIRST_CAPACITY;
  private bytes: Uint8Array;
  private halves: Int16Array;
  /** All values as 32-bit words; a value of width 8 has its low word first. */
  words: Int32Array;
  private singles: Float32Array;
  private doubles: Float64Array;

  constructor(type: string, width: FixedWidth) {
    this.type = type;
    this.width = width;
    this.bytes = new Uint8Array(0);
    this.halves = new Int16Array(0);
    this.words = new Int32Array(0);
    this.singles = new Float32Array(0);
    this.doubles = new Float64Array(0);
    this.view(new ArrayBuffer(this.capacity * width));
  }

  /** Width 1, 2 or 4, signed or not: the low bits are kept. */
  appendInt(value: number): void {
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    if (this.width === 4) this.words[this.rows++] = value;
    else if (this.width === 2) this.halves[this.rows++] = value;
    else this.bytes[this.rows++] = value;
  }

  /** Width 8, as its low and high 32-bit words (two's complement). */
  appendWords(low: number, high: number): void {
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    const at = this.rows++ << 1;
    this.words[at] = low;
    this.words[at + 1] = high;
  }

  /** Any integer width up to 8 from a safe integer; the usual way for offsets, counts and positions. */
  appendNumber(value: number): void {
    if (this.width === 8) this.appendWords(value | 0, Math.floor(value / TWO_32) | 0);
    else this.appendInt(value);
  }

  /** Width 8: the first `count` of many safe integers. */
  appendNumbers(values: Float64Array, count: number): void {
    if (this.rows + count > this.capacity) this.grow(this.rows + count);
    const words = this.words;
    let at = this.rows << 1;
    for (let i = 0; i < count; i++) {
      const value = values[i] as number;
      words[at++] = value | 0;
      words[at++] = Math.floor(value / TWO_32) | 0;
    }
    this.rows += count;
  }

  /** Width 1: the first `count` of many bytes. */
  appendAll(values: Uint8Array, count: number): void {
    if (this.rows + count > this.capacity) this.grow(this.rows + count);
    this.bytes.set(values.subarray(0, count), this.rows);
    this.rows += count;
  }

  /** Width 4: 0, 1, 2, … up to `count`. */
  appendCounting(count: number): void {
    if (this.rows + count > this.capacity) this.grow(this.rows + count);
    for (let i = 0; i < count; i++) this.words[this.rows++] = i;
  }

  /** Width 4 or 8 of a floating type. */
  appendFloat(value: number): void {
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    if (this.width === 8) this.doubles[this.rows++] = value;
    else this.singles[this.rows++] = value;
  }

  /** Width 4 and more: a two's complement value from 32-bit words, least significant first; needs width / 4 words. */
  appendWide(words: Int32Array): void {
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    const count = this.width >> 2;
    const at = this.rows++ * count;
    for (let i = 0; i < count; i++) this.words[at + i] = words[i] ?? 0;
  }

  /** The bytes of a value as a string of 16-bit units: equal for equal values, and cheap to make. Width 1 takes one unit. */
  unitsAt(row: number): string {
    const count = this.width >> 1;
    if (count === 0) return String.fromCharCode(this.bytes[row] ?? 0);
    const at = row * count;
    let units = '';
    for (let i = 0; i < count; i++) units += String.fromCharCode((this.halves[at + i] ?? 0) & 0xffff);
    return units;
  }

  appendDefault(): void {
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    const at = this.rows++ * this.width;
    this.bytes.fill(0, at, at + this.width);
  }

  appendFrom(other: Column, row: number): void {
    const from = other as FixedColumn;
    if (this.rows === this.capacity) this.grow(this.rows + 1);
    const at = this.rows++ * this.width;
    const source = row * this.width;
    for (let i = 0; i < this.width; i++) this.bytes[at + i] = from.bytes[source + i] ?? 0;
  }

  equals(row: number, other: Column, otherRow: number): boolean {
    const theirs = (other as FixedColumn).bytes;
    const a = row * this.width;
    const b = otherRow * this.width;
    for (let i = 0; i < this.width; i++) if (this.bytes[a + i] !== theirs[b + i]) return false;
    return true;
  }

  /** The value of a row as a number: the low bits as signed for widths below 4, exact to 2^53 for width 8. */
  numberAt(row: number): number {
    if (this.width === 8) return (this.words[2 * row + 1] ?? 0) * TWO_32 + ((this.words[2 * row] ?? 0) >>> 0);
    if (this.width === 4) return this.words[row] ?? 0;
    return (this.width === 2 ? this.halves[row] : this.bytes[row]) ?? 0;
  }

  /** The value of a row of a floating type. */
  floatAt(row: number): number {
    return (this.width === 8 ? this.doubles[row] : this.singles[row]) ?? 0;
  }

  rewind(rows: number): void {
    if (rows < this.rows) this.rows = rows;
  }

  clear(): void {
    this.rows = 0;
  }

  encode(out: ByteSink): void {
    out.bytes(this.bytes.subarray(0, this.rows * this.width));
  }

  decode(input: ByteSource, rows: number): void {
    const start = input.take(rows * this.width);
    if (this.rows + rows > this.capacity) this.grow(this.rows + rows);
    this.bytes.set(input.bytes.subarray(start, start + rows * this.width), this.rows * this.width);
    this.rows += rows;
  }

  private grow(rows: number): void {
    this.capacity = Math.max(this.capacity * 2, rows);
    const old = this.bytes;
    this.view(new ArrayBuffer(this.capacity * this.width));
    this.bytes.set(old);
  }

  private view(buffer: ArrayBuffer): void {
    this.bytes = new Uint8Array(buffer);
    this.halves = new Int16Array(buffer, 0, buffer.byteLength >> 1);
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    this.singles = new Float32Array(buffer, 0, buffer.byteLength >> 2);
    this.doubles = new Float64Array(buffer, 0, buffer.byteLength >> 3);
  }
}
