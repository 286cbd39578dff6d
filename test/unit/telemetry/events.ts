/** Events as the delivery emits them, for tests of the figures. */
import type { BlockFacts, ServiceEvent } from '../../../src/events';
import { LATENCY_BOUNDS_MS } from '../../../src/plan/block-facts';

type BlockWritten = Extract<ServiceEvent, { readonly tag: 'block-written' }>;

/** Counts of latencies: all in the bucket that `ms` falls into. */
export function latencyOf(ms: number, count: number): number[] {
  const counts = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  const bucket = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  counts[bucket < 0 ? LATENCY_BOUNDS_MS.length : bucket] = count;
  return counts;
}

/** A block of three inserts, offsets 10 to 12, 200 ms after their commit. */
export function blockWritten(
  of: Partial<Omit<BlockWritten, 'facts' | 'tag'>> & { readonly facts?: Partial<BlockFacts> } = {},
): ServiceEvent {
  const { facts, ...rest } = of;
  return {
    tag: 'block-written',
    topic: 'cdc.public.orders',
    partition: 0,
    start: 10,
    end: 13,
    rows: 3,
    modes: { 'public.orders': 'append' },
    ms: 60,
    ...rest,
    facts: {
      bytes: 300,
      waitedMs: 5,
      insertMs: 40,
      ops: { 'public.orders': { c: 3 } },
      newestMs: 900,
      lsn: 0x1_0000_00ff,
      latency: latencyOf(200, 3),
      ...facts,
    },
  };
}
