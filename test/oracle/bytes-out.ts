/** Bytes written one after the other, by Node's own means: ClickHouse's Native form and Avro's binary encoding. */
export class BytesOut {
  private buffer = Buffer.alloc(1 << 12);
  length = 0;
  /** Values written, for those who count them. */
  count = 0;

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    this.count = 0;
  }

  u8(value: number): void {
    const at = this.take(1);
    this.buffer[at] = value;
  }

  i16(value: number): void {
    const at = this.take(2);
    this.buffer.writeInt16LE(value, at);
  }

  i32(value: number): void {
    const at = this.take(4);
    this.buffer.writeInt32LE(value, at);
  }

  u32(value: number): void {
    const at = this.take(4);
    this.buffer.writeUInt32LE(value, at);
  }

  f32(value: number): void {
    const at = this.take(4);
    this.buffer.writeFloatLE(value, at);
  }

  f64(value: number): void {
    const at = this.take(8);
    this.buffer.writeDoubleLE(value, at);
  }

  /** Two's complement in so many bytes, a multiple of 4, least significant first. */
  wide(value: bigint, bytes: number): void {
    const at = this.take(bytes);
    if (bytes === 8) {
      this.buffer.writeBigInt64LE(value, at);
      return;
    }
    if (bytes === 4) {
      this.buffer.writeInt32LE(Number(value), at);
      return;
    }
    for (let i = 0, rest = value; i < bytes; i += 8, rest >>= 64n)
      this.buffer.writeBigUInt64LE(BigInt.asUintN(64, rest), at + i);
  }

  zeros(count: number): void {
    const at = this.take(count);
    this.buffer.fill(0, at, at + count);
  }

  raw(bytes: Uint8Array): void {
    const at = this.take(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** ASCII and more, without its length. */
  utf8(text: string): void {
    const at = this.take(text.length * 3);
    this.length = at + this.buffer.write(text, at, 'utf8');
  }

  /** Native's String: its length as LEB128, then its bytes. */
  string(bytes: Uint8Array): void {
    let { length } = bytes;
    for (; length >= 0x80; length >>>= 7) this.u8((length & 0x7f) | 0x80);
    this.u8(length);
    this.raw(bytes);
  }

  text(value: string): void {
    this.string(Buffer.from(value, 'utf8'));
  }

  /** Avro's int and long: zigzag, then LEB128. */
  zigzag(value: number | bigint): void {
    if (typeof value === 'number' && value >= -0x4000_0000 && value < 0x4000_0000) {
      let rest = ((value << 1) ^ (value >> 31)) >>> 0;
      for (; rest >= 0x80; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
      this.u8(rest);
      return;
    }
    const wide = BigInt(value);
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
    for (; rest >= 0x80n; rest >>= 7n) this.u8(Number(rest & 0x7fn) | 0x80);
    this.u8(Number(rest));
  }

  private take(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const grown = Buffer.alloc(Math.max(this.length, this.buffer.length * 2));
      grown.set(this.buffer.subarray(0, at));
      this.buffer = grown;
    }
    return at;
  }
}
