/** Reads Avro's binary encoding by byte index; what is cut off or no encoding of anything throws DAMAGED, which the reader of records catches. */

/** Thrown for bytes that are not what their schema says. One object: it carries nothing. */
export const DAMAGED = new Error('the bytes are not what their Avro schema says');

/** Items of arrays that take no byte are not limited by the record's length, so they are by number. */
const MOST_EMPTY_ITEMS = 1 << 16;

const TWO_27 = 2 ** 27;

export class AvroInput {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  end = 0;
  /** The last `long` that a number cannot hold. */
  big = 0n;
  private emptyItems = 0;
  private view = new DataView(this.bytes.buffer);

  /** From here on [start, end) of `bytes` is read. */
  load(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.at = start;
    this.end = end;
    this.emptyItems = 0;
  }

  /** Counts an item of an array that took no byte. */
  spendEmptyItem(): void {
    if (++this.emptyItems > MOST_EMPTY_ITEMS) throw DAMAGED;
  }

  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** A branch of a union with fewer than 64 branches, a boolean: one byte. */
  byte(): number {
    if (this.at >= this.end) throw DAMAGED;
    return this.bytes[this.at++] as number;
  }

  /** `int`: beyond 32 bits it is damaged. */
  int(): number {
    const value = this.long();
    if (value >= -0x80000000 && value <= 0x7fffffff) return value;
    throw DAMAGED;
  }

  /** `long`; NaN beyond ±2^53, then `big` has it. */
  long(): number {
    const { bytes: b, end } = this;
    let at = this.at;
    if (at >= end) throw DAMAGED;
    let byte = b[at++] as number;
    if (byte < 0x80) {
      this.at = at;
      return (byte >>> 1) ^ -(byte & 1);
    }
    // 28 + 28 + 8 bits in three integers: no product of doubles for each byte, and no BigInt.
    let low = byte & 0x7f;
    let shift = 7;
    for (; byte >= 0x80 && shift < 28; shift += 7) {
      if (at >= end) throw DAMAGED;
      byte = b[at++] as number;
      low |= (byte & 0x7f) << shift;
    }
    let middle = 0;
    for (shift = 0; byte >= 0x80 && shift < 28; shift += 7) {
      if (at >= end) throw DAMAGED;
      byte = b[at++] as number;
      middle |= (byte & 0x7f) << shift;
    }
    let high = 0;
    for (shift = 0; byte >= 0x80; shift += 7) {
      if (at >= end || shift > 7) throw DAMAGED;
      byte = b[at++] as number;
      high |= (byte & 0x7f) << shift;
    }
    if (high > 0xff) throw DAMAGED;
    this.at = at;
    if (high === 0 && middle < 1 << 26) {
      const half = (low >>> 1) + middle * TWO_27;
      return (low & 1) === 0 ? half : -half - 1;
    }
    const half = (BigInt(high) << 55n) | (BigInt(middle) << 27n) | BigInt(low >>> 1);
    this.big = (low & 1) === 0 ? half : -half - 1n;
    return NaN;
  }

  /** Moves over the length of a string or of bytes and returns where its content ends; it begins at `at`. */
  contentEnd(): number {
    const length = this.long();
    const contentEnd = this.at + length;
    if (length >= 0 && contentEnd <= this.end) return contentEnd;
    throw DAMAGED;
  }

  skip(count: number): void {
    if (count > this.end - this.at) throw DAMAGED;
    this.at += count;
  }

  float(): number {
    const { at } = this;
    this.skip(4);
    return this.view.getFloat32(at, true);
  }

  double(): number {
    const { at } = this;
    this.skip(8);
    return this.view.getFloat64(at, true);
  }

  /** The items of the next block of an array or a map; 0 at its end. */
  blockCount(): number {
    const count = this.long();
    if (count >= 0) return count;
    // A negative count comes with the block's length in bytes; NaN is a count that no record can hold.
    if (!(count < 0)) throw DAMAGED;
    this.long();
    return -count;
  }
}
