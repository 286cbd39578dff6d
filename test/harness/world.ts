/** Everything one test file has for itself: a database, a connector, topics, a consumer group, a target, and the service. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectClickHouse, type ClickHouse } from '../../src/clickhouse/client';
import { applyConnector, connectorStatus, deleteConnector, renderStatus } from '../../src/connect/connector';
import type { Profile } from '../../src/connect/profile';
import type { Capture } from '../../src/connect/source';
import { openPostgres, type Postgres } from '../../src/postgres/client';
import { auditFaults, readAudit, type AuditRow } from './audit';
import { endSession } from './end-session';
import { compareMirror, isEqual, type Comparison } from './mirror-comparison';
import { toPlain } from './plain-records';
import { runCommand, type Ended } from './run-command';
import { serviceProcess, type ServiceProcess } from './service-process';
import { openTestStack, type TestStack } from './test-stack';
import { openTopics, type TopicRecord, type Topics } from './topics';
import { waitFor } from './wait-for';

export interface World {
  readonly stack: TestStack;
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly topics: Topics;
  readonly service: ServiceProcess;
  /** The topic prefix, which is also the connector's name, the group's and the target database's. */
  readonly name: string;
  /** CH_DATABASE, and the database of `changes` and the mirrors. */
  readonly database: string;
  readonly machinery: string;
  /** The environment that the service gets. */
  readonly settings: Readonly<Record<string, string>>;
  /** Statements in PostgreSQL, as one transaction when there are several. */
  sql(...statements: readonly string[]): Promise<void>;
  topic(table: string): string;
  /** Registers the connector and waits until it runs. */
  connect(options?: {
    readonly profile?: Profile;
    readonly capture?: Capture;
    /** Of each topic; 1 if not given. */
    readonly partitions?: number;
    /** Options beyond the profile's. */
    readonly extra?: Readonly<Record<string, string | null>>;
  }): Promise<void>;
  connectorRuns(): Promise<boolean>;
  auditRows(table?: string): Promise<AuditRow[]>;
  /** Waits until the view equals the source, and says how they differ if they do not. */
  mirrorEquals(table: string, options?: { readonly view?: string; readonly deadlineMs?: number }): Promise<Comparison>;
  /** Waits until each change record in Kafka is in `changes` once and right, and gives the records back, as in plain JSON. */
  auditIsExactlyOnce(deadlineMs?: number): Promise<readonly TopicRecord[]>;
  /** Runs a command of the service with this world's settings; killed after `deadlineMs` (60 s). */
  command(args: readonly string[], env?: Readonly<Record<string, string>>, deadlineMs?: number): Promise<Ended>;
  /** The broker takes a process of the world's group for dead, as at the end of its session, which nobody waits for then. */
  giveUp(service: ServiceProcess): Promise<void>;
  /** Removes all of it. */
  close(): Promise<void>;
}

const WHOLE_SCHEMA: Capture = { kind: 'whole-schema', schema: 'public' };

/** Short waits, so that a test of what happens after them takes seconds. */
const QUICK = {
  GUARD_SECONDS: '2',
  INSERT_TIMEOUT_SECONDS: '3',
  KAFKA_SESSION_TIMEOUT_MS: '6000',
  TOPIC_REFRESH_MS: '300',
  IDLE_COMMIT_MS: '300',
  BLOCK_AGE_MS: '100',
  SHUTDOWN_DEADLINE_SECONDS: '20',
  // Tests run side by side; the one that wants the page takes a free port.
  HTTP_PORT: 'off',
};

/** @param more settings beside those that every world has */
export async function openWorld(more: Readonly<Record<string, string>> = {}): Promise<World> {
  const stack = openTestStack();
  const name = `t${randomBytes(4).toString('hex')}`;
  const cwd = join(stack.dir, name);
  mkdirSync(cwd, { recursive: true });

  const root = openPostgres(stack.env.PG_URL);
  await root.query(`CREATE DATABASE ${name}`);
  await root.close();
  const pgUrl = new URL(stack.env.PG_URL);
  pgUrl.pathname = `/${name}`;
  const postgres = openPostgres(pgUrl.href, { statementTimeoutMs: 60_000 });
  const chUrl = new URL(stack.env.CH_URL);
  const clickhouse = connectClickHouse({
    url: chUrl.origin,
    user: decodeURIComponent(chUrl.username) || 'default',
    password: decodeURIComponent(chUrl.password),
    application: 'tests',
    requestTimeoutMs: 60_000,
  });
  const topics = await openTopics(stack.env.KAFKA_BROKERS);
  const machinery = `${name}_cdc`;
  const settings: Record<string, string> = {
    ...QUICK,
    KAFKA_BROKERS: stack.env.KAFKA_BROKERS,
    KAFKA_GROUP_ID: name,
    TOPIC_PREFIX: name,
    CH_URL: stack.env.CH_URL,
    CH_DATABASE: name,
    PG_URL: pgUrl.href,
    CONNECT_URL: stack.env.CONNECT_URL,
    CONNECTOR_NAME: name,
    SLOT_NAME: name,
    PUBLICATION_NAME: name,
    ...(stack.env.REGISTRY_URL === undefined ? {} : { REGISTRY_URL: stack.env.REGISTRY_URL }),
    ...more,
  };
  const service = serviceProcess({ settings, cwd, logFile: join(stack.dir, `service-${name}.log`) });
  const placeholders = {
    CONNECTOR_NAME: name,
    TOPIC_PREFIX: name,
    SLOT_NAME: name,
    PUBLICATION_NAME: name,
    HEARTBEAT_MS: '2000',
    PG_HOST: stack.sourceForConnect.host,
    PG_PORT: stack.sourceForConnect.port,
    PG_USER: decodeURIComponent(pgUrl.username),
    PG_PASSWORD: decodeURIComponent(pgUrl.password),
    PG_DATABASE: name,
    REGISTRY_URL: stack.registryForConnect,
  };
  const quiet = (): void => undefined;
  const connectUrl = stack.env.CONNECT_URL;
  let connected = false;
  let wire: Profile = 'json';
  /** A connector that stopped is why nothing arrives. */
  const connectorTrouble = async (): Promise<string> => {
    if (!connected) return '';
    const status = await connectorStatus({ connectUrl, name });
    return status.running ? '' : `\n${renderStatus(status)}`;
  };

  return {
    stack,
    postgres,
    clickhouse,
    topics,
    service,
    name,
    database: name,
    machinery,
    settings,
    async sql(...statements) {
      await postgres.query(statements.length === 1 ? (statements[0] ?? '') : `BEGIN; ${statements.join('; ')}; COMMIT`);
    },
    topic: (table) => `${name}.public.${table}`,
    async connect({ profile = 'json', capture = WHOLE_SCHEMA, partitions = 1, extra = {} } = {}) {
      connected = true;
      wire = profile;
      const of = { ...placeholders, TOPIC_PARTITIONS: String(partitions) };
      await applyConnector({ connectUrl, profile, settings: of, extra, postgres, capture, log: quiet });
    },
    async connectorRuns() {
      return (await connectorStatus({ connectUrl, name })).running;
    },
    auditRows: (table) => readAudit(clickhouse, machinery, table),
    async mirrorEquals(table, { view = table, deadlineMs = 30_000 } = {}) {
      let last: Comparison | null = null;
      const compared = waitFor(
        async () => {
          last = await compareMirror({ postgres, clickhouse, table, database: name, view });
          return isEqual(last) ? last : null;
        },
        `the view ${view} equals the source`,
        deadlineMs,
      );
      return compared.catch(async (error: unknown) => {
        throw new Error(`${(error as Error).message}\n${JSON.stringify(last, null, 2)}${await connectorTrouble()}`);
      });
    },
    async auditIsExactlyOnce(deadlineMs = 30_000) {
      let faults: string[] = [];
      let records: TopicRecord[] = [];
      const plain = toPlain(wire, stack.env.REGISTRY_URL);
      const right = waitFor(
        async () => {
          records = await plain(await topics.read(await topics.names(name)));
          faults = auditFaults(records, await readAudit(clickhouse, machinery));
          return faults.length === 0;
        },
        'changes holds each change record of Kafka once',
        deadlineMs,
      );
      await right.catch(async (error: unknown) => {
        const shown = faults.slice(0, 10).join('\n');
        const trouble = await connectorTrouble();
        throw new Error(`${(error as Error).message}\n${faults.length} faults, the first:\n${shown}${trouble}`);
      });
      return records;
    },
    command: (args, env = {}, deadlineMs = 60_000) =>
      runCommand({ program: 'src/main.js', args, env: { ...settings, ...env }, cwd, deadlineMs }),
    giveUp: ({ clientId }) => endSession({ brokers: stack.env.KAFKA_BROKERS, groupId: name, clientId }, topics.admin),
    async close() {
      if (service.isRunning()) await service.kill();
      if (connected) await deleteConnector({ connectUrl, settings: placeholders, postgres, log: quiet });
      await postgres.close();
      const again = openPostgres(stack.env.PG_URL);
      await again.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await again.close();
      const left = await topics.names(name);
      if (left.length > 0) await topics.admin.deleteTopics({ topics: left });
      await topics.admin.deleteGroups([name]).catch(quiet);
      await topics.close();
      for (const one of [name, machinery]) await clickhouse.command(`DROP DATABASE IF EXISTS ${one} SYNC`);
      await clickhouse.close();
    },
  };
}
