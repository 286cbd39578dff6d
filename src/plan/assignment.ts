/** Where to start a partition that was just assigned: the table of docs/delivery.md as one total function. */
import type { AnnouncedBlock, CommitNote } from './commit';

/** The longest block the protocol knows, in offsets. All but the last this many offsets up to H are in the mirrors for certain. */
export const MAX_BLOCK_OFFSETS = 131_072;

/** What was found out about a partition, all of it read after the assignment. */
export interface Found {
  /** The committed offset; null when there is none (kafkajs's −1 and −2 count as none). */
  readonly committed: number | null;
  /** What our own commit said; null when the metadata is not ours. */
  readonly note: CommitNote | null;
  /** The highest offset of the partition in `changes`; null when it has none. */
  readonly highest: number | null;
  /** The first offset that Kafka holds, and the one after the last. */
  readonly low: number;
  readonly high: number;
  /** The UUID of `changes` now. */
  readonly target: string;
  /** True once the wait that a row asks for is over and everything was read again. */
  readonly waited: boolean;
}

export type Start =
  /** Read on from `from`; blocks that begin at or below `highest` are reconciled. */
  | { readonly kind: 'read'; readonly why: 'first' | 'ours' | 'hand' | 'replaced'; readonly from: number }
  /** Read and write exactly [from, block.end) again, then go on. */
  | { readonly kind: 'redo'; readonly from: number; readonly block: AnnouncedBlock }
  /** Let every insert that may still be under way die (guard + longest insert), then find out anew. */
  | { readonly kind: 'wait'; readonly why: 'hand' | 'replaced' | 'settling' }
  /** Offsets [from, to) of `changes` are no longer in Kafka: bring the mirrors in line with `changes`, then read from `to`. */
  | { readonly kind: 'reconcile-expired'; readonly from: number; readonly to: number }
  /** Records [from, to) were deleted from Kafka before they were read. */
  | { readonly kind: 'stop'; readonly code: 'CHANGES_EXPIRED'; readonly from: number; readonly to: number }
  /** `changes`, or what we acknowledged, is ahead of the topic: it was deleted and made again. `highest`: the last offset known. */
  | { readonly kind: 'stop'; readonly code: 'TOPIC_RECREATED'; readonly highest: number; readonly high: number };

/** The first row that matches is followed; see docs/delivery.md, "On assignment". */
export function decideStart(found: Found): Start {
  const { committed, note, highest, low, high } = found;
  const own = committed === null ? null : note;
  if (own !== null && own.target !== found.target) {
    return found.waited ? { kind: 'read', why: 'replaced', from: low } : { kind: 'wait', why: 'replaced' };
  }
  if (committed === null && highest === null) return { kind: 'read', why: 'first', from: low };
  const known = lastKnown(found);
  if (high <= known) return { kind: 'stop', code: 'TOPIC_RECREATED', highest: known, high };
  if (own !== null) return ours(committed ?? 0, own, found);
  return found.waited ? afterHand(found) : { kind: 'wait', why: 'hand' };
}

/** The highest offset that `changes` holds or that we acknowledged; -1 for none. */
function lastKnown({ committed, note, highest }: Found): number {
  return Math.max(highest ?? -1, note === null || committed === null ? -1 : committed - 1);
}

function ours(committed: number, note: CommitNote, { low, waited }: Found): Start {
  if (note.settling === true && !waited) return { kind: 'wait', why: 'settling' };
  if (committed < low) return { kind: 'stop', code: 'CHANGES_EXPIRED', from: committed, to: low };
  if (note.announced !== null && note.announced.end > committed) {
    return { kind: 'redo', from: committed, block: note.announced };
  }
  return { kind: 'read', why: 'ours', from: committed };
}

/** A hand moved the offset, or Kafka forgot an idle group: a jump back is honoured, a jump forward is not. */
function afterHand({ committed, highest, low }: Found): Start {
  const next = highest === null ? 0 : highest + 1;
  if (next < low) return { kind: 'stop', code: 'CHANGES_EXPIRED', from: next, to: low };
  const from = Math.max(0, Math.min(committed ?? next, next - MAX_BLOCK_OFFSETS));
  return from >= low ? { kind: 'read', why: 'hand', from } : { kind: 'reconcile-expired', from, to: low };
}
