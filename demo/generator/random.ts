/** Random decisions that a seed repeats (mulberry32); good enough for sample data, and for nothing secret. */
export interface Random {
  /** From 0, below 1. */
  fraction(): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  pick<T>(of: readonly T[]): T;
  /** One of the names, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Partial<Record<Name, number>>>): Name;
  uuid(): string;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const bits = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const fraction = (): number => bits() / 2 ** 32;
  const hex = (): string => bits().toString(16).padStart(8, '0');
  return {
    fraction,
    between: (least, most) => least + Math.floor(fraction() * (most - least + 1)),
    pick<T>(of: readonly T[]): T {
      return of[Math.floor(fraction() * of.length)] as T;
    },
    weighted<Name extends string>(weights: Readonly<Partial<Record<Name, number>>>): Name {
      const entries = Object.entries(weights) as [Name, number][];
      let left = fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      return (entries.filter(([, weight]) => weight > 0).at(-1) as [Name, number])[0];
    },
    uuid() {
      const digits = hex() + hex() + hex() + hex();
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20)}`;
    },
  };
}
