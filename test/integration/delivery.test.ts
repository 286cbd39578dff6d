/** The delivery's promises where something went wrong before: repeated events, half-written blocks, dropped targets, expired records. */
import { openConnect } from '../../src/connect/rest';
import { encodeNote } from '../../src/plan/commit';
import { scenario, withLogs } from '../harness/scenario';
import { changeOf, type TopicRecord } from '../harness/topics';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

describe('delivery', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL, name text)');
    await world.sql('CREATE TABLE fading (id int PRIMARY KEY, name text)');
    await world.sql(`INSERT INTO item SELECT i, 0, 'item ' || i FROM generate_series(1, 20) i`);
    await world.sql(`INSERT INTO fading SELECT i, 'row ' || i FROM generate_series(1, 5) i`);
    await world.connect();
    await world.service.start();
    await world.mirrorEquals('item');
    await world.mirrorEquals('fading');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const changes = async (table: string): Promise<TopicRecord[]> =>
    (await world.topics.read([world.topic(table)])).filter((record) => changeOf(record) !== null);

  const target = async (): Promise<string> => {
    const [row] = await world.clickhouse.query<{ uuid: string }>(
      `SELECT toString(uuid) AS uuid FROM system.tables WHERE database = '${world.machinery}' AND name = 'changes'`,
    );
    return row?.uuid ?? '';
  };

  /** Where the stopped group stands in a topic, once the service has acknowledged all of it. */
  const committed = async (topic: string): Promise<number> => {
    const [of] = await world.topics.admin.fetchOffsets({ groupId: world.name, topics: [topic] });
    return Number(of?.partitions[0]?.offset);
  };

  const announce = async (topic: string, offset: number, end: number): Promise<void> => {
    const metadata = encodeNote({ target: await target(), announced: { end, at: Date.now() } });
    await world.topics.commit(world.name, { topic, partition: 0, offset, metadata });
  };

  scenario('events that Kafka Connect sends again are marked as redelivered and change nothing', async () => {
    const { name } = world;
    const connect = openConnect(world.stack.env.CONNECT_URL);
    const url = `${world.stack.env.CONNECT_URL}/connectors/${name}/offsets`;
    await world.sql(`UPDATE item SET n = 1 WHERE id = 1`);
    await world.mirrorEquals('item');
    // A copy of the slot keeps the WAL from here on, so that the connector can be sent back to here.
    const offsets = await waitFor(async () => (await fetch(url)).text(), 'the connector has offsets');
    await world.postgres.query('SELECT pg_copy_logical_replication_slot($1, $2)', [name, `${name}_copy`]);
    await world.sql(`UPDATE item SET n = n + 1, name = 'changed' WHERE id <= 10`);
    await world.sql(`DELETE FROM item WHERE id = 20`);
    await world.sql(`INSERT INTO item VALUES (21, 5, 'made')`);
    await world.sql(`DELETE FROM item WHERE id = 21`);
    await world.mirrorEquals('item');
    const before = await world.auditRows('item');

    await connect.stop(name);
    const slotIsFree = async (): Promise<boolean> =>
      (
        await world.postgres.query<{ active: boolean }>(
          'SELECT active FROM pg_replication_slots WHERE slot_name = $1',
          [name],
        )
      )[0]?.active === false;
    await waitFor(slotIsFree, 'the connector has let go of its slot');
    await world.postgres.query('SELECT pg_drop_replication_slot($1)', [name]);
    await world.postgres.query('SELECT pg_copy_logical_replication_slot($1, $2)', [`${name}_copy`, name]);
    await world.postgres.query('SELECT pg_drop_replication_slot($1)', [`${name}_copy`]);
    const patched = await waitFor(async () => {
      const answer = await fetch(url, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: offsets,
      });
      return answer.status === 200 ? answer : null;
    }, 'Connect takes the old offsets');
    expect(patched.status).toBe(200);
    await connect.resume(name);
    await waitFor(() => world.connectorRuns(), 'the connector runs again');
    await world.sql(`UPDATE item SET n = 100 WHERE id = 5`);

    await waitFor(
      async () => (await world.auditRows('item')).some(({ after }) => after.includes('"n":100')),
      'the update after them has arrived',
    );
    const again = (await world.auditRows('item')).filter(({ redelivered }) => redelivered === 1);
    expect(again.length).toBeGreaterThan(0);
    for (const event of again) {
      const twin = before.find(
        ({ lsn, tx_id, op, key }) => lsn === event.lsn && tx_id === event.tx_id && op === event.op && key === event.key,
      );
      expect(twin).toBeDefined();
      expect(Number(twin?.offset)).toBeLessThan(Number(event.offset));
    }
    await world.mirrorEquals('item');
    await world.auditIsExactlyOnce();
  });

  scenario('copies of old records at the end of a topic are marked as redelivered and change nothing', async () => {
    const old = (await changes('item')).filter((record) => changeOf(record)?.op !== 'r').slice(-8);
    const before = await world.auditRows('item');
    await world.topics.produce(
      world.topic('item'),
      old.map(({ key, value }) => ({ key, value })),
    );
    await world.sql(`INSERT INTO item VALUES (30, 1, 'after the copies')`);
    await world.mirrorEquals('item');
    const added = (await world.auditRows('item')).slice(before.length);
    expect(added.filter(({ redelivered }) => redelivered === 1)).toHaveLength(old.length);
    expect(added.filter(({ redelivered }) => redelivered === 0)).toHaveLength(1);
    await world.auditIsExactlyOnce();
  });

  scenario('a block that was announced and not written is written at the next start, once', async () => {
    const topic = world.topic('item');
    expect(await world.service.stop()).toBe(0);
    const start = await committed(topic);
    await world.sql(`UPDATE item SET n = n + 1 WHERE id <= 5`);
    await world.sql(`UPDATE item SET id = id + 100 WHERE id = 6`);
    await world.sql(`INSERT INTO item VALUES (50, 1, 'outside of the block')`);
    const fresh = await waitFor(async () => {
      const found = (await changes('item')).filter(({ offset }) => offset >= start);
      return found.length === 8 ? found : null;
    }, 'the records are in the topic');
    await announce(topic, start, (fresh[5]?.offset ?? 0) + 1);
    await world.service.start();
    await world.mirrorEquals('item');
    expect(
      world.service.lines().find(({ event, topic: of }) => event === 'partition-assigned' && of === topic),
    ).toMatchObject({ start, how: 'announced' });
    await world.auditIsExactlyOnce();
  });

  scenario('a block that was announced and written changes nothing when it is done again', async () => {
    const topic = world.topic('item');
    await world.sql(`UPDATE item SET n = n + 1 WHERE id <= 5`);
    await world.sql(`DELETE FROM item WHERE id = 7`);
    await world.mirrorEquals('item');
    expect(await world.service.stop()).toBe(0);
    const rows = await world.auditRows('item');
    const [first, last] = [rows.at(-5), rows.at(-1)];
    await announce(topic, Number(first?.offset), Number(last?.offset) + 1);
    await world.service.start();
    await world.sql(`UPDATE item SET n = n + 1 WHERE id <= 5`);
    await world.mirrorEquals('item');
    await world.auditIsExactlyOnce();
  });

  scenario('a block whose changes were written and whose mirror rows were not ends in the mirror', async () => {
    const topic = world.topic('item');
    await world.sql(`INSERT INTO item SELECT i, 1, 'late' FROM generate_series(200, 211) i`);
    await world.mirrorEquals('item');
    expect(await world.service.stop()).toBe(0);
    // Bounds inside the block that was written, as the token of its own bounds is still known.
    const rows = (await world.auditRows('item')).slice(-11, -1);
    const [from, to] = [Number(rows[0]?.offset), Number(rows.at(-1)?.offset)];
    await world.clickhouse.command(
      `DELETE FROM ${world.machinery}.item__mirror WHERE _offset BETWEEN ${from} AND ${to}`,
    );
    await announce(topic, from, to + 1);
    await world.service.start();
    await world.mirrorEquals('item');
    await world.auditIsExactlyOnce();
  });

  scenario('a mirror that was dropped is there again, whole, after a restart', async () => {
    expect(await world.service.stop()).toBe(0);
    await world.clickhouse.command(`DROP TABLE ${world.machinery}.item__mirror SYNC`);
    await world.service.start();
    await world.sql(`UPDATE item SET n = n + 1 WHERE id <= 5`);
    await world.mirrorEquals('item');
    await world.auditIsExactlyOnce();
  });

  scenario('changes that was dropped is filled again from Kafka, and the mirrors stay right', async () => {
    expect(await world.service.stop()).toBe(0);
    const before = (await world.auditRows()).length;
    await world.clickhouse.command(`DROP TABLE ${world.machinery}.changes SYNC`);
    await world.service.start({ awaitReading: 'no' });
    await waitFor(async () => (await world.auditRows()).length >= before, 'changes has as many rows as before');
    await world.auditIsExactlyOnce();
    await world.mirrorEquals('item');
    await world.mirrorEquals('fading');
    await world.sql(
      `UPDATE item SET n = n + 1 WHERE id <= 5`,
      `DELETE FROM item WHERE id = 1`,
      `DELETE FROM fading WHERE id = 1`,
    );
    await world.mirrorEquals('item');
    await world.mirrorEquals('fading');
  });

  scenario(
    'a mirror, and then everything, that is dropped while nothing changes is there again by itself',
    async () => {
      const { machinery, clickhouse, topics, name } = world;
      const written = [world.topic('item'), world.topic('fading')];
      const isIdle = async (): Promise<boolean> => {
        const ends = await Promise.all(written.map((topic) => topics.admin.fetchTopicOffsets(topic)));
        const places = await topics.admin.fetchOffsets({ groupId: name, topics: written });
        return places.every(({ topic, partitions }) => {
          const end = ends[written.indexOf(topic)]?.[0]?.high;
          return partitions[0]?.offset === end;
        });
      };
      await waitFor(isIdle, 'everything is acknowledged');
      const rows = (await world.auditRows()).length;
      const isThere = async (table: string): Promise<boolean> => {
        const [found] = await clickhouse.query<{ there: number }>(
          `SELECT toUInt8(count()) AS there FROM system.tables WHERE database = '${machinery}' AND name = '${table}'`,
        );
        return found?.there === 1;
      };
      await clickhouse.command(`DROP TABLE ${machinery}.item__mirror SYNC`);
      await waitFor(() => isThere('item__mirror'), 'the mirror is made anew');
      await world.mirrorEquals('item');
      expect(await isIdle()).toBe(true);
      await clickhouse.command(`DROP TABLE ${machinery}.changes SYNC`);
      await waitFor(
        async () => (await isThere('changes')) && (await world.auditRows()).length >= rows,
        'changes is filled',
      );
      await world.auditIsExactlyOnce();
      await world.mirrorEquals('item');
      await world.mirrorEquals('fading');
      await world.sql('DELETE FROM item WHERE id = 2', 'DELETE FROM fading WHERE id = 2');
      await world.mirrorEquals('item');
      await world.mirrorEquals('fading');
    },
  );

  scenario('--once prints the last ten changes when no record comes any more, and exits with 0', async () => {
    expect(await world.service.stop()).toBe(0);
    await world.sql(`UPDATE item SET name = 'the last one' WHERE id = 3`);
    const { code, stdout, stderr } = await world.command(['run', '--once'], {
      ONCE_IDLE_SECONDS: '3',
      LOG_FORMAT: 'json',
    });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('the last one');
    expect(stdout.match(/public\.(item|fading)/g)).toHaveLength(10);
    await world.mirrorEquals('item');
  });

  scenario(
    'records that expired unread stop the service with exit code 4, and name the partition and the gap',
    async () => {
      const topic = world.topic('fading');
      const from = await committed(topic);
      await world.sql(`INSERT INTO fading VALUES (100, 'never read')`);
      const [unread] = await waitFor(async () => {
        const found = (await changes('fading')).filter(({ offset }) => offset >= from);
        return found.length === 1 ? found : null;
      }, 'the record is in the topic');
      const low = (unread?.offset ?? 0) + 1;
      await world.topics.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(low) }] });
      await world.service.start({ awaitReading: 'no' });
      expect(await world.service.ended()).toBe(4);
      expect(world.service.saidPlainly()).toContain('CHANGES_EXPIRED');
      expect(world.service.saidPlainly()).toContain(`the offsets ${from} to ${low - 1} of ${topic}:0`);
    },
  );
});
