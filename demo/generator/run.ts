/** Writes until it is told to end: what is due, in one transaction after the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresSession } from '../../src/postgres/client';
import type { Options } from './options';
import { createPace } from './pace';
import { asHistory, createPlan } from './plan';
import { createRandom } from './random';
import { createReport } from './report';
import { statementsOf } from './statements';
import { createIds, prepareTables, readStanding, writeTransaction } from './target';

export interface Surroundings {
  readonly session: PostgresSession;
  /** Where demo/schema.sql is. */
  readonly schemaFile: string;
  /** Ends it after the transaction in hand. */
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** The live line; called often. */
  readonly show: (text: string) => void;
}

const TICK_MS = 100;
const MOST_AT_ONCE = 2_000;
const HISTORY_CHANGES = 6_000;
/** Sales below which the shop counts as new. */
const NEW_BELOW = 100;

/** Ends with the changes that were written. Errors as those of `Postgres.query`, and those of `prepareTables`. */
export async function generate(options: Options, around: Surroundings): Promise<number> {
  const { session, signal, say, show } = around;
  await prepareTables(session, around.schemaFile);
  const standing = await readStanding(session);
  const ids = createIds(session);
  await ids.refill(1);
  const plan = createPlan({
    random: createRandom(options.seed),
    // A sequence never gives a number twice, so no run makes the keys of another.
    keys: createRandom(options.seed + Number(ids.next.user_logins())),
    mix: options.mix,
    standing,
    nextId: ids.next,
  });
  const planned = async (count: number) => {
    await ids.refill(count);
    return Array.from({ length: count }, () => plan.next());
  };

  if (options.history && standing.rows < NEW_BELOW && options.mix.sales !== undefined) {
    const past = asHistory(await planned(HISTORY_CHANGES));
    await writeTransaction(session, statementsOf(past));
    say(
      `the shop is new: a day of ${past.length.toLocaleString('en-US')} changes was written first (--no-history leaves it out)`,
    );
  }

  const startMs = performance.now();
  const pace = createPace({ rate: options.rate, startMs, mostAtOnce: MOST_AT_ONCE });
  const report = createReport(options.rate, startMs);
  let left = options.changes ?? Infinity;
  const endMs = options.seconds === null ? Infinity : startMs + options.seconds * 1_000;
  while (!signal.aborted && left > 0) {
    const now = performance.now();
    const due = Math.min(left, pace.due(Math.min(now, endMs)));
    if (due > 0) {
      report.add(await writeTransaction(session, statementsOf(await planned(due))));
      left -= due;
    }
    show(report.line(performance.now()));
    if (now >= endMs) break;
    // What is due at once is not waited for.
    if (due < MOST_AT_ONCE && left > 0)
      await sleep(Math.min(TICK_MS, endMs - now), undefined, { signal }).catch(() => undefined);
  }
  say(report.summary(performance.now(), pace.leftOut()));
  return report.total();
}
