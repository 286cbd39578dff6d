import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { pinnedVersion } from '../../../stack/downloads';
import { findInPath, javaMajor, requireJava, requireMaven, requirePlatform } from '../../../stack/needed-tools';
import { fillTemplate } from '../../../stack/part';
import { projectRoot } from '../../../stack/project-root';
import { connectionEnvironment } from '../../../stack/psql';
import { allUp, exportLines, shellQuote, statusTable } from '../../../stack/render';
import type { PartStatus } from '../../../stack/render';

const ENV = {
  PG_URL: "postgres://postgres:it's@127.0.0.1:1/postgres",
  CH_URL: 'http://127.0.0.1:5',
  CH_DATABASE: 'cdc',
  KAFKA_BROKERS: '127.0.0.1:2',
  CONNECT_URL: 'http://127.0.0.1:4',
};

const UP: PartStatus = {
  part: 'kafka',
  state: 'up',
  port: 19092,
  process: '77',
  version: '4.3.1',
  log: '/l/kafka.log',
};
const DOWN: PartStatus = {
  part: 'connect',
  state: 'down',
  port: 18083,
  process: '',
  version: '',
  log: '/l/connect.log',
};

describe('the export lines', () => {
  test('name all six settings, the registry empty where there is none', () => {
    expect(exportLines(ENV).split('\n')).toEqual([
      `export PG_URL='postgres://postgres:it'\\''s@127.0.0.1:1/postgres'`,
      "export CH_URL='http://127.0.0.1:5'",
      "export CH_DATABASE='cdc'",
      "export KAFKA_BROKERS='127.0.0.1:2'",
      "export CONNECT_URL='http://127.0.0.1:4'",
      "export REGISTRY_URL=''",
    ]);
    expect(exportLines({ ...ENV, REGISTRY_URL: 'http://127.0.0.1:7' })).toContain("REGISTRY_URL='http://127.0.0.1:7'");
  });

  test('are read back unchanged by a shell', () => {
    const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(word, (text) => {
        expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' })).toBe(text);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the status', () => {
  test('is a table as wide as its contents, without spaces at the ends', () => {
    expect(statusTable([UP, DOWN])).toBe(
      [
        'PART     STATE  PORT   PID  VERSION  LOG',
        'kafka    up     19092  77   4.3.1    /l/kafka.log',
        'connect  down   18083                /l/connect.log',
      ].join('\n'),
    );
  });

  test('is good only when every part is up and the connector, if there is one, runs', () => {
    const connector = { name: 'c', state: 'RUNNING', tasks: [], running: true };
    expect(allUp([UP], connector)).toBe(true);
    expect(allUp([UP], null)).toBe(true);
    expect(allUp([UP, DOWN], connector)).toBe(false);
    expect(allUp([{ ...UP, state: 'no answer' }], connector)).toBe(false);
    expect(allUp([UP], { ...connector, running: false })).toBe(false);
  });
});

describe('what the machine must have', () => {
  test.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['Picked up JAVA_TOOL_OPTIONS: -Dx=1\nopenjdk version "25.0.1" 2025-10-21 LTS', 25],
    ['command not found', null],
  ])('%j is Java %j', (printed, major) => {
    expect(javaMajor(printed)).toBe(major);
  });

  test('is named with its use and how to get it when it is missing', async () => {
    const nothing = { PATH: '/nowhere' };
    await expect(requireJava(nothing)).rejects.toMatchObject({
      message: expect.stringContaining('need Java 17 or later') as string,
      hint: expect.stringContaining('apt-get install openjdk-17') as string,
    });
    expect(() => requireMaven(nothing)).toThrow(/Maven \(mvn\) was not found; it downloads Kafka/);
    expect(findInPath('sh', { PATH: '/nowhere:/bin' })).toBe('/bin/sh');
  });

  test('is Linux x64; elsewhere Docker is asked for', () => {
    expect(() => {
      requirePlatform('linux', 'x64');
    }).not.toThrow();
    expect(() => {
      requirePlatform('darwin', 'arm64');
    }).toThrow('Linux x64 only; this is darwin arm64');
  });
});

describe('what the parts are configured with', () => {
  const root = projectRoot();

  test('has no placeholder left and listens on loopback only', () => {
    const values = {
      PORT: '1',
      CONTROLLER_PORT: '2',
      DATA_DIR: '/d',
      KAFKA_PORT: '3',
      PLUGIN_PATH: '/p',
      PLUGIN_DISCOVERY: 's',
      EXACTLY_ONCE: 'enabled',
    };
    for (const file of ['kafka/server.properties', 'connect/worker.properties']) {
      const lines = fillTemplate(root, file, values)
        .split('\n')
        .filter((line) => !line.startsWith('#'));
      expect(lines.join('\n')).not.toContain('${');
      const listeners = lines.filter((line) => /^(advertised\.)?listeners=/.test(line));
      expect(listeners.length).toBeGreaterThan(0);
      for (const address of listeners.flatMap((line) => line.split('=')[1]?.split(',') ?? [])) {
        expect(address).toContain('://127.0.0.1:');
      }
    }
  });

  test('is pinned to the versions that were measured', () => {
    expect(pinnedVersion(root, 'kafka')).toBe('4.3.1');
    expect(pinnedVersion(root, 'debezium')).toBe('3.7.0.Final');
    expect(pinnedVersion(root, 'registry')).toBe(pinnedVersion(root, 'avro-converter'));
  });
});

test('psql gets the address as variables, with every escape of the URL undone', () => {
  expect(connectionEnvironment('postgres://us%40er:p%2Fw@host/data%20base')).toEqual({
    PGHOST: 'host',
    PGPORT: '5432',
    PGUSER: 'us@er',
    PGPASSWORD: 'p/w',
    PGDATABASE: 'data base',
  });
});
