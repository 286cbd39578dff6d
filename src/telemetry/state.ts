/** The figures that the page, `/status.json` and `/metrics` show: what is kept of all events, of bounded size. */
import type { Level } from '../event-words';
import type { BlockMode, Outside } from '../events';
import type { OpName, TopicPartition } from '../model';
import { LATENCY_BOUNDS_MS } from '../plan/block-facts';
import { Buckets, LatencyHistory, Rate } from './figures';

/** More tables or partitions than this are counted in the totals only, so that nothing grows without bound. */
export const MOST_TABLES = 500;
export const MOST_PARTITIONS = 2_000;
/** Columns of a table with a count of their own for each policy. */
export const MOST_POLICY_COLUMNS = 100;
export const MOST_MESSAGES = 50;

export const OPS: readonly OpName[] = ['c', 'u', 'd', 'r', 't'];
export const MODES: readonly BlockMode[] = ['append', 'merge', 'reconcile', 'truncate', 'held'];

export interface PartitionState extends TopicPartition {
  /** How its start was found; null until then. */
  how: string | null;
  /** Everything below is written. -1: not known yet. */
  position: number;
  /** Kafka's end, the offset after the last record; -1: not known yet. */
  end: number;
  /** Since when, at the earliest, records wait to be written, ms since the epoch; null: none does. */
  behindSince: number | null;
  /** When it was last seen to have nothing to do. */
  caughtUpAt: number;
  readonly changes: Rate;
  lastBlockAt: number | null;
  redos: number;
}

export interface TableState {
  readonly table: string;
  /** Why it is audited and not mirrored; null while it is mirrored, or nothing is known. */
  notMirrored: string | null;
  /** The name that it had; null where it had none, or its rows were read again under this one. */
  renamedFrom: string | null;
  /** Values that a policy acted on, by policy and column, joined by a space; no column for those that are too many. */
  readonly policies: Map<string, number>;
  readonly totals: Record<OpName, number>;
  readonly rates: Record<OpName, Rate>;
  readonly modes: Record<BlockMode, number>;
  /** When its last change became readable, ms since the epoch. */
  lastChangeAt: number | null;
}

export interface WaitingState {
  readonly outside: Outside;
  /** ms since the epoch. */
  since: number;
  attempt: number;
  code: string;
  message: string;
}

export interface Message {
  /** ms since the epoch. */
  readonly at: number;
  readonly level: Level;
  readonly message: string;
}

export interface LastBlock {
  readonly at: number;
  readonly rows: number;
  readonly bytes: number;
  readonly waitedMs: number;
  readonly insertMs: number;
  readonly ms: number;
}

/** Everything that is known. Counters begin at 0 when the process starts. */
export interface State {
  readonly startedAt: number;
  readonly subscribed: Set<string>;
  readonly partitions: Map<string, PartitionState>;
  readonly tables: Map<string, TableState>;
  /** Tables and partitions that were left out because there are too many. */
  leftOut: number;
  joined: boolean;
  readonly waiting: Map<Outside, WaitingState>;
  readonly messages: Message[];
  /** Topics that hold by order; `*`: everything. */
  paused: readonly string[];
  readonly totals: {
    changes: number;
    blocks: number;
    bytes: number;
    redos: number;
    rebalances: number;
    readonly ops: Record<OpName, number>;
    readonly modes: Record<BlockMode, number>;
    readonly quarantined: Map<string, number>;
    readonly skipped: Map<string, number>;
    /** By outside and error code, joined by a space. */
    readonly retries: Map<string, number>;
    readonly redoReasons: Map<string, number>;
    catalogueReads: number;
    catalogueMs: number;
    /** Schemas asked for, by whether the registry has them. */
    readonly schemaReads: Map<string, number>;
    schemaMs: number;
  };
  readonly changes: Rate;
  readonly inserting: Rate;
  readonly writing: Rate;
  lastBlock: LastBlock | null;
  newestCommitAt: number | null;
  lsn: number;
  readonly latency: Buckets;
  readonly latencyHistory: LatencyHistory;
  readonly blockRows: Buckets;
  readonly blockWait: Buckets;
  readonly insertTime: Buckets;
}

export const BLOCK_ROW_BOUNDS = [1, 10, 100, 1_000, 5_000, 10_000, 50_000, 131_072] as const;
export const SECONDS_BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

export function createState(nowMs: number): State {
  return {
    startedAt: nowMs,
    subscribed: new Set(),
    partitions: new Map(),
    tables: new Map(),
    leftOut: 0,
    joined: false,
    waiting: new Map(),
    messages: [],
    paused: [],
    totals: {
      changes: 0,
      blocks: 0,
      bytes: 0,
      redos: 0,
      rebalances: 0,
      ops: eachOp(() => 0),
      modes: eachMode(),
      quarantined: new Map(),
      skipped: new Map(),
      retries: new Map(),
      redoReasons: new Map(),
      catalogueReads: 0,
      catalogueMs: 0,
      schemaReads: new Map(),
      schemaMs: 0,
    },
    changes: new Rate(),
    inserting: new Rate(),
    writing: new Rate(),
    lastBlock: null,
    newestCommitAt: null,
    lsn: -1,
    latency: new Buckets(LATENCY_BOUNDS_MS),
    latencyHistory: new LatencyHistory(LATENCY_BOUNDS_MS),
    blockRows: new Buckets(BLOCK_ROW_BOUNDS),
    blockWait: new Buckets(SECONDS_BOUNDS_MS),
    insertTime: new Buckets(SECONDS_BOUNDS_MS),
  };
}

export function eachOp<T>(make: () => T): Record<OpName, T> {
  return { c: make(), u: make(), d: make(), r: make(), t: make() };
}

export function eachMode(): Record<BlockMode, number> {
  return { append: 0, merge: 0, reconcile: 0, truncate: 0, held: 0 };
}
