import { blockFacts, LATENCY_BOUNDS_MS } from '../../../src/plan/block-facts';
import { blockOf } from './blocks';

const block = () =>
  blockOf([
    { offset: 1, op: 'r', key: '{"id":1}', after: '{"id":1}', tsUs: 1_000_000_000, lsn: 5 },
    { offset: 2, op: 'c', key: '{"id":2}', after: '{"id":2}', tsUs: 9_000_000_000, lsn: 70 },
    { offset: 3, op: 'u', key: '{"id":2}', after: '{"id":2}', tsUs: 9_900_000_000, lsn: 60, table: 'stock' },
    { offset: 4, op: 'u', key: '{"id":3}', after: '{"id":3}', tsUs: 9_900_000_000, lsn: 61, table: 'stock' },
  ]);

const bucket = (ms: number): number => LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);

test('a fresh block tells its changes by table and operation, and how old the streamed ones were', () => {
  const facts = blockFacts(block(), { seen: false, insertMs: 12.4, visibleMs: 10_000_000 });
  expect(facts).toMatchObject({ newestMs: 9_900_000, lsn: 70, insertMs: 12 });
  expect(facts.ops).toEqual({ 'public.orders': { r: 1, c: 1 }, 'public.stock': { u: 2 } });
  const counted = Object.fromEntries([...facts.latency.entries()].filter(([, count]) => count > 0));
  expect(counted).toEqual({ [bucket(1_000_000)]: 1, [bucket(100_000)]: 2 });
  expect(facts.latency.reduce((all, one) => all + one, 0)).toBe(3);
});

test('a block that was seen before is not counted again', () => {
  const facts = blockFacts(block(), { seen: true, insertMs: 1, visibleMs: 10_000_000 });
  expect(facts.ops).toEqual({});
  expect(facts.latency.every((count) => count === 0)).toBe(true);
  expect(facts.newestMs).toBe(9_900_000);
});

test('a commit later than our clock counts as no time at all, one of long ago as the last bucket', () => {
  const early = blockFacts(block(), { seen: false, insertMs: 1, visibleMs: 0 });
  expect(early.latency[0]).toBe(3);
  const late = blockFacts(block(), { seen: false, insertMs: 1, visibleMs: 10 ** 12 });
  expect(late.latency.at(-1)).toBe(3);
});

test('a block without changes has no newest commit', () => {
  expect(blockFacts(blockOf([]), { seen: false, insertMs: 1, visibleMs: 1 })).toMatchObject({ newestMs: -1, lsn: -1 });
});
