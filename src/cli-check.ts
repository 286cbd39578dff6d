/** `check`: asks the parts that the settings name, and prints what to mend. */
import { findings } from './check/findings';
import { gather, type Parts } from './check/gather';
import { checkResult, renderResult } from './check/report';
import { EXIT } from './cli-failure';
import { connectClickHouse } from './clickhouse/client';
import type { Config } from './config';
import { tableFilter } from './config-patterns';
import { connectorStatus, renderStatus } from './connect/connector';
import { openConnect } from './connect/rest';
import { describeTopics } from './kafka/client';
import { openPostgres } from './postgres/client';
import type { HttpEndpoint } from './security';

/** A part that has not answered by then counts as away. */
const PATIENCE_MS = 5_000;

/** 1 if there is an error among the findings, 0 with warnings only. Throws nothing for a part that is away. */
export async function runCheck(config: Config, print: (text: string) => void, form: 'text' | 'json'): Promise<number> {
  const { clickhouse: target } = config;
  const postgres =
    config.postgres === null
      ? null
      : openPostgres(config.postgres, { connectionTimeoutMs: PATIENCE_MS, statementTimeoutMs: PATIENCE_MS });
  const clickhouse = connectClickHouse({
    ...target,
    application: 'debezium-clickhouse check',
    requestTimeoutMs: PATIENCE_MS,
  });
  const included = tableFilter(config.tables);
  const { connect, connector, kafka } = config;
  const parts: Parts = {
    postgres: postgres === null ? null : (sql) => postgres.query(sql),
    topics: () => describeTopics({ ...kafka, holdMs: PATIENCE_MS }),
    clickhouse: (sql, params) => clickhouse.query(sql, params),
    connector: connect === null ? null : () => lookAtConnector(connect, connector.name, config.secrets),
    includes: (table) => included(table) && table !== connector.signalTable,
  };
  try {
    const facts = await gather(parts, {
      topicPrefix: config.topicPrefix,
      unavailableValue: config.unavailableValue,
      database: target.database,
      connectorName: connector.name,
      mirrors: config.mirrors,
      routes: config.tables.routes,
    });
    const result = checkResult(facts, findings(facts));
    print(form === 'json' ? JSON.stringify(result, null, 2) : renderResult(result));
    return result.ok ? EXIT.done : EXIT.findings;
  } finally {
    await Promise.all([postgres?.close(), clickhouse.close()]);
  }
}

async function lookAtConnector(connectUrl: HttpEndpoint, name: string, secrets: readonly string[]) {
  const rest = openConnect(connectUrl, { secrets, requestMs: PATIENCE_MS, busyMs: PATIENCE_MS });
  const config = await rest.config(name);
  const status = await connectorStatus({ connectUrl, name, secrets });
  return { config, running: status.running, status: renderStatus(status) };
}
