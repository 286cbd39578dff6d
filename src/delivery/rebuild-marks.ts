/** Mirrors that are to be made anew, as marks in `control`: they outlive the process that asked, and any owner may carry them out. */
import { randomUUID } from 'node:crypto';
import type { Control } from '../clickhouse/control';
import type { Committed } from '../kafka/log';
import { placeName } from '../plan/replay';

export interface WantedRebuild {
  readonly schema: string;
  readonly table: string;
  /** `topic:partition` and the offset below which everything must be acknowledged first; empty for at once. */
  readonly until: Readonly<Record<string, number>>;
}

export interface RebuildMark extends WantedRebuild {
  readonly name: string;
}

export interface RebuildMarks {
  /** Resolves with the mark's name once it is written. */
  want(wanted: WantedRebuild): Promise<string>;
  /** Oldest first. */
  list(): Promise<RebuildMark[]>;
  forget(name: string): Promise<void>;
}

const MARK = 'table:wanted:';

export function rebuildMarks(control: Control): RebuildMarks {
  return {
    async want(wanted) {
      const name = `${MARK}${randomUUID()}`;
      await control.set(name, JSON.stringify(wanted));
      return name;
    },
    list: async () =>
      (await control.newest(MARK)).map(({ name, value }) => ({ ...(JSON.parse(value) as WantedRebuild), name })),
    forget: (name) => control.forget(name),
  };
}

/** True once the group has acknowledged everything that the mark waits for. */
export function isDue({ until }: WantedRebuild, committed: readonly Committed[]): boolean {
  const offsets = new Map(committed.map((one) => [placeName(one), one.offset ?? 0]));
  return Object.entries(until).every(([place, offset]) => (offsets.get(place) ?? 0) >= offset);
}

/** The topics that a mark waits for. */
export function topicsAwaited({ until }: WantedRebuild): string[] {
  return [...new Set(Object.keys(until).map((place) => place.slice(0, place.lastIndexOf(':'))))];
}
