/** From a row changed in PostgreSQL to ClickHouse, on the real parts: each kind of change, small and large. */
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import { changeOf } from '../harness/topics';

jest.setTimeout(120_000);

describe('the main path', () => {
  let world: World;

  beforeAll(() => withLogs('the preparation', prepare));

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      `CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, mail text, born date, height real, balance numeric(12,2),
         big numeric, active boolean, tags text[], at timestamptz DEFAULT now(), local timestamp, wake time, data jsonb, raw bytea, ref uuid)`,
      `INSERT INTO person VALUES
         (1, 'Ada', 'ada@example.org', '1815-12-10', 1.65, 10.50, 123456789012345678.000000001, true, '{a,b}', '2026-01-19 10:00:00.123456+00',
          '2026-01-19 10:00:00', '07:30', '{"k": [1, 2]}', '\\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
         (2, 'Grace "the" \\ 😀', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
         (3, 'Edsger', '', '1930-05-11', -0.1, -0.01, -1, false, '{}', '1970-01-01 00:00:00+00', NULL, NULL, 'null', '', NULL)`,
    );
    await world.sql('CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL)');
    await world.sql('CREATE TABLE bulk (id int PRIMARY KEY, name text NOT NULL, amount numeric(10,2))');
    await world.sql('CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)');
    await world.sql('CREATE TABLE entry (id int PRIMARY KEY, account int NOT NULL, amount int NOT NULL)');
    await world.connect();
    await world.service.start();
  };

  afterAll(() => world.close());

  scenario('brings rows that were there before the connector, as snapshot reads', async () => {
    // 1815 is before the first day a Date32 holds: it is clamped, so the comparison leaves that row's date out.
    await waitFor(async () => (await world.auditRows('person')).length === 3, 'the snapshot is in changes');
    const rows = await world.auditRows('person');
    expect(rows.map(({ op, before, redelivered }) => ({ op, before, redelivered }))).toEqual(
      Array(3).fill({ op: 'r', before: '', redelivered: 0 }),
    );
    await world.sql(`UPDATE person SET born = '1915-12-10' WHERE id = 1`);
    await world.mirrorEquals('person');
    // ClickHouse has no NULL for an array: the view shows [], and the mirror remembers which it was.
    const nulls = await world.clickhouse.query<{ id: string; nulls: string[] }>(
      `SELECT id, _nulls AS nulls FROM ${world.machinery}.person__mirror FINAL ORDER BY id`,
    );
    expect(nulls).toEqual([
      { id: '1', nulls: [] },
      { id: '2', nulls: ['tags'] },
      { id: '3', nulls: [] },
    ]);
  });

  scenario(
    'brings an insert, an update, a delete and a change of the key, each once and with what the record says',
    async () => {
      const before = (await world.auditRows('person')).length;
      await world.sql(`INSERT INTO person (id, name, balance) VALUES (10, 'new', 1.10)`);
      await world.sql(`UPDATE person SET name = 'newer', balance = balance + 1 WHERE id = 10`);
      await world.sql(`DELETE FROM person WHERE id = 2`);
      await world.sql(`UPDATE person SET id = 11 WHERE id = 10`);
      await world.mirrorEquals('person');
      const rows = (await world.auditRows('person')).slice(before);
      expect(rows.map(({ op }) => op)).toEqual(['c', 'u', 'd', 'd', 'c']);
      const [created, updated, deleted, left, came] = rows.map((row) => ({
        before: row.before === '' ? null : (JSON.parse(row.before) as { id: number; name: string; balance: string }),
        after: row.after === '' ? null : (JSON.parse(row.after) as { id: number; name: string; balance: string }),
        tx: row.tx_id,
      }));
      expect(created).toMatchObject({ before: null, after: { id: 10, name: 'new', balance: '1.10' } });
      expect(updated).toMatchObject({ before: { name: 'new' }, after: { name: 'newer', balance: '2.10' } });
      expect(deleted).toMatchObject({ before: { id: 2 }, after: null });
      expect(left).toMatchObject({ before: { id: 10, name: 'newer' }, after: null });
      expect(came).toMatchObject({ before: null, after: { id: 11, name: 'newer' } });
      expect(left?.tx).toBe(came?.tx);
      expect(created?.tx).not.toBe(updated?.tx);
      await world.auditIsExactlyOnce();
    },
  );

  scenario('shows a change in the view and in changes soon after its commit', async () => {
    const times: number[] = [];
    for (let id = 100; id < 110; id++) {
      await world.sql(`INSERT INTO person (id, name) VALUES (${id}, 'timed')`);
      const committed = performance.now();
      await waitFor(
        async () =>
          (await world.clickhouse.query(`SELECT 1 FROM ${world.database}.person WHERE id = ${id}`)).length === 1,
        'the row is in the view',
        10_000,
      );
      times.push(performance.now() - committed);
    }
    times.sort((a, b) => a - b);
    process.stderr.write(
      `  commit to visible: median ${times[5]?.toFixed(0)} ms, slowest of 10 ${times[9]?.toFixed(0)} ms\n`,
    );
    await world.mirrorEquals('person');
  });

  scenario('empties the mirror at a TRUNCATE and goes on with the rows after it', async () => {
    await world.sql('INSERT INTO counter SELECT i, 0 FROM generate_series(1, 50) i');
    await world.mirrorEquals('counter');
    await world.sql('TRUNCATE counter');
    await world.sql('INSERT INTO counter VALUES (1, 7), (51, 8)');
    await world.mirrorEquals('counter');
    const rows = await world.auditRows('counter');
    expect(rows.filter(({ op }) => op === 't')).toMatchObject([{ key: '', before: '', after: '' }]);
    expect(rows).toHaveLength(53);
  });

  scenario('shows nobody rows from before a TRUNCATE while their parts are deleted one by one', async () => {
    const mirror = `${world.machinery}.counter__mirror`;
    const inView = async (): Promise<string> =>
      (
        await world.clickhouse.query<{ rows: string }>(
          `SELECT concat(toString(count()), '/', toString(sum(n))) AS rows FROM ${world.database}.counter`,
        )
      )[0]?.rows ?? '';
    await world.sql('INSERT INTO counter VALUES (2001, 1)');
    await world.mirrorEquals('counter');
    // No deletion can run, as if it were at its first part: what the view shows then, it shows all the while.
    await world.clickhouse.command(`SYSTEM STOP MERGES ${mirror}`);
    try {
      await world.sql('UPDATE counter SET n = n + 1', 'TRUNCATE counter');
      await waitFor(async () => (await inView()) === '0/0', 'the view is empty', 20_000);
      const [kept] = await world.clickhouse.query<{ rows: string }>(`SELECT toString(count()) AS rows FROM ${mirror}`);
      expect(Number(kept?.rows)).toBeGreaterThan(0);
    } finally {
      await world.clickhouse.command(`SYSTEM START MERGES ${mirror}`);
    }
    await world.sql('INSERT INTO counter VALUES (2002, 5)');
    await world.mirrorEquals('counter');
    await waitFor(
      async () => (await world.clickhouse.query(`SELECT 1 FROM ${mirror} FINAL WHERE id <> 2002`)).length === 0,
      'the rows are deleted',
      20_000,
    );
  });

  scenario('brings 1,000 updates of one row in one transaction, in their order', async () => {
    await world.sql('INSERT INTO counter VALUES (1000, 0)');
    await world.sql(`DO $$ BEGIN FOR i IN 1..1000 LOOP UPDATE counter SET n = i WHERE id = 1000; END LOOP; END $$`);
    await world.mirrorEquals('counter');
    const updates = (await world.auditRows('counter')).filter(({ op, key }) => op === 'u' && key === '{"id":1000}');
    expect(updates.map(({ after }) => (JSON.parse(after) as { n: number }).n)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index + 1),
    );
    expect(new Set(updates.map(({ tx_id }) => tx_id)).size).toBe(1);
  });

  scenario('brings two tables changed in one transaction under one transaction id', async () => {
    await world.sql(
      'INSERT INTO account VALUES (1, 100), (2, 0)',
      'INSERT INTO entry VALUES (1, 1, 100)',
      'UPDATE account SET balance = balance - 30 WHERE id = 1',
      'UPDATE account SET balance = balance + 30 WHERE id = 2',
      'INSERT INTO entry VALUES (2, 2, 30)',
    );
    await world.mirrorEquals('account');
    await world.mirrorEquals('entry');
    const ids = [...(await world.auditRows('account')), ...(await world.auditRows('entry'))].map(({ tx_id }) => tx_id);
    expect(ids).toHaveLength(6);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).not.toBeNull();
  });

  scenario('picks up a table that is created while it runs', async () => {
    await world.sql('CREATE TABLE latecomer (a int, b text, note text, PRIMARY KEY (b, a))');
    await world.sql(`INSERT INTO latecomer VALUES (1, 'x', 'first'), (2, 'x', NULL)`);
    await world.sql(`UPDATE latecomer SET note = 'second' WHERE a = 2`);
    await world.sql(`DELETE FROM latecomer WHERE a = 1`);
    await world.mirrorEquals('latecomer');
    expect((await world.auditRows('latecomer')).map(({ op }) => op)).toEqual(['c', 'c', 'u', 'd']);
  });

  scenario('takes a new column without a restart', async () => {
    await world.sql('ALTER TABLE account ADD COLUMN owner text');
    await world.sql(`INSERT INTO account VALUES (3, 5, 'Ada')`);
    await world.sql(`UPDATE account SET owner = 'Grace' WHERE id = 1`);
    await world.mirrorEquals('account');
  });

  scenario('brings 100,000 rows of one COPY', async () => {
    const started = performance.now();
    await world.sql(
      `COPY bulk FROM PROGRAM 'awk ''BEGIN { for (i = 1; i <= 100000; i++) printf "%d,name %d,%d.%02d\\n", i, i, i % 1000, i % 100 }''' (FORMAT csv)`,
    );
    await waitFor(
      async () =>
        (await world.clickhouse.query<{ n: string }>(`SELECT count() AS n FROM ${world.database}.bulk`))[0]?.n ===
        '100000',
      'all rows are in the view',
      90_000,
    );
    process.stderr.write(
      `  100,000 rows by COPY: all visible ${((performance.now() - started) / 1000).toFixed(1)} s after it began\n`,
    );
    await world.mirrorEquals('bulk');
  });

  scenario('has every change record of Kafka in changes once, after all of this', async () => {
    const records = await world.auditIsExactlyOnce(60_000);
    expect(records.filter((record) => changeOf(record) !== null).length).toBeGreaterThan(101_000);
    const quarantined = await world.clickhouse.query(`SELECT 1 FROM ${world.machinery}.quarantine`);
    expect(quarantined).toEqual([]);
  });

  scenario('finishes and exits with 0 when it is asked to stop', async () => {
    expect(await world.service.stop('SIGTERM')).toBe(0);
  });
});
