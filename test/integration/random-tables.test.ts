/**
 * Random tables, types, values and transactions through the real parts: in the end every mirror equals its source.
 * SEED repeats a run; TABLES and TRANSACTIONS enlarge it (`npm run test:random`).
 */
import { scenario, withLogs } from '../harness/scenario';
import {
  firstRow,
  quoted,
  randomTables,
  randomTransaction,
  type RandomColumn,
  type RandomTable,
} from '../harness/random-tables';
import { inClickHouse, inPostgres, normal, shownNull } from '../harness/type-comparison';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

const SEED = Number(process.env['SEED'] ?? 2);
const TABLES = Number(process.env['TABLES'] ?? 8);
const TRANSACTIONS = Number(process.env['TRANSACTIONS'] ?? 150);
/** Two in every other run: a truncate makes the mirror anew then, and a changed key may move to the other. */
const PARTITIONS = 1 + (SEED % 2);

jest.setTimeout(120_000 + TRANSACTIONS * 200);

describe(`random tables of the seed ${SEED}`, () => {
  let world: World;
  const tables = randomTables(SEED, { count: TABLES, partitions: PARTITIONS });

  const prepare = async (): Promise<void> => {
    process.stderr.write(`  random tables: SEED=${SEED} TABLES=${TABLES} TRANSACTIONS=${TRANSACTIONS}\n`);
    world = await openWorld();
    await world.sql(
      ...['hstore', 'citext', 'ltree', 'isn'].map((name) => `CREATE EXTENSION ${name}`),
      `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`,
      'CREATE DOMAIN posint AS int CHECK (VALUE > 0)',
      'CREATE DOMAIN cents AS numeric(8,2)',
    );
    for (const table of tables) await world.sql(...table.ddl, ...firstRow(SEED, table));
    // What is there before the connector comes with its snapshot.
    await transact(0, Math.floor(TRANSACTIONS / 5));
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] }, partitions: PARTITIONS });
    await world.service.start({ env: { GUARD_SECONDS: '30', INSERT_TIMEOUT_SECONDS: '30' } });
    await transact(Math.floor(TRANSACTIONS / 5), TRANSACTIONS);
  };

  const transact = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) {
      const statements = randomTransaction(SEED, tables, n, `${world.name}-${SEED}`);
      await world.sql('SELECT', ...statements).catch((error: unknown) => {
        throw new Error(`transaction ${n}: ${(error as Error).message}\n${statements.join(';\n')}`);
      });
    }
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  /** Values that are the same text in both by design; `verify` compares the others too. */
  const isComparable = ({ type: { type, values } }: RandomColumn): boolean =>
    type !== 'char(5)' && values.every(({ shown }) => shown === undefined);

  /** The rows of both as text, read without any code of the service. */
  const rows = async (table: RandomTable): Promise<{ source: string[]; shown: string[] }> => {
    const columns = [...table.key, ...table.rest].filter(isComparable);
    const name = (one: RandomColumn): string => `\`${one.name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
    const inSource = columns.map((one) => inPostgres(one.type, quoted(one.name)));
    const inView = columns.map((one) => `toNullable(${inClickHouse(one.type, name(one))})`);
    const view = name({ ...table.key[0]!, name: table.name });
    const [source, shown] = await Promise.all([
      world.postgres.query<{ cells: (string | null)[] }>(
        `SELECT ARRAY[${inSource.join(', ')}]::text[] AS cells FROM ${quoted(table.name)}`,
      ),
      world.clickhouse.query<{ cells: (string | null)[] }>(
        `SELECT [${inView.join(', ')}]::Array(Nullable(String)) AS cells FROM ${world.database}.${view}`,
      ),
    ]);
    const asText = ({ cells }: { cells: (string | null)[] }): string =>
      columns
        .map(({ name: of, type: { type } }, index) => `${of}=${normal(type, cells[index] ?? null) ?? shownNull(type)}`)
        .join(' ');
    return { source: source.map(asText).sort(), shown: shown.map(asText).sort() };
  };

  scenario('every view holds the rows of its table', async () => {
    for (const table of tables) {
      let last: { source: string[]; shown: string[] } | null = null;
      const equal = waitFor(
        async () => {
          last = await rows(table);
          return last.source.join('\n') === last.shown.join('\n');
        },
        `the view of ${table.name} equals the source`,
        90_000,
      );
      await equal.catch(async (error: unknown) => {
        const missing = last?.source.filter((row) => !last?.shown.includes(row)) ?? [];
        const surplus = last?.shown.filter((row) => !last?.source.includes(row)) ?? [];
        const shown = { missing: missing.slice(0, 3), surplus: surplus.slice(0, 3), ddl: table.ddl };
        throw new Error(`SEED=${SEED}: ${(error as Error).message}\n${JSON.stringify(shown, null, 2)}`);
      });
    }
  });

  scenario('verify finds no difference, nothing is in quarantine, and changes has each record once', async () => {
    const { code, result } = await verified(world);
    const differing = result.tables.filter(({ differences }) => differences > 0);
    expect({ seed: SEED, differing, skipped: result.skipped, doubtful: result.doubtful }).toEqual({
      seed: SEED,
      differing: [],
      skipped: [],
      doubtful: [],
    });
    expect(code).toBe(0);
    expect(result.tables.map(({ table }) => table).sort()).toEqual(tables.map(({ name }) => `public.${name}`).sort());
    await world.auditIsExactlyOnce();
  });
});
