import { openPages, type Pages } from '../../../src/http/routes';
import { SECURITY_HEADERS, startServer, type PageServer } from '../../../src/http/server';
import type { ChangeRead, DashboardReads, PageReads, PauseOrders } from '../../../src/http/ports';

const CHANGE: ChangeRead = {
  ...{
    at: '',
    ingestedAt: '',
    op: 'u',
    table: 'public.orders',
    topic: 't',
    partition: 0,
    offset: '1',
    lsn: null,
    txId: null,
  },
  ...{ redelivered: false, key: '{"id":7}', before: '{"a":1}', after: '{"a":2}', unavailable: [] },
};

interface Served {
  readonly server: PageServer;
  readonly pages: Pages;
  readonly reads: { [N in keyof PageReads]: jest.Mock };
  readonly dashboard: { [N in keyof DashboardReads]: jest.Mock };
  readonly orders: { [N in keyof PauseOrders]: jest.Mock };
  readonly fresh: jest.Mock;
}

const opened: Served[] = [];

async function serve(
  of: { values?: 'shown' | 'withheld'; token?: string | null; ready?: boolean } = {},
): Promise<Served> {
  const { values = 'shown', token = null, ready = true } = of;
  const reads = {
    changes: jest.fn(() => Promise.resolve([CHANGE])),
    history: jest.fn(() => Promise.resolve([CHANGE])),
    quarantine: jest.fn(() => Promise.resolve([])),
  };
  const dashboard = {
    tables: jest.fn(() => Promise.resolve(['sales'])),
    sales: jest.fn((hours: number) => Promise.resolve({ hours })),
    stock: jest.fn(() => Promise.resolve([])),
    logins: jest.fn(() => Promise.resolve({})),
    newestCommit: jest.fn(() => Promise.resolve(1)),
    reconcile: jest.fn(() => Promise.resolve({ reason: 'a reason' })),
  };
  const fresh = jest.fn(() => Promise.resolve('{"version":1}'));
  const figures = {
    fresh,
    now: () => '{"version":1}',
    latency: () => '{"points":[]}',
    ready: () => ({ ready, reasons: ready ? [] : [{ code: 'JOINING', message: 'not yet' }] }),
    ends: () => [{ topic: 't', partition: 0, end: 9 }],
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'm 1\n' }),
  };
  const orders = {
    pause: jest.fn((table: string | null) => Promise.resolve({ topics: [table ?? '*'], done: 'followed' as const })),
    resume: jest.fn((table: string | null) => Promise.resolve({ topics: [table ?? '*'], done: 'written' as const })),
  };
  const pages = openPages({ figures, reads, dashboard, orders, values });
  const server = await startServer({ host: '127.0.0.1', port: 0, token, routes: pages.routes });
  const served = { server, pages, reads, dashboard, orders, fresh };
  opened.push(served);
  return served;
}

afterEach(async () => {
  for (const { server, pages } of opened.splice(0)) {
    pages.close();
    await server.close();
  }
});

test('every answer forbids what the page does not need, and a file is not sent twice', async () => {
  const { server } = await serve();
  for (const path of ['/', '/dashboard', '/page.js', '/uplot.js', '/status.json', '/healthz', '/nothing']) {
    const { headers } = await fetch(server.address + path);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect(headers.get(name)).toBe(value);
  }
  for (const path of ['/', '/dashboard'])
    expect(await (await fetch(server.address + path)).text()).not.toMatch(
      /<script(?![^>]*src=)|<style|style="|onclick=|https?:\/\/(?!www\.w3\.org)/,
    );
  const page = await fetch(server.address);
  const again = await fetch(server.address, { headers: { 'if-none-match': page.headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
});

test('only GET and HEAD are answered, and only addresses in the table', async () => {
  const { server } = await serve();
  expect((await fetch(`${server.address}/status.json`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${server.address}/status.json`, { method: 'HEAD' })).status).toBe(200);
  for (const path of ['/page/../package.json', '/..%2fpackage.json', '/package.json', '//etc/passwd'])
    expect((await fetch(server.address + path)).status).toBe(404);
});

test('with a token all but the probes want it', async () => {
  const { server, pages } = await serve({ token: 'a-long-enough-token' });
  const open = [];
  for (const { path, access } of pages.routes) {
    const answer = await fetch(server.address + path, { method: access === 'order' ? 'POST' : 'GET' });
    await answer.body?.cancel();
    if (answer.status !== 401) open.push(path);
  }
  expect(open.sort()).toEqual(['/healthz', '/readyz']);
});

const TOKEN = 'a-long-enough-token';

const order = (server: PageServer, body: string, headers: Record<string, string> = {}, path = '/pause') =>
  fetch(server.address + path, { method: 'POST', body, headers });

test('orders are taken from who shows the token in a header', async () => {
  const { server, orders } = await serve({ token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const paused = await order(server, '{"table":"public.orders"}', headers);
  expect([paused.status, await paused.json()]).toEqual([200, { topics: ['public.orders'], done: 'followed' }]);
  const resumed = await order(server, '{"all":true}', headers, '/resume');
  expect([resumed.status, await resumed.json()]).toEqual([200, { topics: ['*'], done: 'written' }]);
  expect(orders.pause.mock.calls).toEqual([['public.orders']]);
  expect(orders.resume.mock.calls).toEqual([[null]]);
  expect((await fetch(`${server.address}/pause`, { headers })).status).toBe(405);
});

test.each<[string, string | null, Record<string, string>, number]>([
  ['a browser of this machine, where there is no token', null, {}, 403],
  ['anybody, where there is no token', null, { authorization: `Bearer ${TOKEN}` }, 403],
  [
    'who has the cookie only, which a browser sends for any site',
    TOKEN,
    { cookie: `debezium_clickhouse_page=${TOKEN}` },
    401,
  ],
  ['who shows another token', TOKEN, { authorization: 'Bearer another-long-token' }, 401],
  ['who shows none', TOKEN, {}, 401],
  ['another site', TOKEN, { authorization: `Bearer ${TOKEN}`, origin: 'https://elsewhere.example' }, 403],
  ['a page without an origin of its own', TOKEN, { authorization: `Bearer ${TOKEN}`, origin: 'null' }, 403],
])('no order is taken from %s', async (_who, token, headers, status) => {
  const { server, orders } = await serve({ token });
  for (const path of ['/pause', '/resume']) {
    expect((await order(server, '{"all":true}', headers, path)).status).toBe(status);
    expect((await order(server, '{"all":true}', headers, `${path}?token=${TOKEN}`)).status).toBe(status);
  }
  expect(orders.pause).not.toHaveBeenCalled();
  expect(orders.resume).not.toHaveBeenCalled();
});

test.each([
  '',
  '{}',
  '{"table":7}',
  '{"table":"orders"}',
  '{"all":true,"table":"public.orders"}',
  '{"all":1}',
  `"${'x'.repeat(3_000)}"`,
])('the order %j says nothing and is refused', async (body) => {
  const { server, orders } = await serve({ token: TOKEN });
  expect((await order(server, body, { authorization: `Bearer ${TOKEN}` })).status).toBe(400);
  expect(orders.pause).not.toHaveBeenCalled();
});

test('why an order cannot be is told; what a database said is not', async () => {
  const { server, orders } = await serve({ token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}` };
  orders.pause.mockRejectedValueOnce(Object.assign(new Error('no public.x'), { code: 'REQUEST_FAILED' }));
  const refused = await order(server, '{"table":"public.x"}', headers);
  expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('no public.x') as string]);
  orders.pause.mockRejectedValueOnce(Object.assign(new Error('secret'), { code: 'CLICKHOUSE_UNREACHABLE' }));
  const failed = await order(server, '{"table":"public.x"}', headers);
  const text = await failed.text();
  expect(failed.status).toBe(503);
  expect(text).toContain('CLICKHOUSE_UNREACHABLE');
  expect(text).not.toContain('secret');
});

test('readyz says why not', async () => {
  const { server } = await serve({ ready: false });
  const answer = await fetch(`${server.address}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({ ready: false, reasons: [{ code: 'JOINING', message: 'not yet' }] });
});

test('withheld values are not asked for by key, and do not leave', async () => {
  const { server, reads } = await serve({ values: 'withheld' });
  expect((await fetch(`${server.address}/changes.json?key=7`)).status).toBe(403);
  expect((await fetch(`${server.address}/history.json?table=public.orders&key=7`)).status).toBe(403);
  expect(reads.changes).not.toHaveBeenCalled();
  expect(reads.history).not.toHaveBeenCalled();
  const { values, changes } = (await (await fetch(`${server.address}/changes.json`)).json()) as {
    values: string;
    changes: unknown[];
  };
  expect(values).toBe('withheld');
  expect(changes).toMatchObject([{ key: null, columns: null, changed: ['a'] }]);
});

test('the dashboard asks about the tables that are there and no others, and says how old its answer is', async () => {
  const { server, dashboard } = await serve();
  const answer = await fetch(`${server.address}/dashboard.json?hours=3`);
  expect(await answer.json()).toEqual({
    ageMs: expect.any(Number) as number,
    answer: {
      at: expect.any(Number) as number,
      hours: 3,
      tables: ['sales'],
      sales: { hours: 3 },
      stock: null,
      logins: null,
      newestCommitAt: 1,
    },
  });
  expect(dashboard.stock).not.toHaveBeenCalled();
  for (const hours of ['0', '169', '1.5', '1 OR 1', '-1'])
    expect((await fetch(`${server.address}/dashboard.json?hours=${encodeURIComponent(hours)}`)).status).toBe(400);
  const ids = await (await fetch(`${server.address}/reconciliation.json`)).json();
  expect(ids).toMatchObject({ answer: { reason: 'a reason' } });
});

test('the dashboard has nothing to show while values are withheld, and asks nothing', async () => {
  const { server, dashboard } = await serve({ values: 'withheld' });
  for (const path of ['/dashboard.json', '/reconciliation.json']) {
    const answer = await fetch(server.address + path);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('VALUES_WITHHELD');
  }
  for (const asked of Object.values(dashboard)) expect(asked).not.toHaveBeenCalled();
});

test('any number of viewers of the dashboard cost one question', async () => {
  const { server, dashboard } = await serve();
  const all = Array.from({ length: 50 }, () => fetch(`${server.address}/dashboard.json`).then((one) => one.status));
  expect(new Set(await Promise.all(all))).toEqual(new Set([200]));
  expect(dashboard.sales.mock.calls.length).toBeLessThanOrEqual(2);
});

test('many viewers with one filter cost one query', async () => {
  const { server, reads, pages } = await serve();
  const all = Array.from({ length: 50 }, () =>
    fetch(`${server.address}/changes.json?op=u`).then((answer) => answer.text()),
  );
  expect(new Set(await Promise.all(all)).size).toBe(1);
  expect(reads.changes.mock.calls.length).toBeLessThanOrEqual(2);
  expect(pages.counts().queries).toBe(reads.changes.mock.calls.length);
});

test('the status is made once for all who ask for it at the same moment', async () => {
  const { server, fresh } = await serve();
  const ask = () => fetch(`${server.address}/status.json`).then((answer) => answer.json());
  const all = await Promise.all(Array.from({ length: 50 }, ask));
  for (const one of all) expect(one).toEqual({ version: 1 });
  expect(fresh.mock.calls.length).toBeLessThan(25);
});

test.each([
  ['of an unknown operation', 'op=x'],
  ['of two operations', 'op=cu'],
  ['of a table without a schema', 'table=orders'],
  ['that is very long', `key=${'x'.repeat(3_000)}`],
])('a filter %s is refused', async (_name, query) => {
  const { server, reads } = await serve();
  expect((await fetch(`${server.address}/changes.json?${query}`)).status).toBe(400);
  expect(reads.changes).not.toHaveBeenCalled();
});

test('what fails is told by its code, without what was asked or answered', async () => {
  const { server, reads } = await serve();
  const cause = Object.assign(new Error('Syntax error near secret-key'), { code: 'CLICKHOUSE_QUERY_FAILED' });
  reads.changes.mockRejectedValue(cause);
  const answer = await fetch(`${server.address}/changes.json?key=secret-key`);
  expect(answer.status).toBe(503);
  const text = await answer.text();
  expect(text).toContain('CLICKHOUSE_QUERY_FAILED');
  expect(text).not.toContain('secret-key');
});

test('a viewer gets the status at once, as an event', async () => {
  const { server, pages } = await serve();
  const abort = new AbortController();
  const answer = await fetch(`${server.address}/events`, { signal: abort.signal });
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const reader = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toContain('event: status\ndata: {"version":1}\n\n');
  expect(pages.counts().viewers).toBe(1);
  abort.abort();
});

test('a port that is taken is an error, not a crash', async () => {
  const { server } = await serve();
  const port = Number(new URL(server.address).port);
  const again = startServer({ host: '127.0.0.1', port, token: null, routes: [] });
  await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
