/** Masking as the settings have it, for the service and for every command that shows or looks up values. */
import type { Control } from '../clickhouse/control';
import type { PageMasks } from '../clickhouse/page-reads';
import type { WireSchemas } from '../clickhouse/wire-schemas';
import type { Config } from '../config';
import { tableFilter } from '../config/patterns';
import { pastUnderOtherNames } from '../delivery/table-names';
import { inheritMasks, readPast } from '../delivery/table-past';
import { ERROR_CODES, ServiceError } from '../errors';
import { maskedRows } from '../masked-rows';
import { createMasking, type Masking } from '../masking';
import { tableName, type SourceTable } from '../model';
import { placeholderOf } from '../placeholder';
import { readTable, type CatalogueQuery } from '../postgres/catalogue';
import type { Postgres } from '../postgres/client';
import { primaryKeyColumns } from '../postgres/key-columns';

export function maskingOf({ columns, maskSecret, unavailableValue }: Config): Masking {
  return createMasking({ rules: columns, secret: maskSecret, placeholder: placeholderOf(unavailableValue) });
}

/** The publication that the connector reads: it decides which columns are in the stream. */
export function publicationOf({ connector }: Config): string {
  return connector.placeholders['PUBLICATION_NAME'] ?? '';
}

/** The table as PostgreSQL and the rules have it: a column that was renamed is masked under its new name, too. */
export async function readRuledTable(
  query: CatalogueQuery,
  of: { readonly schema: string; readonly name: string },
  { config, control }: { readonly config: Config; readonly control: Pick<Control, 'get'> },
): Promise<SourceTable | null> {
  const masking = maskingOf(config);
  const found = await readTable(query, of.schema, of.name, publicationOf(config));
  if (found === null) return null;
  const source = masking.source(found);
  if (!masking.any) return source;
  // Commands that only look write nothing.
  const memory = { get: (name: string) => control.get(name), set: () => Promise.resolve() };
  const past = [...(await pastUnderOtherNames(memory, source, masking)), ...(await readPast(memory, of, masking))];
  return inheritMasks([...past, { source, after: -1, by: -1 }]).at(-1)?.source ?? source;
}

/** For rows of `changes` that are shown. */
export function shownRows(config: Config, wires: Pick<WireSchemas, 'read'>): PageMasks {
  const masking = maskingOf(config);
  const { records, hash } = masking;
  return {
    rows: (rows) => maskedRows(rows, masking, wires),
    keys: (key) => (records === undefined ? [key] : [key, hash(Buffer.from(key, 'utf8'))]),
    showsBytes(table) {
      if (records === undefined) return true;
      const dot = table.indexOf('.');
      return dot > 0 && records.of(table.slice(0, dot), table.slice(dot + 1)) === null;
    },
  };
}

const MARK = 'mask-secret';

/**
 * Before anything is written: throws MASK_SECRET_CHANGED where the target has hashes by another secret, and CONFIG_INVALID
 * where a rule keeps a column of a primary key out.
 */
export async function checkMasking(
  config: Config,
  control: Pick<Control, 'get' | 'set'>,
  postgres: Pick<Postgres, 'query'> | null,
): Promise<void> {
  if (postgres !== null) await refuseKeptOutKeys(config, (sql, params) => postgres.query(sql, params));
  const { any, secretMark } = maskingOf(config);
  if (!any) return;
  const known = await control.get(MARK);
  if (known === null) await control.set(MARK, secretMark);
  else if (known !== secretMark) {
    throw new ServiceError('MASK_SECRET_CHANGED', 'The hashes in ClickHouse were made with another MASK_SECRET.', {
      hint: 'Set the secret of before. To change it for good, write to another CH_DATABASE with another KAFKA_GROUP_ID, as docs/masking.md tells: one value must not have two hashes.',
    });
  }
}

async function refuseKeptOutKeys({ columns: rules, tables }: Config, query: CatalogueQuery): Promise<void> {
  if (rules.entries.every(({ rule }) => rule.mask !== 'drop' && rule.skip !== true)) return;
  const keys = await primaryKeyColumns(query).catch((error: unknown) => {
    // The table will be refused when it is met.
    if (error instanceof ServiceError && ERROR_CODES[error.code] === 'retry') return [];
    throw error;
  });
  const included = tableFilter(tables);
  const keptOut = keys.filter(({ schema, name, column }) => {
    const { mask, skip } = rules.of(schema, name)(column);
    if (!included(tableName({ schema, name }))) return false;
    return mask === 'drop' || skip === true;
  });
  if (keptOut.length === 0) return;
  const names = keptOut.map((one) => `${tableName(one)}.${one.column}`).join(', ');
  throw new ServiceError('CONFIG_INVALID', `COLUMNS drops or skips columns of primary keys: ${names}.`, {
    hint: 'The rows of a table are told apart by its key. Use {"mask": "hash"} for them, or leave the table out with TABLES_EXCLUDE.',
  });
}
