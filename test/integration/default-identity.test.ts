/** Tables with DEFAULT replica identity: the old row is not in the WAL, and large values that did not change are withheld. */
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(90_000);

const many = (element: string): string => `(SELECT array_agg(${element}) FROM generate_series(1, 2000) AS n)`;
/** Expressions of large values, by type; each has a placeholder that Debezium sends where PostgreSQL did not repeat it. */
const LARGE: Readonly<Record<string, string>> = {
  text: `repeat('text ', 2000)`,
  'varchar(9000)': `repeat('var ', 2000)`,
  citext: `repeat('Ci ', 2000)`,
  jsonb: `jsonb_build_object('a', repeat('json ', 2000))`,
  json: `json_build_object('a', repeat('json ', 2000))`,
  xml: `('<a>' || repeat('xml ', 2000) || '</a>')::xml`,
  bytea: `convert_to(repeat('bytes ', 2000), 'UTF8')`,
  'text[]': many(`'element ' || n`),
  'varchar(20)[]': many(`('v' || n)::varchar(20)`),
  'jsonb[]': many(`to_jsonb(n)`),
  'int4[]': many('n::int4'),
  'int8[]': many('9007199254740993 + n'),
  'date[]': many(`'2016-11-04'::date + n::int`),
  'uuid[]': many(`md5(n::text)::uuid`),
  hstore: `hstore('key', repeat('store ', 2000))`,
  ltree: `(SELECT string_agg('label' || n, '.') FROM generate_series(1, 700) AS n)::ltree`,
  tsvector: `to_tsvector('simple', (SELECT string_agg('w' || n, ' ') FROM generate_series(1, 2000) AS n))`,
};
const COLUMNS = Object.keys(LARGE).map((type, index) => ({ type, name: `c${index}` }));

describe('under DEFAULT replica identity', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE document (id int PRIMARY KEY, title text NOT NULL, body text, pages int)',
      'ALTER TABLE document ALTER COLUMN body SET STORAGE EXTERNAL',
      `INSERT INTO document SELECT i, 'old ' || i, repeat(i || ' ', 5000), i FROM generate_series(1, 5) i`,
    );
    // Here already, because a table made later would have to be added to the publication.
    await world.sql(
      ...['hstore', 'citext', 'ltree'].map((name) => `CREATE EXTENSION ${name}`),
      `CREATE TABLE large (id int PRIMARY KEY, n int, ${COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')})`,
      ...COLUMNS.map(({ name }) => `ALTER TABLE large ALTER COLUMN ${name} SET STORAGE EXTERNAL`),
      `INSERT INTO large SELECT 1, 1, ${Object.values(LARGE).join(', ')}`,
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

  scenario('a large value of every type that has a placeholder is taken from the row that stands', async () => {
    await world.sql('UPDATE large SET n = 2');
    await world.sql('UPDATE large SET n = 3');
    await waitFor(
      async () => (await world.auditRows('large')).filter(({ op }) => op === 'u').length === 2,
      'the updates are in changes',
    );
    const withheld = (await world.auditRows('large')).filter(({ op }) => op === 'u');
    for (const { unavailable } of withheld) expect(unavailable).toEqual(COLUMNS.map(({ name }) => name));
    const { code, result } = await verified(world, '--table', 'public.large');
    expect([code, result.tables.map(({ sourceRows, differences }) => [sourceRows, differences])]).toEqual([
      0,
      [[1, 0]],
    ]);
  });
});
