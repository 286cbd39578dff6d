/** The live page, the probes and the metrics: folds events, looks at what is outside now and then, and serves what it knows. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connectClickHouse } from '../clickhouse/client';
import { pageReads } from '../clickhouse/page-reads';
import { openWireSchemas } from '../clickhouse/wire-schemas';
import type { Config } from '../config';
import type { PageSettings } from '../config/page';
import type { Emit, ServiceEvent } from '../events';
import type { PageFigures } from '../http/ports';
import { openPages, type Pages } from '../http/routes';
import { startServer, type PageServer } from '../http/server';
import type { Log } from '../kafka/log';
import type { Postgres } from '../postgres/client';
import { slotWal, type SlotWal } from '../postgres/slot-wal';
import { foldEnds, foldEvent } from '../telemetry/fold';
import { openLookout } from '../telemetry/lookout';
import { createMetrics } from '../telemetry/metrics';
import { createState, type State } from '../telemetry/state';
import { readiness, statusOf, type Lookouts, type StatusContext } from '../telemetry/status';
import { databasesOf } from '../wiring';
import { dashboardOf } from './dashboard';
import { shownRows } from './masking';
import { pauseOrders } from './pauses';

/** How often Kafka's ends are read when nobody looks: what is not known cannot be told later. */
const ENDS_MS = 5_000;
const LOOK_MS = 1_000;
const WAL_MS = 10_000;
const ROWS_MS = 5_000;
const QUARANTINE_MS = 5_000;
const WAIT_MS = 1_500;
/** Lag is what an alert hangs on: an outage that made one look slow must not blind it. */
const ENDS_AT_MOST_MS = 10_000;
const AT_MOST_MS = 60_000;

export interface Page {
  /** Takes every event; never throws, never waits. */
  readonly emit: Emit;
  /** Kafka's ends are read through it from now on. */
  attach(log: Pick<Log, 'bounds'>): void;
  close(): Promise<void>;
}

export interface PageParts {
  readonly config: Config;
  readonly page: PageSettings;
  readonly postgres: Postgres | null;
  /** Aborts when the service begins to stop. */
  readonly signal: AbortSignal;
  /** Where the page tells of itself. */
  readonly log: Emit;
}

/** Begins to serve; where the port is taken that is said, and the figures are kept all the same. */
export async function openPage({ config, page, postgres, signal, log }: PageParts): Promise<Page> {
  const state = createState(Date.now());
  const databases = databasesOf(config);
  const clickhouse = connectClickHouse({
    ...config.clickhouse,
    application: 'debezium-clickhouse page',
    requestTimeoutMs: 10_000,
  });
  const wires = openWireSchemas(clickhouse, databases.machinery);
  const reads = pageReads(clickhouse, databases, shownRows(config, wires));
  const outside = lookOutside({ state, config, postgres, reads });
  const values = page.values ? 'shown' : 'withheld';
  const context = (): StatusContext => ({
    service: {
      release: release(),
      groupId: config.kafka.groupId,
      topicPrefix: config.topicPrefix,
      database: config.clickhouse.database,
      values,
      orders: page.token === null ? 'none' : 'token',
    },
    stopping: signal.aborted ? 'yes' : 'no',
    lookouts: outside.known(),
  });
  const served: { pages: Pages | null; server: PageServer | null } = { pages: null, server: null };
  const metrics = createMetrics(() => ({
    state,
    lookouts: outside.known(),
    stopping: signal.aborted ? 'yes' : 'no',
    nowMs: Date.now(),
    page: served.pages?.counts() ?? { viewers: 0, dropped: 0, queries: 0 },
  }));
  const status = (): string => JSON.stringify(statusOf(state, context(), Date.now()));
  const figures: PageFigures = {
    async fresh() {
      await outside.look();
      return status();
    },
    now() {
      void outside.look();
      return status();
    },
    latency: () => JSON.stringify({ points: state.latencyHistory.points(Date.now()) }),
    ready: () => readiness(state, signal.aborted ? 'yes' : 'no'),
    ends: () => newestFirst(state),
    async metrics() {
      await outside.look();
      return { contentType: metrics.contentType, text: await metrics.text() };
    },
  };
  const dashboard = dashboardOf({ config, clickhouse, postgres, state, ends: figures.ends, bounds: outside.bounds });
  served.pages = openPages({ figures, reads, dashboard, orders: pauseOrders(config, clickhouse), values });
  served.server = await serve(page, served.pages, log);
  return {
    emit: (event: ServiceEvent) => foldEvent(state, event, Date.now()),
    attach: (kafka) => outside.attach(kafka),
    async close() {
      outside.close();
      served.pages?.close();
      await served.server?.close();
      await clickhouse.close();
    },
  };
}

/** null where the port cannot be taken: the changes matter more than the page. */
async function serve(page: PageSettings, { routes }: Pages, log: Emit): Promise<PageServer | null> {
  const { host, port, token } = page;
  try {
    const server = await startServer({ host, port, token, routes });
    log({ tag: 'page-served', address: server.address });
    return server;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const reason = code === 'EADDRINUSE' ? 'the port is taken (HTTP_PORT)' : `it cannot be listened to (${code})`;
    log({ tag: 'page-unavailable', address: `http://${host}:${port}`, reason });
    return null;
  }
}

interface Outside {
  attach(log: Pick<Log, 'bounds'>): void;
  /** Looks at everything that is due; never throws, never waits long. */
  look(): Promise<void>;
  known(): Lookouts;
  /** Where the partitions of a topic end now; null: Kafka is not attached yet. */
  readonly bounds: (topic: string) => ReturnType<Log['bounds']> | Promise<null>;
  close(): void;
}

interface OutsideParts {
  readonly state: State;
  readonly config: Config;
  readonly postgres: Postgres | null;
  readonly reads: Pick<ReturnType<typeof pageReads>, 'mirrorRows' | 'quarantineCounts'>;
}

function lookOutside({ state, config, postgres, reads }: OutsideParts): Outside {
  const kafka: { log: Pick<Log, 'bounds'> | null } = { log: null };
  const ends = openLookout({
    leastMs: LOOK_MS,
    mostMs: ENDS_AT_MOST_MS,
    waitMs: WAIT_MS,
    async ask() {
      const { log } = kafka;
      const found = [];
      if (log === null) return [];
      for (const topic of new Set([...state.partitions.values()].map((of) => of.topic)))
        found.push(...(await log.bounds(topic)));
      return found;
    },
    onAnswer: (found, at) => foldEnds(state, found, at),
  });
  const slot = config.connector.placeholders['SLOT_NAME'] ?? '';
  const unknown: SlotWal = { heldBytes: null, active: null, reason: 'PG_URL is not set' };
  const limits = { mostMs: AT_MOST_MS, waitMs: WAIT_MS };
  const wal = openLookout({
    leastMs: WAL_MS,
    ...limits,
    ask: () => (postgres === null ? Promise.resolve(unknown) : slotWal(postgres, slot)),
  });
  const rows = openLookout({ leastMs: ROWS_MS, ...limits, ask: () => reads.mirrorRows() });
  const quarantine = openLookout({ leastMs: QUARANTINE_MS, ...limits, ask: () => reads.quarantineCounts() });
  // Without a regular look, nobody could tell later how long a record has waited.
  const timer = setInterval(() => void ends.look(), ENDS_MS).unref();
  return {
    attach(log) {
      kafka.log = log;
    },
    async look() {
      await Promise.all([ends.look(), wal.look(), rows.look(), quarantine.look()]);
    },
    known() {
      const found = wal.latest();
      const { heldBytes, active, reason } = found.value ?? { ...unknown, reason: null };
      return {
        endsAt: ends.latest().at,
        wal:
          found.error === null ? { heldBytes, active, reason } : { heldBytes: null, active: null, reason: found.error },
        rows: rows.latest().value ?? new Map(),
        quarantine: { at: quarantine.latest().at, found: quarantine.latest().value },
      };
    },
    bounds: (topic) => kafka.log?.bounds(topic) ?? Promise.resolve(null),
    close: () => clearInterval(timer),
  };
}

/** Where the newest changes can be, the partitions that were written last before the others. */
function newestFirst(state: State): { topic: string; partition: number; end: number }[] {
  return [...state.partitions.values()]
    .filter(({ position, end }) => Math.max(position, end) > 0)
    .sort((a, b) => (b.lastBlockAt ?? 0) - (a.lastBlockAt ?? 0))
    .map(({ topic, partition, position, end }) => ({ topic, partition, end: Math.max(position, end) }));
}

let knownRelease: string | null = null;

/** The version in package.json, which lies beside the service's own folder. */
function release(): string {
  knownRelease ??= readRelease();
  return knownRelease;
}

function readRelease(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: unknown };
      if (typeof version === 'string') return version;
    } catch {
      // Not in this folder.
    }
  }
  return 'unknown';
}
