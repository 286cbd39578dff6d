/** The metadata that every commit of ours carries: what was announced, and for which audit table. */

/** What a commit of ours says. A commit at S with an `end` announces the block [S, end); one without acknowledges all below S. */
export interface CommitNote {
  /** The UUID of `changes` that everything below the committed offset went into. */
  readonly target: string;
  readonly announced: AnnouncedBlock | null;
}

export interface AnnouncedBlock {
  /** The offset after the block's last visible record. */
  readonly end: number;
  /** The block's `ingested_at`, ms since the epoch: a redo writes the same rows into the same month. */
  readonly at: number;
}

/** The text that is committed beside an offset. Kafka keeps at most 4096 bytes by default; this is below 120. */
export function encodeNote(note: CommitNote): string {
  const { target, announced } = note;
  return JSON.stringify(announced === null ? { v: 1, target } : { v: 1, end: announced.end, at: announced.at, target });
}

/** Reads metadata of a commit; null when it was not written by us (another hand's commit, kafkajs's own reset). */
export function parseNote(metadata: string | null): CommitNote | null {
  if (metadata === null || metadata === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(metadata);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { v, end, at, target } = value as Record<string, unknown>;
  if (v !== 1 || typeof target !== 'string') return null;
  if (end === undefined && at === undefined) return { target, announced: null };
  if (!Number.isSafeInteger(end) || !Number.isSafeInteger(at)) return null;
  return { target, announced: { end: end as number, at: at as number } };
}
