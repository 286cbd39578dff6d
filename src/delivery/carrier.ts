/** Finds the older event that carries a withheld value: within the life of the row, and through changes of its key. */
import type { TruthEvent } from '../clickhouse/truth-event';
import type { TableOf, TruthLookUps } from '../clickhouse/truth-look-ups';

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

type Asked = Pick<TruthLookUps, 'newestWith' | 'turns' | 'deletedAt'>;

/** A withheld value that is looked for: the newest events of the key below an offset are asked for. */
export interface Wanted {
  readonly key: string;
  readonly below: number;
  readonly column: string;
}

/** What `changes` holds. */
export function eventsOfChanges<R>(lookUps: Asked, of: TableOf, read: (truth: TruthEvent) => R): EventSource<R> {
  const asCarrier = carrierOf(read);
  return {
    carrier: async (key, below, column) =>
      asCarrier((await lookUps.newestWith(of, column, new Map([[key, below]])))[0]),
    turn: async (key, below) => asCarrier((await lookUps.turns(of, new Map([[key, below]])))[0]),
    deletedAt: async (lsn, below) => asCarrier(await lookUps.deletedAt(of, lsn, below)),
  };
}

/**
 * What `changes` holds, with the answers to what will be asked first read together: one query for each column and one for
 * the turns, instead of two for each value. Each key is to be wanted below one offset only.
 */
export async function eventsOfChangesFor<R>(
  wanted: readonly Wanted[],
  lookUps: Asked,
  of: TableOf,
  read: (truth: TruthEvent) => R,
): Promise<EventSource<R>> {
  const asking = eventsOfChanges(lookUps, of, read);
  if (wanted.length < 2) return asking;
  const asCarrier = carrierOf(read);
  const below = new Map(wanted.map((one) => [one.key, one.below]));
  const byKey = (found: readonly TruthEvent[]): Map<string, TruthEvent> => new Map(found.map((one) => [one.key, one]));
  const turns = byKey(await lookUps.turns(of, below));
  const carriers = new Map<string, { asked: Set<string>; found: Map<string, TruthEvent> }>();
  for (const [column, some] of Map.groupBy(wanted, (one) => one.column)) {
    const keys = new Map(some.map((one) => [one.key, below.get(one.key) ?? one.below]));
    const found = byKey(await lookUps.newestWith(of, column, keys));
    carriers.set(column, { asked: new Set(keys.keys()), found });
  }
  return {
    async carrier(key, offset, column) {
      const known = carriers.get(column);
      if (known?.asked.has(key) !== true || below.get(key) !== offset) return asking.carrier(key, offset, column);
      return asCarrier(known.found.get(key));
    },
    async turn(key, offset) {
      return below.get(key) === offset ? asCarrier(turns.get(key)) : asking.turn(key, offset);
    },
    deletedAt: (lsn, offset) => asking.deletedAt(lsn, offset),
  };
}

function carrierOf<R>(read: (truth: TruthEvent) => R): (truth: TruthEvent | null | undefined) => Carrier<R> | null {
  return (truth) =>
    truth ? { offset: truth.offset, op: truth.op, key: truth.key, lsn: truth.lsn, read: () => read(truth) } : null;
}
