/** Parts that let nobody in without TLS and a login: a Kafka, a PostgreSQL and a door to ClickHouse, started for one test file. */
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { ensureDownloads } from '../../stack/downloads';
import type { Part, PartContext } from '../../stack/part';
import { partLog } from '../../stack/part-log';
import { postgresPart } from '../../stack/part-postgres';
import { startPart } from '../../stack/part-runner';
import { kafkaPart } from '../../stack/parts-jvm';
import { choosePorts } from '../../stack/ports';
import { stopProcess } from '../../stack/process-identity';
import { projectRoot } from '../../stack/project-root';
import { runToEnd } from '../../stack/run-to-end';
import { PORT_NAMES, type Ports } from '../../stack/stack-settings';
import type { Certificates } from './certificates';

export interface SecuredPart {
  readonly port: number;
  stop(): Promise<void>;
}

export interface SecuredKafka extends SecuredPart {
  /** The plain listener, for what a test prepares. */
  readonly plainPort: number;
}

const NO_PORTS = Object.fromEntries(PORT_NAMES.map((name) => [name, 0])) as Ports;

async function contextIn(dir: string, pgPassword: string): Promise<PartContext> {
  const ports = await choosePorts({ wanted: NO_PORTS, before: undefined, inUse: new Set(), needed: new Set() });
  const root = projectRoot();
  mkdirSync(join(dir, 'data'), { recursive: true });
  return {
    root,
    dir,
    partsDir: join(root, '.stack', 'parts'),
    ports,
    avro: false,
    sendsTwice: false,
    pgUrl: `postgres://postgres:${encodeURIComponent(pgPassword)}@127.0.0.1:${ports.postgres}/postgres`,
    pgPassword,
    log: partLog(dir, 'kafka'),
  };
}

async function start(part: Part, context: PartContext): Promise<() => Promise<void>> {
  const quiet = (): void => undefined;
  const state = await startPart({ part, context, log: quiet, onStarted: quiet });
  return async () => void (await stopProcess(state, { signals: ['SIGKILL'], waitMs: 10_000 }));
}

/** A broker whose outer listener is SASL_SSL with PLAIN, SCRAM and OAUTHBEARER (tokens without a signature). */
export async function startSecuredKafka(
  dir: string,
  login: { readonly user: string; readonly password: string; readonly certificates: Certificates },
): Promise<SecuredKafka> {
  const context = await contextIn(dir, '');
  await ensureDownloads({ ...context, log: () => undefined }, ['kafka']);
  const { kafka: plainPort, registry: port, kafkaController } = context.ports;
  const { user, password, certificates } = login;
  const jaas = 'org.apache.kafka.common.security';
  const lines = {
    listeners: `PLAINTEXT://127.0.0.1:${plainPort},SECURE://127.0.0.1:${port},CONTROLLER://127.0.0.1:${kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${plainPort},SECURE://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'listener.name.secure.plain.sasl.jaas.config': `${jaas}.plain.PlainLoginModule required user_${user}="${password}";`,
    'listener.name.secure.scram-sha-256.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
    'listener.name.secure.scram-sha-512.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
    'listener.name.secure.oauthbearer.sasl.jaas.config': `${jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certificates.file('server.both.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates.file('ca.pem'),
    'listener.name.secure.ssl.client.auth': 'required',
  };
  let java = { file: '', jars: '' };
  const part: Part = {
    ...kafkaPart,
    async prepare(of) {
      const launch = await kafkaPart.prepare(of);
      java = { file: launch.file, jars: launch.args[launch.args.indexOf('-cp') + 1] ?? '' };
      const text = Object.entries(lines).map(([name, value]) => `${name}=${forProperties(value)}`);
      appendFileSync(launch.args.at(-1) ?? '', `\n${text.join('\n')}\n`);
      return launch;
    },
  };
  const stop = await start(part, context);
  const admin = ['-XX:TieredStopAtLevel=1', '-cp', java.jars, 'kafka.admin.ConfigCommand'];
  const alter = ['--alter', '--entity-type', 'users', '--entity-name', user, '--add-config'];
  const made = await Promise.all(
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) =>
      runToEnd({
        file: java.file,
        args: [...admin, '--bootstrap-server', `127.0.0.1:${plainPort}`, ...alter, `${name}=[password=${password}]`],
        env: { LC_ALL: 'C.UTF-8' },
      }),
    ),
  );
  const failed = made.find(({ code }) => code !== 0);
  if (failed !== undefined) {
    await stop();
    throw new Error(`making the SCRAM user failed:\n${failed.output}`);
  }
  return { port, plainPort, stop };
}

/** A server that takes connections through TLS only. */
export async function startSecuredPostgres(
  dir: string,
  { password, certificates }: { readonly password: string; readonly certificates: Certificates },
): Promise<SecuredPart> {
  const context = { ...(await contextIn(dir, password)), log: partLog(dir, 'postgres') };
  const part: Part = {
    ...postgresPart,
    async prepare(of) {
      const launch = await postgresPart.prepare(of);
      const data = launch.args[launch.args.indexOf('-D') + 1] ?? '';
      const { uid, gid } = statSync(data);
      for (const name of ['server.pem', 'server.key']) {
        writeFileSync(join(data, name), certificates.text(name));
        chmodSync(join(data, name), 0o600);
        chownSync(join(data, name), uid, gid);
      }
      const rules = join(data, 'pg_hba.conf');
      writeFileSync(rules, readFileSync(rules, 'utf8').replaceAll(/^host(?=\s)/gm, 'hostssl'));
      const ssl = [
        'listen_addresses=127.0.0.1,127.0.0.2',
        'ssl=on',
        'ssl_cert_file=server.pem',
        'ssl_key_file=server.key',
      ].flatMap((one) => ['-c', one]);
      return { ...launch, args: [...launch.args, ...ssl] };
    },
    // It refuses the plain connection of the usual probe, which is an answer too.
    probe: async ({ ports }) => {
      const socket = connect({ host: '127.0.0.1', port: ports.postgres });
      return once(socket, 'connect').then(
        () => (socket.destroy(), 'ready'),
        () => null,
      );
    },
  };
  const stop = await start(part, context);
  return { port: context.ports.postgres, stop };
}

/** TLS in front of a server that speaks none; it asks for a certificate of our authority. */
export async function startTlsDoor(target: URL, certificates: Certificates): Promise<SecuredPart> {
  const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => certificates.text(name));
  const door = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (client) => {
    const server = connect({ host: target.hostname, port: Number(target.port) });
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.pipe(server);
    server.pipe(client);
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  return {
    port: (door.address() as AddressInfo).port,
    async stop() {
      door.close();
      await once(door, 'close');
    },
  };
}

/** Java reads a file of properties as Latin-1, with \uXXXX for the rest. */
function forProperties(value: string): string {
  return value.replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
