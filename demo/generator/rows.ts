/** Rows that can be corrected or cancelled later: the newest ones, and never more than so many. */
import type { Random } from './random';

export interface Rows<Row> {
  add(row: Row): void;
  /** Any of them; null where there is none. */
  any(): Row | null;
  /** Takes any of them out. */
  take(): Row | null;
  size(): number;
}

export function createRows<Row>(random: Random, most: number): Rows<Row> {
  const rows: Row[] = [];
  return {
    add(row) {
      if (rows.length < most) rows.push(row);
      else rows[random.between(0, most - 1)] = row;
    },
    any: () => (rows.length === 0 ? null : random.pick(rows)),
    take() {
      if (rows.length === 0) return null;
      const at = random.between(0, rows.length - 1);
      const [taken] = rows.splice(at, 1);
      return taken ?? null;
    },
    size: () => rows.length,
  };
}
