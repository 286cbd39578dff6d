/** Positions in PostgreSQL's stream, and the judgement whether Debezium sends an event again under a new offset. */

/** (commit LSN, LSN) of an event, from `source.sequence`; -1 where the wire has null. */
export interface Position {
  readonly commitLsn: number;
  readonly lsn: number;
}

/** Before the first event of a partition. */
export const NO_POSITION: Position = { commitLsn: -1, lsn: -1 };

/**
 * Strictly beyond, as the protocol compares: the pair in order; the LSN alone while the mark's commit LSN is null,
 * because the first transaction's `sequence[0]` is null at first and a number when it is sent again. Once the mark has
 * one, an event without is of a first transaction, so before it: its twin is looked for.
 */
export function isBeyond(commitLsn: number, lsn: number, mark: Position): boolean {
  return beyond(commitLsn, lsn, mark.commitLsn, mark.lsn);
}

function beyond(commitLsn: number, lsn: number, markCommitLsn: number, markLsn: number): boolean {
  if (markCommitLsn === -1) return lsn > markLsn;
  return commitLsn > markCommitLsn || (commitLsn === markCommitLsn && lsn > markLsn);
}

/** Exactly at the mark; its LSN is enough while its commit LSN is null. */
function isLevel(commitLsn: number, lsn: number, markCommitLsn: number, markLsn: number): boolean {
  return lsn === markLsn && (markCommitLsn === -1 || commitLsn === markCommitLsn);
}

/** What redelivery is judged by: rows in offset order, `-1` for null numbers. */
export interface JudgedRows {
  readonly rowCount: number;
  /** False for snapshot rows (op r): they neither advance the mark nor are ever redelivered. */
  streamed(row: number): boolean;
  commitLsn(row: number): number;
  lsn(row: number): number;
  /** Equal for two records of the same event; null when the event cannot be told from its like. */
  identity(row: number): string | null;
}

/** W: the position a new event must be beyond, with the events that stand at it. */
export interface Watermark {
  readonly position: Position;
  readonly identities: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();

export const NO_WATERMARK: Watermark = { position: NO_POSITION, identities: new Set() };

/**
 * Rows whose twin must be looked up in `changes` before `judge` can decide: those not beyond the highest position so
 * far. Rows that stand exactly at it need no look-up as long as nothing went back, since the events there are known.
 */
export function needTwins(rows: JudgedRows, from: Watermark): number[] {
  let { commitLsn: highestCommitLsn, lsn: highestLsn } = from.position;
  let wentBack = false;
  const candidates: number[] = [];
  const level: number[] = [];
  for (let row = 0; row < rows.rowCount; row++) {
    if (!rows.streamed(row)) continue;
    const commitLsn = rows.commitLsn(row);
    const lsn = rows.lsn(row);
    if (beyond(commitLsn, lsn, highestCommitLsn, highestLsn)) {
      highestCommitLsn = commitLsn;
      highestLsn = lsn;
    } else if (isLevel(commitLsn, lsn, highestCommitLsn, highestLsn)) level.push(row);
    else {
      wentBack = true;
      candidates.push(row);
    }
  }
  return wentBack ? [...candidates, ...level].sort((a, b) => a - b) : [];
}

/**
 * Marks the redelivered rows (1 in the result) and tells the watermark after them.
 * @param twins identities, of the rows that `needTwins` named, that `changes` holds at a lower offset.
 */
export function judge(
  rows: JudgedRows,
  from: Watermark,
  twins: ReadonlySet<string>,
): { redelivered: Uint8Array; after: Watermark } {
  const redelivered = new Uint8Array(rows.rowCount);
  // The mark as two numbers, and no object or set for a row that is beyond it: nearly every row is.
  let markCommitLsn = from.position.commitLsn;
  let markLsn = from.position.lsn;
  let atMark: number[] = [];
  let carried: ReadonlySet<string> = from.identities;
  let inBlock: Set<string> | null = null;
  let indexed = 0;
  /** Identities of the block's rows below `row`; built only once something is not beyond the mark. */
  const seenBefore = (row: number, identity: string): boolean => {
    inBlock ??= new Set();
    for (; indexed < row; indexed++) {
      const other = rows.streamed(indexed) ? rows.identity(indexed) : null;
      if (other !== null) inBlock.add(other);
    }
    return inBlock.has(identity);
  };
  for (let row = 0; row < rows.rowCount; row++) {
    if (!rows.streamed(row)) continue;
    const commitLsn = rows.commitLsn(row);
    const lsn = rows.lsn(row);
    if (beyond(commitLsn, lsn, markCommitLsn, markLsn)) {
      markCommitLsn = commitLsn;
      markLsn = lsn;
      atMark.length = 0;
      atMark.push(row);
      carried = NOTHING;
      continue;
    }
    const identity = rows.identity(row);
    if (identity !== null && (carried.has(identity) || twins.has(identity) || seenBefore(row, identity))) {
      redelivered[row] = 1;
      continue;
    }
    // A mark that went back may stand where earlier events do: those that were looked up, and those of the block.
    if (!isLevel(commitLsn, lsn, markCommitLsn, markLsn)) {
      carried = twins;
      atMark = levelRows(rows, row, { commitLsn, lsn });
    }
    markCommitLsn = commitLsn;
    markLsn = lsn;
    atMark.push(row);
  }
  const identities = new Set(carried);
  for (const row of atMark) {
    const identity = rows.identity(row);
    if (identity !== null) identities.add(identity);
  }
  return { redelivered, after: { position: { commitLsn: markCommitLsn, lsn: markLsn }, identities } };
}

/** Rows of the block below `row` that stand at a position. */
function levelRows(rows: JudgedRows, row: number, mark: Position): number[] {
  const level: number[] = [];
  for (let other = 0; other < row; other++)
    if (rows.streamed(other) && isLevel(rows.commitLsn(other), rows.lsn(other), mark.commitLsn, mark.lsn))
      level.push(other);
  return level;
}
