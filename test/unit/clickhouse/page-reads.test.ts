import { dashboardReads } from '../../../src/clickhouse/dashboard-reads';
import { PAGE_READ_ONLY, pageReads } from '../../../src/clickhouse/page-reads';

function recorded() {
  const calls: { sql: string; params: Record<string, unknown>; settings: unknown }[] = [];
  const query = <T>(sql: string, params: Record<string, unknown> = {}, settings?: unknown): Promise<T[]> => {
    calls.push({ sql, params, settings });
    return Promise.resolve(sql.includes('system.tables') ? ([{ name: `a'b__mirror`, of: `public.a'b` }] as T[]) : []);
  };
  return { calls, query, reads: pageReads({ query }, { views: 'shop', machinery: 'shop_cdc' }) };
}

const HOSTILE = `' OR 1=1; DROP TABLE x; --`;

test('every query is read only and bounded, and no value stands in its text', async () => {
  const { calls, reads } = recorded();
  const ends = [{ topic: HOSTILE, partition: 1, end: 1_000 }];
  await reads.changes({ table: `public.${HOSTILE}`, op: 'u', key: HOSTILE }, ends);
  await reads.history(`public.${HOSTILE}`, HOSTILE);
  await reads.quarantine();
  await reads.quarantineCounts();
  await reads.mirrorRows();
  expect(calls).toHaveLength(6);
  for (const { sql, settings } of calls) {
    expect(settings).toBe(PAGE_READ_ONLY);
    expect(sql).toMatch(/^SELECT /);
    expect(sql).not.toContain('OR 1=1');
    expect(sql).not.toMatch(/\b(INSERT|ALTER|CREATE|DELETE)\b/);
  }
  expect(PAGE_READ_ONLY).toMatchObject({ readonly: '2', max_execution_time: 5 });
});

test('the questions of the dashboard are read only and bounded, too', async () => {
  const { calls, query } = recorded();
  const reads = dashboardReads({ query }, { views: 'shop', machinery: 'shop_cdc' });
  await reads.tables();
  await reads.sales(24);
  await reads.stock(24, 'known');
  await reads.logins(24);
  await reads.newestCommit([{ topic: HOSTILE, partition: 1, end: 1_000 }]);
  await reads.loginIds(HOSTILE);
  expect(calls).toHaveLength(8);
  for (const { sql, settings } of calls) {
    expect(settings).toBe(PAGE_READ_ONLY);
    expect(sql).toMatch(/^SELECT /);
    expect(sql).not.toContain('OR 1=1');
    expect(sql).not.toMatch(/\b(INSERT|ALTER|CREATE|DELETE)\b/);
  }
});

test('only the last records of a partition are looked through, more of them with a filter', async () => {
  const { calls, reads } = recorded();
  const ends = [{ topic: 't', partition: 0, end: 1_000_000 }];
  await reads.changes({ table: null, op: null, key: null }, ends);
  await reads.changes({ table: null, op: 'd', key: null }, ends);
  expect(calls.map(({ params }) => params['from0'])).toEqual([999_700, 950_000]);
});

test('nothing is asked while no partition is known', async () => {
  const { calls, reads } = recorded();
  expect(await reads.changes({ table: null, op: null, key: null }, [])).toEqual([]);
  expect(calls).toEqual([]);
});

test('a mirror with a quote in its name is quoted', async () => {
  const { calls, reads } = recorded();
  await reads.mirrorRows();
  expect(calls[1]?.sql).toContain(`'public.a\\'b'`);
});
