/** Builds values from JSON text, every number kept as it was written: for the rare paths, for inspection, and as the plain reference in tests. */
import { skipSpace, skipString, skipValue, textOf } from './json-scan';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A number as its source text: `9007199254740993` and `1.50` stay what they are. */
export interface JsonNumber {
  readonly text: string;
}

/** An object's members; of two with one name the last counts, at the place of the first, as for JSON.parse. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

export type JsonValue = string | boolean | null | JsonNumber | readonly JsonValue[] | JsonObject;

/** The columns of the image [start, end) by name, in its order; null if that is not one well-formed JSON object. */
export function parseImage(b: Uint8Array, start: number, end: number): Map<string, JsonValue> | null {
  const first = skipSpace(b, start, end);
  if (!isWellFormed(b, first, end) || b[first] !== OPEN_OBJECT) return null;
  return objectAt(b, first, end);
}

/** The JSON text [start, end) as a value; undefined if it is malformed. Lone surrogates become U+FFFD. */
export function parseJson(b: Uint8Array, start: number, end: number): JsonValue | undefined {
  const first = skipSpace(b, start, end);
  return isWellFormed(b, first, end) ? valueAt(b, first, end) : undefined;
}

/** Whether a value is a number: the only one that is an object with `text` and neither an array nor a map. */
export function isJsonNumber(value: JsonValue): value is JsonNumber {
  return typeof value === 'object' && value !== null && 'text' in value;
}

function isWellFormed(b: Uint8Array, first: number, end: number): boolean {
  const after = skipValue(b, first, end);
  return after >= 0 && skipSpace(b, after, end) === end;
}

// Below here the text is known to be well-formed and nested no deeper than `skipValue` allows.

function valueAt(b: Uint8Array, i: number, end: number): JsonValue {
  switch (b[i] as number) {
    case QUOTE:
      return textOf(b, i + 1, skipString(b, i, end) - 1);
    case OPEN_OBJECT:
      return objectAt(b, i, end);
    case OPEN_ARRAY:
      return arrayAt(b, i, end);
    case 0x74: // true
      return true;
    case 0x66: // false
      return false;
    case 0x6e: // null
      return null;
    default:
      return { text: textOf(b, i, skipValue(b, i, end)) };
  }
}

function objectAt(b: Uint8Array, i: number, end: number): Map<string, JsonValue> {
  const object = new Map<string, JsonValue>();
  let at = skipSpace(b, i + 1, end);
  while (b[at] !== CLOSE_OBJECT) {
    const nameEnd = skipString(b, at, end);
    const value = skipSpace(b, skipSpace(b, nameEnd, end) + 1, end);
    object.set(textOf(b, at + 1, nameEnd - 1), valueAt(b, value, end));
    at = nextAfter(b, value, end);
  }
  return object;
}

function arrayAt(b: Uint8Array, i: number, end: number): JsonValue[] {
  const array: JsonValue[] = [];
  let at = skipSpace(b, i + 1, end);
  while (b[at] !== CLOSE_ARRAY) {
    array.push(valueAt(b, at, end));
    at = nextAfter(b, at, end);
  }
  return array;
}

/** `i` at a value: the index of the next element or member, or of the closing bracket. */
function nextAfter(b: Uint8Array, i: number, end: number): number {
  const at = skipSpace(b, skipValue(b, i, end), end);
  return b[at] === COMMA ? skipSpace(b, at + 1, end) : at;
}
