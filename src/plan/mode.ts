/** Which of the mirror's three ways of writing a block takes, table by table. */
import { OP } from '../model';
import type { ChangeBlock } from './change-block';

/** `append`: straight from the bytes; `merge`: fold over current rows; `reconcile`: make rows the truth of `changes`. */
export type Mode = 'append' | 'merge' | 'reconcile';

/** What `changes` holds of a partition, as far as appending snapshot rows is concerned. */
export type SnapshotState =
  | { readonly kind: 'empty' }
  /** Only `r` of one run, known by its LSN and its time: a run that is repeated at once may have the same LSN. */
  | { readonly kind: 'one-run'; readonly lsn: number; readonly tsUs: number }
  | { readonly kind: 'mixed' };

/**
 * Tells which `r` rows may be appended (1 in the result): those that meet nothing but `r` of their own run. Every other
 * `r` may repeat a row that stands in the mirror already. Also tells the state after the block.
 */
export function appendableReads(
  block: ChangeBlock,
  from: SnapshotState,
): { appendable: Uint8Array; after: SnapshotState } {
  const appendable = new Uint8Array(block.rowCount);
  let state = from;
  for (let row = 0; row < block.rowCount; row++) {
    const lsn = block.lsn(row);
    const tsUs = block.tsUs[row] ?? -1;
    if (block.streamed(row) || lsn < 0) state = { kind: 'mixed' };
    else if (state.kind === 'empty') state = { kind: 'one-run', lsn, tsUs };
    else if (state.kind === 'one-run' && (state.lsn !== lsn || state.tsUs !== tsUs)) state = { kind: 'mixed' };
    if (state.kind === 'one-run') appendable[row] = 1;
  }
  return { appendable, after: state };
}

export interface ModeFacts {
  readonly block: ChangeBlock;
  /** Rows of the table in the block, in offset order. */
  readonly rows: readonly number[];
  /** S ≤ H, or announced before. */
  readonly seen: boolean;
  readonly redelivered: Uint8Array;
  readonly appendable: Uint8Array;
  /** The catalogue says REPLICA IDENTITY FULL, so that `before` is the whole row. */
  readonly wholeBefore: boolean;
  /** Rows whose key has a record in quarantine: what stands in the mirror must be looked at. */
  readonly doubtful: (row: number) => boolean;
  /** Rows with a withheld value. */
  readonly withheld: ReadonlyMap<number, unknown>;
}

/** The mode of one table in one block; see docs/delivery.md, "Three ways of writing". */
export function chooseMode(facts: ModeFacts): Mode {
  if (facts.seen) return 'reconcile';
  return facts.rows.every((row) => facts.redelivered[row] === 1 || appends(row, facts)) ? 'append' : 'merge';
}

function appends(row: number, { block, appendable, wholeBefore, withheld, doubtful }: ModeFacts): boolean {
  if (withheld.has(row) || doubtful(row)) return false;
  const op = block.ops[row];
  if (op === OP.c) return true;
  if (op === OP.r) return appendable[row] === 1;
  return wholeBefore && block.has(block.before, row);
}
