/** The two ways of writing that look first: fold events over the current rows (merge), or make rows the truth (reconcile). */
import { MirrorRows, SignedRows, type RowOrigin, type RowRef } from './mirror-rows';

/** One event of a key. Images stand in `images`; a delete's row there holds the key columns only. */
export interface FoldEvent {
  readonly key: string;
  readonly origin: RowOrigin;
  /** Row of `images`. */
  readonly image: number;
  /** False for a delete. */
  readonly present: boolean;
  /** Columns (by index) whose value was withheld, each with an older image that has it, or null: then the row before. */
  readonly withheld: ReadonlyMap<number, RowRef | null> | null;
}

export interface Folded {
  /** −current, +result for every key whose row differs. The signs of a key add up to 0 or 1 with what stands there. */
  readonly signed: SignedRows;
  /** Events whose withheld values are nowhere to be found: they go to quarantine and change nothing. */
  readonly unresolved: readonly FoldEvent[];
}

/**
 * @param images what the events carry
 * @param events in offset order; for reconcile, one event for each key: its truth
 * @param current the rows that stand in the mirror, by key
 */
export function foldOver(
  images: MirrorRows,
  events: readonly FoldEvent[],
  current: { rows: MirrorRows; byKey: ReadonlyMap<string, number> },
): Folded {
  const completed = new MirrorRows(images.shape);
  const states = new Map<string, RowRef | null>();
  const origins = new Map<string, RowOrigin>();
  const unresolved: FoldEvent[] = [];
  const standing = (key: string): RowRef | null => {
    const row = current.byKey.get(key);
    return row === undefined ? null : { rows: current.rows, row };
  };
  for (const event of events) {
    const before = states.has(event.key) ? (states.get(event.key) ?? null) : standing(event.key);
    const after = next(images, event, before, completed);
    if (after === undefined) {
      unresolved.push(event);
      continue;
    }
    states.set(event.key, after);
    origins.set(event.key, event.origin);
  }
  const signed = new SignedRows(images.shape);
  for (const [key, state] of states) {
    const stood = standing(key);
    const origin = origins.get(key);
    if (origin === undefined) continue;
    if (stood !== null && state !== null && stood.rows.equals(stood.row, state.rows, state.row)) continue;
    if (stood !== null) signed.append(-1, stood.rows, stood.row, origin);
    if (state !== null) signed.append(1, state.rows, state.row, origin);
  }
  return { signed, unresolved };
}

/** The row of the key after the event; undefined when a withheld value has nowhere to come from. */
function next(
  images: MirrorRows,
  event: FoldEvent,
  before: RowRef | null,
  completed: MirrorRows,
): RowRef | null | undefined {
  if (!event.present) return null;
  const own = { rows: images, row: event.image };
  const { withheld } = event;
  if (withheld === null || withheld.size === 0) return own;
  for (const source of withheld.values()) if (source === null && before === null) return undefined;
  completed.appendPicked((column) => (withheld.has(column) ? (withheld.get(column) ?? before ?? own) : own));
  return { rows: completed, row: completed.rowCount - 1 };
}
