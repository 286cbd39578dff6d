import fc from 'fast-check';
import { ServiceError } from '../../src/errors';
import { pause, retry, type RetryOptions } from '../../src/retry';

const away = (): ServiceError => new ServiceError('CLICKHOUSE_UNREACHABLE', 'away', { hint: 'wait' });

/** Fails `failures` times; the pauses are recorded, not made. */
function attempt(failures: number, options: Partial<RetryOptions> = {}) {
  const delays: number[] = [];
  const waits: number[] = [];
  let calls = 0;
  const result = retry(
    async (n) => {
      calls++;
      expect(n).toBe(calls);
      if (calls <= failures) throw away();
      return 'done';
    },
    {
      signal: new AbortController().signal,
      random: () => 0.999,
      sleep: async (ms) => void delays.push(ms),
      onWait: (wait) => void waits.push(wait.attempt),
      ...options,
    },
  );
  return { result, delays, waits };
}

test('an action that works is run once, without a pause', async () => {
  const { result, delays } = attempt(0);
  await expect(result).resolves.toBe('done');
  expect(delays).toEqual([]);
});

test('pauses double from 250 ms and stay at 15 s', async () => {
  const { result, delays, waits } = attempt(9);
  await expect(result).resolves.toBe('done');
  expect(delays.map((ms) => Math.round(ms / 0.999))).toEqual([250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  expect(waits).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a pause is never longer than the cap nor negative, whatever the random number', async () => {
  const cases = fc.asyncProperty(
    fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 40 }),
    async (numbers) => {
      let i = 0;
      const { result, delays } = attempt(numbers.length, { random: () => numbers[i++]! });
      await result;
      expect(delays).toEqual(numbers.map((number, n) => number * Math.min(15_000, 250 * 2 ** n)));
    },
  );
  await fc.assert(cases);
});

test('an error that is not worth another attempt is thrown as it is', async () => {
  const wrong = new ServiceError('CLICKHOUSE_REFUSED_LOGIN', 'no', { hint: 'mend' });
  const options = { signal: new AbortController().signal };
  await expect(retry(() => Promise.reject(wrong), options)).rejects.toBe(wrong);
  const bug = new TypeError('bug');
  await expect(retry(() => Promise.reject(bug), options)).rejects.toBe(bug);
});

test('the caller may decide which errors stop', async () => {
  const { result } = attempt(5, { classify: () => 'stop' });
  await expect(result).rejects.toMatchObject({ code: 'CLICKHOUSE_UNREACHABLE' });
});

test('an abort ends the pause at once with its own reason', async () => {
  const controller = new AbortController();
  const reason = new Error('stopped by SIGTERM');
  const started = performance.now();
  const result = retry(() => Promise.reject(away()), {
    signal: controller.signal,
    random: () => 0.9,
    baseMs: 60_000,
    maxMs: 60_000,
    onWait: () => setTimeout(() => controller.abort(reason), 5),
  });
  await expect(result).rejects.toBe(reason);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('nothing is tried when the signal has aborted already', async () => {
  let calls = 0;
  const signal = AbortSignal.abort(new Error('over'));
  await expect(retry(async () => calls++, { signal })).rejects.toThrow('over');
  expect(calls).toBe(0);
});

test('a pause takes about as long as it should', async () => {
  const started = performance.now();
  await pause(30, new AbortController().signal);
  expect(performance.now() - started).toBeGreaterThanOrEqual(25);
});
