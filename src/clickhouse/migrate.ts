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
 * Creates the databases (or accepts Atomic ones), runs the migrations that have not run or whose tables were dropped,
 * and returns their names. Every statement is `IF NOT EXISTS`, so a migration that was cut off is run again whole.
 */
export async function migrateClickHouse(clickhouse: ClickHouse, databases: Databases): Promise<string[]> {
  for (const name of [databases.views, databases.machinery]) await createDatabase(clickhouse, name);
  const machinery = quoteName(databases.machinery);
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${machinery}.migrations (name String, at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY name COMMENT 'debezium-clickhouse: migrations that ran'`,
  );
  const rows = await clickhouse.query<{ name: string }>(`SELECT DISTINCT name FROM ${machinery}.migrations`);
  const known = new Set(rows.map(({ name }) => name));
  const standing = await clickhouse.query<{ name: string }>(
    'SELECT name FROM system.tables WHERE database = {database:String}',
    { database: databases.machinery },
  );
  const tables = new Set(standing.map(({ name }) => name));
  const files = migrationFiles();
  // A table that was dropped is made again as it was: by its migration and by all that came after it.
  const first = files.findIndex(
    ({ file, text }) => !known.has(file) || tablesMadeBy(text).some((name) => !tables.has(name)),
  );
  const due = first === -1 ? [] : files.slice(first);
  for (const { file, text } of due) {
    for (const statement of statements(text)) {
      await clickhouse.command(
        statement.replaceAll('{{machinery}}', machinery).replaceAll('{{views}}', quoteName(databases.views)),
      );
    }
    if (!known.has(file)) await clickhouse.command(`INSERT INTO ${machinery}.migrations (name) VALUES ('${file}')`);
  }
  const ran = due.map(({ file }) => file);
  return ran;
}

function migrationFiles(): { file: string; text: string }[] {
  const folder = migrationsFolder();
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return files.sort().map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));
}

function tablesMadeBy(text: string): string[] {
  return [...text.matchAll(/^CREATE TABLE IF NOT EXISTS \{\{machinery\}\}\.(\w+)/gm)].map(([, name]) => name ?? '');
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
