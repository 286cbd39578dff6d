/** What PostgreSQL's catalogue says of a table, now and at the looks before: how its mirror is laid out, and for which events that holds. */
import { choicesOf, type ColumnRules } from '../column-rules';
import { ERROR_CODES, ServiceError, type TableCode } from '../errors';
import type { Emit } from '../events';
import { mirrorLayout, type MirrorLayout } from '../clickhouse/mirror-layout';
import { tableName, type SourceTable } from '../model';
import type { TableVersion } from '../plan/table-versions';
import { patiently } from './patience';
import { readWidened, rememberWidened } from './widened';
import { readPast, rememberVersion, withUnknown, type Memory } from './table-past';

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
}

/** A look at the catalogue: events at or below `lsn` are of `state` or of an older one. */
export interface Look {
  lsn: number;
  readonly state: string;
}

interface TableName {
  readonly schema: string;
  readonly name: string;
}

export interface TableKnowledge {
  /**
   * The table as it is, its versions remembered; a code where it cannot be mirrored. A table that is gone from the
   * catalogue is what it was last: its events may still be under way. Waits while PostgreSQL is away.
   */
  of(table: TableName, before: Look | null): Promise<{ known: Known | TableCode; look: Look | null }>;
  /** From now on the column is text where its policy is `lossless`. */
  widen(table: TableName, column: string): Promise<void>;
  /** Whether nothing was altered since `look`, for events up to an LSN. PostgreSQL away: what is known must do. */
  isCurrent(table: TableName, look: Look | null, upTo: number): Promise<boolean>;
}

/** How long PostgreSQL is not asked again after it did not answer, ms. */
const ASK_AGAIN_MS = 5_000;

export interface TableKnowledgeOptions {
  /** `null` when PostgreSQL is not configured. */
  readonly catalogue: Catalogue | null;
  /** Where the versions of tables are remembered. */
  readonly memory: Memory;
  readonly rules: ColumnRules;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export function tableKnowledge({ catalogue, memory, rules, emit, signal }: TableKnowledgeOptions): TableKnowledge {
  const waiting = { signal, emit };
  let askAgainAt = 0;
  return {
    async of(table, before) {
      if (catalogue === null) return { known: 'TABLE_UNKNOWN', look: null };
      const { source, look } = await patiently(() => readSource(table, catalogue), waiting);
      const past = await patiently(() => readPast(memory, table), waiting);
      const current = source ?? past.at(-1)?.source ?? null;
      if (current === null) return { known: 'TABLE_UNKNOWN', look };
      const seen = { after: before?.lsn ?? -1, by: look.lsn };
      const versions =
        source === null ? past : await patiently(() => rememberVersion(memory, source, past, seen), waiting);
      if (past.length > 0 && versions !== past) sayUnknown(versions, current, emit);
      const widened = await patiently(() => readWidened(memory, table), waiting);
      const layout = mirrorLayout(newestOf(versions, current), choicesOf(rules, table, widened));
      if ('code' in layout) return { known: layout.code, look };
      return { known: { layout: withUnknown(layout, versions), source: current, versions }, look };
    },
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
