/** What PostgreSQL's catalogue says of a table, now and at the looks before: how its mirror is laid out, and for which events that holds. */
import { choicesOf, type ColumnChoices, type ColumnRules } from '../column-rules';
import { ERROR_CODES, ServiceError, type TableCode } from '../errors';
import type { Emit } from '../events';
import { mirrorLayout, type MirrorLayout } from '../clickhouse/mirror-layout';
import { tableName, type RenamedTable, type SourceColumn, type SourceTable } from '../model';
import type { ShownBy } from '../clickhouse/schema-changes';
import type { TableVersion } from '../plan/table-versions';
import type { Hash } from '../debezium/image-mask';
import type { Masking } from '../masking';
import { patiently } from './patience';
import { sayEachOnce } from './say-each-once';
import { pastUnderOtherNames, rememberName } from './table-names';
import { readWidened, rememberWidened } from './widened';
import {
  inheritMasks,
  readPast,
  rememberedSent,
  rememberKey,
  rememberVersion,
  withUnknown,
  type Memory,
} from './table-past';

/** PostgreSQL's catalogue. */
export interface Catalogue {
  /** The table as it is now; null if there is none. */
  table(schema: string, name: string): Promise<SourceTable | null>;
  /** A text that changes whenever the table is altered, and an LSN from before it was read. */
  state(schema: string, name: string): Promise<{ readonly lsn: number; readonly state: string }>;
}

/** A table as the catalogue has it and had it. */
export interface Known {
  readonly layout: MirrorLayout;
  readonly source: SourceTable;
  readonly versions: readonly TableVersion[];
  /** `before` is the whole row, and stands in the mirror: not where the table had another name, under which the row may be. */
  readonly wholeBefore: boolean;
}

/** A look at the catalogue: events at or below `lsn` are of `state` or of an older one. */
export interface Look {
  lsn: number;
  readonly state: string;
}

export interface Found {
  readonly known: Known | TableCode;
  /** As in `known`, and where it cannot be mirrored, too; null where nothing is known. */
  readonly source: SourceTable | null;
  readonly look: Look | null;
}

interface TableName {
  readonly schema: string;
  readonly name: string;
}

export interface TableKnowledge {
  /**
   * The table as it is, its versions remembered; a code where it cannot be mirrored. A table that is gone from the
   * catalogue is what it was last: its events may still be under way. Waits while PostgreSQL is away.
   * @param shownBy the record that asks; null for none
   */
  of(table: TableName, before: Look | null, shownBy: ShownBy | null): Promise<Found>;
  /** Remembers a key of the table that only an event has shown; true where that is news. */
  learnKey(table: TableName, key: readonly string[]): Promise<boolean>;
  /** From now on the column is text where its policy is `lossless`. */
  widen(table: TableName, column: string): Promise<void>;
  /** Whether nothing was altered since `look`, for events up to an LSN. PostgreSQL away: what is known must do. */
  isCurrent(table: TableName, look: Look | null, upTo: number): Promise<boolean>;
  /**
   * Remembers until when rows of incremental snapshots were sent that are here now: they are of no version found later.
   * Nothing while PostgreSQL is away, where the last look may be from before they were read.
   */
  rememberSent(table: TableName, sentUs: number): Promise<void>;
}

/** How long PostgreSQL is not asked again after it did not answer, ms. */
const ASK_AGAIN_MS = 5_000;

export interface TableKnowledgeOptions {
  /** `null` when PostgreSQL is not configured. */
  readonly catalogue: Catalogue | null;
  /** Where the versions of tables are remembered. */
  readonly memory: Memory;
  readonly rules: ColumnRules;
  readonly masking: Pick<Masking, 'source' | 'hash' | 'any'>;
  /** Whether a snapshot has brought the rows of a renamed table under the name it has now. */
  readonly isReadAgain: (renamed: RenamedTable) => Promise<boolean>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export function tableKnowledge({
  catalogue,
  memory,
  rules,
  masking,
  isReadAgain,
  emit,
  signal,
}: TableKnowledgeOptions): TableKnowledge {
  const waiting = { signal, emit };
  let askAgainAt = 0;
  const once = sayEachOnce();
  const sentRows = rememberedSent(memory);

  /** The table as it is, known by its name; one that had another is told of. */
  const underItsName = async (
    source: SourceTable,
    shownBy: ShownBy | null,
  ): Promise<{ source: SourceTable; renamed: boolean }> => {
    const renamed = await rememberName(memory, source, shownBy);
    if (renamed === null) return { source, renamed: false };
    const [table, from] = [tableName(source), tableName(renamed.from)];
    if (!(await isReadAgain(renamed)))
      once(`${table} ${renamed.offset}`, () => emit({ tag: 'table-renamed', table, from }));
    // Events of before it had the name are of the table that had it then.
    return { source: source.namedBy === undefined ? source : { ...source, madeBy: source.namedBy }, renamed: true };
  };

  /** The table and its versions, the newest of them remembered; what was masked under any name is so in all. */
  const remember = async (
    table: SourceTable,
    { now, past, seen }: { now: boolean; past: readonly TableVersion[]; seen: Omit<TableVersion, 'source'> },
  ): Promise<{ source: SourceTable; versions: readonly TableVersion[] }> => {
    const former = masking.any ? await pastUnderOtherNames(memory, table, masking) : [];
    const source = inheritMasks([...former, { source: table, after: -1, by: -1 }]).at(-1)?.source ?? table;
    const remembered = now ? await rememberVersion(memory, source, past, seen) : past;
    if (past.length > 0 && remembered !== past) sayUnknown(remembered, source, emit);
    return { source, versions: inheritMasks([...former, ...remembered]).slice(former.length) };
  };

  return {
    async of(table, before, shownBy) {
      if (catalogue === null) return { known: 'TABLE_UNKNOWN', source: null, look: null };
      // First: what is remembered by now is of the versions that are remembered by then.
      const sentUs = await patiently(() => sentRows.read(table), waiting);
      const found = await patiently(() => readSource(table, catalogue), waiting);
      const { look } = found;
      const ruled = found.source === null ? null : masking.source(found.source);
      const past = await patiently(() => readPast(memory, table, masking), waiting);
      const now = ruled === null ? null : await patiently(() => underItsName(ruled, shownBy), waiting);
      const current = now?.source ?? past.at(-1)?.source;
      if (current === undefined) return { known: 'TABLE_UNKNOWN', source: null, look };
      const seen = { after: before?.lsn ?? -1, by: look.lsn, sentUs };
      const known = await patiently(() => remember(current, { now: now !== null, past, seen }), waiting);
      const widened = await patiently(() => readWidened(memory, table), waiting);
      const choices = choicesOf(rules, table, widened);
      const renamed = now?.renamed ?? false;
      return { ...knownOf(known.source, known.versions, { hash: masking.hash, choices, renamed }), look };
    },
    learnKey: (table, key) => patiently(() => rememberKey(memory, table, key, masking), waiting),
    async widen(table, column) {
      if (await patiently(() => rememberWidened(memory, table, column), waiting))
        emit({ tag: 'column-widened', table: tableName(table), column });
    },
    async isCurrent({ schema, name }, look, upTo) {
      if (catalogue === null || look === null || upTo <= look.lsn || performance.now() < askAgainAt) return true;
      try {
        const { lsn, state } = await catalogue.state(schema, name);
        if (state !== look.state) return false;
        look.lsn = Math.max(look.lsn, lsn);
        return true;
      } catch (error) {
        if (!(error instanceof ServiceError) || ERROR_CODES[error.code] !== 'retry') throw error;
        askAgainAt = performance.now() + ASK_AGAIN_MS;
        return true;
      }
    },
    async rememberSent(table, sentUs) {
      if (catalogue === null || performance.now() < askAgainAt) return;
      await patiently(() => sentRows.remember(table, sentUs), waiting);
    },
  };
}

/** The table as it is, read between two looks that are equal, so that no half of an ALTER TABLE is seen. */
async function readSource(
  { schema, name }: TableName,
  catalogue: Catalogue,
): Promise<{ source: SourceTable | null; look: Look }> {
  for (;;) {
    const before = await catalogue.state(schema, name);
    const source = await catalogue.table(schema, name);
    const look = await catalogue.state(schema, name);
    if (before.state === look.state) return { source, look };
  }
}

function knownOf(
  current: SourceTable,
  versions: readonly TableVersion[],
  { hash, choices, renamed }: { readonly hash: Hash; readonly choices: ColumnChoices; readonly renamed: boolean },
): Pick<Found, 'known' | 'source'> {
  const newest = newestOf(versions, current);
  const layout = mirrorLayout(newest, choices);
  const source = { ...current, columns: current.columns.map((column) => maskedAs(column, newest)) };
  if ('code' in layout) return { known: layout.code, source };
  const hashing = layout.columns.some(({ hashed }) => hashed) ? { hash } : {};
  return {
    known: {
      layout: { ...withUnknown(layout, versions), ...hashing },
      source,
      versions,
      wholeBefore: source.identity === 'full' && !renamed,
    },
    source,
  };
}

/** A default that PostgreSQL computed for each row is in no event. */
function sayUnknown(versions: readonly TableVersion[], source: SourceTable, emit: Emit): void {
  const [newest, before] = [versions.at(-1)?.source, versions.at(-2)?.source];
  if (newest === undefined || before === undefined || newest.oid !== before.oid) return;
  for (const { name, attnum, filled } of newest.columns)
    if (filled === true && !before.columns.some((one) => one.attnum === attnum))
      emit({ tag: 'values-unknown', table: tableName(source), column: name, rows: null });
}

/** Columns as the newest version has them, which remembers more; NOT NULL as it is, since that makes no version. */
function newestOf(versions: readonly TableVersion[], current: SourceTable): SourceTable {
  const columns = (versions.at(-1)?.source ?? current).columns.map((column) => ({
    ...column,
    notNull: current.columns.find(({ name }) => name === column.name)?.notNull ?? column.notNull,
  }));
  return { ...current, columns };
}

function maskedAs(column: SourceColumn, { columns }: SourceTable): SourceColumn {
  const mask = columns.find(({ name }) => name === column.name)?.mask;
  if (mask === column.mask) return column;
  const { missing: _, ...rest } = column;
  return mask === undefined ? rest : { ...rest, mask };
}
