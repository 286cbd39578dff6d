/**
 * Judges one key whose rows differ: whether the mirror is right for a position at or after the source's snapshot.
 *
 * The argument. The mirror is read when the consumer has written every transaction the snapshot sees, so what it holds
 * for a key is the snapshot's row with a prefix of the key's later events applied, in order. Later events are those of
 * transactions that the snapshot does not see; they are read from `changes` after the mirror, and whatever is in a mirror
 * was in `changes` before, so none is missing. Events below the offset that was committed before the mirror was read are
 * in it for certain. Hence a right mirror always equals one of the states between those two ends: no false difference.
 * A wrong one equals one of them only if it is what the source had at that position: no difference is hidden. The
 * snapshot's own row is where the states begin, so a value that was withheld later is known and not taken on trust.
 */

/** The cells of a row as texts, null for NULL; undefined where a value is not known. */
export type Cells = readonly (string | null | undefined)[];

/** A row, or null where there is none. */
export type RowState = Cells | null;

/** An event of the key that `changes` holds, or a truncate of its table. */
export interface KeyEvent {
  readonly op: string;
  readonly cells: Cells;
  /** Columns whose value was withheld, by name. */
  readonly unavailable: readonly string[];
  /** The snapshot does not see its transaction. */
  readonly hidden: boolean;
  /** It was acknowledged before the mirror was read. */
  readonly certain: boolean;
}

export interface Judgement {
  readonly equal: boolean;
  /** What the mirror should hold now. */
  readonly expected: RowState;
  /** How many events the states were followed over. */
  readonly moved: number;
}

/** @param events of the key in their order, from before the snapshot on or later; `names` are those of the cells */
export function judge(
  source: RowState,
  mirror: RowState,
  events: readonly KeyEvent[],
  names: readonly string[],
): Judgement {
  const later = laterEvents(events);
  const states: RowState[] = [source];
  for (const event of later) states.push(applied(states.at(-1) ?? null, event, names));
  const first = later.findLastIndex(({ certain }) => certain) + 1;
  const possible = states.slice(first);
  return {
    equal: possible.some((state) => sameState(state, mirror)),
    expected: states.at(-1) ?? null,
    moved: later.length,
  };
}

/** What follows the last event that the snapshot sees. A snapshot read (r) says nothing of a transaction, so it is no such event. */
function laterEvents(events: readonly KeyEvent[]): readonly KeyEvent[] {
  return events.slice(events.findLastIndex(({ hidden, op }) => !hidden && op !== 'r') + 1);
}

function applied(before: RowState, { op, cells, unavailable }: KeyEvent, names: readonly string[]): RowState {
  if (op === 'd' || op === 't') return null;
  return cells.map((cell, index) => (unavailable.includes(names[index] ?? '') ? before?.[index] : cell));
}

/** Whether two states are equal; a cell that is not known equals every other. */
export function sameState(a: RowState, b: RowState): boolean {
  if (a === null || b === null) return a === b;
  return differingCells(a, b).length === 0;
}

/** The indexes of the cells that differ. */
export function differingCells(a: Cells, b: Cells): number[] {
  const found: number[] = [];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const mine = a[index];
    const theirs = b[index];
    if (mine !== undefined && theirs !== undefined && mine !== theirs) found.push(index);
  }
  return found;
}
