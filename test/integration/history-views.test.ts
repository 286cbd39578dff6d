/** The views that look back, against what PostgreSQL really had at each of several moments. */
import { compareMirror, isEqual } from '../harness/mirror-comparison';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

const TABLES = ['item', 'document', 'stock'] as const;
type Table = (typeof TABLES)[number];

interface Lived {
  readonly valid_from: string;
  readonly valid_to: string | null;
  readonly op: string;
  readonly lsn: string;
  readonly tx_id: string;
}

describe('the views that look back', () => {
  let world: World;
  /** Moments by PostgreSQL's clock, each after a commit; what the tables had then is in `<table>_<index>`. */
  const moments: string[] = [];

  /** Keeps what the tables have now, in tables that are not captured. */
  const remember = async (): Promise<void> => {
    const index = moments.length;
    await world.sql(...TABLES.map((table) => `CREATE TABLE ${table}_${index} AS TABLE ${table}`));
    const [now] = await world.postgres.query<{ at: string }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS at`,
    );
    moments.push(now?.at ?? '');
  };

  /** How the table as it was, told by `select`, differs from what PostgreSQL had. */
  const compareThen = async (table: Table, index: number, select: string) => {
    const view = `${table}_then_${index}`;
    await world.clickhouse.command(`CREATE OR REPLACE VIEW ${world.database}.${view} AS ${select}`);
    // The comparison sums the signs of a mirror too; here every row that is shown counts as one.
    await world.clickhouse.command(
      `CREATE OR REPLACE VIEW ${world.machinery}.${view}__mirror AS SELECT 1 AS _sign FROM ${world.database}.${view}`,
    );
    const { postgres, clickhouse, database } = world;
    return compareMirror({ postgres, clickhouse, database, table: `${table}_${index}`, view });
  };

  const lives = (table: Table, where: string): Promise<(Lived & Record<string, unknown>)[]> =>
    world.clickhouse.query(`SELECT * FROM ${world.machinery}.${table}__history WHERE ${where} ORDER BY offset`);

  const allArrived = async (): Promise<void> => {
    for (const table of TABLES) await world.mirrorEquals(table);
  };

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      `CREATE TABLE item (id int, shop text, name text NOT NULL, note text, amount numeric(12,2), tags text[], made timestamptz,
         day date, raw bytea, on_sale bool, weight float8, extra jsonb, PRIMARY KEY (shop, id))`,
      `ALTER TABLE item REPLICA IDENTITY FULL`,
      `INSERT INTO item SELECT i, 'a', 'item ' || i, 'note', i * 1.25, ARRAY['x', NULL], now(), current_date, '\\x00ff', true, 0.1, '{"a": 1}'
         FROM generate_series(1, 10) i`,
      `CREATE TABLE document (id int PRIMARY KEY, title text NOT NULL, body text NOT NULL, summary text, pages int)`,
      `ALTER TABLE document ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN summary SET STORAGE EXTERNAL`,
      `INSERT INTO document SELECT i, 'old ' || i, repeat(i || ' ', 5000), repeat('s' || i, 3000), i FROM generate_series(1, 8) i`,
      `CREATE TABLE stock ("offset" int PRIMARY KEY, key text, op text, x_after int)`,
      `INSERT INTO stock VALUES (1, 'k', 'o', 1)`,
    );
    await world.connect({
      capture: { kind: 'tables', include: TABLES.map((table) => `public.${table}`), exclude: [] },
    });
    await world.service.start();
    await allArrived();
    await remember();

    await world.sql(
      `INSERT INTO item (id, shop, name) VALUES (11, 'a', 'all null')`,
      `UPDATE item SET note = NULL, tags = NULL WHERE id = 2`,
      `UPDATE item SET name = 'once' WHERE id = 3`,
      `UPDATE item SET name = 'twice', amount = -0.01 WHERE id = 3`,
      `UPDATE document SET title = 'new' WHERE id <= 3`,
      `UPDATE stock SET x_after = 2`,
    );
    await remember();
    await world.sql(
      `DELETE FROM item WHERE id = 4`,
      `UPDATE item SET id = 50 WHERE id = 5`,
      `UPDATE document SET summary = NULL, pages = NULL WHERE id = 1`,
      `DELETE FROM document WHERE id = 2`,
      `UPDATE document SET id = 40 WHERE id = 4`,
      `INSERT INTO stock VALUES (2, NULL, NULL, NULL)`,
    );
    await remember();
    await world.sql(
      `UPDATE document SET title = 'moved, then changed' WHERE id = 40`,
      `DELETE FROM stock WHERE "offset" = 1`,
    );
    await remember();
    await world.sql(
      `INSERT INTO item (id, shop, name) VALUES (4, 'a', 'again'), (5, 'a', 'another five')`,
      `INSERT INTO document VALUES (2, 'again', 'short', NULL, 2)`,
      `UPDATE document SET pages = 22 WHERE id = 2`,
      `DELETE FROM document WHERE id = 3`,
      `INSERT INTO document VALUES (3, 'deleted and made in one transaction', repeat('three ', 5000), NULL, 3)`,
      `UPDATE document SET pages = 33 WHERE id = 3`,
      `UPDATE stock SET "offset" = 1`,
      // Twice in a row, and to a key that lived before: its body was sent under key 6 only.
      `UPDATE document SET id = 60 WHERE id = 6`,
      `UPDATE document SET id = 4, pages = 60 WHERE id = 60`,
    );
    await remember();
    await world.sql(`TRUNCATE item`, `TRUNCATE document`);
    await remember();
    await world.sql(
      `INSERT INTO item (id, shop, name) VALUES (1, 'a', 'after the truncate')`,
      `INSERT INTO document VALUES (7, 'seven', repeat('seven ', 5000), repeat('7', 5000), 7)`,
    );
    // Key 5 had a body before the truncate: it must not be taken for the one that moves here.
    await world.sql(`UPDATE document SET id = 5 WHERE id = 7`);
    await world.sql(`UPDATE document SET pages = 55 WHERE id = 5`);
    await remember();
    await allArrived();
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('a table as it was equals what PostgreSQL had, at every moment', async () => {
    for (const table of TABLES) {
      for (const [index, at] of moments.entries()) {
        const then = await compareThen(table, index, `SELECT * FROM ${world.machinery}.${table}__at(at = '${at}')`);
        expect({ table, index, ...then, equal: isEqual(then) }).toEqual({ table, index, ...then, equal: true });
      }
    }
    const withheld = (await world.auditRows('document')).filter(({ unavailable }) => unavailable.length > 0);
    expect(new Set(withheld.map(({ op }) => op))).toEqual(new Set(['u', 'c']));
  });

  scenario('the rows of the history that held at a moment are the table as it was', async () => {
    for (const table of TABLES) {
      for (const [index, at] of moments.entries()) {
        const moment = `toDateTime64('${at}', 6, 'UTC')`;
        const op = table === 'stock' ? '_op' : 'op';
        const select =
          `SELECT * FROM ${world.machinery}.${table}__history WHERE ${op} != 'd' ` +
          `AND valid_from <= ${moment} AND (valid_to > ${moment} OR valid_to IS NULL)`;
        const then = await compareThen(table, index, select);
        expect({ table, index, ...then, equal: isEqual(then) }).toEqual({ table, index, ...then, equal: true });
      }
    }
  });

  scenario('the table as it was has the columns and types of the table', async () => {
    for (const table of TABLES) {
      const types = (from: string): Promise<{ name: string; type: string }[]> =>
        world.clickhouse.query(`DESCRIBE (SELECT * FROM ${from})`);
      const named = ({ name, type }: { name: string; type: string }): string => `${name} ${type}`;
      expect((await types(`${world.machinery}.${table}__at(at = now64(6))`)).map(named)).toEqual(
        (await types(`${world.database}.${table}`)).map(named),
      );
    }
  });

  scenario('before the snapshot there is nothing, and a change shows from the very moment of its commit', async () => {
    const count = async (at: string): Promise<number> => {
      const [row] = await world.clickhouse.query<{ n: string }>(
        `SELECT count() AS n FROM ${world.machinery}.item__at(at = ${at}) WHERE id = 11`,
      );
      return Number(row?.n);
    };
    const [made] = await lives('item', 'id = 11');
    const commit = `toDateTime64('${made?.valid_from ?? ''}', 6, 'UTC')`;
    expect(await count(commit)).toBe(1);
    expect(await count(`${commit} - toIntervalMicrosecond(1)`)).toBe(0);
    const [first] = await world.clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM ${world.machinery}.item__at(at = '2020-01-01 00:00:00')`,
    );
    expect(first?.n).toBe('0');
  });

  scenario('a row has one line for each event, each until the next, and a truncate ends the last', async () => {
    const rows = await lives('item', `shop = 'a' AND id = 4`);
    expect(rows.map(({ op, name }) => [op, name])).toEqual([
      ['r', 'item 4'],
      ['d', null],
      ['c', 'again'],
    ]);
    expect(rows.slice(0, 2).map(({ valid_to }) => valid_to)).toEqual(rows.slice(1).map(({ valid_from }) => valid_from));
    const truncate = (
      await world.clickhouse.query<{ at: string }>(
        `SELECT ts AS at FROM ${world.machinery}.changes WHERE table = 'item' AND op = 't'`,
      )
    )[0];
    expect(rows[2]?.valid_to).toBe(truncate?.at);
    const alive = await lives('item', `id = 1`);
    expect(alive.map(({ op, valid_to }) => [op, valid_to])).toEqual([
      ['r', truncate?.at],
      ['c', null],
    ]);
  });

  scenario('a changed key ends the life of one key and begins that of another', async () => {
    const [, ended] = await lives('item', 'id = 5');
    const [begun] = await lives('item', 'id = 50');
    expect([ended?.op, ended?.['name'], begun?.op, begun?.['name']]).toEqual(['d', null, 'c', 'item 5']);
    expect([begun?.valid_from, begun?.tx_id, begun?.lsn]).toEqual([ended?.valid_from, ended?.tx_id, ended?.lsn]);
  });

  scenario('the key as columns and as text lead to the same rows', async () => {
    const byColumns = await lives('document', 'id = 40');
    expect(byColumns.map(({ op }) => op)).toEqual(['c', 'u']);
    expect(byColumns.map(({ body }) => String(body).length)).toEqual([10_000, 10_000]);
    expect(await lives('document', `key = '{"id":40}'`)).toEqual(byColumns);
  });

  scenario('columns named as those of the history keep their names, and its own stand aside', async () => {
    const rows = await world.clickhouse.query<Record<string, unknown>>(
      `SELECT offset, _op, key, op, x_after, _key FROM ${world.machinery}.stock__history WHERE offset = 1 ORDER BY _offset`,
    );
    const events = ['r', 'u', 'd', 'c'];
    expect(rows.map(({ _op }) => _op)).toEqual(events);
    expect(rows.map(({ key, op, x_after }) => [key, op, x_after])).toEqual([
      ['k', 'o', 1],
      ['k', 'o', 2],
      [null, null, null],
      [null, null, null],
    ]);
    for (const row of rows) expect([row['offset'], row['_key']]).toEqual([1, '{"offset":1}']);
  });

  scenario('a column that appears later is in both views', async () => {
    await world.sql(`ALTER TABLE item ADD COLUMN colour text`, `UPDATE item SET colour = 'red' WHERE id = 1`);
    await world.mirrorEquals('item');
    const red = await waitFor(async () => {
      const rows = await world.clickhouse.query<{ colour: string | null }>(
        `SELECT colour FROM ${world.machinery}.item__at(at = now64(6) + 1)`,
      );
      return rows.length > 0 ? rows : null;
    }, 'the view has the new column');
    expect(red).toEqual([{ colour: 'red' }]);
    expect((await lives('item', 'id = 1')).map(({ colour }) => colour)).toEqual([null, null, 'red']);
  });
});
