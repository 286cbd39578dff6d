/** Finds the columns whose value PostgreSQL did not send because it was stored out of line and had not changed (TOAST). */
import { hasEscape, skipSpace, skipString, skipValue, textOf } from './json-scan';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const COLON = 0x3a;
const COMMA = 0x2c;

/** How the placeholder stands in the JSON of an image; each wire comes to the same. */
export interface PlaceholderForms {
  /** Of strings that stand for a value, alone or as the only element of an array. */
  readonly strings: readonly string[];
  /** Of int4[], int8[] and date[]: its bytes as numbers, between brackets. */
  readonly numbers: string;
  /** Of hstore: the one key and its value, as an object or as the text of one. */
  readonly pair: string;
  /** One of them is part of every form. */
  readonly needles: readonly Uint8Array[];
}

const HEX = 'hex:';

/**
 * @param setting Debezium's `unavailable.value.placeholder`: a text, or `hex:` and bytes
 * @param md5 the sixteen bytes of the hash
 */
export function placeholderForms(setting: string, md5: (bytes: Uint8Array) => Uint8Array): PlaceholderForms {
  const bytes = setting.startsWith(HEX) ? Buffer.from(setting.slice(HEX.length), 'hex') : Buffer.from(setting, 'utf8');
  const text = bytes.toString('utf8');
  const base64 = bytes.toString('base64');
  const uuid = nameUuid(md5(bytes));
  // Java's bytes are signed.
  const numbers = Array.from(new Int8Array(bytes)).join(',');
  const quoted = JSON.stringify(text);
  return {
    strings: [text, base64, uuid],
    numbers,
    pair: `{${quoted}:${quoted}}`,
    needles: [quoted.slice(1, -1), base64, uuid, numbers].map((one) => Buffer.from(one, 'utf8')),
  };
}

/** The UUID of version 3 that Java makes of a hash, which Debezium puts into uuid[]. */
function nameUuid(hash: Uint8Array): string {
  const bytes = Buffer.from(hash);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x30, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * The names of the columns of the image [start, end) whose value is withheld, in the image's order. Real data equal to
 * one of the forms cannot be told apart, and a value that Debezium sends as null is not found. Of a malformed image, what
 * was found before the damage.
 */
export function withheldColumns(b: Uint8Array, start: number, end: number, forms: PlaceholderForms): string[] {
  const found: string[] = [];
  let at = skipSpace(b, start, end);
  if (at >= end || b[at] !== OPEN_OBJECT) return found;
  do {
    const name = skipSpace(b, at + 1, end);
    const nameEnd = skipString(b, name, end);
    if (nameEnd < 0) return found;
    const colon = skipSpace(b, nameEnd, end);
    if (colon >= end || b[colon] !== COLON) return found;
    const value = skipSpace(b, colon + 1, end);
    const after = skipValue(b, value, end);
    if (after < 0) return found;
    if (isWithheld(b, value, after, forms)) found.push(textOf(b, name + 1, nameEnd - 1));
    at = skipSpace(b, after, end);
  } while (at < end && b[at] === COMMA);
  return found;
}

/** Whether the well-formed value [value, after) has one of the forms of a withheld value. */
export function isWithheld(b: Uint8Array, value: number, after: number, forms: PlaceholderForms): boolean {
  const first = b[value];
  if (first === QUOTE) return isPlaceholder(b, value, after, forms.strings) || isPair(b, value, after, forms);
  if (first === OPEN_OBJECT) return isCompact(b, value, after, forms.pair);
  if (first !== OPEN_ARRAY) return false;
  return isOnlyElement(b, value, after, forms) || isCompact(b, value, after, `[${forms.numbers}]`);
}

function isOnlyElement(b: Uint8Array, value: number, after: number, { strings }: PlaceholderForms): boolean {
  const element = skipSpace(b, value + 1, after);
  if (b[element] !== QUOTE) return false;
  const elementEnd = skipString(b, element, after);
  return b[skipSpace(b, elementEnd, after)] === CLOSE_ARRAY && isPlaceholder(b, element, elementEnd, strings);
}

/** hstore as text: the object stands in a string. */
function isPair(b: Uint8Array, start: number, end: number, { pair }: PlaceholderForms): boolean {
  if (b[start + 1] !== OPEN_OBJECT || isLong(end - start, pair)) return false;
  return withoutSpaces(textOf(b, start + 1, end - 1)) === pair;
}

function isCompact(b: Uint8Array, start: number, end: number, form: string): boolean {
  if (isLong(end - start, form)) return false;
  return withoutSpaces(Buffer.from(b.buffer, b.byteOffset + start, end - start).toString('utf8')) === form;
}

/** Only a short text can be the form, however it is spaced and escaped. */
function isLong(length: number, form: string): boolean {
  return length > 8 * form.length;
}

function withoutSpaces(text: string): string {
  return text.replaceAll(/[ \t\r\n]/g, '');
}

/** Whether the string [start, end), quotes included, is one of the texts, however it is escaped. */
function isPlaceholder(b: Uint8Array, start: number, end: number, texts: readonly string[]): boolean {
  const escaped = hasEscape(b, start + 1, end - 1);
  return texts.some((text) =>
    escaped ? textOf(b, start + 1, end - 1) === text : isText(b, start + 1, end - 1, encodedText(text)),
  );
}

function isText(b: Uint8Array, start: number, end: number, bytes: Uint8Array): boolean {
  if (end - start !== bytes.length) return false;
  for (let n = 0; n < bytes.length; n++) if (b[start + n] !== bytes[n]) return false;
  return true;
}

const encoded = new Map<string, Uint8Array>();

/** There are a handful of forms, for as long as the process runs. */
function encodedText(text: string): Uint8Array {
  const known = encoded.get(text);
  if (known !== undefined) return known;
  const bytes = Buffer.from(text, 'utf8');
  encoded.set(text, bytes);
  return bytes;
}
