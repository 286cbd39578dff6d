/** A replay sends a running partition back: acknowledged first, so that nothing has to be waited for. */
import { deliverPartition } from '../../../src/delivery/partition';
import { createReplayRun, type ReplayRun } from '../../../src/delivery/replay-run';
import { encodeNote } from '../../../src/plan/commit';
import { createWorld, KEEP_ALL, LIMITS, TARGET, until, type World } from './fakes';
import { chunkOf, created, TOPIC } from './wire';

const BEGINNING: ReplayRun = createReplayRun(
  { from: { kind: 'beginning' }, tables: null },
  { concerns: () => true, offsetAt: async () => 0 },
);

function deliver(world: World, replay: () => ReplayRun | null) {
  return deliverPartition({
    ...{
      of: TOPIC,
      epoch: 1,
      ports: world.ports,
      filter: KEEP_ALL,
      after: Promise.resolve(),
      replay,
      paused: () => false,
    },
    // No idle commit comes first, as under load.
    limits: { ...LIMITS, idleCommitMs: 60_000 },
    remake: () => Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
  });
}

describe('a partition that a replay sends back', () => {
  it('commits the end of its last block, and begins again at once', async () => {
    const world = createWorld();
    let replay: ReplayRun | null = null;
    const delivery = deliver(world, () => replay);
    await until(() => world.startedAt === 0);
    void delivery.take(chunkOf([0, 1, 2].map((offset) => created(offset))));
    await until(() => world.calls.includes('insert orders__mirror [0, 3)'));
    world.calls.length = 0;
    world.high = 3;
    replay = BEGINNING;
    replay.assigned([TOPIC]);
    delivery.rewind();
    await until(() => world.startedAt === 0 && world.calls.includes('start at 0'));
    expect(world.calls.filter((call) => /^(acknowledge|sleep|start)/.test(call))).toEqual([
      'acknowledge 3',
      'start at 0',
    ]);
    expect(world.events.at(-1)).toMatchObject({ tag: 'partition-assigned', how: 'replay', start: 0 });
    expect(replay.finished()).toBe(false);
    void delivery.take(chunkOf([0, 1, 2].map((offset) => created(offset))));
    await until(() => BEGINNING.finished());
    expect([...world.written.keys()].filter((token) => token.startsWith('changes:'))).toHaveLength(1);
    delivery.abandon();
    await delivery.ended;
  });

  it('writes an announced block within its bounds before it goes back', async () => {
    const world = createWorld();
    world.committed = { offset: 2, metadata: encodeNote({ target: TARGET, announced: { end: 4, at: 1_000 } }) };
    const delivery = deliver(world, () => null);
    await until(() => world.startedAt === 2);
    delivery.rewind();
    void delivery.take(chunkOf([2, 3].map((offset) => created(offset))));
    await until(() => world.calls.includes('acknowledge 4'));
    const steps = world.calls.filter((call) => /^(announce|acknowledge|insert changes)/.test(call));
    expect(steps).toEqual(['announce [2, 4)', 'insert changes [2, 4)', 'acknowledge 4']);
    delivery.abandon();
    await delivery.ended;
  });
});
