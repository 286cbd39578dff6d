/** Counting that forgets: rates over the last seconds, histograms, and percentiles over time, all of bounded size. */

/** Seconds that a rate looks back. */
export const RATE_SECONDS = 5;
const SLOTS = 8;

/** Events each second over the last RATE_SECONDS. `nowMs` must not go back. */
export class Rate {
  private readonly counts = new Float64Array(SLOTS);
  private readonly seconds = new Float64Array(SLOTS).fill(-1);

  add(count: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    const slot = second % SLOTS;
    if (this.seconds[slot] !== second) {
      this.seconds[slot] = second;
      this.counts[slot] = 0;
    }
    this.counts[slot] = (this.counts[slot] ?? 0) + count;
  }

  perSecond(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000);
    let sum = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const age = second - (this.seconds[slot] ?? -1);
      if (age >= 0 && age < RATE_SECONDS) sum += this.counts[slot] ?? 0;
    }
    return Math.round((sum / RATE_SECONDS) * 10) / 10;
  }
}

/** Counts by upper bound, with one more bucket for what is above the last, and the sum of what was observed. */
export class Buckets {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound);
    const bucket = found < 0 ? this.bounds.length : found;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }

  /** Adds counts of the same bounds. The sum takes the middle of each bucket: exact values are not known. */
  addCounts(counts: readonly number[]): void {
    counts.forEach((count, bucket) => {
      if (count === 0 || bucket >= this.counts.length) return;
      this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
      const low = this.bounds[bucket - 1] ?? 0;
      const high = this.bounds[bucket] ?? low;
      this.sum += (count * (low + high)) / 2;
    });
  }

  get count(): number {
    return this.counts.reduce((all, one) => all + one, 0);
  }
}

/** The value below which a share of the counts lies, interpolated within its bucket; null without counts. Above the last bound: that bound. */
export function percentile(bounds: readonly number[], counts: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return null;
  const wanted = share * total;
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= wanted) {
      const low = bounds[bucket - 1] ?? 0;
      const high = bounds[bucket] ?? low;
      return Math.round((low + ((high - low) * (wanted - below)) / count) * 10) / 10;
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

/** Percentiles of a stretch of time. */
export interface LatencyPoint {
  /** The end of the stretch, ms since the epoch. */
  readonly at: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Changes counted. */
  readonly count: number;
}

/** Length of a stretch, and how many are kept: half an hour. */
export const LATENCY_STEP_MS = 5_000;
export const LATENCY_POINTS = 360;
const RECENT_STEPS = 12;

/** Counts of the newest stretches; older ones are forgotten. */
export class LatencyHistory {
  private readonly bounds: readonly number[];
  private readonly steps: { step: number; counts: Float64Array }[] = [];

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
  }

  add(counts: readonly number[], nowMs: number): void {
    const step = Math.floor(nowMs / LATENCY_STEP_MS);
    let last = this.steps.at(-1);
    if (last === undefined || last.step < step) {
      last = { step, counts: new Float64Array(this.bounds.length + 1) };
      this.steps.push(last);
      if (this.steps.length > LATENCY_POINTS) this.steps.shift();
    }
    for (let bucket = 0; bucket < counts.length; bucket++)
      last.counts[bucket] = (last.counts[bucket] ?? 0) + (counts[bucket] ?? 0);
  }

  /** Percentiles of each stretch of the last half hour in which something arrived, oldest first. */
  points(nowMs: number): LatencyPoint[] {
    const oldest = Math.floor(nowMs / LATENCY_STEP_MS) - LATENCY_POINTS;
    return this.steps.filter(({ step }) => step > oldest).map(({ step, counts }) => this.point(step, counts));
  }

  /** Percentiles of the last minute. */
  recent(nowMs: number): LatencyPoint {
    const step = Math.floor(nowMs / LATENCY_STEP_MS);
    const counts = new Float64Array(this.bounds.length + 1);
    for (const one of this.steps) {
      if (one.step <= step - RECENT_STEPS) continue;
      one.counts.forEach((count, bucket) => (counts[bucket] = (counts[bucket] ?? 0) + count));
    }
    return { ...this.point(step, counts), at: nowMs };
  }

  private point(step: number, counts: Float64Array): LatencyPoint {
    const of = (share: number): number | null => percentile(this.bounds, counts, share);
    return {
      at: (step + 1) * LATENCY_STEP_MS,
      p50: of(0.5),
      p95: of(0.95),
      p99: of(0.99),
      count: counts.reduce((all, one) => all + one, 0),
    };
  }
}
