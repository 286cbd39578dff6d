/** Brings the service's own databases and tables up to date, from the files in migrations/. Safe to run by several at once. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../errors';
import type { ClickHouse } from './client';
import { quoteName, type Databases } from './ddl';

/** `dist/src/clickhouse` and `src/clickhouse` are not equally deep, so the folder is looked for upwards. */
function migrationsFolder(): string {
  for (let folder = __dirname; ; folder = join(folder, '..')) {
    try {
      readdirSync(join(folder, 'migrations'));
      return join(folder, 'migrations');
    } catch (cause) {
      if (folder === join(folder, '..')) {
        throw new ServiceError('INTERNAL', 'The folder migrations/ is missing beside the service.', {
          hint: 'Install the service again.',
          cause,
        });
      }
    }
  }
}

/**
 * Creates the databases (or accepts Atomic ones), runs the migrations that have not run, and returns their names.
 * Every statement is `IF NOT EXISTS`, so a migration that was cut off is run again whole.
 */
export async function migrateClickHouse(clickhouse: ClickHouse, databases: Databases): Promise<string[]> {
  for (const name of [databases.views, databases.machinery]) await createDatabase(clickhouse, name);
  const machinery = quoteName(databases.machinery);
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${machinery}.migrations (name String, at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY name COMMENT 'debezium-clickhouse: migrations that ran'`,
  );
  const rows = await clickhouse.query<{ name: string }>(`SELECT DISTINCT name FROM ${machinery}.migrations`);
  const known = new Set(rows.map(({ name }) => name));
  const folder = migrationsFolder();
  const ran: string[] = [];
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    if (known.has(file)) continue;
    for (const statement of statements(readFileSync(join(folder, file), 'utf8'))) {
      await clickhouse.command(
        statement.replaceAll('{{machinery}}', machinery).replaceAll('{{views}}', quoteName(databases.views)),
      );
    }
    await clickhouse.command(`INSERT INTO ${machinery}.migrations (name) VALUES ('${file}')`);
    ran.push(file);
  }
  return ran;
}

/** Statements end with a semicolon at the end of a line; comments and strings of ours hold none there. */
function statements(text: string): string[] {
  return text
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function createDatabase(clickhouse: ClickHouse, name: string): Promise<void> {
  const find = (): Promise<{ engine: string }[]> =>
    clickhouse.query<{ engine: string }>('SELECT engine FROM system.databases WHERE name = {name:String}', { name });
  let [found] = await find();
  if (found === undefined) {
    await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(name)} ENGINE = Atomic`);
    [found] = await find();
  }
  if (found?.engine === 'Atomic') return;
  throw new ServiceError(
    'CLICKHOUSE_NOT_ATOMIC',
    `The ClickHouse database ${name} has engine ${found?.engine ?? 'unknown'}, not Atomic.`,
    {
      hint: 'Exactly-once needs tables with a UUID, which only Atomic databases give. Set CH_DATABASE to another name; it is created.',
    },
  );
}
