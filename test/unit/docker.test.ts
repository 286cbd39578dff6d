/** The decision for Docker, its command lines, and how its answers are read. */
import type { Docker } from '../../stack/docker-command';
import {
  composeArgs,
  dockerStatus,
  environmentOf,
  logsArgs,
  parsePs,
  passwordsFor,
  portVariables,
  statusOf,
  tryDocker,
  upArgs,
} from '../../stack/docker';
import type { Ports } from '../../stack/stack-settings';

const PORTS: Ports = {
  postgres: 1,
  kafka: 2,
  kafkaController: 3,
  connect: 4,
  clickhouseHttp: 5,
  clickhouseTcp: 6,
  registry: 7,
};

/** A docker that fails for every command line that matches. */
function failing(pattern: RegExp, asked: string[] = []): Docker {
  return (args) => {
    const line = args.join(' ');
    asked.push(line);
    return Promise.resolve({ code: pattern.test(line) ? 1 : 0, stdout: '', stderr: '' });
  };
}

describe('whether Docker can be used', () => {
  test('it can when daemon, Compose and images are there', async () => {
    const asked: string[] = [];
    await expect(tryDocker(failing(/^never$/, asked))).resolves.toMatchObject({ usable: true });
    const images = asked.filter((line) => line.startsWith('image inspect')).map((line) => line.split(' ').at(-1));
    expect(images).toEqual([
      'postgres:18.4',
      'apache/kafka:4.3.1',
      expect.stringMatching(/^maven:/),
      'clickhouse/clickhouse-server:26.7.2',
    ]);
  });

  test('it cannot without a daemon, and nothing else is asked', async () => {
    const asked: string[] = [];
    await expect(tryDocker(failing(/^version/, asked))).resolves.toEqual({
      usable: false,
      reason: 'no Docker daemon answers',
    });
    expect(asked).toHaveLength(1);
  });

  test('it cannot without Compose', async () => {
    await expect(tryDocker(failing(/^compose/))).resolves.toMatchObject({ reason: 'Docker has no Compose plugin' });
  });

  test('an image that is not here may still be pulled', async () => {
    await expect(tryDocker(failing(/^image inspect/))).resolves.toMatchObject({ usable: true });
  });

  test('it cannot when an image is neither here nor to be had, and names it', async () => {
    await expect(tryDocker(failing(/ clickhouse\//))).resolves.toEqual({
      usable: false,
      reason: 'these images cannot be had: clickhouse/clickhouse-server:26.7.2',
    });
  });

  test('a machine without the command has no daemon', async () => {
    const absent: Docker = () => Promise.resolve({ code: -1, stdout: '', stderr: 'spawn docker ENOENT' });
    await expect(tryDocker(absent)).resolves.toMatchObject({ usable: false });
  });
});

describe('the command lines', () => {
  const prefix = 'compose --project-name debezium-clickhouse --file /r/docker-compose.yml';

  test('up waits until all are healthy, and brings the registry only for Avro', () => {
    expect(upArgs('/r', 'json').join(' ')).toBe(`${prefix} up --detach --build --wait --wait-timeout 300`);
    expect(upArgs('/r', 'avro').join(' ')).toContain(`${prefix} --profile avro up`);
  });

  test('what is meant for everything names all profiles', () => {
    expect(composeArgs('/r', ['avro', 'service']).join(' ')).toBe(`${prefix} --profile avro --profile service`);
  });

  test('logs show the end of one part or of all', () => {
    const one = logsArgs('/r', { part: 'kafka', follow: true, lines: 9 });
    expect(one.slice(-5)).toEqual(['logs', '--tail', '9', '--follow', 'kafka']);
    expect(logsArgs('/r', { part: undefined, follow: false, lines: 9 }).slice(-3)).toEqual(['logs', '--tail', '9']);
  });

  test('ports are handed over under the names of the settings', () => {
    expect(portVariables(PORTS)).toMatchObject({
      STACK_PG_PORT: '1',
      STACK_CH_HTTP_PORT: '5',
      STACK_REGISTRY_PORT: '7',
    });
  });
});

describe('passwords', () => {
  test('are as set, else as they were, else made up', () => {
    const first = passwordsFor(null, {});
    expect(first.PG_PASSWORD).toMatch(/^[0-9a-f]{36}$/);
    expect(first.PG_PASSWORD).not.toBe(first.CH_PASSWORD);
    const env = environmentOf(PORTS, { PG_PASSWORD: 'a/b@c', CH_PASSWORD: first.CH_PASSWORD }, 'json');
    expect(passwordsFor(env, {})).toEqual({ PG_PASSWORD: 'a/b@c', CH_PASSWORD: first.CH_PASSWORD });
    expect(passwordsFor(env, { PG_PASSWORD: 'set' }).PG_PASSWORD).toBe('set');
  });

  test('are in the addresses of the service, which names the registry only for Avro', () => {
    const passwords = { PG_PASSWORD: 'p@', CH_PASSWORD: 'c/' };
    expect(environmentOf(PORTS, passwords, 'avro')).toEqual({
      PG_URL: 'postgres://postgres:p%40@127.0.0.1:1/postgres',
      CH_URL: 'http://cdc:c%2F@127.0.0.1:5',
      CH_DATABASE: 'cdc',
      KAFKA_BROKERS: '127.0.0.1:2',
      CONNECT_URL: 'http://127.0.0.1:4',
      REGISTRY_URL: 'http://127.0.0.1:7',
    });
    expect(environmentOf(PORTS, passwords, 'json')).not.toHaveProperty('REGISTRY_URL');
  });
});

describe('the status', () => {
  const rows = [
    {
      Service: 'postgres',
      State: 'running',
      Health: 'healthy',
      ID: '0123456789abcdef',
      Image: 'postgres:18.4',
      Publishers: [{ PublishedPort: 0 }, { PublishedPort: 54320 }],
    },
    { Service: 'kafka', State: 'running', Health: 'starting', Publishers: null },
    { Service: 'connector', State: 'exited', Health: '' },
    { Service: 'service', State: 'running', Health: '' },
  ];

  test('is read from an array and from an object on each line alike', () => {
    const lines = rows.map((row) => JSON.stringify(row)).join('\n');
    expect(parsePs(`${lines}\n`)).toEqual(rows);
    expect(parsePs(JSON.stringify(rows))).toEqual(rows);
    expect(parsePs('')).toEqual([]);
  });

  test('tells apart up, not answering and down, and counts what has no container as down', () => {
    const states = Object.fromEntries(statusOf(rows).map(({ part, state }) => [part, state]));
    expect(states).toEqual({ postgres: 'up', clickhouse: 'down', kafka: 'no answer', connect: 'down', service: 'up' });
    expect(statusOf(rows)[0]).toEqual({
      part: 'postgres',
      state: 'up',
      port: 54320,
      process: '0123456789ab',
      version: '18.4',
      log: 'make logs PART=postgres',
    });
  });

  test('needs a daemon', async () => {
    await expect(dockerStatus(failing(/ ps /))).rejects.toMatchObject({ code: 'STACK_FAILED' });
  });
});
