/** `connectors snapshot`: asks the connector for the rows of tables once more, and shows how far it is. */
import { randomUUID } from 'node:crypto';
import { withSource, type Form } from './connectors';
import { EXIT } from './failure';
import { count, createProgressLine } from './progress';
import type { Config } from '../config';
import { tableFilter } from '../config/patterns';
import { connectorStatus, renderStatus } from '../connect/connector';
import { openConnect } from '../connect/rest';
import {
  asked,
  executeSnapshot,
  follow,
  isPlainTable,
  notificationTopic,
  readNotification,
  signalChannel,
  stopSnapshot,
  type Signal,
  type SignalChannel,
  type SnapshotKind,
  type SnapshotProgress,
} from '../connect/snapshot';
import { sendSignalRow, snapshotTables, type SnapshotTable } from '../connect/source';
import { ServiceError } from '../errors';
import { sendRecord } from '../kafka/produce';
import { openReader, type ReadRange } from '../kafka/reader';
import type { Postgres } from '../postgres/client';

export interface SnapshotFlags {
  readonly tables?: string;
  readonly type?: SnapshotKind;
  readonly where?: string;
  readonly stop?: true;
  readonly wait?: boolean;
}

/** A connector that says nothing for so long is looked at: it may have failed meanwhile. */
const QUIET_MS = 10_000;

interface Ask {
  readonly config: Config;
  readonly postgres: Postgres;
  readonly channel: SignalChannel;
  readonly print: (text: string) => void;
  readonly form: Form;
}

/** 0 when it is done (or only sent, with --no-wait), 1 when it was stopped or a table was not read to its end. */
export async function snapshotCommand(
  config: Config,
  flags: SnapshotFlags,
  print: (text: string) => void,
  form: Form,
): Promise<number> {
  return withSource(config, async (connectUrl, postgres) => {
    const { name } = config.connector;
    const status = await connectorStatus({ connectUrl, name, secrets: config.secrets });
    if (!status.running) throw notRunning(renderStatus(status));
    const running = (await openConnect(connectUrl, { secrets: config.secrets }).config(name)) ?? {};
    const ask: Ask = { config, postgres, channel: signalChannel(running), print, form };
    const wanted = flags.tables?.split(',').map((table) => table.trim()) ?? null;
    const kind = flags.stop === true ? 'incremental' : (flags.type ?? 'incremental');
    const publication = running['publication.name'] ?? '';
    const tables = await chooseTables(ask, { wanted, kind, publication });
    if (flags.stop === true) return stop(ask, tables);
    return start(ask, { kind, tables, flags, notifications: notificationTopic(running) });
  });
}

async function stop(ask: Ask, tables: readonly string[]): Promise<number> {
  const id = randomUUID();
  await send(ask, stopSnapshot(id, tables));
  ask.print(
    ask.form === 'json'
      ? JSON.stringify({ id, tables })
      : `the connector was told to stop the incremental snapshot of ${tables.join(', ')}; rows sent already stay`,
  );
  return EXIT.done;
}

async function start(
  ask: Ask,
  of: {
    readonly kind: SnapshotKind;
    readonly tables: readonly string[];
    readonly flags: SnapshotFlags;
    readonly notifications: string | null;
  },
): Promise<number> {
  const { kind, tables, flags, notifications } = of;
  const { config, form, print } = ask;
  const id = randomUUID();
  const signal = executeSnapshot(id, { kind, tables, where: flags.where ?? null });
  if (flags.wait === false || notifications === null) {
    await send(ask, signal);
    const why =
      flags.wait === false
        ? ''
        : '; its progress cannot be shown, because the connector sends no notifications in JSON';
    print(
      form === 'json' ? JSON.stringify({ id, state: 'asked', kind, tables }) : `asked for ${kind} snapshot ${id}${why}`,
    );
    return EXIT.done;
  }
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const from = await endOf(reader, notifications);
    await send(ask, signal);
    const progress = await watch(ask, reader, { from, id, kind, tables });
    print(form === 'json' ? JSON.stringify(asData(id, kind, progress), null, 2) : inWords(kind, progress));
    return progress.state === 'completed' && allRead(progress) ? EXIT.done : EXIT.findings;
  } finally {
    await reader.close();
  }
}

/** Where notifications will come; the topic is made by the first, so it may not be there yet. */
async function endOf(reader: ReturnType<typeof openReader>, topic: string): Promise<ReadRange> {
  const [bounds] = (await reader.topics()).includes(topic) ? await reader.bounds(topic) : [];
  return { topic, partition: 0, from: bounds?.high ?? 0, to: null };
}

async function watch(
  ask: Ask,
  reader: ReturnType<typeof openReader>,
  of: {
    readonly from: ReadRange;
    readonly id: string;
    readonly kind: SnapshotKind;
    readonly tables: readonly string[];
  },
): Promise<SnapshotProgress> {
  const line = createProgressLine({ stream: process.stderr, now: () => performance.now() });
  let progress = asked(of.tables);
  let heard = performance.now();
  const found: { trouble: ServiceError | null } = { trouble: null };
  const over = new AbortController();
  const looking = setInterval(() => {
    if (performance.now() - heard < QUIET_MS) return;
    heard = performance.now();
    void stillRuns(ask.config).then(
      (trouble) => {
        found.trouble = trouble;
        if (trouble !== null) over.abort();
      },
      () => undefined,
    );
  }, 1_000);
  try {
    await reader.read(
      [of.from],
      ({ value }) => {
        const notification = readNotification(value);
        if (notification === null) return 'go on';
        heard = performance.now();
        progress = follow(progress, notification, of);
        line.show(`${of.kind} snapshot`, amountOf(progress));
        return progress.state === 'completed' || progress.state === 'stopped' ? 'stop' : 'go on';
      },
      over.signal,
    );
  } finally {
    clearInterval(looking);
    line.clear();
  }
  if (found.trouble !== null) throw found.trouble;
  return progress;
}

async function stillRuns(config: Config): Promise<ServiceError | null> {
  if (config.connect === null) return null;
  const status = await connectorStatus({
    connectUrl: config.connect,
    name: config.connector.name,
    secrets: config.secrets,
  });
  return status.running ? null : notRunning(renderStatus(status));
}

function notRunning(status: string): ServiceError {
  return new ServiceError('CONNECTOR_FAILED', `the connector does not run, so it takes no snapshot\n${status}`, {
    hint: 'debezium-clickhouse connectors restart, or resume; an incremental snapshot that had begun goes on by itself then.',
  });
}

/** Checked here, because Debezium passes over a table that it does not know without a word. */
async function chooseTables(
  { config, postgres }: Ask,
  of: { readonly wanted: readonly string[] | null; readonly kind: SnapshotKind; readonly publication: string },
): Promise<string[]> {
  const included = tableFilter(config.tables);
  const known = await snapshotTables(postgres, of.publication);
  const ours = known.filter(({ table }) => table !== config.connector.signalTable);
  if (of.wanted === null) {
    const fit = ours.filter((one) => included(one.table) && unfit(one, of.kind) === null);
    return fit.map(({ table }) => table);
  }
  for (const table of of.wanted) {
    const found = ours.find((one) => one.table === table);
    const [what, hint] = found === undefined ? NOT_THERE : (unfit(found, of.kind) ?? [null, '']);
    if (what !== null) throw new ServiceError('CONFIG_INVALID', `The table ${table} ${what}.`, { hint });
  }
  return [...of.wanted];
}

const NOT_THERE = ['is not there', 'Give tables as schema.table, in the letters that PostgreSQL has.'] as const;

/** Why the connector would take no snapshot of it, and what to do. */
function unfit(one: SnapshotTable, kind: SnapshotKind): readonly [string, string] | null {
  if (!one.published) {
    const hint = 'debezium-clickhouse connectors apply adds the tables of TABLES_INCLUDE.';
    return ["is not in the connector's publication", hint];
  }
  if (kind === 'blocking') return null;
  if (!one.hasPrimaryKey) return ['has no primary key, by which an incremental snapshot goes', 'Use --type blocking.'];
  if (isPlainTable(one.table)) return null;
  return ['has a name that incremental snapshots of Debezium cannot do with', 'Use --type blocking.'];
}

async function send({ config, postgres, channel }: Ask, signal: Signal): Promise<void> {
  if (channel.kind === 'table') await sendSignalRow(postgres, channel.table, signal);
  else {
    const { id, type, data } = signal;
    const record = { topic: channel.topic, key: channel.key, value: JSON.stringify({ id, type, data }) };
    await sendRecord({ ...config.kafka, holdMs: 0 }, record);
  }
}

function amountOf({ tables }: SnapshotProgress): { done: number; total: number } {
  const all = [...tables.values()];
  const total = all.some(({ totalRows }) => totalRows === null)
    ? 0
    : all.reduce((sum, one) => sum + (one.totalRows ?? 0), 0);
  return { done: all.reduce((sum, { rows }) => sum + rows, 0), total };
}

function allRead({ tables }: SnapshotProgress): boolean {
  return [...tables.values()].every(({ done, trouble }) => done && trouble === '');
}

function asData(id: string, kind: SnapshotKind, { state, tables }: SnapshotProgress): object {
  return {
    id,
    kind,
    state,
    tables: [...tables].map(([table, { rows, done, trouble }]) => ({ table, rows, done, trouble })),
  };
}

function inWords(kind: SnapshotKind, { state, tables }: SnapshotProgress): string {
  const lines = [...tables].map(([table, { rows, done, trouble }]) => {
    return `  ${table}: ${count(rows)} rows${done ? '' : ', not to its end'}${trouble === '' ? '' : ` (${trouble})`}`;
  });
  return [`${kind} snapshot ${state}`, ...lines].join('\n');
}
