/** `make bench WIRE=…`: what another wire costs: the same changes over it and as plain JSON, drained by ours, in turns. */
import Table from 'cli-table3';
import type { Profile } from '../src/connect/profile';
import type { BenchParts } from './bench-parts';
import { say } from './bench-settings';
import { measure, type Measured } from './contender';
import { oursContender } from './contender-ours';
import { commitName, machineName, writeResult } from './report';
import { spreadOf, type Spread } from './statistics';
import { ensureTopic, type BenchTopic } from './topics';

export interface WireResult {
  readonly kind: 'wire';
  readonly at: string;
  readonly machine: string;
  readonly commit: string;
  readonly repeat: number;
  /** The wire, and plain JSON beside it. */
  readonly drains: readonly { readonly topic: BenchTopic; readonly runs: readonly Measured[] }[];
  /** Of each repetition the rate over the wire, divided by that over plain JSON. */
  readonly toPlainJson: Spread;
}

export async function drainWire(
  parts: BenchParts,
  { wire, changes, repeat }: { wire: Profile; changes: number; repeat: number },
): Promise<void> {
  const drains: { topic: BenchTopic; runs: Measured[] }[] = [];
  for (const one of [wire, 'json'] as const)
    drains.push({ topic: await ensureTopic(parts, { wire: one, changes }, say), runs: [] });
  for (let repetition = 0; repetition < repeat; repetition++) {
    const order = repetition % 2 === 0 ? drains : drains.toReversed();
    for (const { topic, runs } of order) {
      const run = await measure(oursContender, parts, topic);
      say(
        `  ${repetition + 1}/${repeat} ${topic.wire}: ${run.seconds.toFixed(2)} s, ${Math.round(run.changesPerSecond)} changes/s`,
      );
      runs.push(run);
    }
  }
  const [other, plain] = drains.map(({ runs }) => runs.map(({ changesPerSecond }) => changesPerSecond));
  const toPlainJson = spreadOf((other ?? []).map((rate, n) => rate / (plain?.[n] ?? NaN)));
  const at = { at: new Date().toISOString(), machine: machineName(), commit: commitName() };
  const result: WireResult = { kind: 'wire', ...at, repeat, drains, toPlainJson };
  say(wireTable(result));
  say(writeResult(`wire-${wire}`, result));
}

function wireTable({ drains, toPlainJson }: WireResult): string {
  const head = ['', 'bytes', 'changes/s', 'to plain JSON', 'consumer CPU s per million', 'consumer MiB'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { topic, runs } of drains) {
    const median = (of: (run: Measured) => number): number => spreadOf(runs.map(of)).median;
    table.push([
      topic.wire,
      topic.averageBytes,
      Math.round(median(({ changesPerSecond }) => changesPerSecond)).toLocaleString('en'),
      topic.wire === 'json' ? '' : toPlainJson.median.toFixed(2),
      median(({ cpu }) => cpu.consumer / (topic.changes / 1e6)).toFixed(2),
      Math.round(Math.max(...runs.map(({ consumerPeakRss }) => consumerPeakRss)) / 2 ** 20),
    ]);
  }
  return table.toString();
}
