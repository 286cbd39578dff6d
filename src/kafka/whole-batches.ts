/** Makes kafkajs hand over whole record batches, and turns what it delivers into chunks. The second half of the door to kafkajs. */
import { createRequire } from 'node:module';
import type { Batch } from 'kafkajs';
import type { RecordChunk } from '../model';
import {
  isBatchMessage,
  joinCursors,
  recordBatchOf,
  wholeRecordBatches,
  type BatchDecoder,
  type KafkajsInternals,
} from './record-batch';

const DECODER = 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
let patched = false;

/**
 * Replaces kafkajs's record-batch decoder for this process, once. kafkajs 2.2.4 has no `exports` map, is pinned, and
 * decodes each header of each record into an object otherwise: nine seconds of CPU instead of one and a half for 1.8 M
 * records (docs/adr/0003-whole-record-batches.md).
 */
export function handOverWholeBatches(): void {
  if (patched) return;
  const load = createRequire(__filename);
  const path = load.resolve(DECODER);
  const original = load(path) as BatchDecoder;
  const { KafkaJSPartialMessageError } = load('kafkajs/src/errors.js') as {
    KafkaJSPartialMessageError: KafkajsInternals['partialMessageError'];
  };
  const { lookupCodecByAttributes } = load('kafkajs/src/protocol/message/compression/index.js') as {
    lookupCodecByAttributes: KafkajsInternals['lookupCodec'];
  };
  const module = load.cache[path];
  if (module === undefined) throw new Error(`${DECODER} is not where kafkajs 2.2.4 has it`);
  module.exports = wholeRecordBatches({
    original,
    partialMessageError: KafkaJSPartialMessageError,
    lookupCodec: lookupCodecByAttributes,
  });
  patched = true;
}

/** The records of a batch that kafkajs delivered, aborted transactions and control records left out. */
export function toChunk(batch: Batch, epoch: number): RecordChunk {
  const firstOffset = Number((batch as Batch & { fetchedOffset: string }).fetchedOffset);
  const batches = batch.messages.filter(isBatchMessage).map(recordBatchOf);
  const nextOffset = Number(batch.lastOffset()) + 1;
  return {
    topic: batch.topic,
    partition: batch.partition,
    epoch,
    firstOffset,
    nextOffset,
    behind: Math.max(0, Number(batch.highWatermark) - nextOffset),
    records: () => joinCursors(batches, firstOffset),
  };
}
