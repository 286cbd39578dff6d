/** Gathers commits that are ready together into one request. */
import type { OffsetsByTopicPartition } from 'kafkajs';
import type { TopicPartition } from '../model';
import type { Commit } from './log';

/** Joins the commits of one tick into one OffsetCommit. All of them share its fate, as kafkajs throws if one fails. */
export function gatherCommits(
  send: (epoch: number, offsets: OffsetsByTopicPartition) => Promise<void>,
): (epoch: number, commit: Commit) => Promise<void> {
  let waiting: { epoch: number; commits: Commit[]; sent: Promise<void> } | null = null;
  return (epoch, commit) => {
    if (waiting?.epoch !== epoch) {
      const batch = { epoch, commits: [] as Commit[], sent: Promise.resolve() };
      batch.sent = Promise.resolve().then(() => {
        if (waiting === batch) waiting = null;
        return send(epoch, asOffsets(batch.commits));
      });
      waiting = batch;
    }
    waiting.commits.push(commit);
    return waiting.sent;
  };
}

function asOffsets(commits: readonly Commit[]): OffsetsByTopicPartition {
  const topics = [...groupByTopic(commits)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition, offset, metadata }) => ({ partition, offset: String(offset), metadata })),
  }));
  return { topics };
}

function groupByTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  const byTopic = new Map<string, T[]>();
  for (const item of items) {
    const of = byTopic.get(item.topic);
    if (of === undefined) byTopic.set(item.topic, [item]);
    else of.push(item);
  }
  return byTopic;
}
