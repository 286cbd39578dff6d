/** Finds the columns whose value PostgreSQL did not send because it was stored out of line and had not changed (TOAST). */
import { hasEscape, skipSpace, skipString, skipValue, textOf } from './json-scan';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const COLON = 0x3a;
const COMMA = 0x2c;

/** The bytes of the placeholder in use; it is a setting, so it practically never changes. */
let encoded: { readonly text: string; readonly bytes: Uint8Array } = { text: '', bytes: new Uint8Array() };

/**
 * The names of the columns of the image [start, end) whose value is withheld, in the image's order: the placeholder as
 * a string (text, json, hex, decimal strings …) or as the only element of an array (text[] …). Other shapes, such as
 * base64 and int4[], are not recognised yet. Real data equal to the placeholder cannot be told apart. Of a malformed
 * image, what was found before the damage.
 */
export function withheldColumns(b: Uint8Array, start: number, end: number, placeholder: string): string[] {
  if (encoded.text !== placeholder) encoded = { text: placeholder, bytes: Buffer.from(placeholder) };
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
    if (isWithheld(b, value, after)) found.push(textOf(b, name + 1, nameEnd - 1));
    at = skipSpace(b, after, end);
  } while (at < end && b[at] === COMMA);
  return found;
}

/** Whether the well-formed value [value, after) has one of the shapes of a withheld value. */
function isWithheld(b: Uint8Array, value: number, after: number): boolean {
  if (b[value] === QUOTE) return isPlaceholder(b, value, after);
  if (b[value] !== OPEN_ARRAY) return false;
  const element = skipSpace(b, value + 1, after);
  if (b[element] !== QUOTE) return false;
  const elementEnd = skipString(b, element, after);
  return b[skipSpace(b, elementEnd, after)] === CLOSE_ARRAY && isPlaceholder(b, element, elementEnd);
}

/** Whether the string [start, end), quotes included, is the placeholder, however it is escaped. */
function isPlaceholder(b: Uint8Array, start: number, end: number): boolean {
  const { text, bytes } = encoded;
  const length = end - start - 2;
  if (length !== bytes.length) {
    return length > bytes.length && hasEscape(b, start + 1, end - 1) && textOf(b, start + 1, end - 1) === text;
  }
  for (let n = 0; n < length; n++) if (b[start + 1 + n] !== bytes[n]) return false;
  return !hasEscape(b, start + 1, end - 1);
}
