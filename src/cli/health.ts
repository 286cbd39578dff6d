/** What the container's HEALTHCHECK runs: asks /healthz of the service beside it; exit code 0 when it answers, or serves nothing. */
import { loadConfig } from '../config';

const PATIENCE_MS = 4_000;
/** Addresses that mean all of the machine's. */
const ANY = new Set(['0.0.0.0', '::']);

async function isAlive(): Promise<boolean> {
  const { page } = loadConfig({ env: process.env, cwd: process.cwd(), flags: {} });
  if (page === null) return true;
  const host = ANY.has(page.host) ? '127.0.0.1' : page.host.includes(':') ? `[${page.host}]` : page.host;
  const response = await fetch(`http://${host}:${page.port}/healthz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  return response.ok;
}

isAlive().then(
  (alive) => {
    process.exitCode = alive ? 0 : 1;
  },
  () => {
    process.exitCode = 1;
  },
);
