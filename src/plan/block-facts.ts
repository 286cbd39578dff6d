/** What a block was about, as figures: its changes by table and operation, how old they were when they could be read. */
import type { BlockFacts } from '../events';
import { tableName, type OpName } from '../model';
import type { ChangeBlock } from './change-block';

/** Upper bounds of the buckets of `BlockFacts.latency`, ms; one more bucket holds what took longer. */
export const LATENCY_BOUNDS_MS = [
  5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000,
  300_000, 3_600_000,
] as const;

export interface Written {
  /** The block was written or read before: its changes are not counted again. */
  readonly seen: boolean;
  readonly insertMs: number;
  /** When the block could be read, ms since the epoch by this machine's clock. */
  readonly visibleMs: number;
}

/** Latencies are the difference of two clocks, PostgreSQL's at the commit and ours; below 0 counts as 0. */
export function blockFacts(block: ChangeBlock, { seen, insertMs, visibleMs }: Written): BlockFacts {
  let newestUs = -1;
  let lsn = -1;
  for (let row = 0; row < block.rowCount; row++) {
    newestUs = Math.max(newestUs, block.tsUs[row] ?? -1);
    lsn = Math.max(lsn, block.lsn(row));
  }
  return {
    bytes: block.byteCount,
    waitedMs: Math.round(block.waitedMs),
    insertMs: Math.round(insertMs),
    ops: seen ? {} : opsByTable(block),
    newestMs: newestUs < 0 ? -1 : newestUs / 1_000,
    lsn,
    latency: latencies(block, seen ? 0 : block.rowCount, visibleMs),
  };
}

/** Streamed changes of the first `rowCount` rows by the time until they could be read. */
function latencies(block: ChangeBlock, rowCount: number, visibleMs: number): number[] {
  const counts = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  let lastUs = -1;
  let lastBucket = 0;
  for (let row = 0; row < rowCount; row++) {
    const tsUs = block.tsUs[row] ?? -1;
    if (tsUs < 0 || !block.streamed(row)) continue;
    // Changes of one transaction have one commit time and stand side by side.
    if (tsUs !== lastUs) lastBucket = bucketOf(visibleMs - tsUs / 1_000);
    lastUs = tsUs;
    counts[lastBucket] = (counts[lastBucket] ?? 0) + 1;
  }
  return counts;
}

function opsByTable(block: ChangeBlock): BlockFacts['ops'] {
  const counts = block.tables.map(() => new Map<number, number>());
  for (let row = 0; row < block.rowCount; row++) {
    const ops = counts[block.tableOf[row] ?? 0];
    const op = block.ops[row] ?? 0;
    ops?.set(op, (ops.get(op) ?? 0) + 1);
  }
  const byTable: Record<string, Partial<Record<OpName, number>>> = {};
  block.tables.forEach(({ schema, name }, index) => {
    const of = (byTable[tableName({ schema, name })] ??= {});
    for (const [op, count] of counts[index] ?? []) {
      const letter = String.fromCharCode(op) as OpName;
      of[letter] = (of[letter] ?? 0) + count;
    }
  });
  return byTable;
}

function bucketOf(ms: number): number {
  const found = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  return found < 0 ? LATENCY_BOUNDS_MS.length : found;
}
