/** Ours: the built service as users run it, every promise on, from its start to the last row. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../test/harness/run-command';
import type { BenchParts } from './bench-parts';
import { BENCH_DIR } from './bench-settings';
import type { Contender, Started } from './contender';

/** The service with these settings over those that lead to the parts; flags for Node, such as `--cpu-prof`, from BENCH_NODE_FLAGS. */
export function startService(parts: BenchParts, settings: Readonly<Record<string, string>>): Started {
  const cwd = join(BENCH_DIR, 'service');
  mkdirSync(cwd, { recursive: true });
  const log = openSync(join(cwd, 'service.log'), 'a');
  const flags = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');
  const child = spawn(process.execPath, [...flags, program('src/main.js'), 'run'], {
    cwd,
    env: {
      PATH: process.env['PATH'],
      LOG_FORMAT: 'json',
      LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
      KAFKA_BROKERS: parts.env.KAFKA_BROKERS,
      CH_URL: parts.env.CH_URL,
      PG_URL: parts.pgUrl.href,
      ...(parts.env.REGISTRY_URL === undefined ? {} : { REGISTRY_URL: parts.env.REGISTRY_URL }),
      ...settings,
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid ?? -1,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

export const oursContender: Contender = {
  name: 'ours',
  prepare: () => Promise.resolve(),
  start: (parts, topic, { databases }) =>
    Promise.resolve(
      startService(parts, {
        KAFKA_GROUP_ID: `bench-ours-${Date.now()}`,
        TOPIC_PREFIX: topic.prefix,
        CH_DATABASE: databases.views,
      }),
    ),
};
