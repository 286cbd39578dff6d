/** The one door to ClickHouse: queries, statements and inserts of bytes over HTTP, with errors that say what to do. */
import { createClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import { ServiceError } from '../errors';
import { tlsOptions, type Tls } from '../security';

export interface ClickHouseOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** What a person sees in `system.query_log` and in errors. */
  readonly application: string;
  /** How long a request may take before it counts as unanswered. Longer than every `max_execution_time` in use. */
  readonly requestTimeoutMs: number;
  /** null or not given: as the URL says, with the authorities that Node brings. */
  readonly tls?: Tls | null;
  /** Log in by the certificate of `tls` instead of a password. */
  readonly byCertificate?: boolean;
}

export interface ClickHouse {
  /** Rows of a SELECT; 64-bit integers arrive as strings. `params` are bound by the server as `{name:Type}`. */
  query<T>(sql: string, params?: Record<string, unknown>, settings?: ClickHouseSettings): Promise<T[]>;
  /** The bytes of a SELECT in FORMAT Native, LowCardinality sent as its plain type. */
  queryNative(sql: string): Promise<Buffer>;
  /** A statement without a result: DDL, DELETE. */
  command(sql: string, settings?: ClickHouseSettings): Promise<void>;
  /** An INSERT whose data are `body`, sent as it is. Resolves once the server has written it. */
  insert(sql: string, body: readonly Uint8Array[], settings: ClickHouseSettings): Promise<void>;
  close(): Promise<void>;
}

const THROW_IF = '395';
const LOGIN_CODES = new Set(['192', '193', '194', '497', '516']);

const CONNECTIONS = 16;

type TlsClientOptions = Pick<
  NonNullable<Parameters<typeof createClient>[0]>,
  'http_agent' | 'http_headers' | 'set_basic_auth_header'
>;

/** By certificate no password may be sent, not even an empty one: ClickHouse refuses both together. */
function tlsSettings({ tls, user, byCertificate }: ClickHouseOptions): Partial<TlsClientOptions> {
  if (tls === undefined || tls === null) return {};
  const http_agent = new Agent({ ...tlsOptions(tls), keepAlive: true, maxSockets: CONNECTIONS });
  if (byCertificate !== true) return { http_agent };
  const http_headers = { 'X-ClickHouse-User': user, 'X-ClickHouse-SSL-Certificate-Auth': 'on' };
  return { http_agent, set_basic_auth_header: false, http_headers };
}

/** Connects lazily: nothing is sent before the first call. Names no database, so every statement qualifies its tables. */
export function connectClickHouse(options: ClickHouseOptions): ClickHouse {
  const client = createClient({
    url: options.url,
    username: options.user,
    password: options.password,
    application: options.application,
    request_timeout: options.requestTimeoutMs,
    max_open_connections: CONNECTIONS,
    ...tlsSettings(options),
    keep_alive: { enabled: true, idle_socket_ttl: 2_000 },
    log: { level: 127 },
    clickhouse_settings: {
      async_insert: 0,
      output_format_json_quote_64bit_integers: 1,
      date_time_output_format: 'iso',
    },
  });
  const fail = (cause: unknown, what: string): never => {
    throw asServiceError(cause, what, options);
  };
  return {
    async query<T>(sql: string, params?: Record<string, unknown>, settings?: ClickHouseSettings): Promise<T[]> {
      try {
        const result = await client.query({
          query: sql,
          format: 'JSONEachRow',
          ...(params ? { query_params: params } : {}),
          ...(settings ? { clickhouse_settings: settings } : {}),
        });
        return await result.json<T>();
      } catch (cause) {
        return fail(cause, 'a query');
      }
    },
    async queryNative(sql) {
      try {
        const { stream } = await client.exec({
          query: `${sql} FORMAT Native`,
          clickhouse_settings: { low_cardinality_allow_in_native_format: 0, max_query_size: String(1 << 30) },
        });
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      } catch (cause) {
        return fail(cause, 'a look-up');
      }
    },
    async command(sql, settings) {
      try {
        await client.command({ query: sql, ...(settings ? { clickhouse_settings: settings } : {}) });
      } catch (cause) {
        fail(cause, 'a statement');
      }
    },
    async insert(sql, body, settings) {
      try {
        const { stream } = await client.exec({
          query: sql,
          values: Readable.from(body, { objectMode: false }),
          clickhouse_settings: settings,
        });
        for await (const _ of stream) void _;
      } catch (cause) {
        fail(cause, 'an insert');
      }
    },
    close: () => client.close(),
  };
}

/** ClickHouse's own messages can quote rows and statements, so only code and type are kept, and the text for statements of ours. */
function asServiceError(cause: unknown, what: string, { url, user }: ClickHouseOptions): ServiceError {
  const where = new URL(url).host;
  if (!(cause instanceof ClickHouseError)) {
    return new ServiceError(
      'CLICKHOUSE_UNREACHABLE',
      `ClickHouse at ${where} did not answer ${what}: ${reason(cause)}.`,
      {
        hint: 'Nothing is lost: the service goes on when ClickHouse is back. Check CH_URL (make status shows the local server).',
        cause,
      },
    );
  }
  if (cause.code === THROW_IF) {
    return new ServiceError(
      'GUARD_REFUSED',
      `ClickHouse refused ${what}: it came too late, or its table was replaced.`,
      {
        hint: 'Nothing to do: the block is written again from its announced bounds.',
        cause,
      },
    );
  }
  if (LOGIN_CODES.has(cause.code)) {
    return new ServiceError(
      'CLICKHOUSE_REFUSED_LOGIN',
      `ClickHouse at ${where} refused user "${user}" (code ${cause.code}, ${cause.type ?? 'unknown'}).`,
      {
        hint: 'Set CH_USER and CH_PASSWORD (or CH_URL) to a user with CREATE, INSERT, SELECT and ALTER on CH_DATABASE and CH_DATABASE_cdc.',
        cause,
      },
    );
  }
  const text = what === 'a statement' || what === 'a query' ? `: ${cause.message.slice(0, 300)}` : '';
  return new ServiceError(
    'CLICKHOUSE_QUERY_FAILED',
    `ClickHouse at ${where} failed ${what} (code ${cause.code}, ${cause.type ?? 'unknown'})${text}.`,
    {
      hint: 'Look the code up in the server log. The block is kept and tried again, so nothing is lost.',
      cause,
    },
  );
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown reason';
  const { code } = cause as Error & { code?: string };
  return code ?? cause.message;
}
