/** What the service answers: probes, metrics, figures, and the live page with the questions it asks. */
import { shownChange, shownQuarantined } from './columns';
import { openLive, type Live } from './live';
import { openDashboard } from './dashboard';
import type { ChangeFilter, DashboardReads, PageFigures, PageReads, PauseOrders } from './ports';
import { orderRoutes } from './orders';
import { json, problem, SECURITY_HEADERS, type Answer, type Asked, type Route } from './server';
import { shareAnswers, TooBusy, type SharedAnswers } from './shared-answers';
import { fileRoute, packageFile, pageFile } from './static-files';

export interface PageOptions {
  readonly figures: PageFigures;
  readonly reads: PageReads;
  readonly dashboard: DashboardReads;
  readonly orders: PauseOrders;
  /** `withheld`: no key and no value of a row leaves the server. */
  readonly values: 'shown' | 'withheld';
}

export interface Pages {
  readonly routes: readonly Route[];
  readonly counts: () => { readonly viewers: number; readonly dropped: number; readonly queries: number };
  close(): void;
}

const LONGEST_FILTER = 2_000;

export function openPages({ figures, reads, dashboard, orders, values }: PageOptions): Pages {
  const live = openLive({
    snapshot: figures.now,
    everyMs: 1_000,
    mostViewers: 1_000,
    mostMissed: 30,
    headers: SECURITY_HEADERS,
  });
  const demo = openDashboard({ reads: dashboard, values });
  const shared = shareAnswers({ freshMs: 1_000, mostKept: 200, mostUnderWay: 4 });
  return {
    routes: [
      ...probeRoutes(figures),
      ...fileRoutes(),
      ...liveRoutes(figures, live),
      ...readRoutes({ figures, reads, values }, shared),
      ...demo.routes,
      ...orderRoutes(orders),
    ],
    counts: () => ({ viewers: live.viewers(), dropped: live.dropped(), queries: shared.asked() + demo.asked() }),
    close: () => live.close(),
  };
}

/** Its files, so that a page works without a network and without a build. */
function fileRoutes(): Route[] {
  return [
    fileRoute('/', pageFile('index.html')),
    fileRoute('/page.css', pageFile('page.css')),
    fileRoute('/page.js', pageFile('page.js')),
    fileRoute('/theme.js', pageFile('theme.js')),
    fileRoute('/pipeline.js', pageFile('pipeline.js')),
    fileRoute('/changes.js', pageFile('changes.js')),
    fileRoute('/orders.js', pageFile('orders.js')),
    fileRoute('/charts.js', pageFile('charts.js')),
    fileRoute('/chart-kit.js', pageFile('chart-kit.js')),
    fileRoute('/icon.svg', pageFile('icon.svg')),
    fileRoute('/uplot.js', packageFile('uplot', 'dist/uPlot.iife.min.js')),
    fileRoute('/uplot.css', packageFile('uplot', 'dist/uPlot.min.css')),
  ];
}

function probeRoutes({ ready, metrics }: PageFigures): Route[] {
  return [
    {
      path: '/healthz',
      access: 'open',
      // Whoever reads this had an answer from the event loop: that it took long is what a probe can tell.
      answer: () => json(200, JSON.stringify({ status: 'alive', uptimeSeconds: Math.round(process.uptime()) })),
    },
    {
      path: '/readyz',
      access: 'open',
      answer: () => {
        const state = ready();
        return json(state.ready ? 200 : 503, JSON.stringify(state));
      },
    },
    {
      path: '/metrics',
      access: 'token',
      async answer() {
        const { contentType, text } = await metrics();
        return { status: 200, type: contentType, body: text };
      },
    },
  ];
}

/** What is told without asking anybody is made once for all who want it within a moment. */
const MOMENT_MS = 200;

function liveRoutes({ fresh, latency }: PageFigures, live: Live): Route[] {
  const shared = shareAnswers({ freshMs: MOMENT_MS, mostKept: 2, mostUnderWay: 2 });
  const answer = async (name: string, make: () => string | Promise<string>): Promise<Answer> =>
    json(200, await shared.get(name, async () => Buffer.from(await make())));
  return [
    { path: '/status.json', access: 'token', answer: () => answer('status', fresh) },
    { path: '/latency.json', access: 'token', answer: () => answer('latency', latency) },
    {
      path: '/events',
      access: 'token',
      answer({ request, response }) {
        if (request.method === 'HEAD') return { status: 200, type: 'text/event-stream', body: '' };
        return live.join(response) ? null : problem(503, 'TOO_MANY_VIEWERS', 'Too many viewers; try again later.');
      },
    },
  ];
}

function readRoutes(
  { figures, reads, values }: Pick<PageOptions, 'figures' | 'reads' | 'values'>,
  shared: SharedAnswers,
): Route[] {
  return [
    {
      path: '/changes.json',
      access: 'token',
      async answer({ url }) {
        const filter = filterOf(url);
        if (filter === null) return badFilter();
        if (filter.key !== null && values === 'withheld') return withheld();
        return answerShared(shared, `changes ${JSON.stringify(filter)}`, async () => {
          const changes = await reads.changes(filter, figures.ends());
          return { values, changes: changes.map((change) => shownChange(change, values)) };
        });
      },
    },
    {
      path: '/history.json',
      access: 'token',
      async answer({ url }) {
        const { table, key } = filterOf(url) ?? { table: null, key: null };
        if (values === 'withheld') return withheld();
        if (table === null || key === null) return badFilter();
        return answerShared(shared, `history ${JSON.stringify([table, key])}`, async () => {
          const changes = await reads.history(table, key);
          return { values, changes: changes.map((change) => shownChange(change, values)) };
        });
      },
    },
    {
      path: '/quarantine.json',
      access: 'token',
      answer: () =>
        answerShared(shared, 'quarantine', async () => {
          const records = await reads.quarantine();
          return { values, records: records.map((record) => shownQuarantined(record, values)) };
        }),
    },
  ];
}

/** The text, made into bytes once for all who ask the same within a second. */
async function answerShared(shared: SharedAnswers, question: string, ask: () => Promise<unknown>): Promise<Answer> {
  try {
    return json(200, await shared.get(question, async () => Buffer.from(JSON.stringify(await ask()))));
  } catch (error) {
    if (error instanceof TooBusy) return problem(503, 'TOO_BUSY', 'Too many different questions at once; try again.');
    const code = (error as { code?: unknown }).code;
    // Only the code: ClickHouse's messages can quote what was asked for.
    return problem(503, typeof code === 'string' ? code : 'INTERNAL', 'ClickHouse did not answer the question.');
  }
}

/** null: the filter has a form that nothing has. */
function filterOf(url: Asked['url']): ChangeFilter | null {
  const text = (name: string): string | null => url.searchParams.get(name) || null;
  const filter = { table: text('table'), op: text('op'), key: text('key') };
  if (filter.op !== null && !/^[cudrt]$/.test(filter.op)) return null;
  if (filter.table !== null && !filter.table.includes('.')) return null;
  return Object.values(filter).some((one) => one !== null && one.length > LONGEST_FILTER) ? null : filter;
}

function badFilter(): Answer {
  return problem(400, 'BAD_FILTER', 'table is schema.table, op one of c, u, d, r, t, key the text of a key.');
}

function withheld(): Answer {
  return problem(403, 'VALUES_WITHHELD', 'Keys and values are withheld here; PAGE_VALUES=true shows them.');
}
