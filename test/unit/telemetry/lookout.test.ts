import { openLookout } from '../../../src/telemetry/lookout';

const clockAt = (now: number) => ({ now });

test('asks once for all who look at the same time, and not more often than told', async () => {
  const clock = clockAt(0);
  const ask = jest.fn(() => Promise.resolve(7));
  const lookout = openLookout({ ask, leastMs: 1_000, mostMs: 60_000, waitMs: 1_000, now: () => clock.now });
  expect(lookout.latest()).toEqual({ value: null, at: null, error: null });
  const all = await Promise.all([lookout.look(), lookout.look(), lookout.look()]);
  expect(all).toEqual(Array(3).fill({ value: 7, at: 0, error: null }));
  clock.now = 999;
  await lookout.look();
  expect(ask).toHaveBeenCalledTimes(1);
  clock.now = 1_000;
  await lookout.look();
  expect(ask).toHaveBeenCalledTimes(2);
});

test.each([
  ['less often what takes long', { tookMs: 200, mostMs: 60_000, nextAt: 10_000 }],
  ['after the longest pause, however long the last answer took', { tookMs: 8_000, mostMs: 10_000, nextAt: 18_000 }],
])('asks again %s', async (_, { tookMs, mostMs, nextAt }) => {
  const clock = clockAt(0);
  const ask = jest.fn(() => {
    clock.now += tookMs;
    return Promise.resolve(7);
  });
  const lookout = openLookout({ ask, leastMs: 1_000, mostMs, waitMs: 1_000, now: () => clock.now });
  await lookout.look();
  clock.now = nextAt - 1;
  await lookout.look();
  expect(ask).toHaveBeenCalledTimes(1);
  clock.now = nextAt;
  await lookout.look();
  expect(ask).toHaveBeenCalledTimes(2);
});

test('keeps the last answer when the next fails, and says by its code that it did', async () => {
  const clock = clockAt(0);
  const answers = [
    Promise.resolve(7),
    Promise.reject(Object.assign(new Error('secret'), { code: 'KAFKA_UNREACHABLE' })),
  ];
  answers[1]?.catch(() => undefined);
  const ask = (): Promise<number> => answers.shift() ?? Promise.reject(new Error('no more'));
  const lookout = openLookout({ ask, leastMs: 10, mostMs: 60_000, waitMs: 1_000, now: () => clock.now });
  await lookout.look();
  clock.now = 100;
  expect(await lookout.look()).toEqual({ value: 7, at: 0, error: 'KAFKA_UNREACHABLE' });
});

test('does not wait for an answer longer than told, and takes it when it comes', async () => {
  const open = Promise.withResolvers<number>();
  const got: number[] = [];
  const lookout = openLookout({
    ask: () => open.promise,
    leastMs: 10,
    mostMs: 60_000,
    waitMs: 5,
    onAnswer: (value) => got.push(value),
  });
  expect((await lookout.look()).value).toBeNull();
  open.resolve(7);
  expect((await lookout.look()).value).toBe(7);
  expect(got).toEqual([7]);
});
