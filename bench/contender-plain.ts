/** The plain consumer of `plain-consumer.ts` as a contender. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../stack/project-root';
import type { Contender } from './contender';
import { createTarget } from './target-tables';

export const plainContender: Contender = {
  name: 'plain',
  async prepare(parts, topic, target) {
    if (topic.wire !== 'json') throw new Error('the plain consumer reads plain JSON');
    await createTarget(parts, target);
  },
  start(parts, topic, { changes, mirror }) {
    const loader = join(projectRoot(), 'test', 'unit', 'cli-typescript.cjs');
    const child = spawn(process.execPath, ['-r', loader, join(projectRoot(), 'bench', 'plain-consumer.ts')], {
      env: {
        PATH: process.env['PATH'],
        BROKERS: parts.env.KAFKA_BROKERS,
        TOPIC: topic.topic,
        GROUP: `bench-plain-${Date.now()}`,
        CH_URL: new URL(parts.env.CH_URL).origin,
        CHANGES: changes,
        MIRROR: mirror,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    return Promise.resolve({
      pid: child.pid ?? -1,
      async stop() {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await ended;
      },
    });
  },
};
