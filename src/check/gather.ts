/** Asks every part for the facts that `check` judges; changes nothing anywhere. */
import { ServiceError } from '../errors';
import type { CheckFacts, ConnectFacts, KafkaFacts, Looked, Wanted } from './facts';
import { clickhouseFacts, type ClickHouseQuery, type TableNames } from './gather-clickhouse';
import { postgresFacts, type Query, type TableQuestions } from './gather-postgres';

/** How each part is asked; null where no setting names it. */
export interface Parts extends TableQuestions {
  readonly postgres: Query | null;
  readonly kafka: () => Promise<KafkaFacts>;
  readonly clickhouse: ClickHouseQuery;
  readonly tableNames: () => Promise<TableNames>;
  readonly connector: (() => Promise<ConnectFacts>) | null;
  /** Resolves when the registry answers. */
  readonly registry: (() => Promise<void>) | null;
}

/** All parts at once, so that it takes as long as the slowest. Never throws for a part that is away. */
export async function gather(parts: Parts, wanted: Wanted): Promise<CheckFacts> {
  const { postgres: query, connector, registry: ask } = parts;
  const [postgres, kafka, clickhouse, connect, registry] = await Promise.all([
    look(query === null ? null : () => postgresFacts(query, wanted, parts)),
    look(parts.kafka),
    look(() => clickhouseFacts(parts.clickhouse, wanted, parts.tableNames)),
    look(connector),
    look(ask === null ? null : () => ask().then(() => null)),
  ]);
  return { postgres, kafka, clickhouse, connect, registry, wanted };
}

async function look<T>(ask: (() => Promise<T>) | null): Promise<Looked<T>> {
  if (ask === null) return { state: 'not set' };
  try {
    return { state: 'reached', facts: await ask() };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { state: 'failed', code: error.code, message: error.message, hint: error.hint };
  }
}
