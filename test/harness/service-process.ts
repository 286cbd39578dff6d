/** The service as users run it: a process of its own, with its log in a file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { program } from './run-command';
import { showWhenFailing } from './scenario';
import { waitFor } from './wait-for';

/** A line of the service's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly event?: string;
  readonly [field: string]: unknown;
}

export interface ServiceProcess {
  /** Its KAFKA_CLIENT_ID, which no other process has. */
  readonly clientId: string;
  /** Starts a new process and waits until it has said that it reads. Lines of earlier processes stay in the log. */
  start(options?: {
    readonly env?: Readonly<Record<string, string>>;
    readonly awaitReading?: 'yes' | 'no';
  }): Promise<void>;
  /** Asks it to stop and gives its exit code. */
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<number | null>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Sends it any signal; waits for its end only where that is SIGKILL. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** Resolves with its exit code when it ends by itself. */
  ended(deadlineMs?: number): Promise<number | null>;
  isRunning(): boolean;
  /** Memory in use, bytes. */
  rss(): number;
  /** Lines that the present process has logged so far. */
  lines(): readonly LogLine[];
  /** Everything it wrote that is no log line: the message it ends with. */
  saidPlainly(): string;
}

export function serviceProcess(options: {
  readonly settings: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFile: string;
  readonly args?: readonly string[];
}): ServiceProcess {
  const { settings, cwd, logFile, args = ['run'] } = options;
  const clientId = `service-${randomBytes(4).toString('hex')}`;
  let child: ChildProcess | null = null;
  let exit: Promise<number | null> = Promise.resolve(null);
  let from = 0;
  showWhenFailing(logFile);

  const text = (): string => (existsSync(logFile) ? readFileSync(logFile).subarray(from).toString('utf8') : '');
  const isRunning = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;
  const lines = (): LogLine[] =>
    text()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line) as LogLine] : []));
  const saidPlainly = (): string =>
    text()
      .split('\n')
      .filter((line) => !line.startsWith('{'))
      .join('\n');
  const ended = async (deadlineMs = 30_000): Promise<number | null> => {
    await waitFor(() => !isRunning(), 'the service ends', deadlineMs);
    return exit;
  };

  return {
    clientId,
    async start({ env = {}, awaitReading = 'yes' } = {}) {
      if (isRunning()) throw new Error('the service runs already');
      from = existsSync(logFile) ? readFileSync(logFile).length : 0;
      const log = openSync(logFile, 'a');
      const started = spawn(process.execPath, [program('src/main.js'), ...args], {
        cwd,
        env: {
          PATH: process.env['PATH'],
          LOG_FORMAT: 'json',
          LOG_LEVEL: 'debug',
          KAFKA_CLIENT_ID: clientId,
          ...settings,
          ...env,
        },
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      child = started;
      exit = new Promise((resolve) => started.once('exit', (code) => resolve(code)));
      if (awaitReading === 'no') return;
      await waitFor(
        () => {
          if (!isRunning()) return true;
          return lines().some(({ event }) => event === 'partition-assigned');
        },
        'the service reads a partition',
        30_000,
      );
      if (!isRunning()) throw new Error(`the service ended by itself:\n${saidPlainly()}`);
    },
    async stop(signal = 'SIGTERM') {
      child?.kill(signal);
      return ended(40_000);
    },
    async signal(name) {
      child?.kill(name);
      if (name === 'SIGKILL') await ended();
    },
    async kill() {
      child?.kill('SIGKILL');
      await ended();
    },
    ended,
    isRunning,
    rss() {
      const status = readFileSync(`/proc/${child?.pid ?? 0}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    },
    lines,
    saidPlainly,
  };
}
