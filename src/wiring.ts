/** Puts the edges behind the ports of the delivery: which function of kafka/, clickhouse/ and postgres/ does what. */
import { connectClickHouse, type ClickHouse } from './clickhouse/client';
import { openControl, type Control } from './clickhouse/control';
import type { Databases } from './clickhouse/ddl';
import { guardedInsert } from './clickhouse/insert';
import { lookUps } from './clickhouse/look-ups';
import { partitionMarks } from './clickhouse/partition-marks';
import { migrateClickHouse } from './clickhouse/migrate';
import { openMirrorStore } from './clickhouse/mirror-store';
import { openEraser } from './clickhouse/eraser';
import { openQuarantine } from './clickhouse/quarantine';
import { removeBelow } from './clickhouse/remove-below';
import { removeKeys, removeStrays, signsOf } from './clickhouse/repair-rows';
import { standingRows } from './clickhouse/standing-rows';
import { watchTarget } from './clickhouse/target';
import type { Config } from './config';
import { tableFilter } from './config-patterns';
import { createHolder, takeTable, type LeasePorts } from './delivery/group-leases';
import type { Delivery } from './delivery/delivery';
import { createOperations, type Operations } from './delivery/operations';
import type { PauseWatch } from './delivery/pauses';
import type { DeliveryLimits, DeliveryPorts } from './delivery/ports';
import { fillFromChanges } from './delivery/rebuild';
import { rebuildMarks } from './delivery/rebuild-marks';
import { createSchemas, type Schemas } from './delivery/schemas';
import { tableKnowledge, type Catalogue } from './delivery/table-knowledge';
import { announceRepair, waitForRepairs, type NoticePorts } from './delivery/repair-notice';
import { createTables } from './delivery/tables';
import { ServiceError } from './errors';
import type { Emit } from './events';
import type { Log } from './kafka/log';
import { OP, tableName } from './model';
import type { Filter } from './pipeline';
import { catalogueState, readTable } from './postgres/catalogue';
import type { Postgres } from './postgres/client';
import { openRegistry } from './registry/client';
import { pause } from './retry';

export function databasesOf(config: Config): Databases {
  return { views: config.clickhouse.database, machinery: `${config.clickhouse.database}_cdc` };
}

export function connectTarget(config: Config): ClickHouse {
  return connectClickHouse({
    ...config.clickhouse,
    application: 'debezium-clickhouse',
    requestTimeoutMs: config.insertTimeoutMs * 2 + 30_000,
  });
}

/** The target, ready to be written to by this group. */
export interface PreparedTarget {
  readonly control: Control;
  /** The longest any process of this target lets an insert be under way, s: what a wait after another hand must be. */
  readonly waitSeconds: number;
}

/** What the service needs of ClickHouse before anything else: databases, tables, and that the target is this group's. */
export async function prepareTarget(
  clickhouse: ClickHouse,
  config: Config,
  { takeOver }: { takeOver: boolean },
): Promise<PreparedTarget> {
  const databases = databasesOf(config);
  await migrateClickHouse(clickhouse, databases);
  const control = openControl(clickhouse, databases.machinery);
  const owner = await control.get('group');
  if (owner === null || takeOver) await control.set('group', config.kafka.groupId);
  else if (owner !== config.kafka.groupId) throw ownedBy(owner, config);
  const ownWait = (config.guardMs + config.insertTimeoutMs * 2) / 1_000;
  const knownWait = Number((await control.get('longest_wait_seconds')) ?? 0);
  if (ownWait > knownWait) await control.set('longest_wait_seconds', String(ownWait));
  return { control, waitSeconds: Math.max(ownWait, knownWait) };
}

function ownedBy(owner: string, config: Config): ServiceError {
  return new ServiceError(
    'TARGET_OWNED_BY_OTHER_GROUP',
    `The consumer group ${owner} writes to ${config.clickhouse.database}; this service is of group ${config.kafka.groupId}.`,
    {
      hint: `Set KAFKA_GROUP_ID=${owner} to continue its work, CH_DATABASE to a database of its own for a second reader, or, once no service of ${owner} runs any more, start with --take-over.`,
    },
  );
}

export function limitsOf(
  config: Config,
  { waitSeconds, acceptLoss }: { waitSeconds: number; acceptLoss: boolean },
): DeliveryLimits {
  return {
    blockRows: config.block.rows,
    blockBytes: config.block.bytes,
    blockAgeMs: config.block.ageMs,
    guardSeconds: config.guardMs / 1_000,
    insertSeconds: config.insertTimeoutMs / 1_000,
    idleCommitMs: config.kafka.idleCommitMs,
    waitSeconds,
    acceptLoss,
    mirrors: config.mirrors,
    placeholder: Buffer.from(config.unavailableValue, 'utf8'),
  };
}

export function filterOf(config: Config): Filter {
  const included = tableFilter(config.tables);
  return {
    ops: new Set([...config.ops].map((op) => OP[op])),
    keeps: (schema, table) => included(tableName({ schema, name: table })),
    isSignal: (schema, table) => tableName({ schema, name: table }) === config.connector.signalTable,
  };
}

/** Topics of the connector: of its prefix, and its heartbeat. */
export function isOurTopic(prefix: string): (topic: string) => boolean {
  return (topic) => topic.startsWith(`${prefix}.`) || topic === `__debezium-heartbeat.${prefix}`;
}

/** Topics of tables: neither Debezium's transactions nor its messages, whose names hold no schema. */
export function isTableTopic(prefix: string): (topic: string) => boolean {
  return (topic) => topic.startsWith(`${prefix}.`) && topic.slice(prefix.length + 1).includes('.');
}

/** What the commands for operating have done by the owners of partitions. */
export function operationsOf(
  { config, clickhouse, emit }: Pick<Edges, 'config' | 'clickhouse' | 'emit'>,
  ports: DeliveryPorts,
  running: { readonly delivery: Delivery; readonly pauses: PauseWatch },
): Operations {
  const { machinery } = databasesOf(config);
  return createOperations({
    ...running,
    retrying: { quarantine: openQuarantine(clickhouse, machinery), ports, filter: filterOf(config), emit },
    forgetting: {
      eraser: openEraser(clickhouse, machinery),
      mirrorOf: async (schema, name) =>
        (await ports.tables.open({ source: '', db: '', schema, name }, { upTo: -1, shownBy: null })).mirrored?.target ??
        null,
      emit,
    },
  });
}

export interface Edges {
  readonly config: Config;
  readonly clickhouse: ClickHouse;
  readonly postgres: Postgres | null;
  readonly control: Control;
  readonly log: Log;
  readonly limits: DeliveryLimits;
  readonly emit: Emit;
  /** Names this process among those of the group. */
  readonly processId: string;
  /** Ends the waiting for PostgreSQL when a table is met for the first time. */
  readonly signal: AbortSignal;
}

/** Avro's schemas from the registry of the settings. */
export function schemasOf({ registry }: Config, emit: Emit): Schemas {
  const client = registry === null ? null : openRegistry(registry);
  return createSchemas({ fetch: client === null ? null : (ref) => client.schema(ref), emit, sleep: pause });
}

/** The publication that the connector reads: it decides which columns are in the stream. */
export function publicationOf({ connector }: Config): string {
  return connector.placeholders['PUBLICATION_NAME'] ?? '';
}

function catalogueOf(postgres: Postgres, publication: string, emit: Emit): Catalogue {
  const query = (sql: string, params: readonly unknown[]): Promise<object[]> => postgres.query(sql, params);
  return {
    async table(schema, name) {
      const startedAt = performance.now();
      const table = await readTable(query, schema, name, publication);
      emit({
        tag: 'catalogue-read',
        table: tableName({ schema, name }),
        ms: Math.round(performance.now() - startedAt),
      });
      return table;
    },
    state: (schema, name) => catalogueState(query, schema, name),
  };
}

export function portsOf({
  config,
  clickhouse,
  postgres,
  control,
  log,
  limits,
  emit,
  processId,
  signal,
}: Edges): DeliveryPorts {
  const databases = databasesOf(config);
  const target = watchTarget(clickhouse, databases.machinery, () => performance.now());
  const answers = lookUps(clickhouse, databases.machinery);
  const insert: DeliveryPorts['insert'] = (one, guard, seconds) => guardedInsert(clickhouse, one, guard, seconds);
  const glance: DeliveryPorts['glance'] = () => target.glance();
  const currentRows: DeliveryPorts['currentRows'] = (table, images, rows, within) =>
    standingRows(clickhouse, { mirror: table.target, within: within ?? null }, images, rows);
  const { guardSeconds, insertSeconds } = limits;
  const store = openMirrorStore(clickhouse, databases, control);
  const tables = createTables({
    knowledge: tableKnowledge({
      catalogue: postgres === null ? null : catalogueOf(postgres, publicationOf(config), emit),
      memory: control,
      emit,
      signal,
    }),
    store,
    routes: config.tables.routes,
    fill: (of) =>
      fillFromChanges({ ...of, guardSeconds, insertSeconds }, { lookUps: answers, glance, insert, currentRows }),
    emit,
    signal,
  });
  const leasing: LeasePorts = {
    control,
    log,
    processId,
    emit,
    dropShadow: (name) => store.dropShadow(name),
    alone: (table, action) => tables.alone(table, action),
    sleep: pause,
    giveUp: signal,
  };
  const noting: NoticePorts = { control, log, processId, sleep: pause, insertSeconds };
  return {
    log,
    lookUps: answers,
    schemas: schemasOf(config, emit),
    marks: (of) => partitionMarks(clickhouse, databases.machinery, of),
    tables,
    takeTable: (of, assignment) => takeTable(of, leasing, assignment),
    rebuildMarks: rebuildMarks(control),
    async revoke(until) {
      await store.dropShadows();
      await waitForRepairs(noting, until);
    },
    repairs: {
      announced: (places, until, repair) => announceRepair(places, noting, until, repair),
      signsOf: ({ target: mirror }, images, rows) => signsOf(clickhouse, mirror, images, rows),
      removeKeys: ({ target: mirror }, images, rows, deadlineMs) =>
        removeKeys(clickhouse, mirror, { images, rows }, deadlineMs),
      removeStrays: ({ target: mirror, layout }, strays, deadlineMs) => {
        const key = layout.key.map((index) => layout.columns[index]?.name ?? '');
        return removeStrays(clickhouse, mirror, { key, strays }, deadlineMs);
      },
    },
    createHolder: (until) => createHolder(leasing, until),
    glance,
    forgetGlance: () => target.forget(),
    migrate: async () => void (await migrateClickHouse(clickhouse, databases)),
    currentRows,
    insert,
    removeBelow: (table, of, below) => removeBelow(clickhouse, table.target, databases, { ...of, below }),
    emit,
    now: () => Date.now(),
    sleep: pause,
  };
}
