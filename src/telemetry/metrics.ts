/** The door to prom-client: `/metrics`, read from the figures when it is asked for. docs/metrics.md says how to read them together. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type HistogramMetric, type Metric, type Reading } from './metric-list';

export interface Metrics {
  readonly contentType: string;
  /** The text that Prometheus reads. */
  text(): Promise<string>;
  /** All that there are, for the documentation: those of the process too. */
  list(): Promise<readonly { readonly name: string; readonly type: string; readonly help: string }[]>;
}

/** Milliseconds between two looks at the event loop: rare, since an idle service should be idle. */
const LOOP_PRECISION_MS = 100;

/** `read` is called once for each metric of a scrape. */
export function createMetrics(read: () => Reading): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  for (const metric of METRICS) register(registry, metric, read);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    async list() {
      const all = await registry.getMetricsAsJSON();
      return all.map(({ name, type, help }) => ({ name, type: String(type), help }));
    },
  };
}

function register(registry: Registry, metric: Metric, read: () => Reading): void {
  if (metric.type === 'histogram') {
    registry.registerMetric(new ReadHistogram(metric, read));
    return;
  }
  const { name, help, labels, values } = metric;
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (metric.type === 'counter') {
    const counter = new Counter({
      ...options,
      collect() {
        counter.reset();
        for (const { labels: of, value } of values(read())) counter.inc(of, value);
      },
    });
    return;
  }
  const gauge = new Gauge({
    ...options,
    collect() {
      gauge.reset();
      // Without labels a reset leaves a 0, which is a value: what is not known is left out.
      if (labels.length === 0) gauge.remove({});
      for (const { labels: of, value } of values(read())) gauge.set(of, value);
    },
  });
}

/** A histogram that was counted elsewhere: prom-client's own takes one observation at a time, and a block has 50,000. */
class ReadHistogram extends Histogram {
  private readonly metric: HistogramMetric;
  private readonly read: () => Reading;

  constructor(metric: HistogramMetric, read: () => Reading) {
    super({ name: metric.name, help: metric.help, registers: [] });
    this.metric = metric;
    this.read = read;
  }

  /** What prom-client asks for: its text calls it, and so does its `get`. */
  getForPromString(): Promise<unknown> {
    const { name, help, scale, buckets } = this.metric;
    const { bounds, counts, sum } = buckets(this.read());
    let below = 0;
    const sharedLabels = {};
    const values: object[] = [...counts].map((count, bucket) => {
      below += count;
      const bound = bounds[bucket];
      const labels = { le: bound === undefined ? '+Inf' : bound / scale };
      return { metricName: `${name}_bucket`, labels, sharedLabels, value: below };
    });
    values.push(
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum / scale },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: below },
    );
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }
}
