import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config, type SettingFlags } from '../../src/config';
import { SECRET_FILE_NAMES } from '../../src/config/settings';
import type { ServiceError } from '../../src/errors';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-security-'));
  for (const name of ['ca.pem', 'client.pem', 'client.key']) writeFileSync(join(cwd, name), PEM);
});
afterEach(() => rmSync(cwd, { recursive: true }));

const load = (env: Record<string, string>, flags: SettingFlags = {}): Config => loadConfig({ env, cwd, flags });
const fails = (env: Record<string, string>): ServiceError => {
  try {
    load(env);
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('it did not fail');
};

describe('secrets from files', () => {
  test('are read for every password, without the line break at the end', () => {
    writeFileSync(join(cwd, 'secret'), 'pa ss\n\n');
    expect(load({ CH_PASSWORD_FILE: 'secret' }).clickhouse.password).toBe('pa ss\n');
    expect(SECRET_FILE_NAMES).toEqual(expect.arrayContaining(['PG_PASSWORD_FILE', 'PG_URL_FILE', 'CH_URL_FILE']));
  });

  test('win over, and lose to, the setting itself by the order of the sources', () => {
    writeFileSync(join(cwd, 'secret'), 'from file');
    writeFileSync(join(cwd, '.env'), 'CH_PASSWORD=from-dotenv\n');
    expect(load({ CH_PASSWORD_FILE: 'secret' }).clickhouse.password).toBe('from file');
    writeFileSync(join(cwd, '.env'), 'CH_PASSWORD_FILE=not-there\n');
    expect(load({ CH_PASSWORD: 'direct' }).clickhouse.password).toBe('direct');
    expect(load({ CH_PASSWORD: 'direct' }, { CH_PASSWORD_FILE: 'secret' }).clickhouse.password).toBe('from file');
  });

  test('hold whole addresses too, which hide the parts below them', () => {
    writeFileSync(join(cwd, 'url'), 'postgres://u:p%40@db/shop\n');
    writeFileSync(join(cwd, '.env'), 'PG_PASSWORD=other\nPG_TLS_CA_FILE=ca.pem\n');
    expect(load({ PG_URL_FILE: 'url' }).postgres).toMatchObject({ user: 'u', password: 'p@', database: 'shop' });
  });

  test('are refused beside the setting itself, when missing and when empty, by name and never by content', () => {
    writeFileSync(join(cwd, 'empty'), '\n');
    expect(fails({ CH_PASSWORD: 'x', CH_PASSWORD_FILE: 'empty' }).message).toContain(
      'CH_PASSWORD and CH_PASSWORD_FILE',
    );
    expect(fails({ CH_PASSWORD_FILE: 'empty' })).toMatchObject({ code: 'CONFIG_FILE_UNREADABLE' });
    expect(fails({ CH_PASSWORD_FILE: 'nowhere' }).message).toContain('CH_PASSWORD_FILE');
  });
});

describe('TLS', () => {
  test('is off unless it is asked for, and checks certificates unless told not to', () => {
    const plain = load({ PG_HOST: 'db' });
    expect([plain.kafka.tls, plain.clickhouse.tls, plain.postgres?.tls]).toEqual([null, null, null]);
    const on = load({
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA_FILE: 'ca.pem',
      CH_URL: 'https://ch:8443',
      PG_URL: 'postgres://db/shop?sslmode=verify-full&application_name=x',
      CONNECT_URL: 'https://connect/base/',
    });
    expect(on.kafka.tls).toEqual({ verify: 'full', ca: PEM, cert: null, key: null, keyPassword: '' });
    expect([on.clickhouse.tls?.verify, on.postgres?.tls?.verify, on.connect?.tls?.verify]).toEqual([
      'full',
      'full',
      'full',
    ]);
    expect(on.postgres?.url).toBe('postgres://postgres@db/shop?application_name=x');
    expect(on.connect?.url).toBe('https://connect/base');
    expect(on.warnings).toEqual([]);
  });

  test('without a check of the certificate is warned of, each time', () => {
    const open = load({
      KAFKA_TLS: 'on',
      KAFKA_TLS_VERIFY: 'off',
      CH_URL: 'https://ch:8443',
      CH_TLS_VERIFY: 'off',
      PG_URL: 'postgres://db/shop',
      PG_SSLMODE: 'require',
    });
    expect(open.warnings.map((warning) => warning.split(':')[0])).toEqual([
      'KAFKA_TLS_VERIFY=off',
      'CH_TLS_VERIFY=off',
      'PG_SSLMODE=require',
    ]);
  });

  test('reaches the connector: mode and authorities, in its own words', () => {
    const env = { PG_URL: 'postgres://db/shop', PG_SSLMODE: 'verify-ca', PG_TLS_CA_FILE: 'ca.pem' };
    expect(load(env).connector.extra).toEqual({ 'database.sslmode': 'verify-ca', 'database.sslrootcert': 'ca.pem' });
    const own = {
      CONNECTOR_PG_SSLMODE: 'verify-full',
      CONNECTOR_PG_SSLROOTCERT: '/w/ca.pem',
      CONNECTOR_PG_SSLKEY: '/w/k',
    };
    expect(load({ ...env, ...own }).connector.extra).toEqual({
      'database.sslmode': 'verify-full',
      'database.sslrootcert': '/w/ca.pem',
      'database.sslkey': '/w/k',
    });
    expect(load({ PG_URL: 'postgres://db/shop' }).connector.extra).toEqual({});
  });

  test('needs certificate and key together, files that are there, and PEM in them', () => {
    writeFileSync(join(cwd, 'no.pem'), 'secret text');
    expect(fails({ KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: 'client.pem' }).message).toContain('KAFKA_TLS_KEY_FILE');
    expect(fails({ KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: 'gone.pem' }).message).toContain('KAFKA_TLS_CA_FILE');
    const noPem = fails({ KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: 'no.pem' });
    expect(noPem.message).not.toContain('secret text');
    expect(fails({ PG_URL: 'postgres://db/s?sslrootcert=x' }).message).toContain('sslrootcert');
    expect(fails({ PG_URL: 'postgres://db/s?sslmode=odd' }).code).toBe('CONFIG_INVALID');
  });
});

describe('the login to Kafka', () => {
  test('is PLAIN or SCRAM with user and password', () => {
    const login = { KAFKA_SASL_USER: 'u', KAFKA_SASL_PASSWORD: 'p' };
    expect(load({ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', ...login }).kafka.sasl).toEqual({
      mechanism: 'scram-sha-512',
      user: 'u',
      password: 'p',
    });
    const plain = load({ KAFKA_SASL_MECHANISM: 'PLAIN', ...login });
    expect(plain.warnings).toEqual([expect.stringContaining('plain text')]);
    expect(fails({ KAFKA_SASL_MECHANISM: 'PLAIN' }).message).toContain('KAFKA_SASL_USER');
  });

  test('is OAUTHBEARER with exactly one source of tokens', () => {
    const oauth = { KAFKA_SASL_MECHANISM: 'OAUTHBEARER' };
    expect(fails(oauth).message).toContain('one of KAFKA_OAUTH_TOKEN_FILE');
    expect(fails({ ...oauth, KAFKA_OAUTH_TOKEN_FILE: 'a', KAFKA_OAUTH_TOKEN_COMMAND: 'b' }).code).toBe(
      'CONFIG_INVALID',
    );
    const endpoint = { KAFKA_OAUTH_TOKEN_URL: 'https://id/token', KAFKA_OAUTH_CLIENT_ID: 'me', KAFKA_OAUTH_SCOPE: 's' };
    expect(load({ ...oauth, ...endpoint, KAFKA_OAUTH_CLIENT_SECRET: 'x' }).kafka.sasl).toMatchObject({
      mechanism: 'oauthbearer',
      token: { kind: 'endpoint', endpoint: { url: 'https://id/token', user: 'me', password: 'x' }, scope: 's' },
    });
  });
});

test('all secrets of the settings are known, so that they can be cut out of what others say', () => {
  const { secrets } = load({
    CH_URL: 'http://u:a%2Fb@ch:8123',
    PG_HOST: 'db',
    PG_PASSWORD: 'p@ss',
    CONNECT_URL: 'http://c:conn@connect',
    KAFKA_SASL_PASSWORD: 'k',
  });
  expect(secrets).toEqual(expect.arrayContaining(['a/b', 'a%2Fb', 'p@ss', 'p%40ss', 'conn', 'k']));
});
