/** Stops kafkajs's request queue from waking up a thousand times a second while it has nothing to do. */
import { createRequire } from 'node:module';

/** The part of kafkajs's RequestQueue that is changed (network/requestQueue/index.js of 2.2.4). */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null | undefined;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const CHECK_MS = 10;

/**
 * kafkajs 2.2.4 re-arms a timer of 1 ms for ever, with a negative duration that Node warns about (kafkajs issues 1604,
 * 1704, 1751). A check is only due while a request is pending or the broker throttles; an answer checks by itself.
 */
export function quietRequestQueue(): void {
  const load = createRequire(__filename);
  const { prototype } = load('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null && this.throttleCheckTimeoutId !== undefined) return;
    const throttledMs = this.throttledUntil - Date.now();
    if (this.pending.length === 0 && throttledMs <= 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(throttledMs, CHECK_MS),
    );
  };
}
