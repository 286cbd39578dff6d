/** The metadata that every commit of ours carries: what was announced, and for which audit table. */

/** What a commit of ours says. A commit at S with an `end` announces the block [S, end); one without acknowledges all below S. */
export interface CommitNote {
  /** The UUID of `changes` that everything below the committed offset went into. */
  readonly target: string;
  readonly announced: AnnouncedBlock | null;
  /** Rows of older offsets are being written beside the blocks: who finds this waits until nothing of it can land any more. */
  readonly settling?: true;
}

export interface AnnouncedBlock {
  /** The offset after the block's last visible record. */
  readonly end: number;
  /** The block's `ingested_at`, ms since the epoch: a redo writes the same rows into the same month. */
  readonly at: number;
}

/** The text that is committed beside an offset. Kafka keeps at most 4096 bytes by default; this is below 120. */
export function encodeNote(note: CommitNote): string {
  const { target, announced, settling } = note;
  const block = announced === null ? {} : { end: announced.end, at: announced.at };
  return JSON.stringify({ v: 1, ...block, ...(settling === true ? { settling } : {}), target });
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
  const { v, end, at, target, settling } = value as Record<string, unknown>;
  if (v !== 1 || typeof target !== 'string') return null;
  return noteOf(target, { end, at, settling });
}

function noteOf(target: string, { end, at, settling }: Record<string, unknown>): CommitNote | null {
  if (end === undefined && at === undefined)
    return { target, announced: null, ...(settling === true ? { settling } : {}) };
  if (!Number.isSafeInteger(end) || !Number.isSafeInteger(at)) return null;
  return { target, announced: { end: end as number, at: at as number } };
}
