/** The configuration: reads every setting from its sources, checks all of them at once, and gives them as one typed object. */
import convict from 'convict';
import { parse as parseDotenv } from 'dotenv';
import { resolve } from 'node:path';
import { columnsOf, type ColumnSettings } from './config/columns';
import type { Setting } from './config/forms';
import { pageOf, type PageSettings } from './config/page';
import { SETTING_NAMES, SETTINGS, type SecretFileName, type SettingName, type SettingValues } from './config/settings';
import {
  fileSource,
  known,
  mergeSources,
  readIfThere,
  stackSource,
  withSecretFiles,
  type Source,
  type Texts,
} from './config/sources';
import {
  endpointOf,
  httpTls,
  kafkaSecurity,
  postgresTls,
  secretsIn,
  securityWarnings,
  tlsReader,
  type TlsReader,
} from './config/tls';
import { ServiceError } from './errors';
import { OP, type ConnectorModes, type OpName } from './model';
import type { HttpEndpoint, KafkaLogin, Tls } from './security';

export interface Config extends ColumnSettings {
  readonly kafka: {
    readonly brokers: readonly string[];
    readonly groupId: string;
    readonly clientId: string;
    readonly sessionTimeoutMs: number;
    readonly topicRefreshMs: number;
    readonly idleCommitMs: number;
    /** null: plain text. */
    readonly tls: Tls | null;
    readonly sasl: KafkaLogin | null;
  };
  /** The connector's `topic.prefix`. */
  readonly topicPrefix: string;
  readonly tables: {
    /** Patterns for `tableFilter` of `config/patterns.ts`. */
    readonly include: readonly string[];
    readonly exclude: readonly string[];
    /** `schema.table` to the name of its view; null: audited, not mirrored. */
    readonly routes: ReadonlyMap<string, string | null>;
  };
  /** The operations kept in `changes`; all of them while `mirrors` is true. */
  readonly ops: ReadonlySet<OpName>;
  readonly mirrors: boolean;
  /** What Debezium sends for a withheld value. */
  readonly unavailableValue: string;
  readonly clickhouse: {
    /** Without user and password. */
    readonly url: string;
    readonly user: string;
    readonly password: string;
    readonly database: string;
    readonly tls: Tls | null;
    readonly byCertificate: boolean;
  };
  /** null when no setting of PostgreSQL is set. */
  readonly postgres: PostgresSettings | null;
  /** Kafka Connect's REST interface. */
  readonly connect: HttpEndpoint | null;
  readonly registry: HttpEndpoint | null;
  readonly registryUrl: string | null;
  readonly connector: {
    readonly name: string;
    /** `schema.table` of Debezium's signals. */
    readonly signalTable: string;
    /** How it writes plain JSON; null where the running connector is to be asked. */
    readonly modes: ConnectorModes | null;
    /** Values of the profiles' placeholders, the addresses as Kafka Connect reaches them. Holds a password. */
    readonly placeholders: Readonly<Record<string, string>>;
    readonly signalChannel: SettingValues['SIGNAL_CHANNEL'];
    /** The brokers as Kafka Connect reaches them. */
    readonly brokers: readonly string[];
    /** Options beyond the profile's: how the connector reaches a source that speaks TLS. */
    readonly extra: Readonly<Record<string, string>>;
  };
  readonly block: { readonly rows: number; readonly bytes: number; readonly ageMs: number };
  /** D: an insert may begin no later than this after its announcement. */
  readonly guardMs: number;
  readonly insertTimeoutMs: number;
  readonly shutdownDeadlineMs: number;
  readonly onceIdleMs: number;
  /** null when HTTP_PORT is off. */
  readonly page: PageSettings | null;
  readonly log: { readonly level: SettingValues['LOG_LEVEL']; readonly format: SettingValues['LOG_FORMAT'] };
  /** What these settings leave open to others, to be said wherever they are used. */
  readonly warnings: readonly string[];
  /** Every password and token in the settings: to be cut out of texts that come from outside. */
  readonly secrets: readonly string[];
}

export interface PostgresSettings {
  /** With user and password: for `openPostgres` only, `redactUrl` it elsewhere. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** null: plain text. `url` has no ssl parameters. */
  readonly tls: Tls | null;
  readonly sslMode: NonNullable<SettingValues['PG_SSLMODE']>;
}

/** Settings, and files of secrets, given on the command line. */
export type SettingFlags = Readonly<Partial<Record<SettingName | SecretFileName, string>>>;

/**
 * Reads the settings; later sources win: defaults, the local stack's state file, the file, `.env`, the environment,
 * the command line. An empty value counts as not set. `cwd` is where relative paths begin.
 * Throws CONFIG_INVALID, which names every wrong setting, or CONFIG_FILE_UNREADABLE.
 */
export function loadConfig(from: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly flags: SettingFlags;
}): Config {
  const { cwd } = from;
  const direct = [dotenvSource(cwd), { name: 'the environment', texts: known(from.env) }, flagSource(from.flags)];
  const located = mergeSources(direct);
  const file = located['CONFIG_FILE'];
  const sources = [
    stackSource(resolve(cwd, located['STACK_DIR'] ?? SETTINGS.STACK_DIR.default)),
    ...(file === undefined ? [] : [fileSource(resolve(cwd, file))]),
    ...direct,
  ];
  return toConfig(readSettings(withSecretFiles(mergeSources(sources), cwd), sources), cwd);
}

/** A URL that may be shown: the password is hidden, and so is what does not read as a URL. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return '(not a URL)';
  if (parsed.password !== '') parsed.password = '***';
  for (const name of parsed.searchParams.keys()) {
    if (/pass|secret|token|key/i.test(name)) parsed.searchParams.set(name, '***');
  }
  return parsed.href;
}

/** Parsed only: nothing is written into the process's environment. */
function dotenvSource(cwd: string): Source {
  const text = readIfThere(resolve(cwd, '.env'));
  return { name: '.env', texts: text === null ? {} : known(parseDotenv(text)) };
}

function flagSource(flags: SettingFlags): Source {
  return { name: 'the command line', texts: known(flags) };
}

function readSettings(texts: Texts, sources: readonly Source[]): SettingValues {
  const wrong: SettingName[] = [];
  const schema = Object.fromEntries(SETTING_NAMES.map((name) => [name, convictSetting(name, wrong)]));
  const loaded = convict<Record<string, string>>(schema, { env: { ...texts }, args: [] });
  try {
    loaded.validate({ allowed: 'strict' });
  } catch (error) {
    if (wrong.length === 0) throw error;
    throw invalid(wrong, sources);
  }
  const checked = loaded.getProperties();
  const values = Object.fromEntries(SETTING_NAMES.map((name) => [name, SETTINGS[name].form.read(checked[name] ?? '')]));
  return values as unknown as SettingValues;
}

/** convict keeps each setting as text and checks its form; the forms give the typed values afterwards. */
function convictSetting(name: SettingName, wrong: SettingName[]): convict.SchemaObj<string> {
  const setting: Setting<unknown> = SETTINGS[name];
  return {
    doc: setting.doc,
    default: setting.default,
    env: name,
    sensitive: setting.sensitive !== undefined,
    format: (text: unknown) => {
      if (typeof text === 'string' && setting.form.read(text) !== undefined) return;
      wrong.push(name);
      throw new Error(`must be ${setting.form.says}`);
    },
  };
}

function invalid(wrong: readonly SettingName[], sources: readonly Source[]): ServiceError {
  const lines = wrong.map((name) => {
    const { form, example } = SETTINGS[name];
    const from =
      sources.findLast(({ texts }) => (texts[name] ?? texts[`${name}_FILE`]) !== undefined)?.name ?? 'the default';
    return `${name} (from ${from}) must be ${form.says}, for example ${name}=${example}`;
  });
  const message =
    lines.length === 1 ? `${lines.join('')}.` : `${String(lines.length)} settings are wrong.\n  ${lines.join('\n  ')}`;
  return new ServiceError('CONFIG_INVALID', message, {
    hint: 'Correct the setting where it was read from; docs/configuration.md explains each.',
  });
}

const ALL_OPS = Object.keys(OP) as OpName[];

function toConfig(v: SettingValues, cwd: string): Config {
  const missing = ALL_OPS.filter((op) => !v.OPS.has(op));
  if (v.MIRRORS && missing.length > 0) {
    throw new ServiceError(
      'CONFIG_INVALID',
      `OPS leaves out ${missing.join(', ')} while MIRRORS=on. Mirrors are repaired and rebuilt from the audit table, so it must hold every operation: c,u,d,r,t.`,
      { hint: 'Set OPS=c,u,d,r,t and filter in a view, or set MIRRORS=off to keep the audit table only.' },
    );
  }
  const tls = tlsReader(v, cwd);
  const postgres = postgresOf(v, tls);
  const clickhouse = clickhouseOf(v, tls);
  const kafka = kafkaSecurity(v, { tls, cwd });
  const connect = endpointOf('CONNECT', v, tls);
  const registry = endpointOf('REGISTRY', v, tls);
  return {
    kafka: {
      brokers: v.KAFKA_BROKERS,
      groupId: v.KAFKA_GROUP_ID,
      clientId: v.KAFKA_CLIENT_ID,
      sessionTimeoutMs: v.KAFKA_SESSION_TIMEOUT_MS,
      topicRefreshMs: v.TOPIC_REFRESH_MS,
      idleCommitMs: v.IDLE_COMMIT_MS,
      ...kafka,
    },
    topicPrefix: v.TOPIC_PREFIX,
    tables: { include: v.TABLES_INCLUDE, exclude: v.TABLES_EXCLUDE, routes: v.ROUTES },
    ...columnsOf(v, cwd),
    ops: v.OPS,
    mirrors: v.MIRRORS,
    unavailableValue: v.UNAVAILABLE_VALUE,
    clickhouse,
    postgres,
    connect,
    registry,
    registryUrl: plainUrl(v.REGISTRY_URL),
    connector: {
      name: v.CONNECTOR_NAME,
      signalTable: v.SIGNAL_TABLE,
      modes: v.CONNECTOR_MODES,
      placeholders: placeholdersOf(v, postgres),
      signalChannel: v.SIGNAL_CHANNEL,
      brokers: v.CONNECTOR_KAFKA_BROKERS ?? v.KAFKA_BROKERS,
      extra: sourceTls(v, postgres),
    },
    block: { rows: v.BLOCK_ROWS, bytes: v.BLOCK_BYTES, ageMs: v.BLOCK_AGE_MS },
    guardMs: v.GUARD_SECONDS * 1000,
    insertTimeoutMs: v.INSERT_TIMEOUT_SECONDS * 1000,
    shutdownDeadlineMs: v.SHUTDOWN_DEADLINE_SECONDS * 1000,
    onceIdleMs: v.ONCE_IDLE_SECONDS * 1000,
    page: pageOf({ host: v.HTTP_HOST, port: v.HTTP_PORT, token: v.PAGE_TOKEN, values: v.PAGE_VALUES }),
    log: { level: v.LOG_LEVEL, format: v.LOG_FORMAT },
    warnings: securityWarnings(v, {
      KAFKA: kafka.tls,
      CH: clickhouse.tls,
      PG: postgres?.tls ?? null,
      CONNECT: connect?.tls ?? null,
      REGISTRY: registry?.tls ?? null,
    }),
    secrets: secretsIn(v, [clickhouse, postgres, connect, registry]),
  };
}

function clickhouseOf(v: SettingValues, tls: TlsReader): Config['clickhouse'] {
  const url = withParts(v.CH_URL, { host: v.CH_HOST, port: v.CH_PORT });
  return {
    url: url.origin,
    user: v.CH_USER ?? (decodeURIComponent(url.username) || 'default'),
    password: v.CH_PASSWORD ?? decodeURIComponent(url.password),
    database: v.CH_DATABASE,
    tls: httpTls(url, 'CH', v, tls),
    byCertificate: v.CH_LOGIN_BY_CERTIFICATE,
  };
}

function postgresOf(v: SettingValues, reader: TlsReader): PostgresSettings | null {
  const parts = [v.PG_HOST, v.PG_PORT, v.PG_USER, v.PG_PASSWORD, v.PG_DATABASE];
  if (v.PG_URL === null && parts.every((part) => part === null)) return null;
  const url = withParts(v.PG_URL ?? new URL('postgres://localhost'), { host: v.PG_HOST, port: v.PG_PORT });
  const user = v.PG_USER ?? (decodeURIComponent(url.username) || 'postgres');
  const password = v.PG_PASSWORD ?? decodeURIComponent(url.password);
  const database = v.PG_DATABASE ?? (decodeURIComponent(url.pathname.slice(1)) || user);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  url.pathname = `/${encodeURIComponent(database)}`;
  const { mode: sslMode, tls } = postgresTls(url, v, reader);
  const port = Number(url.port || '5432');
  return { url: url.href, host: url.hostname, port, user, password, database, tls, sslMode };
}

function withParts(base: URL, parts: { host: string | null; port: number | null }): URL {
  const url = new URL(base.href);
  if (parts.host !== null) url.hostname = parts.host;
  if (parts.port !== null) url.port = String(parts.port);
  return url;
}

function placeholdersOf(v: SettingValues, postgres: PostgresSettings | null): Record<string, string> {
  const registry = plainUrl(v.CONNECTOR_REGISTRY_URL ?? v.REGISTRY_URL);
  return {
    CONNECTOR_NAME: v.CONNECTOR_NAME,
    TOPIC_PREFIX: v.TOPIC_PREFIX,
    SLOT_NAME: v.SLOT_NAME,
    PUBLICATION_NAME: v.PUBLICATION_NAME,
    SIGNAL_TABLE: v.SIGNAL_TABLE,
    TOPIC_PARTITIONS: String(v.TOPIC_PARTITIONS),
    TOPIC_REPLICATION: String(v.TOPIC_REPLICATION),
    TOPIC_RETENTION_MS: String(v.TOPIC_RETENTION_MS),
    MAX_MESSAGE_BYTES: String(v.MAX_MESSAGE_BYTES),
    HEARTBEAT_MS: String(v.HEARTBEAT_MS),
    ...(registry === null ? {} : { REGISTRY_URL: registry }),
    ...(postgres === null
      ? {}
      : {
          PG_HOST: v.CONNECTOR_PG_HOST ?? postgres.host,
          PG_PORT: String(v.CONNECTOR_PG_PORT ?? postgres.port),
          PG_USER: postgres.user,
          PG_PASSWORD: postgres.password,
          PG_DATABASE: postgres.database,
        }),
  };
}

/** `database.ssl*` of the connector. The certificate and key of ours are not passed on: the worker has its own. */
function sourceTls(v: SettingValues, postgres: PostgresSettings | null): Record<string, string> {
  const mode = v.CONNECTOR_PG_SSLMODE ?? postgres?.sslMode ?? 'disable';
  if (mode === 'disable') return {};
  const options = {
    'database.sslmode': mode,
    'database.sslrootcert': v.CONNECTOR_PG_SSLROOTCERT ?? v.PG_TLS_CA_FILE,
    'database.sslcert': v.CONNECTOR_PG_SSLCERT,
    'database.sslkey': v.CONNECTOR_PG_SSLKEY,
  };
  return Object.fromEntries(Object.entries(options).filter((entry): entry is [string, string] => entry[1] !== null));
}

/** The address as it was written, without the slash that URL adds to a bare host. */
function plainUrl(url: URL | null): string | null {
  return url === null ? null : url.href.replace(/\/$/, '');
}
