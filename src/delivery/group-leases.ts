/**
 * A table for one process alone while its mirror is made anew, although its partitions are spread over the group.
 *
 * The coordinator makes the new mirror beside the old one (the shadow) and then says so in `control`, as a lease. Every
 * other process that owns partitions of the table writes no more blocks of it and says that it holds still. Then the
 * broker is asked who owns the partitions: when each belongs to the coordinator or to a member that holds, the shadow is
 * filled, and exchanged with the mirror in one step. Nobody relies on anybody's clock, or on being told: who writes to the
 * table before that (a lease that nobody keeps alive, the owner after a rebalance, a stop) drops the shadow first, so the
 * exchange of a coordinator that was stopped and thaws finds nothing. The argument is in docs/delivery.md.
 */
import { randomUUID } from 'node:crypto';
import type { Control } from '../clickhouse/control';
import { ServiceError } from '../errors';
import type { Emit } from '../events';
import type { Log } from '../kafka/log';
import type { TopicPartition } from '../model';
import { placeName } from '../plan/replay';
import { patiently } from './patience';

/** What a lease says: the table that its holder wants alone, and the mirror that he makes. */
export interface Lease {
  /** `schema.table`. */
  readonly table: string;
  /** The shadow's name. */
  readonly shadow: string;
  readonly process: string;
}

export interface LeasePorts {
  readonly control: Control;
  readonly log: Pick<Log, 'epoch' | 'memberId' | 'members'>;
  readonly processId: string;
  readonly dropShadow: (name: string) => Promise<void>;
  /** Runs while no block of this process uses the table. */
  readonly alone: <T>(table: string, action: () => Promise<T>) => Promise<T>;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly emit: Emit;
  /** Aborted when a stop has waited long enough for what is away; nothing is written after that. */
  readonly giveUp: AbortSignal;
}

export interface Taken {
  /** Ends the lease: the others write again. */
  release(): Promise<void>;
}

const LEASE = 'table:lease:';
const HOLD = 'table:hold:';
const LOOK_MS = 300;
/** So often a lease is renewed, and so old it may be: then who took it is not there any more. */
const RENEW_MS = 2_000;
const STALE_MS = 15_000;
/** How long the others may take to hold still: an insert of theirs may be under way. */
const GATHER_MS = 90_000;

/**
 * Resolves when every one of `places` belongs to this process or to one that holds still. Throws FENCED when the group
 * does not come to that. `signal`: this process's own assignment. Call it in `alone`, with the shadow made.
 */
export async function takeTable(
  of: { readonly table: string; readonly shadow: string; readonly places: readonly TopicPartition[] },
  ports: LeasePorts,
  signal: AbortSignal,
): Promise<Taken> {
  const { control, log, processId } = ports;
  const epoch = log.epoch();
  const id = randomUUID();
  const lease: Lease = { table: of.table, shadow: of.shadow, process: processId };
  const over = new AbortController();
  const renew = (): Promise<void> => control.set(`${LEASE}${id}`, JSON.stringify(lease));
  const renewing = keepAlive(renew, AbortSignal.any([over.signal, signal]), ports);
  const release = async (): Promise<void> => {
    over.abort(new Error('released'));
    await renewing;
    await control.forget(`${LEASE}${id}`);
  };
  try {
    await renew();
    for (let waitedMs = 0; !(await allHold(id, of.places, ports)); waitedMs += LOOK_MS) {
      if (log.epoch() !== epoch || waitedMs >= GATHER_MS) throw notGathered(of.table);
      await ports.sleep(LOOK_MS, signal);
    }
    if (log.epoch() !== epoch) throw notGathered(of.table);
    return { release };
  } catch (error) {
    await release().catch(() => undefined);
    throw error;
  }
}

/** The broker is asked after the holds were read: a member that it names then and that held before holds still. */
async function allHold(id: string, places: readonly TopicPartition[], { control, log }: LeasePorts): Promise<boolean> {
  const holds = await control.newest(`${HOLD}${id}:`);
  const holding = new Set<string | null>([log.memberId(), ...holds.map(({ value }) => value)]);
  const members = await log.members();
  const held = new Set(
    (members ?? []).filter(({ memberId }) => holding.has(memberId)).flatMap((one) => one.partitions.map(placeName)),
  );
  return places.every((place) => held.has(placeName(place)));
}

async function keepAlive(renew: () => Promise<void>, signal: AbortSignal, { sleep }: LeasePorts): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    await sleep(RENEW_MS, signal).catch(() => undefined);
    if (!isOver()) await renew().catch(() => undefined);
  }
}

export interface Holder {
  /** Looks at the leases of others, and holds still for those that are new. */
  look(): Promise<void>;
  /** Resolves when nothing is held any more; call it when the looking is over. */
  ended(): Promise<void>;
}

/** Holds still for the leases of other processes until they end. `signal` ends every hold. */
export function createHolder(ports: LeasePorts, signal: AbortSignal): Holder {
  const { control, processId } = ports;
  const held = new Map<string, Promise<void>>();
  return {
    async look() {
      for (const { name, value, ageMs } of await control.newest(LEASE)) {
        const id = name.slice(LEASE.length);
        const lease = JSON.parse(value) as Lease;
        if (held.has(id) || lease.process === processId) continue;
        if (ageMs > STALE_MS) {
          // Its shadow goes first: until then the lease tells of it.
          await ports.dropShadow(lease.shadow);
          await control.forget(name);
          continue;
        }
        const holding = holdStill(id, lease, ports, signal)
          .catch(() => undefined)
          .finally(() => held.delete(id));
        held.set(id, holding);
      }
    },
    ended: async () => void (await Promise.all(held.values())),
  };
}

/** Until the lease ends, grows old, or this process's assignment is over; then the shadow is gone before a block is written. */
async function holdStill(id: string, lease: Lease, ports: LeasePorts, signal: AbortSignal): Promise<void> {
  const { control, log, processId, sleep, emit } = ports;
  const name = `${HOLD}${id}:${processId}`;
  await ports.alone(lease.table, async () => {
    const epoch = log.epoch();
    const memberId = log.memberId();
    try {
      if (memberId !== null) await control.set(name, memberId);
      while (!signal.aborted && log.epoch() === epoch && (await isAlive(id, control)))
        await sleep(LOOK_MS, signal).catch(() => undefined);
    } finally {
      await patiently(() => ports.dropShadow(lease.shadow), { signal: ports.giveUp, emit });
      await control.forget(name).catch(() => undefined);
    }
  });
}

/** Nothing can be written while ClickHouse does not answer, so it does not matter then. */
async function isAlive(id: string, control: Control): Promise<boolean> {
  try {
    return (await control.newest(`${LEASE}${id}`)).some(({ ageMs }) => ageMs <= STALE_MS);
  } catch {
    return true;
  }
}

function notGathered(table: string): ServiceError {
  return new ServiceError(
    'FENCED',
    `The partitions of ${table} moved, or one of their owners did not hold still, so its mirror was not made anew.`,
    { place: { table }, hint: 'The old mirror stays. Ask again once the group has come to rest.' },
  );
}
