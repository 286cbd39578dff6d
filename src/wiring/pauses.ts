/** Which topics a pause or its end is about, and the orders that the page gives: the same as those of the commands. */
import type { ClickHouse } from '../clickhouse/client';
import { openControl } from '../clickhouse/control';
import { quoteName } from '../clickhouse/quote';
import type { Config } from '../config';
import { followAnswers } from '../delivery/follow-answers';
import { EVERYTHING, pausesIn } from '../delivery/pauses';
import { ServiceError } from '../errors';
import type { PauseOrders } from '../http/ports';
import { openReader, type KafkaReader } from '../kafka/reader';
import { topicOfTable } from '../plan/replay';
import { pause as sleep } from '../retry';
import { databasesOf } from '../wiring';

/** A table, or everything. */
export type Held = typeof EVERYTHING | { readonly schema: string; readonly table: string };

export interface PauseParts {
  readonly clickhouse: ClickHouse;
  readonly pauses: ReturnType<typeof pausesIn>;
  readonly reader: Pick<KafkaReader, 'topics'>;
}

/** Throws REQUEST_FAILED for a table that is not known. */
export async function topicsToHold(config: Config, held: Held, { clickhouse, reader }: PauseParts): Promise<string[]> {
  if (held === EVERYTHING) return [EVERYTHING];
  const name = `${held.schema}.${held.table}`;
  const found = await clickhouse.query<{ topic: string }>(
    `SELECT DISTINCT topic FROM ${quoteName(databasesOf(config).machinery)}.changes WHERE schema = {schema:String} AND table = {table:String}`,
    { ...held },
  );
  const named = topicOfTable(config.topicPrefix, name);
  const topics = new Set(found.map(({ topic }) => topic));
  if ((await reader.topics()).includes(named)) topics.add(named);
  if (topics.size > 0) return [...topics].sort();
  throw new ServiceError('REQUEST_FAILED', `Neither Kafka nor changes has anything of ${name}.`, {
    hint: `Tables are named schema.table; their topics begin with ${config.topicPrefix}. (TOPIC_PREFIX).`,
  });
}

/** Ends the orders, and gives the topics whose order it ended. Throws REQUEST_FAILED where everything holds by one order. */
export async function endPauses(config: Config, held: Held, parts: PauseParts): Promise<string[]> {
  const standing = (await parts.pauses.list()).map(({ topic }) => topic);
  const topics = held === EVERYTHING ? standing : await topicsToHold(config, held, parts);
  const ended = standing.filter((topic) => topics.includes(topic));
  if (ended.length < topics.length && standing.includes(EVERYTHING)) {
    throw new ServiceError('REQUEST_FAILED', 'Everything is paused, by one order; it ends as a whole.', {
      hint: 'resume --all ends it; then pause the tables that are to hold on.',
    });
  }
  for (const topic of ended) await parts.pauses.end(topic);
  return ended;
}

/** How long an order of the page is followed; it stands, and is followed, whatever comes of that. */
const FOLLOWED_MS = 20_000;

/** The orders of the page. Whoever gave one is written down as the page, since a token has no name. */
export function pauseOrders(config: Config, clickhouse: ClickHouse): PauseOrders {
  const control = openControl(clickhouse, databasesOf(config).machinery);
  const pauses = pausesIn(control);

  /** Has all processes of the group follow the orders now. */
  const follow = async (reader: KafkaReader): Promise<'followed' | 'written'> => {
    const answers = await followAnswers(
      { kind: 'hold' },
      {
        control,
        memberCount: () => reader.memberCount(),
        onAnswers: () => undefined,
        now: () => performance.now(),
        sleep,
        signal: AbortSignal.timeout(FOLLOWED_MS),
      },
    ).catch(() => []);
    return answers.length > 0 && answers.every(({ state }) => state === 'done') ? 'followed' : 'written';
  };

  const withReader = async <T>(use: (reader: KafkaReader) => Promise<T>): Promise<T> => {
    const reader = openReader({ ...config.kafka, holdMs: 0 });
    try {
      return await use(reader);
    } finally {
      await reader.close();
    }
  };

  return {
    pause: (table) =>
      withReader(async (reader) => {
        const topics = await topicsToHold(config, heldOf(table), { clickhouse, pauses, reader });
        for (const topic of topics) await pauses.set({ topic, sinceMs: Date.now(), who: 'the page' });
        return { topics, done: await follow(reader) };
      }),
    resume: (table) =>
      withReader(async (reader) => {
        const topics = await endPauses(config, heldOf(table), { clickhouse, pauses, reader });
        return { topics, done: topics.length === 0 ? 'followed' : await follow(reader) };
      }),
  };
}

function heldOf(name: string | null): Held {
  if (name === null) return EVERYTHING;
  const dot = name.indexOf('.');
  return { schema: name.slice(0, dot), table: name.slice(dot + 1) };
}
