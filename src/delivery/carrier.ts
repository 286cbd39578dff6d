/** Finds the older event that carries a withheld value: within the life of the row, and through changes of its key. */
import type { LookUps, TableOf, TruthEvent } from '../clickhouse/look-ups';

/** An event of a partition, wherever it was found. */
export interface Carrier<R> {
  readonly offset: number;
  readonly op: string;
  readonly key: string;
  readonly lsn: number;
  /** Reads its image. */
  read(): R;
}

/** Events of one table and partition, those that are not redelivered: in `changes`, or in the block in hand. */
export interface EventSource<R> {
  /** The newest event of the key below `below` whose image has the column. */
  carrier(key: string, below: number, column: string): Promise<Carrier<R> | null>;
  /** The newest event of the key below `below` that begins or ends the life of a row: c, r or d. */
  turn(key: string, below: number): Promise<Carrier<R> | null>;
  /** The newest delete below `below` with this LSN. */
  deletedAt(lsn: number, below: number): Promise<Carrier<R> | null>;
}

/** More changes of its key than this between two values are not followed. */
const MOVES = 1_000;

/**
 * A create that withholds is the second half of a changed key: the value is where the delete with the same LSN took it
 * from, and what an earlier row of the new key had is nobody's. Null where the value is not to be found.
 */
export async function findCarrier<R>(
  sources: readonly EventSource<R>[],
  event: { readonly key: string; readonly offset: number },
  column: string,
): Promise<Carrier<R> | null> {
  let { key } = event;
  // The event itself may be the create.
  let below = event.offset + 1;
  for (let moves = 0; moves < MOVES; moves++) {
    const carrier = await newestOf(sources, (source) => source.carrier(key, below, column));
    const turn = await newestOf(sources, (source) => source.turn(key, below));
    if (turn === null || (carrier !== null && carrier.offset >= turn.offset)) return carrier;
    if (turn.op !== 'c') return null;
    const left = await newestOf(sources, (source) => source.deletedAt(turn.lsn, turn.offset));
    if (left === null) return null;
    ({ key, offset: below } = left);
  }
  return null;
}

async function newestOf<R>(
  sources: readonly EventSource<R>[],
  ask: (source: EventSource<R>) => Promise<Carrier<R> | null>,
): Promise<Carrier<R> | null> {
  const found = await Promise.all(sources.map(ask));
  return found.reduce((newest, one) => (one !== null && one.offset > (newest?.offset ?? -1) ? one : newest), null);
}

/** What `changes` holds. */
export function eventsOfChanges<R>(
  lookUps: Pick<LookUps, 'newestWith' | 'turns' | 'deletedAt'>,
  of: TableOf,
  read: (truth: TruthEvent) => R,
): EventSource<R> {
  const asCarrier = (truth: TruthEvent | null | undefined): Carrier<R> | null =>
    truth ? { offset: truth.offset, op: truth.op, key: truth.key, lsn: truth.lsn, read: () => read(truth) } : null;
  return {
    carrier: async (key, below, column) =>
      asCarrier((await lookUps.newestWith(of, column, new Map([[key, below]])))[0]),
    turn: async (key, below) => asCarrier((await lookUps.turns(of, new Map([[key, below]])))[0]),
    deletedAt: async (lsn, below) => asCarrier(await lookUps.deletedAt(of, lsn, below)),
  };
}
