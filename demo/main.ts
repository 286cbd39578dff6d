/** `make demo`: from nothing to rows that arrive in ClickHouse, step by step and in words; exit code 0 only if every mirror equals its source. */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { connectClickHouse, type ClickHouse } from '../src/clickhouse/client';
import { ERROR_CODES, ServiceError } from '../src/errors';
import { openPostgres, type Postgres } from '../src/postgres/client';
import { takeDown } from '../stack/mode';
import { projectRoot } from '../stack/project-root';
import { readStackSettings, stackEnvironment, type StackSettings } from '../stack/stack-settings';
import type { StackState } from '../stack/state';
import { describeTable, type ComparedTable } from './compare';
import { demoRate, generateBriefly, generateOn } from './demo-generator';
import { openScreen, seconds, type Screen } from './screen';
import { startService, type ServiceProcess } from './service-process';
import { auditText, comparisonText, sidesText } from './show-step';
import { isStackUp, raiseStack } from './stack-for-demo';
import { awaitEqual, compareAll, DEMO_TABLES, runStep, sqlOf, STEPS, type DemoParts } from './steps';
import { whatNext } from './what-next';

const EXIT = { equal: 0, failed: 1, config: 2, interrupted: 130 } as const;

/** Who watches: at a terminal the service goes on until Ctrl-C; elsewhere the demo ends by itself and leaves nothing running. */
type Audience = 'terminal' | 'none';

function audience(): Audience {
  const inCi = ['true', '1'].includes(process.env['CI'] ?? '');
  return process.stdin.isTTY && !inCi ? 'terminal' : 'none';
}

class Interrupted extends Error {}

async function main(screen: Screen): Promise<number> {
  const root = projectRoot();
  const environment = stackEnvironment(root, process.env);
  const settings = readStackSettings(root, environment);
  const watching = audience();
  const interrupt = interruptSignal(screen);
  const wasUp = await isStackUp(settings);
  try {
    screen.title('The parts: PostgreSQL, Kafka, Kafka Connect with Debezium, ClickHouse');
    // A start under way is finished even after Ctrl-C: what it has started must be known to be stopped.
    const state = await raiseStack(settings, environment, screen.say);
    interrupt.throwIfAborted();
    return await withService({ root, settings, state, screen }, interrupt, (service, signal) =>
      play({ root, state, screen, watching, wasUp, service, signal, interrupt }),
    );
  } finally {
    if (watching === 'none' && !wasUp && (await isStackUp(settings))) {
      screen.say('stopping the parts that the demo started; their data stay');
      await takeDown(settings, screen.say);
    }
  }
}

/** Runs the service for the time of `act`, and stops it whatever happens. */
async function withService(
  { root, settings, state, screen }: { root: string; settings: StackSettings; state: StackState; screen: Screen },
  interrupt: AbortSignal,
  act: (service: ServiceProcess, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  screen.title('The service: reads the changes from Kafka and writes them to ClickHouse');
  const service = await startService({ root, dir: settings.dir, env: state.env });
  screen.say(`starting; its log: ${service.log}`);
  try {
    return await act(service, AbortSignal.any([interrupt, service.died]));
  } finally {
    if (!service.died.aborted) screen.say('stopping the service: it finishes what it has in hand');
    await service.stop();
    screen.say('the service has stopped');
  }
}

interface Stage {
  readonly root: string;
  readonly state: StackState;
  readonly screen: Screen;
  readonly watching: Audience;
  readonly wasUp: boolean;
  readonly service: ServiceProcess;
  readonly signal: AbortSignal;
  readonly interrupt: AbortSignal;
}

async function play(stage: Stage): Promise<number> {
  const { env } = stage.state;
  const postgres = openPostgres(env.PG_URL);
  const clickhouse = connectClickHouse(clickhouseOptions(env.CH_URL));
  try {
    return await playOn(stage, { postgres, clickhouse });
  } finally {
    await Promise.allSettled([postgres.close(), clickhouse.close()]);
  }
}

async function playOn(stage: Stage, clients: { postgres: Postgres; clickhouse: ClickHouse }): Promise<number> {
  const { root, state, screen, service, signal } = stage;
  const folder = join(root, 'demo');
  const database = state.env.CH_DATABASE;
  const onLate: DemoParts['onLate'] = (compared) => screen.show(comparisonText(compared, screen.width));
  const parts: DemoParts = { ...clients, database, folder, signal, log: service.log, onLate };
  await service.reading(signal);
  screen.say('reading from Kafka');
  const page = service.page();
  if (page !== null) screen.say(`see it live in a browser: ${page}, and the dashboard: ${page}/dashboard`);
  await clients.postgres.query(readFileSync(join(folder, 'schema.sql'), 'utf8'));
  const tables = await Promise.all(DEMO_TABLES.map((name) => describeTable(clients.postgres, name, database)));
  screen.say(`the tables are there: ${DEMO_TABLES.join(', ')} (demo/schema.sql)`);
  const standing = await awaitEqual(tables, parts);
  const kept = standing.reduce((rows, one) => rows + one.sourceRows, 0);
  if (kept > 0) screen.say(`${kept} rows from before are in PostgreSQL, and the same in ClickHouse`);
  else screen.say('they are empty; the first rows take longest, because topics and mirrors are made when they come');
  for (const step of STEPS) await playStep(step, { screen, tables, parts });
  screen.title('Many changes: the generator, for two seconds');
  await generateBriefly({ root, pgUrl: state.env.PG_URL, screen, signal });
  await awaitEqual(tables, parts);
  screen.say('in ClickHouse they are, too');
  return await conclude(stage, tables, parts);
}

async function playStep(
  step: (typeof STEPS)[number],
  on: { screen: Screen; tables: readonly ComparedTable[]; parts: DemoParts },
): Promise<void> {
  const { screen, tables, parts } = on;
  screen.title(step.title);
  screen.say(`running demo/${step.file} in PostgreSQL:`);
  screen.show(sqlOf(step, parts.folder));
  const { audit, tables: changed, visibleAfterMs } = await runStep(step, tables, parts);
  screen.say(`in ClickHouse ${seconds(visibleAfterMs)} after the commit: ${audit.length} changes. ${step.note}`);
  screen.show(`audit table ${parts.database}_cdc.changes:\n${auditText(audit, screen.width)}`);
  for (const table of changed) screen.show(sidesText(table, audit, screen.width));
}

async function conclude(stage: Stage, tables: readonly ComparedTable[], parts: DemoParts): Promise<number> {
  const { state, screen, watching, wasUp, signal, interrupt } = stage;
  screen.title('Every table beside its mirror');
  const compared = await compareAll(tables, parts);
  const equal = compared.every((one) => one.equal);
  screen.show(comparisonText(compared, screen.width));
  screen.say(
    equal
      ? 'every mirror equals its table'
      : 'NOT equal: this is a fault; please report it with the log of the service',
  );
  screen.title('What to type next');
  const goesOn = watching === 'terminal';
  const page = goesOn ? stage.service.page() : null;
  screen.show(whatNext({ env: state.env, page, stack: goesOn || wasUp ? 'stays up' : 'is stopped' }));
  if (goesOn) {
    await goOn(stage);
    if (!interrupt.aborted) signal.throwIfAborted();
  }
  return equal ? EXIT.equal : EXIT.failed;
}

/** Until Ctrl-C, or until the service dies: rows keep changing, so that the figures move. */
async function goOn({ root, state, screen, service, signal }: Stage): Promise<void> {
  const rate = demoRate(process.env['RATE']);
  screen.title('The service goes on. Ctrl-C stops it; the parts stay up');
  const page = service.page();
  if (page !== null) screen.say(`open ${page} and ${page}/dashboard`);
  screen.say('change rows yourself in another terminal: make psql');
  if (rate > 0) {
    screen.say(`the generator writes ${rate} changes a second meanwhile (make demo RATE=0: none)`);
    await generateOn({ root, pgUrl: state.env.PG_URL, screen, signal }, rate);
  }
  if (!signal.aborted) await once(signal, 'abort');
}

function clickhouseOptions(url: string): Parameters<typeof connectClickHouse>[0] {
  const { origin, username, password } = new URL(url);
  return {
    url: origin,
    user: decodeURIComponent(username) || 'default',
    password: decodeURIComponent(password),
    application: 'debezium-clickhouse demo',
    requestTimeoutMs: 30_000,
  };
}

/** Aborted by the first Ctrl-C or SIGTERM; what was started is then stopped in order. A second one ends the demo at once. */
function interruptSignal(screen: Screen): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted);
      screen.say(`${name}: stopping what is under way in order; once more ends at once`);
      controller.abort(new Interrupted('interrupted'));
    });
  }
  return controller.signal;
}

function explain(error: unknown): number {
  if (error instanceof Interrupted) {
    process.stderr.write('\nInterrupted. make status shows what runs, make down stops it.\n');
    return EXIT.interrupted;
  }
  if (error instanceof ServiceError) {
    process.stderr.write(`\nThe demo cannot go on: ${error.message}\n${error.hint}\n`);
    return ERROR_CODES[error.code] === 'config' ? EXIT.config : EXIT.failed;
  }
  process.stderr.write(
    `\nThe demo failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT.failed;
}

void main(openScreen(process.stdout)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(explain(error)),
);
