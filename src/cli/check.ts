/** `check`: asks the parts that the settings name, and prints what to mend. */
import { findings } from '../check/findings';
import type { ConnectFacts, Wanted } from '../check/facts';
import { gather, type Parts } from '../check/gather';
import type { Severity } from '../check/kind';
import { checkResult, failsOn, renderResult } from '../check/report';
import { EXIT } from './failure';
import { policiesInForce } from '../clickhouse/chosen-type';
import { connectClickHouse } from '../clickhouse/client';
import { mirrorType } from '../clickhouse/mirror-type';
import { rememberedNames } from '../clickhouse/renamed';
import { choicesOf } from '../column-rules';
import type { Config } from '../config';
import { tableFilter } from '../config/patterns';
import { renderStatus, settledStatus, taskFailed } from '../connect/connector';
import { openConnect } from '../connect/rest';
import { ServiceError } from '../errors';
import { httpCall } from '../http-call';
import { describeKafka } from '../kafka/describe';
import { openPostgres } from '../postgres/client';
import type { HttpEndpoint } from '../security';
import { heartbeatTopic } from '../wiring';

/** A part that has not answered by then counts as away. */
const PATIENCE_MS = 15_000;

const DEBEZIUM = 'io.debezium.connector.postgresql.PostgresConnector';

export interface CheckOptions {
  readonly form: 'text' | 'json';
  /** The exit code is 1 where a finding is at least as severe. */
  readonly failOn: Severity;
}

/** 1 if a finding is as severe as `failOn` says, else 0. Throws nothing for a part that is away. */
export async function runCheck(config: Config, print: (text: string) => void, options: CheckOptions): Promise<number> {
  const { clickhouse: target, connect, connector, kafka, registry } = config;
  const limits = { connectionTimeoutMs: PATIENCE_MS, statementTimeoutMs: PATIENCE_MS };
  const postgres = config.postgres === null ? null : openPostgres(config.postgres, limits);
  const clickhouse = connectClickHouse({
    ...target,
    application: 'debezium-clickhouse check',
    requestTimeoutMs: PATIENCE_MS,
  });
  const included = tableFilter(config.tables);
  const isOurs = (topic: string): boolean => topic.startsWith(`${config.topicPrefix}.`);
  const heartbeats = heartbeatTopic(config.topicPrefix);
  const ask: Parts['clickhouse'] = (sql, params) => clickhouse.query(sql, params);
  const parts: Parts = {
    postgres: postgres === null ? null : (sql, params) => postgres.query(sql, params),
    kafka: () => describeKafka({ ...kafka, holdMs: PATIENCE_MS }, { isOurs, heartbeats }),
    clickhouse: ask,
    tableNames: () => rememberedNames((sql) => ask(sql), `${target.database}_cdc`),
    connector: connect === null ? null : () => lookAtConnector(connect, connector.name, config.secrets),
    registry: registry === null ? null : () => lookAtRegistry(registry),
    includes: (table) => included(table) && table !== connector.signalTable,
    sends: (column) => mirrorType({ ...column, notNull: false, generated: false }, false) !== null,
    policies: (table) => {
      const choices = choicesOf(config.columns, table, []);
      return (column, inKey) => policiesInForce({ ...column, generated: false }, inKey, choices);
    },
  };
  try {
    const facts = await gather(parts, wantedOf(config));
    const found = findings(facts);
    const result = checkResult(facts, found);
    print(options.form === 'json' ? JSON.stringify(result, null, 2) : renderResult(result));
    return failsOn(found, options.failOn) ? EXIT.findings : EXIT.done;
  } finally {
    await Promise.all([postgres?.close(), clickhouse.close()]);
  }
}

function wantedOf(config: Config): Wanted {
  const { connector } = config;
  return {
    topicPrefix: config.topicPrefix,
    unavailableValue: config.unavailableValue,
    database: config.clickhouse.database,
    connectorName: connector.name,
    slot: connector.placeholders['SLOT_NAME'] ?? '',
    publication: connector.placeholders['PUBLICATION_NAME'] ?? '',
    signalTable: connector.signalChannel === 'table' ? connector.signalTable : null,
    groupId: config.kafka.groupId,
    brokers: config.kafka.brokers.join(','),
    mirrors: config.mirrors,
    routes: config.tables.routes,
    modes: connector.modes,
    rules: config.columns,
    warnings: config.warnings,
  };
}

async function lookAtConnector(
  connectUrl: HttpEndpoint,
  name: string,
  secrets: readonly string[],
): Promise<ConnectFacts> {
  const rest = openConnect(connectUrl, { secrets, requestMs: PATIENCE_MS, busyMs: PATIENCE_MS });
  const { plugins } = await rest.versions();
  const config = await rest.config(name);
  const status = await settledStatus({ connectUrl, name, secrets }, PATIENCE_MS);
  return {
    plugin: plugins.find(({ className }) => className === DEBEZIUM)?.version ?? null,
    config,
    running: status.running,
    state: status.state,
    taskFailed: taskFailed(status),
    status: renderStatus(status),
  };
}

async function lookAtRegistry(registry: HttpEndpoint): Promise<void> {
  const at = new URL(registry.url).host;
  const hint = 'Check REGISTRY_URL, its login and its TLS settings.';
  const answer = await httpCall(registry, { method: 'GET', path: '', timeoutMs: PATIENCE_MS }).catch(
    (cause: unknown) => {
      const { code = 'no answer in time' } = cause as { code?: string };
      throw new ServiceError('REGISTRY_UNREACHABLE', `The registry at ${at} does not answer (${code})`, {
        hint,
      });
    },
  );
  if (answer.status !== 401 && answer.status !== 403) return;
  throw new ServiceError(
    'REGISTRY_REFUSED_LOGIN',
    `The registry at ${at} refused the login (${String(answer.status)})`,
    { hint },
  );
}
