/** What a partition must remember of single keys: those whose row is in doubt, and those that were erased on request. */
import type { BadRecord } from './change-block';

/** A key that was erased: its events stay erased, however often they are read again. */
export interface ForgottenKey {
  /** Hex of SHA-256 of salt and key. */
  readonly hash: string;
  readonly salt: string;
  /** `schema.table`. */
  readonly table: string;
  /** Events below this offset are erased. */
  readonly below: number;
  /** W then: what Debezium sends again from before it is erased too. -1 for none. */
  readonly commitLsn: number;
  readonly lsn: number;
}

export interface PartitionMarks {
  /**
   * Keys (as text) with a record in quarantine that was not applied, by `schema.table`, '' where the envelope could not
   * be opened. A mirror may not stand as an event of such a key takes for granted, so it must be looked up. Null in the
   * place of keys: too many to know, so each.
   */
  readonly doubtful: ReadonlyMap<string, ReadonlySet<string> | null>;
  readonly forgotten: readonly ForgottenKey[];
}

export const NO_MARKS: PartitionMarks = { doubtful: new Map(), forgotten: [] };

/** More keys of a table than this are not told apart. */
export const MOST_DOUBTFUL = 10_000;

export function isDoubtful({ doubtful }: PartitionMarks, table: string, key: string): boolean {
  return [table, ''].some((name) => {
    const keys = doubtful.get(name);
    return keys !== undefined && (keys === null || keys.has(key));
  });
}

/** The marks once these records are in quarantine, too. */
export function marksWith(marks: PartitionMarks, bad: readonly BadRecord[]): PartitionMarks {
  if (bad.length === 0) return marks;
  const doubtful = new Map([...marks.doubtful].map(([table, keys]) => [table, keys === null ? null : new Set(keys)]));
  for (const { table, key } of bad) {
    if (key.length === 0) continue;
    const keys = doubtful.get(table) ?? (doubtful.has(table) ? null : new Set<string>());
    keys?.add(utf8.decode(key));
    doubtful.set(table, keys !== null && keys.size > MOST_DOUBTFUL ? null : keys);
  }
  return { ...marks, doubtful };
}

const utf8 = new TextDecoder();
