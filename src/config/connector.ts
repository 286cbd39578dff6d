/** The settings of the connector profiles: what `connectors apply` fills into `connectors/*.json`. */
import {
  address,
  brokerList,
  modeList,
  oneOf,
  optional,
  plainName,
  setting,
  tableForm,
  wholeNumber,
  word,
} from './forms';

const HTTP = ['http:', 'https:'] as const;
const PORT = wholeNumber(1, 65_535);

export const CONNECTOR_SETTINGS = {
  CONNECTOR_MODES: setting(
    'Connect',
    "The connector's options that plain JSON must be read by, where they are not those of our profiles. Not set: as the connector CONNECTOR_NAME at CONNECT_URL is configured, else as our profiles.",
    optional(modeList),
    {
      default: '',
      example: 'decimal.handling.mode=precise,time.precision.mode=adaptive,binary.handling.mode=bytes',
    },
  ),
  CONNECTOR_NAME: setting('Connect', 'The name of the connector in Kafka Connect.', word, {
    default: 'debezium-clickhouse',
    example: 'shop-source',
  }),
  SLOT_NAME: setting('Connect', "The connector's replication slot; one of its own for each connector.", plainName, {
    default: 'debezium_clickhouse',
    example: 'shop_slot',
  }),
  PUBLICATION_NAME: setting('Connect', "The connector's publication.", plainName, {
    default: 'debezium_clickhouse',
    example: 'shop_publication',
  }),
  SIGNAL_TABLE: setting(
    'Connect',
    "The table of Debezium's signals; its rows are counted, neither audited nor mirrored.",
    tableForm,
    {
      default: 'public.debezium_signal',
      example: 'ops.debezium_signal',
    },
  ),
  SIGNAL_CHANNEL: setting(
    'Connect',
    'How connectors snapshot reaches the connector: table (SIGNAL_TABLE), or topic where the source cannot be written to (a standby). With topic, rows of a snapshot may be newer than changes that follow: a reader can see a row go back for a moment.',
    oneOf('table', 'topic'),
    {
      default: 'table',
      example: 'topic',
    },
  ),
  CONNECTOR_KAFKA_BROKERS: setting(
    'Connect',
    'The brokers as Kafka Connect reaches them, for SIGNAL_CHANNEL=topic, where they differ from KAFKA_BROKERS.',
    optional(brokerList),
    {
      default: '',
      example: 'kafka:9092',
    },
  ),
  CONNECTOR_PG_HOST: setting(
    'Connect',
    'The host of the source as Kafka Connect reaches it, where that differs from ours.',
    optional(word),
    {
      default: '',
      example: 'postgres',
    },
  ),
  CONNECTOR_PG_PORT: setting(
    'Connect',
    'The port of the source as Kafka Connect reaches it, where that differs from ours.',
    optional(PORT),
    {
      default: '',
      example: '5432',
    },
  ),
  CONNECTOR_REGISTRY_URL: setting(
    'Connect',
    'The schema registry as Kafka Connect reaches it, where that differs from ours.',
    optional(address(HTTP, 'with a path')),
    {
      default: '',
      example: 'http://registry:8080',
      sensitive: 'may hold a secret',
    },
  ),
  TOPIC_PARTITIONS: setting(
    'Connect',
    'Partitions of a topic that the connector creates; one keeps TRUNCATE in order.',
    wholeNumber(1, 10_000),
    {
      default: '1',
      example: '4',
    },
  ),
  TOPIC_REPLICATION: setting('Connect', 'Replicas of a topic that the connector creates.', wholeNumber(1, 100), {
    default: '1',
    example: '3',
  }),
  TOPIC_RETENTION_MS: setting(
    'Connect',
    'Milliseconds that a topic keeps its records: as long as this service may be down.',
    wholeNumber(60_000, 10 ** 14),
    {
      default: '604800000',
      example: '2592000000',
    },
  ),
  MAX_MESSAGE_BYTES: setting(
    'Connect',
    'The largest record in bytes, for large rows: of an update under REPLICA IDENTITY FULL twice the row. A broker takes requests of 100 MiB (socket.request.max.bytes) unless told otherwise.',
    wholeNumber(1024, 1024 ** 3),
    {
      default: '100000000',
      example: '33554432',
    },
  ),
  HEARTBEAT_MS: setting(
    'Connect',
    "Milliseconds between the connector's heartbeats, which let PostgreSQL drop WAL while no table changes.",
    wholeNumber(1_000, 3_600_000),
    {
      default: '10000',
      example: '60000',
    },
  ),
} as const;
