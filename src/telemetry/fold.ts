/** Folds events and what was looked up into the figures. No clock, no I/O. */
import type { PolicyUse } from '../column-rules';
import { describe } from '../event-words';
import type { Outside, ServiceEvent } from '../events';
import type { OpName, TopicPartition } from '../model';
import { Rate } from './figures';
import {
  eachMode,
  eachOp,
  MOST_MESSAGES,
  MOST_PARTITIONS,
  MOST_POLICY_COLUMNS,
  MOST_TABLES,
  OPS,
  type PartitionState,
  type State,
  type TableState,
} from './state';

type Tag = ServiceEvent['tag'];
type Of<T extends Tag> = Extract<ServiceEvent, { readonly tag: T }>;

/** What each event changes; one that is not here changes no figure. */
const FOLDS: { readonly [T in Tag]?: (state: State, event: Of<T>, nowMs: number) => void } = {
  'topics-changed': (state, { added, gone }) => {
    for (const topic of added) state.subscribed.add(topic);
    for (const topic of gone) state.subscribed.delete(topic);
    state.joined = false;
  },
  'group-joined': (state, { partitions }, nowMs) => {
    state.totals.rebalances++;
    state.joined = true;
    state.waiting.delete('Kafka');
    const mine = new Set(partitions.map(nameOf));
    for (const name of state.partitions.keys()) if (!mine.has(name)) state.partitions.delete(name);
    for (const of of partitions) partitionOf(state, of, nowMs);
  },
  'partition-assigned': (state, event, nowMs) => {
    const of = partitionOf(state, event, nowMs);
    if (of === null) return;
    of.how = event.how;
    of.position = event.start;
  },
  'position-acknowledged': (state, event, nowMs) => reached(partitionOf(state, event, nowMs), event.offset, nowMs),
  'block-written': foldBlock,
  'records-skipped': ({ totals }, { kinds }) => {
    for (const [kind, count] of Object.entries(kinds)) add(totals.skipped, kind, count);
  },
  'record-quarantined': ({ totals }, { code }) => add(totals.quarantined, code, 1),
  'policy-acted': foldPolicy,
  'column-widened': (state, { table, column }) => foldPolicy(state, { table, column, policy: 'lossless', values: 1 }),
  'table-not-mirrored': (state, { table, reason }) => {
    const of = tableOf(state, table);
    if (of !== null) of.notMirrored = reason;
  },
  'table-mirrored': (state, { table }) => {
    const of = tableOf(state, table);
    if (of !== null) of.notMirrored = null;
  },
  'table-renamed': (state, { table, from }) => {
    const of = tableOf(state, table);
    if (of !== null) of.renamedFrom = from;
  },
  'topics-paused': (state, { topics }) => void (state.paused = topics),
  'catalogue-read': ({ totals }, { ms }) => {
    totals.catalogueReads++;
    totals.catalogueMs += ms;
  },
  'schema-read': ({ totals }, { found, ms }) => {
    add(totals.schemaReads, found, 1);
    totals.schemaMs += ms;
  },
  redo: (state, event, nowMs) => {
    state.totals.redos++;
    add(state.totals.redoReasons, event.reason, 1);
    const of = partitionOf(state, event, nowMs);
    if (of !== null) of.redos++;
  },
  'clickhouse-waiting': (state, event, nowMs) => wait(state, 'ClickHouse', event, nowMs),
  'kafka-waiting': (state, event, nowMs) => {
    wait(state, 'Kafka', event, nowMs);
  },
  'connect-waiting': (state, event, nowMs) => wait(state, 'Kafka Connect', event, nowMs),
  'postgres-waiting': (state, event, nowMs) => wait(state, 'PostgreSQL', event, nowMs),
  'registry-waiting': (state, event, nowMs) => wait(state, 'registry', event, nowMs),
  'back-again': (state, { outside }) => void state.waiting.delete(outside),
};

/** Takes an event into the figures. `nowMs`: since the epoch, by this machine's clock. */
export function foldEvent(state: State, event: ServiceEvent, nowMs: number): void {
  const fold = FOLDS[event.tag] as ((state: State, event: ServiceEvent, nowMs: number) => void) | undefined;
  fold?.(state, event, nowMs);
  const { level, message } = describe(event);
  if (level === 'debug') return;
  state.messages.push({ at: nowMs, level, message });
  if (state.messages.length > MOST_MESSAGES) state.messages.shift();
}

/** Takes Kafka's ends as they were read at `nowMs`. */
export function foldEnds(state: State, ends: readonly (TopicPartition & { high: number })[], nowMs: number): void {
  for (const end of ends) {
    const of = state.partitions.get(nameOf(end));
    if (of === undefined) continue;
    of.end = end.high;
    if (of.position >= end.high) caughtUp(of, nowMs);
    else of.behindSince ??= of.caughtUpAt;
  }
}

function foldPolicy(state: State, { table, column, policy, values }: PolicyUse): void {
  const policies = tableOf(state, table)?.policies;
  if (policies === undefined) return;
  const isNew = !policies.has(`${policy} ${column}`);
  // Of a table with a thousand such columns the last ones are counted together.
  add(policies, isNew && policies.size >= MOST_POLICY_COLUMNS ? `${policy} ` : `${policy} ${column}`, values);
}

function foldBlock(state: State, event: Of<'block-written'>, nowMs: number): void {
  const { rows, ms, modes, facts } = event;
  const { totals } = state;
  // Whatever was away is there: a block came through.
  state.waiting.delete('ClickHouse');
  totals.blocks++;
  totals.changes += rows;
  totals.bytes += facts.bytes;
  state.changes.add(rows, nowMs);
  state.inserting.add(facts.insertMs, nowMs);
  state.writing.add(ms, nowMs);
  state.blockRows.observe(rows);
  state.blockWait.observe(facts.waitedMs);
  state.insertTime.observe(facts.insertMs);
  state.latency.addCounts(facts.latency);
  state.latencyHistory.add(facts.latency, nowMs);
  state.lastBlock = { at: nowMs, rows, bytes: facts.bytes, waitedMs: facts.waitedMs, insertMs: facts.insertMs, ms };
  if (facts.newestMs > (state.newestCommitAt ?? -1)) state.newestCommitAt = facts.newestMs;
  state.lsn = Math.max(state.lsn, facts.lsn);
  const of = partitionOf(state, event, nowMs);
  if (of !== null) {
    of.changes.add(rows, nowMs);
    of.lastBlockAt = nowMs;
    reached(of, event.end, nowMs);
    // What comes next was committed no earlier than the last that is written.
    if (of.behindSince !== null && facts.newestMs >= 0) of.behindSince = Math.min(facts.newestMs, nowMs);
  }
  for (const [table, mode] of Object.entries(modes)) {
    totals.modes[mode]++;
    const known = tableOf(state, table);
    if (known !== null) known.modes[mode]++;
  }
  for (const [table, ops] of Object.entries(facts.ops)) foldOps(state, table, ops, nowMs);
}

function foldOps(state: State, table: string, ops: Readonly<Partial<Record<OpName, number>>>, nowMs: number): void {
  const of = tableOf(state, table);
  for (const op of OPS) {
    const count = ops[op] ?? 0;
    if (count === 0) continue;
    state.totals.ops[op] += count;
    if (of === null) continue;
    if (op === 'r') of.renamedFrom = null;
    of.totals[op] += count;
    of.rates[op].add(count, nowMs);
    of.lastChangeAt = nowMs;
  }
}

/** Everything below `offset` is written. */
function reached(of: PartitionState | null, offset: number, nowMs: number): void {
  if (of === null || offset < of.position) return;
  of.position = offset;
  if (offset >= of.end) caughtUp(of, nowMs);
}

function caughtUp(of: PartitionState, nowMs: number): void {
  of.behindSince = null;
  of.caughtUpAt = nowMs;
}

function wait(
  state: State,
  outside: Outside,
  event: { attempt: number; code: string; message: string },
  nowMs: number,
): void {
  const { attempt, code, message } = event;
  add(state.totals.retries, `${outside} ${code}`, 1);
  const known = state.waiting.get(outside);
  if (known === undefined) state.waiting.set(outside, { outside, since: nowMs, attempt, code, message });
  else Object.assign(known, { attempt, code, message });
}

function partitionOf(state: State, { topic, partition }: TopicPartition, nowMs: number): PartitionState | null {
  const name = nameOf({ topic, partition });
  const known = state.partitions.get(name);
  if (known !== undefined) return known;
  if (state.partitions.size >= MOST_PARTITIONS) {
    state.leftOut++;
    return null;
  }
  const created: PartitionState = {
    topic,
    partition,
    how: null,
    position: -1,
    end: -1,
    behindSince: null,
    caughtUpAt: nowMs,
    changes: new Rate(),
    lastBlockAt: null,
    redos: 0,
  };
  state.partitions.set(name, created);
  return created;
}

function tableOf(state: State, table: string): TableState | null {
  const known = state.tables.get(table);
  if (known !== undefined) return known;
  if (state.tables.size >= MOST_TABLES) {
    state.leftOut++;
    return null;
  }
  const created: TableState = {
    table,
    notMirrored: null,
    renamedFrom: null,
    policies: new Map(),
    totals: eachOp(() => 0),
    rates: eachOp(() => new Rate()),
    modes: eachMode(),
    lastChangeAt: null,
  };
  state.tables.set(table, created);
  return created;
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${partition}@${topic}`;
}
