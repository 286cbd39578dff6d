/** The settings that make connections private and let us in: TLS and logins of every part. */
import {
  address,
  anyText,
  kafkaMechanism,
  onOff,
  oneOf,
  optional,
  setting,
  word,
  type Setting,
  type SettingGroup,
} from './forms';

const HTTP = ['http:', 'https:'] as const;

type FileNames<P extends string> = `${P}_TLS_CA_FILE` | `${P}_TLS_CERT_FILE` | `${P}_TLS_KEY_FILE`;
type TlsFiles<P extends string> = { readonly [N in FileNames<P>]: Setting<string | null> } & {
  readonly [N in `${P}_TLS_KEY_PASSWORD`]: Setting<string | null>;
};
type TlsSettings<P extends string> = TlsFiles<P> & { readonly [N in `${P}_TLS_VERIFY`]: Setting<boolean> };

/** The files of one part's TLS; `of` is the part as it is called in a sentence. */
function tlsFiles<const P extends string>(group: SettingGroup, prefix: P, of: string): TlsFiles<P> {
  const file = (doc: string, name: string): Setting<string | null> =>
    setting(group, doc, optional(anyText), { default: '', example: `/etc/debezium-clickhouse/${name}` });
  const settings: Record<string, Setting<string | null>> = {
    [`${prefix}_TLS_CA_FILE`]: file(
      `The authorities (PEM) that the certificate of ${of} must be signed by; without it, those that Node brings.`,
      'ca.pem',
    ),
    [`${prefix}_TLS_CERT_FILE`]: file(`The certificate (PEM) by which we show ${of} who we are.`, 'client.pem'),
    [`${prefix}_TLS_KEY_FILE`]: file(`The private key (PEM) of ${prefix}_TLS_CERT_FILE.`, 'client.key'),
    [`${prefix}_TLS_KEY_PASSWORD`]: setting(
      group,
      `The password of ${prefix}_TLS_KEY_FILE, where it has one.`,
      optional(anyText),
      { default: '', example: 'secret', sensitive: 'secret' },
    ),
  };
  return settings as TlsFiles<P>;
}

function tls<const P extends string>(group: SettingGroup, prefix: P, of: string): TlsSettings<P> {
  const verify = setting(
    group,
    `Whether the certificate of ${of} is checked. Off: whoever stands between can read and change everything; for tests only.`,
    onOff,
    { default: 'on', example: 'off' },
  );
  return { ...tlsFiles(group, prefix, of), [`${prefix}_TLS_VERIFY`]: verify } as unknown as TlsSettings<P>;
}

export const KAFKA_SECURITY = {
  KAFKA_TLS: setting('Kafka', 'Whether the brokers are spoken to through TLS.', onOff, {
    default: 'off',
    example: 'on',
  }),
  ...tls('Kafka', 'KAFKA', 'the brokers'),
  KAFKA_SASL_MECHANISM: setting(
    'Kafka',
    'How we log in to the brokers; not set: not at all, or by the certificate.',
    optional(kafkaMechanism),
    { default: '', example: 'SCRAM-SHA-512' },
  ),
  KAFKA_SASL_USER: setting('Kafka', 'The user for PLAIN and SCRAM.', optional(anyText), {
    default: '',
    example: 'cdc',
  }),
  KAFKA_SASL_PASSWORD: setting('Kafka', 'The password for PLAIN and SCRAM.', optional(anyText), {
    default: '',
    example: 'secret',
    sensitive: 'secret',
  }),
  KAFKA_OAUTH_TOKEN_FILE: setting(
    'Kafka',
    'OAUTHBEARER: a file that holds the token; read again for each login, so that it can be replaced.',
    optional(anyText),
    { default: '', example: '/var/run/secrets/tokens/kafka' },
  ),
  KAFKA_OAUTH_TOKEN_COMMAND: setting(
    'Kafka',
    'OAUTHBEARER: a command, run by sh, that prints the token. No secrets in it: the list of processes shows it.',
    optional(anyText),
    { default: '', example: 'gcloud auth print-access-token' },
  ),
  KAFKA_OAUTH_TOKEN_URL: setting(
    'Kafka',
    'OAUTHBEARER: the token endpoint, asked with client credentials.',
    optional(address(HTTP, 'with a path')),
    { default: '', example: 'https://login.example/oauth2/token', sensitive: 'may hold a secret' },
  ),
  KAFKA_OAUTH_CLIENT_ID: setting('Kafka', 'The client id for KAFKA_OAUTH_TOKEN_URL.', optional(anyText), {
    default: '',
    example: 'debezium-clickhouse',
  }),
  KAFKA_OAUTH_CLIENT_SECRET: setting('Kafka', 'The client secret for KAFKA_OAUTH_TOKEN_URL.', optional(anyText), {
    default: '',
    example: 'secret',
    sensitive: 'secret',
  }),
  KAFKA_OAUTH_SCOPE: setting('Kafka', 'The scope asked for at KAFKA_OAUTH_TOKEN_URL.', optional(anyText), {
    default: '',
    example: 'kafka',
  }),
} as const;

export const CLICKHOUSE_SECURITY = {
  ...tls('ClickHouse', 'CH', 'ClickHouse'),
  CH_LOGIN_BY_CERTIFICATE: setting(
    'ClickHouse',
    'Whether CH_USER logs in by CH_TLS_CERT_FILE (IDENTIFIED WITH ssl_certificate) instead of by a password.',
    onOff,
    { default: 'off', example: 'on' },
  ),
} as const;

export const POSTGRES_SECURITY = {
  PG_SSLMODE: setting(
    'PostgreSQL',
    'TLS as libpq and Debezium name it: disable; require (encrypted, the server is not checked); verify-ca; verify-full (its name too). Without it, what PG_URL says as ?sslmode=, else disable.',
    optional(oneOf('disable', 'require', 'verify-ca', 'verify-full')),
    { default: '', example: 'verify-full' },
  ),
  ...tlsFiles('PostgreSQL', 'PG', 'PostgreSQL'),
} as const;

const login = (
  group: SettingGroup,
  of: string,
): { user: Setting<string | null>; password: Setting<string | null> } => ({
  user: setting(group, `The user for ${of}, replacing that of its URL.`, optional(anyText), {
    default: '',
    example: 'cdc',
  }),
  password: setting(group, `The password for ${of}, replacing that of its URL.`, optional(anyText), {
    default: '',
    example: 'secret',
    sensitive: 'secret',
  }),
});

const connect = login('Connect', "Kafka Connect's REST interface");
const registry = login('Connect', 'the schema registry');

export const CONNECT_SECURITY = {
  CONNECT_USER: connect.user,
  CONNECT_PASSWORD: connect.password,
  ...tls('Connect', 'CONNECT', 'Kafka Connect'),
  REGISTRY_USER: registry.user,
  REGISTRY_PASSWORD: registry.password,
  ...tls('Connect', 'REGISTRY', 'the registry'),
  CONNECTOR_PG_SSLMODE: setting(
    'Connect',
    "The connector's database.sslmode, where it differs from PG_SSLMODE.",
    optional(oneOf('disable', 'require', 'verify-ca', 'verify-full')),
    { default: '', example: 'verify-full' },
  ),
  CONNECTOR_PG_SSLROOTCERT: setting(
    'Connect',
    "The connector's database.sslrootcert: authorities (PEM), a path on the worker. Not set: the path of PG_TLS_CA_FILE.",
    optional(word),
    { default: '', example: '/etc/kafka-connect/pg-ca.pem' },
  ),
  CONNECTOR_PG_SSLCERT: setting(
    'Connect',
    "The connector's database.sslcert: its certificate (PEM), a path on the worker.",
    optional(word),
    { default: '', example: '/etc/kafka-connect/pg-client.pem' },
  ),
  CONNECTOR_PG_SSLKEY: setting(
    'Connect',
    "The connector's database.sslkey: its key as PKCS-8 DER or PKCS-12, a path on the worker.",
    optional(word),
    { default: '', example: '/etc/kafka-connect/pg-client.pk8' },
  ),
} as const;
