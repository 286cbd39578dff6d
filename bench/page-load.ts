/**
 * `make bench-page`: what viewers of the live page cost the pipeline. The same drain in turn with nobody looking, and with
 * VIEWERS=300 viewers, STUCK=30 that do not read, and QUESTIONS=50 for changes each second. CHANGES and REPEAT as for bench.
 */
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import Table from 'cli-table3';
import { projectRoot } from '../stack/project-root';
import { openBenchParts } from './bench-parts';
import { numberSetting, say } from './bench-settings';
import { measure, type Contender, type Measured } from './contender';
import { startService } from './contender-ours';
import { commitName, machineName, writeResult } from './report';
import { spreadOf } from './statistics';
import { ensureTopic } from './topics';

type Audience = 'nobody looks' | 'viewers';

/** What the viewers saw. */
interface Seen {
  readonly events: number;
  readonly answers: number;
  readonly cut: number;
}

function contender(audience: Audience, onSeen: (seen: Seen) => void): Contender {
  return {
    name: 'ours',
    prepare: () => Promise.resolve(),
    async start(parts, topic, { databases }) {
      const port = await freePort();
      const service = startService(parts, {
        KAFKA_GROUP_ID: `bench-page-${Date.now()}`,
        TOPIC_PREFIX: topic.prefix,
        CH_DATABASE: databases.views,
        HTTP_PORT: String(port),
        PAGE_VALUES: 'true',
      });
      if (audience === 'nobody looks') return service;
      const viewers = startViewers(`http://127.0.0.1:${port}`);
      let left: Promise<void> | null = null;
      const leave = (): Promise<void> => (left ??= viewers.stop().then(onSeen));
      return { pid: service.pid, stop: () => leave().then(() => service.stop()) };
    },
  };
}

function startViewers(page: string): { stop(): Promise<Seen> } {
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
      return said === '' ? { events: 0, answers: 0, cut: 0 } : (JSON.parse(said) as Seen);
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function main(): Promise<void> {
  const changes = numberSetting('CHANGES', 500_000);
  const repeat = numberSetting('REPEAT', 3);
  const parts = await openBenchParts(say);
  try {
    const topic = await ensureTopic(parts, { wire: 'json', changes }, say);
    const runs: { audience: Audience; run: Measured }[] = [];
    const seen: Seen[] = [];
    for (let repetition = 0; repetition < repeat; repetition++) {
      const order: Audience[] = repetition % 2 === 0 ? ['nobody looks', 'viewers'] : ['viewers', 'nobody looks'];
      for (const audience of order) {
        const run = await measure(
          contender(audience, (one) => seen.push(one)),
          parts,
          topic,
        );
        say(
          `  ${repetition + 1}/${repeat} ${audience}: ${run.seconds.toFixed(2)} s, ${run.cpu.consumer.toFixed(1)} s CPU`,
        );
        runs.push({ audience, run });
      }
    }
    say(loadTable(runs));
    for (const one of seen)
      say(`  the viewers got ${one.events} events and ${one.answers} answers; ${one.cut} were cut off`);
    say(
      writeResult('page-load', { kind: 'page-load', machine: machineName(), commit: commitName(), topic, seen, runs }),
    );
  } finally {
    await parts.close();
  }
}

function loadTable(runs: readonly { audience: Audience; run: Measured }[]): string {
  const table = new Table({
    head: ['', 'drain s', 'least–most', 'service CPU s', 'service MiB'],
    style: { head: [], border: [] },
  });
  for (const audience of ['nobody looks', 'viewers'] as const) {
    const of = runs.filter((one) => one.audience === audience).map(({ run }) => run);
    const seconds = spreadOf(of.map((run) => run.seconds));
    table.push([
      audience,
      seconds.median.toFixed(2),
      `${seconds.least.toFixed(2)}–${seconds.most.toFixed(2)}`,
      spreadOf(of.map((run) => run.cpu.consumer)).median.toFixed(2),
      Math.round(Math.max(...of.map((run) => run.consumerPeakRss)) / 2 ** 20),
    ]);
  }
  return table.toString();
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
