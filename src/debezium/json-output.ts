/** Writes JSON text into a buffer that grows, as Kafka Connect's JsonConverter writes it. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_BYTES = 1 << 16;
/** A buffer beyond this is given back before the next record. */
const KEPT_BYTES = 4 << 20;
/** More than a record of the largest size that the profiles allow becomes as text. */
const MOST_BYTES = 1 << 28;

/** `"` and the letter of each short escape, by byte; `u` for those that are written as \u00XX, 0 for what stands as it is. */
const ESCAPES = new Uint8Array(256);
for (let byte = 0; byte < 0x20; byte++) ESCAPES[byte] = 0x75;
for (const [byte, letter] of [
  [8, 'b'],
  [9, 't'],
  [10, 'n'],
  [12, 'f'],
  [13, 'r'],
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
] as const)
  ESCAPES[byte] = letter.charCodeAt(0);

const HEX = ascii('0123456789ABCDEF');
const BASE64 = ascii('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const NULL = ascii('null');
const TRUE = ascii('true');
const FALSE = ascii('false');
/** From here on a number is written with an exponent, as Java does; and below the other one. */
const LARGE = 1e7;
const SMALL = 1e-3;
const LEAST_NORMAL_FLOAT = 2 ** -126;

/** Thrown where the text would be longer than a buffer can be. */
export const TOO_LONG = new Error('the text is too long');

export class JsonOutput {
  /** Reallocated when it grows, so read it anew after writing. */
  bytes = new Uint8Array(FIRST_BYTES);
  at = 0;

  /** Begins anew; what was written is no longer there. */
  clear(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Makes room for this many bytes more. */
  ensure(count: number): void {
    const needed = this.at + count;
    if (needed > this.bytes.length) this.grow(needed);
  }

  byte(byte: number): void {
    this.ensure(1);
    this.bytes[this.at++] = byte;
  }

  raw(text: Uint8Array): void {
    const { length } = text;
    this.ensure(length);
    const { bytes } = this;
    let { at } = this;
    for (let n = 0; n < length; n++) bytes[at++] = text[n] as number;
    this.at = at;
  }

  null(): void {
    this.raw(NULL);
  }

  boolean(value: number): void {
    this.raw(value === 0 ? FALSE : TRUE);
  }

  /** The UTF-8 bytes [start, end) of `b` as a string. */
  string(b: Uint8Array, start: number, end: number): void {
    this.ensure(end - start + 2);
    this.bytes[this.at++] = QUOTE;
    this.content(b, start, end);
    this.byte(QUOTE);
  }

  /** The UTF-8 bytes [start, end) of `b` as they stand inside a string. */
  content(b: Uint8Array, start: number, end: number): void {
    this.ensure(end - start);
    const { bytes } = this;
    let { at } = this;
    for (let from = start; from < end; from++) {
      const byte = b[from] as number;
      if (ESCAPES[byte] !== 0) {
        this.at = at;
        this.escaped(b, from, end);
        return;
      }
      bytes[at++] = byte;
    }
    this.at = at;
  }

  /** An integer of at most 53 bits. */
  integer(value: number): void {
    this.ensure(17);
    let rest = value;
    if (rest < 0) {
      this.bytes[this.at++] = 0x2d;
      rest = -rest;
    }
    if (rest < 100_000_000) this.digits(rest, 1);
    else {
      const upper = Math.floor(rest / 100_000_000);
      const lower = rest - upper * 100_000_000;
      if (upper < 100_000_000) this.digits(upper, 1);
      else {
        const top = Math.floor(upper / 100_000_000);
        this.digits(top, 1);
        this.digits(upper - top * 100_000_000, 8);
      }
      this.digits(lower, 8);
    }
  }

  text(ascii: string): void {
    const { length } = ascii;
    this.ensure(length);
    for (let n = 0; n < length; n++) this.bytes[this.at++] = ascii.charCodeAt(n);
  }

  double(value: number): void {
    this.text(doubleText(value));
  }

  float(value: number): void {
    this.text(floatText(value));
  }

  /** Standard base64 with padding, as a string. */
  base64(b: Uint8Array, start: number, end: number): void {
    this.ensure(Math.ceil((end - start) / 3) * 4 + 2);
    const { bytes } = this;
    let { at } = this;
    bytes[at++] = QUOTE;
    let from = start;
    for (; from + 3 <= end; from += 3) {
      const three = ((b[from] as number) << 16) | ((b[from + 1] as number) << 8) | (b[from + 2] as number);
      bytes[at++] = BASE64[three >>> 18] as number;
      bytes[at++] = BASE64[(three >>> 12) & 63] as number;
      bytes[at++] = BASE64[(three >>> 6) & 63] as number;
      bytes[at++] = BASE64[three & 63] as number;
    }
    if (from < end) {
      const first = b[from] as number;
      const second = from + 1 < end ? (b[from + 1] as number) : 0;
      bytes[at++] = BASE64[first >>> 2] as number;
      bytes[at++] = BASE64[((first & 3) << 4) | (second >>> 4)] as number;
      bytes[at++] = from + 1 < end ? (BASE64[(second & 15) << 2] as number) : 0x3d;
      bytes[at++] = 0x3d;
    }
    bytes[at++] = QUOTE;
    this.at = at;
  }

  /** The rest of a string from its first byte on that needs an escape. */
  private escaped(b: Uint8Array, start: number, end: number): void {
    for (let from = start; from < end; from++) {
      this.ensure(end - from + 6);
      const byte = b[from] as number;
      const escape = ESCAPES[byte] as number;
      if (escape !== 0) this.bytes[this.at++] = BACKSLASH;
      this.bytes[this.at++] = escape === 0 ? byte : escape;
      if (escape !== 0x75) continue;
      this.bytes[this.at++] = 0x30;
      this.bytes[this.at++] = 0x30;
      this.bytes[this.at++] = HEX[byte >>> 4] as number;
      this.bytes[this.at++] = HEX[byte & 15] as number;
    }
  }

  /** An integer below 10^8 with at least `least` digits. */
  private digits(value: number, least: number): void {
    let count = least;
    for (let limit = 10 ** count; value >= limit && count < 8; limit *= 10) count++;
    let rest = value | 0;
    for (let at = this.at + count - 1; at >= this.at; at--) {
      const tenth = (rest / 10) | 0;
      this.bytes[at] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
    this.at += count;
  }

  private grow(needed: number): void {
    if (needed > MOST_BYTES) throw TOO_LONG;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}

/** A double as Java writes it, in the shortest form that is read as the same number; what JSON has no number for is a string. */
export function doubleText(value: number): string {
  const special = specialText(value);
  if (special !== null) return special;
  const size = Math.abs(value);
  if (size >= SMALL && size < LARGE) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  return withExponent(value.toExponential(), value);
}

/** A float as Java writes it, as `doubleText`. */
export function floatText(value: number): string {
  const special = specialText(value);
  if (special !== null) return special;
  const size = Math.abs(value);
  const shortest = shortestFloat(value);
  if (size >= SMALL && size < LARGE) {
    const text = String(shortest);
    return text.includes('.') ? text : `${text}.0`;
  }
  return withExponent(shortest.toExponential(), value);
}

function specialText(value: number): string | null {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  return Number.isFinite(value) ? null : `"${String(value)}"`;
}

/** The decimal of fewest digits that a float is the nearest to. Six digits are always right, but denormals may need fewer. */
function shortestFloat(value: number): number {
  for (let digits = Math.abs(value) < LEAST_NORMAL_FLOAT ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** Where one digit would do, Java writes the two that are closest: 4.9E-324. */
function withExponent(shortest: string, value: number): string {
  const text = shortest.includes('.') ? shortest : value.toExponential(1);
  return text.replace('e+', 'E').replace('e', 'E');
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
