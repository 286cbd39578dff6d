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
import { isReadAgain } from './clickhouse/renamed';
import { removeKeys, removeStrays, signsOf } from './clickhouse/repair-rows';
import { standingRows } from './clickhouse/standing-rows';
import { watchTarget } from './clickhouse/target';
import { openWireSchemas } from './clickhouse/wire-schemas';
import type { Config } from './config';
import { openConnect } from './connect/rest';
import { modesBeside, modesOfConnector, modesOfText, modesText } from './connector-modes';
import { tableFilter } from './config/patterns';
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
import { openReader } from './kafka/reader';
import { recordsAt } from './kafka/records-at';
import { placeholderOf } from './placeholder';
import { OP, PROFILE_MODES, tableName, type ConnectorModes } from './model';
import type { Filter } from './pipeline';
import { catalogueState, readTable } from './postgres/catalogue';
import type { Postgres } from './postgres/client';
import type { SchemaRef } from './debezium/schema-header';
import { openRegistry } from './registry/client';
import { pause } from './retry';
import { maskingOf, publicationOf } from './wiring/masking';

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

/**
 * How the connector writes plain JSON: as the setting says, else as the running connector is configured, else as it was
 * when it could last be asked, else as our profiles. Throws CONNECT_UNREACHABLE where nothing at all is known of a
 * connector that cannot be asked: a guess would write wrong values.
 */
export async function readModes(config: Config, control: Control, emit: Emit): Promise<ConnectorModes> {
  const { name, modes: set } = config.connector;
  const kept = `modes:${name}`;
  const remembered = modesOfText((await control.get(kept)) ?? '?') ?? null;
  const running = await runningModes(config).catch((error: unknown) => {
    if (set === null && remembered === null) throw error;
    return null;
  });
  if (running === null) return set ?? remembered ?? PROFILE_MODES;
  const options = modesBeside(set ?? remembered ?? running, running);
  if (options.length > 0) emit({ tag: 'connector-modes-differ', from: set === null ? 'before' : 'setting', options });
  await control.set(kept, modesText(running));
  return set ?? running;
}

/** A request to Kafka Connect may take this long. */
const CONNECT_PATIENCE_MS = 5_000;

/** null where no setting names Kafka Connect, or it has no such connector. */
async function runningModes({ connect, connector, postgres }: Config): Promise<ConnectorModes | null> {
  if (connect === null) return null;
  const secrets = postgres === null || postgres.password === '' ? [] : [postgres.password];
  const rest = openConnect(connect, { secrets, requestMs: CONNECT_PATIENCE_MS, busyMs: CONNECT_PATIENCE_MS });
  const found = await rest.config(connector.name);
  if (found === null) return null;
  const modes = modesOfConnector(found);
  if (!('unread' in modes)) return modes;
  throw new ServiceError('CONFIG_INVALID', `The connector has a ${modes.unread} that this service does not read.`, {
    hint: `Give it a value that docs/types.md lists, for example by: debezium-clickhouse connectors apply`,
  });
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
    placeholder: placeholderOf(config.unavailableValue),
  };
}

export function filterOf(config: Config): Filter {
  const included = tableFilter(config.tables);
  const { records } = maskingOf(config);
  return {
    ...(records === undefined ? {} : { masking: records }),
    ops: new Set([...config.ops].map((op) => OP[op])),
    keeps: (schema, table) => included(tableName({ schema, name: table })),
    isSignal: (schema, table) => tableName({ schema, name: table }) === config.connector.signalTable,
  };
}

export function heartbeatTopic(prefix: string): string {
  return `__debezium-heartbeat.${prefix}`;
}

/** Topics of the connector: of its prefix, and its heartbeat. */
export function isOurTopic(prefix: string): (topic: string) => boolean {
  return (topic) => topic.startsWith(`${prefix}.`) || topic === heartbeatTopic(prefix);
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
    retrying: {
      quarantine: openQuarantine(clickhouse, machinery),
      ports,
      filter: filterOf(config),
      async again(of, offsets, signal) {
        const reader = openReader({ ...config.kafka, holdMs: 0 });
        try {
          return await recordsAt(reader, of, offsets, signal);
        } finally {
          await reader.close();
        }
      },
      emit,
    },
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
  /** How the connector writes plain JSON. */
  readonly modes: ConnectorModes;
  readonly emit: Emit;
  /** Names this process among those of the group. */
  readonly processId: string;
  /** Ends the waiting for PostgreSQL when a table is met for the first time. */
  readonly signal: AbortSignal;
}

/** Avro's schemas from the registry of the settings. */
export function schemasOf({ registry }: Config, emit: Emit): Schemas {
  const client = registry === null ? null : openRegistry(registry);
  const fetch = async (ref: SchemaRef): Promise<string | null> => {
    const startedAt = performance.now();
    const text = (await client?.schema(ref)) ?? null;
    const ms = Math.round(performance.now() - startedAt);
    emit({ tag: 'schema-read', id: ref.id, found: text === null ? 'no' : 'yes', ms });
    return text;
  };
  return createSchemas({ fetch: client === null ? null : fetch, emit, sleep: pause });
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

export function portsOf(edges: Edges): DeliveryPorts {
  const { config, clickhouse, postgres, control, log, limits, modes, emit, processId, signal } = edges;
  const databases = databasesOf(config);
  const target = watchTarget(clickhouse, databases.machinery, () => performance.now());
  const wires = openWireSchemas(clickhouse, databases.machinery);
  const answers = lookUps(clickhouse, databases.machinery, wires);
  const insert: DeliveryPorts['insert'] = (one, guard, seconds) => guardedInsert(clickhouse, one, guard, seconds);
  const glance: DeliveryPorts['glance'] = () => target.glance();
  const currentRows: DeliveryPorts['currentRows'] = (table, images, rows, within) =>
    standingRows(clickhouse, { mirror: table.target, within: within ?? null }, images, rows);
  const { guardSeconds, insertSeconds } = limits;
  const store = openMirrorStore(clickhouse, databases, control);
  const masking = maskingOf(config);
  const tables = createTables({
    masking,
    knowledge: tableKnowledge({
      masking,
      catalogue: postgres === null ? null : catalogueOf(postgres, publicationOf(config), emit),
      memory: control,
      rules: config.columns,
      isReadAgain: (renamed) => isReadAgain((sql) => clickhouse.query(sql), databases.machinery, renamed),
      emit,
      signal,
    }),
    store,
    wires,
    modes,
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
    migrate: async () => {
      await migrateClickHouse(clickhouse, databases);
      wires.forget();
    },
    currentRows,
    insert,
    removeBelow: (table, of, below) => removeBelow(clickhouse, table.target, databases, { ...of, below }),
    emit,
    now: () => Date.now(),
    sleep: pause,
  };
}
