/** Topics written without Debezium, in its form, where a shape is measured that would take hours to come by otherwise. */
import { Kafka, logLevel, Partitioners, CompressionTypes, type Message } from 'kafkajs';
import type { BenchParts } from './bench-parts';

/** One or many tables of a shape, and the changes of each. */
export interface Shape {
  readonly prefix: string;
  readonly tables: number;
  readonly partitions: number;
  /** Beside the key: text columns of `bytes` in all. */
  readonly columns: number;
  readonly bytes: number;
}

/** What each change is: `c` and `r` bring new keys, `u` comes with the key alone, as with DEFAULT identity. */
export interface Changes {
  readonly op: 'c' | 'r' | 'u';
  readonly count: number;
  /** The key of the n-th change. */
  readonly key: (n: number) => number;
}

const BATCH = 500;

export function tableOf(n: number): string {
  return `cost_${n}`;
}

export async function createSources(
  { postgres }: BenchParts,
  { tables, columns }: Shape,
  identity: 'FULL' | 'DEFAULT',
): Promise<void> {
  const names = Array.from({ length: columns }, (_, n) => `c${n} text`);
  for (let n = 0; n < tables; n++) {
    await postgres.query(
      `DROP TABLE IF EXISTS ${tableOf(n)}; CREATE TABLE ${tableOf(n)} (${['id bigint PRIMARY KEY', ...names].join(', ')}); ` +
        `ALTER TABLE ${tableOf(n)} REPLICA IDENTITY ${identity}`,
    );
  }
}

export interface SyntheticTopics {
  create(): Promise<void>;
  /** Appends changes to every table's topic; offsets and positions go on where the last call ended. */
  append(changes: Changes): Promise<void>;
  remove(): Promise<void>;
}

export async function openSynthetic({ env }: BenchParts, shape: Shape): Promise<SyntheticTopics> {
  const kafka = new Kafka({ clientId: 'benchmarks', brokers: env.KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  const names = Array.from({ length: shape.tables }, (_, n) => `${shape.prefix}.public.${tableOf(n)}`);
  let lsn = 1_000_000;
  const produce = async (changes: Changes): Promise<void> => {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: false });
    await producer.connect();
    for (let from = 0; from < changes.count; from += BATCH) {
      const count = Math.min(BATCH, changes.count - from);
      for (const [n, topic] of names.entries()) {
        const messages = Array.from({ length: count }, (_, i) =>
          message(shape, n, changes, { n: from + i, lsn: (lsn += 8) }),
        );
        await producer.send({ topic, messages, acks: 1, compression: CompressionTypes.None });
      }
    }
    await producer.disconnect();
  };
  return {
    async create() {
      const topics = names.map((topic) => ({
        topic,
        numPartitions: shape.partitions,
        configEntries: [{ name: 'retention.ms', value: '-1' }],
      }));
      await admin.createTopics({ topics, waitForLeaders: true });
    },
    append: produce,
    async remove() {
      const there = await admin.listTopics();
      const ours = there.filter((topic) => topic.startsWith(`${shape.prefix}.`));
      if (ours.length > 0) await admin.deleteTopics({ topics: ours });
      await admin.disconnect();
    },
  };
}

function message(shape: Shape, table: number, changes: Changes, at: { n: number; lsn: number }): Message {
  const id = changes.key(at.n);
  const width = Math.max(1, Math.floor(shape.bytes / Math.max(1, shape.columns)));
  const values = Array.from({ length: shape.columns }, (_, n) => [`c${n}`, filler(at.n + n, width)] as const);
  const us = 1_795_000_000_000_000 + at.lsn;
  return {
    key: `{"id":${id}}`,
    value: JSON.stringify({
      before: null,
      after: { id, ...Object.fromEntries(values) },
      source: {
        ...{ version: '3.7.0.Final', connector: 'postgresql', name: shape.prefix, ts_ms: Math.floor(us / 1_000) },
        ...{ snapshot: changes.op === 'r' ? 'true' : null, db: 'bench', sequence: `["${at.lsn - 4}","${at.lsn}"]` },
        ...{
          ts_us: changes.op === 'r' ? 1_795_000_000_000_000 : us,
          ts_ns: us * 1_000,
          schema: 'public',
          table: tableOf(table),
        },
        ...{ txId: 700, lsn: changes.op === 'r' ? 1_000 : at.lsn, xmin: null, origin: null, origin_lsn: null },
      },
      transaction: null,
      op: changes.op,
      ...{ ts_ms: Math.floor(us / 1_000), ts_us: us, ts_ns: us * 1_000 },
    }),
  };
}

const TEXT = 'the quick brown fox jumps over the lazy dog, "again" and again; ';

function filler(n: number, width: number): string {
  return `${n} ${TEXT.repeat(Math.ceil(width / TEXT.length))}`.slice(0, width);
}
