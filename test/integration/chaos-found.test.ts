/** What the chaos suite found, each as a test of its own; docs/chaos.md tells the stories. */
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

describe('found by chaos', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE document (id int PRIMARY KEY, n int NOT NULL, body text)',
      'ALTER TABLE document ALTER COLUMN body SET STORAGE EXTERNAL',
      `INSERT INTO document SELECT i, 0, repeat('row ' || i || ' ', 600) FROM generate_series(1, 6) i`,
    );
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start();
    await world.mirrorEquals('document');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  /** A row takes a key that another row had; its large value is not sent again. */
  const moveOntoUsedKeys = async (): Promise<void> => {
    await world.sql('DELETE FROM document WHERE id = 2');
    await world.sql('UPDATE document SET id = 2, n = n + 1 WHERE id = 1');
    await world.sql('UPDATE document SET n = n + 1 WHERE id = 2');
    await world.sql(
      `INSERT INTO document VALUES (1, 1, repeat('made again ', 400))`,
      'DELETE FROM document WHERE id = 1',
    );
    await world.sql('UPDATE document SET id = 1 WHERE id = 3', 'UPDATE document SET id = 3 WHERE id = 4');
    await world.mirrorEquals('document');
  };

  scenario('a withheld value under a key that another row had is right after the offsets were set back', async () => {
    await moveOntoUsedKeys();
    expect(await world.service.stop()).toBe(0);
    // It may have left in the midst of a rebalance.
    const isEmpty = async (): Promise<boolean> =>
      (await world.topics.admin.describeGroups([world.name])).groups[0]?.state === 'Empty';
    await waitFor(isEmpty, 'the group is empty', 60_000);
    await world.topics.admin.setOffsets({
      groupId: world.name,
      topic: world.topic('document'),
      partitions: [{ partition: 0, offset: '0' }],
    });
    await world.service.start();
    await world.sql('UPDATE document SET n = n + 1 WHERE id = 5');
    await world.mirrorEquals('document');
    await world.auditIsExactlyOnce();
  });

  scenario('a withheld value under a key that another row had is right in a mirror that is made anew', async () => {
    expect(await world.service.stop()).toBe(0);
    await world.clickhouse.command(`DROP TABLE ${world.machinery}.document__mirror SYNC`);
    await world.service.start();
    await world.sql('UPDATE document SET n = n + 1 WHERE id = 5');
    await world.mirrorEquals('document');
  });
});
