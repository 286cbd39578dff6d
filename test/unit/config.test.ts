import fc from 'fast-check';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { configurationPage } from '../../src/config/docs';
import { loadConfig, redactUrl, type Config } from '../../src/config';
import { tableFilter } from '../../src/config/patterns';
import { isSettingName, SETTING_NAMES, SETTINGS, type SettingName } from '../../src/config/settings';
import { PLACEHOLDER_DEFAULTS } from '../../src/connect/profile';
import { ServiceError } from '../../src/errors';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(env: Record<string, string> = {}, flags: Partial<Record<SettingName, string>> = {}): Config {
  return loadConfig({ env, cwd, flags });
}

function failure(act: () => unknown): ServiceError {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

function writeState(env: Record<string, string>, dir = '.stack'): void {
  mkdirSync(join(cwd, dir), { recursive: true });
  writeFileSync(join(cwd, dir, 'state.json'), JSON.stringify({ env }));
}

describe('the settings', () => {
  test('have documented defaults that are valid', () => {
    expect(load()).toMatchObject({
      kafka: {
        brokers: ['localhost:9092'],
        groupId: 'debezium-clickhouse',
        sessionTimeoutMs: 15_000,
        topicRefreshMs: 1_000,
      },
      topicPrefix: 'cdc',
      tables: { include: ['*.*'], exclude: [] },
      mirrors: true,
      clickhouse: { url: 'http://localhost:8123', user: 'default', password: '', database: 'cdc' },
      postgres: null,
      connect: null,
      block: { rows: 32_768, bytes: 16 * 1024 * 1024, ageMs: 250 },
      guardMs: 30_000,
      insertTimeoutMs: 30_000,
      shutdownDeadlineMs: 30_000,
      onceIdleMs: 20_000,
      unavailableValue: '__debezium_unavailable_value',
      log: { level: 'info', format: 'auto' },
    });
    expect([...load().ops]).toEqual(['c', 'u', 'd', 'r', 't']);
  });

  test.each(SETTING_NAMES)('%s has an example in its own form, and a default', (name) => {
    const { form, example, doc } = SETTINGS[name];
    expect(form.read(example)).not.toBeUndefined();
    expect(form.read(SETTINGS[name].default)).not.toBeUndefined();
    expect(doc).toMatch(/\.$/);
  });

  test('have the same defaults as the placeholders of the connector profiles', () => {
    const { placeholders } = load().connector;
    expect(placeholders).toMatchObject(PLACEHOLDER_DEFAULTS);
  });

  test('are described in docs/configuration.md as they are', () => {
    expect(readFileSync('docs/configuration.md', 'utf8')).toBe(configurationPage());
  });

  test('in .env.example exist, and are valid when all comment signs are removed', () => {
    const text = readFileSync('.env.example', 'utf8').replaceAll(/^#(?=[A-Z_]+=)/gm, '');
    const names = Object.keys(parse(text));
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !isSettingName(name))).toEqual([]);
    writeFileSync(join(cwd, '.env'), text);
    expect(load()).toMatchObject({ postgres: { host: 'localhost', password: 'secret', database: 'shop' } });
  });
});

describe('the sources', () => {
  test('win in this order: stack, file, .env, environment, command line', () => {
    const seen: string[] = [];
    const look = (env = {}, flags = {}): void => void seen.push(load(env, flags).topicPrefix);
    look();
    writeState({ TOPIC_PREFIX: 'stack' });
    look();
    writeFileSync(join(cwd, 'c.json'), '{"TOPIC_PREFIX": "file"}');
    look({ CONFIG_FILE: 'c.json' });
    writeFileSync(join(cwd, '.env'), 'TOPIC_PREFIX=dotenv\nCONFIG_FILE=c.json\n');
    look();
    look({ TOPIC_PREFIX: 'environment' });
    look({ TOPIC_PREFIX: 'environment' }, { TOPIC_PREFIX: 'flag' });
    expect(seen).toEqual(['cdc', 'stack', 'file', 'dotenv', 'environment', 'flag']);
  });

  test('do not change the environment of the process', () => {
    writeFileSync(join(cwd, '.env'), 'TOPIC_PREFIX=dotenv\n');
    load();
    expect(process.env['TOPIC_PREFIX']).toBeUndefined();
  });

  test('leave out empty values', () => {
    writeFileSync(join(cwd, '.env'), 'TOPIC_PREFIX=dotenv\n');
    expect(load({ TOPIC_PREFIX: '' }).topicPrefix).toBe('dotenv');
  });

  test('include the stack of another folder', () => {
    writeState({ KAFKA_BROKERS: '127.0.0.1:19092' }, 'other');
    expect(load({ STACK_DIR: 'other' }).kafka.brokers).toEqual(['127.0.0.1:19092']);
  });

  test('take numbers and words from the file', () => {
    writeFileSync(join(cwd, 'c.json'), '{"BLOCK_ROWS": 7, "MIRRORS": "off", "OPS": "c"}');
    expect(load({ CONFIG_FILE: 'c.json' })).toMatchObject({ block: { rows: 7 }, mirrors: false });
  });

  test.each([
    ['{"BLOCK_ROW": 7}', 'CONFIG_INVALID', 'BLOCK_ROW'],
    ['{"TABLES_INCLUDE": ["a.b"]}', 'CONFIG_INVALID', 'TABLES_INCLUDE'],
    ['{"CH_PASSWORD": "hunter2"', 'CONFIG_FILE_UNREADABLE', 'does not hold a JSON object'],
    ['[]', 'CONFIG_FILE_UNREADABLE', 'does not hold a JSON object'],
  ])('refuse the file %s', (text, code, says) => {
    writeFileSync(join(cwd, 'c.json'), text);
    const error = failure(() => load({ CONFIG_FILE: 'c.json' }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
    expect(JSON.stringify([error.message, error.hint, String(error.cause)])).not.toContain('hunter2');
  });

  test('name a file that is not there', () => {
    const error = failure(() => load({ CONFIG_FILE: 'nowhere.json' }));
    expect(error.code).toBe('CONFIG_FILE_UNREADABLE');
    expect(error.message).toContain('nowhere.json');
  });
});

describe('a wrong value', () => {
  test('is named with its source, its form and an example, together with all others', () => {
    writeFileSync(join(cwd, '.env'), 'LOG_LEVEL=loud\n');
    const { code, message } = failure(() => load({ BLOCK_ROWS: '12abc' }, { KAFKA_BROKERS: 'kafka' }));
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain('3 settings are wrong');
    expect(message).toContain(
      'LOG_LEVEL (from .env) must be one of error, warn, info, debug, for example LOG_LEVEL=debug',
    );
    expect(message).toContain('BLOCK_ROWS (from the environment) must be a whole number from 1 to 131072');
    expect(message).toContain('KAFKA_BROKERS (from the command line) must be one or more host:port');
  });

  test.each([
    ['BLOCK_ROWS', '0'],
    ['BLOCK_ROWS', '131073'],
    ['BLOCK_ROWS', '1e3'],
    ['BLOCK_ROWS', '-5'],
    ['BLOCK_BYTES', '65 MiB'],
    ['BLOCK_BYTES', '16 MB'],
    ['INSERT_TIMEOUT_SECONDS', '0'],
    ['KAFKA_BROKERS', 'kafka:99999'],
    ['KAFKA_BROKERS', 'http://kafka:9092'],
    ['KAFKA_BROKERS', ','],
    ['TABLES_INCLUDE', 'orders'],
    ['OPS', 'c,x'],
    ['OPS', ','],
    ['MIRRORS', 'yes'],
    ['ROUTES', 'public.a'],
    ['ROUTES', 'public.a=x,public.b=x'],
    ['ROUTES', 'public.a=x,public.a=y'],
    ['CH_URL', 'clickhouse:8123'],
    ['CH_URL', 'http://host:8123/db'],
    ['CH_URL', 'http://user:50%@host:8123'],
    ['CH_PORT', '0'],
    ['CH_DATABASE', 'my-db'],
    ['PG_URL', 'mysql://host/db'],
    ['SIGNAL_TABLE', 'signals'],
  ])('of %s like %s is refused', (name, text) => {
    const { code, message } = failure(() => load({ [name]: text }));
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain(name);
  });

  test('that holds a secret is not repeated', () => {
    const { message, hint } = failure(() => load({ PG_URL: 'mysql://u:hunter2@h/d', CH_URL: 'x hunter2' }));
    expect(message + hint).not.toContain('hunter2');
  });

  test('of OPS with mirrors on says why all operations are needed', () => {
    const { code, message, hint } = failure(() => load({ OPS: 'c,u,d,r' }));
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain('OPS leaves out t while MIRRORS=on');
    expect(hint).toContain('MIRRORS=off');
    expect([...load({ OPS: 'd,c', MIRRORS: 'off' }).ops]).toEqual(['d', 'c']);
  });
});

describe('the parts of a URL', () => {
  test('replace what the URL of the same place says', () => {
    const { postgres, clickhouse } = load({
      PG_URL: 'postgres://u:p@h:1/d',
      PG_PASSWORD: 'p@ss/word%',
      CH_URL: 'https://a:b@c:2',
      CH_HOST: 'z',
      CH_USER: 'y',
    });
    expect(postgres).toEqual({
      sslMode: 'disable',
      tls: null,
      url: 'postgres://u:p%40ss%2Fword%25@h:1/d',
      host: 'h',
      port: 1,
      user: 'u',
      password: 'p@ss/word%',
      database: 'd',
    });
    expect(clickhouse).toMatchObject({ url: 'https://z:2', user: 'y', password: 'b', database: 'cdc' });
  });

  test('are hidden by a URL of a later place, and replace one of an earlier place', () => {
    writeState({ PG_URL: 'postgres://u:p@h:1/d', CH_URL: 'http://a:b@c:2', CH_DATABASE: 'kept' });
    expect(load({ PG_DATABASE: 'other' }).postgres?.url).toBe('postgres://u:p@h:1/other');
    writeFileSync(join(cwd, '.env'), 'CH_PASSWORD=old\nPG_USER=old\n');
    const { clickhouse, postgres } = load({ CH_URL: 'http://new:3', PG_URL: 'postgres://new/n' });
    expect(clickhouse).toEqual({
      url: 'http://new:3',
      user: 'default',
      password: '',
      database: 'kept',
      tls: null,
      byCertificate: false,
    });
    expect(postgres).toMatchObject({ user: 'postgres', port: 5432, database: 'n' });
  });

  test('are enough without a URL, and keep the parameters of one', () => {
    expect(load({ PG_HOST: 'db', PG_USER: 'me' }).postgres).toMatchObject({ host: 'db', user: 'me', database: 'me' });
    expect(load({ PG_URL: 'postgres://u@h/d?application_name=x', PG_PORT: '7' }).postgres?.url).toBe(
      'postgres://u@h:7/d?application_name=x',
    );
  });

  test('for Kafka Connect may differ from ours', () => {
    const env = {
      PG_URL: 'postgres://u:p@localhost:54320/d',
      CONNECTOR_PG_HOST: 'postgres',
      CONNECTOR_PG_PORT: '5432',
    };
    const { connector, postgres } = load(env);
    expect(connector.placeholders).toMatchObject({ PG_HOST: 'postgres', PG_PORT: '5432', PG_PASSWORD: 'p' });
    expect(postgres).toMatchObject({ host: 'localhost', port: 54_320 });
  });
});

test('routes map tables to views, and skip to none', () => {
  const { routes } = load({ ROUTES: 'public.events=app_events, public.logs=skip' }).tables;
  expect([...routes]).toEqual([
    ['public.events', 'app_events'],
    ['public.logs', null],
  ]);
});

describe('redactUrl', () => {
  test('hides a password and nothing else', () => {
    expect(redactUrl('postgres://me:hunter2@db:5432/shop?sslpassword=x')).toBe(
      'postgres://me:***@db:5432/shop?sslpassword=***',
    );
    expect(redactUrl('http://me@db:8123')).toBe('http://me@db:8123/');
    expect(redactUrl('hunter2')).toBe('(not a URL)');
  });

  test('never shows a password, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: 'grapheme' }), (password) => {
        fc.pre(!'postgres://me:***@db/shop'.includes(password));
        const encoded = encodeURIComponent(password);
        expect(redactUrl(`postgres://me:${encoded}@db/shop`)).toBe('postgres://me:***@db/shop');
      }),
    );
  });
});

describe('table patterns', () => {
  test.each([
    ['*.*', 'public.orders', true],
    ['public.*', 'public.a.b', true],
    ['public.*', 'publicx.orders', false],
    ['public.order_*', 'public.order_lines', true],
    ['public.a+b', 'public.aab', false],
    ['public.a+b', 'public.a+b', true],
    ['public.Orders', 'public.orders', false],
  ])('%s for %s gives %s', (pattern, table, expected) => {
    expect(tableFilter({ include: [pattern], exclude: [] })(table)).toBe(expected);
  });

  test('leave out what is excluded', () => {
    const includes = tableFilter({ include: ['public.*', 'sales.x'], exclude: ['*.tmp_*'] });
    expect(['public.a', 'public.tmp_a', 'sales.x', 'sales.y'].filter(includes)).toEqual(['public.a', 'sales.x']);
  });

  test('without * match exactly themselves, whatever characters they have', () => {
    const name = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('*'));
    fc.assert(
      fc.property(name, name, (pattern, table) => {
        expect(tableFilter({ include: [pattern], exclude: [] })(table)).toBe(pattern === table);
        expect(tableFilter({ include: [pattern], exclude: [] })(pattern)).toBe(true);
      }),
    );
  });
});

describe('the settings of the live page', () => {
  test('serve it on loopback, without values and without a token', () => {
    expect(load().page).toEqual({ host: '127.0.0.1', port: 3000, token: null, values: false });
    expect(load({ HTTP_PORT: 'off', HTTP_HOST: '0.0.0.0' }).page).toBeNull();
  });

  test.each(['0.0.0.0', '::', '10.0.0.7', 'cdc.example', '127.0.0.1.example'])(
    'refuse to open it on %s without a token, and say what to do',
    (host) => {
      const { code, message, hint } = failure(() => load({ HTTP_HOST: host }));
      expect(code).toBe('CONFIG_INVALID');
      expect(message).toContain(`HTTP_HOST=${host}`);
      expect(hint).toContain('PAGE_TOKEN');
      expect(load({ HTTP_HOST: host, PAGE_TOKEN: 'a-long-enough-token' }).page?.token).toBe('a-long-enough-token');
    },
  );

  test.each(['short', 'with spaces in it, long', 'semicolon;semicolon;'])(
    'refuse the token "%s" without repeating it',
    (token) => {
      const { message } = failure(() => load({ PAGE_TOKEN: token }));
      expect(message).toContain('PAGE_TOKEN');
      expect(message).not.toContain(token);
    },
  );

  test.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1'])('need no token on %s', (host) => {
    expect(load({ HTTP_HOST: host }).page?.token).toBeNull();
  });
});
