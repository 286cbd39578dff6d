/** Viewers of a live page, as a process of their own: many that read, some that do not, and questions of people who filter. */
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { numberSetting } from './bench-settings';

const { PAGE = '' } = process.env;
const viewers = numberSetting('VIEWERS', 300);
/** These read nothing: what the service sends them piles up in the kernel, and then must not in the service. */
const stuck = numberSetting('STUCK', 30);
const questions = numberSetting('QUESTIONS', 50);

let events = 0;
let answers = 0;
let cut = 0;

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

function watch(kind: 'reads' | 'is stuck'): void {
  const asked = request(`${PAGE}/events`, { agent: false }, (response) => {
    response.on('close', () => cut++);
    if (kind === 'is stuck') return;
    response.on('data', () => events++);
  });
  asked.on('error', () => cut++);
  asked.end();
}

async function main(): Promise<void> {
  await untilServed();
  for (let n = 0; n < viewers; n++) watch('reads');
  for (let n = 0; n < stuck; n++) watch('is stuck');
  const filters = ['', 'op=u', 'op=d', 'table=public.orders'];
  const timer = setInterval(() => {
    void fetch(`${PAGE}/changes.json?${filters[answers % filters.length] ?? ''}`).then(
      async (response) => {
        await response.arrayBuffer();
        answers++;
      },
      () => undefined,
    );
  }, 1_000 / questions);
  process.once('SIGTERM', () => {
    clearInterval(timer);
    process.stdout.write(`${JSON.stringify({ events, answers, cut })}\n`, () => process.exit(0));
  });
}

void main();
