/** The real parts that the benchmarks run on: a stack of their own, kept in `.stack/bench` from run to run. */
import { connectClickHouse, type ClickHouse } from '../src/clickhouse/client';
import type { Profile } from '../src/connect/profile';
import { openPostgres, type Postgres } from '../src/postgres/client';
import { startStack } from '../stack/local';
import type { PartName, StackEnv } from '../stack/state';
import { BENCH_DIR, keepsParts, PARTS_DIR } from './bench-settings';

export interface BenchParts {
  readonly env: StackEnv;
  readonly clickhouse: ClickHouse;
  /** The source's database, made where it is missing. */
  readonly postgres: Postgres;
  readonly pgUrl: URL;
  pid(name: PartName): number;
  /** Closes the clients, and stops the parts unless they are to be kept. */
  close(): Promise<void>;
}

const DATABASE = 'bench';

/** For Avro the registry belongs to the parts. */
export async function openBenchParts(log: (line: string) => void, wire: Profile = 'json'): Promise<BenchParts> {
  const connector = wire === 'avro' ? wire : null;
  const stack = await startStack({
    dir: BENCH_DIR,
    partsDir: PARTS_DIR,
    ports: 'free',
    connector,
    registration: 'later',
    log,
  });
  const { env } = stack;
  const root = openPostgres(env.PG_URL);
  const found = await root.query(`SELECT 1 FROM pg_database WHERE datname = '${DATABASE}'`);
  if (found.length === 0) await root.query(`CREATE DATABASE ${DATABASE}`);
  await root.close();
  const pgUrl = new URL(env.PG_URL);
  pgUrl.pathname = `/${DATABASE}`;
  const postgres = openPostgres(pgUrl.href, { statementTimeoutMs: 600_000 });
  const chUrl = new URL(env.CH_URL);
  const clickhouse = connectClickHouse({
    url: chUrl.origin,
    user: decodeURIComponent(chUrl.username) || 'default',
    password: decodeURIComponent(chUrl.password),
    application: 'benchmarks',
    requestTimeoutMs: 600_000,
  });
  return {
    env,
    clickhouse,
    postgres,
    pgUrl,
    pid(name) {
      const part = stack.parts()[name];
      if (part === undefined) throw new Error(`${name} was not started`);
      return part.pid;
    },
    async close() {
      await Promise.allSettled([postgres.close(), clickhouse.close()]);
      if (!keepsParts()) await stack.stop();
    },
  };
}
