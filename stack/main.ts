/** The command behind the make targets: up, down, clean, distclean, status, env, psql and logs of the stack. */
import { ServiceError, ERROR_CODES } from '../src/errors';
import { cleanStack } from './clean';
import { bringUp, takeDown } from './mode';
import { projectRoot } from './project-root';
import { runPsql } from './psql';
import { exportLines } from './render';
import { showLogs } from './show-logs';
import { readStackSettings, stackEnvironment } from './stack-settings';
import type { StackSettings } from './stack-settings';
import { readState } from './state';
import type { StackState } from './state';
import { showStatus } from './status';

const USAGE = `usage: main.js up | down | clean | distclean | status | env | psql [arguments] | logs [part] [-f]`;

/** What a command is given. */
interface Invocation {
  readonly settings: StackSettings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly args: readonly string[];
}

const COMMANDS: Readonly<Record<string, (invocation: Invocation) => Promise<number>>> = {
  async up({ settings, environment }) {
    await bringUp(settings, environment, say);
    say('everything is up. Next: npm start, make psql, make status, make env, make down');
    return 0;
  },
  async down({ settings }) {
    await takeDown(settings, say);
    return 0;
  },
  async clean({ settings }) {
    await cleanStack(settings, { downloads: 'keep', log: say });
    return 0;
  },
  async distclean({ settings }) {
    await cleanStack(settings, { downloads: 'remove', log: say });
    return 0;
  },
  status: ({ settings }) => showStatus(settings, print),
  env({ settings }) {
    print(exportLines(known(settings).env));
    return Promise.resolve(0);
  },
  psql: ({ settings, args }) => runPsql(known(settings).env.PG_URL, args),
  logs: ({ settings, args }) => showLogs(settings, args, print),
};

/** The state of a stack that was started. Throws STACK_FAILED where there is none. */
function known(settings: StackSettings): StackState {
  const state = readState(settings.dir);
  if (state !== null) return state;
  throw new ServiceError('STACK_FAILED', 'no stack was started yet', { hint: 'Start it: make up' });
}

const beginning = performance.now();

/** Progress goes to standard error with the seconds since the beginning, so that standard output is the answer alone. */
function say(line: string): void {
  const seconds = ((performance.now() - beginning) / 1000).toFixed(1).padStart(5);
  process.stderr.write(`${seconds} s  ${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function explain(error: unknown): number {
  if (error instanceof ServiceError) {
    process.stderr.write(`\nerror: ${error.message}\n${error.hint}\n`);
    return ERROR_CODES[error.code] === 'config' ? 2 : 1;
  }
  process.stderr.write(`\nerror: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

async function main(): Promise<number> {
  const [name = '', ...args] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (command === undefined) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const root = projectRoot();
  const environment = stackEnvironment(root, process.env);
  return command({ settings: readStackSettings(root, environment), environment, args });
}

// `make status | head` closes the pipe early: who reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = explain(error);
  },
);
