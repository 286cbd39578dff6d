/** Names the part of the pipeline that holds the others up now, and why; pure. */
import type { PartitionState, State } from './state';

export type Stage = 'PostgreSQL' | 'Kafka' | 'service' | 'ClickHouse';

export interface Slow {
  /** null: nothing is slow. */
  readonly stage: Stage | null;
  /** A sentence for a person. */
  readonly why: string;
}

/** Below this a partition only has what is in its open block. */
const LITTLE_LAG_MS = 3_000;
/** How much of its time a partition must spend writing for writing to be what limits it. */
const BUSY_SHARE = 0.6;
const LATE_MS = 2_000;
const SLOW_BLOCK_MS = 500;

export function slowPart(state: State, nowMs: number): Slow {
  const away = [...state.waiting.values()].sort((a, b) => a.since - b.since)[0];
  if (away !== undefined)
    return {
      stage: away.outside === 'registry' || away.outside === 'Kafka Connect' ? 'service' : away.outside,
      why: `${away.outside} does not answer for ${seconds(nowMs - away.since)} (${away.code})`,
    };
  if (!state.joined) {
    const why = state.subscribed.size === 0 ? 'there is no topic to read yet' : 'the consumer group is being joined';
    return { stage: 'Kafka', why };
  }
  const behind = [...state.partitions.values()]
    .filter((of) => lagMs(of, nowMs) > LITTLE_LAG_MS)
    .sort((a, b) => lagMs(b, nowMs) - lagMs(a, nowMs))[0];
  if (behind === undefined) return slowSource(state, nowMs);
  const at = `${behind.topic}:${behind.partition} is ${seconds(lagMs(behind, nowMs))} behind`;
  const silent = nowMs - (behind.lastBlockAt ?? state.startedAt);
  if (silent > LITTLE_LAG_MS * 2)
    return { stage: 'service', why: `${at}, and no block of it was written for ${seconds(silent)}` };
  const { stage, why } = limit(state, nowMs);
  return { stage, why: `${at}: ${why}` };
}

/** While blocks are written: where their time goes. */
function limit(state: State, nowMs: number): { stage: Stage; why: string } {
  const writing = state.writing.perSecond(nowMs);
  const inserting = state.inserting.perSecond(nowMs);
  const share = writing === 0 ? 0 : inserting / writing;
  if (writing < BUSY_SHARE * 1_000) return { stage: 'Kafka', why: 'the service waits for records more than it writes' };
  const text = `${Math.round(share * 100)} % of the time of a block is its inserts`;
  return { stage: share >= 0.5 ? 'ClickHouse' : 'service', why: text };
}

/** Nothing waits long in Kafka: do changes appear late all the same? */
function slowSource(state: State, nowMs: number): Slow {
  const { p50, p95 } = state.latencyHistory.recent(nowMs);
  const block = state.lastBlock;
  if (p95 !== null && p95 > LATE_MS && block !== null && block.ms > SLOW_BLOCK_MS) {
    const stage = block.insertMs * 2 >= block.ms ? 'ClickHouse' : 'service';
    const took = `a block took ${seconds(block.ms)} to write, ${seconds(block.insertMs)} of it for its inserts`;
    return { stage, why: `one change in twenty takes more than ${seconds(p95)} to appear; ${took}` };
  }
  if (p50 === null || p50 <= LATE_MS) return { stage: null, why: 'nothing: every part keeps up' };
  return {
    stage: 'PostgreSQL',
    why: `nothing waits in Kafka, but changes arrive ${seconds(p50)} after their commit: long transactions, or Debezium is behind`,
  };
}

/** How old the oldest record may be that waits to be written, ms. */
export function lagMs(of: PartitionState, nowMs: number): number {
  return of.behindSince === null ? 0 : Math.max(0, nowMs - of.behindSince);
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`;
}
