/** The one door to Kafka: a group member that hands over chunks of bytes and commits offsets with metadata. */
import { AssignerProtocol, type Consumer, type EachBatchPayload, type OffsetsByTopicPartition } from 'kafkajs';
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import { adminRequests, createKafka, reason, RETRY, unreachable, type KafkaOptions } from './client';
import { gatherCommits } from './commits';
import type { Log, LogListener } from './log';
import { handOverWholeBatches, toChunk } from './whole-batches';

/** kafkajs cannot be interrupted while it waits to join: then the broker forgets the member after its session timeout. */
const LEAVE_MS = 3_000;

const FENCING = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);

type CommitFunction = (offsets: OffsetsByTopicPartition) => Promise<void>;

interface Session {
  readonly consumer: Consumer;
  commit: CommitFunction | null;
  over: boolean;
}

export function openLog(options: KafkaOptions, listener: LogListener): Log {
  handOverWholeBatches();
  let epoch = 0;
  let session: Session | null = null;
  let memberId: string | null = null;
  let subscribed: readonly string[] = [];
  let stopped = false;
  let crashes = 0;
  let rejoin: NodeJS.Timeout | null = null;
  const kafka = createKafka(options, (entry) => {
    if (!entry.log.message.startsWith('Offset out of range')) return;
    const { topic, partition } = entry.log as unknown as TopicPartition;
    listener.onOutOfRange({ topic, partition });
  });
  const requests = adminRequests(kafka, options);
  const { ask } = requests;

  const crashed = (of: Session, cause: unknown): void => {
    if (of.over) return;
    of.over = true;
    epoch++;
    if (session === of) session = null;
    void of.consumer.disconnect().catch(() => undefined);
    if (stopped) return;
    crashes++;
    listener.onCrash(unreachable(options, cause), crashes);
    const delayMs = Math.min(15_000, 250 * 2 ** Math.min(crashes, 6)) * (0.5 + Math.random() / 2);
    rejoin = setTimeout(() => void join(), delayMs);
  };

  const eachBatch = async (of: Session, payload: EachBatchPayload): Promise<void> => {
    of.commit = (offsets) => payload.commitOffsetsIfNecessary(offsets);
    if (of.over || payload.isStale()) return;
    crashes = 0;
    const room = listener.onChunk(toChunk(payload.batch, epoch));
    if (room !== null) await hold(of, payload, room);
  };

  /** Waits for room while heartbeating; a partition that has none for `holdMs` is paused, so that others go on. */
  const hold = async (of: Session, payload: EachBatchPayload, room: Promise<void>): Promise<void> => {
    const { topic, partition } = payload.batch;
    const heldEpoch = epoch;
    const waited = new Promise<'long'>((resolve) => setTimeout(resolve, options.holdMs, 'long').unref());
    const outcome = await Promise.race([room.then(() => 'room' as const), waited]);
    await payload.heartbeat();
    if (outcome === 'room' || of.over || heldEpoch !== epoch) return;
    const paused = [{ topic, partitions: [partition] }];
    of.consumer.pause(paused);
    void room.then(() => {
      if (!of.over && heldEpoch === epoch) of.consumer.resume(paused);
    });
  };

  const join = async (): Promise<void> => {
    if (stopped || subscribed.length === 0) return;
    const consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: Math.max(60_000, options.sessionTimeoutMs),
      heartbeatInterval: Math.max(500, Math.floor(options.sessionTimeoutMs / 15)),
      maxWaitTimeInMs: 200,
      minBytes: 1,
      maxBytesPerPartition: 1 << 20,
      maxBytes: 10 << 20,
      retry: RETRY,
    });
    const of: Session = { consumer, commit: null, over: false };
    session = of;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (of.over) return;
      epoch++;
      ({ memberId } = payload);
      const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, ids]) =>
        ids.map((partition) => ({ topic, partition })),
      );
      consumer.pause(partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] })));
      listener.onAssigned(epoch, partitions);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed(of, payload.error));
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...subscribed], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        partitionsConsumedConcurrently: 64,
        eachBatch: (payload) => eachBatch(of, payload),
      });
    } catch (cause) {
      crashed(of, cause);
    }
  };

  const leave = async (): Promise<void> => {
    const of = session;
    session = null;
    if (rejoin !== null) clearTimeout(rejoin);
    rejoin = null;
    if (of === null) return;
    of.over = true;
    epoch++;
    const left = of.consumer.disconnect().catch(() => undefined);
    await Promise.race([left, new Promise((resolve) => setTimeout(resolve, LEAVE_MS).unref())]);
  };

  const commits = gatherCommits((of, offsets) => {
    if (of !== epoch)
      return Promise.reject(Object.assign(new Error('the generation is over'), { type: 'ILLEGAL_GENERATION' }));
    return session?.commit?.(offsets) ?? Promise.reject(new Error('no batch of this run yet'));
  });
  let stopping: Promise<void> | null = null;
  return {
    async subscribe(topics) {
      await leave();
      subscribed = topics;
      await join();
    },
    start({ topic, partition }, offset, of) {
      if (of !== epoch || session === null) return;
      session.consumer.seek({ topic, partition, offset: String(offset) });
      session.consumer.resume([{ topic, partitions: [partition] }]);
    },
    halt({ topic, partition }) {
      session?.consumer.pause([{ topic, partitions: [partition] }]);
    },
    async commit(of, commit) {
      if (of !== epoch || session === null) return 'fenced';
      try {
        await commits(of, commit);
        return of === epoch ? 'ok' : 'fenced';
      } catch (cause) {
        if (of !== epoch || FENCING.has((cause as { type?: string }).type ?? '')) return 'fenced';
        throw new ServiceError('KAFKA_REQUEST_FAILED', `Kafka did not answer a commit: ${reason(cause)}.`, {
          place: { topic: commit.topic, partition: commit.partition, offset: commit.offset },
          hint: 'Nothing is lost: the same commit is sent again. If it goes on, look at the broker that coordinates the group.',
          cause,
        });
      }
    },
    async committed(partitions) {
      const topics = [...new Set(partitions.map(({ topic }) => topic))];
      const answers = await ask((client) => client.fetchOffsets({ groupId: options.groupId, topics }));
      return answers.flatMap(({ topic, partitions: found }) =>
        found.map(({ partition, offset, metadata }) => ({
          topic,
          partition,
          offset: Number(offset) < 0 ? null : Number(offset),
          metadata: metadata ?? null,
        })),
      );
    },
    async bounds(topic) {
      const found = await ask((client) => client.fetchTopicOffsets(topic));
      return found.map(({ partition, low, high }) => ({ topic, partition, low: Number(low), high: Number(high) }));
    },
    async offsetAt({ topic, partition }, ms) {
      const found = await ask((client) => client.fetchTopicOffsetsByTimestamp(topic, ms));
      return Number(found.find((one) => one.partition === partition)?.offset ?? 0);
    },
    topics: () => ask((client) => client.listTopics()),
    canCommit: () => session !== null && session.commit !== null,
    epoch: () => epoch,
    memberId: () => memberId,
    async members() {
      const { groups } = await ask((client) => client.describeGroups([options.groupId]));
      const [group] = groups;
      if (group?.state !== 'Stable') return null;
      return group.members.map(({ memberId: id, memberAssignment }) => ({
        memberId: id,
        partitions: Object.entries(
          AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {},
        ).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition }))),
      }));
    },
    stop() {
      stopped = true;
      stopping ??= (async () => {
        await leave();
        await requests.close();
      })();
      return stopping;
    },
  };
}
