/** What a record's envelope says, found by whichever reader its wire has. */
import type { BadRecordCode } from '../errors';
import type { KnownImage } from './known-image';
import { FIELD, type Field, type Quoted } from './source-fields';

/** Text that is the same in each change, and the member whose value follows it and is read. */
export interface Piece {
  readonly text: Quoted;
  readonly field: Field;
}

/** Where a string's content stands: behind the start of a piece. */
export interface Place {
  readonly piece: number;
  readonly offset: number;
  readonly length: number;
}

/** What the changes of a table have in common; see `envelope-shape.ts`. */
export interface EnvelopeShape {
  readonly pieces: readonly Piece[];
  /** What stands behind the last piece's value. */
  readonly end: Uint8Array;
  /** Where each piece began in the envelope in hand. */
  readonly starts: Int32Array;
  readonly name: Place | null;
  readonly db: Place | null;
  readonly schema: Place | null;
  readonly table: Place | null;
  readonly snapshot: Place | null;
  /** The bits that reading it sets. */
  readonly seen: number;
  /** The table's images; another one once its columns are others. */
  image: KnownImage | null;
}

/**
 * What `openEnvelope` found in a record's value. One object is used for record after record; every field is set anew
 * each time. Ranges are indexes into the bytes that were passed; -1, -1 is null or absent. Numbers are -1 when null or absent.
 */
export class Envelope {
  /** The byte of `op`, one of `OP` if the kind is 'change'. */
  op = -1;
  /** Ranges of the images' text, braces included. */
  beforeStart = -1;
  beforeEnd = -1;
  afterStart = -1;
  afterEnd = -1;
  /** Contents of strings of `source`, without quotes, escapes unresolved. A change always has `schema` and `table`. */
  schemaStart = -1;
  schemaEnd = -1;
  tableStart = -1;
  tableEnd = -1;
  dbStart = -1;
  dbEnd = -1;
  /** `source.name`: the connector's `topic.prefix`. */
  nameStart = -1;
  nameEnd = -1;
  /** `source.snapshot`: a string's content, or the text of a boolean. */
  snapshotStart = -1;
  snapshotEnd = -1;
  /** Microseconds since the epoch: `source.ts_us`, else `source.ts_ms` · 1000. The commit time, for rows that were streamed. */
  tsUs = -1;
  /** Microseconds since the epoch by Debezium's clock: the envelope's `ts_us`, else its `ts_ms` · 1000. */
  capturedUs = -1;
  /** `source.lsn`; neither unique nor an order. */
  lsn = -1;
  /** The first of `source.sequence`: the LSN of the last commit before this change. */
  commitLsn = -1;
  txId = -1;
  /** `transaction.total_order`: counts from 1 in each transaction. */
  txOrder = -1;
  /** Why the kind is 'bad'; without meaning for other kinds. */
  error: BadRecordCode = 'ENVELOPE_MALFORMED';
  /** For the reader of envelopes only: bits of the members seen, clocks in milliseconds, and the shape of the record before. */
  seen = 0;
  tsMs = -1;
  capturedMs = -1;
  readonly shape = { known: null as EnvelopeShape | null, misses: 0 };
}

/** Notes a number of the envelope, of its source or of its transaction; -1, NOT_AN_INTEGER and TOO_LARGE as they are. */
export function takeNumber(number: number, field: number, into: Envelope): void {
  switch (field) {
    case FIELD.tsMs:
      into.tsMs = number;
      return;
    case FIELD.tsUs:
      into.tsUs = number;
      return;
    case FIELD.capturedMs:
      into.capturedMs = number;
      return;
    case FIELD.capturedUs:
      into.capturedUs = number;
      return;
    case FIELD.lsn:
      into.lsn = number;
      return;
    case FIELD.txId:
      into.txId = number;
      return;
    case FIELD.totalOrder:
      into.txOrder = number;
      return;
    default: // nanoseconds exceed 2^53 and tell nothing more
  }
}

/** Sets every field to absent. */
export function forgetEnvelope(into: Envelope): void {
  into.seen = 0;
  into.op = -1;
  into.beforeStart = into.beforeEnd = into.afterStart = into.afterEnd = -1;
  into.capturedUs = into.capturedMs = into.txOrder = -1;
  forgetSource(into);
}

export function forgetSource(into: Envelope): void {
  into.schemaStart = into.schemaEnd = into.tableStart = into.tableEnd = -1;
  into.dbStart = into.dbEnd = into.nameStart = into.nameEnd = -1;
  into.snapshotStart = into.snapshotEnd = -1;
  into.tsUs = into.tsMs = into.lsn = into.commitLsn = into.txId = -1;
}
