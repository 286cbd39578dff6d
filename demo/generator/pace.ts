/** How many changes are due: as many as the rate says for the time that passed, and never a burst to make up for a long stop. */
export interface Pace {
  /** Changes to write now; 0: too early. */
  due(nowMs: number): number;
  /** Changes that could not be written in time and are left out. */
  leftOut(): number;
}

export interface PaceOptions {
  /** Changes each second. */
  readonly rate: number;
  readonly startMs: number;
  /** The most at once: a transaction that a person would call normal. */
  readonly mostAtOnce: number;
}

/** What is late by more than this is left out. */
const MOST_LATE_SECONDS = 1;

export function createPace({ rate, startMs, mostAtOnce }: PaceOptions): Pace {
  let given = 0;
  let leftOut = 0;
  return {
    due(nowMs) {
      const wanted = Math.floor(((nowMs - startMs) / 1_000) * rate) - leftOut;
      const late = wanted - given - Math.max(1, Math.ceil(rate * MOST_LATE_SECONDS));
      if (late > 0) leftOut += late;
      const due = Math.min(mostAtOnce, wanted - given - Math.max(0, late));
      given += due;
      return due;
    },
    leftOut: () => leftOut,
  };
}
