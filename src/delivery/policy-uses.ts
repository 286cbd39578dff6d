/** How often the policies of columns acted on a block, and which of it is to be said aloud. */
import type { PolicyUse } from '../column-rules';
import type { Transcoder } from '../debezium/transcode';
import type { BadRecord } from '../plan/change-block';
import type { MirroredTable } from './ports';

/** Counts values that were clamped, by the index of their column. */
export class Clamped {
  private counts: Float64Array | null = null;

  /** Takes what a transcoder counted since it was asked last; to be called before another block can use it. */
  add(transcoder: Transcoder): void {
    const taken = transcoder.takeClamped();
    if (taken === null) return;
    const counts = (this.counts ??= new Float64Array(taken.length));
    taken.forEach((values, index) => (counts[index] = (counts[index] ?? 0) + values));
  }

  uses({ name, layout }: Pick<MirroredTable, 'name' | 'layout'>): PolicyUse[] {
    return layout.columns.flatMap((column, index) => {
      const values = this.counts?.[index] ?? 0;
      return values > 0 ? [{ table: name, column: column.name, policy: 'clamp' as const, values }] : [];
    });
  }
}

export function rejectedIn(bad: readonly BadRecord[]): PolicyUse[] {
  return bad
    .filter(({ code }) => code === 'VALUE_REJECTED')
    .map(({ table, column }) => ({ table, column, policy: 'reject', values: 1 }));
}

const QUIET_MS = 60_000;

/** True for the first use of a column's policy, and then once a minute at most. */
export function loudness(now: () => number): (use: PolicyUse) => boolean {
  const toldAt = new Map<string, number>();
  return ({ table, column, policy }) => {
    const name = `${policy} ${table} ${column}`;
    const isLoud = now() - (toldAt.get(name) ?? -Infinity) >= QUIET_MS;
    if (isLoud) toldAt.set(name, now());
    return isLoud;
  };
}
