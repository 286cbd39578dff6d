/** Pausing a table and reading on from its place; and a key that is erased, and stays so. */
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

interface Erased {
  readonly events: number;
  readonly quarantined?: number;
  readonly kafka: { topic: string; first: number; last: number; until: object | null }[];
}

describe('operating a service', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE TABLE people (id int PRIMARY KEY, name text)', 'ALTER TABLE people REPLICA IDENTITY FULL');
    await world.sql('CREATE TABLE others (id text PRIMARY KEY, v text)');
    await world.sql(
      `INSERT INTO people SELECT n, 'person ' || n FROM generate_series(1, 20) n`,
      `INSERT INTO others VALUES ('a', '1')`,
    );
    await world.connect();
    await world.service.start();
    await world.mirrorEquals('people');
    await world.mirrorEquals('others');
  };
  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const done = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await world.command(args);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    return stdout;
  };
  const audited = async (table: string): Promise<number> => (await world.auditRows(table)).length;

  scenario('a paused table holds while others go on, over a restart, and reads on from its place', async () => {
    const said = await done(['pause', '--table', 'public.people']);
    expect(said).toContain(`Holds: ${world.topic('people')}`);
    expect(said).toMatch(/Kafka may drop the oldest of it in 6 d 23 h|in 7 d/);
    const before = await audited('people');
    await world.sql(`UPDATE people SET name = 'held' WHERE id <= 5`, `UPDATE others SET v = '2'`);
    await world.mirrorEquals('others');
    expect(await world.service.stop()).toBe(0);
    await world.service.start();
    await world.sql(`UPDATE others SET v = '3'`);
    await world.mirrorEquals('others');
    expect(await audited('people')).toBe(before);
    const again = JSON.parse(await done(['pause', '--table', 'public.people', '--json'])) as {
      unread: { offsets: number; leftMs: number }[];
    };
    expect(again.unread[0]?.offsets).toBeGreaterThanOrEqual(5);
    expect(again.unread[0]?.leftMs).toBeGreaterThan(0);
    expect((await world.command(['pause', '--table', 'public.nothing'])).code).toBe(3);
    for (const waiting of [['verify'], ['replay', '--from-beginning', '--yes']]) {
      const refused = await world.command(waiting);
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('would wait in vain')]);
    }
    expect(world.service.lines().some(({ event }) => event === 'topics-paused')).toBe(true);
    await done(['resume', '--table', 'public.people']);
    await world.mirrorEquals('people');
    await world.auditIsExactlyOnce();
  });

  scenario('everything holds by one order, which ends as a whole', async () => {
    await done(['pause', '--all']);
    const before = [await audited('people'), await audited('others')];
    await world.sql(`UPDATE people SET name = 'all' WHERE id = 1`, `UPDATE others SET v = '4'`);
    expect((await world.command(['resume', '--table', 'public.people'])).code).toBe(3);
    expect([await audited('people'), await audited('others')]).toEqual(before);
    await done(['resume', '--all']);
    await world.mirrorEquals('people');
    await world.mirrorEquals('others');
    await world.auditIsExactlyOnce();
  });

  scenario('a row that lives in the source is not forgotten: its next change would come back', async () => {
    const { code, stderr } = await world.command(['forget', '--table', 'public.people', '--key', '7', '--yes']);
    expect(code).toBe(3);
    expect(stderr).toContain('Delete it in PostgreSQL first');
    expect((await world.command(['forget', '--table', 'public.people', '--key', '7'])).code).toBe(3);
  });

  scenario(
    'a deleted person is erased from changes, mirror and quarantine, with what Kafka still holds named',
    async () => {
      await world.sql(`UPDATE people SET name = 'a secret name' WHERE id = 7`);
      await world.sql(`DELETE FROM people WHERE id = 7`);
      await world.mirrorEquals('people');
      const topic = world.topic('people');
      await world.topics.produce(topic, [
        { key: Buffer.from('{"id":7}'), value: Buffer.from('a secret name, broken') },
      ]);
      await waitFor(
        async () => (await count('quarantine', `value LIKE '%secret%'`)) === 1,
        'the garbage is in quarantine',
      );
      await world.sql(`UPDATE people SET name = 'next' WHERE id = 8`);
      await world.mirrorEquals('people');
      const dry = JSON.parse(
        await done(['forget', '--table', 'public.people', '--key', '7', '--dry-run', '--json']),
      ) as Erased;
      expect(dry.events).toBe(3);
      expect(await count('changes', `after LIKE '%secret%'`)).toBe(1);
      const erased = JSON.parse(
        await done(['forget', '--table', 'public.people', '--key', '{"id":7}', '--yes', '--json']),
      ) as Erased;
      expect(erased).toMatchObject({ events: 3, quarantined: 1, kafka: [{ topic }] });
      expect(erased.kafka[0]?.until).not.toBeNull();
      await isErased();
      const rows = await world.clickhouse.query<{ state: string }>(
        `SELECT state FROM ${world.machinery}.forgotten FINAL`,
      );
      expect(rows).toEqual([{ state: 'done' }]);
      const logged = await world.clickhouse.query<{ n: string }>(
        `SELECT count() AS n FROM system.mutations WHERE database = '${world.machinery}' AND (command LIKE '%secret%' OR command LIKE '%"id":7%')`,
      );
      expect(logged).toEqual([{ n: '0' }]);
      await world.mirrorEquals('people');
    },
  );

  scenario('neither a replay nor a rebuild nor a restart brings the person back', async () => {
    await done(['replay', '--from-beginning', '--tables', 'public.people', '--yes']);
    await isErased();
    await world.mirrorEquals('people');
    await done(['rebuild', '--table', 'public.people']);
    await isErased();
    await world.mirrorEquals('people');
    const { code } = await world.command(['verify', '--table', 'public.people']);
    expect(code).toBe(0);
    expect(world.service.lines().filter(({ event }) => event === 'rows-lost-in-rebuild')).toEqual([]);
  });

  scenario('a key that lives again later is a row like any other', async () => {
    await world.sql(`INSERT INTO people VALUES (7, 'somebody new')`);
    await world.mirrorEquals('people');
    await world.sql(`UPDATE people SET name = 'somebody newer' WHERE id = 7`);
    await world.mirrorEquals('people');
    await done(['replay', '--from-beginning', '--tables', 'public.people', '--yes']);
    await world.mirrorEquals('people');
    await isErased();
    expect(await count('changes', `key = '{"id":7}'`)).toBe(2);
  });

  /** Nothing of the three events is left but their addresses. */
  const isErased = async (): Promise<void> => {
    expect(await count('changes', `before LIKE '%secret%' OR after LIKE '%secret%' OR after LIKE '%person 7"%'`)).toBe(
      0,
    );
    expect(await count('changes', `redelivered = 2 AND key = '' AND before = '' AND after = ''`)).toBe(3);
    expect(await count('quarantine', `value LIKE '%secret%' OR key = '{"id":7}'`)).toBe(0);
    expect(await count('people__mirror', `name LIKE '%secret%' OR name = 'person 7'`)).toBe(0);
  };
  const count = async (table: string, where: string): Promise<number> => {
    const [row] = await world.clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM ${world.machinery}.${table} WHERE ${where}`,
    );
    return Number(row?.n);
  };
});
