/**
 * The envelopes of one table differ in their images, in some numbers and in the operation. The rest of a change is
 * compared by words with the one it was learned from, instead of being read anew: as exact as reading, and faster.
 */
import { takeNumber, type Envelope, type EnvelopeShape, type Piece, type Place } from './envelope-found';
import { skipText, skipValue } from './json-scan';
import { learnImage, type KnownImage } from './known-image';
import {
  bitsOf,
  digits,
  ENVELOPE_MEMBERS,
  FIELD,
  FIRST_NUMBER,
  LAST_NUMBER,
  memberIndex,
  NULL_WORD,
  quotedName,
  readDigits,
  readSequence,
  SOURCE_MEMBERS,
  startsWith,
  TRANSACTION_MEMBERS,
  type Field,
  type Members,
} from './source-fields';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SMALL_N = 0x6e;

/** Fills `into`, which is forgotten, if the value [start, end) has this shape; else it must be forgotten again. */
export function matchEnvelope(
  shape: EnvelopeShape,
  b: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  into: Envelope,
): boolean {
  const { pieces, starts } = shape;
  let at = start;
  for (let n = 0; n < pieces.length; n++) {
    const { text, field } = pieces[n] as Piece;
    if (!startsWith(view, at, end, text)) return false;
    starts[n] = at;
    at = readVarying(shape, b, view, at + text.length, end, field, into);
    if (at < 0) return false;
  }
  if (!endsWith(shape.end, b, at, end)) return false;
  into.seen = shape.seen;
  placeStrings(shape, into);
  return true;
}

function endsWith(expected: Uint8Array, b: Uint8Array, at: number, end: number): boolean {
  if (at + expected.length !== end) return false;
  for (let n = 0; n < expected.length; n++) if (b[at + n] !== expected[n]) return false;
  return true;
}

/** The index after the value at `at`; -1 where it is none that this reader knows. */
// eslint-disable-next-line max-params -- called ten times for each record
function readVarying(
  shape: EnvelopeShape,
  b: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  field: number,
  into: Envelope,
): number {
  if (at + 4 > end) return -1;
  if (field >= FIRST_NUMBER && field <= LAST_NUMBER) {
    const first = b[at] as number;
    if (first < 0x31 || first > 0x39) return -1;
    takeNumber(readDigits(view, at, end), field, into);
    return digits.end;
  }
  switch (field) {
    case FIELD.before:
    case FIELD.after:
      return readImage(shape, b, view, at, end, field, into);
    case FIELD.sequence:
      into.commitLsn = readSequence(view, at, end);
      return digits.end;
    case FIELD.op: {
      const letter = b[at + 1] as number;
      if (b[at] !== QUOTE || b[at + 2] !== QUOTE || letter < 0x61) return -1;
      into.op = letter;
      return at + 3;
    }
    default:
      return b[at] === QUOTE ? skipText(b, view, at, end) : skipValue(b, at, end);
  }
}

// eslint-disable-next-line max-params -- called twice for each record
function readImage(
  shape: EnvelopeShape,
  b: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  field: number,
  into: Envelope,
): number {
  if (b[at] !== OPEN_OBJECT) return view.getInt32(at, true) === NULL_WORD ? at + 4 : -1;
  let after = shape.image === null ? -1 : shape.image.skip(b, view, at, end);
  if (after < 0) {
    after = skipValue(b, at, end);
    if (after < 0) return -1;
    if (shape.image !== null) shape.image = learnImage(b, at, after);
  }
  if (field === FIELD.before) {
    into.beforeStart = at;
    into.beforeEnd = after;
  } else {
    into.afterStart = at;
    into.afterEnd = after;
  }
  return after;
}

function placeStrings({ starts, name, db, schema, table, snapshot }: EnvelopeShape, into: Envelope): void {
  if (name !== null) {
    into.nameStart = (starts[name.piece] as number) + name.offset;
    into.nameEnd = into.nameStart + name.length;
  }
  if (db !== null) {
    into.dbStart = (starts[db.piece] as number) + db.offset;
    into.dbEnd = into.dbStart + db.length;
  }
  if (schema !== null) {
    into.schemaStart = (starts[schema.piece] as number) + schema.offset;
    into.schemaEnd = into.schemaStart + schema.length;
  }
  if (table !== null) {
    into.tableStart = (starts[table.piece] as number) + table.offset;
    into.tableEnd = into.tableStart + table.length;
  }
  if (snapshot !== null) {
    into.snapshotStart = (starts[snapshot.piece] as number) + snapshot.offset;
    into.snapshotEnd = into.snapshotStart + snapshot.length;
  }
}

const PLACED = bitsOf(FIELD.name, FIELD.db, FIELD.sourceSchema, FIELD.table, FIELD.snapshot);

/** Thrown while learning, never further: the value is written in a way that is better read each time. */
const UNUSUAL = new Error('unusual');

/** The shape of the change [start, end), which was read before; null if it is written as Debezium never writes. */
export function learnEnvelope(b: Uint8Array, view: DataView, start: number, end: number): EnvelopeShape | null {
  try {
    return new Learner(b, view, start, end).shape();
  } catch (error) {
    if (error !== UNUSUAL) throw error;
    return null;
  }
}

class Learner {
  private readonly b: Uint8Array;
  private readonly view: DataView;
  private readonly end: number;
  private at: number;
  /** Where the piece under way began. */
  private from: number;
  private readonly pieces: Piece[] = [];
  private readonly places = new Map<Field, Place>();
  private met = 0;
  private seen = SOURCE_IS_OBJECT;
  private image: KnownImage | null = null;

  constructor(b: Uint8Array, view: DataView, start: number, end: number) {
    this.b = b;
    this.view = view;
    this.at = this.from = start;
    this.end = end;
  }

  shape(): EnvelopeShape {
    this.members(ENVELOPE_MEMBERS);
    // Behind the last value that is read nothing may be looked for.
    const isBehind = [...this.places.values()].some(({ piece }) => piece === this.pieces.length);
    if (this.at !== this.end || this.image === null || isBehind) throw UNUSUAL;
    const place = (field: Field): Place | null => this.places.get(field) ?? null;
    return {
      pieces: this.pieces,
      end: this.b.slice(this.from, this.end),
      starts: new Int32Array(this.pieces.length),
      name: place(FIELD.name),
      db: place(FIELD.db),
      schema: place(FIELD.sourceSchema),
      table: place(FIELD.table),
      snapshot: place(FIELD.snapshot),
      seen: this.seen,
      image: this.image,
    };
  }

  private members(expected: Members): void {
    this.take(OPEN_OBJECT);
    for (;;) {
      const nameEnd = skipText(this.b, this.view, this.at, this.end);
      if (this.b[this.at] !== QUOTE || nameEnd < 0) throw UNUSUAL;
      const index = memberIndex(this.b, this.at + 1, nameEnd - 1, expected);
      this.at = nameEnd;
      this.take(COLON);
      this.value(index < 0 ? FIELD.other : (expected.fields[index] as Field), expected);
      if (this.b[this.at] === CLOSE_OBJECT) break;
      this.take(COMMA);
    }
    this.take(CLOSE_OBJECT);
  }

  private value(field: Field, within: Members): void {
    // Of members that occur twice the last one counts: not worth knowing.
    if (field !== FIELD.other && (this.met & (1 << field)) !== 0) throw UNUSUAL;
    this.met |= 1 << field;
    if (within === ENVELOPE_MEMBERS) this.seen |= 1 << field;
    const { b, at } = this;
    const isNull = b[at] === SMALL_N;
    if (field === FIELD.source) return this.members(SOURCE_MEMBERS);
    if (field === FIELD.transaction && !isNull) return this.members(TRANSACTION_MEMBERS);
    const after = skipValue(b, at, this.end);
    if (after < 0) throw UNUSUAL;
    const isNumber = field >= FIRST_NUMBER && field <= LAST_NUMBER;
    const isImage = field === FIELD.before || field === FIELD.after;
    if (isImage && !isNull) this.image ??= learnImage(b, at, after);
    // What is not known by name may be another one in each change: the id of a transaction, and any number.
    const isOther = field === FIELD.other && (within === TRANSACTION_MEMBERS || b[at] !== QUOTE);
    if (isImage || ((isNumber || isOther || field === FIELD.op || field === FIELD.sequence) && !isNull))
      this.varies(field, after);
    else if (((1 << field) & PLACED) !== 0 && !isNull) this.place(field, after);
    this.at = after;
  }

  /** Ends a piece before the value at hand, which must be read to its end by the reader of such values. */
  private varies(field: Field, after: number): void {
    // Words need four bytes.
    if (this.at < this.from + 4) throw UNUSUAL;
    this.pieces.push({ text: quotedName(this.b.subarray(this.from, this.at)), field });
    this.from = after;
  }

  /** A string that is the same in each change: its content is found behind the start of its piece. */
  private place(field: Field, after: number): void {
    if (this.b[this.at] !== QUOTE) throw UNUSUAL;
    const offset = this.at + 1 - this.from;
    this.places.set(field, { piece: this.pieces.length, offset, length: after - this.at - 2 });
  }

  private take(byte: number): void {
    if (this.b[this.at] !== byte) throw UNUSUAL;
    this.at++;
  }
}

/** As `openEnvelope` notes it. */
const SOURCE_IS_OBJECT = 1 << 16;
