/** Finds the number of a record's schema in its headers, where Apicurio's converters put it unless told otherwise. */
import type { RecordCursor } from '../model';

/**
 * How a record names its schema: Confluent's four bytes, one of Apicurio's two kinds of number in a header, or eight bytes
 * of Apicurio's, which do not say which of the two kinds they are.
 */
export type SchemaSpace = 'id' | 'globalId' | 'contentId' | 'either';

/** A writer schema of the registry. */
export interface SchemaRef {
  readonly space: SchemaSpace;
  readonly id: number;
}

const PREFIX = ascii('apicurio.');
const ID_BYTES = 8;

/**
 * The schema of the record's key or value by the headers `apicurio.<part>.globalId` and `.contentId`, eight bytes each; null
 * without such a header, and for one whose `apicurio.<part>.encoding` says that the content is not binary. Never throws:
 * headers that do not fit are read no further.
 */
export function schemaInHeaders(cursor: RecordCursor, part: 'key' | 'value'): SchemaRef | null {
  const { bytes, headersStart, headersEnd } = cursor;
  // No headers is what the profiles' connectors write: a count of one byte that is 0.
  if (headersEnd - headersStart < 2) return null;
  const walk = { at: headersStart };
  let found: SchemaRef | null = null;
  const count = varint(bytes, walk, headersEnd);
  for (let n = 0; n < count && walk.at < headersEnd; n++) {
    const name = walk.at + varintBytes(bytes, walk.at, headersEnd);
    const nameEnd = past(bytes, walk, headersEnd);
    const valueLengthAt = walk.at;
    const valueEnd = past(bytes, walk, headersEnd);
    if (nameEnd < 0 || valueEnd < 0) return found;
    if (!startsWith(bytes, name, nameEnd)) continue;
    const value = valueLengthAt + varintBytes(bytes, valueLengthAt, headersEnd);
    const rest = text(bytes, name + PREFIX.length, nameEnd);
    if (rest === `${part}.encoding` && text(bytes, value, valueEnd) !== 'BINARY') return null;
    const space = rest === `${part}.globalId` ? 'globalId' : rest === `${part}.contentId` ? 'contentId' : null;
    if (space === null || valueEnd - value !== ID_BYTES) continue;
    const id = idAt(bytes, value);
    if (Number.isSafeInteger(id)) found = { space, id };
  }
  return found;
}

/** Moves over a length and as many bytes; their end, or -1 where they do not fit. A length of -1 is no bytes. */
function past(b: Uint8Array, walk: { at: number }, end: number): number {
  const length = varint(b, walk, end);
  const after = walk.at + Math.max(0, length);
  if (!(after <= end)) return -1;
  walk.at = after;
  return after;
}

/** A zigzag varint; runs to `end` at most. */
function varint(b: Uint8Array, walk: { at: number }, end: number): number {
  let value = 0;
  let scale = 1;
  for (; walk.at < end; scale *= 0x80) {
    const byte = b[walk.at++] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function varintBytes(b: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (b[at] as number) >= 0x80) at++;
  return at + 1 - start;
}

function idAt(b: Uint8Array, at: number): number {
  let id = 0;
  for (let n = 0; n < ID_BYTES; n++) id = id * 0x100 + (b[at + n] as number);
  return id;
}

function startsWith(b: Uint8Array, start: number, end: number): boolean {
  if (end - start <= PREFIX.length) return false;
  for (let n = 0; n < PREFIX.length; n++) if (b[start + n] !== PREFIX[n]) return false;
  return true;
}

function text(b: Uint8Array, start: number, end: number): string {
  let result = '';
  for (let at = start; at < end; at++) result += String.fromCharCode(b[at] as number);
  return result;
}

function ascii(value: string): Uint8Array {
  return Uint8Array.from(value, (letter) => letter.charCodeAt(0));
}
