/** How a mirror that stands is brought in line with its source's columns: in place where that is exact, else by making it anew. */
import { fingerprint, HASH_COLUMN, isCounted, type MirrorColumn, type MirrorLayout } from './mirror-layout';
import { nullableType } from './mirror-type';

/** A column of a mirror as ClickHouse has it; `comment` is `columnComment` of when it was made, '' in mirrors of old. */
export interface StandingColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

/** One step in place. Every step may be repeated, and may be taken by two processes at once. */
export type MirrorStep =
  | { readonly kind: 'rename'; readonly from: string; readonly column: MirrorColumn }
  | { readonly kind: 'add'; readonly column: MirrorColumn }
  /** Another type whose values are the same. `from`: the source's type before. */
  | { readonly kind: 'modify'; readonly column: MirrorColumn; readonly from: string };

/** `rebuild`: what is in the way, in words. `layout`: the wanted one with the types that the mirror will have. */
export type MirrorPlan =
  | { readonly kind: 'in-place'; readonly layout: MirrorLayout; readonly steps: readonly MirrorStep[] }
  | { readonly kind: 'rebuild'; readonly changes: readonly MirrorChange[] };

/** A difference between a mirror and its source, as `schema_changes` tells it. */
export interface MirrorChange {
  /** '' where it is about the table. */
  readonly column: string;
  readonly from: string;
  readonly to: string;
}

/** What a mirror's column remembers of its source: the table's oid, the column's number, its type; and the policy that it had. */
export function columnComment({ oid = 0 }: MirrorLayout, { attnum, sourceType, policy }: MirrorColumn): string {
  if (attnum === undefined) return '';
  return `${oid}.${attnum}${policy === 'exact' ? '' : `.${policy}`} ${sourceType ?? ''}`;
}

interface Known {
  readonly oid: number;
  readonly attnum: number;
  readonly type: string;
  /** In mirrors of old nothing is said: values were clamped. */
  readonly policy: string;
}

function known({ comment }: StandingColumn): Known | null {
  const [, oid, attnum, policy = 'clamp', type] = /^(\d+)\.(\d+)(?:\.(\w+))? (.*)$/.exec(comment) ?? [];
  return type === undefined ? null : { oid: Number(oid), attnum: Number(attnum), policy, type };
}

/**
 * A column that is Nullable in the mirror stays so. One that is new is Nullable unless older rows have a value in it.
 * @param sortingKey the mirror's, as `system.tables` writes it
 */
export function planMirror(layout: MirrorLayout, standing: readonly StandingColumn[], sortingKey: string): MirrorPlan {
  const oids = standing.flatMap((column) => known(column)?.oid ?? []);
  const oid = layout.oid ?? 0;
  if (oid > 0 && oids.length > 0 && !oids.includes(oid))
    return { kind: 'rebuild', changes: [{ column: '', from: `table ${oids[0]}`, to: `table ${oid}` }] };
  const key = isCounted(layout) ? COUNTED_KEY : layout.key.map((index) => layout.columns[index]?.name ?? '').join(', ');
  const obstacles: MirrorChange[] = [];
  const keyBefore = plainNames(sortingKey);
  if (keyBefore !== plainNames(key)) obstacles.push({ column: '', from: `key (${keyBefore})`, to: `key (${key})` });
  const steps: MirrorStep[] = [];
  const columns = layout.columns.map((column, index) => {
    const fitted = fitColumn(column, layout.key.includes(index), standing);
    if ('from' in fitted) obstacles.push(fitted);
    else steps.push(...fitted.steps);
    return 'from' in fitted ? column : fitted.column;
  });
  obstacles.push(...keptOut(layout, standing));
  // A hash of a row's values is another one as soon as the columns are others.
  if (obstacles.length > 0 || (isCounted(layout) && steps.length > 0))
    return { kind: 'rebuild', changes: [...steps.map(stepChange), ...obstacles] };
  return {
    kind: 'in-place',
    steps,
    layout: { ...layout, columns, fingerprint: fingerprint(columns, layout.fields, layout.key) },
  };
}

/** Columns that stand and must not: rules keep them out now. */
function keptOut({ omitted }: MirrorLayout, standing: readonly StandingColumn[]): MirrorChange[] {
  return omitted.flatMap(({ name, attnum, reason }): MirrorChange[] => {
    if (reason !== 'masked' && reason !== 'skipped') return [];
    const stands = standing.find((one) => {
      const of = known(one);
      return of === null ? one.name === name : of.attnum === attnum;
    });
    return stands === undefined ? [] : [{ column: name, from: known(stands)?.type ?? stands.type, to: '' }];
  });
}

/** What a step does, for the history. */
export function stepChange(step: MirrorStep): MirrorChange {
  const { column } = step;
  const to = column.sourceType ?? column.type;
  switch (step.kind) {
    case 'rename':
      return { column: step.from, from: to, to: `${column.name} ${to}` };
    case 'add':
      return { column: column.name, from: '', to };
    case 'modify':
      return { column: column.name, from: step.from, to: step.from === to ? `${to} NULL` : to };
  }
}

const COUNTED_KEY = `${HASH_COLUMN}, _topic, _partition`;

/** Names as they are: the server writes some of them in backquotes, and a single one as `(id)`. */
function plainNames(names: string): string {
  return names.replaceAll(/[`\\]/g, '').replace(/^\((.*)\)$/, '$1');
}

type Fitted = { readonly column: MirrorColumn; readonly steps: MirrorStep[] } | MirrorChange;

interface Fitting {
  readonly column: MirrorColumn;
  readonly inKey: boolean;
  /** The source's type now. */
  readonly to: string;
}

function fitColumn(column: MirrorColumn, inKey: boolean, standing: readonly StandingColumn[]): Fitted {
  const fitting: Fitting = { column, inKey, to: column.sourceType ?? column.type };
  const named = standing.find(({ name }) => name === column.name);
  const found = standing.find((one) => column.attnum !== undefined && known(one)?.attnum === column.attnum);
  if (found !== undefined)
    return found === named ? fitType(found, fitting) : renamed(found, named !== undefined, fitting);
  if (named === undefined) return added(fitting);
  // A mirror of old says nothing of its columns. Else the name is a dropped column's, whose values are not this one's.
  if (known(named) === null || column.attnum === undefined) return fitType(named, fitting);
  return { column: column.name, from: 'another column', to: fitting.to };
}

function added({ column, inKey, to }: Fitting): Fitted {
  if (inKey) return { column: column.name, from: '', to };
  const filled = column.missing !== undefined && column.missing !== 'null';
  const made = filled ? column : { ...column, type: nullableType(column.type) };
  return { column: made, steps: [{ kind: 'add', column: made }] };
}

function renamed(found: StandingColumn, isNameTaken: boolean, fitting: Fitting): Fitted {
  const { column, inKey } = fitting;
  if (inKey || isNameTaken) return { column: column.name, from: found.name, to: column.name };
  const fitted = fitType(found, fitting);
  if ('from' in fitted) return fitted;
  return { ...fitted, steps: [{ kind: 'rename', from: found.name, column: fitted.column }, ...fitted.steps] };
}

function fitType(found: StandingColumn, { column, inKey, to }: Fitting): Fitted {
  const before = known(found)?.type ?? null;
  const from = before ?? found.type;
  if (mustBeExact(found, column)) return { column: column.name, from: 'clamped', to: 'lossless' };
  const wanted = stillNullable(found, column);
  const steps: MirrorStep[] = [{ kind: 'modify', column: wanted, from }];
  const sourceBefore = before === to ? null : before;
  const sameType = found.type === wanted.type;
  if (sameType && sourceBefore === null && isMarked(found, column)) return { column: wanted, steps: [] };
  const fits = hasSameValues({ found, wanted, sourceBefore, to }) && (sameType || !inKey);
  return fits ? { column: wanted, steps } : { column: column.name, from, to };
}

/** What can hold NULL stays so. */
function stillNullable({ type }: StandingColumn, column: MirrorColumn): MirrorColumn {
  return nullableType(type) === type ? { ...column, type: nullableType(column.type) } : column;
}

/** Whether the comment says what values may be. */
function isMarked(found: StandingColumn, { policy }: MirrorColumn): boolean {
  return isClamped(found) || policy !== 'clamp';
}

function mustBeExact(found: StandingColumn, { attnum, policy }: MirrorColumn): boolean {
  return isClamped(found) && attnum !== undefined && policy === 'lossless';
}

/** The same type, NULL aside. */
function sameBut(a: string, b: string): boolean {
  return nullableType(a) === nullableType(b);
}

/** Whether values may be clamped. The mark of it stays until the mirror is made anew; without one they were. */
function isClamped(column: StandingColumn): boolean {
  return (known(column)?.policy ?? 'clamp') === 'clamp';
}

interface TypeChange {
  readonly found: StandingColumn;
  readonly wanted: MirrorColumn;
  /** null: the source's type is the same. */
  readonly sourceBefore: string | null;
  readonly to: string;
}

function hasSameValues({ found, wanted, sourceBefore, to }: TypeChange): boolean {
  if (isString(found.type) !== isString(wanted.type)) return false;
  return sourceBefore === null ? sameBut(found.type, wanted.type) : isWidened(sourceBefore, to);
}

/** Text and numbers of one source type are not the same value to ClickHouse. */
function isString(type: string): boolean {
  return type.includes('String');
}

const INTEGERS = ['smallint', 'integer', 'bigint'];

/**
 * Whether every value of a source type is the same value under another, in images as in rows: then nothing that is written
 * or under way must be read anew. real to double precision is not: 3.33 becomes another number.
 */
export function isWidened(from: string, to: string): boolean {
  if (INTEGERS.includes(from)) return INTEGERS.indexOf(from) < INTEGERS.indexOf(to);
  const [a, b] = [parameters(from), parameters(to)];
  if (isText(a.name) && isText(b.name)) return isWithin(a, b, Infinity);
  if (a.name !== b.name) return false;
  if (a.name === 'numeric') return isFinerDecimal(a, b);
  return /^(timestamp|time)/.test(a.name) && isWithin(a, b, 6);
}

function isWithin(a: TypeText, b: TypeText, most: number): boolean {
  return (a.values[0] ?? most) <= (b.values[0] ?? most);
}

/** Between decimals of ClickHouse: one that PostgreSQL does not limit is Decimal(76, 38). */
function isFinerDecimal(a: TypeText, b: TypeText): boolean {
  if (a.values.length === 0) return false;
  const [precision = 0, scale = 0] = a.values;
  const [wider, finer] = b.values.length === 0 ? [76, 38] : [b.values[0] ?? 0, b.values[1] ?? 0];
  return scale >= 0 && finer >= scale && wider - finer >= precision - scale;
}

function isText(name: string): boolean {
  return name === 'text' || name === 'character varying';
}

interface TypeText {
  readonly name: string;
  readonly values: readonly number[];
}

/** `numeric(12,2)` and `timestamp(3) with time zone` into a name and their numbers. */
function parameters(type: string): TypeText {
  const [, before = type, list, after = ''] = /^([^(]*)\(([^)]*)\)(.*)$/.exec(type) ?? [];
  return { name: before + after, values: list === undefined ? [] : list.split(',').map(Number) };
}
