import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { METRICS } from '../../../src/telemetry/metric-list';
import { createMetrics } from '../../../src/telemetry/metrics';
import { foldEvent } from '../../../src/telemetry/fold';
import { createState, type State } from '../../../src/telemetry/state';
import { blockWritten } from './events';

const page = readFileSync('docs/metrics.md', 'utf8');

function metricsOf(state: State) {
  return createMetrics(() => ({
    state,
    lookouts: {
      endsAt: 1_000,
      wal: { heldBytes: null, active: null, reason: null },
      rows: new Map(),
      quarantine: { at: null, found: null },
    },
    stopping: 'no',
    nowMs: 5_000,
    page: { viewers: 2, dropped: 0, queries: 0 },
  }));
}

test('docs/metrics.md lists each metric of the service with its type, labels and meaning, and no other', () => {
  const rows = [...page.matchAll(/^\| `(\S+)` \| (\w+) \| (.*?) \| (.+) \|$/gm)].map(
    ([, name, type, labels, help]) => ({
      name,
      type,
      labels: [...(labels ?? '').matchAll(/`(\w+)`/g)].map(([, label]) => label),
      help,
    }),
  );
  expect(rows).toEqual(METRICS.map(({ name, type, labels, help }) => ({ name, type, labels: [...labels], help })));
});

test('docs/metrics.md lists each metric of the process, and no other', async () => {
  const all = await metricsOf(createState(0)).list();
  const own = new Set(METRICS.map(({ name }) => name));
  const listed = [...page.matchAll(/^- `(\S+)`$/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual(
    all
      .map(({ name }) => name)
      .filter((name) => !own.has(name))
      .sort(),
  );
});

/** Names that an expression uses: metrics of ours and of the process, without the endings of histograms. */
function metricsIn(expression: string): string[] {
  return [...expression.matchAll(/\b(?:debezium_clickhouse|process|nodejs)_\w+/g)].map(([name]) =>
    name.replace(/_bucket$/, ''),
  );
}

test('the dashboard and the alert rules use metrics that exist', async () => {
  const known = new Set((await metricsOf(createState(0)).list()).map(({ name }) => name));
  const dashboard = JSON.parse(readFileSync('ops/grafana/debezium-clickhouse.json', 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  const alerts = parse(readFileSync('ops/prometheus/alerts.yml', 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const rules = alerts.groups.flatMap((group) => group.rules);
  expect(shown.length).toBeGreaterThan(20);
  for (const expression of [...shown, ...rules.map(({ expr }) => expr)]) {
    const used = metricsIn(expression);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  }
  const headings = [...page.matchAll(/^### (DebeziumClickhouse\w+)$/gm)].map(([, name]) => name);
  expect(headings).toEqual(rules.map(({ alert }) => alert));
});

test('labels of what Prometheus reads are those that are documented', async () => {
  const state = createState(0);
  foldEvent(state, { tag: 'group-joined', partitions: [{ topic: 'cdc.public.orders', partition: 0 }] }, 0);
  foldEvent(state, blockWritten(), 1_000);
  const text = await metricsOf(state).text();
  expect(text).toContain('debezium_clickhouse_table_operations_total{table="public.orders",op="c"} 3\n');
  expect(text).toContain('debezium_clickhouse_lag_seconds{topic="cdc.public.orders",partition="0"} 0\n');
  expect(text).toContain('debezium_clickhouse_blocks_by_mode_total{mode="append"} 1\n');
  expect(text).not.toMatch(/^debezium_clickhouse_slot_wal_bytes /m);
  for (const [, name, labels] of text.matchAll(/^(debezium_clickhouse_\w+)\{(.*?)\} /gm)) {
    const metric =
      METRICS.find((one) => one.name === name?.replace(/_(bucket|sum|count)$/, '')) ??
      METRICS.find((one) => one.name === name);
    const used = [...(labels ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label);
    expect(used).toEqual(metric?.type === 'histogram' ? ['le'] : metric?.labels);
  }
});

test('a histogram is read in seconds, cumulative, with its sum and count', async () => {
  const state = createState(0);
  foldEvent(state, blockWritten(), 1_000);
  const text = await metricsOf(state).text();
  expect(text).toContain('debezium_clickhouse_insert_seconds_bucket{le="0.025"} 0\n');
  expect(text).toContain('debezium_clickhouse_insert_seconds_bucket{le="0.05"} 1\n');
  expect(text).toContain('debezium_clickhouse_insert_seconds_bucket{le="+Inf"} 1\n');
  expect(text).toContain('debezium_clickhouse_insert_seconds_sum 0.04\n');
  expect(text).toContain('debezium_clickhouse_insert_seconds_count 1\n');
  expect(text).toContain('debezium_clickhouse_commit_to_visible_seconds_count 3\n');
});
