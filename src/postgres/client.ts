/** The door to PostgreSQL: the only file that imports `pg`; a small pool, and errors in the service's words. */
import { Client, Pool, type ClientConfig } from 'pg';
import { ServiceError } from '../errors';
import { tlsOptions, type Tls } from '../security';

/** Where a PostgreSQL is; a plain URL says the same without TLS. */
export interface PostgresAddress {
  /** With user and password, without ssl parameters. */
  readonly url: string;
  readonly tls: Tls | null;
}

export interface PostgresOptions {
  /** Milliseconds a statement may run before the server cancels it; 30,000 by default, 0 for no limit. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds to wait for a connection; 5,000 by default. */
  readonly connectionTimeoutMs?: number;
}

/** A PostgreSQL that can be asked. Each query takes any connection of the pool, so nothing is kept between two of them. */
export interface Postgres {
  /**
   * Runs one statement and returns its rows. bigint and numeric come back as strings, so no digit is lost.
   * Throws `POSTGRES_UNREACHABLE`, `POSTGRES_REFUSED_LOGIN` or `POSTGRES_QUERY_FAILED`; none of them holds a value.
   */
  query<T>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  /** Ends the pool once its queries have ended. May be called twice. */
  close(): Promise<void>;
}

/** Opens a pool of at most four connections. Connects at the first query, so it fails there and not here. */
export function openPostgres(source: string | PostgresAddress, options: PostgresOptions = {}): Postgres {
  const at = addressOf(source);
  const pool = new Pool({
    ...connectionOf(source),
    max: 4,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 5_000,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    application_name: 'debezium-clickhouse',
    // A command that forgets close() still ends.
    allowExitOnIdle: true,
  });
  // An idle connection that breaks is replaced by the next query, which reports what is wrong; without a listener the process would die.
  pool.on('error', () => undefined);
  let closed: Promise<void> | undefined;
  return {
    async query<T>(sql: string, params: readonly unknown[] = []): Promise<T[]> {
      try {
        const result = await pool.query(sql, [...params]);
        return result.rows as T[];
      } catch (error) {
        throw postgresError(error, at);
      }
    },
    close() {
      closed ??= pool.end();
      return closed;
    },
  };
}

/** One connection, so that transactions, cursors and settings last from one query to the next. Queries run in order. */
export interface PostgresSession extends Pick<Postgres, 'query'> {
  /** Aborted, with what happened, once the connection is lost, and with it all that only this session had. */
  readonly lost: AbortSignal;
}

/** Runs `use` in a connection of its own without a limit of time for its statements; ends the connection afterwards. Errors as those of `Postgres.query`. */
export async function withSession<T>(
  source: string | PostgresAddress,
  use: (session: PostgresSession) => Promise<T>,
): Promise<T> {
  const at = addressOf(source);
  const client = new Client({
    ...connectionOf(source),
    connectionTimeoutMillis: 5_000,
    statement_timeout: 0,
    application_name: 'debezium-clickhouse',
  });
  const lost = new AbortController();
  client.on('error', (error) => lost.abort(postgresError(error, at)));
  try {
    await client.connect().catch((error: unknown) => {
      throw postgresError(error, at);
    });
    return await use({
      lost: lost.signal,
      async query<Row>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
        try {
          return (await client.query(sql, [...params])).rows as Row[];
        } catch (error) {
          throw postgresError(error, at);
        }
      },
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function connectionOf(source: string | PostgresAddress): ClientConfig {
  if (typeof source === 'string') return { connectionString: source };
  const { url, tls } = source;
  // pg tells Node no name where the host is a number, and Node would look for another.
  return { connectionString: url, ...(tls === null ? {} : { ssl: tlsOptions(tls, new URL(url).hostname) }) };
}

/** Host, port and database of a URL, without user and password. */
function addressOf(source: string | PostgresAddress): string {
  const url = typeof source === 'string' ? source : source.url;
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new ServiceError('CONFIG_INVALID', 'PG_URL is not a URL of PostgreSQL.', {
      hint: 'Give it the form postgres://user:password@host:5432/database.',
    });
  }
  return `${parsed.hostname || 'localhost'}:${parsed.port || '5432'}${parsed.pathname}`;
}

interface ServerError {
  readonly code?: unknown;
  readonly message?: unknown;
}

/**
 * Tells by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) what went wrong. The cause is left
 * out on purpose: the server's message, detail and position can quote values.
 */
export function postgresError(error: unknown, at: string): ServiceError {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as ServerError;
  const state = typeof code === 'string' ? code : '';
  if (!isSqlState(state) || isConnectionState(state)) {
    const reason = state || connectionReason(String(message));
    return new ServiceError('POSTGRES_UNREACHABLE', `PostgreSQL at ${at} cannot be reached (${reason}).`, {
      hint: 'See that PostgreSQL is up and that PG_URL (or PG_HOST, PG_PORT) names it.',
    });
  }
  if (state.startsWith('28') || state === '3D000') {
    return new ServiceError('POSTGRES_REFUSED_LOGIN', `PostgreSQL at ${at} refused the login (SQLSTATE ${state}).`, {
      hint: 'Correct user, password and database in PG_URL (or PG_USER, PG_PASSWORD, PG_DATABASE), and see pg_hba.conf.',
    });
  }
  const said = NAMES_ONLY.has(state) ? `: ${String(message)}` : '';
  return new ServiceError(
    'POSTGRES_QUERY_FAILED',
    `PostgreSQL at ${at} refused a statement, SQLSTATE ${state}${said}.`,
    {
      hint:
        state === '42501'
          ? 'Grant the missing right to the user of PG_URL.'
          : 'Look the SQLSTATE up in the appendix of the PostgreSQL manual; the server log holds the statement.',
    },
  );
}

/** Errors whose message names schemas, tables, columns and rights, never values. */
const NAMES_ONLY = new Set(['42501', '42P01', '42703', '42704', '42710', '42P07', '3F000', '55006']);

function isSqlState(code: string): boolean {
  // Node's own codes (EPIPE, ECONNRESET) also are capitals; SQLSTATEs that this server sends hold a digit.
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);
}

/** The server is there but takes nobody now: connection exceptions, starting, stopping, too many clients. */
function isConnectionState(state: string): boolean {
  return state.startsWith('08') || state.startsWith('57P') || state === '53300';
}

/** pg's own errors have no code; these are its words. */
function connectionReason(message: string): string {
  if (/timeout/i.test(message)) return 'no answer in time';
  return /terminated|closed|ended/i.test(message) ? 'connection closed' : 'connection failed';
}
