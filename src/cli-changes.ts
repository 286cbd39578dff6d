/** The last rows of `changes` as `run --once` prints them. */
import type { ShownChange } from './app';
import { fittedTable } from './cli-table';

/** A table of changes, oldest first, at most `width` columns wide. Holds row values: print it only where it was asked for. */
export function changesTable(changes: readonly ShownChange[], width: number): string {
  if (changes.length === 0) return 'No change has been written yet.';
  return fittedTable({
    head: ['committed (UTC)', 'op', 'table', 'key', 'before', 'after', 'topic:partition:offset'],
    rows: changes.map(({ committed, op, source_table, key, before, after, place }) => [
      committed,
      op,
      source_table,
      key,
      before,
      after,
      place,
    ]),
    width,
  });
}
