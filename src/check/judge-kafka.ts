/** What is wrong with the topics: what they keep, how much of it, and what was deleted before it was read. */
import { byHand, finding, shell, shellWord } from './facts';
import type { ConnectFacts, Finding, KafkaFacts, Mend, TopicFacts, Wanted } from './facts';

const DAY_MS = 86_400_000;

export function judgeKafka(
  facts: KafkaFacts,
  {
    wanted,
    apply,
    connect,
  }: { readonly wanted: Wanted; readonly apply: string; readonly connect: ConnectFacts | null },
): Finding[] {
  const ours = facts.topics.filter(({ name }) => name.startsWith(`${wanted.topicPrefix}.`));
  const expired = facts.expired.map(({ topic, partition, committed, oldest }) => {
    const what = `offsets ${String(committed)} to ${String(oldest - 1)} of partition ${String(partition)} are gone`;
    const mend = byHand(
      'Start once with --accept-loss, then send the rows as they are: debezium-clickhouse connectors snapshot --tables … --type blocking; keep more in Kafka (topic-retention-short).',
    );
    return finding('changes-expired', { place: `topic ${topic}`, what, mend });
  });
  if (ours.length === 0) {
    const what = `no topic begins with ${wanted.topicPrefix}.`;
    return [...expired, finding('no-topics', { place: 'Kafka', what, mend: shell(apply) })];
  }
  const largest = Number(connect?.config?.['producer.override.max.request.size'] ?? '1048576');
  return [
    ...expired,
    ...judgeSilence(facts, wanted, connect),
    ...ours.flatMap((topic) => judgeTopic(topic, { facts, wanted, largest })),
  ];
}

const MINUTE_MS = 60_000;
/** So many heartbeats are late at the least before it is told. */
const LATE_HEARTBEATS = 3;

function judgeSilence({ silentMs }: KafkaFacts, wanted: Wanted, connect: ConnectFacts | null): Finding[] {
  const everyMs = Number(connect?.config?.['heartbeat.interval.ms'] ?? '0');
  if (connect?.running !== true || everyMs === 0 || silentMs === null) return [];
  if (silentMs < Math.max(MINUTE_MS, everyMs * LATE_HEARTBEATS)) return [];
  const what = `it says ${connect.status}, and for ${String(silentMs / MINUTE_MS)} minutes or more it has sent no heartbeat`;
  const mend = byHand(
    'Unless it takes a snapshot, look at the log of the Kafka Connect worker, and start the worker again.',
  );
  return [finding('connector-silent', { place: `connector ${wanted.connectorName}`, what, mend })];
}

interface Around {
  readonly facts: KafkaFacts;
  readonly wanted: Wanted;
  /** The largest record that the connector sends. */
  readonly largest: number;
}

function judgeTopic(topic: TopicFacts, around: Around): Finding[] {
  return [...judgeConfig(topic, around), ...judgeCopies(topic, around)];
}

function judgeConfig({ name, config }: TopicFacts, { wanted, largest }: Around): Finding[] {
  const place = `topic ${name}`;
  const found: Finding[] = [];
  const set = (changes: string): Mend =>
    shell(
      `kafka-configs.sh --bootstrap-server ${shellWord(wanted.brokers)} --alter --entity-type topics --entity-name ${shellWord(name)} --add-config ${shellWord(changes)}`,
    );
  const policy = config['cleanup.policy'] ?? 'delete';
  if (policy.includes('compact')) {
    const what = `its cleanup.policy is ${policy}`;
    found.push(finding('topic-compacted', { place, what, mend: set('cleanup.policy=delete') }));
  }
  const retention = Number(config['retention.ms'] ?? '-1');
  if (retention >= 0 && retention < DAY_MS) {
    const what = `its retention.ms is ${String(retention)}, less than a day`;
    found.push(finding('topic-retention-short', { place, what, mend: set('retention.ms=604800000') }));
  }
  const bytes = Number(config['retention.bytes'] ?? '-1');
  if (bytes >= 0) {
    const what = `its retention.bytes is ${String(bytes)}`;
    found.push(finding('topic-retention-bytes', { place, what, mend: set('retention.bytes=-1') }));
  }
  const message = Number(config['max.message.bytes'] ?? String(largest));
  if (message < largest) {
    const what = `its max.message.bytes is ${String(message)}, and the connector sends up to ${String(largest)}`;
    found.push(finding('topic-message-size', { place, what, mend: set(`max.message.bytes=${String(largest)}`) }));
  }
  return found;
}

/** Rows of one key stay in one partition; a change of key is not ordered against the rows of others, a truncate only by time. */
function judgeCopies({ name, partitions, replicas, inSync }: TopicFacts, { facts }: Around): Finding[] {
  const place = `topic ${name}`;
  const found: Finding[] = [];
  if (partitions > 1) {
    const mend = byHand('Nothing, if that does no harm. Else set TOPIC_PARTITIONS=1 before a topic is made.');
    found.push(finding('topic-partitions', { place, what: `it has ${String(partitions)} partitions`, mend }));
  }
  if (replicas === 1 && facts.brokers > 1) {
    const mend = byHand(
      'kafka-reassign-partitions.sh gives it replicas; TOPIC_REPLICATION=3 counts for topics made later.',
    );
    found.push(finding('topic-not-replicated', { place, what: 'it has one replica', mend }));
  }
  if (inSync < replicas) {
    const what = `${String(inSync)} of ${String(replicas)} replicas are in sync`;
    found.push(
      finding('topic-replicas-behind', { place, what, mend: byHand('Bring the broker back that is away or behind.') }),
    );
  }
  return found;
}
