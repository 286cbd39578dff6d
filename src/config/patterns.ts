/** Which tables are meant: patterns `schema.table` where `*` stands for any characters. */

/**
 * Tells whether a table (as `schema.table`) matches a pattern of `include` and none of `exclude`. Letters' case counts,
 * as in PostgreSQL's catalogue; a dot inside a table's name is matched like any character.
 */
export function tableFilter(patterns: {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}): (table: string) => boolean {
  const include = patterns.include.map(expression);
  const exclude = patterns.exclude.map(expression);
  return (table) => include.some((e) => e.test(table)) && !exclude.some((e) => e.test(table));
}

function expression(pattern: string): RegExp {
  const source = pattern.replace(/[\\^$.|+()[\]{}*?]/g, (c) => (c === '*' ? '.*' : `\\${c}`));
  return new RegExp(`^${source}$`, 'su');
}
