/** Work between two blocks: in turn, announced before it writes, acknowledged after, and told when the partition moves. */
import { createWorkQueue, type BetweenBlocks } from '../../../src/delivery/between-blocks';
import { Reassign, type BlockWriter } from '../../../src/delivery/write-block';
import { NO_MARKS } from '../../../src/plan/marks';
import { NO_WATERMARK } from '../../../src/plan/position';
import { TOPIC } from './wire';

function place(calls: string[]): Omit<BetweenBlocks, 'begin'> {
  const writer = {
    settle: async (offset: number) => void calls.push(`settle ${offset}`),
    acknowledge: async (offset: number) => void calls.push(`acknowledge ${offset}`),
  } as unknown as BlockWriter;
  const past = { watermark: NO_WATERMARK, snapshot: { kind: 'empty' } as const, marks: NO_MARKS, highest: -1 };
  return { of: TOPIC, writer, past, settled: 7, signal: new AbortController().signal };
}

describe('work between blocks', () => {
  it('is done in turn, and what writes says so before and after', async () => {
    const calls: string[] = [];
    const queue = createWorkQueue(() => void calls.push('rung'));
    const first = queue.add(async ({ begin }) => {
      await begin();
      calls.push('first');
      return 1;
    });
    const second = queue.add(async ({ begin }) => {
      await begin();
      calls.push('second');
      return 2;
    });
    expect(queue.waiting).toBe(true);
    expect(await queue.doAll(place(calls), () => true)).toBe(true);
    expect(await Promise.all([first, second])).toEqual([1, 2]);
    expect(calls).toEqual(['rung', 'rung', 'settle 7', 'first', 'second', 'acknowledge 7']);
    expect(queue.waiting).toBe(false);
  });

  it('commits nothing where nothing was written', async () => {
    const calls: string[] = [];
    const queue = createWorkQueue(() => undefined);
    const done = queue.add(async () => 'looked');
    expect(await queue.doAll(place(calls), () => true)).toBe(false);
    expect([await done, calls]).toEqual(['looked', []]);
  });

  it('that fails tells who asked, and the next one is done', async () => {
    const queue = createWorkQueue(() => undefined);
    const failed = queue.add(() => Promise.reject(new Error('no')));
    const done = queue.add(async () => 'done');
    const outcome = expect(failed).rejects.toThrow('no');
    await queue.doAll(place([]), () => true);
    await outcome;
    expect(await done).toBe('done');
  });

  it('that was refused sends the partition back to its assignment, and what waits stays', async () => {
    const queue = createWorkQueue(() => undefined);
    const refused = queue.add(() => Promise.reject(new Reassign()));
    const outcome = expect(refused).rejects.toMatchObject({ code: 'REQUEST_FAILED' });
    const later = queue.add(async () => 'later');
    await expect(queue.doAll(place([]), () => true)).rejects.toBeInstanceOf(Reassign);
    await outcome;
    await queue.doAll(place([]), () => true);
    expect(await later).toBe('later');
  });

  it('is told when the partition moves before its turn, and after', async () => {
    const queue = createWorkQueue(() => undefined);
    const waiting = expect(queue.add(async () => 1)).rejects.toMatchObject({ code: 'REQUEST_FAILED' });
    queue.close();
    await waiting;
    await expect(queue.add(async () => 1)).rejects.toMatchObject({ code: 'REQUEST_FAILED' });
  });
});
