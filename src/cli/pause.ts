/** `pause` and `resume`: tables that hold, or everything, over restarts and in every process, without losing a place. */
import { EXIT } from './failure';
import { whoAsks } from './person';
import { schemaAndTable } from './place';
import { count, duration } from './progress';
import { haveDone, type AskingCommand } from './request';
import { openControl } from '../clickhouse/control';
import { quoteName, quoteText } from '../clickhouse/quote';
import type { ClickHouse } from '../clickhouse/client';
import type { Config } from '../config';
import { EVERYTHING, pausesIn, type Pause } from '../delivery/pauses';
import { ServiceError } from '../errors';
import { openReader, type KafkaReader, type Retention } from '../kafka/reader';
import { connectTarget, databasesOf, isTableTopic } from '../wiring';
import { endPauses, topicsToHold, type Held, type PauseParts } from '../wiring/pauses';

export interface PauseFlags {
  readonly table?: string;
  readonly all?: true;
}

/** How much time there is before Kafka drops what is not read. */
export interface Unread {
  readonly topic: string;
  readonly partition: number;
  /** Records and ends of transactions that the group has not read. */
  readonly offsets: number;
  readonly oldestMs: number | null;
  readonly retention: Retention;
  /** Ms until the oldest of them may be dropped; null where that never happens, or is not known. */
  readonly leftMs: number | null;
}

/** 0 once the owners hold. Throws REQUEST_FAILED for a table that is not known. */
export async function pauseCommand(config: Config, flags: PauseFlags, around: AskingCommand): Promise<number> {
  return withParts(config, async (parts) => {
    const { pauses, reader } = parts;
    const topics = await topicsToHold(config, wantedOf(flags), parts);
    for (const topic of topics) await pauses.set({ topic, sinceMs: Date.now(), who: whoAsks() });
    const by = await tell(config, reader, around.runService);
    const tables = await tablesOf(topics, config, parts.clickhouse);
    const held = topics.includes(EVERYTHING)
      ? (await reader.topics()).filter(isTableTopic(config.topicPrefix))
      : topics;
    const unread = await unreadOf(held, reader, Date.now());
    if (around.form === 'json') around.print(JSON.stringify({ paused: topics, tables, by, unread }, null, 2));
    else for (const line of pauseText(topics, tables, by, unread)) around.print(line);
    return EXIT.done;
  });
}

/** 0 once the owners read on. */
export async function resumeCommand(config: Config, flags: PauseFlags, around: AskingCommand): Promise<number> {
  return withParts(config, async (parts) => {
    const { reader } = parts;
    const names = await endPauses(config, wantedOf(flags), parts);
    if (names.length > 0) await tell(config, reader, around.runService);
    if (around.form === 'json') around.print(JSON.stringify({ resumed: names }, null, 2));
    else
      around.print(names.length === 0 ? 'Nothing of that was paused.' : `Reads on: ${names.map(inWords).join(', ')}.`);
    return EXIT.done;
  });
}

function wantedOf({ table, all }: PauseFlags): Held {
  if (all === true) return EVERYTHING;
  if (table !== undefined) return schemaAndTable(table);
  throw new ServiceError('CONFIG_INVALID', 'It must be said what is meant: --table schema.table, or --all.', {
    hint: 'For example: pause --table public.orders',
  });
}

interface Parts extends PauseParts {
  readonly reader: KafkaReader;
}

async function withParts(config: Config, use: (parts: Parts) => Promise<number>): Promise<number> {
  const clickhouse = connectTarget(config);
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    return await use({ clickhouse, reader, pauses: pausesIn(openControl(clickhouse, databasesOf(config).machinery)) });
  } finally {
    await Promise.allSettled([clickhouse.close(), reader.close()]);
  }
}

/** Every table whose records are in the topics, as far as `changes` knows: they hold together. */
async function tablesOf(topics: readonly string[], config: Config, clickhouse: ClickHouse): Promise<string[]> {
  const where = topics.includes(EVERYTHING) ? '1' : `topic IN (${topics.map(quoteText).join(', ')})`;
  const rows = await clickhouse.query<{ name: string }>(
    `SELECT DISTINCT concat(schema, '.', table) AS name FROM ${quoteName(databasesOf(config).machinery)}.changes WHERE ${where} ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}

/** Has a running service follow the orders now. Where none runs they hold from its next start. */
async function tell(
  config: Config,
  reader: KafkaReader,
  runService: AskingCommand['runService'],
): Promise<'service' | 'nobody'> {
  if ((await reader.memberCount()) === 0) return 'nobody';
  const surroundings = { config, reader, runService, onAnswers: () => undefined, onBegin: () => undefined };
  const outcome = await haveDone({ kind: 'hold' }, surroundings);
  const failed = outcome.kind === 'left' ? [] : outcome.answers.filter(({ state }) => state === 'failed');
  if (failed.length === 0) return 'service';
  throw new ServiceError('REQUEST_FAILED', failed.map(({ message }) => message ?? '').join(' '), {
    hint: 'The order is written down, and is followed within seconds all the same; see the log of the service.',
  });
}

async function unreadOf(topics: readonly string[], reader: KafkaReader, nowMs: number): Promise<Unread[]> {
  const committed = await reader.committed(topics);
  const found: Unread[] = [];
  for (const topic of topics) {
    const retention = await reader.retention(topic);
    for (const { partition, low, high } of await reader.bounds(topic)) {
      const at = committed.find((one) => one.topic === topic && one.partition === partition)?.offset ?? low;
      const oldestMs = at < high ? await timeOf({ topic, partition, from: at, to: high }, reader) : null;
      const since = oldestMs ?? nowMs;
      const leftMs = retention.ms === null ? null : Math.max(0, since + retention.ms - nowMs);
      found.push({ topic, partition, offsets: Math.max(0, high - at), oldestMs, retention, leftMs });
    }
  }
  return found;
}

const READ_MS = 5_000;

async function timeOf(
  range: { topic: string; partition: number; from: number; to: number },
  reader: KafkaReader,
): Promise<number | null> {
  const times: number[] = [];
  await reader.read([range], ({ timestampMs }) => (times.push(timestampMs), 'stop'), AbortSignal.timeout(READ_MS));
  return times[0] ?? null;
}

function pauseText(
  topics: readonly string[],
  tables: readonly string[],
  by: 'service' | 'nobody',
  unread: readonly Unread[],
): string[] {
  const lines = [`Holds: ${topics.map(inWords).join(', ')}, over restarts, until resume.`];
  if (tables.length > 1 && !topics.includes(EVERYTHING)) {
    lines.push(`These tables share the topic, so they hold together: ${tables.join(', ')}.`);
  }
  lines.push(
    by === 'service'
      ? 'What was begun is written; the place is kept.'
      : 'No service runs; it holds from its next start on.',
  );
  for (const { topic, partition, offsets, retention, leftMs } of unread) {
    const size = retention.bytes === null ? '' : ` Kafka also drops what is beyond ${count(retention.bytes)} bytes.`;
    const time = leftMs === null ? 'Kafka keeps it for ever' : `Kafka may drop the oldest of it in ${duration(leftMs)}`;
    lines.push(`${topic}:${partition}: ${count(offsets)} offsets are not read; ${time}.${size}`);
  }
  const least = Math.min(...unread.map(({ leftMs }) => leftMs ?? Infinity));
  if (least < Infinity) {
    lines.push(
      `Resume within ${duration(least)}, or raise retention.ms: what Kafka drops unread is lost (CHANGES_EXPIRED).`,
    );
  }
  return lines;
}

function inWords(topic: Pause['topic']): string {
  return topic === EVERYTHING ? 'everything' : topic;
}
