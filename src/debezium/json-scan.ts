/** Walks JSON text by byte index, as strict as JSON.parse, without building values; malformed text is -1, never an exception. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const SMALL_U = 0x75;

/** Containers may be nested this deep; deeper text counts as malformed. Row images nest three or four levels. */
const MAX_DEPTH = 512;

/** The closing brackets that a walk waits for. Shared by all walks: none of them can be interrupted by another. */
const closers = new Uint8Array(MAX_DEPTH);

/** What `\x` stands for, by the byte after the backslash; 0 for no such escape. `\u` is read apart. */
const ESCAPED = new Uint8Array(256);
for (const [letter, byte] of Object.entries({ '"': 0x22, '\\': 0x5c, '/': 0x2f, b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  ESCAPED[letter.charCodeAt(0)] = byte;
}

/** First index at or after `i` that is not JSON white space; may be `end`. */
export function skipSpace(b: Uint8Array, i: number, end: number): number {
  let at = i;
  while (at < end) {
    const c = b[at] as number;
    if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) return at;
    at++;
  }
  return at;
}

/** `i` at the opening quote; the index after the closing quote, -1 if malformed or unterminated. UTF-8 is not validated. */
export function skipString(b: Uint8Array, i: number, end: number): number {
  if (i >= end || b[i] !== QUOTE) return -1;
  for (let at = i + 1; at < end; at++) {
    const c = b[at] as number;
    if (c > BACKSLASH) continue; // most letters: one comparison
    if (c === QUOTE) return at + 1;
    if (c === BACKSLASH) return skipEscapes(b, at, end);
    if (c < 0x20) return -1;
  }
  return -1;
}

/** As `skipString`, four bytes at a time; `view` is of the same bytes. */
export function skipText(b: Uint8Array, view: DataView, i: number, end: number): number {
  let at = i + 1;
  for (const last = end - 4; at <= last; at += 4) {
    const word = view.getInt32(at, true);
    const quote = word ^ 0x22222222;
    const backslash = word ^ 0x5c5c5c5c;
    // The highest bit of a byte is set where the byte is a quote, a backslash or below a space; rarely also where it is not.
    const found =
      ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word);
    if ((found & 0x80808080) !== 0) break;
  }
  for (; at < end; at++) {
    const c = b[at] as number;
    if (c === QUOTE) return at + 1;
    if (c === BACKSLASH) return skipEscapes(b, at, end);
    if (c < 0x20) return -1;
  }
  return -1;
}

/** `i` at the first byte of a value of any kind; the index after the value, -1 if malformed or nested deeper than 512. */
export function skipValue(b: Uint8Array, i: number, end: number): number {
  let at = i;
  let depth = 0;
  let closer = 0;
  while (at < end) {
    let c = b[at] as number;
    if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) return -1;
      closer = c + 2; // in ASCII each closing bracket is two after the opening one
      closers[depth++] = closer;
      at = skipSpace(b, at + 1, end);
      if (at >= end) return -1;
      if (b[at] !== closer) {
        if (closer === CLOSE_OBJECT) at = skipName(b, at, end);
        if (at < 0) return -1;
        continue;
      }
    } else {
      at = c === QUOTE ? skipString(b, at, end) : skipScalar(b, at, end);
      if (at < 0 || depth === 0) return at;
    }
    // After a value there is a comma or the end of what it stands in; white space, rare, is looked for last.
    for (;;) {
      if (at >= end) return -1;
      c = b[at] as number;
      if (c === COMMA) break;
      if (c === closer) {
        at++;
        if (--depth === 0) return at;
        closer = closers[depth - 1] as number;
      } else {
        const next = skipSpace(b, at, end);
        if (next === at) return -1;
        at = next;
      }
    }
    at++;
    if (at < end && (b[at] as number) <= 0x20) at = skipSpace(b, at, end);
    if (closer === CLOSE_OBJECT) at = skipName(b, at, end);
    if (at < 0) return -1;
  }
  return -1;
}

/** Whether the string content [start, end), between its quotes, holds an escape. */
export function hasEscape(b: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (b[at] === BACKSLASH) return true;
  return false;
}

/**
 * Writes the string content [start, end) with its escapes resolved, as UTF-8, to `target` from `at` on; the position
 * after it. Never writes more than `end - start` bytes. A lone surrogate becomes U+FFFD; an escape that JSON does not
 * know stays as it is.
 */
export function unescapeInto(b: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let from = start;
  let to = at;
  while (from < end) {
    const c = b[from] as number;
    if (c !== BACKSLASH || from + 1 >= end) {
      target[to++] = c;
      from++;
      continue;
    }
    const letter = b[from + 1] as number;
    const plain = ESCAPED[letter] as number;
    const unit = letter === SMALL_U ? hex4(b, from + 2, end) : -1;
    if (unit >= 0) {
      const point = codePoint(b, unit, from + 6, end);
      to = writeCodePoint(target, to, point);
      from += point > 0xffff ? 12 : 6;
    } else if (plain !== 0) {
      target[to++] = plain;
      from += 2;
    } else {
      target[to++] = c;
      from++;
    }
  }
  return to;
}

/** The string content [start, end) as text, escapes resolved as by `unescapeInto`; bytes that are not UTF-8 become U+FFFD. */
export function textOf(b: Uint8Array, start: number, end: number): string {
  if (!hasEscape(b, start, end)) return utf8(b, start, end);
  const target = new Uint8Array(end - start);
  return utf8(target, 0, unescapeInto(b, start, end, target, 0));
}

/** The decimal integer text [start, end), with an optional minus, as a number; NaN if it is anything else or beyond ±(2^53 − 1). */
export function readSafeInteger(b: Uint8Array, start: number, end: number): number {
  const negative = start < end && b[start] === MINUS;
  let at = negative ? start + 1 : start;
  if (at >= end) return NaN;
  let value = 0;
  while (at < end) {
    // Eight digits at a time in 32-bit integers: a multiplication of doubles per digit would wait for the one before.
    const stop = Math.min(end, at + 8);
    let group = 0;
    let scale = 1;
    for (; at < stop; at++) {
      const digit = (b[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return NaN;
      group = (group * 10 + digit) | 0;
      scale = (scale * 10) | 0;
    }
    value = value * scale + group;
    if (value > Number.MAX_SAFE_INTEGER) return NaN;
  }
  return negative && value !== 0 ? -value : value;
}

/** The rest of a string from its first backslash, at `i`, on. */
function skipEscapes(b: Uint8Array, i: number, end: number): number {
  let at = i;
  while (at < end) {
    const c = b[at] as number;
    if (c === QUOTE) return at + 1;
    if (c < 0x20) return -1;
    if (c !== BACKSLASH) {
      at++;
      continue;
    }
    if (at + 1 >= end) return -1;
    const letter = b[at + 1] as number;
    if (ESCAPED[letter] !== 0) at += 2;
    else if (letter === SMALL_U && hex4(b, at + 2, end) >= 0) at += 6;
    else return -1;
  }
  return -1;
}

/** `i` at a member's name: the index of the first byte of its value, -1 if there is no name, colon or value. */
function skipName(b: Uint8Array, i: number, end: number): number {
  let at = skipString(b, i, end);
  if (at < 0 || at >= end) return -1;
  if (b[at] !== COLON) {
    at = skipSpace(b, at, end);
    if (at >= end || b[at] !== COLON) return -1;
  }
  at++;
  if (at < end && (b[at] as number) <= 0x20) at = skipSpace(b, at, end);
  return at < end ? at : -1;
}

/** Skips a number, true, false or null. */
export function skipScalar(b: Uint8Array, i: number, end: number): number {
  switch (b[i] as number) {
    case 0x74: // true
      return i + 4 <= end && b[i + 1] === 0x72 && b[i + 2] === 0x75 && b[i + 3] === 0x65 ? i + 4 : -1;
    case 0x6e: // null
      return i + 4 <= end && b[i + 1] === 0x75 && b[i + 2] === 0x6c && b[i + 3] === 0x6c ? i + 4 : -1;
    case 0x66: // false
      return i + 5 <= end && b[i + 1] === 0x61 && b[i + 2] === 0x6c && b[i + 3] === 0x73 && b[i + 4] === 0x65
        ? i + 5
        : -1;
    default:
      return skipNumber(b, i, end);
  }
}

function skipNumber(b: Uint8Array, i: number, end: number): number {
  let at = b[i] === MINUS ? i + 1 : i;
  const whole = skipDigits(b, at, end);
  if (whole === at || (b[at] === 0x30 && whole > at + 1)) return -1;
  at = whole;
  if (at >= end || b[at] === COMMA) return at;
  if (b[at] === 0x2e) {
    const fraction = skipDigits(b, at + 1, end);
    if (fraction === at + 1) return -1;
    at = fraction;
  }
  if (at >= end || ((b[at] as number) | 0x20) !== 0x65) return at;
  at++;
  if (at < end && (b[at] === 0x2b || b[at] === MINUS)) at++;
  const exponent = skipDigits(b, at, end);
  return exponent === at ? -1 : exponent;
}

function skipDigits(b: Uint8Array, i: number, end: number): number {
  let at = i;
  while (at < end) {
    const c = b[at] as number;
    if (c < 0x30 || c > 0x39) return at;
    at++;
  }
  return at;
}

/** The four hexadecimal digits at `i` as a number; -1 if they are not that. */
function hex4(b: Uint8Array, i: number, end: number): number {
  if (i + 4 > end) return -1;
  let value = 0;
  for (let at = i; at < i + 4; at++) {
    const c = b[at] as number;
    const letter = c | 0x20;
    if (c >= 0x30 && c <= 0x39) value = value * 16 + (c - 0x30);
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + (letter - 0x57);
    else return -1;
  }
  return value;
}

/** The code point that begins with `unit`, together with the low surrogate escaped at `next` if it is one; U+FFFD for a lone surrogate. */
function codePoint(b: Uint8Array, unit: number, next: number, end: number): number {
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || next + 6 > end || b[next] !== BACKSLASH || b[next + 1] !== SMALL_U) return 0xfffd;
  const low = hex4(b, next + 2, end);
  return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
}

function writeCodePoint(target: Uint8Array, at: number, point: number): number {
  let to = at;
  if (point < 0x80) {
    target[to++] = point;
    return to;
  }
  if (point < 0x800) {
    target[to++] = 0xc0 | (point >> 6);
  } else {
    if (point < 0x10000) {
      target[to++] = 0xe0 | (point >> 12);
    } else {
      target[to++] = 0xf0 | (point >> 18);
      target[to++] = 0x80 | ((point >> 12) & 0x3f);
    }
    target[to++] = 0x80 | ((point >> 6) & 0x3f);
  }
  target[to++] = 0x80 | (point & 0x3f);
  return to;
}

/** The bytes [start, end) as the text that they are, escapes and all. */
export function utf8(b: Uint8Array, start: number, end: number): string {
  return (Buffer.isBuffer(b) ? b : Buffer.from(b.buffer, b.byteOffset, b.byteLength)).toString('utf8', start, end);
}
