/** `npm run generate`: changes in PostgreSQL at a steady rate, so that there is something to see. */
import { join } from 'node:path';
import { ERROR_CODES, ServiceError } from '../src/errors';
import { withSession } from '../src/postgres/client';
import { projectRoot } from '../stack/project-root';
import { readStackSettings, stackEnvironment } from '../stack/stack-settings';
import { readState } from '../stack/state';
import { parseOptions, USAGE, type Options } from './generator/options';
import { generate } from './generator/run';

const DRAW_EVERY_MS = 200;
const PLAIN_EVERY_MS = 10_000;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), Date.now() >>> 0);
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const root = projectRoot();
  const url = addressOf(root, options);
  const ending = endSignal();
  const { hostname, port, pathname } = new URL(url);
  say(`writing to PostgreSQL at ${hostname}:${port || '5432'}${pathname}, seed ${options.seed}; ${endWords(options)}`);
  const show = liveLine();
  await withSession(url, (session) =>
    generate(options, { session, schemaFile: join(root, 'demo', 'schema.sql'), signal: ending, say, show }),
  );
  return 0;
}

function endWords({ seconds, changes }: Options): string {
  const ends = [
    ...(seconds === null ? [] : [`after ${seconds} s`]),
    ...(changes === null ? [] : [`after ${changes} changes`]),
  ];
  return ends.length === 0 ? 'Ctrl-C ends it' : `it ends ${ends.join(', or ')}`;
}

/** PG_URL, or the stack's. Throws CONFIG_INVALID where there is none, and where it leads elsewhere and nobody said yes. */
function addressOf(root: string, { yes }: Options): string {
  const environment = stackEnvironment(root, process.env);
  const url = environment['PG_URL'] ?? readState(readStackSettings(root, environment).dir)?.env.PG_URL;
  if (url === undefined) {
    throw new ServiceError('CONFIG_INVALID', 'No PostgreSQL is known to write to.', {
      hint: 'make up starts one; or set PG_URL=postgres://user:password@host:5432/database.',
    });
  }
  const host = URL.parse(url)?.hostname ?? '';
  if (yes || ['localhost', '127.0.0.1', '[::1]', ''].includes(host)) return url;
  throw new ServiceError('CONFIG_INVALID', `PG_URL leads to another machine, ${host}.`, {
    hint: 'The generator makes four tables there and writes to them. Say --yes if that is meant.',
  });
}

/** The first Ctrl-C or SIGTERM lets the transaction in hand end; a second one ends at once. */
function endSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}

let isLineOpen = false;

/** Progress goes to standard error. */
function say(text: string): void {
  process.stderr.write(`${isLineOpen ? '\r\u001b[K' : ''}${text}\n`);
  isLineOpen = false;
}

/** One line that is written over at a terminal, a line every ten seconds elsewhere. */
function liveLine(): (text: string) => void {
  const terminal = process.stderr.isTTY;
  let shownAt = performance.now();
  return (text) => {
    const now = performance.now();
    if (now - shownAt < (terminal ? DRAW_EVERY_MS : PLAIN_EVERY_MS)) return;
    shownAt = now;
    process.stderr.write(terminal ? `\r\u001b[K${text.slice(0, process.stderr.columns - 1)}` : `${text}\n`);
    isLineOpen = terminal;
  };
}

function explain(error: unknown): number {
  if (error instanceof ServiceError) {
    say(`\nThe generator cannot go on: ${error.message}\n${error.hint}`);
    return ERROR_CODES[error.code] === 'config' ? 2 : 1;
  }
  say(`\nThe generator failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(explain(error)),
);
