/** Random values of a seed, cheap enough for millions of rows: sfc32 by Chris Doty-Humphrey. */
export class Random {
  private a: number;
  private b = 0x9e3779b9;
  private c = 0x243f6a88;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 or more, less than `limit`, which is at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 0x1_0000_0000) * limit);
  }

  /** Safe integers, both included; beyond 2^32 of them some never come. */
  between(first: number, last: number): number {
    const part = (this.uint32() * 0x20_0000 + (this.uint32() >>> 11)) / 0x20_0000_0000_0000;
    return first + Math.floor(part * (last - first + 1));
  }

  /** True in one of so many cases. */
  oneIn(cases: number): boolean {
    return this.below(cases) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Any integer of so many bits, signed; small ones as often as large ones. */
  integer(bits: number): bigint {
    let value = 0n;
    for (let left = bits; left > 0; left -= 32) value = (value << 32n) | BigInt(this.uint32());
    return BigInt.asIntN(1 + this.below(bits), value);
  }

  /** Both included. */
  bigBetween(first: bigint, last: bigint): bigint {
    const count = last - first + 1n;
    let value = 0n;
    // 32 bits more than needed, so that no value is noticeably likelier than another.
    for (let words = (count.toString(16).length >> 3) + 2; words > 0; words--)
      value = (value << 32n) | BigInt(this.uint32());
    return first + (value % count);
  }

  /** A number of one to `most` decimal digits, either sign. */
  digits(most: number): bigint {
    let text = String(this.below(10));
    for (let left = this.below(most); left > 0;) {
      const some = Math.min(left, 9);
      text += String(this.uint32()).padStart(10, '0').slice(-some);
      left -= some;
    }
    return this.oneIn(2) ? BigInt(text) : -BigInt(text);
  }
}
