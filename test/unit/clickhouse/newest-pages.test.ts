/** The newest events of a table's keys in pages: which are read, and what is left of the list of their offsets. */
import { newestPages, type NewestOf } from '../../../src/clickhouse/newest-pages';
import type { TruthEvent } from '../../../src/clickhouse/truth-event';

const OF: NewestOf = { from: 5, below: null, beside: 't__mirror__new_1', deletes: 'without' };

const eventAt = (offset: number, after: string): TruthEvent => ({
  ...{ key: String(offset), offset, op: 'c', before: '', after, lsn: 1, txId: 1, commitLsn: 1, tsUs: 1 },
  ...{ unavailable: [], wire: null },
});

/** A ClickHouse whose list has these offsets. */
function serverWith(offsets: readonly number[], { after = 'x', abandoned = [] as string[] } = {}) {
  const commands: string[] = [];
  const asked: number[] = [];
  return {
    commands,
    asked,
    options: {
      machinery: 'm',
      counts: 'C',
      clickhouse: {
        command: (sql: string) => {
          commands.push(sql);
          return Promise.resolve();
        },
        query: <T>(sql: string): Promise<T[]> => {
          const [, above, limit] = /offset > (-?\d+) ORDER BY offset LIMIT (\d+)/.exec(sql) ?? [];
          if (limit === undefined) return Promise.resolve(abandoned.map((name) => ({ name })) as T[]);
          asked.push(Number(limit));
          const found = offsets.filter((offset) => offset > Number(above)).slice(0, Number(limit));
          return Promise.resolve([{ rows: String(found.length), last: String(found.at(-1) ?? 0) }] as T[]);
        },
      },
      read: (condition: string) => {
        const [, above, last] = /^offset > (-?\d+) AND offset <= (\d+) /.exec(condition) ?? [];
        const found = offsets.filter((offset) => offset > Number(above) && offset <= Number(last));
        return Promise.resolve(found.map((offset) => eventAt(offset, after)));
      },
    },
  };
}

const up = (count: number): number[] => Array.from({ length: count }, (_, index) => 5 + index * 2);

async function pagesOf(of: NewestOf, options: ReturnType<typeof serverWith>['options']): Promise<number[][]> {
  const pages: number[][] = [];
  for await (const page of newestPages(of, options)) pages.push(page.map(({ offset }) => offset));
  return pages;
}

it('gives every event of the list once, in the order of offsets', async () => {
  const offsets = up(25_000);
  const { options } = serverWith(offsets);
  const pages = await pagesOf(OF, options);
  expect(pages.length).toBeGreaterThan(1);
  expect(pages.flat()).toEqual(offsets);
});

it('makes pages smaller where rows are large', async () => {
  const small = serverWith(up(30_000));
  await pagesOf(OF, small.options);
  const large = serverWith(up(30_000), { after: 'x'.repeat(10_000) });
  await pagesOf(OF, large.options);
  expect(small.asked[1]).toBe(100_000);
  expect(large.asked[1]).toBeLessThan(4_000);
});

it('lists the newest offset of each key of the range, leaves out keys that are gone where told so, and drops the list', async () => {
  const without = serverWith([5]);
  await pagesOf(OF, without.options);
  expect(without.commands).toEqual([
    expect.stringMatching(/^CREATE OR REPLACE TABLE `?m`?\.`?t__mirror__new_1_offsets`? /),
    expect.stringMatching(
      /SELECT max\(offset\) .* WHERE C AND offset >= 5 GROUP BY key HAVING argMax\(op, offset\) != 'd'$/,
    ),
    expect.stringMatching(/^DROP TABLE IF EXISTS .*t__mirror__new_1_offsets/),
  ]);
  const within = serverWith([5]);
  await pagesOf({ ...OF, below: 9, deletes: 'with' }, within.options);
  expect(within.commands[1]).toMatch(/WHERE C AND offset >= 5 AND offset < 9 GROUP BY key $/);
});

it('drops the list when its reader stops or a page fails, and lists that dead processes left', async () => {
  const stopped = serverWith(up(25_000), { abandoned: ['old__mirror__new_9_offsets'] });
  for await (const _ of newestPages(OF, stopped.options)) break;
  expect(stopped.commands[0]).toContain('old__mirror__new_9_offsets');
  expect(stopped.commands.at(-1)).toContain('DROP TABLE IF EXISTS');
  const failing = serverWith(up(10));
  const read = (): Promise<TruthEvent[]> => Promise.reject(new Error('away'));
  await expect(pagesOf(OF, { ...failing.options, read })).rejects.toThrow('away');
  expect(failing.commands.at(-1)).toContain('DROP TABLE IF EXISTS');
});
