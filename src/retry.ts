/** Trying again until it works: pauses that grow, with full jitter, and that an abort ends. */
import { setTimeout as after } from 'node:timers/promises';
import { ERROR_CODES, ServiceError } from './errors';

export interface RetryOptions {
  /** Ends the trying: `retry` then throws its reason. */
  readonly signal: AbortSignal;
  /** Whether to try again after this error; `classifyByCode` if not given. */
  readonly classify?: (error: unknown) => 'retry' | 'stop';
  /** Called before each pause. `attempt` counts the failures so far. */
  readonly onWait?: (wait: { readonly attempt: number; readonly delayMs: number; readonly error: unknown }) => void;
  /** The longest first pause; 250 ms. */
  readonly baseMs?: number;
  /** The longest pause; 15,000 ms. */
  readonly maxMs?: number;
  /** From 0 up to 1; `Math.random`. */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Runs `action` until it succeeds, `classify` says stop (then its error is thrown) or the signal aborts. The pause after
 * the n-th failure is random between 0 and `baseMs` * 2^(n-1), at most `maxMs`: full jitter spreads the attempts of many
 * clients best (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
 */
export async function retry<T>(action: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, classify = classifyByCode, onWait, baseMs = 250, maxMs = 15_000 } = options;
  const { random = Math.random, sleep = pause } = options;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await action(attempt);
    } catch (error) {
      signal.throwIfAborted();
      if (classify(error) === 'stop') throw error;
      const delayMs = random() * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
      onWait?.({ attempt, delayMs, error });
      await sleep(delayMs, signal);
    }
  }
}

/** Tries again what `ERROR_CODES` calls `retry`; everything else, unknown errors too, stops. */
export function classifyByCode(error: unknown): 'retry' | 'stop' {
  return error instanceof ServiceError && ERROR_CODES[error.code] === 'retry' ? 'retry' : 'stop';
}

/** Resolves after `ms`; throws the signal's own reason when it aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await after(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
