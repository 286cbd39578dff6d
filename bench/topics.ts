/** Makes the topics of the benchmarks through the real PostgreSQL and Debezium, once, and keeps them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyConnector, deleteConnector } from '../src/connect/connector';
import type { Profile } from '../src/connect/profile';
import { adminRequests, createKafka } from '../src/kafka/client';
import { openReader } from '../src/kafka/reader';
import { waitFor } from '../test/harness/wait-for';
import type { BenchParts } from './bench-parts';
import { BENCH_DIR } from './bench-settings';
import { createTable, makeChanges, TABLE } from './workload';

/** A topic that was made, and what it holds. */
export interface BenchTopic {
  readonly wire: Profile;
  readonly prefix: string;
  readonly topic: string;
  readonly partitions: number;
  /** Of values that are changes; tombstones are records too. */
  readonly changes: number;
  readonly records: number;
  /** Rows of the source when all changes were made. */
  readonly rows: number;
  readonly averageBytes: number;
}

const PARTITIONS = 2;
const FACTS = join(BENCH_DIR, 'topics.json');

/** The topic of about this many changes over this wire: the one made before, or a new one. */
export async function ensureTopic(
  parts: BenchParts,
  { wire, changes }: { wire: Profile; changes: number },
  log: (line: string) => void,
): Promise<BenchTopic> {
  const prefix = `bench_${wire.replace('-', '_')}_${changes}`; // one topic for each size, so that none is thrown away
  const found = readFacts().find((one) => one.prefix === prefix);
  if (found !== undefined) return found;
  log(`making ${changes} changes of ${wire} through PostgreSQL and Debezium, once`);
  const made = await makeTopic(parts, { wire, changes, prefix }, log);
  mkdirSync(BENCH_DIR, { recursive: true });
  writeFileSync(FACTS, JSON.stringify([...readFacts(), made], null, 2));
  return made;
}

function readFacts(): BenchTopic[] {
  return existsSync(FACTS) ? (JSON.parse(readFileSync(FACTS, 'utf8')) as BenchTopic[]) : [];
}

/** The settings of a connector for this prefix; its source is the parts' PostgreSQL. */
export function connectorSettings(parts: BenchParts, prefix: string): Record<string, string> {
  const { pgUrl } = parts;
  return {
    CONNECTOR_NAME: prefix,
    TOPIC_PREFIX: prefix,
    SLOT_NAME: prefix,
    PUBLICATION_NAME: prefix,
    TOPIC_PARTITIONS: String(PARTITIONS),
    TOPIC_RETENTION_MS: '-1',
    HEARTBEAT_MS: '1000',
    PG_HOST: pgUrl.hostname,
    PG_PORT: pgUrl.port,
    PG_USER: decodeURIComponent(pgUrl.username),
    PG_PASSWORD: decodeURIComponent(pgUrl.password),
    PG_DATABASE: pgUrl.pathname.slice(1),
    ...(parts.env.REGISTRY_URL === undefined ? {} : { REGISTRY_URL: parts.env.REGISTRY_URL }),
  };
}

async function makeTopic(
  parts: BenchParts,
  { wire, changes, prefix }: { wire: Profile; changes: number; prefix: string },
  log: (line: string) => void,
): Promise<BenchTopic> {
  const { postgres, env } = parts;
  const settings = connectorSettings(parts, prefix);
  const quiet = (): void => undefined;
  await deleteConnector({ connectUrl: env.CONNECT_URL, settings, postgres, log: quiet });
  await removeTopics(env.KAFKA_BROKERS, prefix);
  await createTable(postgres);
  const capture = { kind: 'tables', include: [`public.${TABLE}`], exclude: [] } as const;
  await applyConnector({ connectUrl: env.CONNECT_URL, profile: wire, settings, postgres, capture, log: quiet });
  // The snapshot must be over: rows that are inserted before would be read twice, as r and as c.
  await waitFor(() => slotIsActive(parts, prefix), 'the connector streams', 60_000);
  let told = 0;
  await makeChanges(postgres, changes, (done) => {
    if (done < told + changes / 10) return;
    told = done;
    log(`  ${done} changes`);
  });
  // The changes are committed without waiting for the log: what is not yet written of it is behind pg_current_wal_lsn().
  await postgres.query(
    `SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'bench', 'all changes are made')`,
  );
  const [end] = await postgres.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  await waitFor(
    async () => {
      const [slot] = await postgres.query<{ passed: boolean }>(
        `SELECT confirmed_flush_lsn >= '${end?.lsn ?? '0/0'}' AS passed FROM pg_replication_slots WHERE slot_name = '${prefix}'`,
      );
      return slot?.passed;
    },
    'Debezium has passed on every change',
    3_600_000,
  );
  await deleteConnector({ connectUrl: env.CONNECT_URL, settings, postgres, log: quiet });
  const [left] = await postgres.query<{ n: string }>(`SELECT count(*) AS n FROM ${TABLE}`);
  return countTopic(env.KAFKA_BROKERS, { wire, prefix, rows: Number(left?.n) });
}

/** What an earlier run left. */
export async function removeTopics(brokers: string, prefix: string): Promise<void> {
  const options = readerOptions(brokers);
  const requests = adminRequests(
    createKafka(options, () => undefined),
    options,
  );
  const topics = await requests.ask((admin) => admin.listTopics());
  const left = topics.filter((topic) => topic.startsWith(`${prefix}.`) || topic.endsWith(`.${prefix}`));
  if (left.length > 0) await requests.ask((admin) => admin.deleteTopics({ topics: left }));
  // Debezium would write its first changes into what is still being removed.
  await waitFor(
    async () => !(await requests.ask((admin) => admin.listTopics())).some((topic) => left.includes(topic)),
    'the topics of an earlier run are gone',
    60_000,
  );
  await requests.close();
}

async function slotIsActive({ postgres }: BenchParts, slot: string): Promise<boolean> {
  const rows = await postgres.query(
    `SELECT 1 FROM pg_replication_slots WHERE slot_name = '${slot}' AND active AND confirmed_flush_lsn IS NOT NULL`,
  );
  const streaming = await postgres.query(`SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'`);
  return rows.length > 0 && streaming.length > 0;
}

async function countTopic(brokers: string, of: Pick<BenchTopic, 'wire' | 'prefix' | 'rows'>): Promise<BenchTopic> {
  const topic = `${of.prefix}.public.${TABLE}`;
  const reader = openReader(readerOptions(brokers));
  let changes = 0;
  let records = 0;
  let bytes = 0;
  let partitions = 0;
  try {
    const bounds = await reader.bounds(topic);
    partitions = bounds.length;
    await reader.read(
      bounds.map(({ partition, low, high }) => ({ topic, partition, from: low, to: high })),
      ({ value }) => {
        records++;
        if (value.length > 0) changes++;
        bytes += value.length;
        return 'go on';
      },
      new AbortController().signal,
    );
  } finally {
    await reader.close();
  }
  return { ...of, topic, partitions, changes, records, averageBytes: Math.round(bytes / changes) };
}

export function readerOptions(brokers: string): Parameters<typeof openReader>[0] {
  return {
    brokers: brokers.split(','),
    clientId: 'benchmarks',
    groupId: 'benchmarks',
    sessionTimeoutMs: 30_000,
    holdMs: 60_000,
    tls: null,
    sasl: null,
  };
}
