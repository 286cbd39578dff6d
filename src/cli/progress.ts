/** Shows how far a long command is: one line that is written over on a terminal, a line every ten seconds elsewhere. */

export interface Amount {
  readonly done: number;
  readonly total: number;
}

export interface ProgressLine {
  /** Shows where things stand; may be called as often as one likes. */
  show(what: string, amount: Amount): void;
  /** Leaves the line empty, for what is printed next. */
  clear(): void;
}

export interface ProgressOptions {
  readonly stream: { readonly isTTY?: boolean; write(text: string): unknown };
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
}

const PLAIN_EVERY_MS = 10_000;
const DRAW_EVERY_MS = 200;
/** The rate is that of the last so many milliseconds. */
const RATE_OVER_MS = 10_000;
const BAR_CELLS = 24;

export function createProgressLine({ stream, now }: ProgressOptions): ProgressLine {
  const terminal = stream.isTTY === true;
  let samples: { at: number; done: number }[] = [];
  let shownAt = -Infinity;
  return {
    show(what, amount) {
      const at = now();
      samples = [...samples.filter((one) => at - one.at <= RATE_OVER_MS), { at, done: amount.done }];
      if (at - shownAt < (terminal ? DRAW_EVERY_MS : PLAIN_EVERY_MS)) return;
      shownAt = at;
      const text = progressText(what, amount, rateOf(samples));
      stream.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
    clear() {
      if (terminal && shownAt !== -Infinity) stream.write('\r\u001b[K');
      shownAt = -Infinity;
    },
  };
}

function rateOf(samples: readonly { at: number; done: number }[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return 0;
  return Math.max(0, ((last.done - first.done) / (last.at - first.at)) * 1_000);
}

/** `rate` in units a second; 0 where it is not known. */
export function progressText(what: string, { done, total }: Amount, rate: number): string {
  if (total === 0) return what;
  const share = Math.min(1, done / total);
  const bar = '#'.repeat(Math.floor(share * BAR_CELLS)).padEnd(BAR_CELLS, '.');
  const pace = rate > 0 ? `, ${count(Math.round(rate))}/s` : '';
  const left = rate > 0 && done < total ? `, ${duration(((total - done) / rate) * 1_000)} left` : '';
  return `${what} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${count(done)} of ${count(total)}${pace}${left}`;
}

/** A whole number with thousands apart. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** About how long, in the two largest units: `2 d 3 h`, `4 min 10 s`, `0.8 s`. */
export function duration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const units = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3_600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', Math.floor(seconds) % 60],
  ] as const;
  const first = units.findIndex(([, value]) => value > 0);
  return units
    .slice(first, first + 2)
    .filter(([, value]) => value > 0)
    .map(([unit, value]) => `${value} ${unit}`)
    .join(' ');
}
