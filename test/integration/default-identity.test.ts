/** Tables with DEFAULT replica identity: the old row is not in the WAL, and large values that did not change are withheld. */
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(90_000);

describe('under DEFAULT replica identity', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE document (id int PRIMARY KEY, title text NOT NULL, body text, pages int)',
      'ALTER TABLE document ALTER COLUMN body SET STORAGE EXTERNAL',
      `INSERT INTO document SELECT i, 'old ' || i, repeat(i || ' ', 5000), i FROM generate_series(1, 5) i`,
    );
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start();
    await world.mirrorEquals('document');
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('a withheld value is taken from the row that stands, and changes names its column', async () => {
    await world.sql(`UPDATE document SET title = 'new' WHERE id <= 3`);
    await world.mirrorEquals('document');
    const updates = (await world.auditRows('document')).filter(({ op }) => op === 'u');
    expect(updates.map(({ unavailable }) => unavailable)).toEqual([['body'], ['body'], ['body']]);
    const [longest] = await world.clickhouse.query<{ n: string }>(
      `SELECT min(length(body)) AS n FROM ${world.database}.document`,
    );
    expect(Number(longest?.n)).toBeGreaterThanOrEqual(10_000);
  });

  scenario('a value that is set and then withheld within one transaction is the one that was set', async () => {
    await world.sql(
      `UPDATE document SET body = repeat('fresh ', 3000) WHERE id = 1`,
      `UPDATE document SET title = 'twice' WHERE id = 1`,
      `UPDATE document SET pages = 99 WHERE id = 1`,
      `INSERT INTO document VALUES (6, 'made', repeat('six ', 5000), 6)`,
      `UPDATE document SET title = 'made and changed' WHERE id = 6`,
    );
    await world.mirrorEquals('document');
  });

  scenario('deletes, re-inserts and changes of the key end right', async () => {
    await world.sql(`DELETE FROM document WHERE id = 2`, `INSERT INTO document VALUES (2, 'again', 'short', NULL)`);
    await world.sql(`UPDATE document SET id = 20 WHERE id = 2`);
    await world.sql(`DELETE FROM document WHERE id = 3`);
    await world.mirrorEquals('document');
    const modes = world.service
      .lines()
      .flatMap(({ event, modes: of }) => (event === 'block-written' ? (of as string[]) : []));
    expect(modes).toContain('public.document merge');
    await world.auditIsExactlyOnce();
  });

  scenario('a key change that withholds a value is never shown with a made-up one', async () => {
    await world.sql(`UPDATE document SET id = 40 WHERE id = 4`);
    await waitFor(
      async () => (await world.auditRows('document')).some(({ op, after }) => op === 'c' && after.includes('"id":40')),
      'the change is in changes',
    );
    const row = async () =>
      (
        await world.clickhouse.query<{ n: string }>(
          `SELECT length(body) AS n FROM ${world.database}.document WHERE id = 40`,
        )
      )[0];
    const quarantined = async () =>
      (await world.clickhouse.query<{ code: string }>(`SELECT code FROM ${world.machinery}.quarantine`))[0];
    // Either the value was found under the old key, or the record is in quarantine: nothing between.
    const outcome = await waitFor(
      async () => (await row())?.n ?? (await quarantined())?.code,
      'the change is in the mirror or in quarantine',
    );
    expect(['10000', 'VALUE_UNRESOLVED']).toContain(outcome);
  });
});
