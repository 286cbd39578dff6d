/** What COLUMNS says of the source's columns: rules that name nothing, keys that are kept out, and the policies in force. */
import type { RuleEntry } from '../column-rules';
import { tableFilter } from '../config/patterns';
import { tableName } from '../model';
import { byHand, finding, type ColumnPolicy, type Finding, type RelationFacts, type Wanted } from './facts';

export function judgeRules(relations: readonly RelationFacts[], wanted: Wanted): Finding[] {
  return [
    ...judgeNames(relations, wanted),
    ...relations.filter(({ included }) => included).flatMap((relation) => judgeKey(relation, wanted)),
    ...relations.filter((relation) => isMirrored(relation, wanted)).flatMap(judgePolicies),
  ];
}

function isMirrored(relation: RelationFacts, { mirrors, routes }: Wanted): boolean {
  return mirrors && relation.included && relation.streamed && routes.get(tableName(relation)) !== null;
}

/** One finding per table or pattern, however many of its columns are named. */
function judgeNames(relations: readonly RelationFacts[], { rules }: Wanted): Finding[] {
  return [...Map.groupBy(rules.entries, ({ table }) => table)].flatMap(([table, entries]) => {
    const place = `COLUMNS ${JSON.stringify(table)}`;
    const isMeant = matcher(table);
    const meant = relations.filter((relation) => isMeant(tableName(relation)));
    if (meant.length === 0) {
      const what = `the source has no such table; its rules are for ${named(entries)}`;
      const mend = byHand(correct(alike(table, relations.map(tableName))));
      return [finding('rule-names-nothing', { place, what, mend })];
    }
    const columns = [...new Set(meant.flatMap((relation) => relation.columns))];
    const nowhere = entries.filter(({ column }) => !columns.some(matcher(column)));
    if (nowhere.length === 0) return [];
    const close = nowhere.flatMap(({ column }) => alike(column, columns));
    const what = `the source has no such column there: ${named(nowhere)}`;
    const mend = byHand(
      `${correct(close)} The old name of a renamed column stays beside the new one while Kafka holds records of before.`,
    );
    return [finding('rule-names-nothing', { place, what, mend })];
  });
}

function matcher(pattern: string): (name: string) => boolean {
  return tableFilter({ include: [pattern], exclude: [] });
}

function named(entries: readonly RuleEntry[]): string {
  return entries.map(({ column, rule }) => `${JSON.stringify(column)} (${Object.keys(rule).join(', ')})`).join(', ');
}

/** Names that differ by their letters' case only. */
function alike(name: string, among: readonly string[]): string[] {
  return among.filter((one) => one.toLowerCase() === name.toLowerCase());
}

function correct(close: readonly string[]): string {
  const hint = close.length === 0 ? '' : ` (the source has ${close.join(', ')})`;
  return `Correct the name in COLUMNS or COLUMNS_FILE${hint}, or take the entry out.`;
}

function judgeKey(relation: RelationFacts, { rules }: Wanted): Finding[] {
  const place = tableName(relation);
  const rule = rules.of(relation.schema, relation.name);
  const isKeptOut = (column: string): boolean => rule(column).mask === 'drop' || rule(column).skip === true;
  const keptOut = relation.key.filter(isKeptOut);
  const hashed = relation.key.filter((column) => rule(column).mask === 'hash' && !isKeptOut(column));
  const found: Finding[] = [];
  if (keptOut.length > 0) {
    const what = `rules drop or skip columns of its key: ${keptOut.join(', ')}`;
    const kept = keptOut.map((column) => [
      column,
      rule(column).mask === undefined ? { skip: false } : { mask: 'hash', skip: false },
    ]);
    const mend = byHand(`Write ${inFile(place, kept)}, or leave the table out with TABLES_EXCLUDE.`);
    const audited = 'The rows of a table are told apart by its key: without it the table is audited and not mirrored';
    const mild = { severity: 'warning', why: `${audited} [TABLE_KEY_MASKED].` } as const;
    found.push(finding('key-kept-out', { place, what, mend, ...(relation.hasPrimaryKey ? {} : mild) }));
  }
  if (hashed.length > 0) {
    const what = `columns of its key are hashed: ${hashed.join(', ')}`;
    const mend = byHand(
      'Nothing has to be done. A rule that comes later needs a new target, as docs/masking.md tells.',
    );
    found.push(finding('key-hashed', { place, what, mend }));
  }
  return found;
}

function judgePolicies(relation: RelationFacts): Finding[] {
  const [first] = relation.policies;
  if (first === undefined) return [];
  const place = tableName(relation);
  const groups = Map.groupBy(relation.policies, ({ policy, from }) => `${policy} ${FROM[from]}`);
  const what = [...groups].map(([how, columns]) => `${how}: ${columns.map(columnText).join(', ')}`).join('; ');
  const other = first.policy === 'reject' ? 'lossless' : 'reject';
  const mend = byHand(
    `Nothing has to be done. For another policy, write ${inFile(place, [[first.column, { policy: other }]])}.`,
  );
  return [finding('column-policy', { place, what, mend })];
}

const FROM: Readonly<Record<ColumnPolicy['from'], string>> = {
  default: 'by default',
  COLUMNS: 'by COLUMNS',
  key: 'as a key is never clamped',
};

function columnText({ column, type, on }: ColumnPolicy): string {
  return `${on === 'NULL' ? 'NULL of ' : ''}${column} (${type})`;
}

/** Of entries that match, the later ones count. */
function inFile(table: string, columns: readonly (readonly unknown[])[]): string {
  const rules = JSON.stringify({ [table]: Object.fromEntries(columns) as object });
  return `${rules} into the file that COLUMNS_FILE names, after more general entries`;
}
