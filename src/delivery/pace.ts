/** How long a block waits that is not full. Each block is a part in `changes` and one in a mirror, and parts must be merged. */

/** What is known of a partition when it asks. Times are milliseconds on one clock. */
export interface OpenBlock {
  /** When the partition's last block was cut; -Infinity before the first. */
  readonly lastCut: number;
  /** When the first record of the open block arrived. */
  readonly since: number;
  /** Records that Kafka held beyond the ones fetched last. */
  readonly behind: number;
}

/** One for all partitions of a process. */
export interface Pace {
  /** A block of the partition was cut. */
  cut(partition: string, now: number): void;
  /** When the open block may be cut though it is not full. */
  dueAt(block: OpenBlock, now: number): number;
}

/** Blocks a second that all partitions of a process cut together, unless they are full. `make bench-cost` shows the parts. */
export const BLOCKS_PER_SECOND = 32;
/** A partition counts as changing this long after its last block. */
const CHANGING_MS = 10_000;
/** With more than this still to fetch, the rest of the block is on its way. */
const FEW_RECORDS = 64;
/** But a block waits no longer for it. */
const LONGEST_FILL_MS = 1_000;

/**
 * At least `blockAgeMs` between two blocks of a partition, and the longer the more partitions change at once: 200 of
 * them get a block each 200 / BLOCKS_PER_SECOND seconds. A change after a pause longer than that does not wait at all.
 * While the partition is behind, its blocks are filled: who is behind by a million changes is not helped by freshness. Not
 * the first one, so that ClickHouse begins while the second is gathered.
 */
export function createPace(blockAgeMs: number): Pace {
  const cuts = new Map<string, number>();
  const ageMs = (now: number): number => {
    for (const [partition, at] of cuts) {
      // In the order of their cuts: the first that is young enough ends it.
      if (now - at <= CHANGING_MS) break;
      cuts.delete(partition);
    }
    return Math.max(blockAgeMs, (cuts.size * 1_000) / BLOCKS_PER_SECOND);
  };
  return {
    cut(partition, now) {
      cuts.delete(partition);
      cuts.set(partition, now);
    },
    dueAt({ lastCut, since, behind }, now) {
      const byAge = lastCut + ageMs(now);
      const isFilled = behind > FEW_RECORDS && lastCut > -Infinity;
      return isFilled ? Math.max(byAge, since + LONGEST_FILL_MS) : byAge;
    },
  };
}
