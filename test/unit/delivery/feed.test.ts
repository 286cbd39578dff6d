/** Chunks that wait for a schema, while the bytes they came in are used for others. */
import { createFeed } from '../../../src/delivery/feed';
import { toChunk } from '../../../src/kafka/whole-batches';
import type { RecordChunk } from '../../../src/model';
import type { Gatherer } from '../../../src/pipeline';

/** A record batch of one record, in bytes that the test spoils afterwards, as the next fetch would. */
function chunkOver(bytes: Buffer, offset: number): RecordChunk {
  const batchContext = { firstTimestamp: '0', maxTimestamp: '0', timestampType: 0 };
  const message = { offset: String(offset), value: bytes, baseOffset: offset, count: 1, batchContext };
  return toChunk(
    { topic: 't', partition: 0, fetchedOffset: String(offset), highWatermark: String(offset + 8), messages: [message], lastOffset: () => String(offset) } as never, // prettier-ignore
    1,
  );
}

/** length, attributes, timestamp delta, offset delta, no key, a value of one byte, no headers; lengths are zigzag. */
const record = (value: number): Buffer => Buffer.from([14, 0, 0, 0, 1, 2, value, 0]);

it('a chunk that waits for its schema, and the one behind it, keep their bytes', async () => {
  const seen: number[] = [];
  let known = false;
  const gatherer = {
    hasFull: false,
    feed(chunk: RecordChunk) {
      if (!known) return { kind: 'avro', id: 1 };
      for (const cursor = chunk.records(); cursor.next();) seen.push(cursor.bytes[cursor.valueStart]!);
      return null;
    },
  } as unknown as Gatherer;
  const schema = Promise.withResolvers<undefined>();
  const feed = createFeed({
    gatherer: () => gatherer,
    resolve: () => schema.promise,
    onFed: () => undefined,
    room: () => Promise.resolve(),
    onError: (error) => {
      throw error;
    },
  });
  const first = record(65);
  const second = record(66);
  const waits = [feed.take(chunkOver(first, 0)), feed.take(chunkOver(second, 1))];
  first.fill(0xff);
  second.fill(0xff);
  known = true;
  schema.resolve(undefined);
  for (const wait of waits) await wait;
  expect(seen).toEqual([65, 66]);
});

it('a chunk says how much Kafka held beyond it', () => {
  expect(chunkOver(record(65), 4).behind).toBe(7);
});
