/** The service as one flow: prepare the target, join the group, deliver until told to stop. */
import { randomUUID } from 'node:crypto';
import { quoteName } from './clickhouse/ddl';
import { migrateClickHouse } from './clickhouse/migrate';
import type { MaskedRow } from './clickhouse/page-reads';
import { openWireSchemas } from './clickhouse/wire-schemas';
import type { Config } from './config';
import { createDelivery, type Delivery } from './delivery/delivery';
import { watchPauses } from './delivery/pauses';
import { patiently, sayOnce } from './delivery/patience';
import { carryOut, type Answer, type Request } from './delivery/request-kinds';
import { answerRequests, type RequestHandling } from './delivery/requests';
import type { ReplayProgress } from './delivery/replay-run';
import { watchTables } from './delivery/table-watch';
import { openLog } from './kafka/consumer';
import { topicOfTable, type ReplayRequest } from './plan/replay';
import { openPostgres, type Postgres } from './postgres/client';
import { pause } from './retry';
import type { Emit } from './events';
import type { Log } from './telemetry/log';
import {
  connectTarget,
  databasesOf,
  filterOf,
  isOurTopic,
  isTableTopic,
  limitsOf,
  operationsOf,
  portsOf,
  prepareTarget,
  readModes,
} from './wiring';
import { checkMasking, shownRows } from './wiring/masking';
import { openPage, type Page } from './wiring/page';

/** Creates the databases and tables of the service, or brings them up to date. */
export async function migrate({ config, log }: { config: Config; log: Log }): Promise<void> {
  const clickhouse = connectTarget(config);
  try {
    const ran = await migrateClickHouse(clickhouse, databasesOf(config));
    log.info(ran.length === 0 ? 'everything is up to date' : `ran ${ran.join(', ')}`);
  } finally {
    await clickhouse.close();
  }
}

export interface RunOptions {
  readonly config: Config;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Stop when no record has come for a while. */
  readonly once: boolean;
  /** Read again from here before going on. */
  readonly replay: ReplayRequest | null;
  /** Write to a target that another group wrote to. */
  readonly takeOver: boolean;
  /** Go on where records expired unread. */
  readonly acceptLoss: boolean;
  /** Carry this out as the owner of the partitions, then stop; for commands while no service runs. */
  readonly job: {
    readonly request: Request;
    readonly onProgress: (progress: ReplayProgress) => void;
    readonly onAnswer: (answer: Answer) => void;
  } | null;
}

/** Runs until the signal aborts or what was asked for is done. Throws what must stop the service. */
export async function runService(options: RunOptions): Promise<number> {
  const { config, log, signal, replay, takeOver, acceptLoss } = options;
  const clickhouse = connectTarget(config);
  const postgres = config.postgres === null ? null : openPostgres(config.postgres);
  const over = new AbortController();
  let delivery: Delivery | null = null;
  let page: Page | null = null;
  try {
    page = await pageOf(options, postgres);
    const emit = page === null ? sayOnce(log.emit) : toBoth(sayOnce(log.emit), page.emit);
    const { control, waitSeconds } = await patiently(() => prepareTarget(clickhouse, config, { takeOver }), {
      signal,
      emit,
    });
    await patiently(() => checkMasking(config, control, postgres), { signal, emit });
    const modes = await patiently(() => readModes(config, control, emit), { signal, emit });
    const limits = limitsOf(config, { waitSeconds, acceptLoss });
    const giveUp = new AbortController();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const { topicPrefix } = config;
    delivery = createDelivery(
      {
        limits,
        filter: filterOf(config),
        wants: isOurTopic(topicPrefix),
        holdsChanges: isTableTopic(topicPrefix),
        topicOf: (table) => topicOfTable(topicPrefix, table),
        topicRefreshMs: config.kafka.topicRefreshMs,
        onFatal: failed.reject,
        giveUp,
      },
      emit,
    );
    const source = openLog({ ...config.kafka, holdMs: 500 }, delivery.listener);
    page?.attach(source);
    const processId = randomUUID();
    const edges = { config, clickhouse, postgres, control, log: source, limits, modes, emit, processId };
    const ports = portsOf({ ...edges, signal: giveUp.signal });
    const pauses = watchPauses({ control, delivery, emit, sleep: pause });
    await patiently(() => pauses.look(), { signal, emit });
    const operations = operationsOf(edges, ports, { delivery, pauses });
    const handling = { control, delivery, operations, processId, emit, sleep: pause };
    emit({ tag: 'service-started', groupId: config.kafka.groupId, topicPrefix, database: config.clickhouse.database });
    const replayed = replay === null ? null : delivery.replay(replay);
    delivery.start(ports);
    const unlessOver = (error: unknown): void => {
      if (!over.signal.aborted) failed.reject(error);
    };
    const answering = answerRequests(handling, over.signal).catch(unlessOver);
    const following = pauses.watch(over.signal).catch(unlessOver);
    const watch = { ...handling, holder: ports.createHolder(over.signal) };
    const watching = watchTables(watch, over.signal).catch(unlessOver);
    replayed?.catch(failed.reject);
    await Promise.race([failed.promise, ...endsOf(options, handling, replayed)]);
    over.abort(new Error('the service is stopping'));
    await Promise.all([delivery.stop(), answering, watching, following]);
    return 0;
  } catch (error) {
    if (signal.aborted && delivery === null) return 0;
    throw error;
  } finally {
    over.abort(new Error('the service is stopping'));
    await delivery?.stop();
    await page?.close();
    await Promise.allSettled([clickhouse.close(), postgres?.close()]);
  }
}

/** The live page; none for commands that do one thing in place of the service. */
async function pageOf({ config, job, log, signal }: RunOptions, postgres: Postgres | null): Promise<Page | null> {
  if (config.page === null || job !== null) return null;
  return openPage({ config, page: config.page, postgres, signal, log: log.emit });
}

/** The log says once what many partitions wait for; the figures count each attempt. */
function toBoth(log: Emit, figures: Emit): Emit {
  return (event) => {
    log(event);
    figures(event);
  };
}

/** What ends the service: each resolves when it is time. */
function endsOf(
  { config, signal, once, job }: RunOptions,
  handling: RequestHandling,
  replayed: Promise<unknown> | null,
): Promise<unknown>[] {
  const { delivery } = handling;
  const ends: Promise<unknown>[] = [until(signal)];
  if (once) ends.push(Promise.resolve(replayed).then(() => untilIdle(delivery, config.onceIdleMs)));
  if (job !== null) {
    const done = untilJoined(delivery).then(() => carryOut(job.request, handling, job.onProgress));
    ends.push(done.then(job.onAnswer));
  }
  return ends;
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function untilIdle(delivery: Delivery, idleMs: number): Promise<void> {
  while (delivery.idleMs() < idleMs) await wait(Math.max(50, idleMs - delivery.idleMs()));
}

async function untilJoined(delivery: Delivery): Promise<void> {
  while (delivery.assigned().length === 0) await wait(100);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A row of `changes` as `--once` prints it. */
export interface ShownChange {
  readonly committed: string;
  readonly op: string;
  readonly source_table: string;
  readonly key: string;
  readonly before: string;
  readonly after: string;
  readonly place: string;
}

/** The newest rows of `changes`, oldest first. Holds row values: for output that was asked for, not for logs. */
export async function lastChanges({ config, count }: { config: Config; count: number }): Promise<ShownChange[]> {
  const clickhouse = connectTarget(config);
  try {
    const { machinery } = databasesOf(config);
    const rows = await clickhouse.query<ShownChange & MaskedRow>(
      `SELECT toString(ts) AS committed, op, schema, table, toString(wire_schema) AS wire, concat(schema, '.', table) AS source_table, key, before, after, concat(topic, ':', toString(partition), ':', toString(offset)) AS place ` +
        `FROM ${quoteName(machinery)}.changes ORDER BY ingested_at DESC, ts DESC, offset DESC LIMIT {count:UInt32}`,
      { count },
    );
    return (await shownRows(config, openWireSchemas(clickhouse, machinery)).rows(rows)).reverse();
  } finally {
    await clickhouse.close();
  }
}
