/** A table gets another name: what is missing is told of, with the command that brings it, and nothing of another table slips in. */
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import type { Finding } from '../../src/check/facts';
import { printedCommands } from '../harness/printed-commands';
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(240_000);

const DEADLINE = { deadlineMs: 90_000 };

describe('a table that is renamed', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld({ GUARD_SECONDS: '3', INSERT_TIMEOUT_SECONDS: '4' });
    await world.sql(
      'CREATE TABLE moved (id int PRIMARY KEY, n int NOT NULL, word text)',
      'ALTER TABLE moved REPLICA IDENTITY FULL',
      `INSERT INTO moved SELECT i, i, 'moved' FROM generate_series(1, 40) i`,
      'CREATE TABLE twin (id int PRIMARY KEY, n int NOT NULL, word text)',
      `INSERT INTO twin SELECT i, i, 'twin' FROM generate_series(101, 140) i`,
    );
    await world.sql(
      'CREATE TABLE kept (id int PRIMARY KEY, n int NOT NULL, word text)',
      'ALTER TABLE kept REPLICA IDENTITY FULL',
      `INSERT INTO kept SELECT i, i, 'kept' FROM generate_series(1, 40) i`,
    );
    await world.connect();
    await world.service.start();
    for (const table of ['moved', 'twin', 'kept']) await world.mirrorEquals(table, DEADLINE);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const told = (): unknown[] =>
    world.service
      .lines()
      .filter(({ event }) => event === 'table-renamed')
      .map(({ table, from }) => `${String(table)} was ${String(from)}`);

  const found = async (): Promise<Finding[]> => {
    const { stdout } = await world.command(['check', '--json']);
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return findings.filter(({ id }) => id === 'table-renamed');
  };

  /** As `check` prints it. */
  const mend = async (findings: readonly Finding[]): Promise<void> => {
    const dir = join(world.stack.dir, `renamed-${world.name}`);
    mkdirSync(dir, { recursive: true });
    const commands = printedCommands({
      dir,
      env: world.settings,
      psql: (statements) => world.postgres.query(statements),
      clickhouse: (statement) => world.clickhouse.command(statement),
    });
    for (const one of findings) await commands.run(one.mend);
  };

  const isWhole = async (...tables: readonly string[]): Promise<void> => {
    for (const table of tables) await world.mirrorEquals(table, DEADLINE);
    const { code, result } = await verified(world, '--table', tables.map((table) => `public.${table}`).join());
    expect(result.tables.flatMap(({ details }) => details)).toEqual([]);
    expect(code).toBe(0);
  };

  scenario('before a change has come under the new name, check tells of it already', async () => {
    await world.sql('ALTER TABLE moved RENAME TO moved_on');
    expect(await found()).toMatchObject([{ place: 'public.moved_on', what: expect.stringContaining('public.moved,') as string }]);
  }); // prettier-ignore

  scenario('the log, check and verify name what is missing; the printed command brings it', async () => {
    await world.sql('UPDATE moved_on SET n = n + 1 WHERE id < 5');
    await waitFor(() => told().length > 0, 'the log tells of it', 60_000);
    expect(told()).toEqual(['public.moved_on was public.moved']);
    const { code, result } = await verified(world, '--table', 'public.moved_on,public.moved');
    expect(code).toBe(1);
    expect(result.tables).toMatchObject([{ table: 'public.moved_on', sourceRows: 40, renamedFrom: 'public.moved' }]);
    expect(result.tables[0]?.differences).toBe(36);
    expect(result.skipped).toMatchObject([{ reason: expect.stringContaining('public.moved_on') as string }]);
    await mend(await found());
    await world.sql(
      'UPDATE moved_on SET n = n + 1 WHERE id < 8',
      'DELETE FROM moved_on WHERE id = 1',
      `INSERT INTO moved_on VALUES (1, 1, 'again')`,
    );
    await isWhole('moved_on');
    expect(await found()).toEqual([]);
    // What was there stays to be read.
    const [old] = await world.clickhouse.query(`SELECT count() AS rows, sum(n) AS sum FROM ${world.database}.moved`);
    expect(old).toMatchObject({ rows: '40', sum: '820' });
  });

  scenario('rows of an incremental snapshot are those of a table that keeps its name, too', async () => {
    expect((await world.command(['connectors', 'snapshot', '--tables', 'public.kept'])).code).toBe(0);
    const sentAgain = async (): Promise<boolean> =>
      (await world.auditRows('kept')).filter(({ op, lsn }) => op === 'r' && lsn === null).length === 40;
    await waitFor(sentAgain, 'its rows are read once more', 60_000);
    await isWhole('kept');
  });

  scenario('a mirror made anew, and a target read anew from Kafka, have all rows under the new name', async () => {
    expect((await world.command(['rebuild', '--table', 'public.moved_on'])).code).toBe(0);
    await isWhole('moved_on');
    await world.service.stop();
    for (const database of [world.database, world.machinery])
      await world.clickhouse.command(`DROP DATABASE ${database} SYNC`);
    // It waits until nothing that was sent to the target of before can land.
    await world.service.start({ awaitReading: 'no' });
    for (const table of ['moved_on', 'twin', 'kept']) await world.mirrorEquals(table, DEADLINE);
  });

  scenario(
    'tables that take the names of others unseen get no row of those, not even of their incremental snapshots',
    async () => {
      await world.service.stop();
      await world.sql(
        'UPDATE moved_on SET n = n + 1',
        `INSERT INTO moved_on SELECT i, i, 'moved' FROM generate_series(41, 50) i`,
        'UPDATE twin SET n = n + 1',
        'UPDATE kept SET n = n + 1',
      );
      await world.sql(
        'ALTER TABLE twin RENAME TO between',
        'ALTER TABLE moved_on RENAME TO twin',
        'ALTER TABLE between RENAME TO moved_on',
      );
      await world.sql(
        'DROP TABLE kept',
        'CREATE TABLE kept (id int PRIMARY KEY, n int NOT NULL, word text)',
        'ALTER TABLE kept REPLICA IDENTITY FULL',
        `INSERT INTO kept SELECT i, i, 'new' FROM generate_series(31, 50) i`,
      );
      await world.sql('UPDATE twin SET n = n + 1 WHERE id < 5', 'UPDATE moved_on SET n = n + 1 WHERE id < 105');
      await world.service.start();
      await waitFor(() => told().length === 2, 'the log tells of both', 60_000);
      expect(told().sort()).toEqual(['public.moved_on was public.twin', 'public.twin was public.moved_on']);
      await mend(await found());
      await isWhole('moved_on', 'twin', 'kept');
      await world.auditIsExactlyOnce();
    },
  );
});
