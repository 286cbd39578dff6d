/** Every setting of the service, once: its form, default, example and meaning; help, documentation and loading read it. */
import {
  address,
  anyText,
  brokerList,
  byteCount,
  onOff,
  oneOf,
  opList,
  optional,
  patternList,
  plainName,
  routeList,
  topicPart,
  wholeNumber,
  word,
  setting,
  type Setting,
} from './forms';
import { CONNECTOR_SETTINGS } from './connector';
import { MASK_SETTINGS } from './mask';
import { PAGE_SETTINGS } from './page';
import { CLICKHOUSE_SECURITY, CONNECT_SECURITY, KAFKA_SECURITY, POSTGRES_SECURITY } from './security';
import { DEFAULT_PLACEHOLDER } from '../model';

const HTTP = ['http:', 'https:'] as const;
const PORT = wholeNumber(1, 65_535);
/** The protocol's constant M: a block is never longer in offsets (DESIGN, "A block"). */
const MAX_BLOCK_ROWS = 131_072;
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

export const SETTINGS = {
  KAFKA_BROKERS: setting('Kafka', 'The brokers to begin with.', brokerList, {
    default: 'localhost:9092',
    example: 'kafka-1:9092,kafka-2:9092',
  }),
  KAFKA_GROUP_ID: setting('Kafka', 'The consumer group; it owns the target it writes to.', word, {
    default: 'debezium-clickhouse',
    example: 'orders-to-clickhouse',
  }),
  KAFKA_CLIENT_ID: setting('Kafka', 'The name that brokers show in their logs and quotas.', word, {
    default: 'debezium-clickhouse',
    example: 'debezium-clickhouse-1',
  }),
  KAFKA_SESSION_TIMEOUT_MS: setting(
    'Kafka',
    'Milliseconds without a heartbeat after which the broker gives the partitions to another member.',
    wholeNumber(6_000, 1_800_000),
    { default: '15000', example: '30000' },
  ),
  ...KAFKA_SECURITY,
  TOPIC_PREFIX: setting('Kafka', "The connector's topic.prefix: topics are <prefix>.<schema>.<table>.", topicPart, {
    default: 'cdc',
    example: 'shop',
  }),
  TOPIC_REFRESH_MS: setting('Kafka', 'Milliseconds between two looks for new topics.', wholeNumber(100, 3_600_000), {
    default: '1000',
    example: '10000',
  }),
  IDLE_COMMIT_MS: setting(
    'Kafka',
    'Milliseconds without a block after which a partition counts as idle and its position is committed.',
    wholeNumber(50, 3_600_000),
    { default: '1000', example: '5000' },
  ),
  TABLES_INCLUDE: setting('Tables', 'The tables to read.', patternList, {
    default: '*.*',
    example: 'public.*,sales.order_*',
  }),
  TABLES_EXCLUDE: setting('Tables', 'The tables to leave out, even if they are included.', patternList, {
    default: '',
    example: 'public.tmp_*',
  }),
  ROUTES: setting(
    'Tables',
    'View names for tables whose own name is taken in ClickHouse, or skip for tables that are audited but not mirrored.',
    routeList,
    { default: '', example: 'public.events=app_events,public.logs=skip' },
  ),
  COLUMNS: setting(
    'Tables',
    'Rules for single columns, as JSON: policy, type, name, skip, mask. See docs/types.md, "Rules for columns".',
    optional(anyText),
    { default: '', example: '{"public.orders":{"amount":{"policy":"reject"},"note":{"name":"remark"}}}' },
  ),
  COLUMNS_FILE: setting('Tables', 'A JSON file of the same rules, in place of COLUMNS.', optional(anyText), {
    default: '',
    example: 'columns.json',
  }),
  ...MASK_SETTINGS,
  OPS: setting(
    'Tables',
    'The operations kept in the audit table: create, update, delete, read (snapshot), truncate. Mirrors need all of them.',
    opList,
    { default: 'c,u,d,r,t', example: 'c,d' },
  ),
  MIRRORS: setting('Tables', 'Whether each table is mirrored; off writes the audit table only.', onOff, {
    default: 'on',
    example: 'off',
  }),
  UNAVAILABLE_VALUE: setting(
    'Tables',
    "The connector's unavailable.value.placeholder: what it sends for a large value that PostgreSQL did not repeat.",
    word,
    { default: DEFAULT_PLACEHOLDER, example: '__withheld' },
  ),
  CH_URL: setting('ClickHouse', 'ClickHouse over HTTP.', address(HTTP, 'without a path'), {
    default: 'http://default@localhost:8123',
    example: 'https://cdc:secret@clickhouse.example:8443',
    sensitive: 'may hold a secret',
  }),
  CH_HOST: setting('ClickHouse', 'Replaces the host of CH_URL.', optional(word), {
    default: '',
    example: 'clickhouse',
  }),
  CH_PORT: setting('ClickHouse', 'Replaces the port of CH_URL.', optional(PORT), { default: '', example: '8123' }),
  CH_USER: setting('ClickHouse', 'Replaces the user of CH_URL.', optional(anyText), { default: '', example: 'cdc' }),
  CH_PASSWORD: setting('ClickHouse', 'Replaces the password of CH_URL.', optional(anyText), {
    default: '',
    example: 'secret',
    sensitive: 'secret',
  }),
  CH_DATABASE: setting(
    'ClickHouse',
    'The database of the views that people query; the machinery is in <CH_DATABASE>_cdc.',
    plainName,
    { default: 'cdc', example: 'shop' },
  ),
  ...CLICKHOUSE_SECURITY,
  PG_URL: setting(
    'PostgreSQL',
    'The source, for its catalogue. Without it no types are known, and tables are audited but not mirrored.',
    optional(address(['postgres:', 'postgresql:'], 'with a path')),
    { default: '', example: 'postgres://cdc:secret@db.example:5432/shop', sensitive: 'may hold a secret' },
  ),
  PG_HOST: setting('PostgreSQL', 'Replaces the host of PG_URL.', optional(word), {
    default: '',
    example: 'db.example',
  }),
  PG_PORT: setting('PostgreSQL', 'Replaces the port of PG_URL.', optional(PORT), { default: '', example: '5432' }),
  PG_USER: setting('PostgreSQL', 'Replaces the user of PG_URL.', optional(anyText), { default: '', example: 'cdc' }),
  PG_PASSWORD: setting('PostgreSQL', 'Replaces the password of PG_URL.', optional(anyText), {
    default: '',
    example: 'secret',
    sensitive: 'secret',
  }),
  PG_DATABASE: setting('PostgreSQL', 'Replaces the database of PG_URL.', optional(anyText), {
    default: '',
    example: 'shop',
  }),
  ...POSTGRES_SECURITY,
  CONNECT_URL: setting(
    'Connect',
    "Kafka Connect's REST interface, for check and connectors.",
    optional(address(HTTP, 'with a path')),
    {
      default: '',
      example: 'http://connect:8083',
      sensitive: 'may hold a secret',
    },
  ),
  REGISTRY_URL: setting('Connect', 'The schema registry, for Avro.', optional(address(HTTP, 'with a path')), {
    default: '',
    example: 'http://registry:8080',
    sensitive: 'may hold a secret',
  }),
  ...CONNECT_SECURITY,
  ...CONNECTOR_SETTINGS,
  BLOCK_ROWS: setting('Writing', 'Records after which a block is written.', wholeNumber(1, MAX_BLOCK_ROWS), {
    default: '32768',
    example: '20000',
  }),
  BLOCK_BYTES: setting('Writing', 'Bytes after which a block is written.', byteCount(1024, MAX_BLOCK_BYTES), {
    default: '16 MiB',
    example: '32 MiB',
  }),
  BLOCK_AGE_MS: setting(
    'Writing',
    'Milliseconds after which a block is written, however small: lower is fresher, higher makes fewer parts.',
    wholeNumber(1, 60_000),
    { default: '250', example: '1000' },
  ),
  GUARD_SECONDS: setting(
    'Writing',
    'Seconds after its announcement in which an insert may begin; ClickHouse refuses it later. A wait after a takeover is this plus INSERT_TIMEOUT_SECONDS.',
    wholeNumber(1, 3_600),
    { default: '30', example: '10' },
  ),
  INSERT_TIMEOUT_SECONDS: setting(
    'Writing',
    'Seconds that an insert may take in ClickHouse; never without a limit, or a stalled one could land late.',
    wholeNumber(1, 3_600),
    { default: '30', example: '60' },
  ),
  ...PAGE_SETTINGS,
  SHUTDOWN_DEADLINE_SECONDS: setting(
    'Process',
    'Seconds in which the block in hand must be finished after SIGTERM or Ctrl-C.',
    wholeNumber(1, 3_600),
    { default: '30', example: '20' },
  ),
  ONCE_IDLE_SECONDS: setting(
    'Process',
    'With --once: seconds without a new record after which the run ends.',
    wholeNumber(1, 86_400),
    {
      default: '20',
      example: '5',
    },
  ),
  LOG_LEVEL: setting('Process', 'The least level that is logged.', oneOf('error', 'warn', 'info', 'debug'), {
    default: 'info',
    example: 'debug',
  }),
  LOG_FORMAT: setting(
    'Process',
    'How log lines look; auto is text on a terminal and JSON otherwise.',
    oneOf('auto', 'text', 'json'),
    {
      default: 'auto',
      example: 'json',
    },
  ),
  CONFIG_FILE: setting(
    'Process',
    'A JSON file of settings, with the names used here. Not read from the file itself.',
    optional(anyText),
    {
      default: '',
      example: 'config.json',
    },
  ),
  STACK_DIR: setting(
    'Process',
    'The folder of the local stack; the addresses in its state.json are taken when it runs.',
    anyText,
    {
      default: '.stack',
      example: '.stack-2',
    },
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;

/** The value each setting has once it is read. */
export type SettingValues = {
  readonly [N in SettingName]: (typeof SETTINGS)[N] extends Setting<infer T> ? T : never;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** Settings that hold a secret or can: each is also read from the file that NAME_FILE names. */
export type SecretFileName = `${SettingName}_FILE`;

/** The setting whose text is in the file that `name` names, or null. */
export function settingOfSecretFile(name: string): SettingName | null {
  const [, setting] = /^(.+)_FILE$/.exec(name) ?? [];
  if (setting === undefined || !isSettingName(setting)) return null;
  return (SETTINGS[setting] as Setting<unknown>).sensitive === undefined ? null : setting;
}

export const SECRET_FILE_NAMES = SETTING_NAMES.map((name): SecretFileName => `${name}_FILE`).filter(
  (name) => settingOfSecretFile(name) !== null,
);
