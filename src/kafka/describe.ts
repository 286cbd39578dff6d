/** What `check` looks at in Kafka: topics with their copies and settings, and positions that expired. Part of the door to kafkajs. */
import { ConfigResourceTypes, type Admin } from 'kafkajs';
import { adminRequests, createKafka, type KafkaOptions } from './client';

export interface DescribedTopic {
  readonly name: string;
  readonly partitions: number;
  /** Of the partition that has the fewest. */
  readonly replicas: number;
  readonly inSync: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface DescribedKafka {
  readonly brokers: number;
  readonly topics: readonly DescribedTopic[];
  readonly expired: readonly { topic: string; partition: number; committed: number; oldest: number }[];
  /** For how long at least the topic of heartbeats got no record, ms: 0 where one came within a minute, null where there is no such topic. */
  readonly silentMs: number | null;
}

/** Configurations and positions of the topics that `isOurs`; the others by name only. Throws KAFKA_UNREACHABLE or KAFKA_REFUSED_LOGIN. */
export async function describeKafka(
  options: KafkaOptions,
  { isOurs, heartbeats }: { readonly isOurs: (topic: string) => boolean; readonly heartbeats: string },
): Promise<DescribedKafka> {
  const requests = adminRequests(
    createKafka(options, () => undefined),
    options,
  );
  try {
    return await requests.ask(async (admin) => {
      const [{ topics }, { brokers }] = await Promise.all([admin.fetchTopicMetadata(), admin.describeCluster()]);
      const ours = topics.map(({ name }) => name).filter(isOurs);
      const [configs, expired, silentMs] = await Promise.all([
        configsOf(admin, ours),
        expiredOf(admin, options.groupId, ours),
        topics.some(({ name }) => name === heartbeats) ? silenceOf(admin, heartbeats) : null,
      ]);
      return {
        brokers: brokers.length,
        expired,
        silentMs,
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.length,
          replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
          inSync: Math.min(...partitions.map(({ isr }) => isr.length)),
          config: configs.get(name) ?? {},
        })),
      };
    });
  } finally {
    await requests.close();
  }
}

async function configsOf(
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  if (topics.length === 0) return new Map();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
}

async function expiredOf(
  admin: Admin,
  groupId: string,
  topics: readonly string[],
): Promise<{ topic: string; partition: number; committed: number; oldest: number }[]> {
  if (topics.length === 0) return [];
  const positions = await admin.fetchOffsets({ groupId, topics: [...topics] });
  const found = await Promise.all(
    positions.map(async ({ topic, partitions }) => {
      const committed = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
      const bounds = await admin.fetchTopicOffsets(topic);
      return bounds.map(({ partition, low }) => {
        return { topic, partition, committed: committed.get(partition) ?? -1, oldest: Number(low) };
      });
    }),
  );
  return found.flat().filter(({ committed, oldest }) => committed >= 0 && committed < oldest);
}

const MINUTE_MS = 60_000;
/** Looked for one after the other: Kafka finds the first record since a moment, not the last of all. */
const SILENCES_MS = [1, 5, 60, 24 * 60].map((minutes) => minutes * MINUTE_MS);

async function silenceOf(admin: Admin, topic: string): Promise<number> {
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]));
  const now = Date.now();
  let silent = 0;
  for (const ms of SILENCES_MS) {
    const since = await admin.fetchTopicOffsetsByTimestamp(topic, now - ms);
    if (since.some(({ partition, offset }) => Number(offset) < (ends.get(partition) ?? 0))) break;
    silent = ms;
  }
  return silent;
}
