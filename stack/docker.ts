/**
 * The stack in containers: whether Docker can be used here, and docker-compose.yml up, down and shown.
 * Where this was written there is no Docker daemon: the decision, the command lines and the reading of their answers are
 * tested, the containers themselves were not run.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyConnector } from '../src/connect/connector';
import type { Profile } from '../src/connect/profile';
import { ServiceError } from '../src/errors';
import { openPostgres } from '../src/postgres/client';
import { baseImages, parseCompose, servicesOf } from './compose-file';
import { attachDocker, runDocker } from './docker-command';
import type { Docker } from './docker-command';
import { CAPTURE, partsOf } from './local';
import { choosePorts } from './ports';
import { projectRoot } from './project-root';
import type { PartStatus } from './render';
import { PORT_SETTINGS } from './stack-settings';
import type { PortName, Ports, StackSettings } from './stack-settings';
import { PART_NAMES, readState, writeState } from './state';
import type { StackEnv, StackState } from './state';

/** Fixed, so that every command finds the containers and volumes again, whatever the folder is called. */
const PROJECT = 'debezium-clickhouse';
const PG_USER = 'postgres';
const PG_DATABASE = 'postgres';
const CH_USER = 'cdc';

/** docker-compose.yml insists on passwords, but stopping and showing do not use them. */
const NO_PASSWORDS = { PG_PASSWORD: 'unused', CH_PASSWORD: 'unused' };

/** Whether Docker can run the stack here; `reason` completes "because …" when it cannot. */
export interface DockerAnswer {
  readonly usable: boolean;
  readonly reason: string;
}

/**
 * Asks the daemon, then for Compose, then whether each image is here or its registry answers for it. Takes seconds at
 * most: a daemon that does not answer within five counts as none.
 */
export async function tryDocker(docker: Docker = runDocker): Promise<DockerAnswer> {
  const daemon = await docker(['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5_000 });
  if (daemon.code !== 0) return no('no Docker daemon answers');
  const compose = await docker(['compose', 'version', '--short'], { timeoutMs: 5_000 });
  if (compose.code !== 0) return no('Docker has no Compose plugin');
  const answers = await Promise.all(neededImages(projectRoot()).map((image) => canBeHad(docker, image)));
  const missing = answers.filter((image) => image !== null);
  if (missing.length > 0) return no(`these images cannot be had: ${missing.join(', ')}`);
  return { usable: true, reason: 'its daemon answers and the images can be had' };
}

function no(reason: string): DockerAnswer {
  return { usable: false, reason };
}

/** Images of the parts that always start; for one that is built here, those it is built on. */
function neededImages(root: string): readonly string[] {
  const file = parseCompose(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
  const images = servicesOf(file, []).flatMap(({ image, build }) => {
    if (build?.dockerfile !== undefined) return baseImages(readFileSync(join(root, build.dockerfile), 'utf8'));
    return image === undefined ? [] : [image];
  });
  return [...new Set(images)];
}

/** Null when the image is here or can be pulled, else its name. */
async function canBeHad(docker: Docker, image: string): Promise<string | null> {
  const here = await docker(['image', 'inspect', '--format', '{{.Id}}', image], { timeoutMs: 5_000 });
  if (here.code === 0) return null;
  const there = await docker(['manifest', 'inspect', image], { timeoutMs: 15_000 });
  return there.code === 0 ? null : image;
}

/** `docker compose` arguments in front of a subcommand. All profiles are named where everything of ours is meant. */
export function composeArgs(root: string, profiles: readonly string[]): readonly string[] {
  const chosen = profiles.flatMap((profile) => ['--profile', profile]);
  return ['compose', '--project-name', PROJECT, '--file', join(root, 'docker-compose.yml'), ...chosen];
}

const EVERYTHING = ['avro', 'service'];

export interface DockerUpOptions {
  readonly settings: StackSettings;
  readonly connector: Profile | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}

/**
 * Starts the containers, waits until all are healthy, registers the connector, and writes the state file.
 * Safe to repeat. Throws CONFIG_INVALID (a port in use), STACK_FAILED (with what Compose said last), CONNECTOR_FAILED.
 */
export async function dockerUp(options: DockerUpOptions, docker: Docker = runDocker): Promise<StackState> {
  const { settings, connector, environment, log } = options;
  const root = projectRoot();
  const before = readState(settings.dir);
  if (before?.mode === 'local' && Object.keys(before.parts).length > 0) {
    throw new ServiceError('STACK_FAILED', 'this stack runs as local processes', { hint: 'Stop it first: make down' });
  }
  const ports = await portsFor(options, before?.mode === 'docker' ? before : null, docker);
  const passwords = passwordsFor(before?.mode === 'docker' ? before.env : null, environment);
  const env = environmentOf(ports, passwords, connector);
  const state: StackState = { format: 1, mode: 'docker', connector, ports, env, parts: {} };
  // Before the containers: a password that was made up must outlive a start that fails, the volumes keep it too.
  writeState(settings.dir, state);

  log('containers: starting (the first time, images are pulled and the Connect image is built)');
  const result = await docker(upArgs(root, connector), {
    env: { ...passwords, ...portVariables(ports), ...chDatabase(env) },
    onLine: log,
  });
  if (result.code !== 0) throw upFailed(result.stderr);
  log('containers: healthy');
  if (connector !== null) await registerConnector({ state, connector, environment, log });
  return state;
}

/** The command line of `up`: it returns when every container is healthy, or fails when one is not within five minutes. */
export function upArgs(root: string, connector: Profile | null): readonly string[] {
  const profiles = connector === 'avro' ? ['avro'] : [];
  return [...composeArgs(root, profiles), 'up', '--detach', '--build', '--wait', '--wait-timeout', '300'];
}

/** Stops and removes the containers; the volumes, which hold the data, only when asked to. */
export async function dockerDown(
  options: { readonly settings: StackSettings; readonly data: 'keep' | 'remove'; readonly log: (line: string) => void },
  docker: Docker = runDocker,
): Promise<void> {
  const volumes = options.data === 'remove' ? ['--volumes'] : [];
  const args = [...composeArgs(projectRoot(), EVERYTHING), 'down', ...volumes];
  const result = await docker(args, { env: NO_PASSWORDS, onLine: options.log });
  if (result.code === 0) return;
  throw new ServiceError('STACK_FAILED', `the containers could not be stopped:\n${lastLines(result.stderr)}`, {
    hint: 'Does the Docker daemon run? Then: make down',
  });
}

/** Each part as `docker compose ps` has it; a part without a container is down. */
export async function dockerStatus(docker: Docker = runDocker): Promise<readonly PartStatus[]> {
  const args = [...composeArgs(projectRoot(), EVERYTHING), 'ps', '--all', '--format', 'json'];
  const result = await docker(args, { env: NO_PASSWORDS, timeoutMs: 15_000 });
  if (result.code !== 0) {
    throw new ServiceError('STACK_FAILED', `Docker does not say how the containers are:\n${lastLines(result.stderr)}`, {
      hint: 'Does the Docker daemon run?',
    });
  }
  return statusOf(parsePs(result.stdout));
}

/** Shows the logs of one part or of all. Gives the exit code. */
export async function dockerLogs(options: {
  readonly part: string | undefined;
  readonly follow: boolean;
  readonly lines: number;
}): Promise<number> {
  return attachDocker(logsArgs(projectRoot(), options), NO_PASSWORDS);
}

/** The command line of `logs`. */
export function logsArgs(
  root: string,
  options: { readonly part: string | undefined; readonly follow: boolean; readonly lines: number },
): readonly string[] {
  const { part, follow, lines } = options;
  const args = [...composeArgs(root, EVERYTHING), 'logs', '--tail', String(lines)];
  return [...args, ...(follow ? ['--follow'] : []), ...(part === undefined ? [] : [part])];
}

/** One container as `docker compose ps --format json` prints it. */
interface PsRow {
  readonly Service: string;
  readonly State: string;
  readonly Health?: string;
  readonly ID?: string;
  readonly Image?: string;
  readonly Publishers?: readonly { readonly PublishedPort: number }[] | null;
}

/** Older versions of Compose print one array, newer ones an object on each line. */
export function parsePs(text: string): readonly PsRow[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  if (trimmed.startsWith('[')) return JSON.parse(trimmed) as PsRow[];
  return trimmed.split('\n').map((line) => JSON.parse(line) as PsRow);
}

/** The rows of the status table: the parts that always belong, and the others where they have a container. */
export function statusOf(rows: readonly PsRow[]): readonly PartStatus[] {
  const always = partsOf(null);
  const found = new Map(rows.map((row) => [row.Service, row]));
  const extra = [...found.keys()].filter((name) => !always.some((part) => part === name) && name !== 'connector');
  return [...always, ...extra].map((part) => {
    const row = found.get(part);
    const port = row?.Publishers?.find(({ PublishedPort }) => PublishedPort > 0)?.PublishedPort ?? null;
    return {
      part,
      state: stateOf(row),
      port,
      process: row?.ID?.slice(0, 12) ?? '',
      version: row?.Image?.split(':').at(-1) ?? '',
      log: `make logs PART=${part}`,
    };
  });
}

function stateOf(row: PsRow | undefined): PartStatus['state'] {
  if (row?.State !== 'running') return 'down';
  // A container without a health check has an empty health.
  return row.Health === undefined || row.Health === '' || row.Health === 'healthy' ? 'up' : 'no answer';
}

/** The settings of the service on this machine, the same as those of the local stack. */
export function environmentOf(ports: Ports, passwords: Passwords, connector: Profile | null): StackEnv {
  const pg = encodeURIComponent(passwords.PG_PASSWORD);
  const ch = encodeURIComponent(passwords.CH_PASSWORD);
  return {
    PG_URL: `postgres://${PG_USER}:${pg}@127.0.0.1:${ports.postgres}/${PG_DATABASE}`,
    CH_URL: `http://${CH_USER}:${ch}@127.0.0.1:${ports.clickhouseHttp}`,
    CH_DATABASE: 'cdc',
    KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
    CONNECT_URL: `http://127.0.0.1:${ports.connect}`,
    ...(connector === 'avro' ? { REGISTRY_URL: `http://127.0.0.1:${ports.registry}` } : {}),
  };
}

/** What docker-compose.yml calls the ports: the settings' names. */
export function portVariables(ports: Ports): Record<string, string> {
  const names = Object.keys(PORT_SETTINGS) as PortName[];
  return Object.fromEntries(names.map((name) => [PORT_SETTINGS[name].setting, String(ports[name])]));
}

interface Passwords extends Record<string, string> {
  readonly PG_PASSWORD: string;
  readonly CH_PASSWORD: string;
}

/** As set; else as they were, because the volumes keep them; else made up. */
export function passwordsFor(
  before: StackEnv | null,
  environment: Readonly<Record<string, string | undefined>>,
): Passwords {
  const kept = (url: string | undefined): string | undefined =>
    url === undefined ? undefined : decodeURIComponent(new URL(url).password) || undefined;
  const fresh = (): string => randomBytes(18).toString('hex');
  return {
    PG_PASSWORD: environment['PG_PASSWORD'] ?? kept(before?.PG_URL) ?? fresh(),
    CH_PASSWORD: environment['CH_PASSWORD'] ?? kept(before?.CH_URL) ?? fresh(),
  };
}

function chDatabase(env: StackEnv): Record<string, string> {
  return { CH_DATABASE: env.CH_DATABASE };
}

async function portsFor(options: DockerUpOptions, before: StackState | null, docker: Docker): Promise<Ports> {
  const up = before === null ? [] : (await dockerStatus(docker)).filter((part) => part.state !== 'down');
  const running = new Set(up.flatMap(({ part }) => portNames(part)));
  const needed = partsOf(options.connector)
    .flatMap(portNames)
    .filter((name) => !running.has(name));
  return choosePorts({
    wanted: options.settings.ports,
    before: before?.ports,
    inUse: running,
    needed: new Set(needed),
  });
}

/** The controller's port is inside the container; ClickHouse has two. */
function portNames(part: string): readonly PortName[] {
  if (part === 'clickhouse') return ['clickhouseHttp', 'clickhouseTcp'];
  if (part === 'postgres' || part === 'kafka' || part === 'connect' || part === 'registry') return [part];
  return [];
}

async function registerConnector(options: {
  readonly state: StackState;
  readonly connector: Profile;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { state, connector, environment, log } = options;
  const postgres = openPostgres(state.env.PG_URL);
  try {
    await applyConnector({
      connectUrl: state.env.CONNECT_URL,
      profile: connector,
      settings: {
        ...environment,
        // As the worker's container reaches them.
        PG_HOST: 'postgres',
        PG_PORT: '5432',
        PG_USER,
        PG_PASSWORD: decodeURIComponent(new URL(state.env.PG_URL).password),
        PG_DATABASE,
        REGISTRY_URL: 'http://registry:8080',
      },
      postgres,
      capture: CAPTURE,
      log,
    });
  } finally {
    await postgres.close();
  }
}

function upFailed(stderr: string): ServiceError {
  const named = PART_NAMES.find((part) => new RegExp(`\\b${part}\\b.*(unhealthy|exited|Error)`).test(stderr));
  return new ServiceError('STACK_FAILED', `the containers did not come up:\n${lastLines(stderr)}`, {
    hint: `See why: make logs PART=${named ?? '<part>'}; make status shows each part. Without Docker: make up STACK=local`,
  });
}

function lastLines(text: string, lines = 12): string {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}
