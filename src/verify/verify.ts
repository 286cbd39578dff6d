/**
 * Proves that mirrors equal their source, row by row, while both are being written.
 *
 * 1. A repeatable-read snapshot of PostgreSQL. 2. A logical message, sent after it: when it has come out of Kafka, every
 * change that the snapshot sees is in its topic, idle or not. 3. When the group has acknowledged the topics' ends of that
 * moment, all of it is in the mirrors. 4. Both sides hash their rows; where the hashes of a bucket of keys differ, its
 * rows are compared, and a key that was changed since the snapshot is judged from `changes` (`judge.ts`).
 */
import { choicesOf, widenedName, type ColumnRules } from '../column-rules';
import { randomUUID } from 'node:crypto';
import { imageForms, type ImageForms } from '../clickhouse/image-forms';
import { mirrorLayout, type MirrorLayout } from '../clickhouse/mirror-layout';
import { quoteName, quoteText } from '../clickhouse/quote';
import { renamedTables } from '../clickhouse/renamed';
import { readDefinition, type WireDefinition } from '../clickhouse/wire-definition';
import { ServiceError } from '../errors';
import { tableName, type RenamedTable, type SourceTable } from '../model';
import { shareFor, type Comparing } from './compare-table';
import { boundsOf, endOf, waitForConsumer, waitForMessage, waitForRebuilds, type Waiting } from './position';
import type { KafkaLooks, MirrorQueries, Progress, SourceSession } from './ports';
import type { SkippedTable, TableResult, VerifyResult } from './result';
import { parseSnapshot } from './snapshot-view';
import { SET_HASH_KEYS, type HashKeys } from './hashed-text';
import { SESSION_SETTINGS } from './source-text';
import { planTable, type TablePlan } from './table-plan';
import { verifyTable, type Mendable } from './verify-table';

/** A mirror that stands in ClickHouse. */
export interface MirrorOf {
  readonly schema: string;
  readonly table: string;
  /** Its name in the machinery's database. */
  readonly name: string;
  readonly columns: ReadonlySet<string>;
  /** About. */
  readonly rows: number;
}

export interface VerifyOptions {
  /** `schema.table`; null: every table that is in `changes` or has a mirror. */
  readonly tables: readonly string[] | null;
  /** Rows of each table to look at, about; null for all. */
  readonly sample: number | null;
  readonly values: 'hidden' | 'shown';
  /** For columns that are hashed; null: they are not compared. */
  readonly hashKeys: HashKeys | null;
  readonly topicPrefix: string;
  readonly machinery: string;
  /** The service's own. */
  readonly rules: ColumnRules;
  /** Ms without progress after which waiting is given up. */
  readonly patienceMs: number;
  /** Differences described at most, of each table; all are counted. */
  readonly mostDetails: number;
}

export interface VerifyPorts {
  /** Runs `use` in one session of PostgreSQL. */
  readonly inSession: <T>(use: (session: SourceSession) => Promise<T>) => Promise<T>;
  /** A session beside it. */
  readonly source: Pick<SourceSession, 'query'>;
  readonly readTable: (session: SourceSession, schema: string, name: string) => Promise<SourceTable | null>;
  readonly mirror: MirrorQueries;
  readonly kafka: KafkaLooks;
  /** A record's value as what may stand in a statement; null for none. */
  readonly envelopeText: (value: Uint8Array) => string | null;
  readonly onProgress: (progress: Progress) => void;
  /** What the mirror lacks though `changes` has it, table by table: what a repair can mend. */
  readonly onMendable: (mendable: Mendable) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

const GONE = 'PostgreSQL has no such table (any more)';

interface Subject {
  readonly mirror: MirrorOf;
  readonly table: string;
  readonly topics: readonly string[];
  readonly plan: TablePlan;
}

/** Throws VERIFY_TIMED_OUT where the position is not reached, and what the parts throw. */
export async function verify(options: VerifyOptions, ports: VerifyPorts): Promise<VerifyResult> {
  const startedAt = ports.now();
  const { kafka, onProgress, now, sleep } = ports;
  const messageTopic = `${options.topicPrefix}.message`;
  const [messagesBefore, before] = await Promise.all([
    endOf(kafka, messageTopic),
    topicsOf(options, ports).then((topics) => boundsOf(kafka, topics)),
  ]);
  return inSnapshot(ports, async (session) => {
    const taken = await takeSnapshot(session, options.hashKeys);
    const mark = `debezium-clickhouse-verify-${randomUUID()}`;
    await ports.source.query(`SELECT pg_logical_emit_message(true, '${mark}', '')`);
    const { patienceMs } = options;
    const waiting: Waiting = { kafka, onProgress, now, sleep, messageTopic, patienceMs, lost: session.lost };
    await waitForMessage(mark, messagesBefore, waiting);
    await waitForConsumer(await boundsOf(kafka, await topicsOf(options, ports)), waiting);
    await waitForRebuilds(() => pendingRebuilds(options, ports), waiting);

    // Only now: a mirror is made when the first change of its table arrives.
    const audited = await auditedTables(options, ports);
    const found = await findMirrors(options, ports);
    const renamed = await renamedTables((sql) => ports.mirror.query(sql), options.machinery);
    const { subjects, skipped } = await planAll(found, session, { options, ports, audited, renamed });
    for (const table of options.tables ?? [...audited.keys()]) {
      if (found.some((one) => nameOf(one) === table)) continue;
      skipped.push({ table, reason: audited.has(table) ? 'it is audited, not mirrored' : 'nothing of it has arrived' });
    }
    const view = parseSnapshot(taken.view);
    const tables: TableResult[] = [];
    for (const subject of subjects) {
      const comparing: Comparing = {
        table: subject.table,
        plan: subject.plan,
        topics: subject.topics,
        ...changesOf(subject.mirror, options),
        mirror: ports.mirror,
        kafka,
        envelopeText: ports.envelopeText,
        onProgress,
        share: shareFor(subject.mirror.rows, options.sample),
        session,
        view,
        before: before.filter(({ topic }) => subject.topics.includes(topic)),
      };
      onProgress({ phase: 'comparing', table: subject.table, done: 0, total: 0 });
      const { result, mendable } = await verifyTable(comparing, { ...options, onProgress });
      const from = renamed.find((one) => tableName(one.table) === subject.table && !one.readAgain)?.from;
      tables.push({ ...result, renamedFrom: from === undefined ? null : tableName(from) });
      ports.onMendable({ schema: subject.mirror.schema, table: subject.mirror.table, plan: subject.plan, ...mendable });
    }
    await session.query('ROLLBACK');
    return {
      equal: tables.every(({ differences }) => differences === 0),
      lsn: taken.lsn,
      sampled: options.sample !== null,
      ms: Math.round(now() - startedAt),
      tables,
      skipped,
    };
  });
}

interface Taken {
  readonly view: string;
  readonly lsn: string;
  readonly encoding: string;
}

/** Whatever goes wrong once the session is lost: there is nothing left to compare the mirrors with. */
function inSnapshot<T>({ inSession }: VerifyPorts, use: (session: SourceSession) => Promise<T>): Promise<T> {
  return inSession((session) =>
    use(session).catch((cause: unknown) => {
      if (!session.lost.aborted) throw cause;
      throw new ServiceError(
        'POSTGRES_UNREACHABLE',
        'The connection to PostgreSQL broke, and with it the snapshot to compare with.',
        {
          hint: 'Nothing was changed. Run verify again once PostgreSQL answers; its log says why it ended the session.',
          cause,
        },
      );
    }),
  );
}

/** Begins the transaction whose snapshot everything is read in. */
async function takeSnapshot(session: SourceSession, keys: HashKeys | null): Promise<Taken> {
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  for (const setting of SESSION_SETTINGS) await session.query(setting);
  if (keys !== null) await session.query(SET_HASH_KEYS, [`\\x${keys.inner}`, `\\x${keys.outer}`]);
  const [taken] = await session.query<Taken>(
    `SELECT pg_current_snapshot()::text AS view, pg_current_wal_lsn()::text AS lsn, current_setting('server_encoding') AS encoding`,
  );
  if (taken?.encoding !== 'UTF8') throw notUtf8(taken?.encoding ?? '');
  return taken;
}

/** Mirrors that the service is about to make anew, such as after a truncate of a topic with several partitions. */
async function pendingRebuilds({ machinery }: VerifyOptions, { mirror }: VerifyPorts): Promise<number> {
  const rows = await mirror.query<{ marks: string }>(
    `SELECT count() AS marks FROM ${quoteName(machinery)}.control FINAL WHERE startsWith(name, 'table:wanted:')`,
  );
  return Number(rows[0]?.marks ?? 0);
}

/** The topics of all tables: which of them a table's changes are in is not known before they have arrived. */
async function topicsOf({ topicPrefix }: VerifyOptions, { kafka }: VerifyPorts): Promise<string[]> {
  const prefix = `${topicPrefix}.`;
  const others = [`${prefix}message`, `${prefix}transaction`];
  return (await kafka.topics()).filter((topic) => topic.startsWith(prefix) && !others.includes(topic));
}

function nameOf({ schema, table }: MirrorOf): string {
  return tableName({ schema, name: table });
}

function changesOf(
  { schema, table }: MirrorOf,
  { machinery }: VerifyOptions,
): { changes: string; changesOfTable: string } {
  return {
    changes: `${quoteName(machinery)}.changes`,
    changesOfTable: `schema = ${quoteText(schema)} AND table = ${quoteText(table)}`,
  };
}

/** The mirrors that stand, known by their comments. */
async function findMirrors({ machinery, tables }: VerifyOptions, { mirror }: VerifyPorts): Promise<MirrorOf[]> {
  const rows = await mirror.query<{ name: string; source: string; total: string | null; columns: string[] }>(
    `SELECT name, replaceOne(comment, 'debezium-clickhouse: mirror of ', '') AS source, total_rows AS total, ` +
      `(SELECT groupArray((table, name)) FROM system.columns WHERE database = ${quoteText(machinery)}) AS all, arrayMap(one -> one.2, arrayFilter(one -> one.1 = tables.name, all)) AS columns ` +
      `FROM system.tables AS tables WHERE database = ${quoteText(machinery)} AND startsWith(comment, 'debezium-clickhouse: mirror of ') AND endsWith(name, '__mirror') ORDER BY name`,
  );
  return rows
    .filter(({ source }) => tables === null || tables.includes(source))
    .map(({ name, source, total, columns }) => ({
      name,
      schema: source.slice(0, source.indexOf('.')),
      table: source.slice(source.indexOf('.') + 1),
      columns: new Set(columns),
      rows: Number(total ?? 0),
    }));
}

/** Every table in `changes`, with its topics. */
async function auditedTables({ machinery }: VerifyOptions, { mirror }: VerifyPorts): Promise<Map<string, string[]>> {
  const rows = await mirror.query<{ source: string; topics: string[] }>(
    `SELECT concat(schema, '.', table) AS source, groupUniqArray(toString(topic)) AS topics FROM ${quoteName(machinery)}.changes GROUP BY source ORDER BY source`,
  );
  return new Map(rows.map(({ source, topics }) => [source, topics]));
}

interface Planning {
  readonly options: VerifyOptions;
  readonly ports: VerifyPorts;
  readonly audited: ReadonlyMap<string, readonly string[]>;
  readonly renamed: readonly RenamedTable[];
}

async function planAll(
  found: readonly MirrorOf[],
  session: SourceSession,
  { options, ports, audited, renamed }: Planning,
): Promise<{ subjects: Subject[]; skipped: SkippedTable[] }> {
  const subjects: Subject[] = [];
  const skipped: SkippedTable[] = [];
  for (const mirror of found) {
    const table = nameOf(mirror);
    const plan = await planOne(mirror, session, options, ports);
    if (typeof plan === 'string') skipped.push({ table, reason: plan === GONE ? goneAs(table, renamed) : plan });
    else subjects.push({ mirror, table, topics: audited.get(table) ?? [`${options.topicPrefix}.${table}`], plan });
  }
  return { subjects, skipped };
}

function goneAs(table: string, renamed: readonly RenamedTable[]): string {
  const now = renamed.findLast(({ from }) => tableName(from) === table)?.table;
  return now === undefined ? GONE : `${GONE}: it is ${tableName(now)} now`;
}

async function planOne(
  mirror: MirrorOf,
  session: SourceSession,
  { machinery, rules, hashKeys }: VerifyOptions,
  { readTable, mirror: target }: VerifyPorts,
): Promise<TablePlan | string> {
  const source = await readTable(session, mirror.schema, mirror.table);
  if (source === null) return GONE;
  const layout = mirrorLayout(source, choicesOf(rules, source, await widenedOf(source, machinery, target)));
  if ('code' in layout) return `it cannot be mirrored as it is now (${layout.code})`;
  const [kind] = await session.query<{ kind: string }>(
    `SELECT c.relkind::text AS kind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [mirror.schema, mirror.table],
  );
  const qualified = `${quoteName(machinery)}.${quoteName(mirror.name)}`;
  return planTable(
    {
      source,
      partitioned: kind?.kind === 'p',
      mirror: qualified,
      changes: `${quoteName(machinery)}.changes`,
      forms: await readForms(layout, machinery, target),
      hashes: hashKeys === null ? 'not made' : 'made',
    },
    layout,
    mirror.columns,
  );
}

/** The columns that became text. */
async function widenedOf(table: SourceTable, machinery: string, mirror: MirrorQueries): Promise<string[]> {
  const rows = await mirror.query<{ value: string }>(
    `SELECT value FROM ${quoteName(machinery)}.control FINAL WHERE name = ${quoteText(widenedName(table))}`,
  );
  return rows[0] === undefined ? [] : (JSON.parse(rows[0].value) as string[]);
}

/** The newest counts for what is not in `changes`. */
async function readForms(layout: MirrorLayout, machinery: string, mirror: MirrorQueries): Promise<ImageForms> {
  const rows = await mirror.query<{ id: string; definition: string }>(
    `SELECT toString(id) AS id, definition FROM ${quoteName(machinery)}.wire_schemas ` +
      `WHERE schema = ${quoteText(layout.schema)} AND table = ${quoteText(layout.table)} ORDER BY first_seen`,
  );
  const definitions = new Map<string, WireDefinition>();
  for (const { id, definition } of rows) {
    const read = readDefinition(definition);
    if (read !== null) definitions.set(id, read);
  }
  const [without] = await mirror.query(
    `SELECT 1 AS found FROM ${quoteName(machinery)}.changes WHERE schema = ${quoteText(layout.schema)} ` +
      `AND table = ${quoteText(layout.table)} AND wire_schema = 0 LIMIT 1`,
  );
  return imageForms(layout, definitions, rows.at(-1)?.id ?? '0', without === undefined ? 'none' : 'some');
}

function notUtf8(encoding: string): ServiceError {
  return new ServiceError(
    'CONFIG_INVALID',
    `The source database is encoded in ${encoding}; rows can be compared with ClickHouse in UTF8 only.`,
    {
      hint: 'Compare the tables by another way, or move the database to UTF8.',
    },
  );
}
