/** One answer for all who ask the same within a second: viewers cost the database nothing more than one of them. */

export class TooBusy extends Error {}

export interface SharedAnswers {
  /** The answer to `question`: one that is young enough, one under way, or a new one. Throws `TooBusy` when too many different ones are under way. */
  get<T>(question: string, ask: () => Promise<T>): Promise<T>;
  /** How many were asked so far. */
  asked(): number;
}

interface Kept {
  readonly answer: Promise<unknown>;
  readonly at: number;
}

export function shareAnswers(options: {
  readonly freshMs: number;
  readonly mostKept: number;
  readonly mostUnderWay: number;
  readonly now?: () => number;
}): SharedAnswers {
  const { freshMs, mostKept, mostUnderWay, now = () => performance.now() } = options;
  const kept = new Map<string, Kept>();
  let underWay = 0;
  let asked = 0;

  /** The oldest go first: a map keeps the order of insertion. */
  const forget = (): void => {
    for (const [question, { at }] of kept) {
      if (kept.size < mostKept && now() - at < freshMs) return;
      kept.delete(question);
    }
  };

  return {
    get<T>(question: string, ask: () => Promise<T>): Promise<T> {
      const known = kept.get(question);
      if (known !== undefined && now() - known.at < freshMs) return known.answer as Promise<T>;
      if (underWay >= mostUnderWay) return Promise.reject(new TooBusy());
      forget();
      underWay++;
      asked++;
      const answer = ask().finally(() => underWay--);
      const entry = { answer, at: now() };
      kept.delete(question);
      kept.set(question, entry);
      // A failure is not kept: the next one asks again.
      answer.catch(() => {
        if (kept.get(question) === entry) kept.delete(question);
      });
      return answer;
    },
    asked: () => asked,
  };
}
