/** What questions to `changes` are about: its rows, and ranges of them. */
import type { WireDefinition } from './wire-definition';

/** A row of `changes` as reconcile needs it. */
export interface TruthEvent {
  readonly key: string;
  readonly offset: number;
  readonly op: string;
  readonly before: string;
  readonly after: string;
  readonly lsn: number;
  readonly txId: number;
  readonly commitLsn: number;
  /** Microseconds since the epoch. */
  readonly tsUs: number;
  readonly unavailable: readonly string[];
  /** How its images are written; null: as our profile writes them. */
  readonly wire: WireDefinition | null;
}

/** Offsets of a partition; `below` is null for all there are. */
export interface OffsetRange {
  readonly from: number;
  readonly below: number | null;
}

/** The range as a condition on `offset`. */
export function within({ from, below }: OffsetRange): string {
  return below === null ? `offset >= ${from}` : `offset >= ${from} AND offset < ${below}`;
}
