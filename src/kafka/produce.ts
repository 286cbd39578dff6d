/** Sends one record of ours, such as a signal to the connector, and makes the topic that it goes to. Part of the door to kafkajs. */
import { Partitioners } from 'kafkajs';
import { adminRequests, createKafka, unreachable, type KafkaOptions } from './client';

/** Resolves once all replicas in sync have it. Throws KAFKA_UNREACHABLE or KAFKA_REFUSED_LOGIN. */
export async function sendRecord(
  options: KafkaOptions,
  { topic, key, value }: { topic: string; key: string; value: string },
): Promise<void> {
  const producer = createKafka(options, () => undefined).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  try {
    await producer.connect();
    await producer.send({ topic, acks: -1, messages: [{ key, value }] });
  } catch (cause) {
    throw unreachable(options, cause);
  } finally {
    await producer.disconnect().catch(() => undefined);
  }
}

/** Makes a topic of one partition where it is missing; says whether it did. */
export async function makeTopic(options: KafkaOptions, topic: string): Promise<boolean> {
  const requests = adminRequests(
    createKafka(options, () => undefined),
    options,
  );
  try {
    return await requests.ask((admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }),
    );
  } finally {
    await requests.close();
  }
}
