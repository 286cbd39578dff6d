/** The block that is prepared while the one before it is written: when, when not, and that it keeps nothing. */
import { inserted, started, type Delivered } from './delivered';
import { createWorld, LIMITS, until, type World } from './fakes';
import { chunkOf, created, type Sent } from './wire';

/** A delivery of blocks of two rows. Inserts into `changes` hang until `go` is called, once for each. */
async function slowly(world: World): Promise<Delivered & { readonly go: () => void }> {
  const waiting: (() => void)[] = [];
  let allowed = 0;
  world.onInsert = async ({ table }) => {
    if (table.name !== 'changes') return;
    if (allowed > 0) allowed--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const found = await started(world, { limits: { ...LIMITS, blockRows: 2 } });
  const go = (): void => {
    const next = waiting.shift();
    if (next === undefined) allowed++;
    else next();
  };
  return { ...found, go };
}

const count = (world: World, call: string): number => world.calls.filter((one) => one === call).length;

/** The first block hangs in ClickHouse, and records of the second and third are there. */
async function hanging(world: World): ReturnType<typeof slowly> {
  const found = await slowly(world);
  void found.delivery.take(chunkOf([created(0), created(1), created(2), created(3), created(4)]));
  await until(() => world.calls.includes('insert changes [0, 2)'));
  return found;
}

describe('a block', () => {
  it('is prepared while the one before it is written, and announced once that is done', async () => {
    const world = createWorld();
    const { go } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    expect(world.calls).not.toContain('announce [2, 4)');
    go();
    await until(() => world.calls.includes('insert changes [2, 4)'));
    const { calls } = world;
    expect(calls.findLastIndex((call) => call.endsWith('__mirror [0, 2)'))).toBeGreaterThan(-1);
    expect(calls.findLastIndex((call) => call.endsWith(' [0, 2)'))).toBeLessThan(calls.indexOf('announce [2, 4)'));
    // Its look was done: nothing but the announce lies between the end of one and the begin of the next.
    expect(calls.slice(calls.indexOf('announce [2, 4)') + 1)[0]).toBe('insert changes [2, 4)');
    go();
    go();
    await until(() => world.committed?.offset === 5);
    expect(inserted(world)).toEqual([[0, 1], [2, 3], [4]]);
    expect(count(world, 'release')).toBe(count(world, 'lease'));
  });

  it('that must look at rows that stand is prepared when its turn comes', async () => {
    const world = Object.assign(createWorld(), { wholeBefore: false });
    const { delivery, go } = await slowly(world);
    const update = (offset: number): Sent => created(offset, { op: 'u', before: { id: offset, note: 'm' } });
    void delivery.take(chunkOf([update(0), update(1), update(2), update(3)]));
    await until(() => world.calls.includes('insert changes [0, 2)'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(count(world, 'look: current rows')).toBe(1);
    go();
    go();
    await until(() => world.committed?.offset === 4);
    expect(inserted(world)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(count(world, 'release')).toBe(count(world, 'lease'));
  });

  it('whose table is not open as it is needed is prepared when its turn comes', async () => {
    const world = Object.assign(createWorld(), { tablesStand: false });
    const { go } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    await until(() => count(world, 'release') === 1);
    for (let n = 0; n < 3; n++) go();
    await until(() => world.committed?.offset === 5);
    expect(inserted(world)).toEqual([[0, 1], [2, 3], [4]]);
    expect(count(world, 'release')).toBe(count(world, 'lease'));
  });

  it('is prepared anew after work between two blocks, which has the tables for itself', async () => {
    const world = createWorld();
    const { delivery, go } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    const held: number[] = [];
    const done = delivery.between(async () => {
      held.push(count(world, 'lease') - count(world, 'release'));
    });
    go();
    await done;
    expect(held).toEqual([0]);
    go();
    go();
    await until(() => world.committed?.offset === 5);
    expect(inserted(world)).toEqual([[0, 1], [2, 3], [4]]);
    expect(count(world, 'release')).toBe(count(world, 'lease'));
  });

  it('that was prepared for a `changes` which was replaced meanwhile is not written', async () => {
    const world = createWorld();
    const { go } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    world.changesUuid = 'another';
    go();
    await until(() => world.calls.includes('halt'));
    expect(world.calls).not.toContain('announce [2, 4)');
    expect(count(world, 'release')).toBe(count(world, 'lease'));
  });

  it('keeps nothing when the assignment ends before its turn', async () => {
    const world = createWorld();
    const { delivery, go, fatal } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    delivery.abandon();
    go();
    await delivery.ended;
    await until(() => count(world, 'release') === 2);
    expect(world.calls).not.toContain('announce [2, 4)');
    expect(fatal).toEqual([]);
  });

  it('is written before a delivery that is drained ends', async () => {
    const world = createWorld();
    const { delivery, go } = await hanging(world);
    await until(() => count(world, 'lease') === 2);
    const drained = delivery.drain();
    for (let n = 0; n < 3; n++) go();
    await drained;
    expect(world.committed?.offset).toBe(5);
    expect(inserted(world)).toEqual([[0, 1], [2, 3], [4]]);
  });
});
