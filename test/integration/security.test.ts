/** TLS and logins on real parts: a Kafka with SASL_SSL, a PostgreSQL that takes TLS only, and ClickHouse behind a door with TLS. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { connectClickHouse } from '../../src/clickhouse/client';
import { loadConfig } from '../../src/config';
import { describeKafka } from '../../src/kafka/describe';
import { openPostgres } from '../../src/postgres/client';
import { makeCertificates, type Certificates } from '../harness/certificates';
import { scenario, withLogs } from '../harness/scenario';
import {
  startSecuredKafka,
  startSecuredPostgres,
  startTlsDoor,
  type SecuredKafka,
  type SecuredPart,
} from '../harness/secured-parts';
import { openTopics } from '../harness/topics';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

const ALL_TOPICS = { isOurs: () => true, heartbeats: '' };
const PASSWORD = 'p@ss: #ü/%41&=?';

describe('with TLS and logins everywhere', () => {
  let world: World;
  let certificates: Certificates;
  let kafka: SecuredKafka;
  let source: SecuredPart;
  let door: SecuredPart;
  const stops: (() => Promise<void>)[] = [];
  let settings: Record<string, string> = {};

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    const dir = join(world.stack.dir, `secured-${world.name}`);
    certificates = await makeCertificates(dir);
    const started = await Promise.allSettled([
      startSecuredKafka(join(dir, 'k'), { user: 'cdc', password: PASSWORD, certificates }),
      startSecuredPostgres(join(dir, 'p'), { password: PASSWORD, certificates }),
      startTlsDoor(new URL(world.stack.env.CH_URL), certificates),
    ]);
    for (const one of started) if (one.status === 'fulfilled') stops.push(() => one.value.stop());
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    [kafka, source, door] = started.map((one) => (one.status === 'fulfilled' ? one.value : null)) as [
      SecuredKafka,
      SecuredPart,
      SecuredPart,
    ];
    writeFileSync(join(dir, 'password'), `${PASSWORD}\n`);
    const { CH_URL: _ch, PG_URL: _pg, ...rest } = world.settings;
    const files = (prefix: string): Record<string, string> => ({
      [`${prefix}_TLS_CA_FILE`]: certificates.file('ca.pem'),
      [`${prefix}_TLS_CERT_FILE`]: certificates.file('client.pem'),
      [`${prefix}_TLS_KEY_FILE`]: certificates.file('client.key'),
    });
    settings = {
      ...rest,
      ...files('KAFKA'),
      ...files('CH'),
      KAFKA_BROKERS: `localhost:${kafka.port}`,
      KAFKA_TLS: 'on',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USER: 'cdc',
      KAFKA_SASL_PASSWORD_FILE: join(dir, 'password'),
      CH_URL: `https://default@localhost:${door.port}`,
      PG_HOST: '127.0.0.1',
      PG_PORT: String(source.port),
      PG_USER: 'postgres',
      PG_PASSWORD: PASSWORD,
      PG_SSLMODE: 'verify-full',
      PG_TLS_CA_FILE: certificates.file('ca.pem'),
    };
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    if (world.service.isRunning()) await world.service.kill();
    if ('PG_HOST' in settings) await world.command(['connectors', 'delete'], { ...settings, PG_URL: '' });
    await Promise.all(stops.map((stop) => stop()));
    await world.close();
  });

  const configOf = (changes: Record<string, string>) =>
    loadConfig({ env: { ...settings, ...changes }, cwd: world.stack.dir, flags: {} });
  const topicsWith = (changes: Record<string, string>) =>
    describeKafka({ ...configOf(changes).kafka, holdMs: 500 }, ALL_TOPICS).then(({ brokers }) => brokers === 1);
  const ask = async (changes: Record<string, string>): Promise<string | undefined> => {
    const { postgres } = configOf(changes);
    if (postgres === null) throw new Error('no PostgreSQL in the settings');
    const client = openPostgres(postgres);
    try {
      const rows = await client.query<{ cipher: string }>(
        'SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return rows[0]?.cipher;
    } finally {
      await client.close();
    }
  };

  scenario('Kafka lets us in by PLAIN and both kinds of SCRAM, and refuses a wrong password as such', async () => {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      await expect(topicsWith({ KAFKA_SASL_MECHANISM: mechanism })).resolves.toBe(true);
    }
    const { KAFKA_SASL_PASSWORD_FILE: _file, ...others } = settings;
    const wrong = loadConfig({ env: { ...others, KAFKA_SASL_PASSWORD: 'wr0ng' }, cwd: world.stack.dir, flags: {} });
    const refused: unknown = await describeKafka({ ...wrong.kafka, holdMs: 500 }, ALL_TOPICS).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'KAFKA_REFUSED_LOGIN' });
    expect((refused as Error).message).not.toContain('wr0ng');
  });

  scenario('Kafka lets us in by OAUTHBEARER, with a token from a file, a command and an endpoint', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1_000);
    const token = `${part({ alg: 'none' })}.${part({ sub: 'cdc', iat: now, exp: now + 3_600 })}.`;
    const file = join(world.stack.dir, `${world.name}-token`);
    writeFileSync(file, `${token}\n`);
    let asked = 0;
    const endpoint: Server = createServer((request, response) => {
      asked += request.headers.authorization === `Basic ${Buffer.from('id:s3cret').toString('base64')}` ? 1 : 100;
      response.end(JSON.stringify({ access_token: token, expires_in: 3600 }));
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const KAFKA_OAUTH_TOKEN_URL = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`;
    const KAFKA_SASL_MECHANISM = 'OAUTHBEARER';
    try {
      await expect(topicsWith({ KAFKA_SASL_MECHANISM, KAFKA_OAUTH_TOKEN_FILE: file })).resolves.toBe(true);
      await expect(topicsWith({ KAFKA_SASL_MECHANISM, KAFKA_OAUTH_TOKEN_COMMAND: `cat ${file}` })).resolves.toBe(true);
      const client = { KAFKA_OAUTH_CLIENT_ID: 'id', KAFKA_OAUTH_CLIENT_SECRET: 's3cret' };
      await expect(topicsWith({ KAFKA_SASL_MECHANISM, KAFKA_OAUTH_TOKEN_URL, ...client })).resolves.toBe(true);
    } finally {
      endpoint.close();
    }
    expect(asked).toBe(1);
  });

  scenario(
    'a certificate of a stranger is refused everywhere, and taken only where the check is switched off',
    async () => {
      const stranger = certificates.file('other-ca.pem');
      await expect(topicsWith({ KAFKA_TLS_CA_FILE: stranger })).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
      await expect(topicsWith({ KAFKA_TLS_CA_FILE: stranger, KAFKA_TLS_VERIFY: 'off' })).resolves.toBe(true);
      await expect(ask({ PG_TLS_CA_FILE: stranger })).rejects.toMatchObject({ code: 'POSTGRES_UNREACHABLE' });
      await expect(ask({ PG_TLS_CA_FILE: stranger, PG_SSLMODE: 'require' })).resolves.toMatch(/^TLS_/);
      await expect(ask({ PG_SSLMODE: 'disable' })).rejects.toMatchObject({ code: 'POSTGRES_REFUSED_LOGIN' });
      const migrate = await world.command(['migrate'], { ...settings, CH_TLS_CA_FILE: stranger, PG_URL: '' });
      expect(migrate.stderr).toContain('CLICKHOUSE_UNREACHABLE');
      const open = await world.command(['migrate'], {
        ...settings,
        CH_TLS_CA_FILE: stranger,
        CH_TLS_VERIFY: 'off',
        PG_URL: '',
      });
      expect([open.code, open.stderr]).toEqual([0, expect.stringContaining('WARNING CH_TLS_VERIFY=off')]);
    },
  );

  scenario('a certificate that names another host is refused by verify-full and taken by verify-ca', async () => {
    const host = { PG_HOST: '127.0.0.2' };
    await expect(ask({ ...host, PG_SSLMODE: 'verify-full' })).rejects.toMatchObject({ code: 'POSTGRES_UNREACHABLE' });
    await expect(ask({ ...host, PG_SSLMODE: 'verify-ca' })).resolves.toMatch(/^TLS_/);
    const broker = { KAFKA_BROKERS: `127.0.0.2:${kafka.port}` };
    await expect(topicsWith(broker)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  scenario('to ClickHouse, the certificate logs in instead of a password where that is asked for', async () => {
    const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => certificates.text(name));
    const seen: Record<string, unknown>[] = [];
    const server = createHttpsServer(
      { key, cert, ca, requestCert: true, rejectUnauthorized: true },
      (request, answer) => {
        seen.push({ ...request.headers });
        answer.end();
      },
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://cdc@localhost:${(server.address() as AddressInfo).port}`;
    const { clickhouse } = configOf({ CH_URL: url, CH_LOGIN_BY_CERTIFICATE: 'on' });
    const client = connectClickHouse({ ...clickhouse, application: 'test', requestTimeoutMs: 5_000 });
    await client.query('SELECT 1');
    await client.close();
    server.close();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ 'x-clickhouse-user': 'cdc', 'x-clickhouse-ssl-certificate-auth': 'on' });
    expect(seen[0]).not.toHaveProperty('authorization');
    expect(seen[0]).not.toHaveProperty('x-clickhouse-key');
    expect(() => configOf({ CH_LOGIN_BY_CERTIFICATE: 'on', CH_TLS_CERT_FILE: '', CH_TLS_KEY_FILE: '' })).toThrow(
      'CH_LOGIN_BY_CERTIFICATE',
    );
  });

  scenario('the connector reads the source through TLS, and the service brings the rows through', async () => {
    const root = openPostgres({ url: configOf({}).postgres?.url ?? '', tls: configOf({}).postgres?.tls ?? null });
    await root.query('CREATE TABLE item (id int PRIMARY KEY, name text)');
    await root.query(`INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 100) i`);
    const applied = await world.command(['connectors', 'apply'], { ...settings, PG_URL: '' });
    expect([applied.code, applied.stderr]).toEqual([0, '']);
    const walsenders = await root.query<{ ssl: boolean }>(
      'SELECT s.ssl FROM pg_stat_replication r JOIN pg_stat_ssl s USING (pid)',
    );
    await root.close();
    expect(walsenders).toEqual([{ ssl: true }]);

    const topic = world.topic('item');
    const records = await waitFor(async () => {
      const found = (await world.topics.names(world.name)).includes(topic) ? await world.topics.read([topic]) : [];
      return found.length === 100 ? found : null;
    }, 'the snapshot is in Kafka');
    const inner = await openTopics(`127.0.0.1:${kafka.plainPort}`);
    await inner.admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    await inner.produce(
      topic,
      records.map(({ key, value }) => ({ key, value })),
    );
    await inner.close();
    await world.service.start({ env: { ...settings, PG_URL: '', CH_HOST: '' } });
    await waitFor(async () => {
      const [row] = await world.clickhouse.query<{ n: string }>(`SELECT count() AS n FROM ${world.database}.item`);
      return row?.n === '100';
    }, 'the view holds the rows');
    expect(await world.service.stop()).toBe(0);
  });
});
