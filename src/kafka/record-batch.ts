/** Walks the records of Kafka's record batches in their bytes, and the decoder that makes kafkajs hand over those bytes. */
import { ServiceError } from '../errors';
import type { RecordCursor } from '../model';

/** The records of one batch (format 2), decompressed, and what the batch's header says of them. */
export interface RecordBatch {
  /** The records alone, without the batch's header. */
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  /** How many records `bytes` holds. */
  readonly count: number;
  /** Milliseconds since the epoch; each record's timestamp counts from it. */
  readonly firstTimestampMs: number;
  /** The timestamp of every record where the topic stamps them when they are appended; -1 where the producer does. */
  readonly appendTimestampMs: number;
}

/** A walk over the records of one batch from `fromOffset` on. */
export function walkRecordBatch(batch: RecordBatch, fromOffset: number): RecordCursor {
  return new BatchCursor([batch], fromOffset);
}

/** One walk over the records of many batches, given in offset order, from `fromOffset` on. */
export function joinCursors(batches: readonly RecordBatch[], fromOffset: number): RecordCursor {
  return new BatchCursor(batches, fromOffset);
}

/** Bytes of a record without key, value and headers: attributes, two deltas, two lengths, and how many headers. */
const LEAST_RECORD = 6;

/** `next()` throws KAFKA_REQUEST_FAILED where a batch's bytes contradict themselves: its records cannot be addressed, let alone read. */
class BatchCursor implements RecordCursor {
  bytes: Uint8Array = new Uint8Array();
  offset = -1;
  timestampMs = -1;
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headersStart = -1;
  headersEnd = -1;
  private readonly batches: readonly RecordBatch[];
  private readonly fromOffset: number;
  private nextBatch = 0;
  private batch: RecordBatch | undefined;
  private left = 0;
  private at = 0;

  constructor(batches: readonly RecordBatch[], fromOffset: number) {
    this.batches = batches;
    this.fromOffset = fromOffset;
  }

  next(): boolean {
    for (;;) {
      while (this.left <= 0 || this.batch === undefined) {
        const batch = this.batches[this.nextBatch++];
        if (batch === undefined) return false;
        this.batch = batch;
        this.bytes = batch.bytes;
        this.left = batch.count;
        this.at = 0;
      }
      this.left--;
      if (this.read(this.batch)) return true;
    }
  }

  /** Reads the record at `at` and moves behind it; false if it is below `fromOffset`. */
  private read(batch: RecordBatch): boolean {
    const length = this.varint();
    const end = this.at + length;
    // At the end of the bytes every length reads as 0: damaged counts of records would be walked to their end.
    if (length < LEAST_RECORD || end > this.bytes.length) throw this.broken(batch);
    this.at++; // the record's attributes, unused so far
    const timestampDelta = this.varint();
    const offset = batch.baseOffset + this.varint();
    if (offset < this.fromOffset) {
      this.at = end;
      return false;
    }
    this.offset = offset;
    this.timestampMs = batch.appendTimestampMs < 0 ? batch.firstTimestampMs + timestampDelta : batch.appendTimestampMs;
    const keyLength = this.varint();
    this.keyStart = keyLength < 0 ? -1 : this.at;
    if (keyLength > 0) this.at += keyLength;
    this.keyEnd = keyLength < 0 ? -1 : this.at;
    // A length that leads out of the bytes is read no further: the check below sees it.
    const valueLength = this.varint();
    this.valueStart = valueLength < 0 ? -1 : this.at;
    if (valueLength > 0) this.at += valueLength;
    this.valueEnd = valueLength < 0 ? -1 : this.at;
    if (this.at > end) throw this.broken(batch);
    this.headersStart = this.at;
    this.headersEnd = end;
    this.at = end;
    return true;
  }

  /** A zigzag varint or varlong; exact up to 2^53. Runs to the end of the bytes at most. */
  private varint(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = at < bytes.length ? (bytes[at++] as number) : 0;
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80 && at < bytes.length; scale *= 0x80) {
      byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
    }
    this.at = at;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  private broken(batch: RecordBatch): ServiceError {
    const message = `The record batch at offset ${String(batch.baseOffset)} is damaged: its records do not fit its length.`;
    return new ServiceError('KAFKA_REQUEST_FAILED', message, {
      place: { offset: batch.baseOffset },
      hint: 'It is fetched again. If it stays damaged, check the disk of the broker that leads the partition.',
    });
  }
}

/** What kafkajs's decoder of a batch's header notes; 64-bit numbers are decimal text, as kafkajs has them. */
export interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: number;
  readonly magicByte: number;
}

/** A whole batch in the place where kafkajs has a message. `offset` is the batch's last, so that its filters, `lastOffset()` and commits stay right. */
export interface BatchMessage {
  readonly magicByte: number;
  readonly attributes: number;
  readonly timestamp: string;
  readonly offset: string;
  readonly key: null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, never>>;
  readonly isControlRecord: false;
  readonly batchContext: BatchContext;
  readonly baseOffset: number;
  readonly count: number;
}

/** The part of kafkajs's Decoder that is used. */
export interface FetchDecoder {
  readonly buffer: Buffer;
  readonly offset: number;
  forward(bytes: number): void;
}

/** A decoder of one record batch, as kafkajs calls it. */
export type BatchDecoder = (decoder: FetchDecoder) => Promise<unknown>;

/** The pieces of kafkajs that the replacement stands on. */
export interface KafkajsInternals {
  /** kafkajs's own decoder: control batches stay with it. */
  readonly original: BatchDecoder;
  /** What kafkajs expects to be thrown for the cut-off batch at the end of a response. */
  readonly partialMessageError: new (message: string) => Error;
  /** The codec by the batch's attributes, null for no compression; throws for one that is not installed. */
  readonly lookupCodec: (attributes: number) => { decompress(compressed: Buffer): Promise<Buffer> } | null;
}

const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Bytes from the batch's start to its records, and to the end of its length field. */
const HEADER_SIZE = 61;
const LENGTH_END = 12;

/**
 * The decoder to put in the place of kafkajs's record-batch decoder: it hands over each batch as one `BatchMessage`
 * instead of decoding every record and header. `batchContext` is kept, so aborted transactions are still left out.
 */
export function wholeRecordBatches(internals: KafkajsInternals): BatchDecoder {
  // One for all: an error made for the end of each answer would note the stack each time.
  const cutOff = new internals.partialMessageError('record batch cut off');
  return (decoder) => {
    const { buffer: b, offset: o } = decoder;
    const left = b.length - o - LENGTH_END;
    const length = left < 0 ? 0 : b.readInt32BE(o + 8);
    if (left < length || length < HEADER_SIZE - LENGTH_END) {
      return Promise.reject(cutOff);
    }
    const attributes = b.readInt16BE(o + 21);
    if ((attributes & CONTROL) !== 0) return internals.original(decoder);
    decoder.forward(LENGTH_END + length);
    const baseOffset = b.readBigInt64BE(o);
    const context = contextOf(b, o, attributes);
    const count = b.readInt32BE(o + 57);
    if (count <= 0) return Promise.resolve({ ...context, records: [] });
    const stored = b.subarray(o + HEADER_SIZE, o + LENGTH_END + length);
    const codec = (attributes & COMPRESSION) === 0 ? null : internals.lookupCodec(attributes);
    const records = codec === null ? Promise.resolve(stored) : codec.decompress(stored);
    return records.then((value) => {
      const message: BatchMessage = {
        magicByte: 2,
        attributes: 0,
        timestamp: context.maxTimestamp,
        offset: (baseOffset + BigInt(context.lastOffsetDelta)).toString(),
        key: null,
        value,
        headers: {},
        isControlRecord: false,
        batchContext: context,
        baseOffset: Number(baseOffset),
        count,
      };
      return { ...context, records: [message] };
    });
  };
}

/** Whether a message of kafkajs's is a whole batch; a single message comes from a log in the formats before Kafka 0.11. */
export function isBatchMessage(message: object): message is BatchMessage {
  return 'count' in message && 'baseOffset' in message && 'batchContext' in message;
}

/** The batch in a message, to be walked. */
export function recordBatchOf(message: BatchMessage): RecordBatch {
  const { batchContext, value, baseOffset, count } = message;
  return {
    // Not as a Buffer, whose slice() is no copy: what is kept of these bytes must be one.
    bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
    baseOffset,
    count,
    firstTimestampMs: Number(batchContext.firstTimestamp),
    appendTimestampMs: batchContext.timestampType === 1 ? Number(batchContext.maxTimestamp) : -1,
  };
}

function contextOf(b: Buffer, o: number, attributes: number): BatchContext {
  return {
    firstOffset: b.readBigInt64BE(o).toString(),
    partitionLeaderEpoch: b.readInt32BE(o + 12),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
    isControlBatch: false,
    timestampType: (attributes & LOG_APPEND_TIME) === 0 ? 0 : 1,
    lastOffsetDelta: b.readInt32BE(o + 23),
    firstTimestamp: b.readBigInt64BE(o + 27).toString(),
    maxTimestamp: b.readBigInt64BE(o + 35).toString(),
    producerId: b.readBigInt64BE(o + 43).toString(),
    producerEpoch: b.readInt16BE(o + 51),
    firstSequence: b.readInt32BE(o + 53),
    magicByte: 2,
  };
}
