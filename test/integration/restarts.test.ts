/** Restarts and crashes of the service and of every part, one after the other, while rows are being written. */
import { setTimeout as pause } from 'node:timers/promises';
import { connectorIsUp } from '../harness/connector-up';
import { changeOf } from '../harness/topics';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

const tell = (line: string): void => void process.stderr.write(`  ${line}\n`);

jest.setTimeout(180_000);

/** Small random transactions on two tables until `stop`; those that fail because PostgreSQL is away are tried again. */
function writeOn(world: World, seed: number): { stop(): Promise<number> } {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  let going = true;
  let committed = 0;
  const loop = async (): Promise<void> => {
    while (going) {
      const id = below(200);
      const statements = [
        `INSERT INTO stock VALUES (${id}, ${below(1000)}, 'made') ON CONFLICT (id) DO UPDATE SET n = excluded.n, note = 'changed'`,
        `INSERT INTO log (stock, said) VALUES (${id}, 'n ${below(1000)}')`,
        ...(below(4) === 0 ? [`DELETE FROM stock WHERE id = ${below(200)}`] : []),
        ...(below(6) === 0
          ? [
              `UPDATE stock SET id = id + 1000 WHERE id = ${below(200)} AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.id = stock.id + 1000)`,
            ]
          : []),
      ];
      try {
        await world.sql(...statements);
        committed++;
      } catch {
        // PostgreSQL is away.
        await pause(100);
      }
      await pause(10);
    }
  };
  const ended = loop();
  return {
    async stop() {
      going = false;
      await ended;
      return committed;
    },
  };
}

describe('with writes going on', () => {
  let world: World;

  /** With /metrics, which a later scenario reads. */
  const start = (): Promise<void> => world.service.start({ env: { HTTP_PORT: '0' } });

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE TABLE stock (id int PRIMARY KEY, n int NOT NULL, note text)');
    await world.sql('CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stock int, said text)');
    await world.sql(`INSERT INTO stock SELECT i, i, 'old' FROM generate_series(1, 100) i`);
    await world.connect();
    await start();
    await world.mirrorEquals('stock');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const isRight = async (): Promise<void> => {
    await world.mirrorEquals('stock', { deadlineMs: 60_000 });
    await world.mirrorEquals('log', { deadlineMs: 60_000 });
    const records = await world.auditIsExactlyOnce();
    expect(records.filter((record) => changeOf(record) !== null).length).toBeGreaterThan(100);
  };

  /** Does something to the running whole while rows are written, lets some more be written, and looks. */
  const withWrites = async (seed: number, happening: () => Promise<void>): Promise<void> => {
    const writer = writeOn(world, seed);
    try {
      const before = await world.auditRows('log');
      await waitFor(async () => (await world.auditRows('log')).length > before.length, 'rows arrive before it happens');
      await happening();
    } finally {
      expect(await writer.stop()).toBeGreaterThan(0);
    }
    await isRight();
  };

  /** What `/metrics` says; NaN while it does not say it. */
  const figure = async (name: string, labels = ''): Promise<number> => {
    const served = world.service.lines().find(({ event }) => event === 'page-served');
    const text = await (await fetch(`${String(served?.['address'])}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`debezium_clickhouse_${name}${labels} `));
    return Number(line?.split(' ')[1] ?? NaN);
  };

  const waits = (part: 'clickhouse' | 'kafka'): number =>
    world.service.lines().filter(({ event }) => event === `${part}-waiting`).length;

  const saysThatItWaits = (part: 'clickhouse' | 'kafka', before: number): Promise<unknown> =>
    waitFor(() => waits(part) > before, 'the service says that it waits');

  scenario('a stop and a start of the service lose and repeat nothing', () =>
    withWrites(1, async () => {
      for (let round = 0; round < 2; round++) {
        expect(await world.service.stop('SIGTERM')).toBe(0);
        await start();
      }
    }),
  );

  scenario('kill -9 of the service loses and repeats nothing', () =>
    withWrites(2, async () => {
      for (const waitMs of [0, 70]) {
        await pause(waitMs);
        await world.service.kill();
        await start();
      }
    }),
  );

  scenario('a restart and a crash of ClickHouse lose and repeat nothing', () =>
    withWrites(3, async () => {
      for (const signal of [undefined, 'SIGKILL'] as const) {
        const before = waits('clickhouse');
        await world.stack.stopPart('clickhouse', signal);
        await saysThatItWaits('clickhouse', before);
        await world.stack.startPart('clickhouse');
      }
      expect(world.service.isRunning()).toBe(true);
    }),
  );

  scenario('a restart and a crash of Kafka lose and repeat nothing', () =>
    withWrites(4, async () => {
      for (const signal of [undefined, 'SIGKILL'] as const) {
        const before = waits('kafka');
        await world.stack.stopPart('kafka', signal);
        await saysThatItWaits('kafka', before);
        await world.stack.startPart('kafka');
        await connectorIsUp(world, tell);
      }
      expect(world.service.isRunning()).toBe(true);
      // A look that hung while Kafka was away must not keep the lag from being looked at again.
      const restartedAt = Date.now();
      await waitFor(
        async () => (await figure('lag_look_age_seconds')) < (Date.now() - restartedAt) / 1_000,
        "Kafka's ends are read again",
      );
    }),
  );

  scenario('a restart and a crash of Kafka Connect lose and repeat nothing', () =>
    withWrites(5, async () => {
      for (const signal of [undefined, 'SIGKILL'] as const) {
        await world.stack.stopPart('connect', signal);
        await world.stack.startPart('connect');
        await connectorIsUp(world, tell);
      }
    }),
  );

  scenario('a restart and a crash of PostgreSQL lose and repeat nothing', () =>
    withWrites(6, async () => {
      for (const signal of [undefined, 'SIGKILL'] as const) {
        await world.stack.stopPart('postgres', signal);
        await world.stack.startPart('postgres');
        await waitFor(async () => (await world.postgres.query('SELECT 1')).length === 1, 'PostgreSQL answers');
      }
      expect(world.service.isRunning()).toBe(true);
    }),
  );

  scenario('what waits is told as lag, and goes on rising while an insert hangs', async () => {
    const at = `{topic="${world.topic('log')}",partition="0"}`;
    const figures = async (): Promise<{ records: number; seconds: number; written: number }> => ({
      records: await figure('lag_records', at),
      seconds: await figure('lag_seconds', at),
      written: await figure('changes_total'),
    });
    // Its place is known: a topic that is new has none before ClickHouse answers.
    await world.sql(`INSERT INTO log (stock, said) VALUES (1, 'before')`);
    await world.mirrorEquals('log');
    await world.stack.signalPart('clickhouse', 'SIGSTOP');
    try {
      await world.sql(`INSERT INTO log (stock, said) SELECT i, 'hangs' FROM generate_series(1, 100) i`);
      const first = await waitFor(async () => {
        const seen = await figures();
        return seen.records >= 100 ? seen : null;
      }, 'the records are told as lag');
      await world.sql(`INSERT INTO log (stock, said) SELECT i, 'hangs' FROM generate_series(1, 100) i`);
      const later = await waitFor(async () => {
        const seen = await figures();
        return seen.records >= first.records + 100 && seen.seconds > first.seconds + 1 ? seen : null;
      }, 'the lag has risen, in records and in seconds');
      expect(later.written).toBe(first.written);
    } finally {
      await world.stack.signalPart('clickhouse', 'SIGCONT');
    }
    await world.mirrorEquals('log');
    await waitFor(async () => (await figures()).records === 0, 'no lag is left');
  });

  scenario('the service waits 20 s without ClickHouse in bounded memory, and catches up', async () => {
    await world.stack.stopPart('clickhouse', 'SIGKILL');
    const until = performance.now() + 20_000;
    let highest = 0;
    let written = 0;
    while (performance.now() < until) {
      if (written < 120_000) {
        await world.sql(`INSERT INTO log (stock, said) SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i`);
        written += 20_000;
      } else await pause(200);
      expect(world.service.isRunning()).toBe(true);
      highest = Math.max(highest, world.service.rss());
    }
    await world.stack.startPart('clickhouse');
    await waitFor(
      async () => {
        highest = Math.max(highest, world.service.rss());
        const [row] = await world.clickhouse.query<{ n: string }>(
          `SELECT count() AS n FROM ${world.database}.log WHERE said LIKE 'xx%'`,
        );
        return row?.n === String(written);
      },
      'everything written meanwhile is in the view',
      90_000,
    );
    process.stderr.write(
      `  ${written} rows written while ClickHouse was away; the service held at most ${(highest / 2 ** 20).toFixed(0)} MiB\n`,
    );
    expect(highest).toBeLessThan(700 * 2 ** 20);
    await world.mirrorEquals('log');
    expect(await world.service.stop()).toBe(0);
  });
});
