/** Each bad input gives a clear error and loses nothing. */
import { createServer } from 'node:net';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../stack/project-root';
import { findInPath } from '../../stack/needed-tools';
import { runCommand } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess } from '../harness/service-process';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

describe('bad input', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE TABLE good (id int PRIMARY KEY, v text)', 'CREATE TABLE keyless (a int, b text)');
    await world.sql(
      'CREATE TABLE taken (id int PRIMARY KEY, v text)',
      'CREATE TABLE "view_of_mine" (id int PRIMARY KEY)',
    );
    await world.sql(
      `INSERT INTO good VALUES (1, 'a')`,
      `INSERT INTO keyless VALUES (1, 'a'), (1, 'a')`,
      `INSERT INTO taken VALUES (1, 'a')`,
    );
    await world.connect();
    await world.clickhouse.command(`CREATE DATABASE ${world.database} ENGINE = Atomic`);
    await world.clickhouse.command(`CREATE TABLE ${world.database}.taken (x Int8) ENGINE = MergeTree ORDER BY x`);
    await world.service.start();
    await world.mirrorEquals('good');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('a garbage record goes to quarantine with its bytes, address and code, and the rest goes on', async () => {
    const topic = world.topic('good');
    const garbage = Buffer.from([0x7b, 0x22, 0xff, 0x00, 0x01]);
    await world.topics.produce(topic, [
      { key: Buffer.from('{"id":1}'), value: garbage, headers: { who: 'a test' } },
      { key: null, value: Buffer.from('{"op":"x"}') },
      { key: null, value: Buffer.from('[1,2]') },
    ]);
    await world.sql(`INSERT INTO good VALUES (2, 'after the garbage')`);
    await world.mirrorEquals('good');
    const rows = await waitFor(async () => {
      const found = await world.clickhouse.query<{
        offset: string;
        code: string;
        value: string;
        key: string;
        message: string;
        headers: string;
      }>(
        `SELECT offset, code, message, hex(key) AS key, hex(value) AS value, hex(headers) AS headers
           FROM ${world.machinery}.quarantine WHERE topic = '${topic}' AND partition = 0 ORDER BY offset`,
      );
      return found.length === 3 ? found : null;
    }, 'three records are in quarantine');
    const records = await world.topics.read([topic]);
    const bad = records.filter(({ value }) => value !== null && (value.equals(garbage) || value.length < 12));
    expect(rows.map(({ offset }) => Number(offset))).toEqual(bad.map(({ offset }) => offset));
    expect(rows[0]).toMatchObject({
      code: 'ENVELOPE_MALFORMED',
      value: garbage.toString('hex').toUpperCase(),
      key: Buffer.from('{"id":1}').toString('hex').toUpperCase(),
    });
    expect(rows[0]?.headers).toContain(Buffer.from('a test').toString('hex').toUpperCase());
    for (const { code, message } of rows) {
      expect(code).toMatch(/^(ENVELOPE|KEY)_/);
      expect(message).not.toBe('');
    }
    const said = world.service.lines().filter(({ event }) => event === 'record-quarantined');
    expect(said.map(({ offset }) => offset)).toEqual(rows.map(({ offset }) => Number(offset)));
    await world.auditIsExactlyOnce();
  });

  scenario('a table without a key is mirrored by count, and check says what that means', async () => {
    await world.sql(`INSERT INTO keyless VALUES (2, 'b')`);
    await world.mirrorEquals('keyless');
    const { code, stdout } = await world.command(['check']);
    expect(stdout).toMatch(/public\.keyless.*by count/s);
    expect([0, 1]).toContain(code);
  });

  scenario('a table whose view name is taken is audited, not mirrored, and both check and the log say so', async () => {
    await waitFor(async () => (await world.auditRows('taken')).length === 1, 'its row is in changes');
    const said = world.service
      .lines()
      .filter(({ event, table }) => event === 'table-not-mirrored' && table === 'public.taken');
    expect(said).toMatchObject([{ level: 'warn', code: 'TABLE_NAME_TAKEN' }]);
    expect(said[0]?.message).toContain('ROUTES');
    const { stdout } = await world.command(['check']);
    expect(stdout).toMatch(/taken/);
    expect(stdout).toContain('ROUTES');
    expect(await world.clickhouse.query(`SELECT * FROM ${world.database}.taken`)).toEqual([]);
  });

  scenario('a route gives the taken name another, and what was only audited is mirrored', async () => {
    expect(await world.service.stop()).toBe(0);
    await world.service.start({ env: { ROUTES: 'public.taken=taken_by_route' } });
    await world.sql(`INSERT INTO taken VALUES (2, 'b')`);
    await world.mirrorEquals('taken', { view: 'taken_by_route' });
  });

  scenario('wrong ClickHouse credentials end the service with exit code 2 and the setting to mend', async () => {
    const { code, stdout, stderr } = await world.command(['run'], {
      KAFKA_GROUP_ID: `${world.name}-b`,
      CH_USER: 'nobody',
      CH_PASSWORD: 'hunter2-secret',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('CLICKHOUSE_REFUSED_LOGIN');
    expect(stderr).toContain('CH_PASSWORD');
    expect(stdout + stderr).not.toContain('hunter2-secret');
  });

  scenario(
    'a setting with a wrong type ends it with exit code 2, and names the setting, its form and an example',
    async () => {
      const { code, stderr } = await world.command(['run'], { BLOCK_ROWS: 'many', PG_PORT: '99999' });
      expect(code).toBe(2);
      expect(stderr).toMatch(/BLOCK_ROWS \(from the environment\) must be .*for example BLOCK_ROWS=20000/);
      expect(stderr).toMatch(/PG_PORT .*must be .*for example PG_PORT=5432/);
    },
  );

  scenario('another consumer group is refused on the same target, with exit code 7', async () => {
    const { code, stderr } = await world.command(['run'], { KAFKA_GROUP_ID: `${world.name}-other` });
    expect(code).toBe(7);
    expect(stderr).toContain(`KAFKA_GROUP_ID=${world.name}`);
  });

  scenario('a broker address that does not answer is said, and the service stays alive until SIGTERM', async () => {
    const database = `${world.name}_x`;
    const lonely = serviceProcess({
      settings: { ...world.settings, KAFKA_BROKERS: '127.0.0.1:1', CH_DATABASE: database },
      cwd: world.stack.dir,
      logFile: join(world.stack.dir, `service-${database}.log`),
    });
    try {
      await lonely.start({ awaitReading: 'no' });
      const said = await waitFor(
        () => lonely.lines().find(({ event }) => event === 'kafka-waiting'),
        'it says that it waits',
      );
      expect(said.message).toContain('127.0.0.1:1');
      await waitFor(
        () => lonely.lines().filter(({ event }) => event === 'kafka-waiting').length >= 3,
        'it goes on trying',
      );
      expect(await lonely.stop('SIGTERM')).toBe(0);
    } finally {
      if (lonely.isRunning()) await lonely.kill();
      for (const one of [database, `${database}_cdc`])
        await world.clickhouse.command(`DROP DATABASE IF EXISTS ${one} SYNC`);
    }
  });
});

describe('a stack that cannot start', () => {
  let dir: string;
  const parts = join(projectRoot(), '.stack', 'parts');
  const up = (env: Readonly<Record<string, string>>) => {
    const ports = ['PG', 'KAFKA', 'KAFKA_CONTROLLER', 'CONNECT', 'CH_HTTP', 'CH_TCP', 'REGISTRY'].map((name) => [
      `STACK_${name}_PORT`,
      '0',
    ]);
    const settings = {
      STACK: 'local',
      STACK_DIR: join(dir, 'stack'),
      CONNECTOR: 'json',
      ...Object.fromEntries(ports),
      ...env,
    } as Record<string, string>;
    return runCommand({ program: 'stack/main.js', args: ['up'], env: settings, cwd: dir });
  };
  const startedNothing = async (): Promise<void> => {
    expect(existsSync(join(dir, 'stack', 'data', 'postgres'))).toBe(false);
    expect(existsSync(join(dir, 'stack', 'data', 'clickhouse'))).toBe(false);
  };

  beforeEach(() => {
    mkdirSync(join(projectRoot(), '.stack'), { recursive: true });
    dir = mkdtempSync(join(projectRoot(), '.stack', 'test-refused-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  it('names the port in use and the setting that changes it, and starts nothing', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    try {
      const { code, stderr } = await up({ STACK_PG_PORT: String(port), STACK_PARTS_DIR: parts });
      expect(code).toBe(2);
      expect(stderr).toContain(`port ${port} (STACK_PG_PORT) is in use by another program`);
      await startedNothing();
    } finally {
      server.close();
    }
  });

  it('says that Java is missing and how to get it', async () => {
    const { code, stderr } = await up({ PATH: dir, STACK_PARTS_DIR: parts });
    expect(code).toBe(1);
    expect(stderr).toContain('Java was not found');
    expect(stderr).toContain('openjdk-17');
    await startedNothing();
  });

  it('says that Maven is missing when something must be downloaded, and how to get it', async () => {
    const java = findInPath('java');
    if (java === null) throw new Error('these tests need Java');
    mkdirSync(join(dir, 'bin'));
    symlinkSync(java, join(dir, 'bin', 'java'));
    const { code, stderr } = await up({ PATH: join(dir, 'bin'), STACK_PARTS_DIR: join(dir, 'parts') });
    expect(code).toBe(1);
    expect(stderr).toContain('Maven (mvn) was not found');
    expect(stderr).toContain('apt-get install maven');
    await startedNothing();
  });
});
