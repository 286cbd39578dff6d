/** Questions to `changes` and `quarantine`: how far a partition is, what a block lacks, and (`truth-look-ups.ts`) what keys came to. */
import type { TopicPartition } from '../model';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';
import { orNull, slices, truthLookUps, type TruthLookUps } from './truth-look-ups';
import type { WireSchemas } from './wire-schemas';

/** What `changes` says of a partition below an offset. */
export interface PartitionPast {
  /** The position of the highest streamed row that is not redelivered, -1 for null; null when there is none. */
  readonly mark: { readonly commitLsn: number; readonly lsn: number; readonly events: readonly PastEvent[] } | null;
  /** Set when there are only snapshot rows, all of one run. */
  readonly snapshotRun: { readonly lsn: number; readonly tsUs: number } | null;
  /** True when there is no row at all. */
  readonly empty: boolean;
}

/** What the identity of an event is made of; -1 for null. */
export interface PastEvent {
  readonly lsn: number;
  readonly txId: number;
  readonly txOrder: number;
  readonly op: string;
  readonly key: string;
  readonly table: string;
}

/** A whole row of `changes`; -1 for null numbers. */
export interface AuditRow {
  readonly source: string;
  readonly db: string;
  readonly schema: string;
  readonly table: string;
  readonly op: string;
  readonly key: string;
  readonly before: string;
  readonly after: string;
  /** Microseconds since the epoch. */
  readonly tsUs: number;
  readonly capturedUs: number;
  readonly txId: number;
  readonly txOrder: number;
  readonly lsn: number;
  readonly commitLsn: number;
  readonly snapshot: string;
  readonly offset: number;
  /** `wire_schemas.id` in decimal digits. */
  readonly wireId: string;
}

export interface LookUps extends TruthLookUps {
  /** The highest offset of each partition in `changes`; partitions without rows are absent. */
  highest(partitions: readonly TopicPartition[]): Promise<Map<string, number>>;
  past(partition: TopicPartition, below: number): Promise<PartitionPast>;
  /** Offsets of [start, end) that are in `changes`, and in `quarantine`. */
  present(
    partition: TopicPartition,
    start: number,
    end: number,
  ): Promise<{ changes: Set<number>; quarantine: Set<number> }>;
  /** Streamed events with one of these LSNs at offsets below `below`. */
  eventsAt(partition: TopicPartition, lsns: readonly number[], below: number): Promise<PastEvent[]>;
  /** Rows of [from, to) in offset order, `limit` at most; those that were forgotten are left out. */
  rows(partition: TopicPartition, from: number, to: number, limit: number): Promise<AuditRow[]>;
}

/** The key under which `highest` files a partition. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${partition}@${topic}`;
}

export function lookUps(clickhouse: ClickHouse, machinery: string, wires: Pick<WireSchemas, 'read'>): LookUps {
  const changes = `${quoteName(machinery)}.changes`;
  const quarantine = `${quoteName(machinery)}.quarantine`;
  const resolutions = `${quoteName(machinery)}.quarantine_resolutions`;
  const at = ({ topic, partition }: TopicPartition): string =>
    `topic = ${quoteText(topic)} AND partition = ${partition}`;
  return {
    ...truthLookUps(clickhouse, machinery, wires),
    async highest(partitions) {
      if (partitions.length === 0) return new Map();
      const wanted = partitions.map(({ topic, partition }) => `(${quoteText(topic)}, ${partition})`).join(', ');
      const rows = await clickhouse.query<{ topic: string; partition: number; highest: string }>(
        `SELECT topic, partition, max(offset) AS highest FROM ${changes} WHERE (topic, partition) IN (${wanted}) GROUP BY topic, partition`,
      );
      return new Map(rows.map((row) => [partitionKey(row), Number(row.highest)]));
    },
    async past(partition, below) {
      const where = `${at(partition)} AND offset < ${below}`;
      const [mark] = await clickhouse.query<{ lsn: string | null; commit_lsn: string | null }>(
        `SELECT lsn, commit_lsn FROM ${changes} WHERE ${where} AND op != 'r' AND redelivered != 1 ORDER BY offset DESC LIMIT 1`,
      );
      if (mark !== undefined) {
        const lsn = orNull(mark.lsn);
        const level = mark.commit_lsn === null ? '' : ` AND (commit_lsn = ${mark.commit_lsn} OR commit_lsn IS NULL)`;
        const events = await pastEvents(
          clickhouse,
          `SELECT ${EVENT} FROM ${changes} WHERE ${where} AND op != 'r' AND lsn = ${lsn}${level}`,
        );
        return { mark: { commitLsn: orNull(mark.commit_lsn), lsn, events }, snapshotRun: null, empty: false };
      }
      const [runs] = await clickhouse.query<{
        row_count: string;
        run_count: string;
        run_lsn: string | null;
        run_us: string;
      }>(
        `SELECT count() AS row_count, uniqExact((ifNull(lsn, 0), ts)) AS run_count, any(lsn) AS run_lsn, toUnixTimestamp64Micro(any(ts)) AS run_us FROM ${changes} WHERE ${where}`,
      );
      const empty = Number(runs?.row_count ?? 0) === 0;
      const oneRun = !empty && runs?.run_count === '1' && runs.run_lsn !== null;
      const snapshotRun = oneRun ? { lsn: Number(runs.run_lsn), tsUs: Number(runs.run_us) } : null;
      return { mark: null, snapshotRun, empty };
    },
    async present(partition, start, end) {
      const offsets = async (table: string, but = ''): Promise<Set<number>> => {
        const rows = await clickhouse.query<{ offset: string }>(
          `SELECT DISTINCT offset FROM ${table} WHERE ${at(partition)} AND offset >= ${start} AND offset < ${end}${but}`,
        );
        return new Set(rows.map(({ offset }) => Number(offset)));
      };
      // What was tried again with success and cannot be read now is open once more.
      const applied = `SELECT offset, max(quarantined_at) FROM ${resolutions} WHERE ${at(partition)} AND resolution IN ('applied', 'skipped') GROUP BY offset`;
      const [inChanges, inQuarantine] = await Promise.all([
        offsets(changes),
        offsets(quarantine, ` AND (offset, at) NOT IN (${applied})`),
      ]);
      return { changes: inChanges, quarantine: inQuarantine };
    },
    async eventsAt(partition, lsns, below) {
      const found: PastEvent[] = [];
      for (const some of slices([...new Set(lsns)])) {
        const where = `${at(partition)} AND offset < ${below} AND op != 'r' AND lsn IN (${some.join(', ')})`;
        found.push(...(await pastEvents(clickhouse, `SELECT ${EVENT} FROM ${changes} WHERE ${where}`)));
      }
      return found;
    },
    async rows(partition, from, to, limit) {
      const rows = await clickhouse.query<Record<string, string | null>>(
        `SELECT source, db, schema, table, op, key, before, after, toUnixTimestamp64Micro(ts) AS ts_us, toUnixTimestamp64Micro(captured_at) AS captured_us, ` +
          `tx_id, tx_order, lsn, commit_lsn, snapshot, offset, toString(wire_schema) AS wire_schema FROM ${changes} ` +
          `WHERE ${at(partition)} AND offset >= ${from} AND offset < ${to} AND redelivered != 2 ORDER BY offset LIMIT ${limit}`,
      );
      return rows.map(asAuditRow);
    },
  };
}

const EVENT = 'lsn, tx_id, tx_order, op, key, table';
function asAuditRow(row: Record<string, string | null>): AuditRow {
  const text = (name: string): string => row[name] ?? '';
  const number = (name: string): number => orNull(row[name] ?? null);
  return {
    source: text('source'),
    db: text('db'),
    schema: text('schema'),
    table: text('table'),
    op: text('op'),
    key: text('key'),
    before: text('before'),
    after: text('after'),
    tsUs: number('ts_us'),
    capturedUs: number('captured_us'),
    txId: number('tx_id'),
    txOrder: number('tx_order'),
    lsn: number('lsn'),
    commitLsn: number('commit_lsn'),
    snapshot: text('snapshot'),
    offset: number('offset'),
    wireId: text('wire_schema'),
  };
}

async function pastEvents(clickhouse: ClickHouse, sql: string): Promise<PastEvent[]> {
  const rows = await clickhouse.query<{
    lsn: string | null;
    tx_id: string | null;
    tx_order: string | null;
    op: string;
    key: string;
    table: string;
  }>(sql);
  return rows.map(({ lsn, tx_id, tx_order, op, key, table }) => ({
    lsn: orNull(lsn),
    txId: orNull(tx_id),
    txOrder: orNull(tx_order),
    op,
    key,
    table,
  }));
}
