/** One replay of this process: where each partition begins, how far it is, and when all have caught up. */
import type { TopicPartition } from '../model';
import type { BlockTable } from '../plan/change-block';
import type { ReplayRequest } from '../plan/replay';
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

export interface ReplayRun {
  /** The partitions of this process; called at each assignment. */
  assigned(partitions: readonly TopicPartition[]): void;
  /** Where the replay begins in a partition; null if it has no part in it, or began already. */
  from(of: TopicPartition, held: { readonly low: number }): Promise<number | null>;
  began(of: TopicPartition, beginning: Beginning): void;
  /** Everything below `position` is written again. */
  passed(of: TopicPartition, position: number, tables: readonly BlockTable[]): void;
  progress(): ReplayProgress;
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
    offsets === null ? options.concerns(of.topic) : offsets.has(keyOf(of));
  const isPast = ({ position, until }: Course): boolean => position >= until;

  return {
    assigned(partitions) {
      expected = new Set(partitions.filter(concerns).map(keyOf));
    },
    async from(of, { low }) {
      if (!concerns(of) || courses.has(keyOf(of))) return null;
      if (request.from.kind === 'beginning') return low;
      if (request.from.kind === 'timestamp') return options.offsetAt(of, request.from.ms);
      return Math.max(low, offsets?.get(keyOf(of)) ?? low);
    },
    began(of, { from, how, highest }) {
      if (how === 'replay') courses.set(keyOf(of), { from, until: Math.max(from, highest + 1), position: from });
    },
    passed(of, position, of_tables) {
      const course = courses.get(keyOf(of));
      if (course === undefined || isPast(course)) return;
      course.position = position;
      for (const table of of_tables) tables.set(tableName(table), table);
    },
    progress() {
      const all = [...courses.values()];
      return {
        partitions: expected.size,
        caughtUp: all.filter(isPast).length,
        total: all.reduce((sum, { from, until }) => sum + until - from, 0),
        passed: all.reduce((sum, { from, until, position }) => sum + Math.min(until, position) - from, 0),
      };
    },
    finished: () => [...expected].every((key) => isPast(courses.get(key) ?? { from: 0, until: 1, position: 0 })),
    touched: () => [...tables.values()],
  };
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
