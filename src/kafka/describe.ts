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
}

/** Configurations and positions of the topics that `isOurs`; the others by name only. Throws KAFKA_UNREACHABLE or KAFKA_REFUSED_LOGIN. */
export async function describeKafka(
  options: KafkaOptions,
  isOurs: (topic: string) => boolean,
): Promise<DescribedKafka> {
  const requests = adminRequests(
    createKafka(options, () => undefined),
    options,
  );
  try {
    return await requests.ask(async (admin) => {
      const [{ topics }, { brokers }] = await Promise.all([admin.fetchTopicMetadata(), admin.describeCluster()]);
      const ours = topics.map(({ name }) => name).filter(isOurs);
      const [configs, expired] = await Promise.all([configsOf(admin, ours), expiredOf(admin, options.groupId, ours)]);
      return {
        brokers: brokers.length,
        expired,
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
