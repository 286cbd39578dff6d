/** Reads the rules of single columns, from the settings COLUMNS or COLUMNS_FILE; names every entry that is wrong, and how. */
import { resolve } from 'node:path';
import {
  columnRules,
  MASKS,
  NO_RULES,
  POLICIES,
  POLICY_KINDS,
  type ColumnRule,
  type ColumnRules,
  type Policy,
  type PolicyKind,
  type RuleEntry,
} from '../column-rules';
import { maskSecretOf } from './mask';
import { readIfThere } from './sources';
import { ServiceError } from '../errors';
import { OVERRIDE_TYPES, overrideType } from '../override-type';
import { repeatedName } from '../repeated-name';

const HINT =
  'The form is {"schema.table": {"column": {"policy": "clamp"}}}; docs/types.md, "Rules for columns", has all of it.';
/** The entry beside the tables: policies by kind. No table has a name without a dot. */
const DEFAULTS = 'defaults';

export interface ColumnSettings {
  /** What is said of single columns. */
  readonly columns: ColumnRules;
  /** By which values are masked; '' where none are. */
  readonly maskSecret: string;
}

/** The rules, and the secret that their masks need. Throws CONFIG_INVALID or CONFIG_FILE_UNREADABLE. */
export function columnsOf(
  v: Parameters<typeof columnRulesOf>[0] & Parameters<typeof maskSecretOf>[0],
  cwd: string,
): ColumnSettings {
  const columns = columnRulesOf(v, cwd);
  return { columns, maskSecret: maskSecretOf(v, columns) };
}

/** Throws CONFIG_INVALID or CONFIG_FILE_UNREADABLE. `cwd` is where a relative path begins. */
export function columnRulesOf(
  { COLUMNS: inline, COLUMNS_FILE: file }: { readonly COLUMNS: string | null; readonly COLUMNS_FILE: string | null },
  cwd: string,
): ColumnRules {
  if (inline !== null && file !== null) {
    throw new ServiceError('CONFIG_INVALID', 'COLUMNS and COLUMNS_FILE are both set.', {
      hint: 'Keep one of the two.',
    });
  }
  if (inline !== null) return parseColumnRules(inline, 'COLUMNS');
  if (file === null) return NO_RULES;
  const path = resolve(cwd, file);
  const text = readIfThere(path);
  if (text !== null) return parseColumnRules(text, path);
  throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path} is not there.`, { hint: 'Correct COLUMNS_FILE.' });
}

/** @param from the setting or the file that the text is of, for messages */
export function parseColumnRules(text: string, from: string): ColumnRules {
  const wrong: string[] = [];
  const root = parse(text, from);
  const defaults: Partial<Record<PolicyKind, Policy>> = {};
  const entries: RuleEntry[] = [];
  for (const [table, value] of Object.entries(root)) {
    const columns = asObject(value);
    const place = JSON.stringify(table);
    if (columns === null) wrong.push(`${place} must be an object.`);
    else if (table === DEFAULTS) readDefaults(columns, defaults, wrong);
    else if (!/^[^.]+\..+$/.test(table))
      wrong.push(`${place} must be a table or a pattern of the form schema.table, or "${DEFAULTS}".`);
    else for (const [column, rule] of Object.entries(columns)) readEntry({ table, column, rule }, entries, wrong);
  }
  if (wrong.length > 0) throw invalid(from, wrong);
  return columnRules(entries, defaults);
}

function parse(text: string, from: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own words repeat parts of the text.
    throw invalid(from, ['it is no JSON.']);
  }
  const root = asObject(parsed);
  if (root === null) throw invalid(from, ['it must be an object of tables.']);
  // Of two entries with one name JSON keeps the last: a mask could be lost in silence.
  const twice = repeatedName(text);
  if (twice !== null) throw invalid(from, [`${twice.map((name) => JSON.stringify(name)).join('.')} is there twice.`]);
  return root;
}

function invalid(from: string, wrong: readonly string[]): ServiceError {
  const message =
    wrong.length === 1 ? `${from}: ${wrong.join('')}` : `${from} has wrong entries.\n  ${wrong.join('\n  ')}`;
  return new ServiceError('CONFIG_INVALID', message, { hint: HINT });
}

function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function readDefaults(
  given: Record<string, unknown>,
  defaults: Partial<Record<PolicyKind, Policy>>,
  wrong: string[],
): void {
  for (const [kind, value] of Object.entries(given)) {
    const known = POLICY_KINDS.find((one) => one === kind);
    const policy = POLICIES.find((one) => one === value);
    const place = `"${DEFAULTS}".${JSON.stringify(kind)}`;
    if (known === undefined) wrong.push(`${place} is no kind of values; there are ${POLICY_KINDS.join(', ')}.`);
    else if (policy === undefined) wrong.push(`${place} must be one of ${POLICIES.join(', ')}.`);
    else defaults[known] = policy;
  }
}

interface GivenEntry {
  readonly table: string;
  readonly column: string;
  readonly rule: unknown;
}

function readEntry({ table, column, rule: given }: GivenEntry, entries: RuleEntry[], wrong: string[]): void {
  const place = `${JSON.stringify(table)}.${JSON.stringify(column)}`;
  const members = asObject(given);
  if (members === null) {
    wrong.push(`${place} must be an object, such as {"policy": "clamp"}.`);
    return;
  }
  const rule: Record<string, unknown> = {};
  let isRight = true;
  for (const [member, value] of Object.entries(members)) {
    const read = Object.hasOwn(MEMBERS, member) ? MEMBERS[member as keyof ColumnRule] : undefined;
    const found = read?.read(value, column);
    if (found !== undefined) rule[member] = found;
    else {
      isRight = false;
      const known = `is not known; there are ${Object.keys(MEMBERS).join(', ')}.`;
      wrong.push(`${place}.${JSON.stringify(member)} ${read === undefined ? known : `must be ${read.says}.`}`);
    }
  }
  const contradiction = contradictionOf(rule);
  if (contradiction !== null) wrong.push(`${place} has ${contradiction}.`);
  else if (isRight) entries.push({ table, column, rule });
}

/** Undefined where the value does not fit. */
interface Member {
  readonly says: string;
  readonly read: (value: unknown, column: string) => unknown;
}

const MEMBERS: Record<keyof ColumnRule, Member> = {
  policy: { says: `one of ${POLICIES.join(', ')}`, read: (value) => POLICIES.find((one) => one === value) },
  type: {
    says: `one of ${OVERRIDE_TYPES}`,
    read: (value) => (typeof value === 'string' ? (overrideType(value) ?? undefined) : undefined),
  },
  name: {
    says: 'a name that is not empty and does not begin with _, of one column: not of a pattern with *',
    read: (value, column) =>
      typeof value === 'string' && /^[^_\0][^\0]*$/.test(value) && !column.includes('*') ? value : undefined,
  },
  skip: { says: 'true or false', read: (value) => (typeof value === 'boolean' ? value : undefined) },
  mask: { says: `one of ${MASKS.join(', ')}`, read: (value) => MASKS.find((one) => one === value) },
};

function contradictionOf({ mask, skip, ...others }: ColumnRule): string | null {
  const beside = Object.keys(others);
  if (skip === true && mask !== 'hash' && beside.length > 0) return `skip together with ${beside.join(', ')}`;
  const shaping = beside.filter((member) => member !== 'name' || mask === 'drop');
  return mask !== undefined && shaping.length > 0 ? `mask together with ${shaping.join(', ')}` : null;
}
