/** Wires the edges to the delivery: the whole service in one place. */
import { connectClickHouse, type ClickHouse } from './clickhouse/client';
import { quoteName, type Databases } from './clickhouse/ddl';
import { openControl, type Control } from './clickhouse/control';
import { guardedInsert } from './clickhouse/insert';
import { lookUps } from './clickhouse/look-ups';
import { migrateClickHouse } from './clickhouse/migrate';
import { openMirrorStore } from './clickhouse/mirror-store';
import { removeBelow } from './clickhouse/remove-below';
import { standingRows } from './clickhouse/standing-rows';
import { watchTarget } from './clickhouse/target';
import { tableFilter } from './config-patterns';
import type { Config } from './config';
import { createDelivery, type Delivery } from './delivery/delivery';
import { patiently, sayOnce } from './delivery/patience';
import type { DeliveryLimits, DeliveryPorts } from './delivery/ports';
import { fillFromChanges } from './delivery/rebuild';
import { createTables } from './delivery/tables';
import { ServiceError } from './errors';
import { openLog } from './kafka/consumer';
import { OP, tableName } from './model';
import type { Filter } from './pipeline';
import { readTable } from './postgres/catalogue';
import { openPostgres } from './postgres/client';
import { pause } from './retry';
import type { Log } from './telemetry/log';

/** What the service needs of ClickHouse before anything else: databases, tables, and that the target is this group's. */
async function prepareTarget(clickhouse: ClickHouse, databases: Databases, config: Config): Promise<Control> {
  await migrateClickHouse(clickhouse, databases);
  const control = openControl(clickhouse, databases.machinery);
  const owner = await control.get('group');
  if (owner === null) await control.set('group', config.kafka.groupId);
  else if (owner !== config.kafka.groupId) {
    throw new ServiceError(
      'TARGET_OWNED_BY_OTHER_GROUP',
      `The consumer group ${owner} writes to ${databases.views}; this service is of group ${config.kafka.groupId}.`,
      {
        hint: `Set KAFKA_GROUP_ID=${owner} to continue its work, or CH_DATABASE to a database of its own for a second reader.`,
      },
    );
  }
  return control;
}

function databasesOf(config: Config): Databases {
  return { views: config.clickhouse.database, machinery: `${config.clickhouse.database}_cdc` };
}

function connect(config: Config): ClickHouse {
  return connectClickHouse({
    ...config.clickhouse,
    application: 'debezium-clickhouse',
    requestTimeoutMs: config.insertTimeoutMs * 2 + 30_000,
  });
}

function limitsOf(config: Config): DeliveryLimits {
  return {
    blockRows: config.block.rows,
    blockBytes: config.block.bytes,
    blockAgeMs: config.block.ageMs,
    guardSeconds: config.guardMs / 1_000,
    insertSeconds: config.insertTimeoutMs / 1_000,
    idleCommitMs: config.kafka.idleCommitMs,
    mirrors: config.mirrors,
    placeholder: Buffer.from(config.unavailableValue, 'utf8'),
  };
}

function filterOf(config: Config): Filter {
  const included = tableFilter(config.tables);
  return {
    ops: new Set([...config.ops].map((op) => OP[op])),
    keeps: (schema, table) => included(tableName({ schema, name: table })),
    isSignal: (schema, table) => tableName({ schema, name: table }) === config.connector.signalTable,
  };
}

/** Topics of the connector: of its prefix, and its heartbeat. */
function isOurTopic(prefix: string): (topic: string) => boolean {
  return (topic) => topic.startsWith(`${prefix}.`) || topic === `__debezium-heartbeat.${prefix}`;
}

/** Topics of tables: neither Debezium's transactions nor its messages, whose names hold no schema. */
function isTableTopic(prefix: string): (topic: string) => boolean {
  return (topic) => topic.startsWith(`${prefix}.`) && topic.slice(prefix.length + 1).includes('.');
}

/** Creates the databases and tables of the service, or brings them up to date. */
export async function migrate({ config, log }: { config: Config; log: Log }): Promise<void> {
  const clickhouse = connect(config);
  try {
    const ran = await migrateClickHouse(clickhouse, databasesOf(config));
    log.info(ran.length === 0 ? 'everything is up to date' : `ran ${ran.join(', ')}`);
  } finally {
    await clickhouse.close();
  }
}

/** Runs until the signal aborts, or with `once` until no record has come for a while. Throws what must stop the service. */
export async function runService({
  config,
  log,
  once,
  signal,
}: {
  config: Config;
  log: Log;
  once: boolean;
  signal: AbortSignal;
}): Promise<number> {
  const databases = databasesOf(config);
  const clickhouse = connect(config);
  const postgres = config.postgres === null ? null : openPostgres(config.postgres.url);
  const emit = sayOnce(log.emit);
  let delivery: Delivery | null = null;
  try {
    const control = await patiently(() => prepareTarget(clickhouse, databases, config), { signal, emit });
    const limits = limitsOf(config);
    const giveUp = new AbortController();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    delivery = createDelivery(
      {
        limits,
        filter: filterOf(config),
        wants: isOurTopic(config.topicPrefix),
        holdsChanges: isTableTopic(config.topicPrefix),
        topicRefreshMs: config.kafka.topicRefreshMs,
        onFatal: failed.reject,
        giveUp,
      },
      emit,
    );
    const source = openLog({ ...config.kafka, holdMs: 500 }, delivery.listener);
    const target = watchTarget(clickhouse, databases.machinery, () => performance.now());
    const answers = lookUps(clickhouse, databases.machinery);
    const insert: DeliveryPorts['insert'] = (one, guard, seconds) => guardedInsert(clickhouse, one, guard, seconds);
    const glance = (): ReturnType<DeliveryPorts['glance']> => target.glance();
    const tables = createTables({
      readTable:
        postgres === null
          ? null
          : (schema, name) => readTable((sql, params) => postgres.query(sql, params), schema, name),
      store: openMirrorStore(clickhouse, databases, control),
      routes: config.tables.routes,
      fill: (of) =>
        fillFromChanges(
          { ...of, guardSeconds: limits.guardSeconds, insertSeconds: limits.insertSeconds },
          { lookUps: answers, glance, insert },
        ),
      emit,
      signal: giveUp.signal,
    });
    const ports: DeliveryPorts = {
      log: source,
      lookUps: answers,
      tables,
      glance,
      forgetGlance: () => target.forget(),
      migrate: async () => void (await migrateClickHouse(clickhouse, databases)),
      currentRows: (table, images, rows) => standingRows(clickhouse, table.target, images, rows),
      insert,
      removeBelow: (table, of, below) => removeBelow(clickhouse, table.target, of, below),
      emit,
      now: () => Date.now(),
      sleep: pause,
    };
    emit({
      tag: 'service-started',
      groupId: config.kafka.groupId,
      topicPrefix: config.topicPrefix,
      database: databases.views,
    });
    delivery.start(ports);
    await Promise.race([failed.promise, until(signal), ...(once ? [untilIdle(delivery, config.onceIdleMs)] : [])]);
    await delivery.stop();
    return 0;
  } catch (error) {
    if (signal.aborted && delivery === null) return 0;
    throw error;
  } finally {
    await delivery?.stop();
    await Promise.allSettled([clickhouse.close(), postgres?.close()]);
  }
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function untilIdle(delivery: Delivery, idleMs: number): Promise<void> {
  while (delivery.idleMs() < idleMs)
    await new Promise((resolve) => setTimeout(resolve, Math.max(50, idleMs - delivery.idleMs())));
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
  const clickhouse = connect(config);
  try {
    const rows = await clickhouse.query<ShownChange>(
      `SELECT toString(ts) AS committed, op, concat(schema, '.', table) AS source_table, key, before, after, concat(topic, ':', toString(partition), ':', toString(offset)) AS place ` +
        `FROM ${quoteName(databasesOf(config).machinery)}.changes ORDER BY ingested_at DESC, ts DESC, offset DESC LIMIT {count:UInt32}`,
      { count },
    );
    return rows.reverse();
  } finally {
    await clickhouse.close();
  }
}
