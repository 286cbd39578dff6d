import { EventEmitter } from 'node:events';
import { EXIT_DEADLINE_PASSED, watchSignals } from '../../src/shutdown';

function watched() {
  const signals = new EventEmitter();
  const exits: number[] = [];
  const said: string[] = [];
  const shutdown = watchSignals({
    deadlineMs: 1_000,
    signals,
    exit: (code) => void exits.push(code),
    onStopping: (signal) => void said.push(signal),
    onDeadline: () => void said.push('deadline'),
  });
  return { signals, exits, said, shutdown };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test.each(['SIGTERM', 'SIGINT'])('the first %s asks for a clean stop and ends nothing', (name) => {
  const { signals, exits, said, shutdown } = watched();
  expect(shutdown.signal.aborted).toBe(false);
  signals.emit(name);
  expect(shutdown.signal.aborted).toBe(true);
  expect(shutdown.signal.reason).toEqual(new Error(`stopped by ${name}`));
  expect(said).toEqual([name]);
  expect(exits).toEqual([]);
  shutdown.finished();
});

test.each([
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGINT', 130],
])('a %s and then a %s end at once with %d', (first, second, code) => {
  const { signals, exits, shutdown } = watched();
  signals.emit(first);
  signals.emit(second);
  expect(exits).toEqual([code]);
  shutdown.finished();
});

test('a stop that takes too long ends with a code of its own', () => {
  const { signals, exits, said } = watched();
  signals.emit('SIGTERM');
  jest.advanceTimersByTime(999);
  expect(exits).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(exits).toEqual([EXIT_DEADLINE_PASSED]);
  expect(said).toEqual(['SIGTERM', 'deadline']);
});

test('when the work is done neither a deadline nor a listener is left', () => {
  const { signals, exits, shutdown } = watched();
  signals.emit('SIGTERM');
  shutdown.finished();
  shutdown.finished();
  jest.advanceTimersByTime(10_000);
  expect(exits).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
  expect(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT')).toBe(0);
});
