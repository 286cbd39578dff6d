/**
 * Viewers of a live page, as a process of their own. Each does what the page does in a browser: it follows the events, and
 * with each of them asks for the newest changes; most want all of them, some a table or an operation, some a key of their own.
 */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { numberSetting } from './bench-settings';

const { PAGE = '' } = process.env;
const viewers = numberSetting('VIEWERS', 300);
/** These read nothing: what the service sends them piles up in the kernel, and then must not in the service. */
const stuck = numberSetting('STUCK', 30);
/** Of so many viewers one looks for a key, another one for each. */
const ONE_KEY_IN = 10;
/** As `page/changes.js` has it. */
const LEAST_MS = 900;

const agent = new Agent({ keepAlive: true, maxSockets: viewers, maxFreeSockets: viewers });
const seen = { events: 0, answers: 0, refused: 0, cut: 0, bytes: 0 };
let ending = false;

async function untilServed(): Promise<void> {
  for (;;) {
    const isServed = await fetch(`${PAGE}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isServed) return;
    await pause(20);
  }
}

function filterOf(viewer: number): string {
  if (viewer % ONE_KEY_IN === 0) return `key=${viewer}`;
  return ['', '', '', 'op=u', 'op=d', 'op=c'][viewer % 6] ?? '';
}

function ask(path: string, done: () => void): void {
  const asked = request(`${PAGE}${path}`, { agent }, (response) => {
    response.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
    response.on('end', () => {
      if (response.statusCode === 200) seen.answers++;
      else seen.refused++;
      done();
    });
  });
  asked.on('error', done);
  asked.end();
}

function watch(viewer: number | null): void {
  let asking = false;
  let askedAt = 0;
  const followed = request(`${PAGE}/events`, { agent: false }, (response) => {
    response.on('close', () => {
      if (!ending) seen.cut++;
    });
    if (viewer === null) return;
    response.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length;
      if (chunk.includes('event: status')) seen.events++;
      if (asking || performance.now() - askedAt < LEAST_MS) return;
      asking = true;
      askedAt = performance.now();
      ask(`/changes.json?${filterOf(viewer)}`, () => (asking = false));
    });
  });
  followed.on('error', () => seen.cut++);
  followed.end();
}

async function main(): Promise<void> {
  await untilServed();
  const startedAt = performance.now();
  for (let n = 0; n < viewers; n++) watch(n);
  for (let n = 0; n < stuck; n++) watch(null);
  process.once('SIGTERM', () => {
    ending = true;
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage();
    const text = JSON.stringify({ ...seen, seconds, cpuSeconds: (user + system) / 1e6 });
    process.stdout.write(`${text}\n`, () => process.exit(0));
  });
}

void main();
