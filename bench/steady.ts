/** Changes at a steady rate through all the parts, and how long each took until it was in the view; every clock is this machine's. */
import { setTimeout as pause } from 'node:timers/promises';
import { applyConnector, deleteConnector } from '../src/connect/connector';
import { openReader } from '../src/kafka/reader';
import { waitFor } from '../test/harness/wait-for';
import type { BenchParts } from './bench-parts';
import { startService } from './contender-ours';
import { cpuSeconds, rss } from './process-cost';
import { percentile } from './statistics';
import { clearTarget, targetOf, type Target } from './target-tables';
import { connectorSettings, readerOptions, removeTopics } from './topics';

const TABLE = 'latency';
const PREFIX = 'bench_latency';
const TICK_MS = 10;
/** Between two looks, ms; in a run of an hour the looks must not be most of what is done. */
const POLL_MS = { short: 5, long: 500 } as const;
const LONG_SECONDS = 600;
const SAMPLE_MS = 1_000;

export const STAGES = [
  'commit to Debezium',
  'Debezium to Kafka',
  'Kafka to block',
  'block to view',
  'commit to view',
] as const;
type Stage = (typeof STAGES)[number];

export interface RateResult {
  readonly rate: number;
  readonly changes: number;
  /** Milliseconds. */
  readonly stages: Readonly<Record<Stage, { p50: number; p95: number; p99: number; most: number }>>;
  /** Share of one core that the service used. */
  readonly serviceCpu: number;
  /** The service's resident set: medians of the first, the middle and the last tenth of the time, and the most. */
  readonly mib: Readonly<Record<'first' | 'middle' | 'last' | 'most', number>>;
  /** Parts that inserts made, each second; what merges make of them is not counted. */
  readonly newParts: Readonly<Record<'changes' | 'mirror', number>>;
}

const HELD = ['MiB at first', 'in the middle', 'at last', 'most'] as const;
export const COST_HEAD = ['changes/s', 'service CPU', ...HELD, 'new parts/s: changes', 'mirror'] as const;

/** What a rate costs, a cell for each of `COST_HEAD`. */
export function costCells({ rate, serviceCpu, mib, newParts }: RateResult): string[] {
  return [
    String(rate),
    `${(serviceCpu * 100).toFixed(0)} %`,
    ...[mib.first, mib.middle, mib.last, mib.most].map((one) => one.toFixed(0)),
    newParts.changes.toFixed(1),
    newParts.mirror.toFixed(1),
  ];
}

/** A row became visible not later than `at`, ms since the epoch: the first look that showed it had ended then. */
interface Look {
  readonly at: number;
  readonly last: number;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

/** Commits `rate` rows a second, a transaction every 10 ms, and looks at the view all the time. */
export async function runRate(
  parts: BenchParts,
  { target, pid }: SteadyService,
  of: { rate: number; seconds: number },
): Promise<RateResult> {
  const { postgres, clickhouse } = parts;
  const [before] = await postgres.query<{ last: string | null }>(`SELECT max(id) AS last FROM ${TABLE}`);
  const first = Number(before?.last ?? 0) + 1;
  const looks: Look[] = [];
  const looking = new AbortController();
  const lookAll = async (): Promise<void> => {
    let last = first - 1;
    while (!looking.signal.aborted) {
      const [row] = await clickhouse.query<{ last: string }>(
        `SELECT max(id) AS last FROM ${target.view} WHERE id > ${last}`,
      );
      const found = Number(row?.last ?? 0);
      if (found > last) looks.push({ at: nowMs(), last: (last = found) });
      await pause(of.seconds < LONG_SECONDS ? POLL_MS.short : POLL_MS.long);
    }
  };
  const looker = lookAll();
  const held: number[] = [];
  const sampler = setInterval(() => held.push(rss(pid) / 2 ** 20), SAMPLE_MS);
  const partsBefore = await partNumbers(parts, target);
  const cpuBefore = cpuSeconds(pid);
  const startedAt = performance.now();
  let made = 0;
  while (performance.now() - startedAt < of.seconds * 1_000) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * of.rate);
    if (due > made) {
      await postgres.query(
        `INSERT INTO ${TABLE} SELECT n, 'row ' || n FROM generate_series(${first + made}, ${first + due - 1}) n`,
      );
      made = due;
    }
    await pause(TICK_MS);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const serviceCpu = (cpuSeconds(pid) - cpuBefore) / seconds;
  await waitFor(() => (looks.at(-1)?.last ?? 0) >= first + made - 1, 'every row is visible', 120_000);
  looking.abort();
  await looker;
  clearInterval(sampler);
  const partsAfter = await partNumbers(parts, target);
  const newParts = {
    changes: (partsAfter.changes - partsBefore.changes) / seconds,
    mirror: (partsAfter.mirror - partsBefore.mirror) / seconds,
  };
  const stages = await stagesOf(parts, target, { first, last: first + made - 1, looks });
  return { rate: of.rate, changes: made, stages, serviceCpu, mib: memoryOver(held), newParts };
}

function memoryOver(held: readonly number[]): RateResult['mib'] {
  const tenth = Math.ceil(held.length / 10);
  const middle = (held.length - tenth) >> 1;
  return {
    first: percentile(held.slice(0, tenth), 0.5),
    middle: percentile(held.slice(middle, middle + tenth), 0.5),
    last: percentile(held.slice(-tenth), 0.5),
    most: percentile(held, 1),
  };
}

/** ClickHouse numbers the parts of inserts one by one. */
async function partNumbers(parts: BenchParts, target: Target): Promise<{ changes: number; mirror: number }> {
  const of = async (table: string): Promise<number> => {
    const [row] = await parts.clickhouse.query<{ n: string }>(
      `SELECT sum(n) AS n FROM (SELECT max(max_block_number) AS n FROM system.parts
       WHERE concat(database, '.', table) = replaceAll('${table}', '\`', '') GROUP BY partition_id)`,
    );
    return Number(row?.n ?? 0);
  };
  return { changes: await of(target.changes), mirror: await of(target.mirror) };
}

interface AuditTimes {
  readonly id: string;
  readonly offset: string;
  readonly ts: string;
  readonly captured: string;
  readonly ingested: string;
}

async function stagesOf(
  parts: BenchParts,
  target: Target,
  { first, last, looks }: { first: number; last: number; looks: readonly Look[] },
): Promise<RateResult['stages']> {
  const rows = await parts.clickhouse.query<AuditTimes>(
    `SELECT JSONExtractUInt(key, 'id') AS id, offset, toUnixTimestamp64Micro(ts) AS ts,
       toUnixTimestamp64Micro(captured_at) AS captured, toUnixTimestamp64Milli(ingested_at) AS ingested
     FROM ${target.changes} WHERE table = '${TABLE}' AND id BETWEEN ${first} AND ${last} ORDER BY id`,
  );
  const stored = await timestampsOf(parts);
  const times: Record<Stage, number[]> = {
    'commit to Debezium': [],
    'Debezium to Kafka': [],
    'Kafka to block': [],
    'block to view': [],
    'commit to view': [],
  };
  let look = 0;
  for (const row of rows) {
    while (look < looks.length - 1 && (looks[look]?.last ?? 0) < Number(row.id)) look++;
    const visible = looks[look]?.at ?? NaN;
    const committed = Number(row.ts) / 1_000;
    const captured = Number(row.captured) / 1_000;
    const inKafka = stored.get(Number(row.offset)) ?? NaN;
    times['commit to Debezium'].push(captured - committed);
    times['Debezium to Kafka'].push(inKafka - captured);
    times['Kafka to block'].push(Number(row.ingested) - inKafka);
    times['block to view'].push(visible - Number(row.ingested));
    times['commit to view'].push(visible - committed);
  }
  const percentiles = (values: number[]): { p50: number; p95: number; p99: number; most: number } => ({
    p50: percentile(values, 0.5),
    p95: percentile(values, 0.95),
    p99: percentile(values, 0.99),
    most: percentile(values, 1),
  });
  return Object.fromEntries(STAGES.map((stage) => [stage, percentiles(times[stage])])) as RateResult['stages'];
}

/** When Connect handed each record to Kafka, by offset. */
async function timestampsOf({ env }: BenchParts): Promise<Map<number, number>> {
  const topic = `${PREFIX}.public.${TABLE}`;
  const reader = openReader(readerOptions(env.KAFKA_BROKERS));
  const found = new Map<number, number>();
  const ranges = (await reader.bounds(topic)).map(({ partition, low, high }) => ({
    topic,
    partition,
    from: low,
    to: high,
  }));
  await reader.read(
    ranges,
    ({ offset, timestampMs }) => {
      found.set(offset, timestampMs);
      return 'go on';
    },
    new AbortController().signal,
  );
  await reader.close();
  return found;
}

/** The running service, with the table that changes. */
export interface SteadyService {
  readonly pid: number;
  readonly target: Target;
}

/** Connector, table and service, the first row visible; all of it is removed afterwards. */
export async function withSteadyService(
  parts: BenchParts,
  settings: Readonly<Record<string, string>>,
  act: (service: SteadyService) => Promise<void>,
): Promise<void> {
  const { postgres, env, clickhouse } = parts;
  // One partition, so that rows become visible in the order of their ids.
  const connector = { ...connectorSettings(parts, PREFIX), TOPIC_PARTITIONS: '1' };
  const target = targetOf('latency', TABLE);
  const at = { connectUrl: env.CONNECT_URL, settings: connector, postgres, log: (): void => undefined };
  try {
    await deleteConnector(at);
    // Its records have the same ids as those to come.
    await removeTopics(env.KAFKA_BROKERS, PREFIX);
    await clearTarget(clickhouse, target);
    await postgres.query(
      `DROP TABLE IF EXISTS ${TABLE}; CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, note text); ALTER TABLE ${TABLE} REPLICA IDENTITY FULL`,
    );
    const capture = { kind: 'tables', include: [`public.${TABLE}`], exclude: [] } as const;
    await applyConnector({ ...at, profile: 'json', capture });
    const service = startService(parts, {
      KAFKA_GROUP_ID: `${PREFIX}-${Date.now()}`,
      TOPIC_PREFIX: PREFIX,
      CH_DATABASE: target.databases.views,
      ...settings,
    });
    try {
      await postgres.query(`INSERT INTO ${TABLE} VALUES (1, 'the first')`);
      const seen = async (): Promise<boolean> =>
        (await clickhouse.query(`SELECT 1 FROM ${target.view} WHERE id = 1`)).length > 0;
      await waitFor(seen, 'the first row is visible', 120_000);
      await pause(3_000);
      await act({ pid: service.pid ?? -1, target });
    } finally {
      await service.stop();
    }
  } finally {
    await deleteConnector(at);
    await clearTarget(clickhouse, target);
  }
}
