/** One command at a time changes a stack. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../src/errors';
import { isRunning, ownIdentity } from './process-identity';
import type { ProcessIdentity } from './process-identity';

/** Runs `work` as the only one on `dir`. Throws STACK_FAILED while another process works on it. */
export async function withStackLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'lock');
  take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): void {
  const words = JSON.stringify(ownIdentity());
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, words, { flag: 'wx' });
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      const holder = readHolder(file);
      if (holder !== null && isRunning(holder)) throw busy(holder);
      rmSync(file, { force: true });
    }
  }
  throw busy(null);
}

function readHolder(file: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return null;
  }
}

function busy(holder: ProcessIdentity | null): ServiceError {
  const who = holder === null ? '' : ` (pid ${holder.pid})`;
  return new ServiceError('STACK_FAILED', `another command is working on this stack${who}`, {
    hint: 'Wait for it, or stop it, and try again.',
  });
}
