/** The demo's dashboard: what it asks about the demo's tables, and the ids of `user_logins` on both sides. */
import type { DashboardReads } from './ports';
import type { Reconciled } from './reconciliation';
import { json, problem, type Answer, type Route } from './server';
import { shareAnswers, TooBusy } from './shared-answers';
import { fileRoute, pageFile } from './static-files';

export interface DashboardOptions {
  readonly reads: DashboardReads;
  readonly values: 'shown' | 'withheld';
}

/** Viewers ask every five seconds, and share what was asked in the last two. */
const FRESH_MS = 2_000;
const MOST_HOURS = 168;

export interface Dashboard {
  readonly routes: readonly Route[];
  /** Questions asked so far. */
  readonly asked: () => number;
}

export function openDashboard({ reads, values }: DashboardOptions): Dashboard {
  const shared = shareAnswers({ freshMs: FRESH_MS, mostKept: 20, mostUnderWay: 2 });
  /** With how old it is, which is no part of what is shared. */
  const answer = async (question: string, ask: () => Promise<unknown>): Promise<Answer> => {
    if (values === 'withheld') return withheld();
    try {
      const { at, text } = await shared.get(question, async () => {
        const text = JSON.stringify(await ask());
        return { at: performance.now(), text };
      });
      return json(200, `{"ageMs":${Math.round(performance.now() - at)},"answer":${text}}`);
    } catch (error) {
      if (error instanceof TooBusy) return problem(503, 'TOO_BUSY', 'Too many different questions at once; try again.');
      const code = (error as { code?: unknown }).code;
      // Only the code: messages can quote what was asked for.
      return problem(503, typeof code === 'string' ? code : 'INTERNAL', 'A database did not answer the question.');
    }
  };
  return {
    asked: () => shared.asked(),
    routes: [
      fileRoute('/dashboard', pageFile('dashboard.html')),
      fileRoute('/dashboard.js', pageFile('dashboard.js')),
      fileRoute('/dashboard-charts.js', pageFile('dashboard-charts.js')),
      fileRoute('/reconciliation.js', pageFile('reconciliation.js')),
      fileRoute('/dashboard.css', pageFile('dashboard.css')),
      {
        path: '/dashboard.json',
        access: 'token',
        answer({ url }) {
          const hours = hoursOf(url.searchParams.get('hours') ?? '24');
          if (hours === null) return problem(400, 'BAD_FILTER', `hours is a whole number from 1 to ${MOST_HOURS}.`);
          return answer(`dashboard ${hours}`, () => figuresOf(reads, hours));
        },
      },
      {
        path: '/reconciliation.json',
        access: 'token',
        answer: () => answer('reconciliation', (): Promise<Reconciled | { reason: string }> => reads.reconcile()),
      },
    ],
  };
}

/** What is not there is null, and not asked for. */
async function figuresOf(reads: DashboardReads, hours: number): Promise<unknown> {
  const tables = await reads.tables();
  const has = (table: string): boolean => tables.includes(table);
  const [sales, stock, logins, newestCommitAt] = await Promise.all([
    has('sales') ? reads.sales(hours) : null,
    has('stock_movements') ? reads.stock(hours, has('sales') ? 'known' : 'unknown') : null,
    has('user_logins') ? reads.logins(hours) : null,
    tables.length > 0 ? reads.newestCommit() : null,
  ]);
  return { at: Date.now(), hours, tables, sales, stock, logins, newestCommitAt };
}

function hoursOf(text: string): number | null {
  const hours = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return hours >= 1 && hours <= MOST_HOURS ? hours : null;
}

function withheld(): Answer {
  return problem(403, 'VALUES_WITHHELD', 'Keys and values are withheld here; PAGE_VALUES=true shows them.');
}
