/** Tables that are told to hold: written in `control`, so that they hold over restarts and in every process of the group. */
import type { Control } from '../clickhouse/control';
import type { Emit } from '../events';
import type { Delivery } from './delivery';
import { patiently } from './patience';

/** One order to hold. */
export interface Pause {
  /** A topic, or `EVERYTHING`. */
  readonly topic: string;
  /** Ms since the epoch. */
  readonly sinceMs: number;
  readonly who: string;
}

export const EVERYTHING = '*';

const PAUSE = 'pause:';
/** How long an order may take that no command waits for. */
const LOOK_MS = 5_000;

export function pausesIn(control: Pick<Control, 'newest' | 'set'>): {
  list(): Promise<Pause[]>;
  set(pause: Pause): Promise<void>;
  /** The order stays in `control`, emptied: a prefix of names must not be deleted with it. */
  end(topic: string): Promise<void>;
} {
  return {
    async list() {
      const values = await control.newest(PAUSE);
      return values.flatMap(({ name, value }) => {
        if (value === '') return [];
        const { sinceMs, who } = JSON.parse(value) as Pick<Pause, 'sinceMs' | 'who'>;
        return [{ topic: name.slice(PAUSE.length), sinceMs, who }];
      });
    },
    set: ({ topic, sinceMs, who }) => control.set(PAUSE + topic, JSON.stringify({ sinceMs, who })),
    end: (topic) => control.set(PAUSE + topic, ''),
  };
}

export interface PauseWatch {
  /** Reads the orders, and has the delivery follow them. */
  look(): Promise<void>;
  /** Looks again and again until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>;
  isPaused(topic: string): boolean;
}

export function watchPauses(of: {
  readonly control: Control;
  readonly delivery: Pick<Delivery, 'pause'>;
  readonly emit: Emit;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}): PauseWatch {
  const { control, delivery, emit, sleep } = of;
  const pauses = pausesIn(control);
  let paused: readonly string[] = [];
  const isPaused = (topic: string): boolean => paused.includes(EVERYTHING) || paused.includes(topic);
  const look = async (): Promise<void> => {
    const now = (await pauses.list()).map(({ topic }) => topic).sort();
    if (now.join() === paused.join()) return;
    paused = now;
    delivery.pause(isPaused);
    emit({ tag: 'topics-paused', topics: now });
  };
  return {
    look,
    isPaused,
    async watch(signal) {
      while (!signal.aborted) {
        await sleep(LOOK_MS, signal);
        await patiently(look, { signal, emit });
      }
    },
  };
}
