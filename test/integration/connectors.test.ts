/** The commands for the connector on the real Kafka Connect: its life, and snapshots while it runs. */
import { withSession } from '../../src/postgres/client';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

interface Shown {
  readonly state: string;
  readonly running: boolean;
  readonly tasks: readonly { readonly state: string; readonly trace: string }[];
  readonly steps: readonly string[];
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly done: boolean }[];
}

describe('connectors', () => {
  let world: World;
  let env: Record<string, string>;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    const { host, port } = world.stack.sourceForConnect;
    env = { CONNECTOR_PG_HOST: host, CONNECTOR_PG_PORT: port, TABLES_INCLUDE: 'public.*', HEARTBEAT_MS: '1000' };
    await world.sql(
      'CREATE TABLE item (id int PRIMARY KEY, name text)',
      `INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 2500) i`,
    );
    // Registered as the harness does, so that it is removed with the world whatever happens here.
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start();
    await world.mirrorEquals('item');
  };

  const connectors = (...args: readonly string[]) => world.command(['connectors', ...args], env);
  const json = async (...args: readonly string[]): Promise<Shown & { code: number | null }> => {
    const { code, stdout, stderr } = await connectors(...args, '--json');
    if (stdout === '') throw new Error(stderr);
    return { ...(JSON.parse(stdout) as Shown), code };
  };
  const countOf = async (table: string, op: string): Promise<number> =>
    (await world.auditRows(table)).filter((row) => row.op === op).length;

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('apply adds a table that came later to the publication and says how to send its rows', async () => {
    await world.sql(
      'CREATE TABLE "Odd (name)" (id int PRIMARY KEY, name text)',
      `INSERT INTO "Odd (name)" SELECT i, 'odd' FROM generate_series(1, 50) i`,
      'CREATE TABLE keyless (n int)',
      'ALTER TABLE keyless REPLICA IDENTITY FULL',
      'INSERT INTO keyless SELECT generate_series(1, 20)',
    );
    const applied = await json('apply');
    expect([applied.code, applied.running]).toEqual([0, true]);
    expect(applied.steps.join('\n')).toContain(`connectors snapshot --tables 'public.Odd (name)'`);
    expect(await json('apply')).toMatchObject({
      code: 0,
      steps: [expect.stringContaining('unchanged'), expect.anything()],
    });
  });

  scenario(
    'an incremental snapshot sends the rows of the tables once more, beside the stream, and ends when it is done',
    async () => {
      await world.sql(`UPDATE item SET name = 'changed' WHERE id <= 10`);
      const taken = await json('snapshot', '--tables', 'public.item');
      const item = { table: 'public.item', rows: 2500, done: true };
      expect(taken).toMatchObject({ code: 0, state: 'completed', tables: [item] });
      await waitFor(async () => (await countOf('item', 'r')) === 5000, 'the rows were sent a second time');
      await world.mirrorEquals('item');
    },
  );

  scenario('a blocking snapshot does too, of tables without a key and with odd names', async () => {
    const { code, stdout, stderr } = await connectors(
      'snapshot',
      '--type',
      'blocking',
      '--tables',
      'public.keyless,public.Odd (name)',
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/public.keyless: 20 rows\n.*Odd \(name\): 50 rows/)]);
    expect(stderr).not.toContain('error');
    await waitFor(async () => (await countOf('keyless', 'r')) === 20, 'the rows of the keyless table came');
  });

  scenario('only the rows that fulfil a condition are sent', async () => {
    const before = await countOf('item', 'r');
    const taken = await json('snapshot', '--tables', 'public.item', '--where', 'id > 2490');
    expect(taken.code).toBe(0);
    await waitFor(async () => (await countOf('item', 'r')) >= before + 10, 'the ten rows came');
    expect(await countOf('item', 'r')).toBe(before + 10);
  });

  scenario('a snapshot is refused for what the connector would pass over without a word', async () => {
    const refusals = [
      [['--tables', 'public.nowhere'], 'is not there'],
      [['--tables', 'public.keyless'], 'has no primary key'],
      [['--tables', 'public.Odd (name)'], 'has a name that incremental'],
    ] as const;
    for (const [args, words] of refusals) {
      const { code, stderr } = await connectors('snapshot', ...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    }
    await world.sql('CREATE TABLE unpublished (id int PRIMARY KEY)');
    const { stderr } = await connectors('snapshot', '--tables', 'public.unpublished');
    expect(stderr).toContain("not in the connector's publication");
  });

  scenario('a running incremental snapshot is stopped, and the one who watches is told', async () => {
    await world.sql(`INSERT INTO item SELECT i, 'more' FROM generate_series(2501, 22500) i`);
    // The stop is held back until the signal before it is committed, so that it comes right behind it and never before.
    await world.sql(
      `CREATE FUNCTION hold_stop() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$`,
      `CREATE TRIGGER hold_stop BEFORE INSERT ON debezium_signal FOR EACH ROW
       WHEN (NEW.type = 'stop-snapshot') EXECUTE FUNCTION hold_stop()`,
    );
    const signalled = async (): Promise<number> =>
      (await world.postgres.query(`SELECT FROM debezium_signal WHERE type = 'execute-snapshot'`)).length;
    const waitingStops = `SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
      WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`;
    const before = await signalled();
    const watching = await withSession(world.settings['PG_URL'] ?? '', async (session) => {
      await session.query('SELECT pg_advisory_lock(1)');
      const stopping = json('snapshot', '--stop');
      await waitFor(
        async () => (await world.postgres.query(waitingStops)).length === 1,
        'the stop is about to be written',
      );
      const shown = json('snapshot', '--tables', 'public.item');
      await waitFor(async () => (await signalled()) > before, 'the snapshot is asked for');
      await session.query('SELECT pg_advisory_unlock(1)');
      expect((await stopping).code).toBe(0);
      return { shown };
    });
    await world.sql('DROP FUNCTION hold_stop CASCADE');
    expect(await watching.shown).toMatchObject({
      code: 1,
      state: 'stopped',
      tables: [{ table: 'public.item', done: false }],
    });
    await world.mirrorEquals('item');
  });

  scenario('pause and resume are waited for, and keep the place', async () => {
    expect(await json('pause')).toMatchObject({ code: 0, state: 'PAUSED', running: false });
    expect((await json('status')).code).toBe(1);
    const refused = await connectors('snapshot', '--tables', 'public.item');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('does not run')]);
    expect((await connectors('restart')).stderr).toContain('connectors resume');
    await world.sql(`UPDATE item SET name = 'while it rested' WHERE id = 1`);
    expect(await json('resume')).toMatchObject({ code: 0, state: 'RUNNING', running: true });
    await world.mirrorEquals('item');
  });

  scenario('restart brings a failed task back, and leaves a running one alone unless told otherwise', async () => {
    expect(await json('restart')).toMatchObject({ code: 0, running: true });
    await world.sql(`ALTER PUBLICATION ${world.name} RENAME TO ${world.name}_gone`);
    const failed = await connectors('restart', '--all');
    expect([failed.code, failed.stderr]).toEqual([3, expect.stringContaining('Publication autocreation is disabled')]);
    expect(await json('status')).toMatchObject({ code: 1, tasks: [{ state: 'FAILED' }] });
    // A pause does not wait for what cannot pause; check names both, and resume tries the task again.
    expect(await json('pause')).toMatchObject({ code: 0, state: 'PAUSED', tasks: [{ state: 'FAILED' }] });
    const checked = await world.command(['check', '--json'], env);
    const { findings } = JSON.parse(checked.stdout) as { findings: { id: string }[] };
    expect(findings.map(({ id }) => id)).toEqual(expect.arrayContaining(['connector-paused', 'connector-failed']));
    expect((await connectors('resume')).code).toBe(3);
    await world.sql(`ALTER PUBLICATION ${world.name}_gone RENAME TO ${world.name}`);
    await world.sql(`UPDATE item SET name = 'while it had failed' WHERE id = 2`);
    expect(await json('restart')).toMatchObject({ code: 0, running: true });
    expect(await json('restart', '--all')).toMatchObject({ code: 0, running: true });
    await world.mirrorEquals('item');
  });

  scenario('delete takes everything away, and there is nothing left to restart', async () => {
    expect(await json('delete')).toMatchObject({ code: 0, state: 'MISSING' });
    const slots = await world.postgres.query('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [world.name]);
    expect(slots).toEqual([]);
    expect((await connectors('restart')).stderr).toContain('there is no connector');
  });
});
