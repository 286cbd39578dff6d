/** Finds the payload of JSON with schema, and its schema: read once, then recognised by its bytes, which come first in each record. */
import { skipSpace, skipString, skipValue, textOf, utf8 } from './json-scan';
import { readConnectSchema, type ConnectSchema } from './wire-schema';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SMALL_N = 0x6e;
const SMALL_S = 0x73;

/** Schemas that are remembered, and bytes of all of them: a topic holds one at a time, some for a while after a change. */
const MOST_SCHEMAS = 16;
const MOST_BYTES = 4 << 20;

/** A record up to its payload, and the schema it held; null for `"schema":null`. */
interface Seen {
  readonly prefix: Buffer;
  readonly schema: ConnectSchema | null;
}

/** Reads values one after the other; one belongs to the keys or values of one partition. */
export interface WrappedJson {
  /**
   * Whether [start, end) is `{"schema":…,"payload":…}` with a schema of a struct or null. If so `payloadStart`,
   * `payloadEnd` and `schema` say what is in it; that the payload is well-formed is checked only for `schema` not seen
   * before. Never throws.
   */
  open(b: Uint8Array, start: number, end: number): boolean;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly schema: ConnectSchema | null;
}

/** Whether text may be JSON with schema: what begins `{"s`, or has white space. Cheap, for each record. */
export function mayBeWrapped(b: Uint8Array, start: number): boolean {
  const third = b[start + 2];
  return third === SMALL_S || (b[start + 1] as number) <= 0x20;
}

export function createWrappedJson(): WrappedJson {
  /** The one used last is first. */
  let seen: Seen[] = [];
  const found = {
    payloadStart: -1,
    payloadEnd: -1,
    schema: null as ConnectSchema | null,
  };

  const remember = (prefix: Buffer, schema: ConnectSchema | null): void => {
    if (prefix.length > MOST_BYTES) return;
    seen.unshift({ prefix, schema });
    let bytes = 0;
    seen = seen.filter((one, n) => n < MOST_SCHEMAS && (bytes += one.prefix.length) <= MOST_BYTES);
  };

  const recognise = (b: Uint8Array, start: number, end: number): boolean => {
    if (b[end - 1] !== CLOSE_OBJECT) return false;
    for (let n = 0; n < seen.length; n++) {
      const one = seen[n] as Seen;
      const { prefix, schema } = one;
      const payload = start + prefix.length;
      if (payload >= end || prefix.compare(b, start, payload) !== 0) continue;
      if (n > 0) seen.unshift(...seen.splice(n, 1));
      found.payloadStart = payload;
      found.payloadEnd = end - 1;
      found.schema = schema;
      return true;
    }
    return false;
  };

  const read = (b: Uint8Array, start: number, end: number): boolean => {
    const parts = partsOf(b, start, end);
    if (parts === null) return false;
    const { schemaStart, schemaEnd, payloadStart, payloadEnd } = parts;
    const schema = b[schemaStart] === SMALL_N ? null : readConnectSchema(utf8(b, schemaStart, schemaEnd));
    if (schema === null && b[schemaStart] !== SMALL_N) return false;
    found.payloadStart = payloadStart;
    found.payloadEnd = payloadEnd;
    found.schema = schema;
    if (payloadStart > schemaStart && payloadEnd === end - 1)
      remember(Buffer.from(b.slice(start, payloadStart)), schema);
    return true;
  };

  return {
    open: (b, start, end) => recognise(b, start, end) || read(b, start, end),
    get payloadStart() {
      return found.payloadStart;
    },
    get payloadEnd() {
      return found.payloadEnd;
    },
    get schema() {
      return found.schema;
    },
  };
}

interface Parts {
  readonly schemaStart: number;
  readonly schemaEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** The two members of a well-formed object that has exactly these, in either order; null for anything else. */
function partsOf(b: Uint8Array, start: number, end: number): Parts | null {
  let at = skipSpace(b, start, end);
  if (at >= end || b[at] !== OPEN_OBJECT) return null;
  const ranges = new Map<string, { readonly start: number; readonly end: number }>();
  for (let n = 0; n < 2; n++) {
    const name = skipSpace(b, at + 1, end);
    const nameEnd = name < end && b[name] === QUOTE ? skipString(b, name, end) : -1;
    if (nameEnd < 0) return null;
    const colon = skipSpace(b, nameEnd, end);
    if (colon >= end || b[colon] !== COLON) return null;
    const value = skipSpace(b, colon + 1, end);
    const after = value < end ? skipValue(b, value, end) : -1;
    if (after < 0) return null;
    ranges.set(textOf(b, name + 1, nameEnd - 1), { start: value, end: after });
    at = skipSpace(b, after, end);
    if (at >= end || b[at] !== (n === 0 ? COMMA : CLOSE_OBJECT)) return null;
  }
  const schema = ranges.get('schema');
  const payload = ranges.get('payload');
  if (schema === undefined || payload === undefined || skipSpace(b, at + 1, end) !== end) return null;
  return { schemaStart: schema.start, schemaEnd: schema.end, payloadStart: payload.start, payloadEnd: payload.end };
}
