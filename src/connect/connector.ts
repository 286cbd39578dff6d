/** The Debezium connector's life in Kafka Connect: registering it, looking at it, and removing it with all it holds. */
import { ServiceError } from '../errors';
import type { HttpEndpoint } from '../security';
import { fillPlaceholders, PLACEHOLDER_DEFAULTS, readProfile, withDefaults } from './profile';
import type { Profile } from './profile';
import { openConnect, pause, traceHead } from './rest';
import type { ConnectRest, RawStatus } from './rest';
import { describeCapture, prepareSource, removeFromSource, tableIncludeList } from './source';
import type { Capture, SourceSql } from './source';

/** What `applyConnector` needs. */
export interface ApplyOptions {
  readonly connectUrl: string | HttpEndpoint;
  readonly profile: Profile;
  /**
   * Values of the profile's placeholders: PG_HOST, PG_PORT, PG_USER, PG_PASSWORD, PG_DATABASE as **Kafka Connect** reaches
   * the source (inside Docker another address than ours), REGISTRY_URL for avro, and any of `PLACEHOLDER_DEFAULTS`.
   */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** Options beyond the profile's, such as `database.sslmode`; null takes one out. */
  readonly extra?: Readonly<Record<string, string | null>>;
  /** The source as **we** reach it; `openPostgres(PG_URL)`. The caller closes it. */
  readonly postgres: SourceSql;
  /** Which tables; the demo captures a whole schema so that new tables arrive by themselves. */
  readonly capture: Capture;
  /** Gets one plain line for each thing done. */
  readonly log: (line: string) => void;
  /** Milliseconds until connector and task must run; 60,000 if not given. */
  readonly deadlineMs?: number;
  /** Where the profiles are; `connectors/` of this package if not given. */
  readonly profilesFolder?: string;
}

/** A connector as `connectorStatus` saw it. */
export interface ConnectorStatus {
  readonly name: string;
  /** RUNNING, PAUSED, STOPPED, FAILED, RESTARTING, UNASSIGNED; MISSING when there is no such connector. */
  readonly state: string;
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace: string }[];
  /** The connector and at least one task run, and no task does anything else. */
  readonly running: boolean;
}

const POLL_MS = 200;

/**
 * Registers the connector, or brings it to this configuration: makes the signal table and the publication, PUTs the
 * configuration, restarts what had failed or was stopped, and waits until connector and task are RUNNING. Safe to repeat:
 * a connector that runs with this configuration is left alone.
 * Throws CONFIG_INVALID (a placeholder without a value), CONNECT_UNREACHABLE, CONNECTOR_FAILED (with the task's error).
 */
export async function applyConnector(options: ApplyOptions): Promise<ConnectorStatus> {
  const { profile, capture, log, postgres } = options;
  const values = withDefaults({ ...options.settings, TABLE_INCLUDE_LIST: tableIncludeList(capture) });
  const { name, config } = fillPlaceholders(readProfile(profile, options.profilesFolder), values);
  const secrets = secretsOf(values);
  const connect = openConnect(options.connectUrl, { secrets });

  const before = await connect.config(name);
  sayIfFormChanges(before, config, log);
  await prepareSource({
    postgres,
    capture,
    signalTable: options.extra?.['signal.data.collection'] === null ? null : valueOf(values, 'SIGNAL_TABLE'),
    publication: valueOf(values, 'PUBLICATION_NAME'),
    log,
  });

  const wanted = withExtra({ ...config, ...captureOptions(capture) }, options.extra ?? {});
  const done = await bringTo(connect, { name, before, wanted, deadlineMs: options.deadlineMs ?? 60_000 });
  log(`connector ${name}: ${done} (${profile}, ${describeCapture(capture)})`);
  const status = await untilRunning(connect, { name, secrets, deadlineMs: options.deadlineMs ?? 60_000 });
  log(`connector ${name}: RUNNING, ${status.tasks.length} task RUNNING`);
  return status;
}

/** What `deleteConnector` needs. */
export interface DeleteOptions {
  readonly connectUrl: string | HttpEndpoint;
  /** As for `applyConnector`; here only the names matter, and only when the connector is already gone. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  readonly postgres: SourceSql;
  readonly log: (line: string) => void;
  /** Milliseconds to wait for the connector to stop and for its slot to become inactive; 30,000 each if not given. */
  readonly deadlineMs?: number;
}

/**
 * Removes the connector, its stored position (a later apply makes a new snapshot), its slot, and what `applyConnector`
 * made in the source: publication and signal table. What others made is kept, and said. Fine when nothing is there.
 * Throws CONNECT_UNREACHABLE, CONNECTOR_FAILED (the slot is still in use).
 */
export async function deleteConnector(options: DeleteOptions): Promise<void> {
  const { log } = options;
  const values = withDefaults(options.settings);
  const deadlineMs = options.deadlineMs ?? 30_000;
  const name = valueOf(values, 'CONNECTOR_NAME');
  const connect = openConnect(options.connectUrl, { secrets: secretsOf(values) });

  const config = await connect.config(name);
  if (config === null) log(`connector ${name}: there was none`);
  else await removeFromConnect(connect, { name, deadlineMs, log });
  await removeFromSource({
    postgres: options.postgres,
    slot: config?.['slot.name'] ?? valueOf(values, 'SLOT_NAME'),
    publication: config?.['publication.name'] ?? valueOf(values, 'PUBLICATION_NAME'),
    signalTable: config?.['signal.data.collection'] ?? valueOf(values, 'SIGNAL_TABLE'),
    deadlineMs,
    log,
  });
}

/** How the connector is. Throws CONNECT_UNREACHABLE; a connector that does not exist is a status, not an error. */
export async function connectorStatus(options: {
  readonly connectUrl: string | HttpEndpoint;
  readonly name?: string;
  readonly secrets?: readonly string[];
}): Promise<ConnectorStatus> {
  const name = options.name ?? valueOf(PLACEHOLDER_DEFAULTS, 'CONNECTOR_NAME');
  const secrets = options.secrets ?? [];
  const connect = openConnect(options.connectUrl, { secrets, busyMs: 5_000, requestMs: 5_000 });
  return toStatus(name, await connect.status(name), secrets);
}

/** A status as lines for a person. */
export function renderStatus(status: ConnectorStatus): string {
  const lines = [`connector ${status.name}: ${status.state}`];
  for (const task of status.tasks) {
    lines.push(`  task ${task.id}: ${task.state}`);
    if (task.trace !== '') lines.push(...task.trace.split('\n').map((line) => `    ${line}`));
  }
  if (status.tasks.length === 0 && status.state !== 'MISSING') lines.push('  no task');
  return lines.join('\n');
}

/** Options that depend on what is captured and so cannot stand in the profile's file. */
function captureOptions(capture: Capture): Record<string, string> {
  // Only in the demo: elsewhere nobody's tables are altered behind their back.
  if (capture.kind !== 'whole-schema') return {};
  return { 'replica.identity.autoset.values': `${tableIncludeList(capture)}:FULL` };
}

function withExtra(
  config: Readonly<Record<string, string>>,
  extra: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const entries = Object.entries({ ...config, ...extra });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
}

/** Registers or reconfigures; what runs unchanged is left alone. Says which. */
async function bringTo(
  connect: ConnectRest,
  options: {
    name: string;
    before: Readonly<Record<string, string>> | null;
    wanted: Readonly<Record<string, string>>;
    deadlineMs: number;
  },
): Promise<'registered' | 'configured anew' | 'restarted' | 'unchanged'> {
  const { name, before, wanted } = options;
  if (before === null) {
    await connect.putConfig(name, wanted);
    return 'registered';
  }
  const same = sameConfig(before, wanted);
  const status = await connect.status(name);
  if (same && status?.connector.state === 'RUNNING' && !hasFailed(status)) return 'unchanged';
  // Stopped first, because the states read after a mere PUT may still be those of the configuration before.
  await stopAndWait(connect, options);
  try {
    await connect.putConfig(name, wanted);
  } finally {
    await connect.resume(name);
  }
  return same ? 'restarted' : 'configured anew';
}

function sameConfig(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  // Connect adds the name to the configuration it stores.
  const text = (config: Readonly<Record<string, string>>): string =>
    JSON.stringify(
      Object.entries(config)
        .filter(([option]) => option !== 'name')
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  return text(left) === text(right);
}

export async function untilRunning(
  connect: ConnectRest,
  options: { name: string; secrets: readonly string[]; deadlineMs: number },
): Promise<ConnectorStatus> {
  const deadline = performance.now() + options.deadlineMs;
  for (;;) {
    const status = toStatus(options.name, await connect.status(options.name), options.secrets);
    if (status.running) return status;
    const failed = status.state === 'FAILED' || taskFailed(status);
    if (failed || performance.now() > deadline) throw didNotStart(status);
    await pause(POLL_MS);
  }
}

function didNotStart(status: ConnectorStatus): ServiceError {
  return new ServiceError('CONNECTOR_FAILED', `the connector does not run\n${renderStatus(status)}`, {
    hint:
      'The trace above is the reason as Debezium gave it. Mend it and apply again; as long as its slot is there, no change ' +
      'is lost meanwhile. `debezium-clickhouse check` names common causes, the worker log has the whole trace.',
  });
}

async function removeFromConnect(
  connect: ConnectRest,
  options: { name: string; deadlineMs: number; log: (line: string) => void },
): Promise<void> {
  const { name, log } = options;
  await stopAndWait(connect, options);
  await connect.deleteOffsets(name);
  await connect.remove(name);
  await until(options.deadlineMs, async () => (await connect.status(name)) === null);
  log(`connector ${name}: removed, with its stored position`);
}

async function stopAndWait(connect: ConnectRest, options: { name: string; deadlineMs: number }): Promise<void> {
  const { name, deadlineMs } = options;
  await connect.stop(name);
  const stopped = await until(deadlineMs, async () => {
    const status = await connect.status(name);
    return status === null || (status.connector.state === 'STOPPED' && status.tasks.length === 0);
  });
  if (stopped) return;
  throw new ServiceError('CONNECTOR_FAILED', `the connector ${name} did not stop; nothing was changed`, {
    hint: 'Look at the worker log (make logs PART=connect), restart the worker, and run the command again.',
  });
}

/** Asks until the answer is true; false when it was not within `ms`. */
async function until(ms: number, condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

export function toStatus(name: string, raw: RawStatus | null, secrets: readonly string[]): ConnectorStatus {
  if (raw === null) return { name, state: 'MISSING', tasks: [], running: false };
  const tasks = raw.tasks.map((task) => ({
    id: task.id,
    state: task.state,
    trace: traceHead(task.trace ?? '', secrets),
  }));
  const running =
    raw.connector.state === 'RUNNING' && tasks.length > 0 && tasks.every((task) => task.state === 'RUNNING');
  return { name, state: raw.connector.state, tasks, running };
}

function hasFailed(status: RawStatus | null): boolean {
  if (status === null) return false;
  return status.connector.state === 'FAILED' || taskFailed(status);
}

export function taskFailed({ tasks }: { readonly tasks: readonly { readonly state: string }[] }): boolean {
  return tasks.some(({ state }) => state === 'FAILED');
}

/** Between two states, as a worker that takes up a configuration or shares out the work anew has it for a moment. */
function isPassing({ state, tasks }: ConnectorStatus): boolean {
  return [state, ...tasks.map((task) => task.state)].some((one) => one === 'UNASSIGNED' || one === 'RESTARTING');
}

/** How the connector is once it is in no state that passes by itself, or after `ms` all the same. */
export async function settledStatus(
  options: Parameters<typeof connectorStatus>[0],
  ms: number,
): Promise<ConnectorStatus> {
  let status = await connectorStatus(options);
  await until(ms, async () => {
    if (!isPassing(status)) return true;
    status = await connectorStatus(options);
    return false;
  });
  return status;
}

function sayIfFormChanges(
  before: Readonly<Record<string, string>> | null,
  after: Readonly<Record<string, string>>,
  log: (line: string) => void,
): void {
  if (before === null) return;
  const form = (config: Readonly<Record<string, string>>): string =>
    `${config['value.converter'] ?? ''} ${config['value.converter.schemas.enable'] ?? ''}`;
  if (form(before) !== form(after)) {
    log('the form of the records changes: the topics hold both from here on; older records stay as they are');
  }
}

function secretsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values)
    .filter(([name]) => name.endsWith('_PASSWORD'))
    .map(([, value]) => value);
}

function valueOf(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name];
  if (value === undefined)
    throw new ServiceError('INTERNAL', `${name} has no default`, { hint: 'Report this as a bug.' });
  return value;
}
