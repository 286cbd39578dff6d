/** The last rows of `changes` as `run --once` prints them. */
import type { ShownChange } from '../app';
import { fittedTable } from './table';

/** Columns with row values: they are cut before the others. */
const VALUES = [3, 4, 5];

/** A table of changes, oldest first, at most `width` columns wide. Holds row values: print it only where it was asked for. */
export function changesTable(changes: readonly ShownChange[], width: number): string {
  if (changes.length === 0) return 'No change has been written yet.';
  return fittedTable({
    head: ['committed (UTC)', 'op', 'table', 'key', 'before', 'after', 'partition:offset'],
    rows: changes.map(({ committed, op, source_table, key, before, after, place }) => [
      committed.slice(0, MILLISECONDS),
      op,
      source_table,
      key,
      before,
      after,
      place.split(':').slice(-2).join(':'),
    ]),
    width,
    cutFirst: VALUES,
  });
}

/** `2026-01-31 12:00:00.123` */
const MILLISECONDS = 23;
