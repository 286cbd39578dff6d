/** Runs one contender over a topic, from nothing to the last row visible, and tells what it cost. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchParts } from './bench-parts';
import { cpuSeconds, machineSeconds, rss } from './process-cost';
import { clearTarget, contentsOf, targetOf, type Contents, type Target } from './target-tables';
import type { BenchTopic } from './topics';

export const CONTENDERS = ['ours', 'engine', 'plain', 'floor'] as const;
export type ContenderName = (typeof CONTENDERS)[number];

export interface Started {
  /** The process that consumes; null where ClickHouse does it itself. */
  readonly pid: number | null;
  /** Ends it, whatever became of it. */
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: ContenderName;
  /** Before the clock starts: tables, and what is prepared once. */
  prepare(parts: BenchParts, topic: BenchTopic, target: Target): Promise<void>;
  /** The clock runs from here. */
  start(parts: BenchParts, topic: BenchTopic, target: Target): Promise<Started>;
}

/** One run. Seconds are wall clock unless they say CPU; memory in bytes. */
export interface Measured {
  readonly contender: ContenderName;
  readonly seconds: number;
  readonly changesPerSecond: number;
  /** CPU seconds by process; `others` is what the rest of the machine used meanwhile. */
  readonly cpu: {
    readonly consumer: number;
    readonly clickhouse: number;
    readonly kafka: number;
    readonly others: number;
  };
  readonly consumerPeakRss: number;
  readonly clickhousePeakRss: number;
  readonly contents: Contents;
}

/** Each look costs the server a millisecond or two, which must not count against anybody. */
const POLL_MS = 100;
const DEADLINE_MS = 1_800_000;

export async function measure(contender: Contender, parts: BenchParts, topic: BenchTopic): Promise<Measured> {
  const { clickhouse } = parts;
  const target = targetOf(contender.name);
  await clearTarget(clickhouse, target);
  await contender.prepare(parts, topic, target);
  const before = costs(parts);
  const startedAt = performance.now();
  const started = await contender.start(parts, topic, target);
  try {
    const peak = { consumer: 0, clickhouse: 0 };
    while (!(await isComplete(parts, topic, target))) {
      if (performance.now() - startedAt > DEADLINE_MS) throw new Error(`${contender.name} does not come to an end`);
      if (started.pid !== null) peak.consumer = Math.max(peak.consumer, rss(started.pid));
      peak.clickhouse = Math.max(peak.clickhouse, rss(parts.pid('clickhouse')));
      await pause(POLL_MS);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const after = costs(parts);
    const consumer = started.pid === null ? 0 : cpuSeconds(started.pid);
    const cpu = { clickhouse: after.clickhouse - before.clickhouse, kafka: after.kafka - before.kafka, consumer };
    await started.stop();
    return {
      contender: contender.name,
      seconds,
      changesPerSecond: topic.changes / seconds,
      cpu: { ...cpu, others: after.machine - before.machine - cpu.clickhouse - cpu.kafka - cpu.consumer },
      consumerPeakRss: peak.consumer,
      clickhousePeakRss: peak.clickhouse,
      contents: await contentsOf(clickhouse, target),
    };
  } finally {
    await started.stop();
    await clearTarget(clickhouse, target);
  }
}

function costs(parts: BenchParts): { clickhouse: number; kafka: number; machine: number } {
  return {
    clickhouse: cpuSeconds(parts.pid('clickhouse')),
    kafka: cpuSeconds(parts.pid('kafka')),
    machine: machineSeconds(),
  };
}

/** Every change is in `changes`, and the signs of the mirror add up to the source's rows. Cheap: no row is read but signs. */
async function isComplete({ clickhouse }: BenchParts, topic: BenchTopic, target: Target): Promise<boolean> {
  const [audit] = await clickhouse.query<{ rows: string }>(
    `SELECT total_rows AS rows FROM system.tables WHERE database = '${target.databases.machinery}' AND name = 'changes'`,
  );
  if (Number(audit?.rows ?? 0) < topic.changes) return false;
  const [mirror] = await clickhouse.query<{ rows: string }>(`SELECT sum(_sign) AS rows FROM ${target.mirror}`);
  return Number(mirror?.rows ?? -1) === topic.rows;
}
