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

/** The rows that stand in the mirror, by key. */
export interface Standing {
  readonly rows: MirrorRows;
  readonly byKey: ReadonlyMap<string, number>;
}

/**
 * @param images what the events carry
 * @param events in offset order; for reconcile, one event for each key: its truth
 * @param equalRows `write` in a redo: a request that is still under way must find its token used, so a row that is right
 * already is written once more, −1 and +1
 */
export function foldOver(
  images: MirrorRows,
  events: readonly FoldEvent[],
  standing: Standing,
  equalRows: 'leave' | 'write' = 'leave',
): Folded {
  const { states, unresolved } = replay(images, events, standing);
  const signed = new SignedRows(images.shape);
  for (const [key, { row, origin }] of states) {
    const stood = standingRow(standing, key);
    const equal = stood !== null && row !== null && stood.rows.equals(stood.row, row.rows, row.row);
    if (equal && equalRows === 'leave') continue;
    if (stood !== null) signed.append(-1, stood.rows, stood.row, origin);
    if (row !== null) signed.append(1, row.rows, row.row, origin);
  }
  return { signed, unresolved };
}

/** What became of a key: its row, null when it is gone, and the last event that touched it. */
interface KeyState {
  readonly row: RowRef | null;
  readonly origin: RowOrigin;
}

function replay(
  images: MirrorRows,
  events: readonly FoldEvent[],
  standing: Standing,
): { states: Map<string, KeyState>; unresolved: FoldEvent[] } {
  const completed = new MirrorRows(images.shape);
  const states = new Map<string, KeyState>();
  const unresolved: FoldEvent[] = [];
  let deleted: { lsn: number; row: RowRef } | null = null;
  for (const event of events) {
    const { key, origin } = event;
    const state = states.get(key);
    const own = state === undefined ? standingRow(standing, key) : state.row;
    if (!event.present && own !== null) deleted = { lsn: origin.lsn, row: own };
    // A changed key arrives as a delete and a create with one LSN: what the create withholds lived under the old key.
    const before = own ?? (deleted?.lsn === origin.lsn ? deleted.row : null);
    const row = next(images, event, before, completed);
    if (row === undefined) unresolved.push(event);
    else states.set(key, { row, origin });
  }
  return { states, unresolved };
}

function standingRow({ rows, byKey }: Standing, key: string): RowRef | null {
  const row = byKey.get(key);
  return row === undefined ? null : { rows, row };
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
