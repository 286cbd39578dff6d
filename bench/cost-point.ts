/** One point of `make bench-cost`: how it is measured, and the table of all. */
import Table from 'cli-table3';
import { waitFor } from '../test/harness/wait-for';
import type { BenchParts } from './bench-parts';
import type { Started } from './contender';
import { cpuSeconds, rss } from './process-cost';
import type { Target } from './target-tables';

export const DIMENSIONS = [
  'tables',
  'partitions',
  'columns',
  'bytes',
  'consumers',
  'modes',
  'lookups',
  'parts',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface Point {
  readonly dimension: Dimension;
  readonly at: string;
  readonly changes: number;
  readonly changesPerSecond: number;
  readonly megabytesPerSecond: number;
  /** CPU microseconds per change. */
  readonly serviceCpu: number;
  readonly clickhouseCpu: number;
  readonly peakMiB: number;
  /** Active parts of the table that has most of them, at the end; of `parts`, the most at any time. */
  readonly mostParts: number;
}

export interface Place {
  readonly parts: BenchParts;
  readonly target: Target;
  readonly prefix: string;
}

export async function rowsIn({ clickhouse }: BenchParts, { databases }: Target): Promise<number> {
  const [row] = await clickhouse.query<{ rows: string }>(
    `SELECT total_rows AS rows FROM system.tables WHERE database = '${databases.machinery}' AND name = 'changes'`,
  );
  return Number(row?.rows ?? 0);
}

export async function mostParts({ clickhouse }: BenchParts, { databases }: Target): Promise<number> {
  const [row] = await clickhouse.query<{ n: string }>(
    `SELECT max(n) AS n FROM (SELECT count() AS n FROM system.parts WHERE active AND database = '${databases.machinery}' GROUP BY table)`,
  );
  return Number(row?.n ?? 0);
}

export interface Drain {
  readonly dimension: Dimension;
  readonly at: string;
  /** Rows that `changes` holds when it is over. */
  readonly until: number;
  readonly changes: number;
  readonly bytes: number;
  readonly services: readonly Started[];
}

/**
 * Waits until everything is written. The clock runs from the first rows on, so that the start of the process, the same
 * for every point, does not hide the differences; where all came at one look it is counted.
 */
export async function drain({ parts, target }: Place, of: Drain): Promise<Point> {
  const pids = of.services.map(({ pid }) => pid ?? -1);
  const take = (rows: number) => ({
    rows,
    at: performance.now(),
    service: pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    clickhouse: cpuSeconds(parts.pid('clickhouse')),
  });
  const beginning = take(of.until - of.changes);
  const first: ReturnType<typeof take>[] = [];
  let peak = 0;
  await waitFor(
    async () => {
      peak = Math.max(peak, ...pids.map(rss));
      const rows = await rowsIn(parts, target);
      if (first.length === 0 && rows > beginning.rows && rows < of.until) first.push(take(rows));
      return rows >= of.until;
    },
    `${of.dimension} ${of.at}: ${of.until} rows`,
    1_800_000,
  );
  const from = first[0] ?? beginning;
  const end = take(of.until);
  const changes = end.rows - from.rows;
  const seconds = (end.at - from.at) / 1_000;
  return {
    dimension: of.dimension,
    at: of.at,
    changes: of.changes,
    changesPerSecond: changes / seconds,
    megabytesPerSecond: (changes * of.bytes) / seconds / 1e6,
    serviceCpu: ((end.service - from.service) / changes) * 1e6,
    clickhouseCpu: ((end.clickhouse - from.clickhouse) / changes) * 1e6,
    peakMiB: peak / 2 ** 20,
    mostParts: await mostParts(parts, target),
  };
}

export function costTable(points: readonly Point[]): string {
  const head = [
    '',
    'at',
    'changes/s',
    'MB/s',
    'service CPU us per change',
    'ClickHouse CPU us',
    'service MiB',
    'most parts',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  const number = (value: number, digits: number): string => (Number.isNaN(value) ? '' : value.toFixed(digits));
  for (const one of points) {
    table.push([
      one.dimension,
      one.at,
      Math.round(one.changesPerSecond).toLocaleString('en'),
      number(one.megabytesPerSecond, 1),
      number(one.serviceCpu, 1),
      number(one.clickhouseCpu, 1),
      number(one.peakMiB, 0),
      one.mostParts,
    ]);
  }
  return table.toString();
}
