/** What a user says of single columns: by which policy a value that does not fit is treated, another type or name, and what is kept out. */
import { tableFilter } from './config/patterns';

/**
 * What happens to a value that the column's type in ClickHouse does not hold. `lossless`: the column becomes String, with
 * the mirror made anew. `clamp`: the nearest value that it holds. `reject`: the record goes to quarantine.
 */
export const POLICIES = ['lossless', 'clamp', 'reject'] as const;
export type Policy = (typeof POLICIES)[number];

/**
 * Kinds of values that a type may not hold: NaN, infinities and too many digits of `numeric`; a `date` and a `timestamp`
 * (with or without time zone) out of range; `null`: a NULL where ClickHouse has none, in place of an array, hstore or point.
 */
export const POLICY_KINDS = ['numeric', 'date', 'timestamp', 'null'] as const;
export type PolicyKind = (typeof POLICY_KINDS)[number];

/** A numeric has the policy that keeps sums right; the others the one that keeps types. */
export const DEFAULT_POLICIES: Readonly<Record<PolicyKind, Policy>> = {
  numeric: 'lossless',
  date: 'clamp',
  timestamp: 'clamp',
  null: 'clamp',
};

/** `drop`: nothing of the value reaches ClickHouse. `hash`: a keyed hash of it does. */
export const MASKS = ['drop', 'hash'] as const;
export type Mask = (typeof MASKS)[number];

export interface ColumnRule {
  readonly policy?: Policy;
  /** A type of ClickHouse, in the spelling of `overrideType`. */
  readonly type?: string;
  /** The column's name in ClickHouse. */
  readonly name?: string;
  /** Not in the mirror. */
  readonly skip?: boolean;
  readonly mask?: Mask;
}

/** What is said of the columns that match; `table` and `column` are patterns. */
export interface RuleEntry {
  readonly table: string;
  readonly column: string;
  readonly rule: ColumnRule;
}

export interface ColumnRules {
  /** As they were written, in order. */
  readonly entries: readonly RuleEntry[];
  /** The policy of a column of which no entry says one. */
  readonly defaults: Readonly<Record<PolicyKind, Policy>>;
  /** The rules of one table, to be asked by column; what no entry says is absent. Of entries that match, the later ones count. */
  of(schema: string, table: string): (column: string) => ColumnRule;
}

const NOTHING: ColumnRule = {};

export function columnRules(
  entries: readonly RuleEntry[],
  defaults: Readonly<Partial<Record<PolicyKind, Policy>>> = {},
): ColumnRules {
  const matching = entries.map(({ table, column, rule }) => ({
    isTable: tableFilter({ include: [table], exclude: [] }),
    isColumn: tableFilter({ include: [column], exclude: [] }),
    rule,
  }));
  return {
    entries,
    defaults: { ...DEFAULT_POLICIES, ...defaults },
    of(schema, table) {
      const ofTable = matching.filter(({ isTable }) => isTable(`${schema}.${table}`));
      if (ofTable.length === 0) return () => NOTHING;
      return (column) => {
        const rules = ofTable.filter(({ isColumn }) => isColumn(column)).map(({ rule }) => rule);
        return Object.assign({}, ...rules) as ColumnRule;
      };
    },
  };
}

/** A policy that may act on values of a column, or on NULL where its type in ClickHouse has none. */
export interface PolicyInForce {
  readonly on: 'values' | 'NULL';
  readonly policy: Policy;
  /** Who says so: nobody, a rule, or that a key is never clamped. */
  readonly from: 'default' | 'COLUMNS' | 'key';
}

/** How often the policy of a column acted. */
export interface PolicyUse {
  /** `schema.table`. */
  readonly table: string;
  readonly column: string;
  readonly policy: Policy;
  readonly values: number;
}

/** What is decided of a table's columns beside what the catalogue says. */
export interface ColumnChoices {
  readonly rule: (column: string) => ColumnRule;
  readonly defaults: ColumnRules['defaults'];
  /** Columns that are text since a value did not fit under `lossless`. */
  readonly widened: ReadonlySet<string>;
}

/** Under this name `control` has the columns of a table that became text, as a list in JSON. */
export function widenedName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `widened:${schema}.${name}`;
}

export function choicesOf(
  rules: ColumnRules,
  { schema, name }: { readonly schema: string; readonly name: string },
  widened: Iterable<string>,
): ColumnChoices {
  return { rule: rules.of(schema, name), defaults: rules.defaults, widened: new Set(widened) };
}

export const NO_RULES: ColumnRules = columnRules([]);

/** Every column as it is by default. */
export const NO_CHOICES: ColumnChoices = choicesOf(NO_RULES, { schema: '', name: '' }, []);
