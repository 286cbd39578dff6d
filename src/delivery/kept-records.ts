/** Records whose bytes stay: from quarantine, looked at one by one, or copied from a chunk that must wait. */
import type { RecordChunk, RecordCursor, TopicPartition } from '../model';

/** A record with its bytes; null where it has none. */
export interface KeptRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array;
}

/** The records, which must be in offset order, as one chunk. */
export function keptChunk(of: TopicPartition, records: readonly KeptRecord[]): RecordChunk {
  const firstOffset = records[0]?.offset ?? 0;
  return {
    topic: of.topic,
    partition: of.partition,
    epoch: 0,
    firstOffset,
    nextOffset: (records.at(-1)?.offset ?? firstOffset - 1) + 1,
    records: layOut(records),
  };
}

/** A copy of what a chunk holds from an offset on: its own bytes are the consumer's, and hold only while it is handed over. */
export function holdChunk(chunk: RecordChunk, from: number): RecordChunk {
  return { ...chunk, records: layOut(recordsFrom(chunk, from)) };
}

/** Its records as they lie in the consumer's bytes. */
function* recordsFrom(chunk: RecordChunk, from: number): Generator<KeptRecord> {
  for (const cursor = chunk.records(); cursor.next();) {
    const { bytes, offset, timestampMs } = cursor;
    if (offset < from) continue;
    const part = (start: number, end: number): Uint8Array | null => (start < 0 ? null : bytes.subarray(start, end));
    const key = part(cursor.keyStart, cursor.keyEnd);
    const value = part(cursor.valueStart, cursor.valueEnd);
    yield { offset, timestampMs, key, value, headers: bytes.subarray(cursor.headersStart, cursor.headersEnd) };
  }
}

/** Numbers that a record takes in the table: three ranges, its offset and its time. */
const FIELDS = 8;

/** Copies all bytes into one run, and notes the places as numbers: no object stays for a record. */
function layOut(records: Iterable<KeptRecord>): () => RecordCursor {
  const parts: Uint8Array[] = [];
  const places: number[] = [];
  let length = 0;
  const keep = (part: Uint8Array | null): void => {
    places.push(part === null ? -1 : length);
    if (part !== null) parts.push(part);
    length += part?.length ?? 0;
    places.push(part === null ? -1 : length);
  };
  for (const { offset, timestampMs, key, value, headers } of records) {
    keep(key);
    keep(value);
    keep(headers);
    places.push(offset, timestampMs);
  }
  // Not as a Buffer, whose slice() is no copy: what is kept of these bytes must be one.
  const { buffer, byteOffset } = Buffer.concat(parts, length);
  const bytes = new Uint8Array(buffer, byteOffset, length);
  const table = Float64Array.from(places);
  return () => new KeptCursor(bytes, table);
}

class KeptCursor implements RecordCursor {
  readonly bytes: Uint8Array;
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headersStart = -1;
  headersEnd = -1;
  offset = -1;
  timestampMs = -1;
  private readonly places: Float64Array;
  private at = 0;

  constructor(bytes: Uint8Array, places: Float64Array) {
    this.bytes = bytes;
    this.places = places;
  }

  next(): boolean {
    const { places, at } = this;
    if (at >= places.length) return false;
    this.keyStart = places[at] ?? -1;
    this.keyEnd = places[at + 1] ?? -1;
    this.valueStart = places[at + 2] ?? -1;
    this.valueEnd = places[at + 3] ?? -1;
    this.headersStart = places[at + 4] ?? -1;
    this.headersEnd = places[at + 5] ?? -1;
    this.offset = places[at + 6] ?? -1;
    this.timestampMs = places[at + 7] ?? -1;
    this.at = at + FIELDS;
    return true;
  }
}
