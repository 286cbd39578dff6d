/**
 * `make bench-cost`: what happens to the rate as work grows. DIMENSION=tables,partitions,columns,bytes,consumers,modes,lookups,parts
 * chooses, CHANGES (100000) is the size of one point, MIRROR (10000000) the largest mirror of `lookups`, MINUTES (60) how long the
 * 200 tables of `parts` change.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { runCommand } from '../test/harness/run-command';
import { waitFor } from '../test/harness/wait-for';
import { openBenchParts, type BenchParts } from './bench-parts';
import { BENCH_DIR, choiceSetting, numberSetting, say } from './bench-settings';
import { startService } from './contender-ours';
import type { Started } from './contender';
import {
  costTable,
  DIMENSIONS,
  drain,
  mostParts,
  rowsIn,
  type Dimension,
  type Drain,
  type Place,
  type Point,
} from './cost-point';
import { cpuSeconds, rss } from './process-cost';
import { commitName, machineName, writeResult } from './report';
import { createSources, openSynthetic, tableOf, type Changes, type Shape, type SyntheticTopics } from './synthetic';
import { clearTarget, targetOf, type Target } from './target-tables';

const NARROW: Omit<Shape, 'prefix'> = { tables: 1, partitions: 1, columns: 8, bytes: 200 };
const append = (count: number, from = 0): Changes => ({ op: 'c', count, key: (n) => from + n });

function service({ parts, target, prefix }: Place, more: Readonly<Record<string, string>> = {}): Started {
  return startService(parts, { ...settingsOf(target, prefix), ...more });
}

function settingsOf(target: Target, prefix: string): Record<string, string> {
  // Short waits, so that a start over what another wrote does not cost a minute.
  const waits = { GUARD_SECONDS: '10', INSERT_TIMEOUT_SECONDS: '10', KAFKA_SESSION_TIMEOUT_MS: '6000' };
  return { ...waits, KAFKA_GROUP_ID: prefix, TOPIC_PREFIX: prefix, CH_DATABASE: target.databases.views };
}

type Measure = (place: Place, topics: SyntheticTopics) => Promise<Point[]>;

/** Tables, topics and target of their own for a measurement, and nothing of them afterwards. */
async function inPlace(
  parts: BenchParts,
  shape: Omit<Shape, 'prefix'>,
  identity: 'FULL' | 'DEFAULT',
  measure: Measure,
): Promise<Point[]> {
  const prefix = `cost${Date.now()}`;
  const target = targetOf('cost', tableOf(0));
  await clearTarget(parts.clickhouse, target);
  await createSources(parts, { ...shape, prefix }, identity);
  const topics = await openSynthetic(parts, { ...shape, prefix });
  try {
    await topics.create();
    return await measure({ parts, target, prefix }, topics);
  } finally {
    await topics.remove();
    await clearTarget(parts.clickhouse, target);
  }
}

/** Everything lies in Kafka before the services start. */
async function drainPoint(
  parts: BenchParts,
  dimension: Dimension,
  of: { at: number; shape: Omit<Shape, 'prefix'>; changes: number; consumers?: number },
): Promise<Point[]> {
  const { at, shape, consumers = 1 } = of;
  const each = Math.max(1, Math.floor(of.changes / shape.tables));
  return inPlace(parts, shape, 'FULL', async (place, topics) => {
    await topics.append(append(each));
    const services = Array.from({ length: consumers }, () => service(place));
    const changes = each * shape.tables;
    try {
      return [
        await drain(place, { dimension, at: String(at), until: changes, changes, bytes: shape.bytes + 600, services }),
      ];
    } finally {
      await Promise.all(services.map((one) => one.stop()));
    }
  });
}

/** Append, snapshot rows and a replay of the same records, one after the other. */
function modes(parts: BenchParts, changes: number): Promise<Point[]> {
  const at = (name: string, until: number): Omit<Drain, 'services'> => ({
    dimension: 'modes',
    at: name,
    until,
    changes,
    bytes: NARROW.bytes + 600,
  });
  const fresh = (name: string, op: 'c' | 'r'): Promise<Point[]> =>
    inPlace(parts, NARROW, 'FULL', async (place, topics) => {
      await topics.append({ op, count: changes, key: (n) => n });
      const one = service(place);
      const points = [await drain(place, { ...at(name, changes), services: [one] }).finally(() => one.stop())];
      if (op === 'c') points.push(...(await replay(place, changes)));
      return points;
    });
  return fresh('snapshot', 'r').then(async (points) => [...points, ...(await fresh('append', 'c'))]);
}

/** The replay until it has caught up, and the mirror that is made anew after it; the clocks are those of its log. */
async function replay({ parts, target, prefix }: Place, changes: number): Promise<Point[]> {
  const before = cpuSeconds(parts.pid('clickhouse'));
  const env = { KAFKA_BROKERS: parts.env.KAFKA_BROKERS, CH_URL: parts.env.CH_URL, PG_URL: parts.pgUrl.href };
  const { code, stderr } = await runCommand({
    program: 'src/main.js',
    args: ['replay', '--from-beginning'],
    env: { ...env, ...settingsOf(target, prefix), LOG_LEVEL: 'debug' },
    cwd: BENCH_DIR,
    deadlineMs: 1_800_000,
  });
  if (code !== 0) throw new Error(`replay failed: ${stderr.slice(-500)}`);
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  const events = lines.map((line) => JSON.parse(line) as { readonly event: string; readonly ts: string });
  const last = (event: string): number => Date.parse(events.findLast((one) => one.event === event)?.ts ?? '');
  const clickhouseCpu = ((cpuSeconds(parts.pid('clickhouse')) - before) / changes) * 1e6;
  const parted = await mostParts(parts, target);
  const point = (at: string, ms: number, cpu: number): Point => ({
    dimension: 'modes',
    at,
    changes,
    changesPerSecond: (changes / ms) * 1_000,
    megabytesPerSecond: ((changes * (NARROW.bytes + 600)) / ms) * 1e-3,
    serviceCpu: NaN,
    clickhouseCpu: cpu,
    peakMiB: NaN,
    mostParts: parted,
  });
  return [
    point('replay', last('block-written') - last('partition-assigned'), NaN),
    point('rebuild after it', last('table-mirrored') - last('block-written'), clickhouseCpu),
  ];
}

/** Updates that come with the key alone, so that each block looks up the rows that stand: scattered keys, neighbours, and new keys for comparison. */
function lookUps(parts: BenchParts, changes: number, rows: number): Promise<Point[]> {
  return inPlace(parts, NARROW, 'DEFAULT', async (place, topics) => {
    const { clickhouse } = parts;
    await topics.append(append(1));
    const first = service(place);
    await waitFor(async () => (await rowsIn(parts, place.target)) === 1, 'the mirror is made', 120_000);
    await first.stop();
    const columns = Array.from({ length: NARROW.columns }, (_, n) => `toString(number + ${n}) AS c${n}`);
    await clickhouse.command(
      `INSERT INTO ${place.target.mirror} SELECT number + 10 AS id, ${columns.join(', ')}, 1 AS _sign, '${place.prefix}.public.${tableOf(0)}' AS _topic, ` +
        `0 AS _partition, 0 AS _offset, 0 AS _commit_lsn, 0 AS _lsn, now64(6) AS _commit_ts, [] AS _nulls FROM numbers(${rows})`,
    );
    await clickhouse.command(`OPTIMIZE TABLE ${place.target.mirror} FINAL`);
    const kinds: [string, Changes][] = [
      ['append', append(changes, rows + 100)],
      ['merge, neighbouring keys', { op: 'u', count: changes, key: (n) => 10 + n }],
      ['merge, scattered keys', { op: 'u', count: changes, key: (n) => 10 + ((n * 7_919_317) % rows) }],
    ];
    const points: Point[] = [];
    let until = 1;
    for (const [kind, of] of kinds) {
      await topics.append(of);
      const one = service(place);
      until += changes;
      const point = { dimension: 'lookups' as const, at: `${rows.toLocaleString('en')} rows, ${kind}`, until, changes };
      points.push(
        await drain(place, { ...point, bytes: NARROW.bytes + 600, services: [one] }).finally(() => one.stop()),
      );
      await pause(500);
    }
    return points;
  });
}

const MANY_TABLES = 200;

/** Many tables that change all the time, about once a second each: whether merges keep up with the parts of the inserts. */
function partsOfMany(parts: BenchParts, minutes: number): Promise<Point[]> {
  const shape = { ...NARROW, tables: MANY_TABLES };
  return inPlace(parts, shape, 'FULL', async (place, topics) => {
    const one = service(place);
    const points: Point[] = [];
    let key = 0;
    try {
      await topics.append(append(1, key++));
      await waitFor(async () => (await rowsIn(parts, place.target)) >= MANY_TABLES, 'every table is there', 600_000);
      for (const half of ['first half', 'second half']) {
        const startedAt = performance.now();
        const [rows, own, theirs] = [
          await rowsIn(parts, place.target),
          cpuSeconds(one.pid ?? -1),
          cpuSeconds(parts.pid('clickhouse')),
        ];
        let [most, peak] = [0, 0];
        while (performance.now() - startedAt < minutes * 30_000) {
          await topics.append(append(1, key++));
          most = Math.max(most, await mostParts(parts, place.target));
          peak = Math.max(peak, rss(one.pid ?? -1));
        }
        const seconds = (performance.now() - startedAt) / 1_000;
        const changes = (await rowsIn(parts, place.target)) - rows;
        points.push({
          dimension: 'parts',
          at: `${MANY_TABLES} tables, ${half} of ${minutes} minutes`,
          changes,
          changesPerSecond: changes / seconds,
          megabytesPerSecond: (changes * (NARROW.bytes + 600)) / seconds / 1e6,
          serviceCpu: ((cpuSeconds(one.pid ?? -1) - own) / changes) * 1e6,
          clickhouseCpu: ((cpuSeconds(parts.pid('clickhouse')) - theirs) / changes) * 1e6,
          peakMiB: peak / 2 ** 20,
          mostParts: most,
        });
      }
      return points;
    } finally {
      await one.stop();
    }
  });
}

async function pointsOf(parts: BenchParts, dimension: Dimension, changes: number): Promise<Point[]> {
  const over = async (values: readonly number[], of: (value: number) => Promise<Point[]>): Promise<Point[]> => {
    const points: Point[] = [];
    for (const value of values) {
      const found = await of(value);
      for (const { at, changesPerSecond } of found)
        say(`  ${dimension} ${at}: ${Math.round(changesPerSecond)} changes/s`);
      points.push(...found);
    }
    return points;
  };
  const shaped = (
    values: readonly number[],
    shape: (value: number) => Partial<Shape>,
    share: (value: number) => number = () => 1,
  ) =>
    over(values, (at) =>
      drainPoint(parts, dimension, { at, shape: { ...NARROW, ...shape(at) }, changes: Math.ceil(changes * share(at)) }),
    );
  switch (dimension) {
    case 'tables':
      return shaped([1, 10, 50, 200], (tables) => ({ tables }));
    case 'partitions':
      return shaped([1, 4, 16], (partitions) => ({ partitions }));
    case 'columns':
      return shaped(
        [5, 20, 50, 200],
        (columns) => ({ columns, bytes: columns * 20 }),
        (columns) => Math.min(1, 20 / columns),
      );
    case 'bytes':
      return shaped(
        [200, 2_000, 20_000, 100_000],
        (bytes) => ({ bytes }),
        (bytes) => Math.min(1, 2_000 / bytes),
      );
    case 'consumers':
      return over([1, 2, 4], (consumers) =>
        drainPoint(parts, dimension, { at: consumers, shape: { ...NARROW, partitions: 4 }, changes, consumers }),
      );
    case 'modes':
      return over([0], () => modes(parts, changes));
    case 'parts':
      return over([0], () => partsOfMany(parts, numberSetting('MINUTES', 60)));
    case 'lookups': {
      const most = numberSetting('MIRROR', 10_000_000);
      return over(
        [100_000, 1_000_000, 10_000_000, 50_000_000].filter((rows) => rows <= most),
        (rows) => lookUps(parts, changes, rows),
      );
    }
  }
}

async function main(): Promise<void> {
  const parts = await openBenchParts(() => undefined);
  try {
    const changes = numberSetting('CHANGES', 100_000);
    const points: Point[] = [];
    for (const dimension of choiceSetting('DIMENSION', DIMENSIONS))
      points.push(...(await pointsOf(parts, dimension, changes)));
    say(costTable(points));
    say(writeResult('cost', { kind: 'cost', machine: machineName(), commit: commitName(), points }));
  } finally {
    await parts.close();
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
