/** Rules for columns on the real parts: every policy, types and names, and what happens when they are changed. */
import type { ColumnRule } from '../../src/column-rules';
import type { VerifyResult } from '../../src/verify/result';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

type Rules = Readonly<Record<string, ColumnRule>>;

const RULES: Rules = {
  fixed: { policy: 'reject' },
  strict: { policy: 'reject' },
  day: { policy: 'lossless' },
  days: { policy: 'lossless' },
  seen: { type: "DateTime64(3, 'Europe/Berlin')" },
  cents: { type: 'Decimal(20, 1)', policy: 'clamp' },
  note: { name: 'remark', type: 'LowCardinality(String)' },
};
const COLUMNS = `id, free, fixed, day, days, at, seen, cents, tags, note`;

describe('rules for columns', () => {
  let world: World;
  let env: Record<string, string>;

  const startWith = async (readings: Rules): Promise<void> => {
    if (world.service.isRunning()) expect(await world.service.stop()).toBe(0);
    env = { COLUMNS: JSON.stringify({ 'public.readings': readings }), HTTP_PORT: '0' };
    await world.service.start({ env });
  };
  const rows = (select: string, from = `${world.database}.readings`): Promise<Record<string, unknown>[]> =>
    world.clickhouse.query(`SELECT ${select} FROM ${from} ORDER BY id`);
  const types = async (): Promise<Record<string, string>> => {
    const found = await world.clickhouse.query<{ name: string; type: string }>(
      `SELECT name, type FROM system.columns WHERE database = '${world.database}' AND table = 'readings'`,
    );
    return Object.fromEntries(found.map(({ name, type }) => [name, type]));
  };
  const becomes = (select: string, id: number, expected: Record<string, unknown>): Promise<unknown> =>
    waitFor(
      async () => {
        const found = (await rows(`id, ${select}`)).find((row) => Number(row['id']) === id);
        return Object.entries(expected).every(
          ([name, value]) => JSON.stringify(found?.[name]) === JSON.stringify(value),
        );
      },
      `row ${id} has ${JSON.stringify(expected)}`,
      40_000,
    );
  const verify = async (): Promise<{ code: number | null; table: VerifyResult['tables'][number] | undefined }> => {
    const { code, stdout, stderr } = await world.command(['verify', '--json', '--table', 'public.readings'], env);
    if (!stdout.startsWith('{')) throw new Error(stderr);
    return { code, table: (JSON.parse(stdout) as VerifyResult).tables[0] };
  };
  const metrics = async (): Promise<string> => {
    const served = world.service.lines().find(({ event }) => event === 'page-served');
    const url = /http:\/\/\S+/.exec(served?.message ?? '')?.[0] ?? '';
    return (await fetch(new URL('/metrics', url))).text();
  };

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      `CREATE TABLE readings (id int PRIMARY KEY, free numeric, fixed numeric(6,2), day date, days date[],
        at timestamp, seen timestamptz, cents numeric(20,4), tags int[], note text,
        strict numeric(4,1), spot point, home point, more jsonb DEFAULT '{"a": "b"}')`,
      `ALTER TABLE readings REPLICA IDENTITY FULL`,
      `INSERT INTO readings (${COLUMNS}) VALUES (1, 1.50, 2.25, '2020-02-03', '{2020-02-03}', '2020-02-03 04:05:06',
        '2020-02-03 04:05:06+00', 1.5, '{1}', 'one')`,
    );
    await world.connect();
    await startWith(RULES);
    await becomes('remark', 1, { remark: 'one' });
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('columns have the types and names of their rules, in every view', async () => {
    expect(await types()).toMatchObject({
      free: 'Nullable(Decimal(76, 38))',
      day: 'Nullable(Date32)',
      seen: `Nullable(DateTime64(3, 'Europe/Berlin'))`,
      cents: 'Nullable(Decimal(20, 1))',
      remark: 'LowCardinality(Nullable(String))',
    });
    const machinery = world.machinery;
    expect(await rows('id, remark', `${machinery}.readings__at(at = now64(6))`)).toEqual([{ id: 1, remark: 'one' }]);
    expect(await rows('id, remark', `${machinery}.readings__history`)).toEqual([{ id: 1, remark: 'one' }]);
    expect(
      await world.clickhouse.query(`SELECT new_remark, toString(new_seen) AS seen FROM ${machinery}.readings__changes`),
    ).toEqual([{ new_remark: 'one', seen: '2020-02-03 05:05:06.000' }]);
    expect((await verify()).code).toBe(0);
  });

  scenario('clamp takes the nearest value and counts it; changes has it as it came', async () => {
    await world.sql(
      `INSERT INTO readings (id, at, seen, cents) VALUES (2, 'infinity', '2020-01-01 00:00:00.0009+00', 1.26)`,
    );
    await becomes(`toString(at) AS at, toString(cents) AS cents, tags`, 2, {
      at: '9999-12-31 23:59:59.999999',
      cents: '1.3',
      tags: [],
    });
    const { code, table } = await verify();
    expect([code, table?.differences]).toEqual([0, 0]);
    expect(table?.altered).toEqual({ at: 1, seen: 1, cents: 1 });
    const counted = await metrics();
    for (const column of ['at', 'seen', 'cents', 'tags'])
      expect(counted).toContain(`policy_values_total{table="public.readings",column="${column}",policy="clamp"} `);
    const told = world.service.lines().filter(({ event, level }) => event === 'policy-acted' && level === 'warn');
    expect(told.map(({ column }) => column).sort()).toEqual(expect.arrayContaining(['at', 'cents', 'seen']));
    expect(JSON.stringify(told)).not.toContain('infinity');
  });

  scenario('lossless makes the column text, with the values that were there before', async () => {
    await world.sql(
      `INSERT INTO readings (id, free, day, days) VALUES (3, 'NaN', 'infinity', '{1850-01-02,NULL,infinity}')`,
    );
    await becomes('free, day, days', 3, { free: 'NaN', day: 'infinity', days: ['1850-01-02', null, 'infinity'] });
    await becomes('free, day, days', 1, { free: '1.50', day: '2020-02-03', days: ['2020-02-03'] });
    expect(await types()).toMatchObject({
      free: 'Nullable(String)',
      day: 'Nullable(String)',
      days: 'Array(Nullable(String))',
    });
    await world.sql(`UPDATE readings SET day = '0044-03-15 BC' WHERE id = 1`);
    await becomes('day', 1, { day: '0044-03-15 BC' });
    const at = await rows('id, free, day, days', `${world.machinery}.readings__at(at = now64(6))`);
    expect(at).toEqual(await rows('id, free, day, days'));
    expect((await verify()).code).toBe(0);
    expect(await metrics()).toContain('column="free",policy="lossless"} 1');
  });

  scenario('reject sends the record to quarantine, and a retry under another policy brings it in', async () => {
    await world.sql(
      `INSERT INTO readings (id, fixed, note) VALUES (4, 'NaN', 'odd')`,
      `UPDATE readings SET fixed = 'NaN' WHERE id = 2`,
    );
    await world.sql(`UPDATE readings SET fixed = 3 WHERE id = 2`);
    await becomes('toString(fixed) AS fixed', 2, { fixed: '3' });
    const listed = await world.command(['quarantine', 'show', '--json'], env);
    const { records } = JSON.parse(listed.stdout) as { records: { code: string; column: string; message: string }[] };
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({ code: 'VALUE_REJECTED', column: 'fixed' });
    expect(records[0]?.message).toMatch(/column fixed.*Decimal\(6, 2\).*policy reject/);
    expect(await metrics()).toContain('column="fixed",policy="reject"} 2');
    expect((await verify()).code).toBe(1);
    await startWith({ ...RULES, fixed: { policy: 'clamp' } });
    const retried = await world.command(['quarantine', 'retry', '--all', '--json'], env);
    expect([retried.code, retried.stderr]).toEqual([0, expect.anything()]);
    await becomes('toString(fixed) AS fixed, remark', 4, { fixed: '9999.99', remark: 'odd' });
    await becomes('toString(fixed) AS fixed', 2, { fixed: '3' });
    const { code, table } = await verify();
    expect([code, table?.differences]).toEqual([0, 0]);
    expect(table?.altered).toMatchObject({ fixed: 1 });
  });

  scenario('another policy makes the mirror anew, there and back', async () => {
    await startWith({ ...RULES, fixed: { policy: 'lossless' }, free: { policy: 'clamp' }, note: {} });
    await world.sql(`INSERT INTO readings (id, free, at) VALUES (5, 2, '-infinity')`);
    await becomes('fixed, note', 4, { fixed: 'NaN', note: 'odd' });
    await becomes('toString(at) AS at', 5, { at: '0001-01-01 00:00:00.000000' });
    expect(await types()).toMatchObject({
      free: 'Nullable(Decimal(76, 38))',
      fixed: 'Nullable(String)',
      day: 'Nullable(String)',
    });
    const { code, table } = await verify();
    expect([code, table?.differences]).toEqual([0, 0]);
    expect(table?.altered).toMatchObject({ free: 1, at: 2 });
  });

  scenario('the policies are the same in JSON with schema and in Avro', async () => {
    const rules: Rules = { ...RULES, fixed: { policy: 'lossless' }, free: { policy: 'clamp' }, note: {} };
    for (const [n, profile] of (['json-schema', 'avro'] as const).entries()) {
      const id = 10 + 2 * n;
      await world.connect({ profile });
      await world.sql(
        `INSERT INTO readings (id, free, fixed, day, days, at, seen, cents, strict, note, spot, home) VALUES (${id}, '-Infinity',
          'NaN', 'infinity', '{1850-01-02,NULL,infinity}', 'infinity', '2020-01-01 00:00:00.0009+00', 1.26, 1.5, 'odd', '(1,2)', '(3,4)')`,
        `INSERT INTO readings (id, strict, note) VALUES (${id + 1}, 'NaN', 'odd')`,
      );
      const shown = 'toString(free) AS free, fixed, day, days, toString(at) AS at, toString(cents) AS cents, tags';
      await becomes(`${shown}, toString(spot) AS spot, toString(home) AS home, more`, id, {
        free: `-${'9'.repeat(38)}.${'9'.repeat(38)}`,
        fixed: 'NaN',
        day: 'infinity',
        days: ['1850-01-02', null, 'infinity'],
        at: '9999-12-31 23:59:59.999999',
        cents: '1.3',
        tags: [],
        // Avro declares the type of both once; the schema of the other wire holds the default, with its quotes.
        spot: '(1,2)',
        home: '(3,4)',
        more: '{"a": "b"}',
      });
    }
    const [wires] = await world.clickhouse.query<{ n: string }>(
      `SELECT uniqExact(wire_schema) AS n FROM ${world.machinery}.changes WHERE table = 'readings' AND op = 'c'`,
    );
    expect(Number(wires?.n)).toBeGreaterThan(1);
    const open = async (): Promise<number> => {
      const { stdout } = await world.command(['quarantine', 'show', '--json'], env);
      const { records } = JSON.parse(stdout) as { records: { code: string; column: string }[] };
      return records.filter(({ code, column }) => code === 'VALUE_REJECTED' && column === 'strict').length;
    };
    await waitFor(async () => (await open()) === 2, 'both are in quarantine');
    await startWith({ ...rules, strict: { policy: 'clamp' } });
    const retried = await world.command(['quarantine', 'retry', '--all', '--json'], env);
    expect(JSON.parse(retried.stdout)).toMatchObject({ applied: 2, still: 0 });
    for (const id of [11, 13]) await becomes('toString(strict) AS strict, note', id, { strict: '999.9', note: 'odd' });
    const { code, table } = await verify();
    expect([code, table?.differences]).toEqual([0, 0]);
    expect(table?.altered).toMatchObject({ strict: 2, free: 3, seen: 3, cents: 3 });
  });
});
