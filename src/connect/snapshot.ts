/** Snapshots asked for while the connector runs: the signal that starts or stops one, and its progress out of notifications. */
import { ServiceError } from '../errors';

export type SnapshotKind = 'incremental' | 'blocking';

/** How a signal reaches the connector. */
export type SignalChannel =
  | { readonly kind: 'table'; readonly table: string }
  /** For sources that cannot be written to; `key` is the connector's topic.prefix. */
  | { readonly kind: 'topic'; readonly topic: string; readonly key: string };

export interface Signal {
  readonly id: string;
  readonly type: 'execute-snapshot' | 'stop-snapshot';
  readonly data: Readonly<Record<string, unknown>>;
}

type ConnectorConfig = Readonly<Record<string, string>>;

/** For SIGNAL_CHANNEL=topic; not among the topics of tables. */
export function signalTopicOf(topicPrefix: string): string {
  return `__debezium-signal.${topicPrefix}`;
}

/** The table first: its signals are ordered with the changes, so that a snapshot's row is never newer than a change after it. */
export function signalChannel(config: ConnectorConfig): SignalChannel {
  const channels = (config['signal.enabled.channels'] ?? 'source,kafka').split(',').map((name) => name.trim());
  const { 'signal.data.collection': table, 'signal.kafka.topic': topic, 'topic.prefix': key = '' } = config;
  if (channels.includes('source') && table !== undefined && config['read.only'] !== 'true') {
    return { kind: 'table', table };
  }
  if (channels.includes('kafka') && topic !== undefined) return { kind: 'topic', topic, key };
  throw new ServiceError('CONNECTOR_FAILED', 'the connector listens to no signals', {
    hint: 'debezium-clickhouse connectors apply gives it a signal table, or a topic with SIGNAL_CHANNEL=kafka.',
  });
}

/** The topic where its snapshots can be followed; null where there is none, or none in JSON. */
export function notificationTopic(config: ConnectorConfig): string | null {
  const isJson = (config['value.converter'] ?? '').endsWith('.JsonConverter');
  const sends = (config['notification.enabled.channels'] ?? '').split(',').includes('sink');
  return sends && isJson ? (config['notification.sink.topic.name'] ?? null) : null;
}

/** `where`: a condition in SQL for rows of every table, or null for all rows. */
export function executeSnapshot(
  id: string,
  { kind, tables, where }: { kind: SnapshotKind; tables: readonly string[]; where: string | null },
): Signal {
  const collections = tables.map(exactly);
  const conditions = where === null ? [] : collections.map((one) => ({ 'data-collection': one, filter: where }));
  const data = { type: kind, 'data-collections': collections };
  return {
    id,
    type: 'execute-snapshot',
    data: conditions.length === 0 ? data : { ...data, 'additional-conditions': conditions },
  };
}

/**
 * Stops the incremental snapshot of these tables. Always with names: without, Debezium 3.7 goes through all tables that
 * are captured, and trips over a name it cannot parse. A blocking snapshot cannot be stopped.
 */
export function stopSnapshot(id: string, tables: readonly string[]): Signal {
  return { id, type: 'stop-snapshot', data: { type: 'incremental', 'data-collections': tables.map(exactly) } };
}

/**
 * Whether incremental snapshots can do with the name of `schema.table`. Debezium 3.7 passes over others in silence, and where
 * they are quoted its task dies of the position that it stored (measured).
 */
export function isPlainTable(table: string): boolean {
  return /^[\p{L}_][\p{L}\p{N}_$]*\.[\p{L}_][\p{L}\p{N}_$]*$/u.test(table);
}

/** Debezium reads each entry as a regular expression. */
function exactly(table: string): string {
  return table.replace(/[.+?^${}()|[\]\\*]/g, '\\$&');
}

export interface TableProgress {
  readonly rows: number;
  /** null while unknown. */
  readonly totalRows: number | null;
  readonly chunks: number;
  readonly totalChunks: number | null;
  readonly done: boolean;
  /** What Debezium says of a table that it did not read to its end; ''. */
  readonly trouble: string;
}

export interface SnapshotProgress {
  readonly state: 'asked' | 'running' | 'completed' | 'stopped';
  readonly tables: ReadonlyMap<string, TableProgress>;
}

const NOTHING: TableProgress = { rows: 0, totalRows: null, chunks: 0, totalChunks: null, done: false, trouble: '' };

export function asked(tables: readonly string[]): SnapshotProgress {
  return { state: 'asked', tables: new Map(tables.map((table) => [table, NOTHING])) };
}

/** One notification, as the sink channel writes it. */
export interface Notification {
  readonly id: string;
  readonly type: string;
  readonly aggregate: string;
  readonly data: Readonly<Record<string, string>>;
}

/** From JSON with or without schema; null for anything else. */
export function readNotification(value: Uint8Array): Notification | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return null;
  }
  const body = isObject(parsed) && isObject(parsed['payload']) ? parsed['payload'] : parsed;
  if (!isObject(body)) return null;
  const { id, type, aggregate_type: aggregate, additional_data: extra } = body;
  if (typeof id !== 'string' || typeof type !== 'string' || typeof aggregate !== 'string') return null;
  const data = Object.entries(isObject(extra) ? extra : {}).flatMap(([name, text]) =>
    typeof text === 'string' ? [[name, text] as const] : [],
  );
  return { id, type, aggregate, data: Object.fromEntries(data) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const AGGREGATES: Readonly<Record<SnapshotKind, string>> = {
  incremental: 'Incremental Snapshot',
  // Debezium tells of a blocking snapshot as if it were the first one, under an id of its own.
  blocking: 'Initial Snapshot',
};

/** The next state; the same object when the notification is about something else. */
export function follow(
  progress: SnapshotProgress,
  notification: Notification,
  of: { readonly kind: SnapshotKind; readonly id: string },
): SnapshotProgress {
  const { type, aggregate, data, id } = notification;
  if (aggregate !== AGGREGATES[of.kind] || (of.kind === 'incremental' && id !== of.id && type !== 'ABORTED'))
    return progress;
  switch (type) {
    case 'STARTED':
      return progress.state === 'asked' ? { ...progress, state: 'running' } : progress;
    case 'IN_PROGRESS':
      return withTable(progress, data['current_collection_in_progress'], (before) => inProgress(before, data));
    case 'TABLE_SCAN_COMPLETED':
      return withTable(progress, data['scanned_collection'], (before) => scanned(before, data));
    case 'ABORTED':
      return { ...progress, state: 'stopped' };
    case 'COMPLETED':
      // A stop that takes the last table away is told as an end, too.
      return { ...progress, state: of.kind === 'blocking' || allDone(progress) ? 'completed' : 'stopped' };
    default:
      return progress;
  }
}

function allDone({ state, tables }: SnapshotProgress): boolean {
  return state !== 'stopped' && [...tables.values()].every(({ done }) => done);
}

function withTable(
  progress: SnapshotProgress,
  table: string | undefined,
  change: (before: TableProgress) => TableProgress,
): SnapshotProgress {
  const before = table === undefined ? undefined : progress.tables.get(table);
  if (table === undefined || before === undefined) return progress;
  return {
    state: progress.state === 'asked' ? 'running' : progress.state,
    tables: new Map(progress.tables).set(table, change(before)),
  };
}

/** A chunk is announced before it is read; it may be announced twice when changes come in between. */
function inProgress(before: TableProgress, data: Notification['data']): TableProgress {
  const { chunk_index: index, total_chunks: total, total_rows: totalRows } = data;
  const chunks = Math.max(before.chunks, index === undefined ? 0 : Number(index) - 1);
  const totalChunks = total === undefined ? before.totalChunks : Number(total);
  const known = totalRows === undefined ? before.totalRows : Number(totalRows);
  const rows =
    known !== null && totalChunks !== null && totalChunks > 0 ? Math.floor((known * chunks) / totalChunks) : 0;
  return { ...before, chunks, totalChunks, totalRows: known, rows: Math.max(before.rows, rows) };
}

function scanned(before: TableProgress, data: Notification['data']): TableProgress {
  const rows = Number(data['total_rows_scanned'] ?? before.rows);
  const status = data['status'] ?? 'SUCCEEDED';
  const trouble = status === 'SUCCEEDED' || status === 'EMPTY' ? '' : status;
  return {
    rows,
    totalRows: rows,
    chunks: before.totalChunks ?? before.chunks,
    totalChunks: before.totalChunks,
    done: true,
    trouble,
  };
}
