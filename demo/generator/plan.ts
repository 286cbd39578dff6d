/** Decides change by change what is written; the same seed on the same rows decides the same, however it is cut into transactions. */
import type { Mix } from './mix';
import type { Random } from './random';
import { createSales, createStock, type Stock } from './shop';
import type { Change, Table } from './tables';
import { createNames, createUsers, type NextId, type UserEvent } from './users';

/** What stands in the tables when it begins. */
export interface Standing {
  readonly users: readonly UserEvent[];
  readonly names: readonly string[];
  readonly stock: readonly Stock[];
}

export interface Plan {
  next(): Change;
}

export function createPlan(of: {
  readonly random: Random;
  /** Makes keys; other ones in each run, whatever the seed is. */
  readonly keys: Random;
  readonly mix: Mix;
  readonly standing: Standing;
  readonly nextId: Readonly<Record<'user_logins' | 'my_table', NextId>>;
}): Plan {
  const { random, keys, mix, standing, nextId } = of;
  const writers: Readonly<Record<Table, () => Change>> = {
    user_logins: createUsers(random, nextId.user_logins, standing.users),
    my_table: createNames(random, nextId.my_table, standing.names),
    sales: createSales(random, keys),
    stock_movements: createStock(random, keys, standing.stock),
  };
  return { next: () => writers[random.weighted(mix)]() };
}

const HOUR = 3_600;
/** How far back a table's first rows lie. */
const SPAN_SECONDS: Readonly<Record<Table, number>> = {
  user_logins: HOUR,
  my_table: 24 * HOUR,
  sales: 24 * HOUR,
  stock_movements: 24 * HOUR,
};

/** The same changes, as if they had happened over the last day, denser in the middle of it; the oldest first. */
export function asHistory(changes: readonly Change[]): Change[] {
  return changes.map((change, index) => {
    const left = 1 - (index + 0.5) / changes.length;
    // Fewer at both ends: a shop has a night.
    const bent = left + (0.6 * Math.sin(2 * Math.PI * left)) / (2 * Math.PI);
    return { ...change, ago: Math.round(bent * SPAN_SECONDS[change.table]) };
  });
}
