/** kafkajs's request queue wakes up only while there is something to look at. */
import { quietRequestQueue } from '../../../src/kafka/request-queue';

interface Queue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

function queueOf(more: Partial<Queue>): Queue & { checks: () => number } {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- kafkajs has no door to it
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: object };
  let checks = 0;
  const queue = Object.create(prototype) as Queue;
  Object.assign(queue, {
    pending: [],
    throttledUntil: -1,
    throttleCheckTimeoutId: null,
    checkPendingRequests: () => void checks++,
    ...more,
  });
  return Object.assign(queue, { checks: () => checks });
}

describe('the request queue of kafkajs', () => {
  beforeAll(quietRequestQueue);
  beforeEach(() => void jest.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void jest.useRealTimers());

  it('sets no timer while nothing is pending and the broker does not throttle', () => {
    const queue = queueOf({});
    queue.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(0);
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('looks once, soon, at what is pending, however often it is asked to', () => {
    const queue = queueOf({ pending: [{}] });
    queue.scheduleCheckPendingRequests();
    queue.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(10);
    expect(queue.checks()).toBe(1);
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.scheduleCheckPendingRequests();
    jest.advanceTimersByTime(10);
    expect(queue.checks()).toBe(2);
  });

  it('waits until the broker no longer throttles', () => {
    const queue = queueOf({ throttledUntil: 1_000_500 });
    queue.scheduleCheckPendingRequests();
    jest.advanceTimersByTime(499);
    expect(queue.checks()).toBe(0);
    jest.advanceTimersByTime(1);
    expect(queue.checks()).toBe(1);
  });
});
