/** `verify` against the real parts: every type, under writes, and with a mirror that was spoilt by hand. */
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario, withLogs } from '../harness/scenario';
import { verified, type Verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import type { Difference, VerifyResult } from '../../src/verify/result';

jest.setTimeout(120_000);

const TYPES = `
  i2 int2, i8 int8, flag bool, f4 float4, f8 float8, free numeric, fixed numeric(12,2), tens numeric(5,-2), cash money, o oid,
  padded char(5), words text, bytes bytea, bit1 bit(1), bit12 bit(12), bits varbit, day date, moment time, zoned timetz,
  stamp timestamp, instant timestamptz, span interval, id2 uuid, doc json, docb jsonb, markup xml, feeling mood, net inet,
  block cidr, vector tsvector, numbers int4range, times tsrange, spot point, pairs hstore, ints int4[], texts text[],
  floats float8[], stamps timestamp[], "We""ird 'name" text, cells text, row_key text`;

const ROWS = [
  `1, 32767, 9223372036854775807, true, 3.33, 6.66, 123456789012345678901234567890.123456789, 1.10, 12300, '-1234.56', 4294967295,
   'ab', E'tx"\\\\\\né😀', '\\x00010203ff', B'1', B'100000000001', B'101', '2016-11-04', '13:51:02.123456', '13:51:02.120+02',
   '2016-11-04 13:51:30.1234', '2016-11-04 13:51:30.123456+02', '1 year 2 mons 3 days 04:05:06.789', 'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"b": 1,  "a":2, "a":3}', '{"b":1,"a":3,"n":1.10}', '<foo a="1">bar</foo>', 'happy', '192.168.1.5', '192.168.1.0/24', 'direct test',
   '[1,10]', '[2019-03-31 15:30:00,infinity]', '(1,2.5)', '"key 1"=>"v\\"1", k2=>NULL', '{1,2,NULL}', '{"a,b","c\\"d",NULL,"NULL",""}',
   '{1.5,NaN,Infinity,NULL}', '{2016-11-04 13:51:30.1234,NULL}', 'weird', '~', '|'`,
  `2, ${Array.from({ length: 41 }, () => 'NULL').join(', ')}`,
  `3, -1, -9223372036854775808, false, 'NaN', '-0', 'NaN', -0.01, -100, '0', 0, '', '', '', B'0', B'000000000000', B'00011', 'infinity',
   '24:00:00', '00:00:00-15:59', 'infinity', '-infinity', '-1 mons +3 days -04:05:06.5', '00000000-0000-0000-0000-000000000000', 'null',
   'null', '', 'sad', '::1/64', '10.0.0.0/8', '', 'empty', '(,)', '(-0,1e300)', '', '{}', '{}', '{}', '{}', '', '', ''`,
];

describe('verify', () => {
  let world: World;

  const prepare = async (): Promise<void> => {
    world = await openWorld({ COLUMNS: '{"defaults":{"numeric":"clamp"}}' });
    await world.sql('CREATE EXTENSION hstore', `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`);
    await world.sql(
      `CREATE TABLE every_type (id int PRIMARY KEY, ${TYPES})`,
      'ALTER TABLE every_type REPLICA IDENTITY FULL',
      'CREATE TABLE hot (region text, n int, v text, w numeric(10,2), PRIMARY KEY (region, n))',
      'ALTER TABLE hot REPLICA IDENTITY FULL',
      'CREATE TABLE plain (id int PRIMARY KEY, body text, n int)',
      'ALTER TABLE plain ALTER COLUMN body SET STORAGE EXTERNAL',
      'CREATE TABLE keyless (n int, body text)',
      'ALTER TABLE keyless REPLICA IDENTITY FULL',
      'CREATE TABLE lines (path line)',
      'CREATE TABLE exact (id numeric PRIMARY KEY, body text)',
      'ALTER TABLE exact REPLICA IDENTITY FULL',
      `INSERT INTO exact VALUES (1.0, 'one'), (2, 'two'), (3, 'three'), (4, 'four'), (5, 'five')`,
      `INSERT INTO hot SELECT r, n, 'v' || n, n / 3.0 FROM unnest(ARRAY['a', 'B', 'ä', 'b ', '']) AS r, generate_series(1, 200) AS n`,
      `INSERT INTO plain SELECT n, repeat(n || ' ', 2000), n FROM generate_series(1, 50) AS n`,
      `INSERT INTO keyless SELECT n % 10, CASE n % 10 WHEN 3 THEN NULL ELSE 'body' END FROM generate_series(1, 40) AS n`,
      `INSERT INTO lines VALUES ('{1,2,3}')`,
    );
    await world.connect();
    await world.service.start();
    for (const row of ROWS) await world.sql(`INSERT INTO every_type VALUES (${row})`);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const verify = (...args: readonly string[]): Promise<Verified> => verified(world, ...args);

  const waitForOp = async (table: string, op: string, count: number): Promise<void> => {
    await waitFor(
      async () => (await world.auditRows(table)).filter((row) => row.op === op).length >= count,
      `${count} ${op} of ${table} are in changes`,
    );
    await world.mirrorEquals(table);
  };

  const found = (result: VerifyResult): Difference[] => result.tables.flatMap(({ details }) => [...details]);

  const clickhouse = (sql: string): Promise<void> =>
    world.clickhouse.command(sql.replaceAll('{cdc}', world.machinery), { mutations_sync: '1' });

  scenario('every type is equal, what a policy alters is counted, and what is left out is named', async () => {
    const { code, result } = await verify();
    expect(found(result)).toEqual([]);
    expect(code).toBe(0);
    const types = result.tables.find(({ table }) => table === 'public.every_type');
    expect(types).toMatchObject({ sourceRows: 3, mirrorRows: 3, notCompared: [] });
    expect(types?.altered).toEqual({ free: 1, bits: 1, day: 1, stamp: 1, instant: 1 });
    expect(result.tables.map(({ table, sourceRows }) => [table, sourceRows])).toEqual([
      ['public.every_type', 3],
      ['public.exact', 5],
      ['public.hot', 1000],
      ['public.keyless', 40],
      ['public.plain', 50],
    ]);
    expect(result.skipped).toEqual([{ table: 'public.lines', reason: 'none of its columns can be compared' }]);
  });

  scenario('tables that change all the time are equal, and keys that moved are judged from changes', async () => {
    const writer = { goesOn: true };
    const writing = (async () => {
      for (let n = 0; writer.goesOn; n++) {
        await world.sql(
          `UPDATE hot SET v = v || '.', w = w + 1 WHERE n <= 20`,
          `DELETE FROM hot WHERE region = 'B' AND n = ${100 + (n % 50)}`,
          `INSERT INTO hot VALUES ('B', ${100 + (n % 50)}, 'again', ${n})`,
          `UPDATE hot SET n = n + 1000 WHERE region = 'a' AND n = 150`,
          `UPDATE hot SET n = n - 1000 WHERE region = 'a' AND n = 1150`,
          `UPDATE plain SET n = n + 1`,
          `INSERT INTO keyless VALUES (5, 'body'), (${n % 3}, 'now and then')`,
          `DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE n = 5 LIMIT 1)`,
        );
        await sleep(50);
      }
    })();
    let moved = 0;
    try {
      for (let round = 0; round < 3; round++) {
        const { code, result } = await verify('--table', 'public.hot,public.plain,public.keyless');
        expect(found(result)).toEqual([]);
        expect(code).toBe(0);
        moved += result.tables.reduce((sum, { movedSince }) => sum + movedSince, 0);
      }
    } finally {
      writer.goesOn = false;
      await writing;
    }
    expect(moved).toBeGreaterThan(0);
  });

  scenario('a mirror that was spoilt by hand is named by key, columns and stage', async () => {
    expect((await verify('--table', 'public.hot')).code).toBe(0);
    await clickhouse(`DELETE FROM {cdc}.hot__mirror WHERE region = 'ä' AND n = 30`);
    await clickhouse(`ALTER TABLE {cdc}.hot__mirror UPDATE w = w + 1, v = 'x' WHERE region = 'ä' AND n = 31`);
    await clickhouse(`INSERT INTO {cdc}.hot__mirror (region, n, v, _sign) VALUES ('ghost', 1, 'boo', 1)`);
    // A change that Kafka has and `changes` lost.
    await clickhouse(`ALTER TABLE {cdc}.changes DELETE WHERE table = 'hot' AND after LIKE '{"region":"ä","n":33,%'`);
    await clickhouse(`DELETE FROM {cdc}.hot__mirror WHERE region = 'ä' AND n = 33`);
    // A merge would make one row of the two, and nothing would be wrong any more.
    await clickhouse('SYSTEM STOP MERGES {cdc}.hot__mirror');
    await clickhouse(
      `INSERT INTO {cdc}.hot__mirror SELECT * FROM {cdc}.hot__mirror FINAL WHERE region = 'ä' AND n = 32`,
    );
    const { code, result } = await verify('--table', 'public.hot', '--values');
    await clickhouse('SYSTEM START MERGES {cdc}.hot__mirror');
    expect(code).toBe(1);
    const differences = found(result).sort((a, b) => Number(a.key['n']) - Number(b.key['n']));
    expect(differences.map(({ key, kind, columns, stage }) => [key['region'], key['n'], kind, columns, stage])).toEqual(
      [
        ['ghost', '1', 'surplus', [], 'mirror'],
        ['ä', '30', 'missing', [], 'mirror'],
        ['ä', '31', 'changed', ['v', 'w'], 'mirror'],
        ['ä', '32', 'signs', [], 'mirror'],
        ['ä', '33', 'missing', [], 'changes'],
      ],
    );
    expect(differences[2]?.values).toEqual({ source: { v: 'v31', w: '10.33' }, mirror: { v: 'x', w: '11.33' } });
  });

  const signs = async (table: string): Promise<unknown> =>
    world.clickhouse.query(
      `SELECT toInt64(sum(_sign)) AS signs, (SELECT count() FROM ${world.machinery}.${table}__mirror FINAL WHERE _sign = 1) AS rows FROM ${world.machinery}.${table}__mirror`,
    );

  scenario(
    '--repair mends what changes has right, by the service while rows are written, and names the rest',
    async () => {
      const writing = { goesOn: true };
      const writer = (async () => {
        for (let n = 0; writing.goesOn; n++) {
          await world.sql(`UPDATE hot SET w = w + 1 WHERE region = 'B' AND n BETWEEN ${n % 100} AND ${(n % 100) + 5}`);
          await sleep(200);
        }
      })();
      const { code, result } = await verify('--table', 'public.hot', '--repair').finally(async () => {
        writing.goesOn = false;
        await writer;
      });
      expect(code).toBe(1);
      const { before, repairs } = result.repair!;
      expect(found(before).length).toBeGreaterThanOrEqual(4);
      expect(found(result).map(({ key, kind, stage }) => [key['n'], kind, stage])).toEqual([
        ['33', 'missing', 'changes'],
      ]);
      expect(repairs).toEqual([expect.objectContaining({ table: 'public.hot', lost: 0 })]);
      expect((await world.command(['replay', '--from-beginning', '--tables', 'public.hot'])).code).toBe(0);
      expect((await verify('--table', 'public.hot')).code).toBe(0);
      await world.mirrorEquals('hot');
    },
  );

  scenario(
    '--repair mends rows with any signs, keys that are written in two ways, and values that were withheld',
    async () => {
      await world.sql(
        `UPDATE exact SET id = '1.00', body = 'renamed' WHERE id = 1`,
        `UPDATE plain SET n = n + 1 WHERE id = 7`,
      );
      await world.mirrorEquals('plain');
      expect((await verify('--table', 'public.exact,public.plain')).code).toBe(0);
      await world.sql(`DELETE FROM exact WHERE id = 3`);
      await waitForOp('exact', 'd', 2);
      const mirror = (table: string): string => `{cdc}.${table}__mirror`;
      // Present in the source: gone, twice, and with a sign too few.
      await clickhouse(`DELETE FROM ${mirror('exact')} WHERE id = 1`);
      await clickhouse(
        `INSERT INTO ${mirror('exact')} SELECT * REPLACE (-1 AS _sign) FROM ${mirror('exact')} FINAL WHERE id = 2`,
      );
      await clickhouse(
        `INSERT INTO ${mirror('exact')} SELECT * REPLACE (-1 AS _sign) FROM ${mirror('exact')} FINAL WHERE id = 2`,
      );
      await clickhouse(
        `INSERT INTO ${mirror('exact')} (id, body, _sign) VALUES (2, 'x', -1), (4, 'y', -1), (5, 'z', 1)`,
      );
      // Deleted in the source, there again; and there by nothing but a hand.
      await clickhouse(
        `INSERT INTO ${mirror('exact')} (id, body, _sign, _topic) VALUES (3, 'again', 1, 'who'), (99, 'ghost', 1, '')`,
      );
      await clickhouse(`DELETE FROM ${mirror('plain')} WHERE id = 7`);
      await clickhouse(
        `INSERT INTO ${mirror('plain')} SELECT * REPLACE ('spoilt' AS body, 1 AS _sign) FROM ${mirror('plain')} FINAL WHERE id = 8`,
      );
      const { code, result } = await verify('--table', 'public.exact,public.plain', '--repair');
      expect(found(result)).toEqual([]);
      expect(code).toBe(0);
      const { before } = result.repair!;
      expect(before.tables.map(({ table, differences }) => [table, differences])).toEqual([
        ['public.exact', 6],
        ['public.plain', 2],
      ]);
      expect(found(before).every(({ stage }) => stage === 'mirror')).toBe(true);
      await world.mirrorEquals('exact');
      await world.mirrorEquals('plain');
      for (const table of ['exact', 'plain']) {
        const [sums] = (await signs(table)) as { signs: string; rows: string }[];
        expect(sums?.signs).toBe(sums?.rows);
      }
    },
  );

  scenario('--repair does it itself where no service runs', async () => {
    await world.service.stop();
    await clickhouse(`DELETE FROM {cdc}.hot__mirror WHERE region = 'ä' AND n BETWEEN 40 AND 60`);
    // A row that stands by no sign: the view is right, a sum over signs is not.
    await clickhouse(
      `INSERT INTO {cdc}.hot__mirror SELECT * REPLACE (arrayJoin([-1, -1, 1]) AS _sign) FROM {cdc}.hot__mirror FINAL WHERE region = 'b ' AND n = 5`,
    );
    const ended = await world.command(['verify', '--table', 'public.hot', '--repair']);
    expect({ code: ended.code, stderr: ended.code === 0 ? '' : ended.stderr }).toEqual({ code: 0, stderr: '' });
    expect(ended.stdout).toContain('No service runs, so this process mends it.');
    expect(ended.stdout).toContain('public.hot: 22 keys mended');
    await world.service.start();
    await world.mirrorEquals('hot');
  });

  scenario('rows without a key are compared by how often they are there, and named by a hash', async () => {
    expect((await verify('--table', 'public.keyless')).code).toBe(0);
    await clickhouse(`ALTER TABLE {cdc}.keyless__mirror UPDATE _count = _count + 1 WHERE n = 7`);
    await clickhouse(`DELETE FROM {cdc}.keyless__mirror WHERE n = 3`);
    await clickhouse(
      `INSERT INTO {cdc}.keyless__mirror (n, body, _hash, _count, _sign) VALUES (99, 'ghost', generateUUIDv4(), 2, 1)`,
    );
    // Changes that Kafka has and \`changes\` lost.
    await clickhouse(`ALTER TABLE {cdc}.changes DELETE WHERE table = 'keyless' AND op = 'r' AND after LIKE '{"n":4,%'`);
    await clickhouse(`DELETE FROM {cdc}.keyless__mirror WHERE n = 4`);
    const { code, result } = await verify('--table', 'public.keyless', '--repair');
    expect(code).toBe(1);
    const differences = found(result).sort((a, b) => (a.times?.source ?? 0) - (b.times?.source ?? 0));
    expect(differences.map(({ kind, times, stage }) => [kind, times, stage])).toEqual(
      expect.arrayContaining([
        ['surplus', { source: 0, mirror: 2 }, 'mirror'],
        ['missing', { source: 4, mirror: 0 }, 'mirror'],
        ['missing', { source: 4, mirror: 0 }, 'changes'],
      ]),
    );
    expect(differences).toHaveLength(4);
    const changed = differences.find(({ kind }) => kind === 'changed');
    expect(changed?.times).toEqual({ source: 4, mirror: 5 });
    for (const { key } of differences) {
      expect(Object.keys(key)).toEqual(['_hash']);
      expect(key['_hash']).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(JSON.stringify(result)).not.toContain('ghost');
    expect(result.repair!.repairs).toMatchObject([{ table: 'public.keyless', mended: 0 }]);
    expect(JSON.stringify(result.repair!.repairs)).toContain('rebuild --table public.keyless');
    const said = await world.command(['verify', '--table', 'public.keyless']);
    expect(said.stdout).toMatch(/_hash=[0-9a-f]{32}: 4 times in the source, 0 times in the mirror/);
    expect((await world.command(['replay', '--from-beginning', '--tables', 'public.keyless'])).code).toBe(0);
    expect((await verify('--table', 'public.keyless')).code).toBe(0);
  });

  scenario('a table that was asked for and cannot be compared is no success', async () => {
    const { code, result } = await verify('--table', 'public.lines');
    expect(result).toMatchObject({ equal: true, tables: [], skipped: [{ table: 'public.lines' }] });
    expect(code).toBe(3);
  });

  scenario('a verify whose snapshot PostgreSQL ends says so at once', async () => {
    await world.service.stop();
    await world.sql(`UPDATE plain SET n = -2`);
    const verifying = world.command(['verify', '--table', 'public.plain']);
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'debezium-clickhouse' AND state = 'idle in transaction' AND query LIKE '%pg_current_snapshot%'`;
    await waitFor(async () => (await world.postgres.query(end)).length > 0, 'verify has its snapshot');
    const { code, stdout, stderr } = await verifying;
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('POSTGRES_UNREACHABLE');
    expect(stderr).toContain('the snapshot to compare with');
    await world.service.start();
  });

  scenario('rows that the service has not written yet are waited for, not called lost', async () => {
    await world.service.stop();
    await world.sql(`UPDATE plain SET n = -1`);
    const verified = verify('--table', 'public.plain');
    await sleep(1_500);
    await world.service.start();
    const { code, result } = await verified;
    expect(found(result)).toEqual([]);
    expect(code).toBe(0);
  });
});
