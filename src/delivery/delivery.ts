/** All partitions of this process: follows the group's assignments, new topics, and the order to stop. */
import { ServiceError } from '../errors';
import type { Emit } from '../events';
import type { LogListener } from '../kafka/log';
import type { TopicPartition } from '../model';
import type { Filter } from '../pipeline';
import type { BlockTable } from '../plan/change-block';
import type { ReplayRequest } from '../plan/replay';
import type { Work } from './between-blocks';
import { repairKeys, type Repaired, type RepairRequest } from './repair';
import { createReplayRun, type ReplayProgress, type ReplayResult, type ReplayRun } from './replay-run';
import { deliverPartition, type PartitionDelivery } from './partition';
import { createPace } from './pace';
import { patiently } from './patience';
import type { DeliveryLimits, DeliveryPorts } from './ports';
import {
  rebuildMarked,
  rebuildTable,
  refillDropped,
  remakeTable,
  type Membership,
  type RebuildOutcome,
} from './table-rebuild';

export interface DeliveryOptions {
  readonly limits: DeliveryLimits;
  readonly filter: Filter;
  /** Topics of the cluster that belong to this service. */
  readonly wants: (topic: string) => boolean;
  /** Of those, the ones that hold changes: heartbeats go on for ever, and do not keep the service from being idle. */
  readonly holdsChanges: (topic: string) => boolean;
  /** The topic of a `schema.table`. */
  readonly topicOf: (table: string) => string;
  /** How often to look for topics that appeared, ms. */
  readonly topicRefreshMs: number;
  /** Anything that ends the service: its exit code is the error's business. */
  readonly onFatal: (error: unknown) => void;
  /** Aborted when a stop has waited long enough for what is away: what is not written then is written at the next start. */
  readonly giveUp: AbortController;
}

export interface Delivery {
  /** What Kafka's edge tells; pass it to `openLog`. */
  readonly listener: LogListener;
  /** Follows topics and assignments until `stop`. Call once, when `ports` is ready. */
  start(ports: DeliveryPorts): void;
  /** Finishes the blocks in hand, commits, leaves the group. Idempotent. */
  stop(): Promise<void>;
  /** The partitions of this process; empty while the group is joined. */
  assigned(): readonly TopicPartition[];
  /**
   * Replays in this process, then builds the mirrors anew that were touched and that nobody else writes to. Resolves when
   * all of that is done; one at a time. Records that arrive meanwhile are delivered as ever. Throws REQUEST_FAILED when
   * the delivery is stopped before.
   */
  replay(request: ReplayRequest, onProgress?: (progress: ReplayProgress) => void): Promise<ReplayResult>;
  /**
   * Makes the mirror of a table anew from `changes`, if this process owns its first partition; the others' owners hold
   * still meanwhile. Throws FENCED when a partition moved; the old mirror then stays.
   */
  rebuild(schema: string, table: string): Promise<RebuildOutcome>;
  /** Fills mirrors again that were dropped, and makes those anew that are marked for it and whose first partition is this process's. */
  rebuildMarked(): Promise<void>;
  /**
   * Holds the partitions of these topics from now on: they finish their block, keep their place and read nothing, until
   * it is called anew without them. May be called before `start`.
   */
  pause(topics: (topic: string) => boolean): void;
  /**
   * Does something between two blocks of each of this process's partitions that it concerns, and returns the results.
   * Throws what the work throws, and REQUEST_FAILED where a partition moves before.
   */
  between<T>(concerns: (of: TopicPartition) => boolean, work: Work<T>): Promise<T[]>;
  /** Mends rows of a mirror from `changes`, as far as their partitions are this process's. */
  repair(request: RepairRequest): Promise<Repaired | 'not-mine' | 'not-mirrored'>;
  /** ms since the last record of a table arrived or partitions were assigned; 0 while the group is joined. */
  idleMs(): number;
}

/** Keys and images that all open and waiting blocks of a process may hold, about; a partition may always have 1 MiB. */
const BLOCK_MEMORY_BYTES = 256 << 20;
const LEAST_BLOCK_BYTES = 1 << 20;

const REMAKE_AGAIN_MS = 1_000;

/** How long a stop waits for ClickHouse, Kafka and PostgreSQL to be back. */
const GIVE_UP_MS = 10_000;

export function createDelivery(options: DeliveryOptions, emit: Emit): Delivery {
  const stopping = new AbortController();
  const pace = createPace(options.limits.blockAgeMs);
  let ports: DeliveryPorts | null = null;
  let deliveries = new Map<string, PartitionDelivery>();
  let lastRecordAt = performance.now();
  let joining = false;
  /** False before the first assignment, while another subscription is joined, and after a crash. */
  let isMember = false;
  let assigned: readonly TopicPartition[] = [];
  let assignment = new AbortController();
  let replay: ReplayRun | null = null;
  let isPaused: (topic: string) => boolean = () => false;
  let subscribed: string[] = [];
  let following: Promise<void> = Promise.resolve();
  let stopped: Promise<void> | null = null;

  const listener: LogListener = {
    onAssigned(epoch, partitions) {
      const ready = ports;
      if (ready === null) return;
      joining = false;
      isMember = true;
      lastRecordAt = performance.now();
      const earlier = deliveries;
      deliveries = new Map();
      for (const delivery of earlier.values()) delivery.abandon();
      assignment.abort(new Error('the assignment is over'));
      assignment = new AbortController();
      if (stopping.signal.aborted) return;
      replay?.assigned(partitions);
      const { signal } = assignment;
      const revoked = patiently(() => ready.revoke(signal), { signal, emit });
      revoked.catch(() => undefined);
      assigned = partitions;
      emit({ tag: 'group-joined', partitions });
      const limits = { ...options.limits, blockBytes: shareOfMemory(options.limits.blockBytes, partitions.length) };
      for (const of of partitions) {
        const after = Promise.all([earlier.get(name(of))?.ended, revoked]);
        deliveries.set(
          name(of),
          deliverPartition({
            of,
            epoch,
            ports: ready,
            limits,
            pace,
            filter: options.filter,
            onFatal: options.onFatal,
            replay: () => replay,
            paused: () => isPaused(of.topic),
            remake,
            after,
          }),
        );
      }
    },
    onChunk(chunk) {
      if (options.holdsChanges(chunk.topic)) lastRecordAt = performance.now();
      return deliveries.get(name(chunk))?.take(chunk) ?? null;
    },
    onOutOfRange: (of) => deliveries.get(name(of))?.reassign(),
    onCrash(error: ServiceError, attempt) {
      isMember = false;
      assignment.abort(error);
      for (const delivery of deliveries.values()) delivery.abandon();
      emit({ tag: 'kafka-waiting', attempt, delayMs: 0, code: error.code, message: error.message });
    },
  };

  /** Joins again whenever the set of topics changed: kafkajs expands a subscription only once. */
  const follow = async ({ log }: DeliveryPorts, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const all = await patiently(() => log.topics(), { signal, emit });
      const wanted = all.filter(options.wants).sort();
      const added = wanted.filter((topic) => !subscribed.includes(topic));
      const gone = subscribed.filter((topic) => !wanted.includes(topic));
      if (added.length + gone.length > 0) {
        emit({ tag: 'topics-changed', added, gone });
        subscribed = wanted;
        await drainAll();
        if (isStopping()) return;
        joining = wanted.length > 0;
        isMember = false;
        await log.subscribe(wanted);
      }
      await ports?.sleep(options.topicRefreshMs, signal);
    }
  };

  const giveUp = (): void => {
    for (const delivery of deliveries.values()) delivery.abandon();
    options.giveUp.abort(new Error('the service is stopping'));
  };

  const ownership = (): Membership => ({
    assigned,
    signal: AbortSignal.any([assignment.signal, stopping.signal]),
  });

  const membership = async (): Promise<{ ports: DeliveryPorts; of: Membership }> => {
    while (!isMember || ports === null) await untilChange(throwIfStopping);
    return { ports, of: ownership() };
  };

  const rebuildAllMarked = async (): Promise<void> => {
    const { ports: at } = await membership();
    await refillDropped(at);
    await rebuildMarked(ownership, at);
  };

  /** One after the other: the second finds done what the first did. */
  let rebuilding: Promise<void> = Promise.resolve();
  const rebuildInTurn = (): Promise<void> => {
    const turn = rebuilding.then(rebuildAllMarked);
    rebuilding = turn.catch(() => undefined);
    return turn;
  };

  /** The tables may be others' to make anew; the marks say when that is done. */
  const renewMirrors = async (tables: readonly BlockTable[]): Promise<void> => {
    const { rebuildMarks } = (await membership()).ports;
    const until = {};
    const names = new Set<string>();
    for (const { schema, name: table } of tables) names.add(await rebuildMarks.want({ schema, table, until }));
    await rebuildInTurn();
    while ((await rebuildMarks.list()).some(({ name: mark }) => names.has(mark))) await untilChange(throwIfStopping);
  };

  /** A mirror that its source has left behind. Where another process must do it, that one is told, and looked after soon. */
  const remake = async (table: BlockTable): Promise<void> => {
    const { ports: at, of } = await membership();
    const outcome = await remakeTable(table, of, at);
    if (outcome === 'not-mine') await at.sleep(REMAKE_AGAIN_MS, stopping.signal);
  };

  const isStopping = (): boolean => stopping.signal.aborted;

  const throwIfStopping = (): void => {
    if (!isStopping()) return;
    throw new ServiceError(
      'REQUEST_FAILED',
      'The service was stopped before it was done; it goes on at its next start.',
      {
        hint: 'Start the service, and ask again if the mirrors are to be made anew.',
      },
    );
  };

  const offsetAt = (of: TopicPartition, ms: number): Promise<number> => {
    if (ports === null) throw new Error('replay before start');
    return ports.log.offsetAt(of, ms);
  };

  const drainAll = async (): Promise<void> => {
    await Promise.all([...deliveries.values()].map((delivery) => delivery.drain()));
  };

  return {
    listener,
    start(ready) {
      ports = ready;
      following = follow(ready, stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) options.onFatal(error);
      });
    },
    stop() {
      stopped ??= (async () => {
        stopping.abort(new Error('the service is stopping'));
        const patience = setTimeout(giveUp, GIVE_UP_MS);
        await drainAll();
        clearTimeout(patience);
        await ports?.log.stop();
        await following;
      })();
      return stopped;
    },
    assigned: () => (joining ? [] : assigned),
    async rebuild(schema, table) {
      const { ports: at, of } = await membership();
      return rebuildTable({ schema, table }, of, at);
    },
    rebuildMarked: rebuildInTurn,
    async repair(request) {
      const { ports: at, of } = await membership();
      return repairKeys(request, of, at, options.limits);
    },
    async replay(request, onProgress) {
      const run = createReplayRun(request, { concerns: concernedTopics(request, options), offsetAt });
      while (replay !== null) await untilChange(throwIfStopping);
      replay = run;
      try {
        run.assigned(assigned);
        for (const delivery of deliveries.values()) delivery.rewind();
        while (!isMember || !run.finished()) {
          await untilChange(throwIfStopping);
          onProgress?.(run.progress());
        }
        await renewMirrors(run.touched());
        return run.result();
      } finally {
        replay = null;
      }
    },
    pause(topics) {
      isPaused = topics;
      for (const delivery of deliveries.values()) delivery.lookAgain();
    },
    async between(concerns, work) {
      while (!isMember) await untilChange(throwIfStopping);
      const concerned = assigned.filter(concerns).map((of) => deliveries.get(name(of)));
      return Promise.all(concerned.flatMap((delivery) => (delivery === undefined ? [] : [delivery.between(work)])));
    },
    idleMs: () => (joining ? 0 : performance.now() - lastRecordAt),
  };
}

/** Bytes of a block so that all partitions together stay bounded while ClickHouse is away: each holds two blocks then. */
function shareOfMemory(blockBytes: number, partitionCount: number): number {
  return Math.min(
    blockBytes,
    Math.max(LEAST_BLOCK_BYTES, Math.floor(BLOCK_MEMORY_BYTES / 2 / Math.max(1, partitionCount))),
  );
}

const CHANGE_MS = 200;

/** Waits a little; `check` may throw before and after. */
async function untilChange(check: () => void): Promise<void> {
  check();
  await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  check();
}

/** Topics of the tables that a replay names; those of all tables if it names none. */
function concernedTopics(
  { tables }: ReplayRequest,
  { topicOf, holdsChanges }: Pick<DeliveryOptions, 'topicOf' | 'holdsChanges'>,
): (topic: string) => boolean {
  if (tables === null) return holdsChanges;
  const topics = new Set(tables.map(topicOf));
  return (topic) => topics.has(topic);
}

function name({ topic, partition }: TopicPartition): string {
  return `${partition}@${topic}`;
}
