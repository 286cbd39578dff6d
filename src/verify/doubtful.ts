/** Rows in doubt: an event of theirs is in quarantine, so the mirror is right only as far as later events say. */
import type { Doubtful } from './result';

/** Named at most; all are counted. */
export const MOST_DOUBTFUL = 1_000;

const SHOWN = 20;

export function renderDoubtful(doubtful: readonly Doubtful[], count: number): string[] {
  if (count === 0) return [];
  const lines = doubtful.slice(0, SHOWN).map(({ table, topic, partition, offset, code, column }) => {
    const where = [table === '' ? 'a table that is not known' : table, column].filter((part) => part !== '').join(', ');
    return `    ${where}: ${code} at ${topic}:${partition}:${offset}`;
  });
  const more = count > lines.length ? [`    and ${count - lines.length} more`] : [];
  return [
    `? ${count} changes are in quarantine, so their rows are in doubt even where they are equal:`,
    ...lines,
    ...more,
    '    quarantine show tells why; quarantine retry tries them again',
  ];
}
