/** Every event in words: what a person reads in the log, its level, and the facts beside it. */
import { modesDiffer } from './connector-modes';
import type { ServiceEvent, Waiting } from './events';

export type Level = 'error' | 'warn' | 'info' | 'debug';

/** Values a log line or a metric may carry: no bytes and no objects, so no row can slip in. */
export type Fields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** An event in words: what a person reads, and the facts beside it. */
export interface Description {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

export function describe(event: ServiceEvent): Description {
  switch (event.tag) {
    case 'service-started':
    case 'stopping':
    case 'stopped':
    case 'failed':
      return describeProcess(event);
    case 'clickhouse-waiting':
    case 'kafka-waiting':
    case 'connect-waiting':
    case 'postgres-waiting':
    case 'registry-waiting':
    case 'back-again':
      return describeOutside(event);
    case 'connector-modes-differ': {
      const { tag, from, options } = event;
      return { level: 'warn', message: modesDiffer(from, options), fields: { event: tag, from, options } };
    }
    case 'topics-changed':
      return info(event.tag, topicsMessage(event.added, event.gone), { added: event.added, gone: event.gone });
    case 'table-mirrored':
      return info(event.tag, `${event.table} is mirrored`, { table: event.table, view: event.view });
    case 'truncate-by-rebuild': {
      const { tag, table, topic, partition, offset, partitions } = event;
      const message = `${table} was truncated; its topic has ${partitions} partitions, so its mirror is made anew once all of them have passed that`;
      return { level: 'info', message, fields: { event: tag, table, topic, partition, offset } };
    }
    case 'loss-accepted': {
      const { tag, topic, partition, start, end } = event;
      const message = `the records ${start} to ${end - 1} of ${topic}:${partition} expired unread and are lost; going on as told by --accept-loss`;
      return { level: 'error', message, fields: { event: tag, topic, partition, start, end } };
    }
    case 'rows-lost-in-rebuild': {
      const { table, lost } = event;
      const message = `the mirror of ${table} lacks ${lost} rows whose values changes does not hold; take a new snapshot of it`;
      return { level: 'error', message, fields: { event: event.tag, table, lost } };
    }
    case 'values-unknown': {
      const { table, column, rows } = event;
      const which = rows === null ? 'the rows that were there before it' : `${rows} rows`;
      const message = `PostgreSQL set ${column} of ${table} in ${which} without an event; it is NULL there until a new snapshot of the table, see docs/schema-changes.md`;
      return { level: 'error', message, fields: { event: event.tag, table, column, rows: rows ?? -1 } };
    }
    case 'policy-acted':
    case 'column-widened':
      return describePolicy(event);
    case 'masks-changed': {
      const { tag, table, columns } = event;
      const message = `changes holds rows of ${table} of before the mask of ${columns.join(', ')} was changed; they stay as they are, the mirror follows the rules of now; docs/masking.md says how to be rid of them`;
      return { level: 'warn', message, fields: { event: tag, table, columns } };
    }
    case 'columns-not-found': {
      const { tag, table, columns } = event;
      const message = `a rule names ${columns.join(', ')}, which ${table} does not have (any more); if it was renamed, name it in the rule`;
      return { level: 'warn', message, fields: { event: tag, table, columns } };
    }
    case 'table-renamed': {
      const { tag, table, from } = event;
      const message = `${table} was ${from}: rows that have not changed since it was renamed are not in its mirror; debezium-clickhouse connectors snapshot --tables ${table} brings them, see docs/schema-changes.md`;
      return { level: 'error', message, fields: { event: tag, table, from } };
    }
    case 'table-not-mirrored': {
      const { table, code, reason } = event;
      return {
        level: 'warn',
        message: `${table} is audited, not mirrored: ${reason}`,
        fields: { event: event.tag, table, code },
      };
    }
    case 'group-joined':
    case 'position-acknowledged':
    case 'catalogue-read':
    case 'schema-read':
    case 'page-served':
    case 'page-unavailable':
      return describeFigures(event);
    case 'quarantine-resolved':
    case 'topics-paused':
    case 'key-forgotten':
      return describeOperation(event);
    case 'partition-assigned':
    case 'block-written':
    case 'record-quarantined':
    case 'records-skipped':
    case 'redo':
    case 'written-again':
      return describePartition(event);
  }
}

function describePolicy(event: Tagged<'policy-acted' | 'column-widened'>): Description {
  const { tag, table, column } = event;
  if (tag === 'column-widened') {
    const message = `a value of ${table}.${column} does not fit its type: it becomes text, and the mirror is made anew (policy lossless)`;
    return { level: 'warn', message, fields: { event: tag, table, column } };
  }
  const { policy, values, loud } = event;
  const what =
    policy === 'reject' ? 'rejected: quarantine has their records' : 'clamped: changes has them as they came';
  const message = `values of ${table}.${column} did not fit and were ${what}`;
  return { level: loud ? 'warn' : 'debug', message, fields: { event: tag, table, column, policy, values } };
}

function describeOperation(event: Tagged<'quarantine-resolved' | 'topics-paused' | 'key-forgotten'>): Description {
  switch (event.tag) {
    case 'quarantine-resolved': {
      const { topic, partition, records } = event;
      return info(event.tag, `${records} records of quarantine are dealt with`, { topic, partition, records });
    }
    case 'topics-paused': {
      const { topics } = event;
      const message =
        topics.length === 0
          ? 'nothing is paused any more'
          : `paused by order: ${topics[0] === '*' ? 'everything' : topics.join(', ')}; resume ends it`;
      return { level: 'warn', message, fields: { event: event.tag, topics } };
    }
    case 'key-forgotten': {
      const { topic, partition, table, events } = event;
      return info(event.tag, `${events} events of one key of ${table} were erased`, {
        topic,
        partition,
        table,
        events,
      });
    }
  }
}

type Tagged<T extends ServiceEvent['tag']> = Extract<ServiceEvent, { readonly tag: T }>;

function describeProcess(event: Tagged<'service-started' | 'stopping' | 'stopped' | 'failed'>): Description {
  switch (event.tag) {
    case 'service-started': {
      const { groupId, topicPrefix, database } = event;
      return info(event.tag, `reading ${topicPrefix}.* as ${groupId} into ${database}`, {
        groupId,
        topicPrefix,
        database,
      });
    }
    case 'stopping':
      return info(event.tag, `stopping: ${event.reason}; the block in hand is finished first`, {
        deadlineMs: event.deadlineMs,
      });
    case 'stopped':
      return info(event.tag, 'stopped', { exitCode: event.exitCode });
    case 'failed': {
      const { code, message, hint, place } = event;
      return { level: 'error', message, fields: { event: event.tag, code, hint, ...place } };
    }
  }
}

/** What happens for the figures and the page; the log has it for completeness. */
function describeFigures(
  event: Tagged<
    'group-joined' | 'position-acknowledged' | 'catalogue-read' | 'schema-read' | 'page-served' | 'page-unavailable'
  >,
): Description {
  switch (event.tag) {
    case 'group-joined': {
      const partitions = event.partitions.map(({ topic, partition }) => `${topic}:${String(partition)}`);
      const message = `joined the group with ${String(partitions.length)} partitions`;
      return { level: 'debug', message, fields: { event: event.tag, partitions } };
    }
    case 'position-acknowledged': {
      const { tag, topic, partition, offset } = event;
      const message = `${topic}:${String(partition)} is written up to ${String(offset)}`;
      return { level: 'debug', message, fields: { event: tag, topic, partition, offset } };
    }
    case 'catalogue-read': {
      const { tag, table, ms } = event;
      return { level: 'debug', message: `read the catalogue for ${table}`, fields: { event: tag, table, ms } };
    }
    case 'schema-read': {
      const { tag, id, found, ms } = event;
      const message = `asked the registry for schema ${String(id)}${found === 'yes' ? '' : ', which it does not have'}`;
      return { level: 'debug', message, fields: { event: tag, id, found, ms } };
    }
    case 'page-served':
      return info(event.tag, `the live page is at ${event.address}`, { address: event.address });
    case 'page-unavailable': {
      const { tag, address, reason } = event;
      const message = `no live page and no /metrics at ${address}: ${reason}; delivery goes on without them`;
      return { level: 'warn', message, fields: { event: tag, address } };
    }
  }
}

const OUTSIDE = {
  'clickhouse-waiting': 'ClickHouse',
  'kafka-waiting': 'Kafka',
  'connect-waiting': 'Kafka Connect',
  'postgres-waiting': 'PostgreSQL',
  'registry-waiting': 'registry',
} as const;

function describeOutside(event: Waiting | Tagged<'back-again'>): Description {
  if (event.tag === 'back-again') {
    const { outside, afterMs } = event;
    return info(event.tag, `${outside} is back after ${seconds(afterMs)}`, { outside, afterMs });
  }
  const { attempt, delayMs, code, message } = event;
  return {
    level: 'warn',
    message: `waiting for ${OUTSIDE[event.tag]}, next attempt in ${seconds(delayMs)}: ${message}`,
    fields: { event: event.tag, attempt, delayMs: Math.round(delayMs), code },
  };
}

function describePartition(
  event: Tagged<
    'partition-assigned' | 'block-written' | 'record-quarantined' | 'records-skipped' | 'redo' | 'written-again'
  >,
): Description {
  const { topic, partition } = event;
  const at = `${topic}:${String(partition)}`;
  switch (event.tag) {
    case 'partition-assigned':
      return info(event.tag, `${at} begins at ${String(event.start)} (${event.how})`, {
        topic,
        partition,
        start: event.start,
        how: event.how,
      });
    case 'block-written': {
      const { start, end, rows, ms } = event;
      const modes = Object.entries(event.modes).map(([table, mode]) => `${table} ${mode}`);
      return {
        level: 'debug',
        message: `${at} wrote ${String(rows)} changes in ${String(Math.round(ms))} ms`,
        fields: { event: event.tag, topic, partition, start, end, rows, modes, ms: Math.round(ms) },
      };
    }
    case 'record-quarantined': {
      const { offset, code } = event;
      const message = `${at} offset ${String(offset)} cannot be decoded; it is kept in quarantine`;
      return { level: 'warn', message, fields: { event: event.tag, topic, partition, offset, code } };
    }
    case 'records-skipped':
      return {
        level: 'debug',
        message: `${at} skipped records`,
        fields: { event: event.tag, topic, partition, ...event.kinds },
      };
    case 'written-again': {
      const { start, end, rows } = event;
      return {
        level: 'warn',
        message: `${at} wrote ${String(rows)} rows of ${String(start)} to ${String(end)} again: ClickHouse knew their insert and did not have them`,
        fields: { event: event.tag, topic, partition, start, end, rows },
      };
    }
    case 'redo': {
      const { start, end, reason } = event;
      return info(event.tag, `${at} does ${String(start)} to ${String(end)} again`, {
        topic,
        partition,
        start,
        end,
        reason,
      });
    }
  }
}

function topicsMessage(added: readonly string[], gone: readonly string[]): string {
  const parts = [];
  if (added.length > 0) parts.push(`now reading ${added.join(', ')}`);
  if (gone.length > 0) parts.push(`no longer there: ${gone.join(', ')}`);
  return parts.join('; ') || 'no change of topics';
}

function info(tag: ServiceEvent['tag'], message: string, fields: Fields): Description {
  return { level: 'info', message, fields: { event: tag, ...fields } };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
