/** Waiting for a condition by asking again, never by sleeping blindly. */
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Asks until the answer is neither false nor null nor undefined, and gives it back. An error counts as "not yet" and is
 * told when the deadline (ms, 30,000 if not given) passes.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  what: string,
  deadlineMs = 30_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== false && answer !== null && answer !== undefined) {
        return answer as Exclude<T, false | null | undefined>;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why =
        last === undefined ? '' : `; the last answer was: ${last instanceof Error ? last.message : 'no Error'}`;
      throw new Error(`${what}: not within ${deadlineMs / 1000} s${why}`);
    }
    await pause(POLL_MS);
  }
}
