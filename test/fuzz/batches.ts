/** Damaged record batches through the reader: an error that says so, or records that lie within their bytes. */
import { joinCursors, type RecordBatch } from '../../src/kafka/record-batch';
import { ServiceError } from '../../src/errors';
import { arbitraryBytes, mutated, seeded } from './mutate';
import { wellFormed } from './decoder';

/** Reads `count` damaged batches of a seed; how many were read to their end. Throws where a record lies outside. */
export function fuzzBatches(seed: number, count: number): number {
  const random = seeded(seed);
  let read = 0;
  for (let n = 0; n < count; n++) {
    const records = Array.from({ length: 1 + random.below(5) }, (_, at) => ({ at, ...pick(random) }));
    const whole = Buffer.concat(
      records.map(({ at, key, value }) => encoded(at, key, value, arbitraryBytes(random, 20))),
    );
    const bytes = random.below(10) === 0 ? arbitraryBytes(random, 300) : mutated(whole, random);
    const batch: RecordBatch = {
      bytes,
      baseOffset: 100,
      count: random.below(4) === 0 ? 2_000_000_000 : records.length,
      firstTimestampMs: 0,
      appendTimestampMs: -1,
    };
    if (readsWell(batch, random.below(2) * 1_000)) read++;
  }
  return read;
}

function pick(random: { below(below: number): number }): { key: Buffer | null; value: Buffer | null } {
  const all = wellFormed();
  return all[random.below(all.length)] ?? { key: null, value: null };
}

function readsWell(batch: RecordBatch, from: number): boolean {
  const cursor = joinCursors([batch], from);
  try {
    while (cursor.next()) {
      const { bytes, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = cursor;
      for (const [start, end] of [
        [keyStart, keyEnd],
        [valueStart, valueEnd],
        [headersStart, headersEnd],
      ] as const) {
        const absent = start === -1 && end === -1;
        if (!absent && !(start >= 0 && start <= end && end <= bytes.length))
          throw new Error(`[${start}, ${end}) lies outside`);
      }
    }
    return true;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'KAFKA_REQUEST_FAILED') return false;
    throw error;
  }
}

function encoded(at: number, key: Buffer | null, value: Buffer | null, headers: Buffer): Buffer {
  const counted = (bytes: Buffer | null): Buffer =>
    bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
  const body = Buffer.concat([Buffer.from([0]), varint(0), varint(at), counted(key), counted(value), headers]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  const bytes: number[] = [];
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
