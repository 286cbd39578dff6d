/** The live page on the real parts: what it answers, what it withholds, and how it looks and behaves in a real Chromium. */
import type { Browser, Page } from 'playwright-core';
import { mkdirSync } from 'node:fs';
import { hasBrowser, openBrowser } from '../harness/browser';
import { runCommand } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess, type ServiceProcess } from '../harness/service-process';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import { PAGE_READ_ONLY } from '../../src/clickhouse/page-reads';
import type { Status } from '../../src/telemetry/status';
import type { ShownChange } from '../../src/http/columns';
import type { Reconciled } from '../../src/http/reconciliation';

jest.setTimeout(120_000);

const TOKEN = 'a-token-for-tests-only';
/** A folder for screenshots; they are taken where it is set. */
const { PAGE_SCREENSHOTS: screenshots } = process.env;

describe('the live page', () => {
  let world: World;
  let address: string;

  beforeAll(() => withLogs('the preparation', prepare));

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, state text, amount numeric(12,2))',
      `INSERT INTO orders SELECT n, 'customer ' || n % 7, 'new', n * 1.10 FROM generate_series(1, 200) n`,
    );
    await world.sql('CREATE TABLE stock (item text PRIMARY KEY, pieces int NOT NULL)');
    await world.sql(`INSERT INTO stock SELECT 'item ' || n, n FROM generate_series(1, 50) n`);
    await world.connect();
    await world.service.start({ env: { HTTP_PORT: '0', PAGE_VALUES: 'true' } });
    address = await addressOf(world.service);
    await world.mirrorEquals('orders');
    await world.mirrorEquals('stock');
  };

  afterAll(() => world.close());

  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${address}${path}`);
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  };

  scenario('tells in status.json where each partition stands, and that nothing is behind', async () => {
    const status = await waitFor(async () => {
      const one = await get<Status>('/status.json');
      return one.lag.records === 0 && one.tables.length === 2 && one.tables.every(({ rows }) => rows !== null)
        ? one
        : null;
    }, 'status.json shows both tables without lag');
    expect(status).toMatchObject({
      version: 1,
      state: 'reading',
      ready: { ready: true, reasons: [] },
      slow: { stage: null },
      service: { groupId: world.name, database: world.database, values: 'shown' },
      source: { slotActive: true },
      totals: { changes: 250, ops: { r: 250, c: 0 }, quarantined: 0 },
    });
    expect(status.source.walHeldBytes).toBeGreaterThanOrEqual(0);
    expect(status.source.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    const rows = Object.fromEntries(status.tables.map((table) => [table.table, table.rows]));
    expect(rows).toEqual({ 'public.orders': 200, 'public.stock': 50 });
    const orders = status.partitions.find(({ topic }) => topic === world.topic('orders'));
    expect(orders).toMatchObject({ partition: 0, lag: 0, lagSeconds: 0 });
    expect(orders?.end).toBeGreaterThanOrEqual(200);
  });

  scenario('gives the changes with old and new side by side, by table, operation and key', async () => {
    await world.sql(
      `UPDATE orders SET state = 'paid' WHERE id = 7`,
      `DELETE FROM orders WHERE id = 8`,
      `UPDATE stock SET pieces = 99 WHERE item = 'item 3'`,
    );
    await world.mirrorEquals('orders');
    await world.mirrorEquals('stock');
    const read = (query: string): Promise<ShownChange[]> =>
      get<{ changes: ShownChange[] }>(`/changes.json?${query}`).then(({ changes }) => changes);
    const [paid, ...others] = await waitFor(async () => {
      const found = await read('table=public.orders&op=u');
      return found.length > 0 ? found : null;
    }, 'the update is among the changes');
    expect(others).toEqual([]);
    expect(paid).toMatchObject({ op: 'u', table: 'public.orders', key: '{"id":7}', changed: ['state'] });
    expect(paid?.columns).toContainEqual({ name: 'state', before: '"new"', after: '"paid"', changed: true });
    expect(paid?.columns).toContainEqual({ name: 'amount', before: '"7.70"', after: '"7.70"', changed: false });
    expect((await read('op=d')).map(({ key }) => key)).toEqual(['{"id":8}']);
    expect((await read(`key=${encodeURIComponent('item 3')}&op=u`)).map(({ table }) => table)).toEqual([
      'public.stock',
    ]);
    const newest = await read('');
    expect(newest).toHaveLength(50);
    const history = await get<{ changes: ShownChange[] }>(
      `/history.json?table=public.orders&key=${encodeURIComponent('{"id":7}')}`,
    );
    expect(history.changes.map(({ op }) => op)).toEqual(['r', 'u']);
  });

  scenario('asks ClickHouse in a way that cannot write, whatever a filter holds', async () => {
    const bad = `'; DROP TABLE ${world.machinery}.changes; --`;
    const none = await get<{ changes: ShownChange[] }>(`/changes.json?key=${encodeURIComponent(bad)}`);
    expect(none.changes).toEqual([]);
    const refused = world.clickhouse.query(`DROP TABLE ${world.machinery}.changes`, {}, PAGE_READ_ONLY);
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('code 164, READONLY') as string });
    expect((await world.auditRows()).length).toBeGreaterThan(250);
  });

  scenario('shows what is in quarantine', async () => {
    await world.topics.produce(world.topic('orders'), [
      { key: '{"id":1}', value: '{"before":null,"after":{"id":1},"op":"?"}' },
    ]);
    const { records } = await waitFor(async () => {
      const found = await get<{ records: { code: string; value: string; offset: string }[] }>('/quarantine.json');
      return found.records.length > 0 ? found : null;
    }, 'the record is in quarantine');
    expect(records[0]).toMatchObject({ topic: world.topic('orders'), keyBytes: 8 });
    const place = `${world.topic('orders')}:0:${records[0]?.offset ?? ''}`;
    const quarantineIs = (expected: Pick<Status['quarantine'], 'open' | 'doubtfulRows'>) =>
      waitFor(
        async () => {
          const { totals, quarantine } = await get<Status>('/status.json');
          expect(totals.quarantined).toBe(1);
          expect(quarantine).toMatchObject(expected);
          return quarantine.groups;
        },
        `status.json counts ${JSON.stringify(expected)}`,
      );
    const [group] = await quarantineIs({ open: 1, doubtfulRows: 1 });
    expect(group).toMatchObject({ code: 'ENVELOPE_MALFORMED', records: 1, doubtfulRows: 1 });
    expect([world.topic('orders'), 'public.orders']).toContain(group?.table);
    expect(await (await fetch(`${address}/metrics`)).text()).toContain('debezium_clickhouse_doubtful_rows 1\n');
    const discarded = await world.command(['quarantine', 'discard', place, '--reason', 'a test', '--yes']);
    expect([discarded.code, discarded.stderr]).toEqual([0, '']);
    await quarantineIs({ open: 0, doubtfulRows: 0 });
  });

  scenario('answers probes and Prometheus', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 'alive' });
    expect(await get('/readyz')).toEqual({ ready: true, reasons: [] });
    const text = await (await fetch(`${address}/metrics`)).text();
    expect(text).toMatch(/^debezium_clickhouse_changes_total 2\d\d$/m);
    expect(text).toContain(`debezium_clickhouse_lag_records{topic="${world.topic('orders')}",partition="0"} 0`);
    expect(text).toMatch(/^debezium_clickhouse_commit_to_visible_seconds_bucket\{le="\+Inf"\} 3$/m);
    expect(text).toMatch(/^debezium_clickhouse_ready 1$/m);
    expect(text).toMatch(/^debezium_clickhouse_slot_wal_bytes \d+$/m);
  });

  scenario('withholds keys and values, and asks for the token, where it is told to', async () => {
    const other = serviceProcess({
      settings: {
        ...world.settings,
        KAFKA_GROUP_ID: world.name,
        HTTP_PORT: '0',
        HTTP_HOST: '0.0.0.0',
        PAGE_TOKEN: TOKEN,
      },
      cwd: world.stack.dir,
      logFile: `${world.stack.dir}/service-${world.name}-other.log`,
    });
    // A member without partitions has a page too.
    await other.start({ awaitReading: 'no' });
    const elsewhere = (await addressOf(other)).replace('0.0.0.0', '127.0.0.1');
    try {
      expect((await fetch(`${elsewhere}/status.json`)).status).toBe(401);
      expect((await fetch(`${elsewhere}/metrics`)).status).toBe(401);
      expect((await fetch(`${elsewhere}/healthz`)).status).toBe(200);
      const headers = { authorization: `Bearer ${TOKEN}` };
      const opened = await fetch(`${elsewhere}/?token=${TOKEN}`, { redirect: 'manual' });
      expect(opened.status).toBe(303);
      expect(opened.headers.get('location')).toBe('/');
      const cookie = (opened.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      expect((await fetch(`${elsewhere}/`, { headers: { cookie } })).status).toBe(200);
      const refused = await fetch(`${elsewhere}/history.json?table=public.orders&key=x`, { headers });
      expect(refused.status).toBe(403);
      const changes = await waitFor(async () => {
        const answer = await fetch(`${elsewhere}/changes.json`, { headers });
        const text = await answer.text();
        return answer.status === 200 && text.includes('"op"') ? text : null;
      }, 'the second member gets partitions and shows their changes');
      for (const value of ['customer', 'item 3', 'paid', '"id"']) expect(changes).not.toContain(value);
      const quarantine = await (await fetch(`${elsewhere}/quarantine.json`, { headers })).text();
      expect(quarantine).toContain('"value":null');
      expect(quarantine).not.toContain('"?"');
    } finally {
      await other.stop();
    }
    const said = JSON.stringify(other.lines());
    expect(said).not.toContain(TOKEN);
  });

  const inBrowser = hasBrowser() ? scenario : scenarioWithoutBrowser;

  inBrowser(
    'shows a change within moments of its commit, in a real Chromium, without an error in its console',
    async () => {
      const { browser, page, complaints } = await openPage(address);
      try {
        await page.waitForSelector('.stage .main:has-text("changes each second")');
        await page.waitForSelector('#state.good');
        await world.sql(`UPDATE orders SET state = 'shipped', amount = 12.34 WHERE id = 21`);
        const change = page.locator('.change', { hasText: '{"id":21}' }).first();
        await change.waitFor({ timeout: 10_000 });
        await change.locator('tr.changed', { hasText: '"shipped"' }).waitFor();
        expect(await change.locator('tr.changed').allInnerTexts()).toEqual([
          expect.stringContaining('state'),
          expect.stringContaining('amount'),
        ]);
        // The history of the row, by keyboard.
        const history = change.getByRole('button', { name: /^History/ });
        await history.focus();
        await page.keyboard.press('Enter');
        await page.locator('#history-list .change').nth(1).waitFor();
        if (screenshots !== undefined) await takeScreenshots(page, screenshots, 'history');
        await page.keyboard.press('Escape');
        await page.locator('#history').waitFor({ state: 'hidden' });
        // Filters.
        await page.selectOption('#filter-table', 'public.stock');
        await page.selectOption('#filter-op', 'u');
        await waitFor(
          async () => (await page.locator('#change-list .change').count()) === 1,
          'the filter leaves one change',
        );
        await page.locator('.chart canvas').first().waitFor();
        await page.selectOption('#filter-table', '');
        await page.selectOption('#filter-op', '');
        await fitsOnAPhone(page);
        if (screenshots !== undefined) await takeScreenshots(page, screenshots, 'page');
        expect(complaints).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );

  const figures = async (): Promise<DashboardFigures> =>
    (await get<{ answer: DashboardFigures }>('/dashboard.json?hours=168')).answer;
  const reconciled = async (): Promise<Reconciled> =>
    (await get<{ answer: Reconciled }>('/reconciliation.json')).answer;

  scenario('has a dashboard that says what is missing before the tables of the demo are there', async () => {
    expect(await figures()).toMatchObject({ tables: [], sales: null, stock: null, logins: null, newestCommitAt: null });
    expect(await get('/reconciliation.json')).toMatchObject({
      answer: { reason: expect.stringContaining('no user_logins') as string },
    });
  });

  inBrowser('has a dashboard whose figures are those of PostgreSQL while the generator runs', async () => {
    const { browser, page, complaints } = await openPage(`${address}/dashboard`);
    try {
      await page.locator('#nothing-command', { hasText: 'make generate' }).waitFor();
      const args = '--rate 150 --changes 450 --seed 11'.split(' ');
      const { PG_URL = '' } = world.settings;
      const env = { PG_URL };
      const generated = await runCommand({ program: 'demo/generate.js', args, env, cwd: world.stack.dir });
      expect(generated).toMatchObject({ code: 0 });
      expect(generated.stderr).toMatch(/450 changes in \d+\.\d s, .* of 150 asked for/);
      // Alive by itself, without a reload.
      await page.locator('#users li').nth(5).waitFor({ timeout: 60_000 });
      for (const table of DEMO_TABLES) await world.mirrorEquals(table, { deadlineMs: 60_000 });

      const shown = await waitFor(async () => {
        const now = await figures();
        return now.tables.length === 3 && same(now, await figuresOfPostgres(world)) ? now : null;
      }, 'the figures of the dashboard equal those of PostgreSQL');
      expect(shown.sales.total.sales).toBeGreaterThan(1_000);
      expect(shown.newestCommitAt).toBeGreaterThan(Date.now() - 600_000);
      // The page shows the same.
      await page.selectOption('#hours', '168');
      const revenue = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2 }).format(
        Number(shown.sales.total.revenue),
      );
      await page.locator('#revenue', { hasText: revenue }).waitFor({ timeout: 15_000 });
      expect(await page.locator('#categories li').count()).toBe(shown.sales.byCategory.length);
      expect(await page.locator('#items tr').count()).toBe(24);
      await page.locator('#hour-chart canvas').waitFor();
      await page.locator('#verdict', { hasText: 'No gap' }).waitFor();
      // A change made now is on the screen with the time that it took.
      await world.sql(`INSERT INTO user_logins (username, event_type) VALUES ('somebody', 'signup')`);
      await page.locator('#screen', { hasText: /^[\d.]+ m?s$/ }).waitFor({ timeout: 20_000 });
      await fitsOnAPhone(page);
      if (screenshots !== undefined) await takeScreenshots(page, screenshots, 'dashboard');
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  scenario('names the ids of user_logins that the mirror lost, and none that is on its way', async () => {
    await world.mirrorEquals('user_logins');
    const [{ id: lost }] = (await world.postgres.query<{ id: string }>('SELECT max(id) AS id FROM user_logins')) as [
      { id: string },
    ];
    await world.clickhouse.command(`DELETE FROM ${world.machinery}.user_logins__mirror WHERE id = ${lost}`);
    // An answer is kept for some seconds.
    await waitFor(async () => {
      const now = await reconciled();
      return now.missing.count + now.arriving.count === 1;
    }, 'the id is seen on one side only');
    // Something goes on elsewhere, so that the connector sends its place.
    const found = await waitFor(async () => {
      await world.sql('UPDATE stock SET pieces = pieces + 1 WHERE pieces = 1 OR pieces = 2');
      const now = await reconciled();
      return now.missing.count > 0 ? now : null;
    }, 'the lost id is named');
    expect(found).toMatchObject({
      missing: { count: 1, ids: [lost] },
      surplus: { count: 0 },
      arriving: { count: 0 },
      doubled: 0,
    });
    expect(found.sourceRows).toBe(found.mirrorRows + 1);
    // What the page names, `verify --repair` mends.
    expect(await world.command(['verify', '--table', 'public.user_logins', '--repair'])).toMatchObject({ code: 0 });
    await waitFor(async () => {
      const now = await reconciled();
      return now.missing.count + now.arriving.count === 0 ? now : null;
    }, 'both sides are equal again');
    await world.mirrorEquals('user_logins');
  });

  inBrowser('pauses and resumes a table by a click, with the token, and calls nothing lost meanwhile', async () => {
    const port = new URL(address).port;
    expect((await fetch(`${address}/pause`, { method: 'POST', body: '{"all":true}' })).status).toBe(403);
    await world.service.stop();
    await world.service.start({ env: { HTTP_PORT: port, PAGE_VALUES: 'true', PAGE_TOKEN: TOKEN } });
    const { browser, page, complaints } = await openPage(`${address}/?token=${TOKEN}`);
    try {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const status = async (): Promise<Status> =>
        (await (await fetch(`${address}/status.json`, { headers })).json()) as Status;
      await page.getByRole('button', { name: 'Pause public.user_logins' }).click();
      await page.fill('#order-token', 'not-the-token-at-all');
      await page.click('#order-go');
      await page.locator('#order-said', { hasText: 'not the token' }).waitFor();
      expect((await status()).paused).toEqual([]);
      await page.fill('#order-token', TOKEN);
      if (screenshots !== undefined) {
        await takeScreenshots(page, screenshots, 'pause');
        await page.focus('#order-token');
      }
      await page.keyboard.press('Enter');
      await page.locator('#paused', { hasText: world.topic('user_logins') }).waitFor({ timeout: 30_000 });
      await page.locator('#order').waitFor({ state: 'hidden', timeout: 30_000 });
      expect((await status()).paused).toEqual([world.topic('user_logins')]);
      // The one holds, the others go on, and what waits is on its way.
      const endOf = async (): Promise<number> =>
        Number((await world.topics.admin.fetchTopicOffsets(world.topic('user_logins')))[0]?.high);
      const before = await endOf();
      const [{ id }] = (await world.postgres.query<{ id: string }>(
        `INSERT INTO user_logins (username, event_type) VALUES ('late', 'signup') RETURNING id`,
      )) as [{ id: string }];
      await world.sql(`UPDATE orders SET state = 'waiting' WHERE id = 22`);
      await world.mirrorEquals('orders');
      const ids = async (): Promise<{ ageMs: number; answer: Reconciled }> =>
        (await (await fetch(`${address}/reconciliation.json`, { headers })).json()) as never;
      // One look after the connector has sent it would call it lost, were the mirror's position not asked for.
      const waits = async (): Promise<boolean> => (await endOf()) > before;
      await waitFor(waits, 'the change waits in Kafka');
      const looks = new Map<number, Reconciled>();
      await waitFor(async () => {
        const { ageMs, answer } = await ids();
        looks.set(Math.round((performance.now() - ageMs) / 1_000), answer);
        return looks.size > 2;
      }, 'the ids were looked at three times');
      for (const look of looks.values())
        expect(look).toMatchObject({ arriving: { count: 1, ids: [id] }, missing: { count: 0 } });
      await page.getByRole('button', { name: 'Resume public.user_logins' }).click();
      await page.click('#order-go');
      await page.locator('#paused').waitFor({ state: 'hidden', timeout: 30_000 });
      await world.mirrorEquals('user_logins');
      await page.locator('#order').waitFor({ state: 'hidden', timeout: 30_000 });
      expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
      const said = JSON.stringify(world.service.lines());
      expect(said).not.toContain(TOKEN);
    } finally {
      await browser.close();
    }
  });

  inBrowser('stays calm when the service is down, says since when, and goes on when it is back', async () => {
    const port = new URL(address).port;
    await world.service.stop();
    await world.service.start({ env: { HTTP_PORT: port, PAGE_VALUES: 'true' } });
    const { browser, page } = await openPage(address);
    try {
      await page.waitForSelector('#state.good');
      await world.service.kill();
      await page.locator('#away', { hasText: 'has not answered since' }).waitFor({ timeout: 15_000 });
      expect(await page.locator('.stage').count()).toBe(4);
      await world.giveUp(world.service);
      await world.service.start({ env: { HTTP_PORT: port, PAGE_VALUES: 'true' } });
      await page.waitForSelector('#state.good', { timeout: 30_000 });
      expect(await page.locator('#away').isVisible()).toBe(false);
    } finally {
      await browser.close();
    }
  });
});

const DEMO_TABLES = ['user_logins', 'my_table', 'sales', 'stock_movements'];

interface Sums {
  readonly sales: number;
  readonly pieces: number;
  readonly revenue: string;
}

interface DashboardFigures {
  readonly tables: readonly string[];
  readonly sales: {
    readonly total: Sums;
    readonly byCategory: readonly (Sums & { category: string })[];
    readonly byRegion: readonly (Sums & { region: string | null })[];
    readonly byHour: readonly (Sums & { at: number })[];
  };
  readonly stock: readonly { product: number; warehouse: string; pieces: number; came: number; went: number }[];
  readonly logins: { readonly users: readonly { username: string; events: number; purchases: number }[] };
  readonly newestCommitAt: number;
}

type Compared = Record<'total' | 'category' | 'region' | 'hour' | 'stock' | 'users', string[]>;

/** Each figure as a line of text, in an order of its own. */
async function figuresOfPostgres({ postgres }: World): Promise<Compared> {
  const sums = `count(*)::int || ' ' || sum(quantity) || ' ' || sum(quantity * price)`;
  const lines = async (sql: string): Promise<string[]> =>
    (await postgres.query<{ line: string }>(sql)).map(({ line }) => line).sort();
  return {
    total: await lines(`SELECT ${sums} AS line FROM sales`),
    category: await lines(`SELECT category || ' ' || ${sums} AS line FROM sales GROUP BY category`),
    region: await lines(`SELECT coalesce(region, 'null') || ' ' || ${sums} AS line FROM sales GROUP BY region`),
    hour: await lines(
      `SELECT extract(epoch FROM date_trunc('hour', event_time, 'UTC'))::bigint * 1000 || ' ' || ${sums} AS line
       FROM sales GROUP BY date_trunc('hour', event_time, 'UTC')`,
    ),
    stock: await lines(
      `SELECT product_id || ' ' || warehouse || ' ' || sum(CASE direction WHEN 'in' THEN quantity ELSE -quantity END)
         || ' ' || coalesce(sum(quantity) FILTER (WHERE direction = 'in'), 0)
         || ' ' || coalesce(sum(quantity) FILTER (WHERE direction = 'out'), 0) AS line
       FROM stock_movements GROUP BY product_id, warehouse`,
    ),
    users: await lines(
      `SELECT username || ' ' || count(*) || ' ' || count(*) FILTER (WHERE event_type = 'purchase') AS line
       FROM user_logins GROUP BY username ORDER BY count(*) DESC, username COLLATE "C" LIMIT 8`,
    ),
  };
}

function same({ sales, stock, logins }: DashboardFigures, source: Compared): boolean {
  const sums = ({ sales: count, pieces, revenue }: Sums): string => `${count} ${pieces} ${Number(revenue).toFixed(2)}`;
  const shown: Compared = {
    total: [sums(sales.total)],
    category: sales.byCategory.map((row) => `${row.category} ${sums(row)}`).sort(),
    region: sales.byRegion.map((row) => `${row.region ?? 'null'} ${sums(row)}`).sort(),
    hour: sales.byHour.map((row) => `${row.at} ${sums(row)}`).sort(),
    stock: stock.map((row) => `${row.product} ${row.warehouse} ${row.pieces} ${row.came} ${row.went}`).sort(),
    users: logins.users.map((row) => `${row.username} ${row.events} ${row.purchases}`).sort(),
  };
  return JSON.stringify(shown) === JSON.stringify(source);
}

/** Counted as skipped by jest, and said. */
function scenarioWithoutBrowser(sentence: string): void {
  process.stderr.write(`SKIPPED, because no Chromium was found (CHROMIUM_PATH, PATH, npm): ${sentence}\n`);
  it.skip(sentence, () => undefined);
}

async function addressOf(service: ServiceProcess): Promise<string> {
  const line = await waitFor(() => service.lines().find(({ event }) => event === 'page-served'), 'the page is served');
  return String(line['address']);
}

async function openPage(address: string): Promise<{ browser: Browser; page: Page; complaints: string[] }> {
  const browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(address);
  return { browser, page, complaints };
}

/** What is wider scrolls within itself; the page does not. */
async function fitsOnAPhone(page: Page): Promise<void> {
  const before = page.viewportSize() ?? { width: 1280, height: 900 };
  await page.setViewportSize({ width: 390, height: 844 });
  // Charts follow the width a moment later.
  await waitFor(
    async () => (await page.evaluate('document.documentElement.scrollWidth')) === 390,
    'the page is not wider than the phone',
  );
  await page.setViewportSize(before);
}

/** Each size in light and dark. A dialog is open over its page, where no field can be chosen. */
async function takeScreenshots(
  page: Page,
  folder: string,
  name: 'page' | 'dashboard' | 'history' | 'pause',
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const isWhole = name === 'page' || name === 'dashboard';
  const { width: before, height: high } = page.viewportSize() ?? { width: 1280, height: 900 };
  for (const [size, width, height] of [
    ['desktop', 1280, 900],
    ['phone', 390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const theme of ['light', 'dark'] as const) {
      if (isWhole) await page.selectOption('#theme', theme);
      else await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
      if (isWhole) await page.evaluate('scrollTo(0, 0)');
      await page.waitForTimeout(500);
      await page.screenshot({ path: `${folder}/${name}-${size}-${theme}.png`, fullPage: isWhole });
    }
  }
  await page.setViewportSize({ width: before, height: high });
}
