/** Records that are at hand as bytes (from quarantine, or looked at one by one), as a chunk like those that Kafka brings. */
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
    records: () => walk(records),
  };
}

/** A copy of what a chunk holds from an offset on: its own bytes are the consumer's, and hold only while it is handed over. */
export function holdChunk(chunk: RecordChunk, from: number): RecordChunk {
  const records: KeptRecord[] = [];
  for (const cursor = chunk.records(); cursor.next();) {
    const { bytes, offset, timestampMs } = cursor;
    if (offset < from) continue;
    // A Buffer's own `slice` shares its memory.
    const copy = (start: number, end: number): Uint8Array | null =>
      start < 0 ? null : new Uint8Array(bytes.subarray(start, end));
    const key = copy(cursor.keyStart, cursor.keyEnd);
    const value = copy(cursor.valueStart, cursor.valueEnd);
    const headers = new Uint8Array(bytes.subarray(cursor.headersStart, cursor.headersEnd));
    records.push({ offset, timestampMs, key, value, headers });
  }
  return { ...chunk, records: () => walk(records) };
}

function walk(records: readonly KeptRecord[]): RecordCursor {
  let index = -1;
  let parts: Laid = layOut(records[0]);
  const cursor = {
    next(): boolean {
      index++;
      if (index >= records.length) return false;
      parts = layOut(records[index]);
      return true;
    },
    get bytes() {
      return parts.bytes;
    },
    get offset() {
      return records[index]?.offset ?? -1;
    },
    get timestampMs() {
      return records[index]?.timestampMs ?? -1;
    },
    get keyStart() {
      return parts.key.start;
    },
    get keyEnd() {
      return parts.key.end;
    },
    get valueStart() {
      return parts.value.start;
    },
    get valueEnd() {
      return parts.value.end;
    },
    get headersStart() {
      return parts.headers.start;
    },
    get headersEnd() {
      return parts.headers.end;
    },
  };
  return cursor;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Laid {
  readonly bytes: Uint8Array;
  readonly key: Range;
  readonly value: Range;
  readonly headers: Range;
}

const ABSENT: Range = { start: -1, end: -1 };
const NO_BYTES = new Uint8Array(0);
const NO_RECORD: KeptRecord = { offset: -1, timestampMs: -1, key: null, value: null, headers: NO_BYTES };

/** Key, value and headers in one run of bytes, as they lie in a record batch. */
function layOut({ key, value, headers }: KeptRecord = NO_RECORD): Laid {
  const bytes = Buffer.concat([key ?? NO_BYTES, value ?? NO_BYTES, headers]);
  const [keyEnd, headersStart] = [key?.length ?? 0, bytes.length - headers.length];
  return {
    bytes,
    key: key === null ? ABSENT : { start: 0, end: keyEnd },
    value: value === null ? ABSENT : { start: keyEnd, end: headersStart },
    headers: { start: headersStart, end: bytes.length },
  };
}
