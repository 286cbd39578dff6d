/**
 * The newest event of every key of a table, page by page. Which events those are is found once and kept in a list beside the
 * mirror in the making, so that each row of `changes` is read once, however many pages there are.
 */
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';
import { within, type OffsetRange, type TruthEvent } from './truth-event';

export interface NewestOf extends OffsetRange {
  /** The name of the mirror in the making that the pages are for. */
  readonly beside: string;
  /** Whether keys are there that are gone, whose newest event is a delete. */
  readonly deletes: 'with' | 'without';
}

export interface NewestPagesOptions {
  readonly clickhouse: Pick<ClickHouse, 'query' | 'command'>;
  readonly machinery: string;
  /** A condition for the events that count. */
  readonly counts: string;
  /** Reads events of the table where a condition holds, in the order of their offsets. */
  readonly read: (condition: string) => Promise<TruthEvent[]>;
}

const LIST_COMMENT = 'debezium-clickhouse: offsets for a mirror in the making';
const SUFFIX = '_offsets';

/** How much text a page has, about. Two pages are in memory: one is read while the other is written. */
const PAGE_BYTES = 32 * 2 ** 20;
const FIRST_ROWS = 10_000;
const LEAST_ROWS = 1_000;
const MOST_ROWS = 100_000;

/** The server says now and then that it is at it; a request that is silent for longer than its timeout counts as unanswered. */
const LONG = {
  send_progress_in_http_headers: 1,
  http_headers_progress_interval_ms: '20000',
  wait_end_of_query: 1,
  max_bytes_before_external_group_by: String(2 ** 30),
} as const;

/** Pages in the order of offsets. The list is dropped at the end, and where a process died, with the next one that is made. */
export async function* newestPages(
  { beside, deletes, ...range }: NewestOf,
  { clickhouse, machinery, counts, read }: NewestPagesOptions,
): AsyncGenerator<readonly TruthEvent[], void, undefined> {
  const qualified = (name: string): string => `${quoteName(machinery)}.${quoteName(name)}`;
  const list = qualified(`${beside}${SUFFIX}`);
  await dropAbandoned(clickhouse, machinery);
  await clickhouse.command(
    `CREATE OR REPLACE TABLE ${list} (offset UInt64 CODEC(Delta, ZSTD(1))) ENGINE = MergeTree ORDER BY offset ` +
      `COMMENT ${quoteText(LIST_COMMENT)}`,
  );
  try {
    const having = deletes === 'without' ? `HAVING argMax(op, offset) != 'd'` : '';
    await clickhouse.command(
      `INSERT INTO ${list} SELECT max(offset) FROM ${qualified('changes')} WHERE ${counts} AND ${within(range)} GROUP BY key ${having}`,
      LONG,
    );
    const page = async (above: number, rows: number): Promise<TruthEvent[]> => {
      const [found] = await clickhouse.query<{ rows: string; last: string }>(
        `SELECT count() AS rows, max(offset) AS last FROM (SELECT offset FROM ${list} WHERE offset > ${above} ORDER BY offset LIMIT ${rows})`,
      );
      if (found === undefined || found.rows === '0') return [];
      const inPage = `offset > ${above} AND offset <= ${found.last}`;
      return read(`${inPage} AND offset IN (SELECT offset FROM ${list} WHERE ${inPage})`);
    };
    let next = page(-1, FIRST_ROWS);
    for (;;) {
      const events = await next;
      const last = events.at(-1);
      if (last === undefined) return;
      next = page(last.offset, rowsLike(events));
      // Whoever stops in between does not ask for it.
      next.catch(() => undefined);
      yield events;
    }
  } finally {
    await clickhouse.command(`DROP TABLE IF EXISTS ${list} SYNC`).catch(() => undefined);
  }
}

/** As many rows as a page may have, if they are like those. */
function rowsLike(events: readonly TruthEvent[]): number {
  const bytes = events.reduce((sum, { key, before, after }) => sum + key.length + before.length + after.length, 0);
  return Math.min(MOST_ROWS, Math.max(LEAST_ROWS, Math.floor((PAGE_BYTES * events.length) / Math.max(1, bytes))));
}

/** Lists whose mirror in the making is no more. */
async function dropAbandoned(clickhouse: NewestPagesOptions['clickhouse'], machinery: string): Promise<void> {
  const inMachinery = `FROM system.tables WHERE database = ${quoteText(machinery)}`;
  const lists = await clickhouse.query<{ name: string }>(
    `SELECT name ${inMachinery} AND comment = ${quoteText(LIST_COMMENT)} ` +
      `AND substring(name, 1, length(name) - ${SUFFIX.length}) NOT IN (SELECT name ${inMachinery})`,
  );
  for (const { name } of lists)
    await clickhouse.command(`DROP TABLE IF EXISTS ${quoteName(machinery)}.${quoteName(name)} SYNC`);
}
