/** The shape of `/status.json`, which docs/status.md explains field by field, and how it is made from the figures; pure. */
import type { BlockMode } from '../events';
import type { OpName } from '../model';
import type { LatencyPoint } from './figures';
import { lagMs, slowPart, type Stage } from './slow';
import { eachMode, OPS, type Message, type PartitionState, type State, type TableState } from './state';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const STATUS_VERSION = 1;

/** More than these are left out of one answer; the newest changes stay. */
const SHOWN_TABLES = 200;
const SHOWN_PARTITIONS = 500;

/** Times are ms since the epoch, or null where there is none. Strings hold no value of a row. */
export interface Status {
  readonly version: typeof STATUS_VERSION;
  readonly at: number;
  readonly startedAt: number;
  readonly service: {
    readonly release: string;
    readonly groupId: string;
    readonly topicPrefix: string;
    readonly database: string;
    /** What may be asked of the page's other addresses. */
    readonly values: 'shown' | 'withheld';
    /** Whether the page takes orders to pause and resume, from who shows the token. */
    readonly orders: 'token' | 'none';
  };
  readonly state: 'joining' | 'reading' | 'waiting' | 'stopping';
  readonly ready: { readonly ready: boolean; readonly reasons: readonly Reason[] };
  readonly slow: { readonly stage: Stage | null; readonly why: string };
  readonly source: Source;
  readonly lag: { readonly records: number | null; readonly seconds: number; readonly lookedAt: number | null };
  readonly rates: { readonly changes: number; readonly insertingShare: number };
  readonly latency: LatencyPoint;
  readonly lastBlock: State['lastBlock'];
  readonly totals: Totals;
  readonly quarantine: QuarantineStatus;
  readonly waiting: readonly WaitingStatus[];
  /** Topics that hold by order; `*`: everything. */
  readonly paused: readonly string[];
  readonly partitions: readonly PartitionStatus[];
  readonly tables: readonly TableStatus[];
  /** Tables and partitions that are counted in the totals and not listed. */
  readonly leftOut: number;
  readonly messages: readonly Message[];
}

export interface Reason {
  readonly code: 'JOINING' | 'TARGET_AWAY' | 'STOPPING';
  readonly message: string;
}

export interface Source {
  readonly newestCommitAt: number | null;
  /** `0/1A2B3C4`, the highest WAL position that was written in this run. */
  readonly lsn: string | null;
  /** WAL that the connector's slot keeps PostgreSQL from removing; null: not known, `walReason` says why. */
  readonly walHeldBytes: number | null;
  readonly walReason: string | null;
  readonly slotActive: boolean | null;
}

interface Totals {
  readonly changes: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly quarantined: number;
  readonly redos: number;
  readonly rebalances: number;
  readonly retries: number;
  readonly ops: Readonly<Record<OpName, number>>;
  readonly modes: Readonly<Record<BlockMode, number>>;
}

/** What nobody has dealt with, of all processes and runs. */
interface QuarantineStatus {
  readonly open: number | null;
  /** Rows of which a change is set aside: right only as far as later changes say. */
  readonly doubtfulRows: number | null;
  readonly groups: QuarantineLook['groups'];
  readonly lookedAt: number | null;
}

/** Open records of quarantine by table and code, the largest groups first. */
export interface QuarantineLook {
  readonly open: number;
  readonly doubtfulRows: number;
  readonly groups: readonly {
    readonly table: string;
    readonly code: string;
    readonly records: number;
    readonly doubtfulRows: number;
  }[];
}

interface WaitingStatus {
  readonly outside: string;
  readonly since: number;
  readonly attempt: number;
  readonly code: string;
}

interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly how: string | null;
  readonly position: number | null;
  readonly end: number | null;
  readonly lag: number | null;
  readonly lagSeconds: number;
  readonly changesPerSecond: number;
  readonly lastBlockAt: number | null;
}

export interface TableStatus {
  readonly table: string;
  readonly mirrored: boolean;
  readonly notMirroredReason: string | null;
  /** The name it had: rows of then that have not changed since are not in the mirror. */
  readonly renamedFrom: string | null;
  /** Rows of the mirror; null while not known. */
  readonly rows: number | null;
  readonly totals: Readonly<Record<OpName, number>>;
  readonly perSecond: Readonly<Record<OpName, number>>;
  readonly modes: Readonly<Record<BlockMode, number>>;
  readonly lastChangeAt: number | null;
  /** Values that did not fit their column; no `column` where there are too many. */
  readonly policies: readonly PolicyStatus[];
}

interface PolicyStatus {
  readonly column: string;
  readonly policy: string;
  readonly values: number;
}

/** What of the outside was looked up; each with how old it is. */
export interface Lookouts {
  /** When Kafka's ends were read; null: never. */
  readonly endsAt: number | null;
  readonly wal: { readonly heldBytes: number | null; readonly reason: string | null; readonly active: boolean | null };
  /** Rows of mirrors by `schema.table`. */
  readonly rows: ReadonlyMap<string, number>;
  /** null while it could not be read. */
  readonly quarantine: { readonly at: number | null; readonly found: QuarantineLook | null };
}

export interface StatusContext {
  readonly service: Status['service'];
  readonly stopping: 'yes' | 'no';
  readonly lookouts: Lookouts;
}

export function readiness(state: State, stopping: 'yes' | 'no'): Status['ready'] {
  const reasons: Reason[] = [];
  if (stopping === 'yes') reasons.push({ code: 'STOPPING', message: 'the service is stopping' });
  if (!state.joined) reasons.push({ code: 'JOINING', message: 'the consumer group is not joined yet' });
  for (const { outside, code, attempt } of state.waiting.values())
    reasons.push({ code: 'TARGET_AWAY', message: `waiting for ${outside}, attempt ${attempt} (${code})` });
  return { ready: reasons.length === 0, reasons };
}

export function statusOf(state: State, context: StatusContext, nowMs: number): Status {
  const { lookouts, service, stopping } = context;
  const partitions = [...state.partitions.values()];
  const tables = tablesOf(state, lookouts, nowMs);
  const writing = state.writing.perSecond(nowMs);
  const shownPartitions = partitions.slice(0, SHOWN_PARTITIONS);
  const shownTables = tables.slice(0, SHOWN_TABLES);
  return {
    version: STATUS_VERSION,
    at: nowMs,
    startedAt: state.startedAt,
    service,
    state: stateOf(state, stopping),
    ready: readiness(state, stopping),
    slow: slowPart(state, nowMs),
    source: {
      newestCommitAt: state.newestCommitAt,
      lsn: state.lsn < 0 ? null : lsnText(state.lsn),
      walHeldBytes: lookouts.wal.heldBytes,
      walReason: lookouts.wal.reason,
      slotActive: lookouts.wal.active,
    },
    lag: { ...totalLag(partitions, nowMs), lookedAt: lookouts.endsAt },
    rates: {
      changes: state.changes.perSecond(nowMs),
      insertingShare: writing === 0 ? 0 : Math.round((state.inserting.perSecond(nowMs) / writing) * 100) / 100,
    },
    latency: state.latencyHistory.recent(nowMs),
    lastBlock: state.lastBlock,
    totals: totalsOf(state),
    quarantine: quarantineOf(lookouts),
    waiting: [...state.waiting.values()].map(({ outside, since, attempt, code }) => ({
      outside,
      since,
      attempt,
      code,
    })),
    paused: state.paused,
    partitions: shownPartitions.map((of) => partitionStatus(of, nowMs)),
    tables: shownTables,
    leftOut: state.leftOut + partitions.length - shownPartitions.length + tables.length - shownTables.length,
    messages: state.messages.slice(-20),
  };
}

function quarantineOf({ quarantine: { at, found } }: Lookouts): QuarantineStatus {
  const { open = null, doubtfulRows = null, groups = [] } = found ?? {};
  return { open, doubtfulRows, groups, lookedAt: at };
}

function stateOf(state: State, stopping: 'yes' | 'no'): Status['state'] {
  if (stopping === 'yes') return 'stopping';
  if (state.waiting.size > 0) return 'waiting';
  return state.joined ? 'reading' : 'joining';
}

/** The sum of what is known of each partition's lag; null while nothing is. */
export function totalLag(
  partitions: Iterable<PartitionState>,
  nowMs: number,
): { readonly records: number | null; readonly seconds: number } {
  let records: number | null = null;
  let longest = 0;
  for (const of of partitions) {
    const lag = lagOf(of);
    if (lag !== null) records = (records ?? 0) + lag;
    longest = Math.max(longest, lagMs(of, nowMs));
  }
  return { records, seconds: Math.round(longest / 100) / 10 };
}

/** Offsets between what is written and Kafka's end, control records among them; null while one of the two is not known. */
export function lagOf({ position, end }: PartitionState): number | null {
  return position < 0 || end < 0 ? null : Math.max(0, end - position);
}

function partitionStatus(of: PartitionState, nowMs: number): PartitionStatus {
  const { topic, partition, how, position, end, lastBlockAt } = of;
  return {
    topic,
    partition,
    how,
    position: position < 0 ? null : position,
    end: end < 0 ? null : end,
    lag: lagOf(of),
    lagSeconds: Math.round(lagMs(of, nowMs) / 100) / 10,
    changesPerSecond: of.changes.perSecond(nowMs),
    lastBlockAt,
  };
}

/** Those that changed last come first; mirrors that stand and have not changed in this run come too. */
function tablesOf(state: State, { rows }: Lookouts, nowMs: number): TableStatus[] {
  const known = [...state.tables.values()].map((of) => tableStatus(of, rows.get(of.table) ?? null, nowMs));
  const still = [...rows]
    .filter(([table]) => !state.tables.has(table))
    .map(([table, count]) => quietTable(table, count));
  return [...known, ...still].sort(
    (a, b) => (b.lastChangeAt ?? 0) - (a.lastChangeAt ?? 0) || (a.table < b.table ? -1 : 1),
  );
}

function tableStatus(of: TableState, rows: number | null, nowMs: number): TableStatus {
  const { table, notMirrored, renamedFrom, totals, modes, lastChangeAt } = of;
  const perSecond = { c: 0, u: 0, d: 0, r: 0, t: 0 };
  for (const op of OPS) perSecond[op] = of.rates[op].perSecond(nowMs);
  return {
    table,
    mirrored: notMirrored === null,
    notMirroredReason: notMirrored,
    renamedFrom,
    rows,
    totals: { ...totals },
    perSecond,
    modes: { ...modes },
    lastChangeAt,
    policies: policiesOf(of),
  };
}

export function policiesOf({ policies }: TableState): PolicyStatus[] {
  return [...policies].map(([name, values]) => {
    const space = name.indexOf(' ');
    return { column: name.slice(space + 1), policy: name.slice(0, space), values };
  });
}

function quietTable(table: string, rows: number): TableStatus {
  const none = { c: 0, u: 0, d: 0, r: 0, t: 0 };
  const modes = eachMode();
  return {
    table,
    mirrored: true,
    notMirroredReason: null,
    renamedFrom: null,
    rows,
    totals: none,
    perSecond: none,
    modes,
    lastChangeAt: null,
    policies: [],
  };
}

function totalsOf({ totals }: State): Totals {
  return {
    changes: totals.changes,
    blocks: totals.blocks,
    bytes: totals.bytes,
    quarantined: sum(totals.quarantined),
    redos: totals.redos,
    rebalances: totals.rebalances,
    retries: sum(totals.retries),
    ops: { ...totals.ops },
    modes: { ...totals.modes },
  };
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, one) => all + one, 0);
}

/** As PostgreSQL writes it: the halves in hexadecimal. */
function lsnText(lsn: number): string {
  return `${Math.floor(lsn / 2 ** 32).toString(16)}/${(lsn % 2 ** 32).toString(16)}`.toUpperCase();
}
