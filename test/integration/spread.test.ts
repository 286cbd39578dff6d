/** A table whose topic has several partitions, shared by two processes: mirrors made anew, and replays, while rows are written. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Ended } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess, type ServiceProcess } from '../harness/service-process';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(180_000);

describe('a table spread over two processes', () => {
  let world: World;
  let second: ServiceProcess;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE SEQUENCE versions',
      'CREATE TABLE wide (id int PRIMARY KEY, version bigint NOT NULL, note text)',
      'ALTER TABLE wide REPLICA IDENTITY FULL',
      `INSERT INTO wide SELECT i, nextval('versions'), 'first' FROM generate_series(1, 300) i`,
    );
    await world.connect({ partitions: 3 });
    await world.service.start();
    second = serviceProcess({
      settings: world.settings,
      cwd: world.stack.dir,
      logFile: join(world.stack.dir, `second-${world.name}.log`),
    });
    await second.start({ awaitReading: 'no' });
    await world.mirrorEquals('wide');
    await bothOwn();
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    await second.stop();
    await world.close();
  });

  /** Both have partitions of the table, since the second joined. */
  const bothOwn = async (): Promise<void> => {
    await waitFor(
      () =>
        [world.service, second].every((one) =>
          one.lines().some(({ event, topic }) => event === 'partition-assigned' && topic === world.topic('wide')),
        ),
      'both processes own partitions of the table',
      60_000,
    );
  };

  const ok = ({ code, stdout, stderr }: Ended): string => {
    expect({ code, stderr: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  const mirror = (): string => `${world.machinery}.wide__mirror`;

  const uuid = async (): Promise<string> => {
    const [row] = await world.clickhouse.query<{ uuid: string }>(
      `SELECT toString(uuid) AS uuid FROM system.tables WHERE database = '${world.machinery}' AND name = 'wide__mirror'`,
    );
    return row?.uuid ?? 'none';
  };

  /** Tables beside the mirror, and leases, holds and marks in control. */
  const leftBehind = async (): Promise<string[]> => {
    const tables = await world.clickhouse.query<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = '${world.machinery}' AND name LIKE '%\\_\\_new%'`,
    );
    const control = await world.clickhouse.query<{ name: string }>(
      `SELECT name FROM ${world.machinery}.control FINAL WHERE startsWith(name, 'table:') OR startsWith(name, 'request:')`,
    );
    return [...tables, ...control].map(({ name }) => name);
  };

  const writeOn = (): { stop(): Promise<void> } => {
    let going = true;
    const loop = async (): Promise<void> => {
      for (let round = 0; going; round++) {
        const id = (round % 300) + 1;
        await world.sql(
          `UPDATE wide SET version = nextval('versions') WHERE id % 50 = ${round % 50}`,
          `DELETE FROM wide WHERE id = ${id}`,
          `INSERT INTO wide VALUES (${id}, nextval('versions'), 'again')`,
        );
        await pause(5);
      }
    };
    const ended = loop();
    return {
      async stop() {
        going = false;
        await ended;
      },
    };
  };

  const spoil = async (): Promise<void> => {
    await world.clickhouse.command(`DELETE FROM ${mirror()} WHERE id BETWEEN 100 AND 140`);
    await world.clickhouse.command(
      `INSERT INTO ${mirror()} SELECT * REPLACE (id + 5000 AS id, 1 AS _sign) FROM ${mirror()} FINAL WHERE id < 20 AND _sign = 1`,
    );
  };

  const isRight = async (): Promise<void> => {
    await world.mirrorEquals('wide');
    await world.auditIsExactlyOnce();
    expect(await leftBehind()).toEqual([]);
  };

  scenario('rebuild makes its mirror anew while both write, and loses nothing', async () => {
    await spoil();
    await expect(world.mirrorEquals('wide', { deadlineMs: 1_000 })).rejects.toThrow('the view wide equals');
    const before = await uuid();
    const writing = writeOn();
    for (let round = 0; round < 2; round++) ok(await world.command(['rebuild', '--table', 'public.wide']));
    await writing.stop();
    expect(await uuid()).not.toBe(before);
    await isRight();
  });

  scenario('verify --repair mends rows of all partitions, whoever owns them, while both write', async () => {
    await spoil();
    const before = await uuid();
    const writing = writeOn();
    const verified = await world.command(['verify', '--table', 'public.wide', '--repair', '--json']);
    await writing.stop();
    const { repair, tables } = JSON.parse(ok(verified)) as {
      repair: { before: { tables: { differences: number }[] }; repairs: { mended: number; lost: number }[] };
      tables: { differences: number }[];
    };
    expect(repair.before.tables[0]?.differences).toBeGreaterThan(20);
    expect(repair.repairs).toEqual([expect.objectContaining({ lost: 0 })]);
    expect(repair.repairs[0]?.mended).toBeGreaterThan(20);
    expect(tables.map(({ differences }) => differences)).toEqual([0]);
    expect(await uuid()).toBe(before);
    await isRight();
  });

  scenario('a replay by both makes the mirror anew at its end', async () => {
    await spoil();
    const before = await uuid();
    const writing = writeOn();
    expect(ok(await world.command(['replay', '--from-beginning']))).toMatch(/Replayed [\d,]+ offsets in/);
    await writing.stop();
    expect(await uuid()).not.toBe(before);
    await isRight();
  });

  scenario('a TRUNCATE is followed by a new mirror without the rows before it, and with those after it', async () => {
    for (let round = 0; round < 2; round++) {
      // Rows before and after it, in every partition, in one transaction with it and in others.
      await world.sql(`UPDATE wide SET note = 'before' WHERE id <= 150`);
      const before = await uuid();
      await world.sql(
        `UPDATE wide SET note = 'with it'`,
        'TRUNCATE wide',
        `INSERT INTO wide SELECT i, nextval('versions'), 'with it, after' FROM generate_series(50, 350) i`,
      );
      await world.sql(`UPDATE wide SET note = 'after' WHERE id % 3 = 0`, `DELETE FROM wide WHERE id % 7 = 0`);
      await waitFor(async () => (await uuid()) !== before, 'the mirror is made anew', 60_000);
      await waitFor(async () => (await leftBehind()).length === 0, 'nothing is left to do');
      await isRight();
    }
    expect(
      [world.service, second].flatMap((one) => one.lines().filter(({ event }) => event === 'truncate-by-rebuild')),
    ).toHaveLength(2);
    ok(await world.command(['replay', '--from-beginning']));
    await isRight();
  });

  scenario('an owner that is killed or stopped in the midst of a rebuild does no harm', async () => {
    for (const [signal, victim] of [
      ['SIGKILL', world.service],
      ['SIGSTOP', second],
    ] as const) {
      const writing = writeOn();
      const asked = world.command(['rebuild', '--table', 'public.wide']);
      await waitFor(
        async () => (await leftBehind()).some((name) => name.startsWith('table:lease:')),
        'the rebuild is under way',
      );
      await victim.signal(signal);
      if (signal === 'SIGKILL') await world.giveUp(victim);
      // Until the session of the one that is stopped ends by itself.
      else await pause(9_000);
      if (signal === 'SIGKILL') await victim.start({ awaitReading: 'no' });
      else await victim.signal('SIGCONT');
      await asked;
      await writing.stop();
      await waitFor(async () => (await leftBehind()).length === 0, 'leases of the dead are cleared away', 60_000);
      await isRight();
    }
  });
});
