/** Writes the newest results of all benchmarks into docs/benchmarks.md, and draws the drain: `npm run docs:benchmarks`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../stack/project-root';
import { RESULTS_DIR } from './bench-settings';
import type { Dimension, Point } from './cost-point';
import type { PageResult } from './page-result';
import { drainPicture } from './picture';
import type { DrainResult } from './report';
import { spreadOf } from './statistics';
import { COST_HEAD, costCells, type RateResult } from './steady';
import type { WireResult } from './wire-drain';

type Measured = Readonly<Record<'machine' | 'commit', string>>;
interface LatencyResult extends Measured {
  readonly seconds: number;
  readonly results: readonly RateResult[];
  readonly idle: { readonly cpu: number; readonly mib: number };
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const where = ({ machine, commit }: Measured): string => `${machine}; ${commit}.`;

/** The results whose files begin with these words, the newest last. */
function all<T>(kind: string): T[] {
  const found = existsSync(RESULTS_DIR) ? readdirSync(RESULTS_DIR).filter((name) => name.startsWith(`${kind}-2`)) : [];
  return found.sort().map((name) => JSON.parse(readFileSync(join(RESULTS_DIR, name), 'utf8')) as T);
}

const newest = <T>(kind: string): T | null => all<T>(kind).at(-1) ?? null;

function drain(result: DrainResult): string {
  const { topic, repeat, summaries } = result;
  const rows = summaries.map(({ contender, changesPerSecond, toOurs, cpuPerMillion, consumerPeakMiB }) => {
    const consumes = contender === 'ours' || contender === 'plain';
    return [
      contender,
      whole(changesPerSecond.median),
      `${whole(changesPerSecond.least)} – ${whole(changesPerSecond.most)}`,
      contender === 'ours' ? '' : (1 / toOurs.median).toFixed(2),
      consumes ? cpuPerMillion.consumer.toFixed(2) : '',
      cpuPerMillion.clickhouse.toFixed(2),
      consumes ? whole(consumerPeakMiB) : '',
    ];
  });
  const of = `${whole(topic.changes)} changes of ${topic.averageBytes} bytes, ${repeat} repetitions.`;
  const head = ['', 'changes/s', 'spread', 'ours is faster by'];
  const costs = ['CPU s per million: consumer', 'ClickHouse', 'consumer MiB'];
  return `${of} ${where(result)}\n\n${table([...head, ...costs], rows)}`;
}

function wires(results: readonly WireResult[]): string {
  const rows = results.map(({ drains, toPlainJson }) => {
    const [{ topic, runs } = { topic: null, runs: [] }] = drains;
    const rate = spreadOf(runs.map(({ changesPerSecond }) => changesPerSecond));
    const { median, least, most } = toPlainJson;
    return [
      topic?.wire ?? '',
      String(topic?.averageBytes ?? ''),
      whole(rate.median),
      `${median.toFixed(2)} (${least.toFixed(2)} – ${most.toFixed(2)})`,
    ];
  });
  const [first] = results;
  return `${first === undefined ? '' : where(first)}\n\n${table(['wire', 'bytes', 'changes/s', 'to plain JSON'], rows)}`;
}

function latency(result: LatencyResult): string {
  const rows = result.results.flatMap(({ rate, stages }) =>
    Object.entries(stages).map(([stage, { p50, p95, p99, most }]) => [
      String(rate),
      stage,
      ...[p50, p95, p99, most].map((ms) => ms.toFixed(0)),
    ]),
  );
  const { cpu, mib } = result.idle;
  const idle = `Idle: ${whole(mib)} MiB, ${(cpu * 100).toFixed(1)} % of a core.`;
  const stages = table(['changes/s', 'stage', 'p50 ms', 'p95', 'p99', 'most'], rows);
  return `${where(result)} ${idle}\n\n${stages}\n\n${steadyCost(result)}`;
}

const steadyCost = ({ results }: LatencyResult): string => table(COST_HEAD, results.map(costCells));

function memory(result: LatencyResult): string {
  return `${where(result)} ${(result.seconds / 60).toFixed(0)} minutes.\n\n${steadyCost(result)}`;
}

/** The newest points of each dimension, in the order in which they were measured. */
function cost(results: readonly (Measured & { readonly points: readonly Point[] })[]): string {
  const isNewest = (dimension: Dimension, at: number): boolean =>
    !results.slice(at + 1).some(({ points }) => points.some((one) => one.dimension === dimension));
  const shown = results.map((result, at) => ({
    result,
    points: result.points.filter(({ dimension }) => isNewest(dimension, at)),
  }));
  const used = shown.filter(({ points }) => points.length > 0).map(({ result }) => result);
  const each = (of: (one: Measured) => string): string => [...new Set(used.map(of))].join(', ');
  const rows = shown
    .flatMap(({ points }) => points)
    .map(({ dimension, at, changesPerSecond, serviceCpu, clickhouseCpu, mostParts }) => [
      dimension,
      at,
      whole(changesPerSecond),
      // A figure that was not taken is null in the result.
      ...[serviceCpu, clickhouseCpu].map((us: number | null) => us?.toFixed(1) ?? ''),
      String(mostParts),
    ]);
  const head = ['', 'at', 'changes/s', 'service CPU us per change', 'ClickHouse CPU us', 'most parts'];
  const measured = where({ machine: each(({ machine }) => machine), commit: each(({ commit }) => commit) });
  return `${measured}\n\n${table(head, rows)}`;
}

function viewers(results: readonly PageResult[]): string {
  const parts = results.map((result) => {
    const rows = result.compared.map(({ figure, unit, alone, watched, ratio }) => [
      `${figure}, ${unit}`,
      alone.median.toFixed(1),
      watched.median.toFixed(1),
      `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} – ${ratio.most.toFixed(2)})`,
    ]);
    const each = (of: (one: PageResult['seen'][number]) => number): string =>
      whole(spreadOf(result.seen.map((one) => of(one) / one.seconds)).median);
    const saw = `Each second the viewers got ${each(({ events }) => events)} events and ${each(({ answers }) => answers)} answers, ${each(({ bytes }) => bytes / 1_000)} kB.`;
    const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
    const cost = `While they looked the service used ${percent(result.cost.median)} of a core more (${percent(result.cost.least)} – ${percent(result.cost.most)}).`;
    const head = [result.of, 'nobody looks', 'viewers', 'ratio of each pair'];
    return `${table(head, rows)}\n\n${result.repeat} pairs of runs. ${saw} ${cost} ${where(result)}`;
  });
  return parts.join('\n\n');
}

function main(): void {
  const path = join(projectRoot(), 'docs', 'benchmarks.md');
  let page = readFileSync(path, 'utf8');
  const fill = (name: string, text: string | null): void => {
    if (text === null) return;
    const before = page;
    page = page.replace(
      new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end -->)`),
      (_, head: string, tail: string) => `${head}${text}${tail}`,
    );
    if (page === before && !before.includes(text)) throw new Error(`docs/benchmarks.md has no place for ${name}`);
    process.stdout.write(`${name}: written\n`);
  };
  const of = <T>(kind: string, text: (result: T) => string): string | null => {
    const result = newest<T>(kind);
    return result === null ? null : text(result);
  };
  const otherWires = ['wire-avro', 'wire-json-schema'].flatMap((kind) => newest<WireResult>(kind) ?? []);
  fill('drain', of('drain-json', drain));
  fill('wires', otherWires.length === 0 ? null : wires(otherWires));
  fill('latency', of('latency', latency));
  fill('memory', of('soak', memory));
  const costs = all<Measured & { readonly points: readonly Point[] }>('cost');
  fill('cost', costs.length === 0 ? null : cost(costs));
  const watched = ['page-drain', 'page-steady'].flatMap((kind) => newest<PageResult>(kind) ?? []);
  fill('viewers', watched.length === 0 ? null : viewers(watched));
  writeFileSync(path, page);
  const drained = newest<DrainResult>('drain-json');
  if (drained !== null) writeFileSync(join(projectRoot(), 'docs', 'benchmarks.svg'), drainPicture(drained));
}

main();
