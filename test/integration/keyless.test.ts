/** Tables without a key: each distinct row once with a count, the view shows each as often as it is there. */
import { scenario, withLogs } from '../harness/scenario';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

describe('a table without a key', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE pile (a int, b text, c numeric(10,2), d text[])',
      'CREATE TABLE log (at timestamptz, line text)',
      `INSERT INTO pile SELECT i % 5, CASE i % 3 WHEN 0 THEN NULL ELSE 'b' || i % 3 END, 1.50, '{x,NULL}' FROM generate_series(1, 60) i`,
      `INSERT INTO pile VALUES (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, '{}')`,
      `INSERT INTO log SELECT '2020-01-01', 'same' FROM generate_series(1, 10)`,
      'CREATE TABLE keyed (id int PRIMARY KEY, note text)',
      `INSERT INTO keyed VALUES (1, 'one'), (2, 'two')`,
    );
    await world.connect();
    await world.service.start();
    await world.mirrorEquals('pile');
    await world.mirrorEquals('log');
    await world.mirrorEquals('keyed');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const churn = async (): Promise<void> => {
    await world.sql(
      `UPDATE pile SET b = 'changed' WHERE a = 1`,
      `DELETE FROM pile WHERE ctid IN (SELECT ctid FROM pile WHERE a = 2 LIMIT 3)`,
      `INSERT INTO pile (a, b, c) SELECT 9, 'nine', 9 FROM generate_series(1, 7)`,
      `UPDATE pile SET c = c + 1 WHERE a = 9`,
      `DELETE FROM pile WHERE a = 9 AND ctid IN (SELECT ctid FROM pile WHERE a = 9 LIMIT 2)`,
    );
    await world.sql(`INSERT INTO log SELECT now(), 'line ' || i % 2 FROM generate_series(1, 20) i`);
  };

  scenario('is shown with its duplicates, through inserts, updates and deletes', async () => {
    await churn();
    await world.mirrorEquals('pile');
    await world.mirrorEquals('log');
    const [counted] = await world.clickhouse.query<{ rows: string }>(
      `SELECT count() AS rows FROM ${world.machinery}.log__mirror FINAL WHERE _count > 0`,
    );
    expect(Number(counted?.rows)).toBeLessThan(30);
  });

  scenario('is the same after a kill, a replay from the beginning, and a rebuild', async () => {
    await churn();
    await world.service.kill();
    await world.giveUp(world.service);
    await churn();
    await world.service.start();
    await world.mirrorEquals('pile');
    const replayed = await world.command(['replay', '--from-beginning']);
    expect(replayed.stderr + replayed.stdout).not.toContain('failed');
    await world.mirrorEquals('pile');
    await churn();
    await world.mirrorEquals('pile');
    await world.auditIsExactlyOnce();
  });

  scenario('follows its columns, and keeps count of rows from before and after', async () => {
    await world.sql(`ALTER TABLE pile ADD COLUMN e int NOT NULL DEFAULT 5`);
    await churn();
    await world.mirrorEquals('pile');
    await world.sql('ALTER TABLE pile DROP COLUMN d', 'ALTER TABLE pile ALTER COLUMN c TYPE numeric(12,3)');
    await churn();
    await world.sql(`DELETE FROM pile WHERE a IS NULL`);
    await world.mirrorEquals('pile');
  });

  scenario('that had one loses the views that follow rows by it, and no others', async () => {
    const views = async (): Promise<string[]> => {
      const found = `SELECT name FROM system.tables WHERE database = '${world.machinery}' AND engine = 'View' AND startsWith(name, 'keyed__') ORDER BY name`;
      return (await world.clickhouse.query<{ name: string }>(found)).map(({ name }) => name);
    };
    expect(await views()).toEqual(['keyed__at', 'keyed__changes', 'keyed__history']);
    await world.sql('ALTER TABLE keyed DROP CONSTRAINT keyed_pkey');
    await world.sql(`INSERT INTO keyed VALUES (2, 'two'), (3, NULL)`, `DELETE FROM keyed WHERE id = 1`);
    await world.mirrorEquals('keyed');
    expect(await views()).toEqual(['keyed__changes']);
    await world.sql(
      `DELETE FROM keyed WHERE id = 2`,
      'ALTER TABLE keyed ADD PRIMARY KEY (id)',
      `INSERT INTO keyed VALUES (4, 'four')`,
    );
    await world.mirrorEquals('keyed', { deadlineMs: 60_000 });
    expect(await views()).toEqual(['keyed__at', 'keyed__changes', 'keyed__history']);
  });

  scenario('is emptied by a TRUNCATE', async () => {
    await world.sql('TRUNCATE pile');
    await world.sql(`INSERT INTO pile (a, b) VALUES (1, 'after'), (1, 'after')`);
    await world.mirrorEquals('pile');
  });
});
