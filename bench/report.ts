/** A drain's results as a table for people and as JSON for whatever comes later. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { projectRoot } from '../stack/project-root';
import { RESULTS_DIR } from './bench-settings';
import type { ContenderName, Measured } from './contender';
import { spreadOf, type Spread } from './statistics';
import type { BenchTopic } from './topics';

/** What a contender did in all its runs. */
export interface Summary {
  readonly contender: ContenderName;
  readonly seconds: Spread;
  readonly changesPerSecond: Spread;
  /** Of each repetition its rate divided by that of ours in the same repetition: what others do on the machine cancels out. */
  readonly toOurs: Spread;
  /** CPU seconds for a million changes, medians. */
  readonly cpuPerMillion: { readonly consumer: number; readonly clickhouse: number; readonly kafka: number };
  /** MiB, the largest of all runs. */
  readonly consumerPeakMiB: number;
  readonly clickhousePeakMiB: number;
}

export interface DrainResult {
  readonly kind: 'drain';
  readonly at: string;
  readonly machine: string;
  readonly commit: string;
  readonly topic: BenchTopic;
  readonly repeat: number;
  readonly summaries: readonly Summary[];
  readonly runs: readonly (readonly Measured[])[];
}

export function machineName(): string {
  const cores = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cores.length} x ${cores[0]?.model ?? 'CPU'}, ${gib} GiB, ${process.platform} ${process.arch}, Node ${process.version}`;
}

export function commitName(): string {
  return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: projectRoot(), encoding: 'utf8' }).trim();
}

export function summarize(runs: readonly (readonly Measured[])[], topic: BenchTopic): Summary[] {
  const names = [...new Set(runs.flat().map(({ contender }) => contender))];
  const millions = topic.changes / 1e6;
  return names.map((contender) => {
    const own = runs.flatMap((repetition) => repetition.filter((run) => run.contender === contender));
    const ratios = runs.flatMap((repetition) => {
      const ours = repetition.find((run) => run.contender === 'ours');
      const it = repetition.find((run) => run.contender === contender);
      return ours === undefined || it === undefined ? [] : [it.changesPerSecond / ours.changesPerSecond];
    });
    const perMillion = (part: 'consumer' | 'clickhouse' | 'kafka'): number =>
      spreadOf(own.map(({ cpu }) => cpu[part] / millions)).median;
    return {
      contender,
      seconds: spreadOf(own.map(({ seconds }) => seconds)),
      changesPerSecond: spreadOf(own.map(({ changesPerSecond }) => changesPerSecond)),
      toOurs: spreadOf(ratios),
      cpuPerMillion: {
        consumer: contender === 'floor' ? 0 : perMillion('consumer'),
        clickhouse: perMillion('clickhouse'),
        kafka: perMillion('kafka'),
      },
      consumerPeakMiB: Math.max(...own.map(({ consumerPeakRss }) => consumerPeakRss)) / 2 ** 20,
      clickhousePeakMiB: Math.max(...own.map(({ clickhousePeakRss }) => clickhousePeakRss)) / 2 ** 20,
    };
  });
}

export function drainTable(summaries: readonly Summary[]): string {
  const table = new Table({
    head: [
      '',
      'changes/s',
      'spread',
      'ours is faster by',
      'CPU s per million: consumer',
      'ClickHouse',
      'Kafka',
      'consumer MiB',
      'ClickHouse MiB',
    ],
    style: { head: [], border: [] },
  });
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  for (const one of summaries) {
    const { changesPerSecond: rate, toOurs, cpuPerMillion: cpu } = one;
    table.push([
      one.contender,
      whole(rate.median),
      `${whole(rate.least)} – ${whole(rate.most)}`,
      Number.isNaN(toOurs.median) || one.contender === 'ours' ? '' : `${(1 / toOurs.median).toFixed(2)} x`,
      one.contender === 'engine' || one.contender === 'floor' ? '' : cpu.consumer.toFixed(2),
      cpu.clickhouse.toFixed(2),
      cpu.kafka.toFixed(2),
      one.contender === 'engine' || one.contender === 'floor' ? '' : whole(one.consumerPeakMiB),
      whole(one.clickhousePeakMiB),
    ]);
  }
  return table.toString();
}

/** Writes a result under its kind and time; the path. */
export function writeResult(kind: string, result: object): string {
  mkdirSync(RESULTS_DIR, { recursive: true });
  const path = join(RESULTS_DIR, `${kind}-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.json`);
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}
