/**
 * Seeded writers on the source. Each owns the keys of its number (id modulo the number of writers), so the statements of a
 * key run in the order in which they were made, and `v`, a count over all statements, only grows for a key.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { randomOf, type Random } from './random';

/** How a table identifies old rows, and what is special about it. */
export interface ChaosTable {
  readonly name: string;
  readonly identity: 'full' | 'default';
  readonly body: 'short' | 'toasted';
  readonly truncated: 'sometimes' | 'never';
  /** What is done to it meanwhile: Debezium has no snapshot of a table that is altered, nor of one that is truncated. */
  readonly meanwhile: 'altered' | 'snapshot';
}

export const CHAOS_TABLES: readonly ChaosTable[] = [
  { name: 'account', identity: 'full', body: 'short', truncated: 'never', meanwhile: 'altered' },
  { name: 'plain', identity: 'default', body: 'short', truncated: 'never', meanwhile: 'snapshot' },
  { name: 'document', identity: 'default', body: 'toasted', truncated: 'never', meanwhile: 'snapshot' },
  { name: 'letter', identity: 'full', body: 'toasted', truncated: 'never', meanwhile: 'altered' },
  { name: 'wiped', identity: 'full', body: 'short', truncated: 'sometimes', meanwhile: 'altered' },
];

/** Statements that create the tables with their first rows. */
export function createTables(): readonly string[] {
  return CHAOS_TABLES.flatMap(({ name, identity, body }) => [
    `CREATE TABLE ${name} (id int PRIMARY KEY, v bigint NOT NULL, n int NOT NULL, body text)`,
    ...(identity === 'full' ? [`ALTER TABLE ${name} REPLICA IDENTITY FULL`] : []),
    ...(body === 'toasted' ? [`ALTER TABLE ${name} ALTER COLUMN body SET STORAGE EXTERNAL`] : []),
    `INSERT INTO ${name} SELECT i, 0, 0, repeat('first ', ${body === 'toasted' ? 600 : 1}) FROM generate_series(0, 59) i`,
  ]);
}

export interface Written {
  readonly committed: number;
  readonly rolledBack: number;
  /** Transactions that PostgreSQL did not take, or whose fate is unknown because it was away. */
  readonly failed: number;
  readonly truncates: number;
}

export interface Workload {
  /** Ends the transactions under way and stops. */
  stop(): Promise<Written>;
}

const WRITERS = 3;
const KEYS = 240;

interface Writer {
  readonly random: Random;
  readonly number: number;
  /** The last writer keeps its transactions open for long. */
  readonly slow: boolean;
}

/** @param partitions of each topic: a value that a changed key withholds is found within one partition only (docs/types.md) */
export function startWorkload(url: string, { seed, partitions }: { seed: number; partitions: number }): Workload {
  const over = new AbortController();
  const written = { committed: 0, rolledBack: 0, failed: 0, truncates: 0 };
  let version = 0;
  const nextVersion = (): number => ++version;

  const transact = async (client: Client, { random, number, slow }: Writer): Promise<void> => {
    const table = (): ChaosTable => random.pick(slow ? CHAOS_TABLES.slice(0, 4) : CHAOS_TABLES);
    const count = sizeOf(random);
    const statements: string[] = [];
    for (let i = 0; i < count; i++)
      statements.push(...statementsOf(table(), { random, number, nextVersion, partitions }));
    if (!slow && random.chance(3)) {
      statements.push('TRUNCATE wiped');
      written.truncates++;
    }
    const rollsBack = random.chance(8);
    await client.query(`BEGIN; SET LOCAL lock_timeout = '3s'; ${statements.join('; ')}`);
    if (slow) await pause(random.between(200, 8_000), undefined, { signal: over.signal }).catch(() => undefined);
    await client.query(rollsBack ? 'ROLLBACK' : 'COMMIT');
    if (rollsBack) written.rolledBack++;
    else written.committed++;
  };

  const write = async (writer: Writer): Promise<void> => {
    let client: Client | null = null;
    while (!over.signal.aborted) {
      try {
        client ??= await connect(url);
        await transact(client, writer);
      } catch {
        written.failed++;
        await client?.end().catch(() => undefined);
        client = null;
        await pause(200);
      }
      await pause(writer.random.between(20, 250));
    }
    await client?.end().catch(() => undefined);
  };

  const writers = Array.from({ length: WRITERS }, (_, number) =>
    write({ random: randomOf(seed, `writer ${number}`), number, slow: number === WRITERS - 1 }),
  );
  return {
    async stop() {
      over.abort();
      await Promise.all(writers);
      return written;
    },
  };
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3_000, query_timeout: 20_000 });
  // A connection that breaks between two queries is reported by the next.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Mostly small; sometimes hundreds of statements. */
function sizeOf(random: Random): number {
  const { from, to } = random.weighted([
    { weight: 70, from: 1, to: 8 },
    { weight: 25, from: 9, to: 60 },
    { weight: 5, from: 100, to: 500 },
  ]);
  return random.between(from, to);
}

interface Making {
  readonly random: Random;
  readonly number: number;
  readonly nextVersion: () => number;
  readonly partitions: number;
}

/** One step on a table, right whatever rows there are. */
function statementsOf(table: ChaosTable, { random, number, nextVersion, partitions }: Making): readonly string[] {
  const { name, body, identity } = table;
  const keeps = partitions > 1 && identity === 'default' && body === 'toasted';
  const own = (): number => random.below(KEYS / WRITERS) * WRITERS + number;
  const text = (): string =>
    body === 'toasted'
      ? `repeat('v${random.below(1_000)} ', ${random.between(500, 900)})`
      : `'v${random.below(1_000)}'`;
  const put = (id: number): string =>
    `INSERT INTO ${name} (id, v, n, body) VALUES (${id}, ${nextVersion()}, ${random.below(100)}, ${text()}) ` +
    `ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = excluded.n, body = excluded.body`;
  const touch = (id: number): string => `UPDATE ${name} SET v = ${nextVersion()}, n = n + 1 WHERE id = ${id}`;
  const id = own();
  const { make } = random.weighted<{ weight: number; make: () => readonly string[] }>([
    { weight: 30, make: () => [put(id)] },
    { weight: 25, make: () => [touch(id)] },
    { weight: 5, make: () => Array.from({ length: random.between(2, 12) }, () => touch(id)) },
    { weight: 12, make: () => [`DELETE FROM ${name} WHERE id = ${id}`] },
    { weight: 8, make: () => [`DELETE FROM ${name} WHERE id = ${id}`, put(id)] },
    { weight: keeps ? 0 : 8, make: () => [moved(name, { from: id, to: own(), version: nextVersion() })] },
    {
      weight: 3,
      make: () => ['SAVEPOINT s', put(own()), touch(own()), `DELETE FROM ${name} WHERE id = ${own()}`, 'ROLLBACK TO s'],
    },
    { weight: 2, make: () => ['SAVEPOINT s', touch(own()), put(own()), 'RELEASE s'] },
    { weight: 1, make: () => copied(name, { number, version: nextVersion(), body }) },
    {
      weight: 1,
      make: () => [
        `UPDATE ${name} SET v = ${nextVersion()}, n = n + 1 WHERE id % ${WRITERS} = ${number} AND id < ${KEYS}`,
      ],
    },
  ]);
  return make();
}

/** A change of the key: the version grows for the new key as well. */
function moved(name: string, { from, to, version }: { from: number; to: number; version: number }): string {
  return `UPDATE ${name} SET id = ${to}, v = ${version} WHERE id = ${from} AND NOT EXISTS (SELECT 1 FROM ${name} WHERE id = ${to})`;
}

/** Fresh rows by COPY in the place of old ones, above the keys of the other statements. */
function copied(name: string, { number, version, body }: { number: number; version: number; body: string }): string[] {
  const first = KEYS + number;
  const last = first + WRITERS * 39;
  const long = body === 'toasted' ? '-'.repeat(2_500) : '';
  return [
    `DELETE FROM ${name} WHERE id >= ${KEYS} AND id % ${WRITERS} = ${number}`,
    `COPY ${name} (id, v, n, body) FROM PROGRAM 'seq -f "%.0f,${version},0,copied${long}" ${first} ${WRITERS} ${last}' WITH (FORMAT csv)`,
  ];
}
