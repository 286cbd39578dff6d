/** Opens psql on the source database. */
import { spawn } from 'node:child_process';
import { ServiceError } from '../src/errors';
import { findInPath } from './needed-tools';

/** Runs psql with these arguments on our terminal; gives its exit code. Throws STACK_FAILED where there is no psql. */
export async function runPsql(pgUrl: string, args: readonly string[]): Promise<number> {
  const psql = findInPath('psql');
  if (psql === null) {
    throw new ServiceError('STACK_FAILED', 'psql was not found', {
      hint: 'Debian and Ubuntu: apt-get install postgresql-client. Any other client works too: `make env` prints PG_URL.',
    });
  }
  // Ctrl-C is psql's to handle: it cancels a statement, and does not end the session.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  const child = spawn(psql, args, { stdio: 'inherit', env: { ...process.env, ...connectionEnvironment(pgUrl) } });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', ignore);
      resolve(code ?? 1);
    });
  });
}

/** The parts of the URL as libpq's variables: a password on the command line could be read in the process list. */
export function connectionEnvironment(pgUrl: string): Record<string, string> {
  const url = new URL(pgUrl);
  return {
    PGHOST: url.hostname,
    PGPORT: url.port === '' ? '5432' : url.port,
    PGUSER: decodeURIComponent(url.username),
    PGPASSWORD: decodeURIComponent(url.password),
    PGDATABASE: decodeURIComponent(url.pathname.slice(1)),
  };
}
