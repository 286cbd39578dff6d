/** One replay of this process: where each partition begins, how far it is, and when all have caught up. */
import type { TopicPartition } from '../model';
import type { BlockTable } from '../plan/change-block';
import { placeName, type ReplayRequest } from '../plan/replay';
import { tableName } from '../model';
import type { Beginning } from './assign';

export interface ReplayProgress {
  /** Partitions of this process that are replayed, and those that have caught up. */
  readonly partitions: number;
  readonly caughtUp: number;
  /** Offsets to pass in all, and passed. */
  readonly total: number;
  readonly passed: number;
}

/** What a replay came to. */
export interface ReplayResult extends ReplayProgress {
  /** `topic:partition` of what this process replayed to its end. */
  readonly replayed: readonly string[];
}

export interface ReplayRun {
  /** The partitions of this process; called at each assignment. */
  assigned(partitions: readonly TopicPartition[]): void;
  /**
   * Where the replay begins in a partition; null if it has no part in it, or its beginning is committed: from there it
   * goes on by itself. Until then the answer stays the same, as an assignment may end before its first block.
   */
  from(of: TopicPartition, held: { readonly low: number; readonly committed: number | null }): Promise<number | null>;
  began(of: TopicPartition, beginning: Beginning): void;
  /** Everything below `position` is written again. */
  passed(of: TopicPartition, position: number, tables: readonly BlockTable[]): void;
  progress(): ReplayProgress;
  result(): ReplayResult;
  /** True once every partition of this process has passed what `changes` held when it began. */
  finished(): boolean;
  /** The tables whose changes were replayed. */
  touched(): BlockTable[];
}

interface Course {
  readonly from: number;
  readonly until: number;
  position: number;
}

const NOT_BEGUN: Course = { from: 0, until: 1, position: 0 };

export function createReplayRun(
  request: ReplayRequest,
  options: {
    readonly concerns: (topic: string) => boolean;
    readonly offsetAt: (of: TopicPartition, ms: number) => Promise<number>;
  },
): ReplayRun {
  const courses = new Map<string, Course>();
  const tables = new Map<string, BlockTable>();
  let expected = new Set<string>();

  const offsets = request.from.kind === 'offsets' ? new Map(Object.entries(request.from.offsets)) : null;
  const concerns = (of: TopicPartition): boolean =>
    offsets === null ? options.concerns(of.topic) : offsets.has(placeName(of));
  const isPast = ({ position, until }: Course): boolean => position >= until;

  const progress = (): ReplayProgress => {
    const all = [...courses.values()];
    return {
      partitions: expected.size,
      caughtUp: [...expected].filter((key) => isPast(courses.get(key) ?? NOT_BEGUN)).length,
      total: all.reduce((sum, { from, until }) => sum + until - from, 0),
      passed: all.reduce((sum, { from, until, position }) => sum + Math.min(until, position) - from, 0),
    };
  };

  return {
    assigned(partitions) {
      expected = new Set(partitions.filter(concerns).map(placeName));
    },
    async from(of, { low, committed }) {
      if (!concerns(of)) return null;
      const course = courses.get(placeName(of));
      if (course !== undefined) {
        const settled = isPast(course) || course.position > course.from;
        return settled || (committed !== null && committed <= course.from) ? null : course.from;
      }
      if (request.from.kind === 'beginning') return low;
      if (request.from.kind === 'timestamp') return options.offsetAt(of, request.from.ms);
      return Math.max(low, offsets?.get(placeName(of)) ?? low);
    },
    began(of, { from, how, highest }) {
      if (how === 'replay') courses.set(placeName(of), { from, until: Math.max(from, highest + 1), position: from });
    },
    passed(of, position, of_tables) {
      const course = courses.get(placeName(of));
      if (course === undefined || isPast(course)) return;
      course.position = position;
      for (const table of of_tables) tables.set(tableName(table), table);
    },
    progress,
    result: () => ({ ...progress(), replayed: [...courses].filter(([, of]) => isPast(of)).map(([key]) => key) }),
    finished: () => [...expected].every((key) => isPast(courses.get(key) ?? NOT_BEGUN)),
    touched: () => [...tables.values()],
  };
}
