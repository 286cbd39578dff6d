/** A signal between the parts of one process that wait for each other. */

export interface Bell {
  ring(): void;
  /** Resolves at the next ring. */
  heard(): Promise<void>;
  /** Resolves at the next ring, or after `ms`. */
  rest(ms: number): Promise<void>;
}

export function createBell(): Bell {
  let waiting: (() => void)[] = [];
  return {
    ring() {
      const all = waiting;
      waiting = [];
      for (const resolve of all) resolve();
    },
    heard: () => new Promise((resolve) => waiting.push(resolve)),
    rest: (ms) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiting = waiting.filter((one) => one !== done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        waiting.push(done);
      }),
  };
}
