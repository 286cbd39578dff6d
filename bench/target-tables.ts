/** The tables that every contender writes to: `changes` and a mirror, as the service makes them. */
import type { ClickHouse } from '../src/clickhouse/client';
import {
  createMirrorSql,
  createViewSql,
  DDL_SETTINGS,
  mirrorName,
  publicName,
  type Databases,
} from '../src/clickhouse/ddl';
import { migrateClickHouse } from '../src/clickhouse/migrate';
import { mirrorLayout, type MirrorLayout } from '../src/clickhouse/mirror-layout';
import { readTable } from '../src/postgres/catalogue';
import { waitFor } from '../test/harness/wait-for';
import type { BenchParts } from './bench-parts';
import { TABLE } from './workload';

/** Where a contender writes to. */
export interface Target {
  readonly databases: Databases;
  /** Names with their databases, for statements. */
  readonly changes: string;
  readonly mirror: string;
  readonly view: string;
}

export function targetOf(name: string, table: string = TABLE): Target {
  const databases = { views: `bench_${name}`, machinery: `bench_${name}_cdc` };
  return {
    databases,
    changes: `${databases.machinery}.changes`,
    mirror: `${databases.machinery}.${mirrorName(publicName('public', table))}`,
    view: `${databases.views}.${publicName('public', table)}`,
  };
}

/** Removes what an earlier run left, and waits until the server is done with it. */
export async function clearTarget(clickhouse: ClickHouse, { databases }: Target): Promise<void> {
  for (const one of [databases.views, databases.machinery]) {
    await clickhouse.command(`DROP DATABASE IF EXISTS ${one} SYNC`);
  }
  await waitFor(
    async () => (await clickhouse.query<{ n: string }>('SELECT count() AS n FROM system.merges'))[0]?.n === '0',
    'no merge runs',
    120_000,
  );
}

export async function layoutOf({ postgres }: BenchParts, table: string = TABLE): Promise<MirrorLayout> {
  const found = await readTable((sql, params) => postgres.query(sql, params), 'public', table);
  if (found === null) throw new Error(`the source has no table ${table}`);
  const layout = mirrorLayout(found);
  if ('code' in layout) throw new Error(`${table} cannot be mirrored: ${layout.code}`);
  return layout;
}

/** The service makes these tables itself; the other contenders get them. */
export async function createTarget(parts: BenchParts, { databases }: Target): Promise<void> {
  const { clickhouse } = parts;
  await migrateClickHouse(clickhouse, databases);
  const place = { layout: await layoutOf(parts), databases, name: publicName('public', TABLE) };
  await clickhouse.command(createMirrorSql(place), DDL_SETTINGS);
  await clickhouse.command(createViewSql(place), DDL_SETTINGS);
}

/** What a target holds: the same for every contender that wrote the same rows. */
export interface Contents {
  readonly changes: string;
  readonly mirrored: string;
}

/** Counts and sums of hashes, so that the order and the number of parts do not matter. `ingested_at` is each one's own. */
export async function contentsOf(clickhouse: ClickHouse, { changes, view }: Target): Promise<Contents> {
  const audited = [
    ...['source', 'db', 'schema', 'table', 'op', 'key', 'before', 'after', 'ts', 'captured_at', 'tx_id', 'tx_order'],
    ...['lsn', 'commit_lsn', 'snapshot', 'redelivered', 'unavailable', 'topic', 'partition', 'offset'],
  ];
  const of = async (table: string, columns: string): Promise<string> => {
    const [row] = await clickhouse.query<{ n: string; hash: string }>(
      `SELECT count() AS n, sum(cityHash64(${columns})) AS hash FROM ${table}`,
    );
    return `${row?.n ?? ''} rows, hash ${row?.hash ?? ''}`;
  };
  const columns = audited.map((name) => `toString(${name})`).join(', ');
  return { changes: await of(changes, columns), mirrored: await of(view, '*') };
}
