/**
 * `make bench-parts`: what each step costs by itself, in CPU nanoseconds per change: kafkajs, opening envelopes and
 * gathering, deciding and transcoding, encoding, inserting. ROUNDS=9 CHANGES=200000. For a profile of one step:
 * `node --cpu-prof -r ./test/unit/cli-typescript.cjs bench/parts.ts` with PARTS=gather.
 */
import Table from 'cli-table3';
import type { GuardedInsert, TargetTable } from '../src/clickhouse/insert';
import { holdChunk } from '../src/delivery/kept-records';
import { encodeBlock } from '../src/clickhouse/native';
import type { RecordChunk } from '../src/model';
import type { ChangeBlock } from '../src/plan/change-block';
import { openBenchParts, type BenchParts } from './bench-parts';
import { choiceSetting, numberSetting, say, wireSetting } from './bench-settings';
import { insertsOf, newGatherer, readChunks, sentFor } from './blocks';
import { cpuSeconds } from './process-cost';
import { commitName, machineName, writeResult } from './report';
import { spreadOf, type Spread } from './statistics';
import { clearTarget, createTarget, layoutOf, targetOf, type Target } from './target-tables';
import { ensureTopic, type BenchTopic } from './topics';

const PARTS = ['kafkajs', 'walk', 'gather', 'prepare', 'encode', 'insert'] as const;
type PartName = (typeof PARTS)[number];

interface PartResult {
  readonly part: PartName;
  /** CPU nanoseconds per change of this process; of ClickHouse for `insert`. */
  readonly cpu: Spread;
  /** Wall clock. */
  readonly changesPerSecond: Spread;
}

interface Bench {
  readonly parts: BenchParts;
  readonly topic: BenchTopic;
  readonly target: Target;
  readonly chunks: readonly RecordChunk[];
  readonly count: number;
}

/** CPU seconds of this process's main thread and its helpers. */
function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function timed(count: number, cpu: () => number, run: () => Promise<void> | void): Promise<[number, number]> {
  const cpuBefore = cpu();
  const before = performance.now();
  await run();
  const seconds = (performance.now() - before) / 1_000;
  return [((cpu() - cpuBefore) / count) * 1e9, count / seconds];
}

function gatherAll(chunks: readonly RecordChunk[], visit: (block: ChangeBlock) => void): void {
  const gatherer = newGatherer();
  for (const chunk of chunks) {
    gatherer.feed(chunk);
    for (let block = gatherer.takeFull(); block !== null; block = gatherer.takeFull()) {
      visit(block);
      gatherer.release(block);
    }
  }
  const rest = gatherer.takeOpen();
  if (rest !== null) visit(rest);
}

/** Each step gets what the one before it makes, made beforehand. Returns what one round of the step does. */
async function roundOf(part: PartName, bench: Bench): Promise<() => Promise<[number, number]>> {
  const { parts, topic, target, chunks, count } = bench;
  const layout = await layoutOf(parts);
  const { machinery } = target.databases;
  const uuid = '00000000-0000-0000-0000-000000000000';
  const table = (name: string): TargetTable => ({ database: machinery, name, uuid });
  const at = { changes: table('changes'), mirror: table(target.mirror.slice(machinery.length + 1)), layout };
  const of = { topic: topic.topic, partition: 0 };
  const blocks: ChangeBlock[] = [];
  const inserts: GuardedInsert[] = [];
  if (part === 'prepare' || part === 'encode' || part === 'insert') {
    const gatherer = newGatherer();
    for (const chunk of chunks) gatherer.feed(chunk);
    for (let block = gatherer.takeFull(); block !== null; block = gatherer.takeFull()) blocks.push(block);
    const rest = gatherer.takeOpen();
    if (rest !== null) blocks.push(rest);
  }
  if (part === 'encode' || part === 'insert') {
    for (const block of blocks) inserts.push(...(await insertsOf(block, of, at)));
  }
  switch (part) {
    case 'kafkajs':
      return () => timed(topic.changes, ownCpu, () => readChunks(parts.env.KAFKA_BROKERS, topic, () => 'go on'));
    case 'walk':
      return () =>
        timed(count, ownCpu, () => {
          for (const chunk of chunks) for (const cursor = chunk.records(); cursor.next(););
        });
    case 'gather':
      return () => timed(count, ownCpu, () => gatherAll(chunks, () => undefined));
    case 'prepare':
      return () =>
        timed(count, ownCpu, async () => {
          for (const block of blocks) await insertsOf(block, of, at);
        });
    case 'encode':
      return () =>
        timed(count, ownCpu, () => {
          for (const { columns, rowCount } of inserts) encodeBlock(columns, rowCount);
        });
    case 'insert': {
      const sent = await Promise.all(inserts.map((insert) => sentFor(insert, at.changes)));
      return async () => {
        await clearTarget(parts.clickhouse, target);
        await createTarget(parts, target);
        return timed(
          count,
          () => cpuSeconds(parts.pid('clickhouse')),
          async () => {
            for (const { sql, body } of sent) {
              await parts.clickhouse.insert(sql.replace(/WHERE throwIf.*\) = 0 (?=ORDER BY|FORMAT)/, ''), body, {});
            }
          },
        );
      };
    }
  }
}

async function main(): Promise<void> {
  if (wireSetting() === 'avro') throw new Error('Avro is measured as a whole only: make bench WIRE=avro');
  const parts = await openBenchParts(() => undefined);
  try {
    const topic = await ensureTopic(parts, { wire: wireSetting(), changes: numberSetting('CHANGES', 2_000_000) }, say);
    const target = targetOf('parts');
    const chunks: RecordChunk[] = [];
    let count = 0;
    const wanted = Math.min(numberSetting('HELD', 100_000), topic.changes / topic.partitions);
    await readChunks(parts.env.KAFKA_BROKERS, topic, (chunk) => {
      if (chunk.partition !== 0) return 'go on';
      const held = holdChunk(chunk, chunk.firstOffset);
      chunks.push(held);
      for (const cursor = held.records(); cursor.next();) if (cursor.valueStart >= 0) count++;
      return count >= wanted ? 'stop' : 'go on';
    });
    const bench = { parts, topic, target, chunks, count };
    const results: PartResult[] = [];
    for (const part of choiceSetting('PARTS', PARTS)) {
      const round = await roundOf(part, bench);
      await round();
      const rounds: [number, number][] = [];
      for (let i = 0; i < (part === 'kafkajs' ? 3 : numberSetting('ROUNDS', 9)); i++) rounds.push(await round());
      results.push({
        part,
        cpu: spreadOf(rounds.map(([cpu]) => cpu)),
        changesPerSecond: spreadOf(rounds.map(([, rate]) => rate)),
      });
    }
    await clearTarget(parts.clickhouse, target);
    say(partsTable(results));
    say(writeResult('parts', { kind: 'parts', machine: machineName(), commit: commitName(), topic, results }));
  } finally {
    await parts.close();
  }
}

function partsTable(results: readonly PartResult[]): string {
  const table = new Table({
    head: ['step', 'CPU ns per change', 'least', 'most', 'changes/s'],
    style: { head: [], border: [] },
  });
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  for (const { part, cpu, changesPerSecond } of results) {
    table.push([part, whole(cpu.median), whole(cpu.least), whole(cpu.most), whole(changesPerSecond.median)]);
  }
  return table.toString();
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
