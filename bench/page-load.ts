/**
 * `make bench-page`: what viewers of the live page cost the pipeline. In turns with nobody looking and with VIEWERS=300
 * viewers and STUCK=30 that do not read: the drain of CHANGES=500000, and RATE=1000 changes a second for SECONDS=10, each
 * REPEAT=3 times; PART=drain,steady.
 */
import { createServer, type AddressInfo } from 'node:net';
import Table from 'cli-table3';
import { openBenchParts, type BenchParts } from './bench-parts';
import { choiceSetting, numberSetting, say } from './bench-settings';
import { measure, type Contender, type Measured } from './contender';
import { startService } from './contender-ours';
import { startViewers, type Seen } from './page-audience';
import type { Compared, PageResult } from './page-result';
import { commitName, machineName, writeResult } from './report';
import { spreadOf } from './statistics';
import { runRate, withSteadyService, type RateResult } from './steady';
import { ensureTopic } from './topics';

/** The same with nobody looking and with viewers, one right after the other. */
interface Pair<T> {
  readonly alone: T;
  readonly watched: T;
  readonly seen: Seen;
}

/** Runs both, the one or the other first by turns. */
async function inTurns<T>(
  repeat: number,
  run: (audience: 'alone' | 'watched') => Promise<{ of: T; seen: Seen | null }>,
): Promise<Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let repetition = 0; repetition < repeat; repetition++) {
    const first = repetition % 2 === 0 ? await run('alone') : await run('watched');
    const second = repetition % 2 === 0 ? await run('watched') : await run('alone');
    const [alone, watched] = repetition % 2 === 0 ? [first, second] : [second, first];
    if (watched.seen === null) throw new Error('the viewers saw nothing: no page was served');
    pairs.push({ alone: alone.of, watched: watched.of, seen: watched.seen });
  }
  return pairs;
}

function compare<T>(pairs: readonly Pair<T>[], figure: string, unit: string, of: (run: T) => number): Compared {
  return {
    figure,
    unit,
    alone: spreadOf(pairs.map(({ alone }) => of(alone))),
    watched: spreadOf(pairs.map(({ watched }) => of(watched))),
    ratio: spreadOf(pairs.map(({ alone, watched }) => of(watched) / of(alone))),
  };
}

async function drained(parts: BenchParts, repeat: number): Promise<PageResult> {
  const topic = await ensureTopic(parts, { wire: 'json', changes: numberSetting('CHANGES', 500_000) }, say);
  const pairs = await inTurns<Measured>(repeat, async (audience) => {
    const saw: { seen: Seen | null } = { seen: null };
    const of = await measure(
      drain(audience, (seen) => (saw.seen = seen)),
      parts,
      topic,
    );
    say(`  drain, ${audience}: ${of.seconds.toFixed(2)} s, ${of.cpu.consumer.toFixed(1)} s of CPU`);
    return { of, seen: saw.seen };
  });
  const cost = pairs.map(({ alone, watched }) => (watched.cpu.consumer - alone.cpu.consumer) / watched.seconds);
  return result(pairs, cost, `a drain of ${topic.changes.toLocaleString('en')} changes`, [
    compare(pairs, 'time', 's', ({ seconds }) => seconds),
    compare(pairs, 'CPU of the service', 's', ({ cpu }) => cpu.consumer),
    compare(pairs, 'CPU of ClickHouse', 's', ({ cpu }) => cpu.clickhouse),
    compare(pairs, 'memory of the service', 'MiB', ({ consumerPeakRss }) => consumerPeakRss / 2 ** 20),
  ]);
}

function drain(audience: 'alone' | 'watched', onSeen: (seen: Seen | null) => void): Contender {
  return {
    name: 'ours',
    prepare: () => Promise.resolve(),
    async start(parts, topic, { databases }) {
      const port = await freePort();
      const service = startService(parts, {
        KAFKA_GROUP_ID: `bench-page-${Date.now()}`,
        TOPIC_PREFIX: topic.prefix,
        CH_DATABASE: databases.views,
        HTTP_PORT: String(port),
        PAGE_VALUES: 'true',
      });
      if (audience === 'alone') return service;
      const viewers = startViewers(`http://127.0.0.1:${port}`);
      let left: Promise<void> | null = null;
      const leave = (): Promise<void> => (left ??= viewers.stop().then(onSeen));
      return { pid: service.pid, stop: () => leave().then(() => service.stop()) };
    },
  };
}

async function steady(parts: BenchParts, repeat: number): Promise<PageResult> {
  const rate = numberSetting('RATE', 1_000);
  const seconds = numberSetting('SECONDS', 10);
  const port = await freePort();
  const pairs: Pair<RateResult>[] = [];
  await withSteadyService(parts, { HTTP_PORT: String(port), PAGE_VALUES: 'true' }, async (service) => {
    // The first seconds are warmer than none, and count for nobody.
    await runRate(parts, service, { rate, seconds: 3 });
    const run = async (audience: 'alone' | 'watched'): Promise<{ of: RateResult; seen: Seen | null }> => {
      const viewers = audience === 'watched' ? startViewers(`http://127.0.0.1:${port}`) : null;
      const of = await runRate(parts, service, { rate, seconds });
      const seen = (await viewers?.stop()) ?? null;
      const { p50, p99 } = of.stages['commit to view'];
      say(
        `  steady, ${audience}: ${p50.toFixed(0)} ms, 99 % ${p99.toFixed(0)} ms, ${percent(of.serviceCpu)} of a core`,
      );
      return { of, seen };
    };
    pairs.push(...(await inTurns(repeat, run)));
  });
  const cost = pairs.map(({ alone, watched }) => watched.serviceCpu - alone.serviceCpu);
  return result(pairs, cost, `${rate} changes a second for ${seconds} s`, [
    compare(pairs, 'commit to view, median', 'ms', ({ stages }) => stages['commit to view'].p50),
    compare(pairs, 'commit to view, 99 %', 'ms', ({ stages }) => stages['commit to view'].p99),
    compare(pairs, 'CPU of the service', '% of a core', ({ serviceCpu }) => serviceCpu * 100),
  ]);
}

function result<T>(
  pairs: readonly Pair<T>[],
  costs: readonly number[],
  of: string,
  compared: readonly Compared[],
): PageResult {
  const seen = pairs.map((pair) => pair.seen);
  const facts = { machine: machineName(), commit: commitName(), repeat: pairs.length };
  return { ...facts, of, compared, cost: spreadOf(costs), seen };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function show({ of, compared, cost, seen }: PageResult): void {
  const table = new Table({
    head: [of, '', 'nobody looks', 'viewers', 'ratio', 'least – most'],
    style: { head: [], border: [] },
  });
  for (const { figure, unit, alone, watched, ratio } of compared) {
    const [without, withThem] = [alone, watched].map(({ median }) => median.toFixed(1));
    const spread = `${ratio.least.toFixed(2)} – ${ratio.most.toFixed(2)}`;
    table.push([figure, unit, without, withThem, ratio.median.toFixed(2), spread]);
  }
  say(table.toString());
  say(
    `  while they look the viewers cost the service ${percent(cost.median)} of a core (${percent(cost.least)} – ${percent(cost.most)})`,
  );
  for (const one of seen) {
    const each = (count: number): string => (count / one.seconds).toFixed(0);
    say(
      `  viewers, each second: ${each(one.events)} events, ${each(one.answers)} answers, ${each(one.refused)} refused, ` +
        `${(one.bytes / one.seconds / 1e6).toFixed(1)} MB; ${one.cut} cut off; their own CPU ${percent(one.cpuSeconds / one.seconds)} of a core`,
    );
  }
}

async function main(): Promise<void> {
  const repeat = numberSetting('REPEAT', 3);
  const chosen = choiceSetting('PART', ['drain', 'steady']);
  const parts = await openBenchParts(say);
  try {
    for (const part of chosen) {
      const found = await (part === 'drain' ? drained : steady)(parts, repeat);
      show(found);
      say(writeResult(`page-${part}`, { kind: `page-${part}`, ...found }));
    }
  } finally {
    await parts.close();
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
