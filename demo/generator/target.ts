/** The tables in PostgreSQL: made where they are missing, left alone where they are somebody else's, and what stands in them. */
import { readFileSync } from 'node:fs';
import { ServiceError } from '../../src/errors';
import type { PostgresSession } from '../../src/postgres/client';
import type { Standing } from './plan';
import { SHAPES, TABLES, type Table } from './tables';
import type { Statement } from './statements';

/** Makes the tables where they are missing. Throws CONFIG_INVALID where a table of such a name has other columns. */
export async function prepareTables(session: PostgresSession, schemaFile: string): Promise<void> {
  await session.query('SET search_path = public');
  const found = await session.query<{ table_name: string; names: string[] }>(
    `SELECT table_name, array_agg(column_name::text) AS names FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name = ANY($1) GROUP BY table_name`,
    [TABLES],
  );
  for (const { table_name, names } of found) {
    const { key, time, inserted } = SHAPES[table_name as Table];
    const missing = [key, time, ...inserted].map(({ name }) => name).filter((name) => !names.includes(name));
    if (missing.length > 0) {
      throw new ServiceError(
        'CONFIG_INVALID',
        `public.${table_name} is there and is not the demo's table: it lacks ${missing.join(', ')}.`,
        { hint: 'Nothing was changed. Let PG_URL name a database of its own for the demo.' },
      );
    }
  }
  // Only what is missing: ALTER TABLE would wait for everybody who writes.
  const full = await session.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relname = ANY($1) AND relreplident = 'f'`,
    [TABLES],
  );
  if (found.length < TABLES.length || full[0]?.count !== TABLES.length)
    await session.query(readFileSync(schemaFile, 'utf8'));
}

const NEWEST_LOGINS = 100_000;
const NEWEST_NAMES = 2_000;

export async function readStanding(session: PostgresSession): Promise<Standing & { readonly rows: number }> {
  const users = await session.query<{ username: string; event_type: string }>(
    `SELECT DISTINCT ON (username) username, event_type FROM public.user_logins
     WHERE id > (SELECT coalesce(max(id), 0) FROM public.user_logins) - $1 ORDER BY username, id DESC`,
    [NEWEST_LOGINS],
  );
  const names = await session.query<{ id: number }>(`SELECT id FROM public.my_table ORDER BY id DESC LIMIT $1`, [
    NEWEST_NAMES,
  ]);
  const stock = await session.query<{ product_id: number; warehouse: string; pieces: number }>(
    `SELECT product_id, warehouse, sum(CASE direction WHEN 'in' THEN quantity ELSE -quantity END)::int AS pieces
     FROM public.stock_movements GROUP BY product_id, warehouse`,
  );
  const [sales] = await session.query<{ rows: number }>(
    'SELECT count(*)::int AS rows FROM (SELECT FROM public.sales LIMIT 100) s',
  );
  return { users, names: names.map(({ id }) => String(id)), stock, rows: sales?.rows ?? 0 };
}

export interface Ids {
  readonly next: Readonly<Record<'user_logins' | 'my_table', () => string>>;
  /** Fetches as many as so many changes may need. */
  refill(changes: number): Promise<void>;
}

/** Ids from the tables' own sequences, fetched ahead, so that a row's key is known before it is written. */
export function createIds(session: PostgresSession): Ids {
  const kept = { user_logins: [] as string[], my_table: [] as string[] };
  const next = (table: keyof typeof kept) => (): string => {
    const id = kept[table].shift();
    if (id === undefined) throw new Error(`no id of ${table} was fetched`);
    return id;
  };
  return {
    next: { user_logins: next('user_logins'), my_table: next('my_table') },
    async refill(changes) {
      for (const table of ['user_logins', 'my_table'] as const) {
        if (kept[table].length >= changes) continue;
        const found = await session.query<{ id: string }>(
          `SELECT nextval(pg_get_serial_sequence($1, 'id'))::text AS id FROM generate_series(1, $2)`,
          [`public.${table}`, 2 * changes],
        );
        kept[table].push(...found.map(({ id }) => id));
      }
    },
  };
}

/** Rows that were changed, by table and kind. */
export type Written = readonly { readonly table: Table; readonly op: Statement['op']; readonly rows: number }[];

/** One transaction: all of it, or nothing. */
export async function writeTransaction(session: PostgresSession, statements: readonly Statement[]): Promise<Written> {
  await session.query('BEGIN');
  try {
    const written = [];
    for (const { table, op, sql, params } of statements) {
      const [answer] = await session.query<{ changed: number }>(sql, params);
      written.push({ table, op, rows: answer?.changed ?? 0 });
    }
    await session.query('COMMIT');
    return written;
  } catch (error) {
    // A broken connection has rolled back by itself.
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
