/** The local stack: PostgreSQL, ClickHouse, Kafka, Kafka Connect and the registry as processes of this machine. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyConnector } from '../src/connect/connector';
import type { Profile } from '../src/connect/profile';
import type { Capture } from '../src/connect/source';
import { ServiceError } from '../src/errors';
import { openPostgres } from '../src/postgres/client';
import { downloadFolder, ensureDownloads } from './downloads';
import type { DownloadName } from './downloads';
import { openHandle } from './local-handle';
import type { LocalStack, StackHandle } from './local-handle';
import { requireJava, requireMaven, requirePlatform } from './needed-tools';
import type { Part } from './part';
import { clickhousePart } from './part-clickhouse';
import { partLog } from './part-log';
import { PG_DATABASE, PG_USER, postgresPart } from './part-postgres';
import { awaitPart, startPart } from './part-runner';
import { connectPart, kafkaPart, registryPart } from './parts-jvm';
import { choosePorts } from './ports';
import { isRunning, stopProcess } from './process-identity';
import { projectRoot } from './project-root';
import { withStackLock } from './stack-lock';
import { PORT_NAMES } from './stack-settings';
import type { PortName, Ports } from './stack-settings';
import { readState, writeState } from './state';
import type { PartName, StackEnv, StackState } from './state';

export const PARTS: Readonly<Record<PartName, Part>> = {
  postgres: postgresPart,
  clickhouse: clickhousePart,
  kafka: kafkaPart,
  connect: connectPart,
  registry: registryPart,
};

/** The demo's capture: the whole schema, so that a table created later arrives by itself. */
export const CAPTURE: Capture = { kind: 'whole-schema', schema: 'public' };

export interface StackOptions {
  /** Absolute path of the folder for state, logs and data. */
  readonly dir: string;
  /** Absolute path of the downloads; several stacks may share it. */
  readonly partsDir: string;
  /** `free`: any free ports, kept by later starts in the same folder. */
  readonly ports: Ports | 'free';
  /** The connector profile to register; null for none. `avro` brings the registry. */
  readonly connector: Profile | null;
  /** `later`: whoever uses the stack registers connectors of its own; the parts are those that `connector` needs. */
  readonly registration?: 'now' | 'later';
  /** Connect without its exactly-once, for tests of what comes twice; not if not given. */
  readonly sendsTwice?: boolean;
  /** Which tables the connector captures; the schema `public` if not given. */
  readonly capture?: Capture;
  /** Values for the connector profile's placeholders beyond the address of the source, such as TOPIC_PREFIX. */
  readonly connectorSettings?: Readonly<Record<string, string | undefined>>;
  /** Gets one plain line for each thing done. */
  readonly log: (line: string) => void;
}

/** The parts that belong to a stack with this connector, in the order in which they are shown. */
export function partsOf(connector: Profile | null): readonly PartName[] {
  const always: readonly PartName[] = ['postgres', 'clickhouse', 'kafka', 'connect'];
  return connector === 'avro' ? [...always, 'registry'] : always;
}

/**
 * Starts what is not running, keeps what is, registers the connector and waits until its task is RUNNING.
 * Data in `dir` is used again. Throws CONFIG_INVALID (a port in use; nothing was started), STACK_FAILED (a part did
 * not come up; the others stay), CONNECTOR_FAILED.
 */
export async function startStack(options: StackOptions): Promise<StackHandle> {
  requirePlatform(process.platform, process.arch);
  return withStackLock(options.dir, async () => {
    const local = await plan(options);
    await startParts(local, options);
    if (options.connector !== null && options.registration !== 'later') await registerConnector(local.state, options);
    return openHandle(local);
  });
}

/** A stack that was started before, from its state file; null where there is none. */
export function openStack(options: Pick<StackOptions, 'dir' | 'partsDir' | 'log'>): StackHandle | null {
  const state = readState(options.dir);
  return state?.mode === 'local' ? openHandle(describe(options, state)) : null;
}

/** Decides ports and settings and writes them down; nothing is started, but a part of another variant is stopped. */
async function plan(options: StackOptions): Promise<LocalStack> {
  const { dir, connector } = options;
  const before = readState(dir);
  if (before?.mode === 'docker') {
    throw new ServiceError('STACK_FAILED', `${dir} belongs to a stack in Docker`, {
      hint: 'Remove that one with its data (make clean), or give this one a folder: make up STACK=local STACK_DIR=.stack-local',
    });
  }
  const names = partsOf(connector);
  const running = await keepers(before, options);
  const down = names.filter((name) => !running.has(name));
  await requireTools(options, down);
  const ports = await choosePorts({
    wanted: options.ports === 'free' ? ZERO_PORTS : options.ports,
    before: before?.ports,
    inUse: portsOf([...running]),
    needed: portsOf(down),
  });
  const password = pgPassword(dir);
  const state: StackState = {
    format: 1,
    mode: 'local',
    connector,
    ports,
    env: environmentOf(ports, password, connector),
    ...(options.sendsTwice === true ? { sendsTwice: true } : {}),
    parts: before?.parts ?? {},
  };
  writeState(dir, state);
  return describe(options, state);
}

/** The parts that run and may stay. Connect is stopped when it was started without what the connector needs now. */
async function keepers(before: StackState | null, options: StackOptions): Promise<ReadonlySet<PartName>> {
  const running = new Set<PartName>();
  for (const [key, state] of Object.entries(before?.parts ?? {})) {
    const name = key as PartName;
    if (!isRunning(state)) continue;
    const lacksAvro = name === 'connect' && options.connector === 'avro' && state.variant !== 'avro';
    if (lacksAvro) {
      options.log('connect: restarting, to add the Avro converter');
      await stopProcess(state, { signals: PARTS[name].stopSignals, waitMs: 20_000 });
    } else running.add(name);
  }
  return running;
}

/** Says what the machine lacks before anything is started. */
async function requireTools(options: StackOptions, down: readonly PartName[]): Promise<void> {
  const avro = options.connector === 'avro';
  const downloads = down.flatMap((name) => PARTS[name].downloads(avro));
  if (downloads.length === 0) return;
  await requireJava();
  if (missingDownloads(options.partsDir, downloads).length > 0) requireMaven();
}

function missingDownloads(partsDir: string, names: readonly DownloadName[]): readonly DownloadName[] {
  const root = projectRoot();
  return [...new Set(names)].filter((name) => !existsSync(downloadFolder({ root, partsDir }, name)));
}

/** Starts all parts side by side, each as soon as what it needs is ready. Throws one STACK_FAILED for all that failed. */
async function startParts(local: LocalStack, options: StackOptions): Promise<void> {
  const avro = options.connector === 'avro';
  const { root, dir, partsDir } = local;
  // One after the other: Maven's local repository is not made for two at once.
  let queue: Promise<void> = Promise.resolve();
  const fetch = (names: readonly DownloadName[]): Promise<void> => {
    queue = queue.then(() => ensureDownloads({ root, partsDir, dir, log: options.log }, names));
    return queue;
  };
  const starts = new Map<PartName, Promise<void>>();
  for (const name of startOrder(partsOf(options.connector))) {
    const part = PARTS[name];
    const downloads = part.downloads(avro);
    const fetched = downloads.length === 0 ? Promise.resolve() : fetch(downloads);
    const needs = part.after.map((other) => starts.get(other));
    starts.set(
      name,
      (async () => {
        await Promise.all([fetched, ...needs]);
        await ensurePart(local, name);
      })(),
    );
  }
  const results = await Promise.allSettled(starts.values());
  const reasons = new Set(
    results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
  );
  if (reasons.size > 0) throw together([...reasons]);
}

/** Kafka before Connect; the registry, which is large, is downloaded last. */
function startOrder(names: readonly PartName[]): readonly PartName[] {
  const order: readonly PartName[] = ['postgres', 'clickhouse', 'kafka', 'connect', 'registry'];
  return order.filter((name) => names.includes(name));
}

async function ensurePart(local: LocalStack, name: PartName): Promise<void> {
  const run = local.run(name);
  const state = local.state.parts[name];
  if (state !== undefined && isRunning(state)) await awaitPart(run, state);
  else await startPart(run);
}

/** Several failures as one error; a single one as it is. */
function together(reasons: readonly unknown[]): unknown {
  if (reasons.length === 1) return reasons[0];
  const messages = reasons.map((reason) => (reason instanceof Error ? reason.message : String(reason)));
  const hints = reasons.flatMap((reason) => (reason instanceof ServiceError ? [reason.hint] : []));
  return new ServiceError('STACK_FAILED', messages.join('\n'), { hint: hints.join('\n') });
}

async function registerConnector(state: StackState, options: StackOptions): Promise<void> {
  if (options.connector === null) return;
  const postgres = openPostgres(state.env.PG_URL);
  try {
    await applyConnector({
      connectUrl: state.env.CONNECT_URL,
      profile: options.connector,
      settings: { ...options.connectorSettings, ...sourceSettings(state.env) },
      postgres,
      capture: options.capture ?? CAPTURE,
      log: options.log,
    });
  } finally {
    await postgres.close();
  }
}

/** The source's and the registry's address as Kafka Connect reaches them. */
function sourceSettings(env: StackEnv): Record<string, string | undefined> {
  const url = new URL(env.PG_URL);
  return {
    PG_HOST: url.hostname,
    PG_PORT: url.port,
    PG_USER: decodeURIComponent(url.username),
    PG_PASSWORD: decodeURIComponent(url.password),
    PG_DATABASE: url.pathname.slice(1),
    REGISTRY_URL: env.REGISTRY_URL,
  };
}

function describe(options: Pick<StackOptions, 'dir' | 'partsDir' | 'log'>, first: StackState): LocalStack {
  let state = first;
  const root = projectRoot();
  const { dir, partsDir } = options;
  const local: LocalStack = {
    root,
    dir,
    partsDir,
    get state() {
      return state;
    },
    contextFor: (name) => ({
      root,
      dir,
      partsDir,
      ports: state.ports,
      avro: state.connector === 'avro',
      sendsTwice: state.sendsTwice === true,
      pgUrl: state.env.PG_URL,
      pgPassword: decodeURIComponent(new URL(state.env.PG_URL).password),
      log: partLog(dir, name),
    }),
    setPart(name, part) {
      const { [name]: _old, ...others } = state.parts;
      state = { ...state, parts: part === null ? others : { ...others, [name]: part } };
      writeState(dir, state);
    },
    run: (name) => ({
      part: PARTS[name],
      context: local.contextFor(name),
      log: (line) => {
        options.log(`${name}: ${line}`);
      },
      onStarted: (part) => {
        local.setPart(name, part);
      },
    }),
  };
  return local;
}

const ZERO_PORTS = Object.fromEntries(PORT_NAMES.map((name) => [name, 0])) as Record<PortName, number>;

function portsOf(names: readonly PartName[]): ReadonlySet<PortName> {
  return new Set(names.flatMap((name) => PARTS[name].ports));
}

function environmentOf(ports: Ports, password: string, connector: Profile | null): StackEnv {
  return {
    PG_URL: `postgres://${PG_USER}:${password}@127.0.0.1:${ports.postgres}/${PG_DATABASE}`,
    CH_URL: `http://127.0.0.1:${ports.clickhouseHttp}`,
    CH_DATABASE: 'cdc',
    KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
    CONNECT_URL: `http://127.0.0.1:${ports.connect}`,
    ...(connector === 'avro' ? { REGISTRY_URL: `http://127.0.0.1:${ports.registry}` } : {}),
  };
}

/** The password of the local PostgreSQL: made once, beside its data, readable by its owner only. */
function pgPassword(dir: string): string {
  const file = join(dir, 'data', 'postgres-password');
  mkdirSync(join(dir, 'data'), { recursive: true });
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}
