/** Looks at something outside now and then: not more often than its price allows, never twice at once, and never for longer than a limit. */

export interface Looked<T> {
  /** The newest answer; null before the first. */
  readonly value: T | null;
  /** When it came, ms since the epoch. */
  readonly at: number | null;
  /** Why the last attempt brought none; null when it did. */
  readonly error: string | null;
}

export interface Lookout<T> {
  latest(): Looked<T>;
  /** Asks if the newest answer is old enough, or waits for the question under way; never throws, never waits longer than the limit. */
  look(): Promise<Looked<T>>;
}

/** A question that takes long is asked less often: at most this share of the time goes into it, unless its `mostMs` says otherwise. */
const LARGEST_SHARE = 0.02;

export function openLookout<T>(options: {
  readonly ask: () => Promise<T>;
  readonly leastMs: number;
  /** However long the last answer took, one is asked for again after this long: it may have been slow for once, by an outage. */
  readonly mostMs: number;
  readonly waitMs: number;
  readonly onAnswer?: (value: T, at: number) => void;
  readonly now?: () => number;
}): Lookout<T> {
  const { ask, leastMs, mostMs, waitMs, onAnswer, now = Date.now } = options;
  let latest: Looked<T> = { value: null, at: null, error: null };
  let underWay: Promise<void> | null = null;
  let notBefore = -Infinity;

  const askOnce = async (): Promise<void> => {
    const startedAt = now();
    try {
      const value = await ask();
      const at = now();
      onAnswer?.(value, at);
      latest = { value, at, error: null };
    } catch (error) {
      // A message may hold more than its reader should see; the code says enough.
      const code = (error as { code?: unknown } | null)?.code;
      latest = { ...latest, error: typeof code === 'string' ? code : 'INTERNAL' };
    }
    const endedAt = now();
    notBefore = Math.min(startedAt + Math.max(leastMs, (endedAt - startedAt) / LARGEST_SHARE), endedAt + mostMs);
    underWay = null;
  };

  return {
    latest: () => latest,
    async look() {
      if (underWay === null && now() < notBefore) return latest;
      underWay ??= askOnce();
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
      await Promise.race([underWay, limit]);
      clearTimeout(timer);
      return latest;
    },
  };
}
