/** One to three services in one group, each behind proxies of its own, with their memory watched. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesIn } from '../../stack/process-identity';
import { serviceProcess, type ServiceProcess } from '../harness/service-process';
import type { World } from '../harness/world';
import { proxied, type ProxiedSettings } from './tcp-proxy';

export interface Consumer {
  readonly number: number;
  readonly logFile: string;
  readonly proxies: ProxiedSettings;
  /** `args` of the command `run`; none by default. */
  start(args?: readonly string[]): Promise<void>;
  kill(): Promise<void>;
  /** Whether the present process has said that it began. */
  hasBegun(): boolean;
  /** Asks it to stop; its exit code. */
  stop(): Promise<number | null>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  isRunning(): boolean;
  /** True if it should be running and is not: it ended by itself. */
  endedByItself(): boolean;
  /** The most memory that a process of it was seen to use, bytes. */
  highestRss(): number;
  close(): Promise<void>;
}

const SETTINGS = { GUARD_SECONDS: '2', INSERT_TIMEOUT_SECONDS: '2', KAFKA_SESSION_TIMEOUT_MS: '6000' };
const LOOK_MS = 500;

export async function openConsumer(world: World, number: number): Promise<Consumer> {
  const cwd = join(world.stack.dir, `${world.name}-consumer-${number}`);
  mkdirSync(cwd, { recursive: true });
  const logFile = join(cwd, 'service.log');
  const proxies = await proxied(world.stack.env);
  const settings = { ...world.settings, ...SETTINGS, ...proxies.settings, LOG_LEVEL: 'info' };
  let current: ServiceProcess | null = null;
  let wanted = false;
  let highest = 0;
  const look = setInterval(() => {
    if (current?.isRunning() === true) highest = Math.max(highest, current.rss());
  }, LOOK_MS);
  look.unref();
  const isRunning = (): boolean => current?.isRunning() === true;
  return {
    number,
    logFile,
    proxies,
    async start(args = []) {
      current = serviceProcess({ settings, cwd, logFile, args: ['run', ...args] });
      await current.start({ awaitReading: 'no' });
      wanted = true;
    },
    async kill() {
      wanted = false;
      await current?.kill();
    },
    async stop() {
      wanted = false;
      return (await current?.stop()) ?? null;
    },
    signal(signal) {
      for (const pid of processesIn(cwd)) process.kill(pid, signal);
    },
    isRunning,
    hasBegun: () => current?.lines().some(({ event }) => event === 'service-started') === true,
    endedByItself: () => wanted && !isRunning(),
    highestRss: () => highest,
    async close() {
      clearInterval(look);
      wanted = false;
      if (isRunning()) await current?.kill();
      await proxies.close();
    },
  };
}

/** How often each event is in the logs of a seed, and the lines that tell of trouble. */
export function countEvents(logFiles: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const file of logFiles) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    for (const [, event, how] of text.matchAll(/"event":"([a-z-]+)"(?:[^\n]*?"how":"([^"]+)")?/g)) {
      if (event === undefined) continue;
      const name = how === undefined ? event : `${event}: ${how}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}
