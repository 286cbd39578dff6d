/** Who uses a table's mirror: blocks share it, a rebuild has it alone. */

export interface TableLeases {
  /** Resolves when none of the tables is being rebuilt; the mirrors stay as they are until `release` is called. */
  share(names: readonly string[]): Promise<() => void>;
  /** Runs `action` while no block uses the table; blocks that come meanwhile wait. One at a time for each table. */
  alone<T>(name: string, action: () => Promise<T>): Promise<T>;
}

export function createTableLeases(): TableLeases {
  const sharers = new Map<string, number>();
  const alone = new Set<string>();
  let waiting: (() => void)[] = [];
  const changed = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const ring = (): void => {
    const all = waiting;
    waiting = [];
    for (const resolve of all) resolve();
  };
  const add = (names: readonly string[], count: 1 | -1): void => {
    for (const name of names) sharers.set(name, (sharers.get(name) ?? 0) + count);
  };
  return {
    async share(names) {
      while (names.some((name) => alone.has(name))) await changed();
      add(names, 1);
      let released = false;
      return () => {
        if (released) return;
        released = true;
        add(names, -1);
        ring();
      };
    },
    async alone(name, action) {
      while (alone.has(name)) await changed();
      alone.add(name);
      try {
        while ((sharers.get(name) ?? 0) > 0) await changed();
        return await action();
      } finally {
        alone.delete(name);
        ring();
      }
    },
  };
}
