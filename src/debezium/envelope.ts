/** Opens an envelope in one pass over its bytes: what kind of record it is, where its images are, and its place in the source. */
import type { BadRecordCode } from '../errors';
import { OP, type RecordKind } from '../model';
import { forgetEnvelope, forgetSource, takeNumber, type Envelope } from './envelope-found';
import { learnEnvelope, matchEnvelope } from './envelope-shape';
import { skipSpace, skipString, skipValue } from './json-scan';
import {
  ENVELOPE_MEMBERS,
  afterColon,
  bitsOf,
  FIELD,
  FIRST_NUMBER,
  LAST_NUMBER,
  SOURCE_MEMBERS,
  TOO_LARGE,
  TRANSACTION_MEMBERS,
  WRONG_KIND,
  contentStart,
  digits,
  integerOf,
  isBeginOrEnd,
  isTransactionId,
  letter,
  memberIndex,
  microseconds,
  objectStart,
  readDigits,
  readSequence,
  sequenceLsn,
  startsWith,
  type Field,
  type Members,
} from './source-fields';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SMALL_N = 0x6e;

const OP_MESSAGE = 0x6d;

/** What else was seen, beside the bit of each top-level member (1 << FIELD; that of `other` is for all unknown ones). */
const SOURCE_IS_OBJECT = 1 << 16;
const STATUS_IS_BEGIN_OR_END = 1 << 17;
const ID_IS_TRANSACTION = 1 << 18;

const CLOCK_MEMBERS = bitsOf(FIELD.capturedMs, FIELD.capturedUs, FIELD.capturedNs);
const IMAGES = bitsOf(FIELD.before, FIELD.after);
const CHANGE_MEMBERS = CLOCK_MEMBERS | IMAGES | bitsOf(FIELD.source, FIELD.transaction, FIELD.op);
const TRANSACTION = STATUS_IS_BEGIN_OR_END | ID_IS_TRANSACTION;
const TRANSACTION_RECORD_MEMBERS =
  CLOCK_MEMBERS | TRANSACTION | bitsOf(FIELD.status, FIELD.id, FIELD.eventCount, FIELD.dataCollections);

/** A view of the bytes in hand, kept because the records of one batch share their bytes. */
let viewed: Uint8Array = new Uint8Array();
let view: DataView = new DataView(viewed.buffer);

/**
 * Reads a record's value [start, end), plain JSON without schema, into `into`, and says what the record is. A negative
 * `start` is a null value. Never throws: what cannot be read is 'bad', with the reason in `into.error`. A value is a
 * change only if it is well-formed JSON to its end. Of members that occur twice the last one counts, as for JSON.parse.
 */
export function openEnvelope(b: Uint8Array, start: number, end: number, into: Envelope): RecordKind {
  forgetEnvelope(into);
  if (start < 0) return 'tombstone';
  if (b !== viewed) {
    viewed = b;
    view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  }
  const { shape } = into;
  if (shape.known !== null) {
    if (matchEnvelope(shape.known, b, view, start, end, into)) return kindByOp(into);
    forgetEnvelope(into);
  }
  const first = skipSpace(b, start, end);
  if (first >= end || b[first] !== OPEN_OBJECT) return withoutObject(b, first, end, into);
  const after = readMembers(b, first, end, ENVELOPE_MEMBERS, into);
  if (after < 0 || skipSpace(b, after, end) !== end) return bad(into, 'ENVELOPE_MALFORMED');
  if ((into.seen & SOURCE_IS_OBJECT) === 0) return kindWithoutSource(into);
  const kind = kindByOp(into);
  // Records of many tables may come in turns: then most are read without a known shape.
  if (kind === 'change' && shape.misses++ % LEARN_EACH === 0) shape.known = learnEnvelope(b, view, start, end);
  return kind;
}

const LEARN_EACH = 8;

/** `i` at the brace of an object: takes its members and returns the index after it, -1 if it is malformed. */
function readMembers(b: Uint8Array, i: number, end: number, expected: Members, into: Envelope): number {
  const { quoted, fields } = expected;
  let at = skipSpace(b, i + 1, end);
  if (at < end && b[at] === CLOSE_OBJECT) return at + 1;
  // Members mostly come in the order in which Debezium writes them: compare with the next one first.
  let next = 0;
  while (at < end) {
    const guess = quoted[next];
    let index = next;
    let value: number;
    if (guess !== undefined && startsWith(view, at, end, guess)) {
      value = at + guess.length;
      if (value < end && (b[value] as number) <= 0x20) value = skipSpace(b, value, end);
    } else {
      const nameEnd = skipString(b, at, end);
      if (nameEnd < 0) return -1;
      index = memberIndex(b, at + 1, nameEnd - 1, expected);
      value = afterColon(b, nameEnd, end);
    }
    const field = index < 0 ? FIELD.other : (fields[index] as Field);
    if (index >= 0) next = index + 1;
    if (value >= end) return -1;
    const number = field >= FIRST_NUMBER && field <= LAST_NUMBER;
    const after = number ? readNumber(b, value, end, field, into) : readValue(b, value, end, field, into);
    if (after < 0) return -1;
    if (expected === ENVELOPE_MEMBERS) into.seen |= 1 << field;
    if (!number && field !== FIELD.other) take(b, value, after, field, into);
    at = after < end && (b[after] as number) <= 0x20 ? skipSpace(b, after, end) : after;
    if (at >= end) return -1;
    if (b[at] === CLOSE_OBJECT) return at + 1;
    if (b[at] !== COMMA) return -1;
    at++;
    if (at < end && (b[at] as number) <= 0x20) at = skipSpace(b, at, end);
  }
  return -1;
}

/** Reads a member that holds an integer; the index after it. */
function readNumber(b: Uint8Array, value: number, end: number, field: Field, into: Envelope): number {
  const first = b[value] as number;
  if (first >= 0x31 && first <= 0x39) {
    const number = readDigits(view, value, end);
    const next = digits.end < end ? b[digits.end] : 0;
    if (next === COMMA || next === CLOSE_OBJECT) {
      takeNumber(number, field, into);
      return digits.end;
    }
  }
  const after = skipValue(b, value, end);
  if (after >= 0) takeNumber(integerOf(b, value, after), field, into);
  return after;
}

/** Skips a member's value; into `source`, `transaction` and `sequence` it descends. */
function readValue(b: Uint8Array, value: number, end: number, field: Field, into: Envelope): number {
  if (field === FIELD.source) {
    forgetSource(into);
    if (b[value] === OPEN_OBJECT) return readMembers(b, value, end, SOURCE_MEMBERS, into);
  } else if (field === FIELD.transaction) {
    into.txOrder = -1;
    if (b[value] === OPEN_OBJECT) return readMembers(b, value, end, TRANSACTION_MEMBERS, into);
  } else if (field === FIELD.sequence) {
    into.commitLsn = readSequence(view, value, end);
    if (digits.end > 0) return digits.end;
    const after = skipValue(b, value, end);
    if (after >= 0) into.commitLsn = sequenceLsn(b, value, after);
    return after;
  }
  return b[value] === QUOTE ? skipString(b, value, end) : skipValue(b, value, end);
}

/** Notes the value [value, after) of a member. */
function take(b: Uint8Array, value: number, after: number, field: number, into: Envelope): void {
  switch (field) {
    case FIELD.before:
      into.beforeStart = objectStart(b, value);
      into.beforeEnd = into.beforeStart < 0 ? -1 : after;
      return;
    case FIELD.after:
      into.afterStart = objectStart(b, value);
      into.afterEnd = into.afterStart < 0 ? -1 : after;
      return;
    case FIELD.op:
      into.op = letter(b, value, after);
      return;
    case FIELD.name:
      into.nameStart = contentStart(b, value);
      into.nameEnd = into.nameStart < 0 ? -1 : after - 1;
      return;
    case FIELD.db:
      into.dbStart = contentStart(b, value);
      into.dbEnd = into.dbStart < 0 ? -1 : after - 1;
      return;
    case FIELD.sourceSchema:
      into.schemaStart = contentStart(b, value);
      into.schemaEnd = into.schemaStart < 0 ? -1 : after - 1;
      return;
    case FIELD.table:
      into.tableStart = contentStart(b, value);
      into.tableEnd = into.tableStart < 0 ? -1 : after - 1;
      return;
    case FIELD.snapshot:
      takeSnapshot(b, value, after, into);
      return;
    case FIELD.source:
      note(into, SOURCE_IS_OBJECT, b[value] === OPEN_OBJECT);
      return;
    case FIELD.status:
      note(into, STATUS_IS_BEGIN_OR_END, isBeginOrEnd(b, value, after));
      return;
    case FIELD.id:
      note(into, ID_IS_TRANSACTION, isTransactionId(b, value, after));
      return;
    default: // known by name only: seeing it is all
  }
}

/** What an envelope is whose members were read: a change, a message, or bad. */
export function kindByOp(into: Envelope): RecordKind {
  switch (into.op) {
    case OP.c:
    case OP.u:
    case OP.r:
      return into.afterStart < 0 ? bad(into, 'ENVELOPE_MALFORMED') : change(into);
    case OP.d:
    case OP.t:
      return change(into);
    case OP_MESSAGE:
      return 'message';
    case -1:
      return bad(into, 'ENVELOPE_MALFORMED');
    default:
      return bad(into, 'ENVELOPE_UNKNOWN_OP');
  }
}

/** The last checks: the table is named, no member is of a wrong kind, every number is exact. */
function change(into: Envelope): RecordKind {
  if (into.schemaStart < 0 || into.tableStart < 0) return bad(into, 'ENVELOPE_MALFORMED');
  const wrong = Math.min(into.beforeStart, into.afterStart, into.dbStart, into.nameStart, into.snapshotStart);
  if (wrong === WRONG_KIND) return bad(into, 'ENVELOPE_MALFORMED');
  if (into.tsUs === -1 && into.tsMs !== -1) into.tsUs = microseconds(into.tsMs);
  if (into.capturedUs === -1 && into.capturedMs !== -1) into.capturedUs = microseconds(into.capturedMs);
  // NaN and Infinity survive the maximum, so one look is enough for the usual case.
  const largest = Math.max(into.tsUs, into.capturedUs, into.lsn, into.commitLsn, into.txId, into.txOrder);
  if (largest <= Number.MAX_SAFE_INTEGER) return 'change';
  return bad(into, largest === TOO_LARGE ? 'ENVELOPE_NUMBER_TOO_LARGE' : 'ENVELOPE_MALFORMED');
}

/**
 * An object without `source`: a heartbeat and a transaction record are told by having their members and no others, so
 * that the row of a flattened table which happens to have such a column is not skipped in silence.
 */
function kindWithoutSource(into: Envelope): RecordKind {
  const { seen } = into;
  if ((seen & CLOCK_MEMBERS) === seen && (seen & (1 << FIELD.capturedMs)) !== 0 && into.capturedMs >= 0)
    return 'heartbeat';
  if ((seen & TRANSACTION) === TRANSACTION && (seen & ~TRANSACTION_RECORD_MEMBERS) === 0) return 'transaction';
  const damaged = (seen & IMAGES) !== 0 && (seen & bitsOf(FIELD.op)) !== 0 && (seen & ~CHANGE_MEMBERS) === 0;
  return bad(into, damaged ? 'ENVELOPE_MALFORMED' : 'ENVELOPE_FLATTENED');
}

/** A value that is no object: `null` is what some transforms make of a tombstone. */
function withoutObject(b: Uint8Array, first: number, end: number, into: Envelope): RecordKind {
  if (first < end && b[first] === SMALL_N) {
    const after = skipValue(b, first, end);
    if (after > 0 && skipSpace(b, after, end) === end) return 'tombstone';
  }
  return bad(into, 'ENVELOPE_MALFORMED');
}

function bad(into: Envelope, error: BadRecordCode): RecordKind {
  into.error = error;
  return 'bad';
}

function note(into: Envelope, bit: number, holds: boolean): void {
  into.seen = holds ? into.seen | bit : into.seen & ~bit;
}

function takeSnapshot(b: Uint8Array, value: number, after: number, into: Envelope): void {
  const boolean = b[value] === 0x74 || b[value] === 0x66;
  into.snapshotStart = boolean ? value : contentStart(b, value);
  into.snapshotEnd = into.snapshotStart < 0 ? -1 : boolean ? after : after - 1;
}
