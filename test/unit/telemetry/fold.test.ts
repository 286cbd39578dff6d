import fc from 'fast-check';
import { foldEnds, foldEvent } from '../../../src/telemetry/fold';
import type { ServiceEvent } from '../../../src/events';
import { createState, MOST_POLICY_COLUMNS, MOST_TABLES, type State } from '../../../src/telemetry/state';
import { slowPart } from '../../../src/telemetry/slow';
import { readiness, statusOf, totalLag, type Status } from '../../../src/telemetry/status';
import { readFileSync } from 'node:fs';
import { blockWritten, latencyOf } from './events';

const ORDERS = { topic: 'cdc.public.orders', partition: 0 };
const CONTEXT = {
  service: { release: '1', groupId: 'g', topicPrefix: 'cdc', database: 'shop', values: 'withheld', orders: 'none' },
  stopping: 'no',
  lookouts: {
    endsAt: 1_000,
    wal: { heldBytes: 5, reason: null, active: true },
    rows: new Map([
      ['public.orders', 3],
      ['public.stock', 7],
    ]),
    quarantine: {
      at: 900,
      found: {
        open: 3,
        doubtfulRows: 2,
        groups: [{ table: 'public.orders', code: 'VALUE_UNREADABLE', records: 3, doubtfulRows: 2 }],
      },
    },
  },
} as const;

/** A member with one partition, of which everything below 10 is written. */
function reading(nowMs = 0): State {
  const state = createState(nowMs);
  foldEvent(state, { tag: 'topics-changed', added: [ORDERS.topic], gone: [] }, nowMs);
  foldEvent(state, { tag: 'group-joined', partitions: [ORDERS] }, nowMs);
  foldEvent(state, { tag: 'partition-assigned', ...ORDERS, start: 10, how: 'idle' }, nowMs);
  return state;
}

const lag = (state: State, nowMs: number) => totalLag(state.partitions.values(), nowMs);

describe('lag', () => {
  test('is not known before Kafka was asked, and then the difference to its end', () => {
    const state = reading();
    expect(lag(state, 0)).toEqual({ records: null, seconds: 0 });
    foldEnds(state, [{ ...ORDERS, high: 25 }], 1_000);
    expect(lag(state, 1_000).records).toBe(15);
    foldEvent(state, blockWritten({ start: 10, end: 13 }), 2_000);
    expect(lag(state, 2_000).records).toBe(12);
  });

  test('goes on rising in seconds, and in records with what Kafka gets, while nothing is written', () => {
    const state = reading(0);
    foldEnds(state, [{ ...ORDERS, high: 10 }], 5_000);
    foldEnds(state, [{ ...ORDERS, high: 11 }], 10_000);
    expect(lag(state, 10_000)).toEqual({ records: 1, seconds: 5 });
    foldEnds(state, [{ ...ORDERS, high: 900 }], 60_000);
    expect(lag(state, 60_000)).toEqual({ records: 890, seconds: 55 });
    expect(lag(state, 90_000)).toEqual({ records: 890, seconds: 85 });
  });

  test('is as old as the newest change written while more waits, and nothing once all is written', () => {
    const state = reading(0);
    foldEnds(state, [{ ...ORDERS, high: 100 }], 100_000);
    foldEvent(state, blockWritten({ end: 50, facts: { newestMs: 40_000 } }), 100_000);
    expect(lag(state, 100_000)).toEqual({ records: 50, seconds: 60 });
    foldEvent(state, { tag: 'position-acknowledged', ...ORDERS, offset: 100 }, 101_000);
    expect(lag(state, 101_000)).toEqual({ records: 0, seconds: 0 });
  });

  test('of a partition that went to another member is told no more', () => {
    const state = reading();
    foldEnds(state, [{ ...ORDERS, high: 100 }], 0);
    foldEvent(state, { tag: 'group-joined', partitions: [] }, 1_000);
    expect(lag(state, 1_000)).toEqual({ records: null, seconds: 0 });
    expect(state.totals.rebalances).toBe(2);
  });
});

const policyActed = (column: string, values: number): ServiceEvent => ({
  ...{ tag: 'policy-acted', table: 'public.orders', column, policy: 'clamp', values, loud: false },
});

describe('figures', () => {
  test('count changes by table, operation and mode, and forget rates after five seconds', () => {
    const state = reading();
    foldEvent(state, blockWritten(), 10_000);
    const table = (nowMs: number) =>
      statusOf(state, CONTEXT, nowMs).tables.find((one) => one.table === 'public.orders');
    expect(table(10_500)).toMatchObject({ totals: { c: 3 }, perSecond: { c: 0.6 }, modes: { append: 1 }, rows: 3 });
    expect(table(16_000)).toMatchObject({ totals: { c: 3 }, perSecond: { c: 0 } });
    expect(statusOf(state, CONTEXT, 16_000).totals).toMatchObject({ changes: 3, blocks: 1, ops: { c: 3 } });
  });

  test('name what a renamed table was until rows of it are read again', () => {
    const state = reading();
    const from = () =>
      statusOf(state, CONTEXT, 2_000).tables.find(({ table }) => table === 'public.orders')?.renamedFrom;
    foldEvent(state, { tag: 'table-renamed', table: 'public.orders', from: 'public.old' }, 1_000);
    foldEvent(state, blockWritten(), 1_000);
    expect(from()).toBe('public.old');
    foldEvent(state, blockWritten({ facts: { ops: { 'public.orders': { r: 2 } } } }), 1_500);
    expect(from()).toBeNull();
  });

  test('stay bounded however many tables come, and say what was left out', () => {
    const state = reading();
    for (let n = 0; n < MOST_TABLES + 20; n++)
      foldEvent(state, blockWritten({ modes: {}, facts: { ops: { [`public.t${n}`]: { c: 1 } } } }), 1_000 + n);
    expect(state.tables.size).toBe(MOST_TABLES);
    const status = statusOf(state, CONTEXT, 3_000);
    expect(status.totals.ops.c).toBe(MOST_TABLES + 20);
    expect(status.tables.length + status.leftOut).toBe(MOST_TABLES + 20 + 2);
    for (let n = 0; n < 500; n++) foldEvent(state, { tag: 'table-mirrored', table: 'public.t1', view: 't1' }, n);
    expect(state.messages.length).toBeLessThanOrEqual(50);
  });

  test('of policies are kept by column, and together where a table has too many of them', () => {
    const state = reading();
    foldEvent(state, blockWritten(), 1_000);
    for (let n = 0; n < MOST_POLICY_COLUMNS + 5; n++) foldEvent(state, policyActed(`c ${n}`, 2), 1_000);
    foldEvent(state, { tag: 'column-widened', table: 'public.stock', column: 'price' }, 1_000);
    const { tables } = statusOf(state, CONTEXT, 2_000);
    const policies = tables.find(({ table }) => table === 'public.orders')?.policies ?? [];
    expect(policies[0]).toEqual({ column: 'c 0', policy: 'clamp', values: 2 });
    expect(policies.at(-1)).toEqual({ column: '', policy: 'clamp', values: 10 });
    expect(policies).toHaveLength(MOST_POLICY_COLUMNS + 1);
    expect(tables.find(({ table }) => table === 'public.stock')?.policies).toEqual([
      { column: 'price', policy: 'lossless', values: 1 },
    ]);
  });

  test('percentiles are in the bucket that holds them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 60 }), (all) => {
        const state = reading();
        for (const ms of all) foldEvent(state, blockWritten({ facts: { latency: latencyOf(ms, 1) } }), 10_000);
        const { p50, p99, count } = state.latencyHistory.recent(10_000);
        const sorted = [...all].sort((a, b) => a - b);
        const bucket = (ms: number): number => latencyOf(ms, 1).indexOf(1);
        expect(count).toBe(all.length);
        expect(bucket(p50 ?? -1)).toBe(bucket(sorted[Math.ceil(all.length / 2) - 1] ?? -1));
        expect(bucket(p99 ?? -1)).toBe(bucket(sorted[Math.ceil(all.length * 0.99) - 1] ?? -1));
      }),
      { seed: 7 },
    );
  });

  test('of the last half hour are kept, a point for each five seconds with changes', () => {
    const state = reading();
    for (let n = 0; n < 1_000; n++) foldEvent(state, blockWritten(), n * 5_000);
    const points = state.latencyHistory.points(5_000_000);
    expect(points.length).toBeLessThanOrEqual(360);
    expect(points.at(-1)).toMatchObject({ at: 5_000_000, count: 3 });
  });
});

describe('waiting', () => {
  const away = {
    tag: 'clickhouse-waiting',
    attempt: 2,
    delayMs: 5,
    code: 'CLICKHOUSE_UNREACHABLE',
    message: 'x',
  } as const;

  test('makes the service not ready, is named as what is slow, and ends when it is back', () => {
    const state = reading(0);
    foldEvent(state, away, 1_000);
    expect(readiness(state, 'no')).toMatchObject({ ready: false, reasons: [{ code: 'TARGET_AWAY' }] });
    expect(slowPart(state, 31_000)).toEqual({
      stage: 'ClickHouse',
      why: 'ClickHouse does not answer for 30 s (CLICKHOUSE_UNREACHABLE)',
    });
    foldEvent(state, { tag: 'back-again', outside: 'ClickHouse', afterMs: 1 }, 2_000);
    expect(readiness(state, 'no')).toEqual({ ready: true, reasons: [] });
    expect(statusOf(state, CONTEXT, 2_000).totals.retries).toBe(1);
  });

  test('joining and stopping are reasons not to be ready', () => {
    expect(readiness(createState(0), 'no').reasons.map(({ code }) => code)).toEqual(['JOINING']);
    expect(readiness(reading(), 'yes').reasons.map(({ code }) => code)).toEqual(['STOPPING']);
  });
});

describe('the slow part', () => {
  const behind = (insertMs: number): State => {
    const state = reading(0);
    foldEnds(state, [{ ...ORDERS, high: 1_000_000 }], 0);
    for (let second = 0; second < 6; second++)
      foldEvent(
        state,
        blockWritten({ end: 20 + second, ms: 990, facts: { insertMs, newestMs: 0 } }),
        60_000 + second * 1_000,
      );
    return state;
  };

  test('is nothing while every part keeps up', () => {
    expect(slowPart(reading(), 1_000)).toEqual({ stage: null, why: 'nothing: every part keeps up' });
  });

  test('is ClickHouse when blocks are mostly inserts, else the service', () => {
    expect(slowPart(behind(900), 65_500)).toMatchObject({ stage: 'ClickHouse' });
    expect(slowPart(behind(100), 65_500)).toMatchObject({ stage: 'service' });
  });

  test('is the service when records wait and no block comes, with since when', () => {
    expect(slowPart(behind(100), 100_000).why).toMatch(/^cdc\.public\.orders:0 is 100 s behind, and no block .* 35 s$/);
  });

  test('is ClickHouse when changes appear late because each insert takes long, though nothing piles up', () => {
    const state = reading(0);
    const latency = latencyOf(5_000, 5);
    foldEvent(state, blockWritten({ ms: 1_100, facts: { latency, insertMs: 1_000 } }), 1_000);
    expect(slowPart(state, 1_500)).toMatchObject({
      stage: 'ClickHouse',
      why: expect.stringContaining('a block took 1.1 s to write, 1.0 s of it for its inserts') as string,
    });
  });

  test('is the source when changes come late and nothing waits', () => {
    const state = reading(0);
    foldEvent(state, blockWritten({ facts: { latency: latencyOf(20_000, 5) } }), 1_000);
    expect(slowPart(state, 1_500)).toMatchObject({ stage: 'PostgreSQL' });
  });
});

test('what holds by order is told until it reads on', () => {
  const state = reading();
  foldEvent(state, { tag: 'topics-paused', topics: ['cdc.public.orders'] }, 1_000);
  expect(statusOf(state, CONTEXT, 1_000).paused).toEqual(['cdc.public.orders']);
  foldEvent(state, { tag: 'topics-paused', topics: [] }, 2_000);
  expect(statusOf(state, CONTEXT, 2_000).paused).toEqual([]);
});

describe('status.json', () => {
  /** Names of all fields, of arrays those of their elements, operations and modes as the documentation writes them. */
  const paths = (value: unknown, at = ''): string[] => {
    if (Array.isArray(value)) return [...new Set(value.flatMap((one) => paths(one, `${at}[]`)))];
    if (typeof value !== 'object' || value === null) return [at];
    const names = Object.keys(value).join(',');
    if (names === 'c,u,d,r,t' || names === 'append,merge,reconcile,truncate,held') return [`${at}.{${names}}`];
    return Object.entries(value).flatMap(([name, one]) => paths(one, at === '' ? name : `${at}.${name}`));
  };

  test('has the fields that docs/status.md explains, and no others', () => {
    const state = reading();
    foldEvent(state, blockWritten(), 1_000);
    foldEvent(
      state,
      { tag: 'kafka-waiting', attempt: 1, delayMs: 1, code: 'KAFKA_UNREACHABLE', message: 'no answer' },
      1_500,
    );
    foldEvent(state, { tag: 'topics-paused', topics: ['cdc.public.stock'] }, 1_600);
    foldEvent(state, policyActed('c', 1), 1_600);
    foldEnds(state, [{ ...ORDERS, high: 13 }], 2_000);
    const status = JSON.parse(JSON.stringify(statusOf(state, CONTEXT, 2_000))) as Status;
    const section =
      readFileSync('docs/status.md', 'utf8').split('## Fields of status.json')[1]?.split('\n## ')[0] ?? '';
    const documented = [...section.matchAll(/^\| `(\S+)` \|/gm)].map(([, name]) => name);
    expect(paths(status).sort()).toEqual([...documented].sort());
  });

  test('shows mirrors that did not change in this run, after those that did', () => {
    const state = reading();
    foldEvent(state, blockWritten(), 1_000);
    expect(statusOf(state, CONTEXT, 2_000).tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['public.orders', 3],
      ['public.stock', 7],
    ]);
  });

  test('writes the WAL position as PostgreSQL does', () => {
    const state = reading();
    foldEvent(state, blockWritten(), 1_000);
    expect(statusOf(state, CONTEXT, 2_000).source.lsn).toBe('1/FF');
  });
});
