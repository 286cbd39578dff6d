/** The real parts under the tests, once per run: containers where a Docker daemon answers, else local processes; one interface for both. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, portVariables, tryDocker } from '../../stack/docker';
import { runDocker } from '../../stack/docker-command';
import { openStack, startStack } from '../../stack/local';
import { choosePorts } from '../../stack/ports';
import { isRunning, ownIdentity, processesIn, type ProcessIdentity } from '../../stack/process-identity';
import { projectRoot } from '../../stack/project-root';
import { PORT_NAMES, type Ports } from '../../stack/stack-settings';
import type { PartName, StackEnv } from '../../stack/state';

/** The address of the source as Kafka Connect reaches it. */
export interface SourceAddress {
  readonly host: string;
  readonly port: string;
}

export interface TestStack {
  /** Settings that lead a process on this machine to the parts. */
  readonly env: StackEnv;
  readonly sourceForConnect: SourceAddress;
  /** The registry of Avro schemas as Kafka Connect reaches it. */
  readonly registryForConnect: string;
  /** A folder of this run for logs and working directories; removed at its end. */
  readonly dir: string;
  /** Ends a part; with a signal, only that is sent. Its data stays. */
  stopPart(name: PartName, signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal and waits for nothing: SIGSTOP freezes a part, SIGCONT thaws it. */
  signalPart(name: PartName, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts it again and waits until it answers. */
  startPart(name: PartName): Promise<void>;
  /** Stops everything and removes what the run made. */
  remove(): Promise<void>;
}

/** What `openTestStack` needs to find the stack again in another process. */
interface RunFile {
  readonly mode: 'docker' | 'local';
  readonly owner: ProcessIdentity;
  readonly project: string;
  readonly env: StackEnv | null;
  readonly variables: Readonly<Record<string, string>>;
}

/** Holds the folder of the run for the test files, which run in other processes. */
const DIR_VARIABLE = 'TEST_STACK_DIR';
const stacksFolder = join(projectRoot(), '.stack');
const partsDir = join(stacksFolder, 'parts');

/**
 * Starts the parts and lets `openTestStack` find them. What it started is removed again if it fails.
 * `sendsTwice`: Connect without its exactly-once, where the parts are local processes; containers keep it.
 */
export async function startTestStack(
  log: (line: string) => void,
  { sendsTwice = false }: { readonly sendsTwice?: boolean } = {},
): Promise<TestStack> {
  const id = randomBytes(4).toString('hex');
  const dir = join(stacksFolder, `test-${id}`);
  mkdirSync(dir, { recursive: true });
  const docker = await tryDocker();
  log(docker.usable ? 'parts in Docker' : `parts as local processes, because ${docker.reason}`);
  const run: RunFile = {
    mode: docker.usable ? 'docker' : 'local',
    owner: ownIdentity(),
    project: `debezium-clickhouse-test-${id}`,
    env: null,
    variables: {},
  };
  writeRun(dir, run);
  process.env[DIR_VARIABLE] = dir;
  try {
    if (docker.usable) await startContainers(dir, run);
    else await startStack({ dir, partsDir, ports: 'free', connector: 'avro', registration: 'later', sendsTwice, log });
    return openTestStack();
  } catch (error) {
    await openAt(dir).remove();
    throw error;
  }
}

/** Whether the run was given parts that somebody else started (`npm run test:stack`) and will stop. */
export function hasTestStack(): boolean {
  return process.env[DIR_VARIABLE] !== undefined;
}

/** The stack that `startTestStack` started for this run. */
export function openTestStack(): TestStack {
  const dir = process.env[DIR_VARIABLE];
  if (dir === undefined)
    throw new Error('integration tests run in the jest project "integration", which starts the parts');
  return openAt(dir);
}

/** Removes stacks of runs that were killed before they could clean up. */
export async function removeAbandoned(log: (line: string) => void): Promise<void> {
  for (const name of existsSync(stacksFolder) ? readdirSync(stacksFolder) : []) {
    const dir = join(stacksFolder, name);
    if (!name.startsWith('test-') || !existsSync(runFile(dir)) || isRunning(readRun(dir).owner)) continue;
    log(`removing what an earlier run left in ${name}`);
    await openAt(dir).remove();
  }
}

function openAt(dir: string): TestStack {
  const run = readRun(dir);
  return run.mode === 'docker' ? inDocker(dir, run) : asProcesses(dir);
}

function asProcesses(dir: string): TestStack {
  const open = () => openStack({ dir, partsDir, log: () => undefined });
  // Opened for each step, because another test file may have restarted a part.
  const opened = () => {
    const handle = open();
    if (handle === null) throw new Error(`no stack in ${dir}`);
    return handle;
  };
  return {
    dir,
    get env() {
      return opened().env;
    },
    get sourceForConnect() {
      return { host: '127.0.0.1', port: String(opened().ports.postgres) };
    },
    get registryForConnect() {
      return opened().env.REGISTRY_URL ?? '';
    },
    stopPart: (name, signal) => opened().stopPart(name, signal),
    async signalPart(name, signal) {
      opened().signalPart(name, signal);
      return Promise.resolve();
    },
    startPart: (name) => opened().startPart(name),
    async remove() {
      // SIGKILL: the data is thrown away anyway, so nobody needs to wait for a clean stop.
      for (const name of ['connect', 'kafka', 'clickhouse', 'postgres', 'registry'] as const) {
        await open()?.stopPart(name, name === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
      }
      removeFolder(dir);
      if (readdirSync(stacksFolder).length === 0) rmdirSync(stacksFolder);
    },
  };
}

/** Written where no Docker daemon answers: type-checked, and never run. */
async function startContainers(dir: string, run: RunFile): Promise<void> {
  // Loaded only here: it is large, and elsewhere nothing needs it.
  const { DockerComposeEnvironment, Wait } = await import('testcontainers');
  const zero = Object.fromEntries(PORT_NAMES.map((name) => [name, 0])) as Ports;
  const ports = await choosePorts({ wanted: zero, before: undefined, inUse: new Set(), needed: new Set() });
  const passwords = { PG_PASSWORD: randomBytes(12).toString('hex'), CH_PASSWORD: randomBytes(12).toString('hex') };
  const variables = { ...portVariables(ports), ...passwords };
  writeRun(dir, { ...run, env: environmentOf(ports, passwords, 'avro'), variables });
  const services = ['postgres', 'kafka', 'connect', 'clickhouse', 'registry'];
  let compose = new DockerComposeEnvironment(projectRoot(), 'docker-compose.yml')
    .withProjectName(run.project)
    .withProfiles('avro')
    .withEnvironment(variables);
  for (const service of services) compose = compose.withWaitStrategy(`${service}-1`, Wait.forHealthCheck());
  await compose.up(services);
}

/** The same containers from another process, where testcontainers' own handle cannot be had: through `docker compose`. */
function inDocker(dir: string, run: RunFile): TestStack {
  const compose = async (...args: readonly string[]): Promise<void> => {
    const files = ['compose', '--project-name', run.project, '--file', join(projectRoot(), 'docker-compose.yml')];
    const { code, stderr } = await runDocker([...files, ...args], { env: run.variables });
    if (code !== 0) throw new Error(`docker compose ${args.join(' ')} failed:\n${stderr}`);
  };
  if (run.env === null) {
    return { ...inDocker(dir, { ...run, env: noEnvironment }), remove: async () => removeFolder(dir) };
  }
  return {
    dir,
    env: run.env,
    sourceForConnect: { host: 'postgres', port: '5432' },
    registryForConnect: 'http://registry:8080',
    stopPart: (name, signal) =>
      signal === undefined ? compose('stop', name) : compose('kill', '--signal', signal, name),
    signalPart: (name, signal) => compose('kill', '--signal', signal, name),
    startPart: (name) => compose('up', '--detach', '--wait', '--no-deps', name),
    async remove() {
      await compose('down', '--volumes', '--timeout', '1');
      removeFolder(dir);
    },
  };
}

const noEnvironment: StackEnv = { PG_URL: '', CH_URL: '', CH_DATABASE: '', KAFKA_BROKERS: '', CONNECT_URL: '' };

/** Services of the tests run in folders of this one: those of a run that was killed are ended before it goes. */
function removeFolder(dir: string): void {
  const entries = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : [];
  const folders = [dir, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name))];
  for (const pid of folders.flatMap((folder) => processesIn(folder))) process.kill(pid, 'SIGKILL');
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

function runFile(dir: string): string {
  return join(dir, 'run.json');
}

function readRun(dir: string): RunFile {
  return JSON.parse(readFileSync(runFile(dir), 'utf8')) as RunFile;
}

function writeRun(dir: string, run: RunFile): void {
  writeFileSync(runFile(dir), JSON.stringify(run), { mode: 0o600 });
}
