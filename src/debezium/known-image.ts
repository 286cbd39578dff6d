/** Walks an image whose members have the names of the one before, in its order: names are compared by words, not read. */
import { skipScalar, skipSpace, skipString, skipText, skipValue } from './json-scan';
import { NULL_WORD, quotedName, startsWith, type Quoted } from './source-fields';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const SMALL_N = 0x6e;

/** Wider tables are walked as any other text. */
const MOST_MEMBERS = 256;

export class KnownImage {
  private readonly names: readonly Quoted[];

  constructor(names: readonly Quoted[]) {
    this.names = names;
  }

  /** `i` at the brace: the index after the object. -1 if it is another one, or malformed: then `skipValue` decides. */
  skip(b: Uint8Array, view: DataView, i: number, end: number): number {
    const { names } = this;
    let at = i + 1;
    for (let n = 0; n < names.length; n++) {
      const name = names[n] as Quoted;
      if (!startsWith(view, at, end, name)) return -1;
      at += name.length;
      if (at >= end) return -1;
      const c = b[at] as number;
      if (c === QUOTE) at = skipText(b, view, at, end);
      else if (c === SMALL_N) at = at + 4 <= end && view.getInt32(at, true) === NULL_WORD ? at + 4 : -1;
      else at = c === OPEN_OBJECT || c === OPEN_ARRAY ? skipValue(b, at, end) : skipScalar(b, at, end);
      if (at < 0 || at >= end) return -1;
      const next = b[at++];
      if (next === CLOSE_OBJECT) return n === names.length - 1 ? at : -1;
      if (next !== COMMA) return -1;
    }
    return -1;
  }
}

/** What the well-formed object [start, end) has for members; null where they are too many, or written with spaces. */
export function learnImage(b: Uint8Array, start: number, end: number): KnownImage | null {
  const names: Quoted[] = [];
  let at = start + 1;
  while (b[at] === QUOTE && names.length < MOST_MEMBERS) {
    const nameEnd = skipString(b, at, end);
    // Words need four bytes: a name without any letter is left to others.
    if (nameEnd < at + 3 || b[nameEnd] !== COLON) return null;
    names.push(quotedName(b.subarray(at, nameEnd + 1)));
    const after = skipValue(b, skipSpace(b, nameEnd + 1, end), end);
    if (after < 0) return null;
    if (b[after] === CLOSE_OBJECT) return new KnownImage(names);
    if (b[after] !== COMMA) return null;
    at = after + 1;
  }
  return null;
}
