/** Reads ranges of offsets beside the service, in a group of its own that commits nothing. Part of the door to kafkajs. */
import { randomUUID } from 'node:crypto';
import { ConfigResourceTypes, type Kafka } from 'kafkajs';
import { ServiceError } from '../errors';
import type { RecordCursor, TopicPartition } from '../model';
import { adminRequests, createKafka, unreachable, type KafkaOptions } from './client';
import type { Bounds } from './log';
import { handOverWholeBatches, toChunk } from './whole-batches';

/** Some offsets of a partition; `to` null: without end. */
export interface ReadRange extends TopicPartition {
  readonly from: number;
  readonly to: number | null;
}

export interface ReadRecord extends TopicPartition {
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Empty for a null value. Valid until the visit returns, as the key and the headers are. */
  readonly value: Uint8Array;
  /** null for a tombstone's value, and for a null key. */
  readonly parts: RecordParts;
}

export interface Retention {
  readonly ms: number | null;
  readonly bytes: number | null;
  /** Kafka drops whole segments: a record may stay this much longer. */
  readonly segmentMs: number | null;
}

export interface RecordParts {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Their count and all, undecoded. */
  readonly headers: Uint8Array;
}

export interface KafkaReader {
  topics(): Promise<string[]>;
  bounds(topic: string): Promise<Bounds[]>;
  /** By partition: the first offset whose record is not older than `ms` since the epoch, the end where there is none. */
  offsetsAt(topic: string, ms: number): Promise<Map<number, number>>;
  /** Offsets that `groupId` of the options committed; null where there is none. */
  committed(topics: readonly string[]): Promise<(TopicPartition & { offset: number | null })[]>;
  memberCount(): Promise<number>;
  /** How long a topic keeps records; null where it keeps them for ever, or by size alone. */
  retention(topic: string): Promise<Retention>;
  /**
   * Shows the visible records of some ranges, each partition's in order, until every range was read to its end, `visit`
   * returns 'stop', or the signal aborts (which is no error). Control records and aborted transactions are passed over.
   */
  read(
    ranges: readonly ReadRange[],
    visit: (record: ReadRecord) => 'go on' | 'stop',
    signal: AbortSignal,
  ): Promise<void>;
  close(): Promise<void>;
}

/** Connects at the first request. Every request throws KAFKA_UNREACHABLE where the brokers do not answer. */
export function openReader(options: KafkaOptions): KafkaReader {
  handOverWholeBatches();
  const kafka = createKafka(options, () => undefined);
  const requests = adminRequests(kafka, options);
  const { ask } = requests;

  return {
    topics: () => ask((client) => client.listTopics()),
    async bounds(topic) {
      const found = await ask((client) => client.fetchTopicOffsets(topic));
      return found.map(({ partition, low, high }) => ({ topic, partition, low: Number(low), high: Number(high) }));
    },
    async offsetsAt(topic, ms) {
      const found = await ask((client) => client.fetchTopicOffsetsByTimestamp(topic, ms));
      return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
    },
    async committed(topics) {
      if (topics.length === 0) return [];
      const answers = await ask((client) => client.fetchOffsets({ groupId: options.groupId, topics: [...topics] }));
      return answers.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => ({
          topic,
          partition,
          offset: Number(offset) < 0 ? null : Number(offset),
        })),
      );
    },
    async retention(topic) {
      const configNames = ['retention.ms', 'retention.bytes', 'segment.ms'];
      const { resources } = await ask((client) =>
        client.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames }],
        }),
      );
      const values = new Map(
        resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
      );
      const limit = (name: string): number | null => {
        const value = Number(values.get(name) ?? -1);
        return value < 0 ? null : value;
      };
      return { ms: limit('retention.ms'), bytes: limit('retention.bytes'), segmentMs: limit('segment.ms') };
    },
    async memberCount() {
      const { groups } = await ask((client) => client.describeGroups([options.groupId]));
      return groups[0]?.members.length ?? 0;
    },
    async read(ranges, visit, signal) {
      const open = new Map(
        ranges.filter(({ from, to }) => to === null || from < to).map((range) => [nameOf(range), range]),
      );
      if (open.size === 0 || signal.aborted) return;
      await readRanges({ kafka, options, open, visit, signal });
    },
    close: () => requests.close(),
  };
}

interface Reading {
  readonly kafka: Kafka;
  readonly options: KafkaOptions;
  readonly open: Map<string, ReadRange>;
  readonly visit: (record: ReadRecord) => 'go on' | 'stop';
  readonly signal: AbortSignal;
}

async function readRanges({ kafka, options, open, visit, signal }: Reading): Promise<void> {
  const groupId = `${options.groupId}-reader-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 200,
    maxBytesPerPartition: 4 << 20,
    retry: { retries: 3, restartOnFailure: () => Promise.resolve(false) },
  });
  const finished = Promise.withResolvers<null>();
  const end = (): void => finished.resolve(null);
  const passed = (of: TopicPartition, next: number): void => {
    const range = open.get(nameOf(of));
    if (range === undefined || range.to === null || next < range.to) return;
    open.delete(nameOf(of));
    consumer.pause([{ topic: of.topic, partitions: [of.partition] }]);
    if (open.size === 0) end();
  };
  consumer.on(consumer.events.CRASH, ({ payload }) => finished.reject(unreachable(options, payload.error)));
  // Batches of control records alone never reach `eachBatch`; this event tells that they were passed.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => passed(payload, Number(payload.lastOffset) + 1));
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
      for (const partition of partitions) {
        const range = open.get(nameOf({ topic, partition }));
        if (range === undefined) consumer.pause([{ topic, partitions: [partition] }]);
        else consumer.seek({ topic, partition, offset: String(range.from) });
      }
    }
  });
  signal.addEventListener('abort', end, { once: true });
  try {
    await consumer.connect();
    await consumer.subscribe({
      topics: [...new Set([...open.values()].map(({ topic }) => topic))],
      fromBeginning: true,
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: (payload) => {
        const { batch } = payload;
        const range = open.get(nameOf(batch));
        if (range === undefined || payload.isStale()) return Promise.resolve();
        const records = toChunk(batch, 0).records();
        while (records.next()) {
          const { offset, timestampMs } = records;
          if (offset < range.from || (range.to !== null && offset >= range.to)) continue;
          const parts = partsOf(records);
          const value = parts.value ?? new Uint8Array(0);
          if (visit({ topic: batch.topic, partition: batch.partition, offset, timestampMs, value, parts }) === 'stop') {
            open.clear();
            end();
            break;
          }
        }
        return Promise.resolve();
      },
    });
    await finished.promise;
  } catch (cause) {
    throw cause instanceof ServiceError ? cause : unreachable(options, cause);
  } finally {
    signal.removeEventListener('abort', end);
    finished.promise.catch(() => undefined);
    await consumer.disconnect().catch(() => undefined);
  }
}

function partsOf(cursor: RecordCursor): RecordParts {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = cursor;
  const range = (start: number, end: number): Uint8Array | null => (start < 0 ? null : bytes.subarray(start, end));
  return {
    key: range(keyStart, keyEnd),
    value: range(valueStart, valueEnd),
    headers: bytes.subarray(headersStart, headersEnd),
  };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${partition}@${topic}`;
}
