/** Tables as people have them: large values, a thousand columns, and names that SQL, topics and files trip over. */
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import type { VerifyResult } from '../../src/verify/result';

jest.setTimeout(180_000);

const LONG = 'a_name_as_long_as_postgresql_allows_which_is_63_bytes_and_not_1';
/** Table names; the first two become one topic. */
const NAMES = [
  ...['with space', 'with_space', 'MixedCase', 'dot.in.name', 'quo"te', "apo'strophe", 'back`tick', 'select', 'table'],
  ...['größe', 'таблица', '表', 'emoji😀', 'percent%2E', 'dash-ed', 'slash/ed', 'back\\slash', '1digit', LONG],
];
const COLUMNS = [
  'order',
  'Key Column',
  'a.b',
  'q"uote',
  "a'po",
  'ba`ck',
  'back\\slash',
  'ß',
  '列',
  'index',
  'a-b',
  'NULL',
  '0',
];
const WIDE = 1_000;
const LARGE_BYTES = 32 << 20;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

describe('odd tables', () => {
  let world: World;

  const statements = (schema: string): string[] =>
    NAMES.flatMap((name, index) => {
      const table = `${quoted(schema)}.${quoted(name)}`;
      const columns = COLUMNS.map((column) => `${quoted(column)} text`).join(', ');
      const values = COLUMNS.map((column) => `'${column.replaceAll("'", "''")} of ${index}'`).join(', ');
      return [
        `CREATE TABLE ${table} (${quoted('The Id')} int, ${columns}, PRIMARY KEY (${quoted('The Id')}, ${quoted('order')}))`,
        ...(index % 2 === 0 ? [`ALTER TABLE ${table} REPLICA IDENTITY FULL`] : []),
        `INSERT INTO ${table} SELECT n, ${values} FROM generate_series(1, 3) n`,
      ];
    });

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE SCHEMA "Odd Schema"');
    await world.sql(...statements('public'), ...statements('Odd Schema'));
    await world.sql(
      `CREATE TABLE wide (id int PRIMARY KEY, ${Array.from({ length: WIDE }, (_, n) => `c${n} ${n % 2 === 0 ? 'int' : 'text'}`).join(', ')})`,
      'ALTER TABLE wide REPLICA IDENTITY FULL',
      'CREATE TABLE large (id int PRIMARY KEY, n int, body text)',
      'ALTER TABLE large ALTER COLUMN body SET STORAGE EXTERNAL',
      `INSERT INTO wide (id, c0, c1, c998, c999) SELECT n, n, 'first', -n, 'last' FROM generate_series(1, 20) n`,
    );
    await world.connect({ capture: { kind: 'tables', include: ['public.*', 'Odd Schema.*'], exclude: [] } });
    // Forty tables at once, on a machine that may be busy: inserts wait for each other.
    await world.service.start({ env: { GUARD_SECONDS: '30', INSERT_TIMEOUT_SECONDS: '30' } });
  };
  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const verify = async (...tables: string[]): Promise<VerifyResult> =>
    (await verified(world, ...(tables.length === 0 ? [] : ['--table', tables.join(',')]))).result;
  const differing = ({ tables }: VerifyResult): object[] => tables.filter(({ differences }) => differences > 0);

  scenario('with names of every kind are mirrored without a difference, two of them from one topic', async () => {
    for (const schema of ['public', 'Odd Schema']) {
      for (const name of NAMES) {
        const table = `${quoted(schema)}.${quoted(name)}`;
        await world.sql(
          `UPDATE ${table} SET "a.b" = 'changed', "列" = NULL WHERE "The Id" = 1`,
          `DELETE FROM ${table} WHERE "The Id" = 2`,
          `INSERT INTO ${table} ("The Id", "order") VALUES (4, 'four')`,
        );
      }
    }
    const result = await verify();
    expect(differing(result)).toEqual([]);
    expect(result.skipped).toEqual([]);
    expect(result.tables.map(({ table }) => table)).toEqual(
      expect.arrayContaining([...NAMES.map((name) => `public.${name}`), ...NAMES.map((name) => `Odd Schema.${name}`)]),
    );
    const shared = await world.clickhouse.query<{ topic: string }>(
      `SELECT topic FROM ${world.machinery}.changes GROUP BY topic HAVING uniqExact(schema, table) > 1`,
    );
    expect(shared.map(({ topic }) => topic)).toContain(world.topic('with_space'));
    const [row] = await world.clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM ${world.database}.\`dot.in.name\` WHERE \`a.b\` = 'changed'`,
    );
    expect(row).toEqual({ n: '1' });
  });

  scenario(
    'with a thousand columns are mirrored without a difference, changed one by one and all at once',
    async () => {
      await world.sql(`UPDATE wide SET c500 = 7 WHERE id <= 10`, `DELETE FROM wide WHERE id = 20`);
      await world.sql(
        `UPDATE wide SET ${Array.from({ length: 500 }, (_, n) => `c${n * 2 + 1} = 'text ${n}'`).join(', ')}`,
      );
      const result = await verify('public.wide');
      expect(result.tables).toMatchObject([{ table: 'public.wide', sourceRows: 19, differences: 0 }]);
    },
  );

  scenario(
    'with a text of 32 MB are mirrored without a difference; what is not changed is not sent again',
    async () => {
      await world.sql(`INSERT INTO large VALUES (1, 1, repeat('0123456789abcdef', ${LARGE_BYTES / 16}))`);
      await world.sql(`UPDATE large SET n = 2 WHERE id = 1`);
      const look = () =>
        world.clickhouse.query<{ n: number; bytes: string }>(
          `SELECT n, length(body) AS bytes FROM ${world.database}.large WHERE id = 1`,
        );
      await waitFor(async () => (await look())[0]?.n === 2, 'the update has arrived', 90_000);
      expect((await look())[0]?.bytes).toBe(String(LARGE_BYTES));
      const result = await verify('public.large');
      expect(result.tables).toMatchObject([{ table: 'public.large', sourceRows: 1, differences: 0 }]);
      expect(world.service.lines().filter(({ event }) => event === 'record-quarantined')).toEqual([]);
      await world.sql('DELETE FROM large');
      await waitFor(async () => (await look()).length === 0, 'the delete has arrived');
    },
  );
});
