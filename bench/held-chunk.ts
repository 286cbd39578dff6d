/** A copy of a chunk that stays: the bytes of the original are the consumer's, and hold only while it is handed over. */
import type { RecordChunk, RecordCursor } from '../src/model';

const FIELDS = 8;

export function holdChunk(chunk: RecordChunk): RecordChunk {
  const parts: Uint8Array[] = [];
  const places: number[] = [];
  let length = 0;
  const keep = (bytes: Uint8Array, start: number, end: number): void => {
    if (start >= 0) {
      parts.push(bytes.slice(start, end));
      length += end - start;
    }
    places.push(start < 0 ? -1 : length - (end - start), start < 0 ? -1 : length);
  };
  for (const cursor = chunk.records(); cursor.next();) {
    keep(cursor.bytes, cursor.keyStart, cursor.keyEnd);
    keep(cursor.bytes, cursor.valueStart, cursor.valueEnd);
    keep(cursor.bytes, cursor.headersStart, cursor.headersEnd);
    places.push(cursor.offset, cursor.timestampMs);
  }
  const bytes = Buffer.concat(parts);
  const table = Float64Array.from(places);
  return { ...chunk, records: () => new HeldCursor(bytes, table) };
}

class HeldCursor implements RecordCursor {
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
