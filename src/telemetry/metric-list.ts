/** Every metric of the service, once: its name, meaning, labels, and where its value comes from; docs/metrics.md is compared with it. */
import { MODES, OPS, type State } from './state';
import { lagOf, policiesOf, readiness, type Lookouts } from './status';
import { lagMs } from './slow';
import type { Buckets } from './figures';

/** What the metrics are read from. */
export interface Reading {
  readonly state: State;
  readonly lookouts: Lookouts;
  readonly stopping: 'yes' | 'no';
  /** ms since the epoch. */
  readonly nowMs: number;
  readonly page: { readonly viewers: number; readonly dropped: number; readonly queries: number };
}

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

interface ValueMetric {
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly values: (reading: Reading) => Iterable<Sample>;
}

export interface HistogramMetric {
  readonly type: 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly [];
  /** What the figures are divided by: 1000 makes seconds of ms. */
  readonly scale: number;
  readonly buckets: (reading: Reading) => Buckets;
}

export type Metric = ValueMetric | HistogramMetric;

/** Tables with labels of their own; the others are counted in the totals. */
const MOST_LABELLED_TABLES = 200;
const PREFIX = 'debezium_clickhouse_';

const counter = one('counter');
const gauge = one('gauge');

export const METRICS: readonly Metric[] = [
  counter('changes_total', 'Changes written to the audit table.', ({ state }) => state.totals.changes),
  counter('blocks_total', 'Blocks written.', ({ state }) => state.totals.blocks),
  counter('bytes_total', 'Bytes of keys and images written.', ({ state }) => state.totals.bytes),
  counters('operations_total', 'Changes of fresh blocks by operation.', ['op'], ({ state }) =>
    OPS.map((op) => ({ labels: { op }, value: state.totals.ops[op] })),
  ),
  counters('table_operations_total', 'Changes of fresh blocks by table and operation.', ['table', 'op'], tableOps),
  counters('blocks_by_mode_total', 'Shares of blocks by how they were written to a mirror.', ['mode'], ({ state }) =>
    MODES.map((mode) => ({ labels: { mode }, value: state.totals.modes[mode] })),
  ),
  counters('skipped_total', 'Records that are no changes of a table that is read.', ['kind'], ({ state }) =>
    counted(state.totals.skipped, 'kind'),
  ),
  counters('quarantined_total', 'Records set aside by error code.', ['code'], ({ state }) =>
    counted(state.totals.quarantined, 'code'),
  ),
  gauges(
    'quarantine_open_records',
    'Records in quarantine that nobody has dealt with, of all runs; absent while not known.',
    ['code'],
    ({ lookouts }) => openByCode(lookouts),
  ),
  gauge(
    'doubtful_rows',
    'Rows of which a change is in quarantine; absent while not known.',
    ({ lookouts }) => lookouts.quarantine.found?.doubtfulRows ?? null,
  ),
  counters(
    'policy_values_total',
    'Values that did not fit the type of their column, by what its policy did; lossless counts columns that became text.',
    ['table', 'column', 'policy'],
    policyValues,
  ),
  counters('retries_total', 'Attempts that failed and are repeated.', ['outside', 'code'], ({ state }) =>
    [...state.totals.retries].map(([name, value]) => {
      const [outside = '', code = ''] = name.split(' ');
      return { labels: { outside, code }, value };
    }),
  ),
  counters('redos_total', 'Blocks done again from their announced bounds.', ['reason'], ({ state }) =>
    counted(state.totals.redoReasons, 'reason'),
  ),
  counter(
    'rebalances_total',
    'Generations of the consumer group that were joined.',
    ({ state }) => state.totals.rebalances,
  ),
  counter('catalogue_reads_total', "Reads of PostgreSQL's catalogue.", ({ state }) => state.totals.catalogueReads),
  counter(
    'catalogue_read_seconds_total',
    "Time spent reading PostgreSQL's catalogue.",
    ({ state }) => state.totals.catalogueMs / 1_000,
  ),
  counters(
    'registry_reads_total',
    'Schemas that the registry was asked for, by whether it has them.',
    ['found'],
    ({ state }) => counted(state.totals.schemaReads, 'found'),
  ),
  counter(
    'registry_read_seconds_total',
    'Time spent asking the registry.',
    ({ state }) => state.totals.schemaMs / 1_000,
  ),
  gauges(
    'lag_records',
    'Offsets between what is written and the end of the partition.',
    ['topic', 'partition'],
    ({ state }) =>
      [...state.partitions.values()].flatMap((of) => {
        const value = lagOf(of);
        return value === null ? [] : [{ labels: { topic: of.topic, partition: of.partition }, value }];
      }),
  ),
  gauges(
    'lag_seconds',
    'How old the oldest record may be that is not written.',
    ['topic', 'partition'],
    ({ state, nowMs }) =>
      [...state.partitions.values()].map((of) => ({
        labels: { topic: of.topic, partition: of.partition },
        value: lagMs(of, nowMs) / 1_000,
      })),
  ),
  gauge('lag_look_age_seconds', "How long ago Kafka's ends were read.", ({ lookouts, nowMs }) =>
    lookouts.endsAt === null ? null : (nowMs - lookouts.endsAt) / 1_000,
  ),
  gauge(
    'slot_wal_bytes',
    "WAL that the connector's slot holds; absent while not known.",
    ({ lookouts }) => lookouts.wal.heldBytes,
  ),
  gauge('slot_active', '1 while a connector reads the slot; absent while not known.', ({ lookouts }) =>
    lookouts.wal.active === null ? null : Number(lookouts.wal.active),
  ),
  gauge('newest_commit_timestamp_seconds', 'Commit time of the newest change written.', ({ state }) =>
    state.newestCommitAt === null ? null : state.newestCommitAt / 1_000,
  ),
  gauge('last_block_timestamp_seconds', 'When the last block was written.', ({ state }) =>
    state.lastBlock === null ? null : state.lastBlock.at / 1_000,
  ),
  histogram('commit_to_visible_seconds', 'From the commit in PostgreSQL to readable in ClickHouse, streamed changes.', {
    scale: 1_000,
    buckets: ({ state }) => state.latency,
  }),
  histogram('block_rows', 'Changes in a block.', { scale: 1, buckets: ({ state }) => state.blockRows }),
  histogram('block_age_seconds', 'From the first record taken until the block was cut.', {
    scale: 1_000,
    buckets: ({ state }) => state.blockWait,
  }),
  histogram('insert_seconds', 'The inserts of a block, retries among them.', {
    scale: 1_000,
    buckets: ({ state }) => state.insertTime,
  }),
  gauge('partitions', 'Partitions of this process.', ({ state }) => state.partitions.size),
  gauge('tables', 'Tables met in this run.', ({ state }) => state.tables.size),
  gauge(
    'tables_not_mirrored',
    'Tables that are audited and not mirrored.',
    ({ state }) => [...state.tables.values()].filter(({ notMirrored }) => notMirrored !== null).length,
  ),
  gauges('waiting', '1 while the service waits for this part.', ['outside'], ({ state }) =>
    (['ClickHouse', 'Kafka', 'Kafka Connect', 'PostgreSQL', 'registry'] as const).map((outside) => ({
      labels: { outside },
      value: Number(state.waiting.has(outside)),
    })),
  ),
  gauge('ready', '1 while /readyz says yes.', ({ state, stopping }) => Number(readiness(state, stopping).ready)),
  gauge(
    'left_out',
    'Tables and partitions without figures of their own, because there are too many.',
    ({ state }) => state.leftOut,
  ),
  gauge('page_viewers', 'Browsers that follow the live page.', ({ page }) => page.viewers),
  counter(
    'page_viewers_dropped_total',
    'Viewers that were cut off because they did not keep up.',
    ({ page }) => page.dropped,
  ),
  counter('page_queries_total', 'Queries that the live page sent to ClickHouse.', ({ page }) => page.queries),
];

function one(type: 'counter' | 'gauge') {
  return (name: string, help: string, read: (reading: Reading) => number | null): ValueMetric => ({
    type,
    name: PREFIX + name,
    help,
    labels: [],
    values(reading) {
      const value = read(reading);
      return value === null ? [] : [{ labels: {}, value }];
    },
  });
}

function counters(name: string, help: string, labels: readonly string[], values: ValueMetric['values']): ValueMetric {
  return { type: 'counter', name: PREFIX + name, help, labels, values };
}

function gauges(name: string, help: string, labels: readonly string[], values: ValueMetric['values']): ValueMetric {
  return { type: 'gauge', name: PREFIX + name, help, labels, values };
}

function histogram(name: string, help: string, of: Pick<HistogramMetric, 'scale' | 'buckets'>): HistogramMetric {
  return { type: 'histogram', name: PREFIX + name, help, labels: [], ...of };
}

function counted(counts: ReadonlyMap<string, number>, label: string): Sample[] {
  return [...counts].map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function openByCode({ quarantine }: Lookouts): Sample[] {
  const sums = new Map<string, number>();
  for (const { code, records } of quarantine.found?.groups ?? []) sums.set(code, (sums.get(code) ?? 0) + records);
  return counted(sums, 'code');
}

function* tableOps({ state }: Reading): Iterable<Sample> {
  let labelled = 0;
  for (const { table, totals } of state.tables.values()) {
    if (labelled++ >= MOST_LABELLED_TABLES) return;
    for (const op of OPS) if (totals[op] > 0) yield { labels: { table, op }, value: totals[op] };
  }
}

function* policyValues({ state }: Reading): Iterable<Sample> {
  let labelled = 0;
  for (const of of state.tables.values()) {
    if (of.policies.size > 0 && labelled++ >= MOST_LABELLED_TABLES) return;
    for (const { column, policy, values } of policiesOf(of))
      yield { labels: { table: of.table, column, policy }, value: values };
  }
}
