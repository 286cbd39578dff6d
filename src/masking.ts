/** Which columns must not reach ClickHouse, and the one secret by which hashes are made; everything that reads a record asks here. */
import { createHmac } from 'node:crypto';
import { missingValue } from './clickhouse/missing-value';
import { mirrorType } from './clickhouse/mirror-type';
import { createImageMask, type Hash, type ImageMask } from './debezium/image-mask';
import { JsonOutput } from './debezium/json-output';
import type { PlaceholderForms } from './debezium/withheld';
import type { Mask, SourceColumn, SourceTable } from './model';
import type { RecordMasking } from './pipeline';

/** What the rules of columns say of masking; see `column-rules.ts`. */
export interface MaskRules {
  readonly entries: readonly { readonly table: string; readonly column: string; readonly rule: MaskRule }[];
  of(schema: string, table: string): (column: string) => MaskRule;
}

interface MaskRule {
  readonly skip?: boolean;
  readonly mask?: Mask;
}

export interface Masking {
  /** For whoever opens records; undefined where nothing is masked, so that nothing is asked. */
  readonly records: RecordMasking | undefined;
  readonly hash: Hash;
  /**
   * The table as the rules have it: its columns say how they are masked and whether they are skipped, and hold no values
   * that must not be shown. May be given a table that went through it before, under other rules.
   */
  source(table: SourceTable): SourceTable;
  /** A mask of other columns. */
  mask(of: (column: string) => Mask | null): ImageMask;
  /** For columns of which the catalogue alone tells that they are masked; null where there are none. */
  late(table: SourceTable): LateMask | null;
  /** Columns that a rule for this table alone names, and that it does not have: they may have been renamed. */
  unmatched(table: SourceTable): string[];
  /** Whether rows of `changes` could hold what is masked now. */
  readonly any: boolean;
  /** Tells secrets apart without giving one away. */
  readonly secretMark: string;
}

/** Columns that are masked though no rule names them: they were renamed. */
export interface LateMask {
  readonly columns: readonly string[];
  /** For some of the columns. */
  of(columns: readonly string[]): ImageMask;
}

export interface MaskingOptions {
  readonly rules: MaskRules;
  readonly secret: string;
  readonly placeholder: PlaceholderForms;
}

/** What a hash of a record begins with, so that it is never that of a value. */
const RECORD = Buffer.from('debezium-clickhouse record\0', 'utf8');
const MARK = Buffer.from('debezium-clickhouse secret\0', 'utf8');

export function createMasking({ rules, secret, placeholder }: MaskingOptions): Masking {
  const hmac = (...parts: readonly Uint8Array[]): string => {
    const made = createHmac('sha256', secret);
    for (const part of parts) made.update(part);
    return made.digest('hex');
  };
  const hash: Hash = (bytes) => hmac(bytes);
  const mask = (of: (column: string) => Mask | null): ImageMask => createImageMask({ of, hash, placeholder });
  const masked = rules.entries.some(({ rule }) => rule.mask !== undefined);
  const isMasked = maskedTables(rules);
  const byTable = new Map<string, ImageMask | null>();
  const maskOf = (schema: string, table: string): ImageMask | null => {
    const name = `${schema}.${table}`;
    let found = byTable.get(name);
    if (found !== undefined) return found;
    const of = rules.of(schema, table);
    found = isMasked(of) ? mask((column) => of(column).mask ?? null) : null;
    byTable.set(name, found);
    return found;
  };
  return {
    hash,
    secretMark: hmac(MARK).slice(0, 16),
    records: masked
      ? { of: maskOf, digest: (key, value, headers) => hmac(RECORD, size(key), key, size(value), value, headers) }
      : undefined,
    mask,
    late({ schema, name, columns }) {
      const own = maskOf(schema, name);
      const late = columns.filter((column) => column.mask !== undefined && (own?.of(column.name) ?? null) === null);
      if (late.length === 0) return null;
      const masks = new Map(late.map((column) => [column.name, column.mask ?? null]));
      return {
        columns: late.map((column) => column.name),
        of: (some) => mask((one) => (some.includes(one) ? (masks.get(one) ?? null) : null)),
      };
    },
    any: masked,
    unmatched({ schema, name, columns }) {
      return rules.entries
        .filter(({ table, rule }) => table === `${schema}.${name}` && (rule.mask !== undefined || rule.skip === true))
        .map(({ column }) => column)
        .filter((column) => !column.includes('*') && !columns.some((one) => one.name === column));
    },
    source(table) {
      const of = rules.of(table.schema, table.name);
      const own = maskOf(table.schema, table.name);
      return { ...table, columns: table.columns.map((column) => ruled(column, of(column.name), own)) };
    },
  };
}

/** Whether some rule of a table masks: a pattern for columns fits itself. */
function maskedTables({ entries }: MaskRules): (of: (column: string) => MaskRule) => boolean {
  const columns = entries.flatMap(({ column, rule }) => (rule.mask === undefined ? [] : [column]));
  return (of) => columns.some((column) => of(column).mask !== undefined);
}

function size(bytes: Uint8Array): Uint8Array {
  return Buffer.from(`${bytes.length}:`, 'utf8');
}

function ruled(column: SourceColumn, rule: MaskRule, mask: ImageMask | null): SourceColumn {
  const { mask: before, skip, missing, ...rest } = column;
  const kept =
    before === rule.mask ? missing : before === undefined ? maskedMissing(column, rule.mask, mask) : undefined;
  return {
    ...rest,
    ...(kept === undefined ? {} : { missing: kept }),
    ...(rule.mask === undefined ? {} : { mask: rule.mask }),
    ...(rule.skip === true ? { skip: true as const } : {}),
  };
}

/** What older rows read in the column, as an image of it would have it. */
function maskedMissing(column: SourceColumn, how: Mask | undefined, mask: ImageMask | null): string | undefined {
  if (how === 'drop' || mask === null) return undefined;
  const codec = mirrorType(column, false)?.codec;
  const json = codec === undefined ? null : missingValue(column, codec);
  if (json === null) return undefined;
  const output = new JsonOutput();
  const name = JSON.stringify(column.name);
  const image = Buffer.from(`{${name}:${json}}`, 'utf8');
  mask.write(image, 0, image.length, output);
  return Buffer.from(output.bytes.subarray(Buffer.byteLength(name) + 2, output.at - 1)).toString('utf8');
}
