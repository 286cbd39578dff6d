/** The members that an envelope and its `source` have, in the order Debezium writes them, and how the numbers among them are read. */
import { hasEscape, readSafeInteger, skipSpace, skipValue, textOf, unescapeInto } from './json-scan';

const QUOTE = 0x22;
const OPEN_OBJECT = 0x7b;
const SMALL_N = 0x6e;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Little-endian words of text: `"[`, `]"`, `\"` and `null`. */
const OPENING = 0x5b22;
const CLOSING = 0x225d;
const ESCAPED_QUOTE = 0x225c;
export const NULL_WORD = 0x6c6c756e;

/** What a member means to the reader of envelopes; `other` is skipped. Those of the envelope itself are below 15: `Envelope.seen` has a bit for each. */
export const FIELD = {
  other: 0,
  before: 1,
  after: 2,
  source: 3,
  transaction: 4,
  op: 5,
  status: 6,
  id: 7,
  eventCount: 8,
  dataCollections: 9,
  capturedMs: 12,
  capturedUs: 13,
  capturedNs: 14,
  tsMs: 15,
  tsUs: 16,
  tsNs: 17,
  txId: 18,
  lsn: 19,
  totalOrder: 20,
  name: 21,
  snapshot: 22,
  db: 23,
  sequence: 24,
  sourceSchema: 25,
  table: 26,
} as const;

/** Fields from the first to the last of these hold integers. */
export const FIRST_NUMBER = FIELD.capturedMs;
export const LAST_NUMBER = FIELD.totalOrder;

export type Field = (typeof FIELD)[keyof typeof FIELD];

/** A bit for each of these fields. */
export function bitsOf(...fields: readonly number[]): number {
  return fields.reduce((bits, field) => bits | (1 << field), 0);
}

/** Text to compare with four bytes at a time: its little-endian words, the last one overlapping the one before. */
export interface Quoted {
  readonly length: number;
  readonly words: Int32Array;
}

/** The members of one kind of object: `quoted[n]` is `"name":` as words for `startsWith`, `names[n]` the name alone, `fields[n]` its meaning. */
export interface Members {
  readonly quoted: readonly Quoted[];
  readonly names: readonly Uint8Array[];
  readonly fields: readonly Field[];
}

/** The envelope's own members in wire order, then those of transaction records. */
export const ENVELOPE_MEMBERS = members([
  ['before', FIELD.before],
  ['after', FIELD.after],
  ['source', FIELD.source],
  ['transaction', FIELD.transaction],
  ['op', FIELD.op],
  ['ts_ms', FIELD.capturedMs],
  ['ts_us', FIELD.capturedUs],
  ['ts_ns', FIELD.capturedNs],
  ['status', FIELD.status],
  ['id', FIELD.id],
  ['event_count', FIELD.eventCount],
  ['data_collections', FIELD.dataCollections],
]);

/** `source` of the PostgreSQL connector in wire order. Versions before 2.6 lack `ts_us` and `ts_ns`, before 3.5 `origin*`. */
export const SOURCE_MEMBERS = members([
  ['version', FIELD.other],
  ['connector', FIELD.other],
  ['name', FIELD.name],
  ['ts_ms', FIELD.tsMs],
  ['snapshot', FIELD.snapshot],
  ['db', FIELD.db],
  ['sequence', FIELD.sequence],
  ['ts_us', FIELD.tsUs],
  ['ts_ns', FIELD.tsNs],
  ['schema', FIELD.sourceSchema],
  ['table', FIELD.table],
  ['txId', FIELD.txId],
  ['lsn', FIELD.lsn],
  ['xmin', FIELD.other],
  ['origin', FIELD.other],
  ['origin_lsn', FIELD.other],
]);

/** The `transaction` block. Its `id` differs for each event of one transaction, so it is of no use: `source.txId` is. */
export const TRANSACTION_MEMBERS = members([
  ['id', FIELD.other],
  ['total_order', FIELD.totalOrder],
  ['data_collection_order', FIELD.other],
]);

/** A number that the envelope holds but that is no integer of ours; kept apart from -1, which is absent. */
export const TOO_LARGE = Infinity;
export const NOT_AN_INTEGER = NaN;

/** A range whose value is of a kind that it cannot be; -1 is null or absent. */
export const WRONG_KIND = -2;

/** `op` is there but is not a string of one letter. */
export const NOT_A_LETTER = 0;

/** Whether the bytes at `i` are exactly these. */
export function startsWith(view: DataView, i: number, end: number, expected: Quoted): boolean {
  const { length, words } = expected;
  if (i + length > end) return false;
  const last = words.length - 1;
  for (let n = 0; n < last; n++) if (view.getInt32(i + 4 * n, true) !== words[n]) return false;
  return view.getInt32(i + length - 4, true) === words[last];
}

/** Reads the digits at `i` four at a time; after the call `digits.end` is the index after them. TOO_LARGE beyond 2^53 − 1. */
export function readDigits(view: DataView, i: number, end: number): number {
  let value = 0;
  let at = i;
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true);
    // Each byte is 0x30 to 0x3f, and still below 0x40 with six added: a digit.
    if ((word & 0xf0f0f0f0) !== (0x30303030 | 0) || ((word + 0x06060606) & 0xf0f0f0f0) !== (0x30303030 | 0)) break;
    const ones = word & 0x0f0f0f0f;
    const pairs = (ones * 10 + (ones >>> 8)) & 0x00ff00ff;
    value = value * 10000 + ((pairs & 0xff) * 100 + (pairs >>> 16));
  }
  for (; at < end; at++) {
    const digit = view.getUint8(at) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  digits.end = at;
  return value > Number.MAX_SAFE_INTEGER ? TOO_LARGE : value;
}

/** Where the last `readDigits` ended. */
export const digits = { end: 0 };

/** The index in `among` of the name whose text, maybe with escapes, is [start, end); -1 if it is none of them. */
export function memberIndex(b: Uint8Array, start: number, end: number, among: Members): number {
  const index = indexOfName(b, start, end, among.names);
  if (index >= 0 || !hasEscape(b, start, end)) return index;
  const plain = unescaped(b, start, end);
  return indexOfName(plain, 0, plain.length, among.names);
}

/** `i` after a member's name: the index of its value, `end` if there is no colon or no value. */
export function afterColon(b: Uint8Array, i: number, end: number): number {
  const colon = skipSpace(b, i, end);
  return colon < end && b[colon] === COLON ? skipSpace(b, colon + 1, end) : end;
}

/** The integer at [start, end), a JSON value: -1 for null, TOO_LARGE beyond 2^53 − 1, NOT_AN_INTEGER for anything else, negative numbers too. */
export function integerOf(b: Uint8Array, start: number, end: number): number {
  const first = b[start] as number;
  if (first === 0x6e) return -1;
  if (first < 0x30 || first > 0x39) return NOT_AN_INTEGER;
  const value = readSafeInteger(b, start, end);
  return Number.isNaN(value) ? whyNot(b, start, end) : value;
}

/**
 * Reads `source.sequence` at `i`, the LSN of the last commit and of this change: `"[null,\"31299144\"]"`, as Debezium
 * writes it. Returns the commit LSN; -1 when null; TOO_LARGE for either of the two. After the call `digits.end` is the
 * index after the string, -1 if it is written in any other way: then `sequenceLsn` reads it.
 */
export function readSequence(view: DataView, i: number, end: number): number {
  digits.end = -1;
  if (i + 2 > end || view.getUint16(i, true) !== OPENING) return -1;
  const commit = readLsn(view, i + 2, end);
  const comma = digits.end;
  if (comma < 0 || comma >= end || view.getUint8(comma) !== COMMA) {
    digits.end = -1;
    return -1;
  }
  const change = readLsn(view, comma + 1, end);
  const closing = digits.end;
  const closed = closing >= 0 && closing + 2 <= end && view.getUint16(closing, true) === CLOSING;
  digits.end = closed ? closing + 2 : -1;
  return change === TOO_LARGE ? change : commit;
}

/** `null` or `\"digits\"`; `digits.end` is -1 if it is neither. */
function readLsn(view: DataView, i: number, end: number): number {
  digits.end = -1;
  if (i + 4 > end) return -1;
  if (view.getInt32(i, true) === NULL_WORD) {
    digits.end = i + 4;
    return -1;
  }
  if (view.getUint16(i, true) !== ESCAPED_QUOTE) return -1;
  const lsn = readDigits(view, i + 2, end);
  const after = digits.end;
  const closed = after > i + 2 && after + 2 <= end && view.getUint16(after, true) === ESCAPED_QUOTE;
  digits.end = closed ? after + 2 : -1;
  return lsn;
}

/** The commit LSN in a `source.sequence` with the string content [start, end), however it is written; as of `integerOf`. */
export function commitLsnOf(b: Uint8Array, start: number, end: number): number {
  const text = unescaped(b, start, end);
  const length = text.length;
  let at = skipSpace(text, 0, length);
  const close = skipValue(text, at, length);
  if (close < 0 || skipSpace(text, close, length) !== length || text[at] !== OPEN_ARRAY) return NOT_AN_INTEGER;
  let commit = -1;
  for (let element = 0; element < 2; element++) {
    at = skipSpace(text, at + 1, length);
    if (text[at] === CLOSE_ARRAY) return commit;
    const after = skipValue(text, at, length);
    const lsn = text[at] === QUOTE ? integerOf(text, at + 1, after - 1) : integerOf(text, at, after);
    if (!(lsn <= Number.MAX_SAFE_INTEGER)) return lsn;
    if (element === 0) commit = lsn;
    at = skipSpace(text, after, length);
    if (text[at] === CLOSE_ARRAY) return commit;
  }
  return commit;
}

/** Where an image begins: its brace, -1 for null, WRONG_KIND for anything else. */
export function objectStart(b: Uint8Array, value: number): number {
  return b[value] === OPEN_OBJECT ? value : b[value] === SMALL_N ? -1 : WRONG_KIND;
}

/** Where a string's content begins: -1 for null, WRONG_KIND for anything else. */
export function contentStart(b: Uint8Array, value: number): number {
  return b[value] === QUOTE ? value + 1 : b[value] === SMALL_N ? -1 : WRONG_KIND;
}

/** The commit LSN in the well-formed value [value, after) of `source.sequence`; as of `integerOf`. */
export function sequenceLsn(b: Uint8Array, value: number, after: number): number {
  if (b[value] === QUOTE) return commitLsnOf(b, value + 1, after - 1);
  return b[value] === SMALL_N ? -1 : NOT_AN_INTEGER;
}

/** The one letter of `op` as a byte; -1 for null, NOT_A_LETTER for anything else. */
export function letter(b: Uint8Array, value: number, after: number): number {
  if (b[value] === SMALL_N) return -1;
  if (b[value] !== QUOTE) return NOT_A_LETTER;
  if (after === value + 3) return b[value + 1] as number;
  if (!hasEscape(b, value, after)) return NOT_A_LETTER;
  const text = textOf(b, value + 1, after - 1);
  return text.length === 1 ? text.charCodeAt(0) : NOT_A_LETTER;
}

/** A clock in milliseconds as microseconds; NOT_AN_INTEGER and TOO_LARGE stay what they are. */
export function microseconds(milliseconds: number): number {
  const us = milliseconds * 1000;
  return us > Number.MAX_SAFE_INTEGER ? TOO_LARGE : us;
}

/** Whether `status` is one of a transaction record's. */
export function isBeginOrEnd(b: Uint8Array, value: number, after: number): boolean {
  if (b[value] !== QUOTE) return false;
  const status = textOf(b, value + 1, after - 1);
  return status === 'BEGIN' || status === 'END';
}

/** `756:31299144`, or the number alone in old versions: digits and colons only. */
export function isTransactionId(b: Uint8Array, value: number, after: number): boolean {
  return b[value] === QUOTE && /^\d[\d:]*$/.test(textOf(b, value + 1, after - 1));
}

function indexOfName(b: Uint8Array, start: number, end: number, names: readonly Uint8Array[]): number {
  for (let n = 0; n < names.length; n++) {
    const name = names[n] as Uint8Array;
    if (name.length === end - start && same(b, start, name)) return n;
  }
  return -1;
}

function same(b: Uint8Array, i: number, expected: Uint8Array): boolean {
  for (let n = 0; n < expected.length; n++) if (b[i + n] !== expected[n]) return false;
  return true;
}

function whyNot(b: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if ((b[at] as number) < 0x30 || (b[at] as number) > 0x39) return NOT_AN_INTEGER;
  return TOO_LARGE;
}

function unescaped(b: Uint8Array, start: number, end: number): Uint8Array {
  const target = new Uint8Array(end - start);
  return target.subarray(0, unescapeInto(b, start, end, target, 0));
}

function members(list: readonly (readonly [string, Field])[]): Members {
  return {
    quoted: list.map(([name]) => quotedName(ascii(`"${name}":`))),
    names: list.map(([name]) => ascii(name)),
    fields: list.map(([, field]) => field),
  };
}

/** Any text of four bytes or more, as words for `startsWith`. */
export function quotedName(bytes: Uint8Array): Quoted {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  for (let n = 0; n < words.length; n++) words[n] = view.getInt32(Math.min(4 * n, bytes.length - 4), true);
  return { length: bytes.length, words };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
