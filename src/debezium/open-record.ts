/** Opens records whatever their wire: plain JSON, JSON with schema, Avro in Confluent's or Apicurio's framing; key and value each for themselves. */
import type { BadRecordCode } from '../errors';
import type { RecordCursor, RecordKind, WireSchema } from '../model';
import { openAvro, renderAvro, type CompiledSchema } from './avro-record';
import { openEnvelope } from './envelope';
import { Envelope, forgetEnvelope } from './envelope-found';
import { JsonOutput } from './json-output';
import { skipSpace, skipString, skipValue, textOf } from './json-scan';
import { schemaInHeaders, type SchemaRef, type SchemaSpace } from './schema-header';
import { createWrappedJson, mayBeWrapped } from './wrapped-json';

/** The schemas that are known so far; `unknown` and `unreadable` are what the registry said for good. */
export interface KnownSchemas {
  /** Null for one that was not asked for yet. */
  find(space: SchemaSpace, id: number): CompiledSchema | 'unknown' | 'unreadable' | null;
}

export interface RecordOpener {
  /**
   * Says what a record is. A change has its envelope in `envelope`, whose ranges lie in `bytes`, and its key in `keyBytes`.
   * 'unresolved': `needed` is to be found first; nothing was taken. Never throws.
   */
  open(cursor: RecordCursor): RecordKind | 'unresolved';
  readonly envelope: Envelope;
  /** Where the ranges of the envelope lie: the record's own bytes, or text made of them, valid until the next record. */
  readonly bytes: Uint8Array;
  readonly keyBytes: Uint8Array;
  /** The key's JSON; -1, -1 for none. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** The row's schema; null where the wire has none. */
  readonly schema: WireSchema | null;
  readonly needed: SchemaRef | null;
  /** Of a bad record: what its code does not say, such as the schema's number; without values of the row. */
  readonly note: string;
}

const OPEN_OBJECT = 0x7b;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SMALL_N = 0x6e;
const CONFLUENT = 0;
/** The magic byte and four or eight bytes of schema id. */
const CONFLUENT_BYTES = 5;
const APICURIO_BYTES = 9;

export function createRecordOpener(schemas: KnownSchemas): RecordOpener {
  const values = createWrappedJson();
  const keys = createWrappedJson();
  const output = new JsonOutput();
  const keyOutput = new JsonOutput();
  const envelope = new Envelope();
  const nothing: Uint8Array = new Uint8Array();
  const state = {
    bytes: nothing,
    keyBytes: nothing,
    keyStart: -1,
    keyEnd: -1,
    schema: null as WireSchema | null,
    needed: null as SchemaRef | null,
    note: '',
    /** Names that the value's schema has otherwise than PostgreSQL; the key has them too. */
    adjusted: null as ReadonlyMap<string, string> | null,
    byHeader: false,
  };

  const bad = (code: BadRecordCode, note: string): 'bad' => {
    envelope.error = code;
    state.note = note;
    return 'bad';
  };

  /** The schema, the code of why there is none, or null where it is to be asked for. */
  const resolve = (ref: SchemaRef): CompiledSchema | BadRecordCode | null => {
    const found = schemas.find(ref.space, ref.id);
    if (found === null) {
      state.needed = ref;
      return null;
    }
    if (typeof found !== 'string') return found;
    return found === 'unknown' ? 'SCHEMA_UNKNOWN' : 'SCHEMA_UNREADABLE';
  };

  const openAvroValue = (framed: Framed, b: Uint8Array, end: number): RecordKind | 'unresolved' => {
    const schema = resolve(framed.ref);
    if (schema === null) return 'unresolved';
    forgetEnvelope(envelope);
    if (typeof schema === 'string') return bad(schema, nameOf(framed.ref));
    output.clear();
    const kind = openAvro(schema, { bytes: b, start: framed.start, end }, envelope, output);
    state.bytes = output.bytes;
    state.schema = schema.row;
    state.adjusted = schema.adjusted;
    return kind === 'bad' ? bad(envelope.error, nameOf(framed.ref)) : kind;
  };

  const openJsonValue = (b: Uint8Array, start: number, end: number): RecordKind => {
    if (!values.open(b, start, end)) return openEnvelope(b, start, end, envelope);
    const { payloadStart, payloadEnd, schema } = values;
    const kind = openEnvelope(b, payloadStart, payloadEnd, envelope);
    if (kind === 'tombstone' || schema === null) return kind;
    switch (schema.kind) {
      case 'heartbeat':
      case 'transaction':
      case 'message':
        return skipValue(b, payloadStart, payloadEnd) < 0 ? kind : schema.kind;
      case 'row':
        return bad('ENVELOPE_FLATTENED', '');
      case 'envelope':
      case 'unknown':
        state.schema = schema.row;
        return kind;
    }
  };

  const openValue = (cursor: RecordCursor): RecordKind | 'unresolved' => {
    const { bytes: b, valueStart: start, valueEnd: end } = cursor;
    if (start < 0) return 'tombstone';
    const isObject = start < end && b[start] === OPEN_OBJECT;
    if (isObject && !mayBeWrapped(b, start)) {
      const kind = openEnvelope(b, start, end, envelope);
      if (kind !== 'bad') return kind;
    }
    const ref = schemaInHeaders(cursor, 'value');
    if (ref !== null) {
      state.byHeader = true;
      return openAvroValue({ ref, start }, b, end);
    }
    if (isObject || b[start] !== CONFLUENT || end - start < CONFLUENT_BYTES) return openJsonValue(b, start, end);
    return openAvroValue(framed(b, start, end), b, end);
  };

  const takeKey = (bytes: Uint8Array, start: number, end: number): 'change' => {
    state.keyBytes = bytes;
    state.keyStart = start;
    state.keyEnd = end;
    return 'change';
  };

  const openJsonKey = (b: Uint8Array, start: number, end: number): 'change' | 'bad' => {
    let from = start;
    let to = end;
    if (mayBeWrapped(b, start) && keys.open(b, start, end)) {
      from = keys.payloadStart;
      to = keys.payloadEnd;
      if (skipValue(b, from, to) !== to) return bad('KEY_MALFORMED', '');
      if (b[from] === SMALL_N) return takeKey(b, -1, -1);
    }
    if (state.adjusted === null) return takeKey(b, from, to);
    keyOutput.clear();
    if (!renameMembers(b, from, to, state.adjusted, keyOutput)) return takeKey(b, from, to);
    return takeKey(keyOutput.bytes, 0, keyOutput.at);
  };

  const openKey = (cursor: RecordCursor): 'change' | 'bad' | 'unresolved' => {
    const { bytes: b, keyStart: start, keyEnd: end } = cursor;
    if (start < 0 || start >= end) return takeKey(b, start, end);
    if (b[start] === OPEN_OBJECT && !state.byHeader) return openJsonKey(b, start, end);
    const ref = schemaInHeaders(cursor, 'key');
    const isFramed = ref === null && b[start] === CONFLUENT && end - start >= CONFLUENT_BYTES;
    if (ref === null && !isFramed)
      return b[start] === OPEN_OBJECT ? openJsonKey(b, start, end) : takeKey(b, start, end);
    const where = ref === null ? framed(b, start, end) : { ref, start };
    const schema = resolve(where.ref);
    if (schema === null) return 'unresolved';
    if (typeof schema === 'string') return bad(schema, nameOf(where.ref));
    keyOutput.clear();
    if (!renderAvro(schema, { bytes: b, start: where.start, end }, keyOutput))
      return bad('KEY_MALFORMED', nameOf(where.ref));
    return takeKey(keyOutput.bytes, 0, keyOutput.at);
  };

  return {
    open(cursor) {
      state.bytes = cursor.bytes;
      state.schema = null;
      state.adjusted = null;
      state.byHeader = false;
      state.note = '';
      const kind = openValue(cursor);
      return kind === 'change' ? openKey(cursor) : kind;
    },
    envelope,
    get bytes() {
      return state.bytes;
    },
    get keyBytes() {
      return state.keyBytes;
    },
    get keyStart() {
      return state.keyStart;
    },
    get keyEnd() {
      return state.keyEnd;
    },
    get schema() {
      return state.schema;
    },
    get needed() {
      return state.needed;
    },
    get note() {
      return state.note;
    },
  };
}

/** The schema that a record names before its content, and where that begins. */
interface Framed {
  readonly ref: SchemaRef;
  readonly start: number;
}

/** `start` at the zero byte; at least four bytes follow. No registry gives the number 0, so then it is eight bytes. */
function framed(b: Uint8Array, start: number, end: number): Framed {
  const id = numberAt(b, start + 1);
  if (id !== 0 || end - start < APICURIO_BYTES) return { ref: { space: 'id', id }, start: start + CONFLUENT_BYTES };
  return { ref: { space: 'either', id: numberAt(b, start + CONFLUENT_BYTES) }, start: start + APICURIO_BYTES };
}

function numberAt(b: Uint8Array, at: number): number {
  const [first = 0, second = 0, third = 0, fourth = 0] = b.subarray(at, at + 4);
  return first * 0x1000000 + ((second << 16) | (third << 8) | fourth);
}

function nameOf({ space, id }: SchemaRef): string {
  return space === 'id' || space === 'either'
    ? `schema ${id} of the registry`
    : `schema with ${space} ${id} of the registry`;
}

/**
 * Writes the object [start, end) with the names of its members replaced. False where there is nothing to replace, and
 * for text that is not one well-formed object.
 */
function renameMembers(
  b: Uint8Array,
  start: number,
  end: number,
  names: ReadonlyMap<string, string>,
  output: JsonOutput,
): boolean {
  if (skipValue(b, start, end) !== end) return false;
  let from = start;
  let renamed = false;
  let at = skipSpace(b, start + 1, end);
  while (b[at] === QUOTE) {
    const nameEnd = skipString(b, at, end);
    const name = names.get(textOf(b, at + 1, nameEnd - 1));
    if (name !== undefined) {
      output.raw(b.subarray(from, at));
      output.raw(Buffer.from(JSON.stringify(name), 'utf8'));
      from = nameEnd;
      renamed = true;
    }
    const value = skipSpace(b, skipSpace(b, nameEnd, end) + 1, end);
    at = skipSpace(b, skipValue(b, value, end), end);
    if (b[at] === COMMA) at = skipSpace(b, at + 1, end);
  }
  output.raw(b.subarray(from, end));
  return renamed;
}
