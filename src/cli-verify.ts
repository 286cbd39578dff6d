/** `verify`: asks PostgreSQL, Kafka and ClickHouse that the settings name, and says whether mirrors equal their source. */
import { EXIT } from './cli-failure';
import { refuseWhilePaused } from './cli-paused';
import { connectClickHouse } from './clickhouse/client';
import { openQuarantine, WHOLE_QUARANTINE } from './clickhouse/quarantine';
import type { Config } from './config';
import { ServiceError } from './errors';
import { openReader } from './kafka/reader';
import { readTable } from './postgres/catalogue';
import { openPostgres, withSession } from './postgres/client';
import { MOST_DOUBTFUL, renderDoubtful } from './verify/doubtful';
import type { Progress } from './verify/ports';
import { renderVerify } from './verify/report';
import type { Doubts, VerifyResult } from './verify/result';
import { verify, type VerifyOptions } from './verify/verify';
import { connectTarget, databasesOf } from './wiring';

/** Without any progress for so long, the connector or the service counts as standing still. */
const PATIENCE_MS = 120_000;
/** Statements over whole tables. */
const STATEMENT_MS = 3_600_000;

export type VerifyWhat = Pick<VerifyOptions, 'tables' | 'sample' | 'values'> & { readonly patienceMs?: number };

/** 0 if all that was compared is equal, 1 if not, 3 if nothing was compared, or not a table that was asked for. */
export async function runVerify(
  config: Config,
  what: VerifyWhat,
  form: 'text' | 'json',
  print: (text: string) => void,
): Promise<number> {
  const bar = form === 'text' && process.stderr.isTTY ? showProgress : null;
  await refuseWhilePaused(config, 'verify', null);
  const compared = await verifyMirrors(config, what, (progress) => bar?.(progress));
  const result = { ...compared, ...(await doubtsOf(config, what.tables)) };
  if (bar !== null) process.stderr.write('\r\x1b[K');
  print(
    form === 'json'
      ? JSON.stringify(result, null, 2)
      : [renderVerify(result), ...renderDoubtful(result.doubtful, result.doubtfulCount)].join('\n'),
  );
  if (!result.equal) return EXIT.findings;
  const missed = result.tables.length === 0 || (what.tables !== null && result.skipped.length > 0);
  return missed ? EXIT.failed : EXIT.done;
}

/** What is open in quarantine, of the tables asked for and of topics whose table is not known. */
async function doubtsOf(config: Config, tables: readonly string[] | null): Promise<Doubts> {
  const clickhouse = connectTarget(config);
  try {
    const quarantine = openQuarantine(clickhouse, databasesOf(config).machinery);
    const concerned = (table: string): boolean => table === '' || tables === null || tables.includes(table);
    const groups = (await quarantine.groups(WHOLE_QUARANTINE)).filter(({ table }) => concerned(table));
    const doubtfulCount = groups.reduce((sum, { records }) => sum + records, 0);
    const records = doubtfulCount === 0 ? [] : await quarantine.records(WHOLE_QUARANTINE, MOST_DOUBTFUL);
    const doubtful = records
      .filter(({ table }) => concerned(table))
      .map(({ table, column, topic, partition, offset, code }) => ({ table, column, topic, partition, offset, code }));
    return { doubtful, doubtfulCount };
  } finally {
    await clickhouse.close();
  }
}

/** Throws VERIFY_TIMED_OUT, CONFIG_INVALID where PG_URL is not set, and what PostgreSQL, Kafka and ClickHouse give. */
export async function verifyMirrors(
  config: Config,
  what: VerifyWhat,
  onProgress: (progress: Progress) => void,
): Promise<VerifyResult> {
  const { postgres: source, clickhouse: target, kafka } = config;
  if (source === null) {
    throw new ServiceError('CONFIG_INVALID', 'verify needs PG_URL, and it is not set.', {
      hint: 'Set it in the environment or in .env, for example PG_URL=postgres://user:password@host:5432/database',
    });
  }
  const postgres = openPostgres(source);
  const clickhouse = connectClickHouse({
    ...target,
    application: 'debezium-clickhouse verify',
    requestTimeoutMs: STATEMENT_MS,
  });
  const reader = openReader({ ...kafka, holdMs: 0 });
  try {
    return await verify(
      {
        ...what,
        topicPrefix: config.topicPrefix,
        machinery: `${target.database}_cdc`,
        patienceMs: what.patienceMs ?? PATIENCE_MS,
      },
      {
        inSession: (use) => withSession(source, use),
        source: postgres,
        readTable: (session, schema, name) => readTable((sql, params) => session.query(sql, params), schema, name),
        mirror: { query: (sql) => clickhouse.query(sql) },
        kafka: reader,
        onProgress,
        now: () => performance.now(),
        sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      },
    );
  } finally {
    await Promise.allSettled([postgres.close(), clickhouse.close(), reader.close()]);
  }
}

/** One line that is written over. */
function showProgress({ phase, table, done, total }: Progress): void {
  const part =
    total > 0
      ? ` ${Math.round((done / total) * 100)} % ${'#'.repeat(Math.round((done / total) * 20)).padEnd(20, '.')}`
      : '';
  process.stderr.write(`\r\x1b[K${table === '' ? '' : `${table}: `}${phase}${part}`);
}
