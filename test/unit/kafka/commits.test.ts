/** Commits that are ready together leave in one request and share its fate. */
import type { OffsetsByTopicPartition } from 'kafkajs';
import { gatherCommits } from '../../../src/kafka/commits';
import type { Commit } from '../../../src/kafka/log';

const commitOf = (topic: string, partition: number, offset: number): Commit => ({
  topic,
  partition,
  offset,
  metadata: `of ${topic}:${partition}`,
});

function gathering(outcome: () => Promise<void> = () => Promise.resolve()) {
  const sent: { epoch: number; offsets: OffsetsByTopicPartition }[] = [];
  const commit = gatherCommits((epoch, offsets) => {
    sent.push({ epoch, offsets });
    return outcome();
  });
  return { sent, commit };
}

describe('commits', () => {
  it('of one tick leave in one request, each partition with its own offset and metadata', async () => {
    const { sent, commit } = gathering();
    await Promise.all([
      commit(3, commitOf('a', 0, 10)),
      commit(3, commitOf('b', 0, 2 ** 40)),
      commit(3, commitOf('a', 1, 0)),
    ]);
    expect(sent).toEqual([
      {
        epoch: 3,
        offsets: {
          topics: [
            {
              topic: 'a',
              partitions: [
                { partition: 0, offset: '10', metadata: 'of a:0' },
                { partition: 1, offset: '0', metadata: 'of a:1' },
              ],
            },
            { topic: 'b', partitions: [{ partition: 0, offset: '1099511627776', metadata: 'of b:0' }] },
          ],
        },
      },
    ]);
  });

  it('of a later tick leave in a request of their own, though the one before has no answer yet', async () => {
    const answers: (() => void)[] = [];
    const { sent, commit } = gathering(() => new Promise((resolve) => answers.push(resolve)));
    const first = commit(1, commitOf('a', 0, 1));
    await new Promise(setImmediate);
    const second = commit(1, commitOf('a', 0, 2));
    await new Promise(setImmediate);
    expect(sent.map(({ offsets }) => offsets.topics[0]?.partitions[0]?.offset)).toEqual(['1', '2']);
    for (const answer of answers) answer();
    await Promise.all([first, second]);
  });

  it('of different epochs are never mixed', async () => {
    const { sent, commit } = gathering();
    await Promise.all([commit(1, commitOf('a', 0, 1)), commit(2, commitOf('a', 0, 2)), commit(2, commitOf('b', 0, 3))]);
    expect(sent.map(({ epoch, offsets }) => [epoch, offsets.topics.map(({ topic }) => topic)])).toEqual([
      [1, ['a']],
      [2, ['a', 'b']],
    ]);
  });

  it('all fail when their request fails, and the next one is sent anew', async () => {
    const outcomes = [Promise.reject(new Error('no answer')), Promise.resolve()];
    const { sent, commit } = gathering(() => outcomes.shift()!);
    const results = await Promise.allSettled([commit(1, commitOf('a', 0, 1)), commit(1, commitOf('a', 1, 1))]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(commit(1, commitOf('a', 0, 1))).resolves.toBeUndefined();
    expect(sent).toHaveLength(2);
  });

  it('fail, and do not throw, when sending throws at once', async () => {
    const commit = gatherCommits(() => {
      throw new Error('not connected');
    });
    await expect(commit(1, commitOf('a', 0, 1))).rejects.toThrow('not connected');
  });
});
