/** The steps of the demo: SQL run on the source, what arrived of it in ClickHouse, and how long that took. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClickHouse } from '../src/clickhouse/client';
import { quoteName } from '../src/clickhouse/quote';
import { ServiceError } from '../src/errors';
import type { Postgres } from '../src/postgres/client';
import { compareTable, type ComparedTable, type Comparison } from './compare';
import { waitUntil } from './wait-until';

export interface Step {
  readonly title: string;
  /** A file of this folder. */
  readonly file: string;
  /** What to look for. */
  readonly note: string;
}

export const DEMO_TABLES = ['user_logins', 'my_table', 'sales', 'stock_movements'] as const;

export const STEPS: readonly Step[] = [
  {
    title: 'New rows: INSERT',
    file: 'inserts.sql',
    note: 'op c (create): nothing before, the new row after. Rows of one transaction carry the same tx_id.',
  },
  {
    title: 'Changed rows: UPDATE',
    file: 'updates.sql',
    note: 'op u (update): the whole row before and after, of which the table shows what differs.',
  },
  {
    title: 'A changed primary key: UPDATE of the key',
    file: 'key-change.sql',
    note: 'A new key is another row: op d under the old key, op c under the new one.',
  },
  {
    title: 'Rows that go: DELETE',
    file: 'deletes.sql',
    note: 'op d (delete): the row as it was before. It is gone from the mirror and stays in the audit table.',
  },
];

/** What the demo works with. */
export interface DemoParts {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  /** The database of the views; the audit table is in `<database>_cdc`. */
  readonly database: string;
  readonly folder: string;
  /** Aborted when the demo must end: Ctrl-C, or the service died. */
  readonly signal: AbortSignal;
  /** Where the service writes its log. */
  readonly log: string;
  /** Is given both sides when they were not equal in time. */
  readonly onLate: (compared: readonly Comparison[]) => void;
}

/** A row of `changes`. */
export interface AuditRow {
  readonly op: string;
  readonly table: string;
  readonly key: string;
  readonly before: string;
  readonly after: string;
  readonly tx_id: string;
  readonly committed: string;
}

export interface StepResult {
  /** In the order of the source's log. */
  readonly audit: readonly AuditRow[];
  /** The tables that were changed, with both sides. */
  readonly tables: readonly Comparison[];
  /** Milliseconds from the answer to COMMIT until the mirrors of all tables showed it. */
  readonly visibleAfterMs: number;
}

/** Long enough for a first topic, its mirror, and a group that still waits for a member that was killed. */
const ARRIVAL_DEADLINE_MS = 90_000;
const LOOK_EVERY_MS = 15;

/** The statements of a step, without the comments. */
export function sqlOf({ file }: Step, folder: string): string {
  return readFileSync(join(folder, file), 'utf8')
    .replaceAll(/^--.*\n/gm, '')
    .trim();
}

/** Runs a step's SQL and waits until ClickHouse shows it. */
export async function runStep(step: Step, tables: readonly ComparedTable[], parts: DemoParts): Promise<StepResult> {
  const since = await walPosition(parts.postgres);
  await parts.postgres.query(sqlOf(step, parts.folder));
  const committedAt = performance.now();
  const compared = await awaitEqual(tables, parts);
  const visibleAfterMs = performance.now() - committedAt;
  const audit = await auditSince(since, parts);
  const changed = new Set(audit.map(({ table }) => table));
  return { audit, visibleAfterMs, tables: compared.filter(({ table }) => changed.has(table.name)) };
}

/** Waits until every mirror equals its source. Both sides are read again each time, so rows changed meanwhile do no harm. */
export async function awaitEqual(tables: readonly ComparedTable[], parts: DemoParts): Promise<Comparison[]> {
  let last: Comparison[] = [];
  const look = async (): Promise<Comparison[] | null> => {
    last = await compareAll(tables, parts);
    return last.every(({ equal }) => equal) ? last : null;
  };
  const late = (): Error => {
    parts.onLate(last);
    const behind = last.filter(({ equal }) => !equal).map(({ table }) => table.name);
    return new ServiceError(
      'STACK_FAILED',
      `after ${ARRIVAL_DEADLINE_MS / 1_000} s these mirrors do not equal their tables: ${behind.join(', ')}`,
      {
        hint: `Read ${parts.log}; make status shows whether every part and the connector are up.`,
      },
    );
  };
  return waitUntil(look, { everyMs: LOOK_EVERY_MS, deadlineMs: ARRIVAL_DEADLINE_MS, signal: parts.signal, late });
}

export function compareAll(tables: readonly ComparedTable[], parts: DemoParts): Promise<Comparison[]> {
  return Promise.all(tables.map((table) => compareTable(table, parts)));
}

async function walPosition(postgres: Postgres): Promise<string> {
  const [row] = await postgres.query<{ lsn: string }>(
    `SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text AS lsn`,
  );
  return row?.lsn ?? '0';
}

/** What is in a mirror is in `changes`: once the mirrors are equal, all of a step's changes are there. */
function auditSince(lsn: string, { clickhouse, database }: DemoParts): Promise<AuditRow[]> {
  return clickhouse.query<AuditRow>(
    `SELECT op, table, key, before, after, toString(tx_id) AS tx_id, toString(ts) AS committed ` +
      `FROM ${quoteName(`${database}_cdc`)}.changes ` +
      `WHERE lsn >= {lsn:UInt64} AND schema = 'public' AND table IN {tables:Array(String)} AND redelivered = 0 ` +
      `ORDER BY lsn, offset`,
    { lsn, tables: DEMO_TABLES },
  );
}
