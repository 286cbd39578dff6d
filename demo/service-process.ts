/** The service as a child process of the demo, as `npm start` runs it, its log in a file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../src/config';
import { ServiceError } from '../src/errors';
import { lastLines, partLog, prepareLog } from '../stack/part-log';
import { isPortFree } from '../stack/ports';
import type { StackEnv } from '../stack/state';
import { waitUntil } from './wait-until';

export interface ServiceProcess {
  readonly log: string;
  /** Aborted, with an error that says why, when the service has ended by itself. */
  readonly died: AbortSignal;
  /** Resolves when it reads from Kafka. Throws STACK_FAILED when that takes too long. */
  reading(signal: AbortSignal): Promise<void>;
  /** Where its live page is; null where the port was taken. Known once it reads. */
  page(): string | null;
  /** SIGTERM: the block in hand is written, then it ends. Killed when it does not. */
  stop(): Promise<void>;
}

/** Above the session timeout of Kafka: a service that was killed keeps its partitions that long. */
const READING_DEADLINE_MS = 90_000;
/** Above SHUTDOWN_DEADLINE_SECONDS. */
const STOP_DEADLINE_MS = 40_000;
/** Parts of addresses: beside a whole URL they would change it. */
const ADDRESS_PART = /^(CH|PG)_(HOST|PORT|USER|PASSWORD|DATABASE)$/;

export async function startService(at: {
  readonly root: string;
  readonly dir: string;
  readonly env: StackEnv;
}): Promise<ServiceProcess> {
  const log = partLog(at.dir, 'service');
  const from = prepareLog(log);
  const file = openSync(log, 'a');
  const inherited = Object.entries(process.env).filter(([name]) => !ADDRESS_PART.test(name));
  const settings = { ...Object.fromEntries(inherited), ...at.env, STACK_DIR: at.dir, PAGE_VALUES: 'true' };
  const { page } = loadConfig({ env: settings, cwd: at.root, flags: {} });
  // Somebody else has the page's port: another is found, and the demo names it.
  const another = page !== null && !(await isPortFree(page.port)) ? { HTTP_PORT: '0' } : {};
  const child = spawn(process.execPath, [join(at.root, 'dist', 'src', 'main.js'), 'run'], {
    cwd: at.root,
    env: { ...settings, ...another, LOG_FORMAT: 'json', LOG_LEVEL: 'info' },
    stdio: ['ignore', file, file],
    // A group of its own: Ctrl-C is for the demo, which then stops the service in order.
    detached: true,
  });
  closeSync(file);
  const death = new AbortController();
  const killWithUs = (): void => void child.kill('SIGTERM');
  process.once('exit', killWithUs);
  let isStopping = false;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      process.off('exit', killWithUs);
      if (!isStopping) death.abort(endedByItself(how, log, lastLines(log, { lines: 8, from })));
      resolve();
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => end(signal ?? `exit code ${String(code)}`));
  });
  return {
    log,
    died: death.signal,
    async reading(signal) {
      const look = (): true | null =>
        lastLines(log, { lines: 1_000, from }).some((line) => line.includes('"event":"partition-assigned"')) || null;
      const late = (): Error =>
        new ServiceError('STACK_FAILED', `the service did not begin to read within ${READING_DEADLINE_MS / 1_000} s`, {
          hint: `Read ${log}; make status shows which part is down.`,
        });
      await waitUntil(look, { everyMs: 100, deadlineMs: READING_DEADLINE_MS, signal, late });
    },
    page() {
      const line = lastLines(log, { lines: 1_000, from }).find((one) => one.includes('"event":"page-served"'));
      return /"address":"([^"]+)"/.exec(line ?? '')?.[1] ?? null;
    },
    async stop() {
      isStopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}

function endedByItself(how: string, log: string, lines: readonly string[]): ServiceError {
  return new ServiceError(
    'STACK_FAILED',
    `the service ended by itself (${how}); its last lines:\n${lines.join('\n')}`,
    {
      hint: `All of its log: ${log}`,
    },
  );
}
