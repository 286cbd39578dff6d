/** All partitions of this process: follows the group's assignments, new topics, and the order to stop. */
import type { ServiceError } from '../errors';
import type { Emit } from '../events';
import type { LogListener } from '../kafka/log';
import type { TopicPartition } from '../model';
import type { Filter } from '../pipeline';
import type { ReplayRequest } from '../plan/replay';
import { createReplayRun, type ReplayProgress, type ReplayRun } from './replay-run';
import { deliverPartition, type PartitionDelivery } from './partition';
import { patiently } from './patience';
import type { DeliveryLimits, DeliveryPorts } from './ports';

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
   * Replays in this process, then builds the mirrors anew that were touched. Resolves when all of that is done; one at
   * a time. Records that arrive meanwhile are delivered as ever.
   */
  replay(request: ReplayRequest, onProgress?: (progress: ReplayProgress) => void): Promise<ReplayProgress>;
  /** Makes the mirror of a table anew from `changes`, if this process owns every partition that holds its changes. */
  rebuild(schema: string, table: string): Promise<RebuildOutcome>;
  /** ms since the last record of a table arrived or partitions were assigned; 0 while the group is joined. */
  idleMs(): number;
}

/** `spread`: other processes own some of the table's partitions. `nothing`: `changes` holds no change of it. */
export type RebuildOutcome = 'rebuilt' | 'not-mine' | 'spread' | 'nothing' | 'not-mirrored';

/** Keys and images that all open and waiting blocks of a process may hold, about; a partition may always have 1 MiB. */
const BLOCK_MEMORY_BYTES = 256 << 20;
const LEAST_BLOCK_BYTES = 1 << 20;

/** How long a stop waits for ClickHouse, Kafka and PostgreSQL to be back. */
const GIVE_UP_MS = 10_000;

export function createDelivery(options: DeliveryOptions, emit: Emit): Delivery {
  const stopping = new AbortController();
  let ports: DeliveryPorts | null = null;
  let deliveries = new Map<string, PartitionDelivery>();
  let lastRecordAt = performance.now();
  let joining = false;
  let assigned: readonly TopicPartition[] = [];
  let replay: ReplayRun | null = null;
  let subscribed: string[] = [];
  let following: Promise<void> = Promise.resolve();
  let stopped: Promise<void> | null = null;

  const listener: LogListener = {
    onAssigned(epoch, partitions) {
      if (ports === null) return;
      joining = false;
      lastRecordAt = performance.now();
      const earlier = deliveries;
      deliveries = new Map();
      for (const delivery of earlier.values()) delivery.abandon();
      if (stopping.signal.aborted) return;
      replay?.assigned(partitions);
      assigned = partitions;
      const limits = { ...options.limits, blockBytes: shareOfMemory(options.limits.blockBytes, partitions.length) };
      for (const of of partitions) {
        const after = earlier.get(name(of))?.ended ?? Promise.resolve();
        deliveries.set(
          name(of),
          deliverPartition({
            of,
            epoch,
            ports,
            limits,
            filter: options.filter,
            onFatal: options.onFatal,
            replay: () => replay,
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
        await log.subscribe(wanted);
      }
      await ports?.sleep(options.topicRefreshMs, signal);
    }
  };

  const giveUp = (): void => {
    for (const delivery of deliveries.values()) delivery.abandon();
    options.giveUp.abort(new Error('the service is stopping'));
  };

  const rebuild = async (schema: string, table: string): Promise<RebuildOutcome> => {
    const places = (await ports?.lookUps.whereabouts(schema, table)) ?? [];
    if (places.length === 0) return 'nothing';
    const mine = new Set(assigned.map(name));
    const owned = places.filter((place) => mine.has(name(place))).length;
    if (owned === 0) return 'not-mine';
    if (owned < places.length) return 'spread';
    const mirrored = await ports?.tables.rebuild({ source: '', db: '', schema, name: table });
    return mirrored === true ? 'rebuilt' : 'not-mirrored';
  };

  const isStopping = (): boolean => stopping.signal.aborted;

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
    rebuild,
    async replay(request, onProgress) {
      const run = createReplayRun(request, { concerns: concernedTopics(request, options.topicOf), offsetAt });
      while (replay !== null) await untilChange();
      replay = run;
      try {
        run.assigned(assigned);
        for (const delivery of deliveries.values()) delivery.reassign();
        while (!isStopping() && (assigned.length === 0 || !run.finished())) {
          await untilChange();
          onProgress?.(run.progress());
        }
        for (const { schema, name: table } of isStopping() ? [] : run.touched()) await rebuild(schema, table);
        return run.progress();
      } finally {
        replay = null;
      }
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

function untilChange(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
}

/** Topics of the tables that a replay names; all of them if it names none. */
function concernedTopics({ tables }: ReplayRequest, topicOf: (table: string) => string): (topic: string) => boolean {
  if (tables === null) return () => true;
  const topics = new Set(tables.map(topicOf));
  return (topic) => topics.has(topic);
}

function name({ topic, partition }: TopicPartition): string {
  return `${partition}@${topic}`;
}
