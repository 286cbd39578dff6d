/** Kafka as the tests look at it: plain kafkajs, without anything of the service. */
import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, Partitioners, type Admin, type Message } from 'kafkajs';
import { waitFor } from './wait-for';

/** A record as Kafka holds it. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** The members of an envelope that the tests look at. */
export interface Envelope {
  readonly op: string;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly ts_us: number;
  readonly source: {
    readonly schema: string;
    readonly table: string;
    readonly ts_us: number;
    readonly txId: number | null;
    readonly lsn: number | null;
    readonly sequence: string | null;
  };
  readonly transaction?: { readonly total_order: number } | null;
}

export interface Topics {
  /** Every committed record of the topics, in the order of their offsets. */
  read(topics: readonly string[]): Promise<TopicRecord[]>;
  names(prefix: string): Promise<string[]>;
  produce(topic: string, messages: Message[]): Promise<void>;
  /** Commits an offset with metadata for a group that has no members. The topic must hold a record at or after it. */
  commit(groupId: string, at: { topic: string; partition: number; offset: number; metadata: string }): Promise<void>;
  readonly admin: Admin;
  close(): Promise<void>;
}

export async function openTopics(brokers: string): Promise<Topics> {
  const kafka = new Kafka({
    clientId: 'tests',
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
  const admin = kafka.admin();
  await admin.connect();

  /** A control record (the end of a transaction) is the last of most partitions, and no consumer gets to see it. */
  const read = async (topics: readonly string[]): Promise<TopicRecord[]> => {
    const ends = new Map<string, number>();
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        if (Number(high) > Number(low)) ends.set(`${partition}@${topic}`, Number(high));
      }
    }
    if (ends.size === 0) return [];
    const records: TopicRecord[] = [];
    const seen = new Map<string, number>();
    let quietSince = performance.now();
    const consumer = kafka.consumer({ groupId: `tests-${randomBytes(6).toString('hex')}`, maxWaitTimeInMs: 100 });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: ({ batch: { topic, partition, messages } }) => {
          quietSince = performance.now();
          for (const { offset, key, value } of messages) {
            records.push({ topic, partition, offset: Number(offset), key, value });
          }
          seen.set(`${partition}@${topic}`, Number(messages.at(-1)?.offset ?? -1));
          return Promise.resolve();
        },
      });
      const all = (): boolean => [...ends].every(([at, end]) => (seen.get(at) ?? -1) >= end - 2);
      // Several control records in a row (aborted transactions) can end a partition too: then quiet has to do.
      const quiet = (): boolean => seen.size > 0 && performance.now() - quietSince > 3_000;
      await waitFor(() => all() || quiet(), 'the topics are read to their end', 60_000);
    } finally {
      await consumer.disconnect();
    }
    return records.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.offset - b.offset);
  };

  return {
    admin,
    read,
    async names(prefix) {
      return (await admin.listTopics()).filter(
        (topic) => topic.startsWith(`${prefix}.`) || topic.endsWith(`.${prefix}`),
      );
    },
    async produce(topic, messages) {
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      try {
        await producer.send({ topic, messages });
      } finally {
        await producer.disconnect();
      }
    },
    async commit(groupId, { topic, partition, offset, metadata }) {
      // kafkajs commits metadata only through a batch.
      const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
      const done = Promise.withResolvers<undefined>();
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatch: (payload) => {
            // kafkajs's types do not know the metadata; kafkajs sends it.
            const partitions = [{ partition, offset: String(offset), metadata }];
            return payload
              .commitOffsetsIfNecessary({ topics: [{ topic, partitions }] })
              .then(() => done.resolve(undefined), done.reject);
          },
        });
        consumer.seek({ topic, partition, offset: String(offset) });
        await done.promise;
      } finally {
        await consumer.disconnect();
      }
    },
    close: () => admin.disconnect(),
  };
}

/** The envelope of a change of a source table, else null: heartbeats, transactions, messages, tombstones, signals, garbage. */
export function changeOf({ value }: TopicRecord): Envelope | null {
  if (value === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || !('op' in parsed) || !('source' in parsed)) return null;
  const envelope = parsed as Envelope;
  const isChange = ['c', 'u', 'd', 'r', 't'].includes(envelope.op);
  return isChange && envelope.source.table !== 'debezium_signal' ? envelope : null;
}
