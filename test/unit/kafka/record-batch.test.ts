/** Record batches written by the encoder below, byte for byte after Kafka's format 2, and read back. */
import * as fc from 'fast-check';
import type { RecordCursor } from '../../../src/model';
import {
  isBatchMessage,
  joinCursors,
  recordBatchOf,
  walkRecordBatch,
  wholeRecordBatches,
  type BatchMessage,
  type FetchDecoder,
  type KafkajsInternals,
  type RecordBatch,
} from '../../../src/kafka/record-batch';

interface Sent {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
}

function varint(value: number): Buffer {
  let rest = value < 0 ? BigInt(-value) * 2n - 1n : BigInt(value) * 2n;
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function counted(text: string | null): Buffer {
  return text === null ? varint(-1) : Buffer.concat([varint(Buffer.byteLength(text)), Buffer.from(text)]);
}

function headersOf(sent: Sent): Buffer {
  return Buffer.concat([
    varint(sent.headers.length),
    ...sent.headers.flatMap(([name, value]) => [counted(name), counted(value)]),
  ]);
}

function encode(baseOffset: number, firstTimestampMs: number, records: readonly Sent[]): Buffer {
  return Buffer.concat(
    records.map((sent) => {
      const body = Buffer.concat([
        Buffer.from([0]),
        varint(sent.timestampMs - firstTimestampMs),
        varint(sent.offset - baseOffset),
        counted(sent.key),
        counted(sent.value),
        headersOf(sent),
      ]);
      return Buffer.concat([varint(body.length), body]);
    }),
  );
}

function batchOf(records: readonly Sent[]): RecordBatch {
  const baseOffset = records[0]?.offset ?? 0;
  const firstTimestampMs = records[0]?.timestampMs ?? 0;
  return {
    bytes: encode(baseOffset, firstTimestampMs, records),
    baseOffset,
    count: records.length,
    firstTimestampMs,
    appendTimestampMs: -1,
  };
}

function readAll(cursor: RecordCursor): (Omit<Sent, 'headers'> & { headers: string })[] {
  const found = [];
  const text = (from: number, to: number) =>
    from < 0 ? (expect(to).toBe(-1), null) : Buffer.from(cursor.bytes.subarray(from, to)).toString();
  while (cursor.next()) {
    const { offset, timestampMs } = cursor;
    const key = text(cursor.keyStart, cursor.keyEnd);
    const value = text(cursor.valueStart, cursor.valueEnd);
    found.push({
      offset,
      timestampMs,
      key,
      value,
      headers: Buffer.from(cursor.bytes.subarray(cursor.headersStart, cursor.headersEnd)).toString('hex'),
    });
  }
  expect(cursor.next()).toBe(false);
  return found;
}

function asRead(records: readonly Sent[]) {
  return records.map((sent) => ({ ...sent, headers: headersOf(sent).toString('hex') }));
}

const sentRecord = fc.record({
  gap: fc.integer({ min: 1, max: 3000 }),
  timestampMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  key: fc.option(fc.string({ maxLength: 5 })),
  value: fc.option(fc.oneof(fc.string(), fc.string({ minLength: 130, maxLength: 300 }))),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 3 }), fc.option(fc.string({ maxLength: 3 }))), { maxLength: 3 }),
});

/** Records with growing offsets from `first` on, cut into batches. */
const sentBatches = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 52 }), fc.array(fc.array(sentRecord, { maxLength: 5 }), { maxLength: 4 }))
  .map(([first, batches]) => {
    let offset = first;
    return batches.map((batch) => batch.map(({ gap, ...rest }): Sent => ({ ...rest, offset: (offset += gap) })));
  });

const plain = (offset: number, value = 'v'): Sent => ({
  offset,
  timestampMs: 1795223719374,
  key: 'k',
  value,
  headers: [],
});

describe('walking record batches', () => {
  test('gives every record of every batch with its offset, time, key, value and headers', () => {
    fc.assert(
      fc.property(sentBatches, (batches) => {
        expect(readAll(joinCursors(batches.map(batchOf), 0))).toEqual(asRead(batches.flat()));
      }),
    );
  });

  test('begins at the offset that was asked for', () => {
    fc.assert(
      fc.property(sentBatches, fc.nat(20), (batches, nth) => {
        const all = batches.flat();
        const from = (all[nth]?.offset ?? 0) - (nth % 2);
        const expected = asRead(all.filter((sent) => sent.offset >= from));
        expect(readAll(joinCursors(batches.map(batchOf), from))).toEqual(expected);
      }),
    );
  });

  test('of one batch is the same', () => {
    const records = [plain(7), plain(9), plain(1000)];
    expect(readAll(walkRecordBatch(batchOf(records), 8))).toEqual(asRead(records.slice(1)));
    expect(readAll(walkRecordBatch(batchOf([]), 0))).toEqual([]);
    expect(readAll(joinCursors([], 0))).toEqual([]);
  });

  test('takes the time of appending where the topic stamps it', () => {
    const batch = { ...batchOf([plain(1), plain(2)]), appendTimestampMs: 5 };
    expect(readAll(walkRecordBatch(batch, 0)).map((sent) => sent.timestampMs)).toEqual([5, 5]);
  });

  test('stops at a batch whose bytes contradict themselves, and says where it is', () => {
    const batch = batchOf([plain(70), plain(71)]);
    const first = batchOf([plain(70)]).bytes.length;
    for (let length = 0; length < batch.bytes.length; length++) {
      const cursor = walkRecordBatch({ ...batch, bytes: batch.bytes.subarray(0, length) }, 0);
      const walk = () => readAll(cursor);
      expect(walk).toThrow(expect.objectContaining({ code: 'KAFKA_REQUEST_FAILED', place: { offset: 70 } }) as Error);
      expect(cursor.offset).toBeLessThanOrEqual(length < first ? 70 : 71);
    }
    const keyTooLong = Buffer.concat([varint(8), Buffer.from([0, 0, 0]), varint(500), Buffer.from('abcdefgh')]);
    expect(() => walkRecordBatch({ ...batch, bytes: keyTooLong }, 0).next()).toThrow('damaged');
  });
});

describe('the decoder of whole record batches', () => {
  class Partial extends Error {}

  function header(records: Buffer, { attributes = 0, count = 2, lastOffsetDelta = 3, base = 70n }) {
    const b = Buffer.alloc(61);
    b.writeBigInt64BE(base, 0);
    b.writeInt32BE(49 + records.length, 8);
    b.writeInt32BE(4, 12);
    b.writeInt8(2, 16);
    b.writeInt16BE(attributes, 21);
    b.writeInt32BE(lastOffsetDelta, 23);
    b.writeBigInt64BE(1795223719374n, 27);
    b.writeBigInt64BE(1795223719999n, 35);
    b.writeBigInt64BE(1234567890123n, 43);
    b.writeInt16BE(6, 51);
    b.writeInt32BE(9, 53);
    b.writeInt32BE(count, 57);
    return Buffer.concat([b, records]);
  }

  function decoderOf(buffer: Buffer, offset: number) {
    return {
      buffer,
      offset,
      forward(bytes: number) {
        this.offset += bytes;
      },
    };
  }

  const decompress = async (compressed: Buffer) => Buffer.from(compressed.toString(), 'hex');
  const internals: KafkajsInternals = {
    original: async (decoder: FetchDecoder) => ({ original: decoder.offset }),
    partialMessageError: Partial,
    lookupCodec: (attributes) => ((attributes & 7) === 1 ? { decompress } : null),
  };
  const decode = wholeRecordBatches(internals);
  const records = [plain(70, 'one'), plain(72, 'two')];
  const body = encode(70, 1795223719374, records);

  async function messageOf(buffer: Buffer): Promise<BatchMessage> {
    const { records: messages } = (await decode(decoderOf(buffer, 0))) as { records: object[] };
    expect(messages).toHaveLength(1);
    const message = messages[0] as object;
    if (!isBatchMessage(message)) throw new Error('no whole batch');
    return message;
  }

  test('makes one message of a batch, at its last offset, with all that kafkajs filters by', async () => {
    const before = Buffer.from('before');
    const buffer = Buffer.concat([before, header(body, { attributes: 0x10 }), Buffer.from('after')]);
    const decoder = decoderOf(buffer, before.length);
    const result = (await decode(decoder)) as { records: BatchMessage[] };
    expect(decoder.offset).toBe(buffer.length - 5);
    const context = {
      firstOffset: '70',
      firstTimestamp: '1795223719374',
      partitionLeaderEpoch: 4,
      inTransaction: true,
      isControlBatch: false,
      lastOffsetDelta: 3,
      producerId: '1234567890123',
      producerEpoch: 6,
      firstSequence: 9,
      maxTimestamp: '1795223719999',
      timestampType: 0,
      magicByte: 2,
    };
    expect(result).toMatchObject(context);
    const [message] = result.records;
    expect(message).toMatchObject({
      offset: '73',
      key: null,
      isControlRecord: false,
      count: 2,
      baseOffset: 70,
      batchContext: context,
    });
    expect(readAll(walkRecordBatch(recordBatchOf(message as BatchMessage), 71))).toEqual(asRead(records.slice(1)));
  });

  test('decompresses by the codec of the batch', async () => {
    const message = await messageOf(header(Buffer.from(body.toString('hex')), { attributes: 0x11 }));
    expect(readAll(walkRecordBatch(recordBatchOf(message), 0))).toEqual(asRead(records));
  });

  test('knows the time of appending from the batch', async () => {
    const batch = recordBatchOf(await messageOf(header(body, { attributes: 0x08 })));
    expect(readAll(walkRecordBatch(batch, 0)).map((sent) => sent.timestampMs)).toEqual([1795223719999, 1795223719999]);
  });

  test('leaves control batches to kafkajs, from where they begin', async () => {
    const control = Buffer.concat([Buffer.alloc(3), header(body, { attributes: 0x30 })]);
    expect(await decode(decoderOf(control, 3))).toEqual({ original: 3 });
  });

  test('gives no message for a batch that compaction has emptied', async () => {
    const decoder = decoderOf(header(Buffer.alloc(0), { count: 0 }), 0);
    expect(await decode(decoder)).toMatchObject({ firstOffset: '70', lastOffsetDelta: 3, records: [] });
    expect(decoder.offset).toBe(61);
  });

  test('throws what kafkajs expects for a batch that is cut off, wherever it is cut', async () => {
    const whole = header(body, {});
    for (let length = 0; length < whole.length; length++) {
      const decoder = decoderOf(whole.subarray(0, length), 0);
      await expect(decode(decoder)).rejects.toBeInstanceOf(Partial);
      expect(decoder.offset).toBe(0);
    }
  });

  test('tells a message in an old format from a whole batch', () => {
    expect(isBatchMessage({ offset: '1', key: null, value: Buffer.from('v'), headers: {} })).toBe(false);
  });
});
