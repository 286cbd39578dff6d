/** Keeps columns out of the images of a table: members are left out, or their values replaced by hashes. */
import type { Mask, WireField, WireSchema } from '../model';
import { JsonOutput } from './json-output';
import { hasEscape, skipSpace, skipString, skipValue, textOf, unescapeInto } from './json-scan';
import { wireSchema } from './wire-schema';
import { isWithheld, type PlaceholderForms } from './withheld';

/** A keyed hash of some bytes, as hexadecimal text. */
export type Hash = (bytes: Uint8Array) => string;

export interface ImageMask {
  /** What is done to a column; null for nothing. */
  of(column: string): Mask | null;
  /**
   * Writes the image or key [start, end). A NULL stays NULL, and a withheld value stays marked as such. Of a text that is
   * no well-formed object nothing is known but that it may hold what is masked: the hash of all of it is written.
   */
  write(b: Uint8Array, start: number, end: number, output: JsonOutput): void;
  /** The schema of the images that `write` writes. */
  schema(schema: WireSchema): WireSchema;
}

export interface ImageMaskOptions {
  readonly of: (column: string) => Mask | null;
  readonly hash: Hash;
  /** How a withheld value stands in the images; null where none does. */
  readonly placeholder: PlaceholderForms | null;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const SMALL_N = 0x6e;

/** A table has at most 1,600 columns; images of other names than its own come in few. */
const MOST_FIELDS = 4096;

/** A member's name as it stands in images, quotes included. */
interface Field {
  readonly bytes: Uint8Array;
  readonly mask: Mask | null;
}

export function createImageMask({ of, hash, placeholder }: ImageMaskOptions): ImageMask {
  let fields: Field[] = [];
  let byName = new Map<string, number>();
  const canonical = new JsonOutput();
  const schemas = new WeakMap<WireSchema, WireSchema>();

  /** The index of the field whose name stands at [at, end), quotes included; `expected` is where it mostly is. */
  const find = (b: Uint8Array, at: number, end: number, expected: number): number => {
    const guess = fields[expected];
    if (guess !== undefined && isEqual(b, at, end, guess.bytes)) return expected;
    const raw = Buffer.from(b.buffer, b.byteOffset + at, end - at).toString('latin1');
    const found = byName.get(raw);
    if (found !== undefined) return found;
    if (fields.length >= MOST_FIELDS) {
      fields = [];
      byName = new Map();
    }
    const name = textOf(b, at + 1, end - 1);
    byName.set(raw, fields.length);
    return fields.push({ bytes: Uint8Array.prototype.slice.call(b, at, end), mask: of(name) }) - 1;
  };

  const isPlaceholder = (b: Uint8Array, value: number, after: number): boolean =>
    placeholder !== null && isWithheld(b, value, after, placeholder);

  const hashOf = (b: Uint8Array, value: number, after: number): string => {
    const first = b[value];
    if (first === QUOTE) {
      if (!hasEscape(b, value + 1, after - 1)) return hash(b.subarray(value + 1, after - 1));
      const target = new Uint8Array(after - value);
      return hash(target.subarray(0, unescapeInto(b, value + 1, after - 1, target, 0)));
    }
    if (first !== OPEN_ARRAY && first !== OPEN_OBJECT) return hash(b.subarray(value, after));
    canonical.clear();
    writeCanonical(b, value, after, canonical);
    return hash(canonical.bytes.subarray(0, canonical.at));
  };

  /** False where the text is no well-formed object. */
  const writeMembers = (b: Uint8Array, start: number, end: number, output: JsonOutput): boolean => {
    let at = skipSpace(b, start, end);
    if (at >= end || b[at] !== OPEN_OBJECT) return false;
    output.byte(OPEN_OBJECT);
    const first = output.at;
    // Members that stay are copied together, as they stand.
    let from = -1;
    let to = -1;
    const flush = (): void => {
      if (from < 0) return;
      if (output.at > first) output.byte(COMMA);
      output.raw(b.subarray(from, to));
      from = -1;
    };
    let expected = 0;
    at = skipSpace(b, at + 1, end);
    const isEmpty = at < end && b[at] === CLOSE_OBJECT;
    while (!isEmpty) {
      const nameEnd = skipString(b, at, end);
      const colon = nameEnd < 0 ? end : skipSpace(b, nameEnd, end);
      if (colon >= end || b[colon] !== COLON) return false;
      const value = skipSpace(b, colon + 1, end);
      const after = value >= end ? -1 : skipValue(b, value, end);
      if (after < 0) return false;
      const index = find(b, at, nameEnd, expected);
      expected = index + 1;
      const mask = fields[index]?.mask ?? null;
      const stays = mask === null || (mask === 'hash' && (b[value] === SMALL_N || isPlaceholder(b, value, after)));
      if (stays) {
        if (from < 0) from = at;
        to = after;
      } else {
        flush();
        if (mask === 'hash') {
          if (output.at > first) output.byte(COMMA);
          output.raw(b.subarray(at, nameEnd));
          output.text(`:"${hashOf(b, value, after)}"`);
        }
      }
      at = skipSpace(b, after, end);
      if (at < end && b[at] === CLOSE_OBJECT) break;
      if (at >= end || b[at] !== COMMA) return false;
      at = skipSpace(b, at + 1, end);
    }
    flush();
    output.byte(CLOSE_OBJECT);
    return skipSpace(b, at + 1, end) === end;
  };

  return {
    of,
    write(b, start, end, output) {
      const begin = output.at;
      if (writeMembers(b, start, end, output)) return;
      output.at = begin;
      output.text(`"${hash(b.subarray(start, end))}"`);
    },
    schema(schema) {
      let masked = schemas.get(schema);
      if (masked === undefined) schemas.set(schema, (masked = maskedSchema(schema, of)));
      return masked;
    },
  };
}

function maskedSchema(schema: WireSchema, of: (column: string) => Mask | null): WireSchema {
  if (schema.fields.every(({ name }) => of(name) === null)) return schema;
  return wireSchema(
    schema.fields.flatMap((field): WireField[] => {
      const mask = of(field.name);
      if (mask === null) return [field];
      const { name, optional } = field;
      return mask === 'drop' ? [] : [{ name, type: 'string', semantic: null, parameters: {}, optional }];
    }),
  );
}

function isEqual(b: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (end - at !== name.length) return false;
  for (let n = 0; n < name.length; n++) if (b[at + n] !== name[n]) return false;
  return true;
}

/** The well-formed value [start, end) without white space, its strings escaped in one way: wires differ in that alone. */
function writeCanonical(b: Uint8Array, start: number, end: number, output: JsonOutput): void {
  let at = skipSpace(b, start, end);
  while (at < end) {
    if (b[at] === QUOTE) {
      const after = skipString(b, at, end);
      const text = Buffer.from(textOf(b, at + 1, after - 1), 'utf8');
      output.string(text, 0, text.length);
      at = after;
    } else output.byte(b[at++] as number);
    at = skipSpace(b, at, end);
  }
}
