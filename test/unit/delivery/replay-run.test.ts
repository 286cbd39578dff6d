/** The bookkeeping of one replay: where each partition begins, when it has caught up, and what survives a rebalance. */
import type { Beginning } from '../../../src/delivery/assign';
import { NO_MARKS } from '../../../src/plan/marks';
import { createReplayRun, type ReplayRun } from '../../../src/delivery/replay-run';
import type { TopicPartition } from '../../../src/model';
import { NO_WATERMARK } from '../../../src/plan/position';
import type { ReplayFrom } from '../../../src/plan/replay';

const A: TopicPartition = { topic: 'cdc.public.a', partition: 0 };
const B: TopicPartition = { topic: 'cdc.public.b', partition: 0 };
const HEARTBEAT: TopicPartition = { topic: 'heartbeat', partition: 0 };
const TABLE = { source: 'cdc', db: 'd', schema: 'public', name: 'a' };

function runOf(from: ReplayFrom = { kind: 'beginning' }): ReplayRun {
  return createReplayRun(
    { from, tables: null },
    { concerns: (topic) => topic.startsWith('cdc.'), offsetAt: async (_, ms) => ms },
  );
}

const beginning = (from: number, highest: number, how: Beginning['how'] = 'replay'): Beginning => ({
  ...{ from, highest, how, redo: null, target: 'uuid', snapshot: { kind: 'empty' } },
  watermark: NO_WATERMARK,
  marks: NO_MARKS,
});
const held = { low: 5, committed: 100 };

describe('a replay', () => {
  it('begins where it was asked to, and no earlier than Kafka holds', async () => {
    expect(await runOf().from(A, held)).toBe(5);
    expect(await runOf({ kind: 'timestamp', ms: 42 }).from(A, held)).toBe(42);
    const offsets = runOf({ kind: 'offsets', offsets: { 'cdc.public.a:0': 2 } });
    expect(await offsets.from(A, held)).toBe(5);
    expect(await offsets.from(B, held)).toBeNull();
    expect(await runOf().from(HEARTBEAT, held)).toBeNull();
  });

  it('is done when every partition has passed what changes held when it began', async () => {
    const run = runOf();
    run.assigned([A, B, HEARTBEAT]);
    expect(run.finished()).toBe(false);
    run.began(A, beginning(5, 99));
    run.began(B, beginning(0, 9));
    run.passed(B, 10, []);
    run.passed(A, 60, [TABLE]);
    expect(run.progress()).toEqual({ partitions: 2, caughtUp: 1, total: 105, passed: 65 });
    expect(run.finished()).toBe(false);
    run.passed(A, 130, [TABLE]);
    expect(run.progress()).toEqual({ partitions: 2, caughtUp: 2, total: 105, passed: 105 });
    expect(run.finished()).toBe(true);
    expect(run.touched()).toEqual([TABLE]);
    expect(run.result().replayed).toEqual(['cdc.public.a:0', 'cdc.public.b:0']);
  });

  it('has nothing to wait for in a partition without records, and in a process without partitions', () => {
    const run = runOf();
    run.assigned([]);
    expect(run.finished()).toBe(true);
    run.assigned([A]);
    expect(run.finished()).toBe(false);
    run.began(A, beginning(0, -1));
    expect(run.finished()).toBe(true);
    expect(run.result().replayed).toEqual(['cdc.public.a:0']);
  });

  it('begins again when its assignment ended before its first block was announced', async () => {
    const run = runOf();
    run.assigned([A]);
    run.began(A, beginning((await run.from(A, held)) ?? -1, 99));
    expect(await run.from(A, held)).toBe(5);
    expect(await run.from(A, { low: 5, committed: null })).toBe(5);
  });

  it('goes on from the commit once its beginning is committed, or a block is written', async () => {
    const run = runOf();
    run.assigned([A]);
    run.began(A, beginning((await run.from(A, held)) ?? -1, 99));
    expect(await run.from(A, { low: 5, committed: 5 })).toBeNull();
    run.passed(A, 20, []);
    expect(await run.from(A, { low: 5, committed: 15 })).toBeNull();
  });

  it('does not go back again where it has caught up', async () => {
    const run = runOf();
    run.assigned([A]);
    run.began(A, beginning(5, -1));
    expect(run.finished()).toBe(true);
    expect(await run.from(A, held)).toBeNull();
  });

  it('waits for partitions that a rebalance brings, and not for those it takes', async () => {
    const run = runOf();
    run.assigned([A]);
    run.began(A, beginning(5, 99));
    run.assigned([B]);
    expect(run.finished()).toBe(false);
    expect(await run.from(B, held)).toBe(5);
    run.began(B, beginning(5, 49));
    run.passed(B, 50, []);
    expect(run.finished()).toBe(true);
    expect(run.result().replayed).toEqual(['cdc.public.b:0']);
  });

  it('does not count a start that is none of its own', () => {
    const run = runOf();
    run.assigned([A]);
    run.began(A, beginning(50, 99, 'ours'));
    run.passed(A, 100, []);
    expect(run.finished()).toBe(false);
    expect(run.result().replayed).toEqual([]);
  });
});
