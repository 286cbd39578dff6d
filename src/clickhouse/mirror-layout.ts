/** The columns, key and omissions of one table's mirror, worked out from the PostgreSQL catalogue. */
import { NO_CHOICES, type ColumnChoices } from '../column-rules';
import type { TableCode } from '../errors';
import type { Hash } from '../debezium/image-mask';
import type { SourceColumn, SourceTable } from '../model';
import { missingValue } from './missing-value';
import { chosenType, isTypeImpossible } from './chosen-type';
import { hashedType, type MirrorType } from './mirror-type';

/** A column of a mirror that holds a source column. */
export interface MirrorColumn extends MirrorType {
  readonly name: string;
  readonly notNull: boolean;
  /** The source column's number and type, by which a mirror knows it again; absent where the catalogue did not say. */
  readonly attnum?: number;
  readonly sourceType?: string;
  /** Its name in the views, where the rules give it another; the mirror has the source's. */
  readonly shownAs?: string;
  /** What a row has in this column whose image lacks it: JSON as an image has it under our profile. */
  readonly missing?: string;
  /** It holds hashes of the source's values, and so do the images. */
  readonly hashed?: true;
}

/** Why a source column is not in the mirror. */
export type OmittedReason =
  /** Debezium does not send this type. */
  | 'unsupported-type'
  /** Generated columns are in snapshots but not in the stream, so a copy of them would be wrong after the first update. */
  | 'generated'
  /** Rules of the settings. */
  | 'masked'
  | 'skipped';

export interface OmittedColumn {
  readonly name: string;
  readonly type: string;
  readonly reason: OmittedReason;
  readonly attnum?: number;
}

/** A field that an image may have, in table order; `column` is its index in the layout, -1 if it is omitted. */
export interface ImageField {
  readonly name: string;
  readonly column: number;
}

export interface MirrorLayout {
  readonly schema: string;
  readonly table: string;
  /** `pg_class.oid` of the source, 0 where it is not known. */
  readonly oid?: number;
  /** The transaction that altered the source last, 0 where it is not known. */
  readonly alteredBy?: number;
  readonly columns: readonly MirrorColumn[];
  /** Indexes into `columns`, in key order; empty for a table without a key, whose rows are counted. */
  readonly key: readonly number[];
  readonly omitted: readonly OmittedColumn[];
  readonly fields: readonly ImageField[];
  /** By which values of images are masked that were written before they were to be; absent where no column is hashed. */
  readonly hash?: Hash;
  /** Equal for two layouts if and only if the same images give the same rows in the same columns. */
  readonly fingerprint: string;
}

/** Why a table is audited but not mirrored. */
export interface MirrorRefusal {
  readonly code: TableCode;
  /** The column in the way, where it is one. */
  readonly column?: string;
}

/** The type of a source whose values come as hashes, whatever its own is. */
const HASHED = 'hash';

/** Columns every mirror has after those of its source. */
export const META_COLUMNS = [
  '_sign',
  '_topic',
  '_partition',
  '_offset',
  '_commit_lsn',
  '_lsn',
  '_commit_ts',
  '_nulls',
] as const;

/** What a mirror has beside those for a table without a key: a hash of the row's values, and how often it is there. */
export const HASH_COLUMN = '_hash';
export const COUNT_COLUMN = '_count';

/** Names a source column cannot have: those, and the row number that travels with an insert. */
const RESERVED: ReadonlySet<string> = new Set([...META_COLUMNS, '_row']);
const RESERVED_WITHOUT_KEY: ReadonlySet<string> = new Set([HASH_COLUMN, COUNT_COLUMN]);

/**
 * The layout of a table's mirror. `TABLE_WITHOUT_KEY` where Debezium sends no column of the key, or none at all, `TABLE_COLUMN_RESERVED` where a
 * column has the name of one of ours, or one that ClickHouse reads more into, `TABLE_RULE_WRONG` where the choices cannot
 * be followed.
 */
export function mirrorLayout(table: SourceTable, choices: ColumnChoices = NO_CHOICES): MirrorLayout | MirrorRefusal {
  if (table.notStreamed) return { code: 'TABLE_NOT_STREAMED' };
  const reserved = table.columns.find(
    ({ name }) => RESERVED.has(name) || (table.key.length === 0 && RESERVED_WITHOUT_KEY.has(name)),
  );
  if (reserved !== undefined) return { code: 'TABLE_COLUMN_RESERVED', column: reserved.name };
  const impossible = impossibleRule(table, choices);
  if (impossible !== undefined) return { code: 'TABLE_RULE_WRONG', column: impossible };
  const columns: MirrorColumn[] = [];
  const omitted: OmittedColumn[] = [];
  const fields = table.columns.map((column): ImageField => {
    const found = mirrorColumn(column, table.key.includes(column.name), choices);
    if (typeof found === 'string') {
      const { name, type, attnum } = column;
      omitted.push({ name, type, reason: found, ...(attnum ? { attnum } : {}) });
      return { name: column.name, column: -1 };
    }
    columns.push(found);
    return { name: column.name, column: columns.length - 1 };
  });
  const nested = nestedColumn(columns);
  if (nested !== null) return { code: 'TABLE_COLUMN_RESERVED', column: nested };
  const key = table.key.map((name) => columns.findIndex((column) => column.name === name));
  const keptOut = omitted.find(({ name, reason }) => table.key.includes(name) && isByRule(reason));
  if (keptOut !== undefined) return { code: 'TABLE_KEY_MASKED', column: keptOut.name };
  if (key.includes(-1) || columns.length === 0) return { code: 'TABLE_WITHOUT_KEY' };
  return {
    schema: table.schema,
    table: table.name,
    oid: table.oid ?? 0,
    alteredBy: table.alteredBy ?? 0,
    columns,
    key,
    omitted,
    fields,
    fingerprint: fingerprint(columns, fields, key),
  };
}

/** ClickHouse takes arrays whose names share what stands before a dot for one Nested column, and wants them equally long. */
function nestedColumn(columns: readonly MirrorColumn[]): string | null {
  const known = new Set<string>();
  for (const { name, type } of columns) {
    const dot = name.indexOf('.');
    if (!type.startsWith('Array(') || dot <= 0 || dot === name.length - 1) continue;
    const prefix = name.slice(0, dot);
    if (known.has(prefix)) return name;
    known.add(prefix);
  }
  return null;
}

function isByRule(reason: OmittedReason): boolean {
  return reason === 'masked' || reason === 'skipped';
}

/** True for a table without a key: each distinct row stands once in the mirror, with a count. */
export function isCounted({ key }: Pick<MirrorLayout, 'key'>): boolean {
  return key.length === 0;
}

/** The name of a column in the views. */
export function shownName({ name, shownAs }: MirrorColumn): string {
  return shownAs ?? name;
}

/** Whether a value that does not fit the column turns it into text. */
export function isLossless({ columns }: MirrorLayout, column: string): boolean {
  return columns.some(({ name, policy }) => name === column && policy === 'lossless');
}

/** The columns of a mirror of counted rows, and its key, the hash. */
export function countedShape({ columns }: MirrorLayout): {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly key: readonly number[];
} {
  const own = [
    { name: HASH_COLUMN, type: 'UUID' },
    { name: COUNT_COLUMN, type: 'Int64' },
  ];
  return { columns: [...columns, ...own], key: [columns.length] };
}

/** The column whose type or name cannot be as the rules say. */
function impossibleRule({ columns, key }: SourceTable, choices: ColumnChoices): string | undefined {
  const names = columns.map(({ name }) => choices.rule(name).name ?? name);
  const twice = columns.find((_, index) => names.indexOf(names[index] ?? '') !== index);
  if (twice !== undefined) return twice.name;
  return columns.find((column) => isTypeImpossible(column, key.includes(column.name), choices))?.name;
}

function mirrorColumn(column: SourceColumn, inKey: boolean, choices: ColumnChoices): MirrorColumn | OmittedReason {
  if (column.generated) return 'generated';
  if (column.mask === 'drop') return 'masked';
  if (column.skip) return 'skipped';
  const own = chosenType(column, inKey, choices);
  if (own === null) return 'unsupported-type';
  const notNull = inKey || column.notNull;
  const { missing, sourceType, ...found } =
    column.mask === 'hash' ? hashedColumn(column, notNull) : ownColumn(column, own);
  const shownAs = choices.rule(column.name).name;
  return {
    ...found,
    name: column.name,
    notNull,
    ...(shownAs === undefined ? {} : { shownAs }),
    ...(column.attnum ? { attnum: column.attnum, sourceType } : {}),
    ...(missing === null ? {} : { missing }),
  };
}

function ownColumn(column: SourceColumn, own: MirrorType) {
  return { ...own, missing: missingValue(column, own.codec), sourceType: column.type };
}

function hashedColumn({ missing }: SourceColumn, notNull: boolean) {
  return { ...hashedType(notNull), missing: missing ?? null, sourceType: HASHED, hashed: true as const };
}

export function fingerprint(
  columns: readonly MirrorColumn[],
  fields: readonly ImageField[],
  key: readonly number[],
): string {
  return JSON.stringify([
    columns.map(({ name, type, policy, nulls, missing, codec: { form, width, precision, scale, array, asText } }) => [
      name,
      type,
      policy,
      nulls,
      asText,
      missing,
      form,
      width,
      precision,
      scale,
      array,
    ]),
    fields.filter(({ column }) => column < 0).map(({ name }) => name),
    key,
  ]);
}

/** The layout, reading over fields that images may have though the table has no such column (any more). */
export function ignoreFields(layout: MirrorLayout, names: Iterable<string>): MirrorLayout {
  const known = new Set(layout.fields.map(({ name }) => name));
  const ignored = [...names].filter((name) => !known.has(name)).map((name): ImageField => ({ name, column: -1 }));
  if (ignored.length === 0) return layout;
  const fields = [...layout.fields, ...ignored];
  return { ...layout, fields, fingerprint: fingerprint(layout.columns, fields, layout.key) };
}
