/** Going back: replays by the running service and without one, offsets set by hand, mirrors and targets that were spoiled, records that expired. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { program, type Ended } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess } from '../harness/service-process';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(180_000);

/** What must not change when records are read again: how many rows `changes` has, and the sum of their offsets. */
interface Sums {
  readonly rows: string;
  readonly offsets: string;
}

/** Watches a view the whole time: for each key the highest version seen, and what went back. */
function watchVersions(world: World, table: string): { stop(): Promise<{ looks: number; wentBack: string[] }> } {
  const highest = new Map<string, number>();
  const wentBack: string[] = [];
  let going = true;
  let looks = 0;
  const loop = async (): Promise<void> => {
    while (going) {
      const rows = await world.clickhouse
        .query<{ id: number; version: string }>(`SELECT id, version FROM ${world.database}.${table}`)
        .catch(() => []);
      looks++;
      for (const { id, version } of rows) {
        const seen = highest.get(String(id)) ?? -1;
        if (Number(version) < seen) wentBack.push(`${id}: ${seen} then ${version}`);
        highest.set(String(id), Math.max(seen, Number(version)));
      }
      await pause(20);
    }
  };
  const ended = loop();
  return {
    async stop() {
      going = false;
      await ended;
      return { looks, wentBack };
    },
  };
}

/** Updates, deletes and inserts the same keys again until it is stopped; versions only grow. */
function writeOn(world: World, table: string): { stop(): Promise<void> } {
  let going = true;
  const loop = async (): Promise<void> => {
    for (let round = 0; going; round++) {
      const id = (round % 20) + 1;
      await world.sql(`UPDATE ${table} SET version = nextval('versions') WHERE id = ${id}`);
      if (round % 3 === 0) {
        await world.sql(
          `DELETE FROM ${table} WHERE id = ${id}`,
          `INSERT INTO ${table} VALUES (${id}, nextval('versions'), 'again')`,
        );
      }
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
}

describe('replay', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE SEQUENCE versions');
    for (const table of ['row_of', 'other']) {
      await world.sql(`CREATE TABLE ${table} (id int PRIMARY KEY, version bigint NOT NULL, note text)`);
      await world.sql(`INSERT INTO ${table} SELECT i, nextval('versions'), 'first' FROM generate_series(1, 30) i`);
    }
    await world.connect();
    await world.service.start();
    await world.mirrorEquals('row_of');
    await churn();
    await settled();
  };

  /** Deletes and inserts of the same keys, updates, and keys that end deleted. */
  const churn = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      await world.sql(`UPDATE row_of SET version = nextval('versions')`);
      await world.sql(`DELETE FROM row_of WHERE id <= 10`);
      await world.sql(`INSERT INTO row_of SELECT i, nextval('versions'), 'again' FROM generate_series(1, 10) i`);
      await world.sql(`UPDATE other SET version = nextval('versions'), note = 'round ${round}'`);
    }
    await world.sql(`DELETE FROM row_of WHERE id = 30`);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const settled = async (): Promise<void> => {
    await world.mirrorEquals('row_of');
    await world.mirrorEquals('other');
    await world.auditIsExactlyOnce();
  };

  const sums = async (): Promise<Sums> => {
    const [row] = await world.clickhouse.query<Sums>(
      `SELECT count() AS rows, sum(offset) AS offsets FROM ${world.machinery}.changes`,
    );
    if (row === undefined) throw new Error('changes answers nothing');
    return row;
  };

  const controlNames = async (): Promise<string[]> =>
    (
      await world.clickhouse.query<{ name: string }>(
        `SELECT name FROM ${world.machinery}.control FINAL WHERE startsWith(name, 'request:') OR startsWith(name, 'answer:')`,
      )
    ).map(({ name }) => name);

  const middle = async (table: string): Promise<number> => {
    const offsets = (await world.auditRows(table)).map(({ offset }) => Number(offset));
    return offsets[Math.floor(offsets.length / 2)] ?? 0;
  };

  const mirrorUuid = async (): Promise<unknown[]> =>
    world.clickhouse.query(
      `SELECT toString(uuid) AS uuid FROM system.tables WHERE database = '${world.machinery}' AND name = 'row_of__mirror'`,
    );

  const ok = ({ code, stdout, stderr }: Ended): string => {
    expect({ code, stderr: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  const assignments = (topic: string): unknown[] =>
    world.service.lines().filter(({ event, topic: of }) => event === 'partition-assigned' && of === topic);

  scenario('--dry-run shows the ranges, the records and how far back they go, and does nothing', async () => {
    const before = assignments(world.topic('row_of')).length;
    const shown = ok(await world.command(['replay', '--from-beginning', '--dry-run', '--tables', 'public.row_of']));
    expect(shown).toMatch(new RegExp(`${world.topic('row_of')} +│ 0 +│ 0 `));
    expect(shown).toMatch(/\d+ offsets are read again, from one partition/);
    expect(shown).toMatch(/\d{4}-\d\d-\d\dT[\d:.]+Z, [\d.]+ (s|min|min \d+ s) ago/);
    expect(shown).not.toContain('.other');
    expect(assignments(world.topic('row_of'))).toHaveLength(before);
    expect(await controlNames()).toEqual([]);
  });

  scenario(
    'three times from the beginning by the running service adds nothing, and no reader sees a row go back',
    async () => {
      const before = await sums();
      const watched = watchVersions(world, 'row_of');
      for (let time = 0; time < 3; time++) {
        const shown = ok(await world.command(['replay', '--from-beginning']));
        expect(shown).toContain('The running service replays it');
        expect(shown).toMatch(/Replayed [\d,]+ offsets in/);
      }
      await settled();
      const { looks, wentBack } = await watched.stop();
      expect(wentBack).toEqual([]);
      expect(looks).toBeGreaterThan(20);
      expect(await sums()).toEqual(before);
      expect(
        assignments(world.topic('row_of')).filter((line) => (line as { how: string }).how === 'replay'),
      ).toHaveLength(3);
      expect(await controlNames()).toEqual([]);
    },
  );

  scenario('from the middle, and from a moment, it converges as well', async () => {
    const before = await sums();
    const at = await middle('row_of');
    const place = `${world.topic('row_of')}:0`;
    ok(await world.command(['replay', '--from-offset', `${place}=${at}`]));
    expect(assignments(world.topic('row_of')).at(-1)).toMatchObject({ how: 'replay', start: at });
    ok(
      await world.command([
        'replay',
        '--from-timestamp',
        new Date(Date.now() - 3_600_000).toISOString(),
        '--tables',
        'public.other',
      ]),
    );
    expect(assignments(world.topic('other')).at(-1)).toMatchObject({ how: 'replay', start: 0 });
    await settled();
    expect(await sums()).toEqual(before);
  });

  scenario('what Kafka does not have is refused by name', async () => {
    const { code, stderr } = await world.command(['replay', '--from-offset', 'nothing.public.here:0=5']);
    expect(code).toBe(3);
    expect(stderr).toContain('Kafka does not have nothing.public.here:0');
    const other = await world.command(['replay', '--from-beginning', '--tables', 'public.nobody']);
    expect(other.code).toBe(3);
    expect(other.stderr).toContain('Kafka does not have public.nobody');
  });

  scenario('two replays at once are carried out one after the other while changes arrive', async () => {
    const watched = watchVersions(world, 'row_of');
    const writing = writeOn(world, 'row_of');
    const both = await Promise.all([
      world.command(['replay', '--from-beginning', '--tables', 'public.row_of']),
      world.command(['replay', '--from-beginning']),
    ]);
    await writing.stop();
    both.forEach(ok);
    await settled();
    expect((await watched.stop()).wentBack).toEqual([]);
    expect(await controlNames()).toEqual([]);
  });

  scenario('a replay that is cut off by a kill goes on from its announced block, and the command says so', async () => {
    await world.sql(`INSERT INTO other SELECT i, nextval('versions'), 'many' FROM generate_series(1000, 9000) i`);
    await settled();
    expect(await world.service.stop()).toBe(0);
    // Blocks so small that the replay takes long enough to be cut off.
    await world.service.start({ env: { BLOCK_ROWS: '100' } });
    const asked = world.command(['replay', '--from-beginning', '--tables', 'public.other']);
    const writtenAgain = (): number =>
      world.service
        .lines()
        .filter(
          ({ event, topic, start }) =>
            event === 'block-written' && topic === world.topic('other') && Number(start) < 5_000,
        ).length;
    await waitFor(() => writtenAgain() >= 5, 'the replay is under way');
    await world.service.kill();
    await world.giveUp(world.service);
    await world.service.start();
    const [first] = (await waitFor(() => {
      const found = assignments(world.topic('other'));
      return found.length > 0 ? found : null;
    }, 'the topic is read again')) as { how: string; start: number }[];
    expect(first?.how).toBe('announced');
    expect(first?.start).toBeGreaterThan(0);
    expect(first?.start).toBeLessThan(8_000);
    const { code, stderr } = await asked;
    expect(code).toBe(3);
    expect(stderr).toContain('stopped answering');
    await settled();
    expect(await controlNames()).toEqual([]);
  });

  scenario('Ctrl-C ends the watching only', async () => {
    const child = spawn(process.execPath, [program('src/main.js'), 'replay', '--from-beginning'], {
      cwd: world.stack.dir,
      env: { PATH: process.env['PATH'], ...world.settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await waitFor(() => said.includes('The running service replays it'), 'the replay was asked for');
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(said).toContain('The service goes on with the replay');
    expect(world.service.isRunning()).toBe(true);
    expect((await controlNames()).filter((name) => name.startsWith('request:'))).toEqual([]);
    await settled();
    // The service may answer after that: nobody waits for it, and a later command sweeps it up.
    await waitFor(async () => {
      await world.clickhouse.command(`DELETE FROM ${world.machinery}.control WHERE startsWith(name, 'answer:')`);
      await pause(1_500);
      return (await controlNames()).length === 0;
    }, 'the service has ended the replay');
  });

  scenario(
    'rebuild mends a mirror whose rows were deleted, changed and added by hand, while changes arrive',
    async () => {
      const mirror = `${world.machinery}.row_of__mirror`;
      const rows = `SELECT * REPLACE (-1 AS _sign) FROM ${mirror} FINAL WHERE id BETWEEN 21 AND 25`;
      await world.clickhouse.command(`DELETE FROM ${mirror} WHERE id BETWEEN 26 AND 28`);
      await world.clickhouse.command(
        `INSERT INTO ${mirror} SELECT * REPLACE (1 AS _sign, 0 AS version) FROM (${rows})`,
      );
      await world.clickhouse.command(
        `INSERT INTO ${mirror} SELECT * REPLACE (1 AS _sign, id + 500 AS id) FROM (${rows})`,
      );
      await expect(world.mirrorEquals('row_of', { deadlineMs: 1_000 })).rejects.toThrow('the view row_of equals');
      const writing = writeOn(world, 'row_of');
      const before = await mirrorUuid();
      const shown = ok(await world.command(['rebuild', '--table', 'public.row_of']));
      await writing.stop();
      expect(await mirrorUuid()).not.toEqual(before);
      expect(shown).toContain('The running service does it');
      expect(shown).toMatch(/The new mirror of public\.row_of has \d+ rows\. It took [\d.]+ s\./);
      await settled();
      expect(await controlNames()).toEqual([]);
    },
  );

  scenario('rebuild writes a table of several pages whole, and leaves no list of offsets behind', async () => {
    await world.sql(
      'CREATE TABLE many (id int PRIMARY KEY, version bigint NOT NULL, note text)',
      'ALTER TABLE many REPLICA IDENTITY FULL',
      `INSERT INTO many SELECT i, i, repeat('x', i % 50) FROM generate_series(1, 25000) i`,
    );
    await world.sql(
      'UPDATE many SET version = version + 1 WHERE id % 7 = 0',
      'DELETE FROM many WHERE id % 11 = 0',
      'INSERT INTO many SELECT i, -i, NULL FROM generate_series(22, 25000, 22) i',
      'UPDATE many SET id = -id WHERE id % 13 = 0',
    );
    await world.mirrorEquals('many', { deadlineMs: 90_000 });
    await world.clickhouse.command(`DELETE FROM ${world.machinery}.many__mirror WHERE id % 2 = 0`);
    // As a process leaves it that is killed: the mirror in the making goes with the next one, and then its list.
    const left = `${world.machinery}.many__mirror__new_dead_offsets`;
    const comment = 'debezium-clickhouse: offsets for a mirror in the making';
    await world.clickhouse.command(
      `CREATE TABLE ${left} (offset UInt64) ENGINE = MergeTree ORDER BY offset COMMENT '${comment}'`,
    );
    ok(await world.command(['rebuild', '--table', 'public.many']));
    await world.mirrorEquals('many');
    expect(
      await world.clickhouse.query(
        `SELECT name FROM system.tables WHERE database = '${world.machinery}' AND position(name, '__new') > 0`,
      ),
    ).toEqual([]);
  });

  scenario('a group of two processes replays together, also while a rebalance goes on', async () => {
    const second = serviceProcess({
      settings: world.settings,
      cwd: world.stack.dir,
      logFile: join(world.stack.dir, `second-${world.name}.log`),
    });
    const before = await sums();
    const watched = watchVersions(world, 'row_of');
    await second.start({ awaitReading: 'no' });
    try {
      const during = await world.command(['replay', '--from-beginning']);
      // Partitions that change hands meanwhile may be named as not replayed; they never are in silence.
      if (during.code !== 0) expect(during.stderr).toContain('Not replayed to the end');
      await waitFor(() => second.lines().some(({ event }) => event === 'partition-assigned'), 'both have partitions');
      const shown = ok(await world.command(['replay', '--from-beginning']));
      expect(shown).toMatch(/Replayed [\d,]+ offsets in/);
      const again = [world.service, second].map((one) =>
        one.lines().filter(({ event, how }) => event === 'partition-assigned' && how === 'replay'),
      );
      expect(again.every((lines) => lines.length > 0)).toBe(true);
      await settled();
    } finally {
      expect(await second.stop()).toBe(0);
    }
    expect((await watched.stop()).wentBack).toEqual([]);
    expect(await sums()).toEqual(before);
    expect(await controlNames()).toEqual([]);
    await world.sql(`UPDATE row_of SET version = nextval('versions') WHERE id = 4`);
    await settled();
  });

  scenario('rebuild says why it cannot', async () => {
    const unknown = await world.command(['rebuild', '--table', 'public.nobody']);
    expect(unknown.code).toBe(3);
    expect(unknown.stderr).toContain('Kafka has no topic');
    const form = await world.command(['rebuild', '--table', 'row_of']);
    expect(form.code).toBe(2);
    expect(form.stderr).toContain('schema.table');
  });

  scenario('without a service, replay and rebuild do it themselves and leave the group in order', async () => {
    expect(await world.service.stop()).toBe(0);
    await world.sql(`UPDATE row_of SET version = nextval('versions') WHERE id <= 3`);
    const before = await sums();
    const replayed = await world.command(['replay', '--from-beginning']);
    expect(ok(replayed)).toContain('No service runs, so this process replays it');
    await world.clickhouse.command(`DELETE FROM ${world.machinery}.row_of__mirror WHERE id < 8`);
    const rebuilt = await world.command(['rebuild', '--table', 'public.row_of']);
    expect(ok(rebuilt)).toContain('No service runs, so this process does it');
    await settled();
    // The three updates arrived meanwhile: a job delivers what is new as the service does.
    expect(Number((await sums()).rows)).toBe(Number(before.rows) + 3);
    await world.service.start();
    await waitFor(() => assignments(world.topic('row_of')).length > 0, 'the topic is read again');
    expect(assignments(world.topic('row_of'))).toEqual([expect.objectContaining({ how: 'idle' })]);
    await settled();
  });

  scenario('offsets set back with the admin API converge, and those set forward are not followed', async () => {
    const before = await sums();
    const watched = watchVersions(world, 'row_of');
    const topic = world.topic('row_of');
    for (const offset of [0, await middle('row_of'), 1_000_000]) {
      expect(await world.service.stop()).toBe(0);
      const [end] = await world.topics.admin.fetchTopicOffsets(topic);
      const to = Math.min(offset, Number(end?.high));
      await world.topics.admin.setOffsets({
        groupId: world.name,
        topic,
        partitions: [{ partition: 0, offset: String(to) }],
      });
      await world.service.start({ awaitReading: 'no' });
      await waitFor(() => assignments(topic).length > 0, 'the service reads the topic');
      expect(assignments(topic)[0]).toMatchObject({ how: 'foreign commit', start: 0 });
      await settled();
    }
    expect((await watched.stop()).wentBack).toEqual([]);
    expect(await sums()).toEqual(before);
  });

  scenario('all tables of ClickHouse that were dropped are there again after a restart, whole', async () => {
    expect(await world.service.stop()).toBe(0);
    const before = await sums();
    for (const database of [world.database, world.machinery]) {
      const tables = await world.clickhouse.query<{ name: string; engine: string }>(
        `SELECT name, engine FROM system.tables WHERE database = '${database}' ORDER BY engine LIKE '%View' DESC`,
      );
      for (const { name, engine } of tables) {
        const kind = engine.endsWith('View') ? 'VIEW' : 'TABLE';
        await world.clickhouse.command(`DROP ${kind} IF EXISTS \`${database}\`.\`${name}\` SYNC`);
      }
    }
    await world.service.start({ awaitReading: 'no' });
    await waitFor(async () => (await sums()).rows === before.rows, 'changes is whole again', 60_000);
    await settled();
    expect(await sums()).toEqual(before);
  });

  scenario(
    'records that Kafka deleted below the committed offset change nothing; replay begins at what is left',
    async () => {
      const topic = world.topic('row_of');
      const before = await sums();
      const low = await middle('row_of');
      await world.topics.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(low) }] });
      expect(await world.service.stop()).toBe(0);
      await world.service.start();
      ok(await world.command(['replay', '--from-beginning']));
      expect(assignments(topic).at(-1)).toMatchObject({ how: 'replay', start: low });
      await world.mirrorEquals('row_of');
      await world.mirrorEquals('other');
      expect(await sums()).toEqual(before);
    },
  );

  scenario('a foreign offset below what Kafka holds is made good from changes', async () => {
    const topic = world.topic('row_of');
    expect(await world.service.stop()).toBe(0);
    const before = await sums();
    const [held] = await world.topics.admin.fetchTopicOffsets(topic);
    // The mirror's last blocks are what the expired part must bring back.
    await world.clickhouse.command(`DELETE FROM ${world.machinery}.row_of__mirror WHERE _offset < ${held?.low ?? ''}`);
    await expect(world.mirrorEquals('row_of', { deadlineMs: 1_000 })).rejects.toThrow('the view row_of equals');
    await world.topics.admin.setOffsets({ groupId: world.name, topic, partitions: [{ partition: 0, offset: '0' }] });
    await world.service.start({ awaitReading: 'no' });
    await waitFor(() => assignments(topic).length > 0, 'the service reads the topic');
    expect(assignments(topic)[0]).toMatchObject({ how: 'expired, reconciled', start: Number(held?.low) });
    await world.mirrorEquals('row_of');
    expect(await sums()).toEqual(before);
  });

  scenario('records deleted above the committed offset stop it with exit code 4; --accept-loss goes on', async () => {
    const topic = world.topic('row_of');
    expect(await world.service.stop()).toBe(0);
    await world.sql(`INSERT INTO row_of VALUES (700, nextval('versions'), 'never read')`);
    const unread = await waitFor(async () => {
      const [of] = await world.topics.admin.fetchOffsets({ groupId: world.name, topics: [topic] });
      const [held] = await world.topics.admin.fetchTopicOffsets(topic);
      return Number(held?.high) > Number(of?.partitions[0]?.offset) ? Number(held?.high) : null;
    }, 'the record is in the topic');
    await world.topics.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(unread) }] });
    await world.service.start({ awaitReading: 'no' });
    expect(await world.service.ended()).toBe(4);
    expect(world.service.saidPlainly()).toContain('--accept-loss');
    const { code } = await world.command(['run', '--once', '--accept-loss'], { ONCE_IDLE_SECONDS: '3' });
    expect(code).toBe(0);
    await world.sql(`UPDATE row_of SET version = nextval('versions') WHERE id = 5`);
    await world.service.start();
    await waitFor(async () => {
      const source = await world.postgres.query<{ version: string }>('SELECT version FROM row_of WHERE id = 5');
      const [row] = await world.clickhouse.query<{ version: string }>(
        `SELECT version FROM ${world.database}.row_of WHERE id = 5`,
      );
      return row?.version === String(source[0]?.version);
    }, 'the update after the loss has arrived');
  });
});
