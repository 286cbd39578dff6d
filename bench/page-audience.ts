/** The viewers of `make bench-page`, as a process that comes and goes. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../stack/project-root';

/** What all viewers of a run saw together, and what they cost the machine. */
export interface Seen {
  readonly events: number;
  /** To their questions for changes. */
  readonly answers: number;
  readonly refused: number;
  /** Connections that the service ended. */
  readonly cut: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface Viewers {
  /** They leave; null where they saw no page. */
  stop(): Promise<Seen | null>;
}

/** They come as soon as the page is served. */
export function startViewers(page: string): Viewers {
  const loader = join(projectRoot(), 'test', 'unit', 'cli-typescript.cjs');
  const child = spawn(process.execPath, ['-r', loader, join(projectRoot(), 'bench', 'page-viewers.ts')], {
    env: { ...process.env, PAGE: page },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
      return said === '' ? null : (JSON.parse(said) as Seen);
    },
  };
}
