/** Waits until the consumer has written every change that was committed before a snapshot was taken. */
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import type { Held, KafkaLooks, Progress } from './ports';

export interface Waiting {
  readonly kafka: KafkaLooks;
  readonly messageTopic: string;
  /** Ms without any progress after which waiting is given up. */
  readonly patienceMs: number;
  readonly onProgress: (progress: Progress) => void;
  /** Ends the waiting with its reason: there is nothing left to compare with. */
  readonly lost: AbortSignal;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Where the topic of logical messages ends now; take it before the message is sent. */
export async function endOf(kafka: KafkaLooks, topic: string): Promise<readonly Held[]> {
  return (await kafka.topics()).includes(topic) ? kafka.bounds(topic) : [];
}

/**
 * Waits until a logical message with `mark` in it is in Kafka. The connector sends in the order of commits and a message
 * is sent after the snapshot was taken, so then every change that the snapshot sees is in its topic: below the ends that
 * are read from then on. Throws VERIFY_TIMED_OUT.
 */
export async function waitForMessage(mark: string, before: readonly Held[], waiting: Waiting): Promise<void> {
  const { kafka, messageTopic, patienceMs, onProgress } = waiting;
  onProgress({ phase: 'waiting for Kafka', table: '', done: 0, total: 0 });
  const deadline = waiting.now() + patienceMs;
  while (!(await kafka.topics()).includes(messageTopic)) {
    waiting.lost.throwIfAborted();
    if (waiting.now() > deadline) throw noMessage(waiting);
    await waiting.sleep(250);
  }
  const from = await kafka.bounds(messageTopic);
  const ranges = from.map(({ topic, partition, low }) => ({
    topic,
    partition,
    from: before.find((one) => one.partition === partition)?.high ?? low,
    to: null,
  }));
  const arrived = { message: false };
  const reading = new AbortController();
  const watching = watchGrowth(reading, waiting);
  watching.catch(() => reading.abort());
  try {
    await kafka.read(
      ranges,
      ({ value }) => {
        arrived.message = Buffer.from(value.buffer, value.byteOffset, value.length).includes(mark);
        return arrived.message ? 'stop' : 'go on';
      },
      AbortSignal.any([reading.signal, waiting.lost]),
    );
  } finally {
    reading.abort();
    await watching;
  }
  waiting.lost.throwIfAborted();
  if (!arrived.message) throw noMessage(waiting);
}

/** Ends the reading when the connector has written nothing for `patienceMs`: one that is behind is waited for. */
async function watchGrowth(
  reading: AbortController,
  { kafka, messageTopic, patienceMs, now, sleep }: Waiting,
): Promise<void> {
  const prefix = messageTopic.slice(0, -'message'.length);
  const startedAt = now();
  let size = -1;
  let grownAt = startedAt;
  while (!reading.signal.aborted) {
    const topics = (await kafka.topics()).filter((topic) => topic.startsWith(prefix));
    const held = await Promise.all(topics.map((topic) => kafka.bounds(topic)));
    const total = held.flat().reduce((sum, { high }) => sum + high, 0);
    if (total > size) grownAt = now();
    size = total;
    // Should messages be left out by the connector, tables may grow for ever.
    if (now() - grownAt > patienceMs || now() - startedAt > LONGEST_WAIT * patienceMs) reading.abort();
    await sleep(250);
  }
}

/** Times the patience, for a connector that is behind and goes on. */
const LONGEST_WAIT = 15;

/** What some topics hold; one that is not there (yet) is left out. */
export async function boundsOf(kafka: KafkaLooks, topics: readonly string[]): Promise<Held[]> {
  const existing = new Set(await kafka.topics());
  const held = await Promise.all(topics.filter((topic) => existing.has(topic)).map((topic) => kafka.bounds(topic)));
  return held.flat();
}

/**
 * Waits until everything below `ends` is acknowledged, that is, written. An offset may stand still before an end when
 * nothing but control records lies between; that is looked up in Kafka, not guessed. Throws VERIFY_TIMED_OUT.
 */
export async function waitForConsumer(ends: readonly Held[], waiting: Waiting): Promise<void> {
  const { kafka, onProgress, patienceMs } = waiting;
  let behind = ends.filter(({ low, high }) => high > low).map((end) => ({ ...end, at: end.low }));
  const total = behind.reduce((sum, { low, high }) => sum + high - low, 0);
  let left = Infinity;
  let movedAt = waiting.now();
  let lookedAt = waiting.now();
  while (behind.length > 0) {
    waiting.lost.throwIfAborted();
    const offsets = await kafka.committed([...new Set(behind.map(({ topic }) => topic))]);
    const passed = behind.map((end) => ({ ...end, at: Math.max(end.low, find(offsets, end)?.offset ?? 0) }));
    const open = passed.filter(({ at, high }) => at < high);
    const remaining = open.reduce((sum, { at, high }) => sum + high - at, 0);
    onProgress({ phase: 'waiting for the consumer', table: '', done: total - remaining, total });
    if (remaining < left) movedAt = lookedAt = waiting.now();
    left = remaining;
    behind = open;
    if (waiting.now() - lookedAt > STANDS_STILL_MS) {
      behind = await withRecords(open, kafka, patienceMs);
      lookedAt = waiting.now();
    }
    if (waiting.now() - movedAt > patienceMs) throw await notWritten(behind, waiting);
    await waiting.sleep(100);
  }
}

/** An idle partition is acknowledged within a second. */
const STANDS_STILL_MS = 3_000;

/** Those that still hold a visible record between where the consumer is and their end. */
async function withRecords<T extends Held & { at: number }>(
  open: readonly T[],
  kafka: KafkaLooks,
  patienceMs: number,
): Promise<T[]> {
  const full = new Set<T>();
  for (const one of open) {
    const range = { topic: one.topic, partition: one.partition, from: one.at, to: one.high };
    const signal = AbortSignal.timeout(patienceMs);
    await kafka.read(
      [range],
      () => {
        full.add(one);
        return 'stop';
      },
      signal,
    );
    // What was not read to its end is not known to be empty.
    if (signal.aborted) full.add(one);
  }
  return open.filter((one) => full.has(one));
}

function find<T extends TopicPartition>(all: readonly T[], { topic, partition }: TopicPartition): T | undefined {
  return all.find((one) => one.topic === topic && one.partition === partition);
}

function noMessage({ messageTopic: topic, patienceMs }: Waiting): ServiceError {
  return new ServiceError(
    'VERIFY_TIMED_OUT',
    `The logical message that marks the position did not arrive in ${topic}, though it was waited for until nothing came for ${Math.round(patienceMs / 1000)} s.`,
    {
      place: { topic },
      hint: 'See that the connector runs (connectors status), and that message.prefix.exclude.list does not leave out debezium-clickhouse.',
    },
  );
}

async function notWritten(
  behind: readonly (Held & { at: number })[],
  { kafka, patienceMs }: Waiting,
): Promise<ServiceError> {
  const [first] = behind;
  const members = await kafka.memberCount();
  return new ServiceError(
    'VERIFY_TIMED_OUT',
    `${behind.length} partitions are not written up to the position, and for ${Math.round(patienceMs / 1000)} s nothing moved.`,
    {
      place: first === undefined ? {} : { topic: first.topic, partition: first.partition, offset: first.at },
      hint:
        members === 0
          ? 'No service runs in the group: start it (npm start), then verify again.'
          : 'Look at the log of the service: it runs, but does not acknowledge.',
    },
  );
}

/** Waits until no mirror is about to be made anew. Throws VERIFY_TIMED_OUT when that does not come to an end. */
export async function waitForRebuilds(pending: () => Promise<number>, waiting: Waiting): Promise<void> {
  const deadline = waiting.now() + waiting.patienceMs;
  for (let left = await pending(); left > 0; left = await pending()) {
    waiting.onProgress({ phase: 'waiting for the consumer', table: '', done: 0, total: 0 });
    waiting.lost.throwIfAborted();
    if (waiting.now() > deadline) {
      throw new ServiceError('VERIFY_TIMED_OUT', 'Mirrors are to be made anew, and that does not come to an end.', {
        hint: 'Is the service running? Its log says what it waits for.',
      });
    }
    await waiting.sleep(500);
  }
}
