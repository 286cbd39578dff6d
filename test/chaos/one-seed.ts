/** One seed from its world to its judgement: writers and the hand for a while, then quiet, then everything is compared. */
import { appendFileSync, cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectorIsUp } from '../harness/connector-up';
import { changeOf } from '../harness/topics';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import { abortedRecords } from './aborted';
import { countEvents, openConsumer, type Consumer } from './consumers';
import { startHand, type HandReport } from './hand';
import { randomOf } from './random';
import { startReader } from './reader';
import { describeTraits, type Traits } from './traits';
import { CHAOS_TABLES, createTables, startWorkload, type Written } from './workload';

/** What a seed came to; one line of the results. */
export interface Outcome {
  readonly seed: number;
  /** How long the hand went on, s. */
  readonly seconds: number;
  /** When it began, ISO 8601. */
  readonly at: string;
  readonly failures: readonly string[];
  readonly consumers: number;
  /** Connect ran without its exactly-once; missing in results from before there was that. */
  readonly sendsTwice?: boolean;
  /** Missing in results of before, which were of plain JSON and topics with one partition. */
  readonly wire?: Traits['wire'];
  readonly partitions?: number;
  readonly done: Readonly<Record<string, number>>;
  readonly written: Written;
  /** Changes that Kafka holds, those of them that Debezium sent again, and records of aborted transactions. */
  readonly changes: number;
  readonly redelivered: number;
  readonly aborted: number;
  readonly samples: number;
  readonly highestRssMiB: number;
  /** Events of the services' logs. */
  readonly events: Readonly<Record<string, number>>;
}

/** Far above what a consumer needs for this workload (about 200 MiB), far below what a leak would reach. */
const HIGHEST_RSS_MIB = 600;
const NAMES = CHAOS_TABLES.map(({ name }) => name);

/** Runs a seed on the parts that are up. `dir` gets the timeline, and the logs if it fails. */
export async function runSeed(options: {
  readonly seed: number;
  readonly seconds: number;
  readonly dir: string;
  /** `sendsTwice` is to be that of the parts' Connect. */
  readonly traits: Traits;
}): Promise<Outcome> {
  const { seed, seconds, dir, traits } = options;
  const { sendsTwice } = traits;
  const at = new Date();
  const folder = join(dir, `seed-${seed}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const tell = (line: string): void => {
    const sinceStart = ((Date.now() - at.getTime()) / 1_000).toFixed(1).padStart(6);
    appendFileSync(join(folder, 'timeline.log'), `${new Date().toISOString()} ${sinceStart} s  ${line}\n`);
  };
  const world = await openWorld();
  const consumers: Consumer[] = [];
  try {
    const random = randomOf(seed, 'hand');
    const count = random.between(1, 3);
    tell(`seed ${seed}: ${count} consumers, world ${world.name}, ${describeTraits(traits)}`);
    await world.sql(...createTables());
    await world.connect({
      profile: traits.wire,
      partitions: traits.partitions,
      capture: { kind: 'tables', include: ['public.*'], exclude: [] },
      ...(sendsTwice ? { extra: { 'exactly.once.support': 'requested' } } : {}),
    });
    for (let number = 1; number <= count; number++) consumers.push(await openConsumer(world, number));
    for (const consumer of consumers) await consumer.start();
    for (const table of NAMES) await world.mirrorEquals(table, { deadlineMs: 60_000 });

    if (sendsTwice) await snapshotIsNoted(world);

    // With several partitions a table keeps its rows until all have passed the truncate, beside those that came after it.
    const watched = CHAOS_TABLES.filter(({ truncated }) => truncated === 'never' || traits.partitions === 1);
    const names = watched.map(({ name }) => name);
    const reader = startReader(world.clickhouse, world.database, names);
    const workload = startWorkload(world.settings['PG_URL'] ?? '', { seed, partitions: traits.partitions });
    const hand = startHand({ world, consumers, random, tell, traits });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    tell('the hand is taken away');
    const did = await hand.stop();
    const written = await workload.stop();
    tell(`quiet: ${JSON.stringify(written)}`);
    const judged = await judge(world, consumers, { did, tell, reader });
    if (judged.failures.length > 0) keepLogs(world, consumers, folder);
    for (const failure of judged.failures) tell(`FAILED: ${failure}`);
    const highest = Math.max(...consumers.map((consumer) => consumer.highestRss()));
    return {
      seed,
      seconds,
      at: at.toISOString(),
      consumers: count,
      ...traits,
      done: did.done,
      written,
      highestRssMiB: Math.round(highest / 2 ** 20),
      events: Object.fromEntries(countEvents(consumers.map(({ logFile }) => logFile))),
      ...judged,
    };
  } catch (error) {
    keepLogs(world, consumers, folder);
    throw error;
  } finally {
    for (const consumer of consumers) await consumer.close();
    await closeWorld(world, tell);
  }
}

/** Killed before it has noted that its snapshot is done, Debezium takes another, which may run ahead of what follows. */
async function snapshotIsNoted(world: World): Promise<void> {
  const url = `${world.stack.env.CONNECT_URL}/connectors/${world.name}/offsets`;
  await waitFor(
    async () => {
      const { offsets } = (await (await fetch(url)).json()) as { offsets?: { offset: Record<string, unknown> }[] };
      return offsets?.some(({ offset }) => offset['lsn'] !== undefined && !('snapshot' in offset));
    },
    'Connect has noted a position behind its snapshot',
    60_000,
  );
}

/** Connect may still be fencing the producers of what was killed: then its answers take long. What is left goes with the parts. */
async function closeWorld(world: World, tell: (line: string) => void): Promise<void> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      await world.close();
      return;
    } catch (error) {
      tell(`closing, attempt ${attempt}: ${error instanceof Error ? error.message : 'unknown'}`);
    }
  }
}

interface Judged {
  readonly failures: readonly string[];
  readonly changes: number;
  readonly redelivered: number;
  readonly aborted: number;
  readonly samples: number;
}

async function judge(
  world: World,
  consumers: readonly Consumer[],
  { did, tell, reader }: { did: HandReport; tell: (line: string) => void; reader: ReturnType<typeof startReader> },
): Promise<Judged> {
  const failures = [...did.trouble];
  const attempt = async (what: string, check: () => Promise<void>): Promise<void> => {
    await check().then(
      () => tell(`right: ${what}`),
      (error: unknown) => failures.push(`${what}: ${error instanceof Error ? error.message : 'unknown'}`),
    );
  };
  for (const consumer of consumers) {
    if (consumer.endedByItself()) failures.push(`consumer ${consumer.number} ended by itself`);
  }
  await attempt('the connector runs', () => connectorIsUp(world, tell));
  for (const table of NAMES) {
    await attempt(`the view ${table}`, async () => {
      await world.mirrorEquals(table, { deadlineMs: 90_000 });
    });
  }
  let records: Awaited<ReturnType<World['auditIsExactlyOnce']>> = [];
  await attempt('changes', async () => {
    records = await world.auditIsExactlyOnce(90_000);
  });
  await attempt('verify', async () => {
    const { code, stdout, stderr } = await world.command(['verify', '--json']);
    if (code !== 0) throw new Error(`exit code ${String(code)}\n${stdout.slice(-3_000)}\n${stderr.slice(-1_000)}`);
  });
  const rows = await world.auditRows();
  let aborted = 0;
  await attempt('no record of an aborted transaction', async () => {
    const offsets = await abortedRecords(world.stack.dir, world.name);
    aborted = offsets?.size ?? 0;
    const wrong = rows.filter(({ topic, partition, offset }) => offsets?.has(`${topic}:${partition}:${offset}`));
    if (wrong.length > 0)
      throw new Error(`${wrong.length} are in changes, the first ${wrong[0]?.topic}:${wrong[0]?.offset}`);
  });
  const { samples, violations } = await reader.stop();
  failures.push(...violations.map((violation) => `a reader saw a row go back: ${violation}`));
  if (samples === 0) failures.push('the reader saw nothing');
  for (const consumer of consumers) {
    if (consumer.endedByItself()) failures.push(`consumer ${consumer.number} ended by itself after the quiet`);
    const mib = Math.round(consumer.highestRss() / 2 ** 20);
    if (mib > HIGHEST_RSS_MIB) failures.push(`consumer ${consumer.number} used ${mib} MiB`);
  }
  const changes = records.filter((record) => changeOf(record) !== null).length;
  return { failures, changes, redelivered: rows.filter((row) => row.redelivered === 1).length, aborted, samples };
}

function keepLogs(world: World, consumers: readonly Consumer[], folder: string): void {
  for (const { number, logFile } of consumers) {
    if (existsSync(logFile)) cpSync(logFile, join(folder, `consumer-${number}.log`));
  }
  const parts = join(world.stack.dir, 'logs');
  if (existsSync(parts)) cpSync(parts, join(folder, 'parts'), { recursive: true });
}
