/** Waits for something to become true: looks again and again, until a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  readonly everyMs: number;
  readonly deadlineMs: number;
  /** Its reason is thrown at the next look. */
  readonly signal: AbortSignal;
  /** What to throw when the deadline has passed. */
  readonly late: () => Error;
}

/** The first answer that is not null. A look that is under way is let finish. */
export async function waitUntil<T>(look: () => Promise<T | null> | T | null, patience: Patience): Promise<T> {
  const giveUpAt = performance.now() + patience.deadlineMs;
  for (;;) {
    patience.signal.throwIfAborted();
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > giveUpAt) throw patience.late();
    await sleep(patience.everyMs);
  }
}
