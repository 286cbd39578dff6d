/** The second half of `verify --repair`: has the keys that the mirrors have wrong mended from `changes` by their owners. */
import type { RunOptions } from '../app';
import { haveDone, type Asking } from './request';
import type { ClickHouse } from '../clickhouse/client';
import type { Config } from '../config';
import type { RequestOf } from '../delivery/request-kinds';
import { ServiceError } from '../errors';
import { openReader } from '../kafka/reader';
import { tableName } from '../model';
import type { Mendable } from '../verify/verify-table';
import { connectTarget } from '../wiring';

/** Differing keys of a table that are mended one by one; where there are more, the mirror is better made anew. */
export const MOST_REPAIRS = 10_000;

/** What came of a table's repair. */
export interface TableRepair {
  readonly table: string;
  /** Keys that were written anew, that had become right, and whose values `changes` does not hold. */
  readonly mended: number;
  readonly right: number;
  readonly lost: number;
  /** Why nothing was done, in words. */
  readonly left?: string;
}

export interface RepairSurroundings {
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly onBegin: (by: 'service' | 'this process') => void;
}

const KEYS_A_QUERY = 1_000;
/** Bytes of a request, about: it stands in `control`, and in a statement. */
const REQUEST_BYTES = 1 << 20;
/** While the group settles, nobody may own the partitions for a moment. */
const TRIES = 5;
const BETWEEN_TRIES_MS = 3_000;

/** Throws REQUEST_FAILED where the owners could not do it. Tables with too many differences are left as they are. */
export async function repairMirrors(
  config: Config,
  tables: readonly Mendable[],
  around: RepairSurroundings,
): Promise<TableRepair[]> {
  const clickhouse = connectTarget(config);
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const repairs: TableRepair[] = [];
    for (const of of tables) {
      const table = tableName({ schema: of.schema, name: of.table });
      const nothing = { table, mended: 0, right: 0, lost: 0 };
      if (of.more) {
        const left = `more than ${MOST_REPAIRS} keys differ; make its mirror anew: rebuild --table ${table}`;
        repairs.push({ ...nothing, left });
        continue;
      }
      if (of.rowKeys.length === 0) continue;
      if (of.plan.counted) {
        const left = `rows of a table without a key are mended together; make its mirror anew: rebuild --table ${table}`;
        repairs.push({ ...nothing, left });
        continue;
      }
      const counts = { ...nothing };
      for (const request of await requestsFor(of, clickhouse)) {
        const done = await carriedOut(request, { config, reader, ...around, onAnswers: () => undefined });
        for (const key of ['mended', 'right', 'lost'] as const) counts[key] += done[key] ?? 0;
      }
      repairs.push(counts);
    }
    return repairs;
  } finally {
    await Promise.allSettled([clickhouse.close(), reader.close()]);
  }
}

/** Keys as `changes` writes them; rows of the mirror that no change speaks of are named by what they are. */
async function requestsFor(
  { schema, table, plan, rowKeys }: Mendable,
  clickhouse: Pick<ClickHouse, 'query' | 'queryNative'>,
): Promise<RequestOf<'repair'>[]> {
  const requests: RequestOf<'repair'>[] = [];
  let keys: string[] = [];
  let bytes = 0;
  const cut = (strays: string): void => {
    if (keys.length > 0 || strays !== '') requests.push({ kind: 'repair', schema, table, keys, strays });
    keys = [];
    bytes = 0;
  };
  for (let at = 0; at < rowKeys.length; at += KEYS_A_QUERY) {
    const some = rowKeys.slice(at, at + KEYS_A_QUERY);
    const texts = await clickhouse.query<{ row_key: string; key: string }>(plan.keyTexts(some));
    for (const { key } of texts) {
      if (bytes + key.length > REQUEST_BYTES) cut('');
      keys.push(key);
      bytes += key.length;
    }
    const known = new Set(texts.map(({ row_key }) => row_key));
    const strangers = some.filter((rowKey) => !known.has(rowKey));
    if (strangers.length > 0) cut((await clickhouse.queryNative(plan.signedRows(strangers))).toString('hex'));
  }
  cut('');
  return requests;
}

/** The sum of what the processes did. What fails because partitions moved is asked for again: it goes on where it was cut off. */
async function carriedOut(request: RequestOf<'repair'>, asking: Asking): Promise<Readonly<Record<string, number>>> {
  const table = tableName({ schema: request.schema, name: request.table });
  for (let left = TRIES; ; left--) {
    const outcome = await haveDone(request, asking);
    if (outcome.kind === 'left') throw failed(`The repair of ${table} was left.`);
    const done = outcome.answers.filter(({ state }) => state === 'done');
    const messages = outcome.answers.flatMap(({ state, message }) => (state === 'failed' ? [message ?? ''] : []));
    if (done.length > 0 && messages.length === 0) return summed(done.map(({ counts }) => counts ?? {}));
    if (left <= 1) {
      const why = messages.length > 0 ? messages.join('; ') : 'no process of the group owns its partitions.';
      throw failed(`The mirror of ${table} was not mended: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
  }
}

function summed(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all) for (const [name, count] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function failed(message: string): ServiceError {
  return new ServiceError('REQUEST_FAILED', message, {
    hint: 'What was mended stays mended. Ask again, or make the mirror anew with rebuild.',
  });
}
