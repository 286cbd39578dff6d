/** The `rebuild` command: has the mirror of one table made anew from `changes`. */
import type { RunOptions } from '../app';
import { EXIT } from './failure';
import { count, createProgressLine, duration } from './progress';
import { EXIT_INTERRUPTED, haveDone, type Asking, type Outcome } from './request';
import { mirrorName, publicName, quoteName } from '../clickhouse/ddl';
import type { Config } from '../config';
import type { RequestOf } from '../delivery/request-kinds';
import { ServiceError } from '../errors';
import { openReader } from '../kafka/reader';
import { topicOfTable } from '../plan/replay';
import { connectTarget, databasesOf } from '../wiring';

export interface RebuildSurroundings {
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly print: (text: string) => void;
}

/** While the group settles, nobody may own the table's partitions for a moment. */
const TRIES = 4;
const BETWEEN_TRIES_MS = 3_000;

/** 0 when the new mirror stands, 130 after Ctrl-C. Throws REQUEST_FAILED, and CONFIG_INVALID for a name of another form. */
export async function rebuildCommand(config: Config, table: string, around: RebuildSurroundings): Promise<number> {
  const [schema, name] = split(table);
  if (!config.mirrors) {
    throw new ServiceError('CONFIG_INVALID', 'MIRRORS is off, so there is no mirror to make anew.', {
      hint: 'Set MIRRORS=on, and start the service: mirrors are made at its start.',
    });
  }
  const startedAt = performance.now();
  const line = createProgressLine({ stream: process.stderr, now: () => performance.now() });
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const topic = topicOfTable(config.topicPrefix, table);
    if (!(await reader.topics()).includes(topic)) {
      throw failed(`Kafka has no topic ${topic}, so no process owns ${table}.`);
    }
    around.print(
      `The mirror of ${table} is made anew from changes, beside the old one, and put in its place in one step. Until then ` +
        'readers see the old one, and new changes of the table wait.',
    );
    const outcome = await ask(
      { kind: 'rebuild', schema, table: name },
      {
        config,
        reader,
        runService: around.runService,
        onAnswers: () =>
          line.show(`making the mirror of ${table} anew, ${duration(performance.now() - startedAt)}`, NO_AMOUNT),
        onBegin: (by) =>
          around.print(by === 'service' ? 'The running service does it.' : 'No service runs, so this process does it.'),
      },
    );
    line.clear();
    if (outcome.kind === 'left') {
      around.print(
        outcome.by === 'service'
          ? 'Not watched any more. The service goes on; its log says when the mirror is made.'
          : 'Stopped. The old mirror stays.',
      );
      return EXIT_INTERRUPTED;
    }
    const took = duration(performance.now() - startedAt);
    around.print(`The new mirror of ${table} has ${count(await rowsOf(config, table))} rows. It took ${took}.`);
    return EXIT.done;
  } finally {
    line.clear();
    await reader.close();
  }
}

const NO_AMOUNT = { done: 0, total: 0 };

/** Throws REQUEST_FAILED unless a process made it, or nobody waited for that. */
async function ask(request: RequestOf<'rebuild'>, asking: Asking): Promise<Outcome> {
  for (let left = TRIES; ; left--) {
    const outcome = await haveDone(request, asking);
    if (outcome.kind === 'left' || outcome.answers.some(({ state }) => state === 'done')) return outcome;
    const messages = outcome.answers.flatMap(({ state, message }) => (state === 'failed' ? [message ?? ''] : []));
    if (messages.length > 0) throw failed(`The mirror was not made: ${messages.join('; ')}.`);
    if (left <= 1) throw failed(`No process of the group owns the partitions of ${request.schema}.${request.table}.`);
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
  }
}

function split(table: string): [string, string] {
  const at = table.indexOf('.');
  if (at > 0 && at < table.length - 1) return [table.slice(0, at), table.slice(at + 1)];
  throw new ServiceError('CONFIG_INVALID', '--table must be schema.table.', {
    hint: 'For example: --table public.orders',
  });
}

function failed(message: string): ServiceError {
  return new ServiceError('REQUEST_FAILED', message, {
    hint: 'The old mirror stands as it was. Mend what the message says, and ask again.',
  });
}

async function rowsOf(config: Config, table: string): Promise<number> {
  const [schema, name] = split(table);
  const view = config.tables.routes.get(table) ?? publicName(schema, name);
  const clickhouse = connectTarget(config);
  try {
    const [row] = await clickhouse.query<{ rows: string }>(
      `SELECT sum(_sign) AS rows FROM ${quoteName(databasesOf(config).machinery)}.${quoteName(mirrorName(view))}`,
    );
    return Number(row?.rows ?? 0);
  } finally {
    await clickhouse.close();
  }
}
