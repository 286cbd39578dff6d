/** Secrets with odd characters are planted in every setting and in the connector; nothing that is printed, logged, served or shown in the list of processes holds them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTING_NAMES, SETTINGS } from '../../src/config/settings';
import type { Setting } from '../../src/config/forms';
import { program, type Ended } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess } from '../harness/service-process';
import { openWorld, type World } from '../harness/world';
import { waitFor } from '../harness/wait-for';

jest.setTimeout(180_000);

/** What breaks a URL, a shell, JSON, a regular expression and a line of properties. */
const ODD = `:@/%41 #?&="'$\\ü`;

describe('secrets', () => {
  let world: World;
  let role: string;
  /** By the setting that they are planted in. */
  const planted = new Map<string, string>();
  const said: string[] = [];
  let settings: Record<string, string>;

  const plant = (name: string): string => {
    const secret = `pl4nted-${name.toLowerCase()}${ODD}`;
    planted.set(name, secret);
    return secret;
  };
  /** A token has a form of its own, without odd characters. */
  const plantPlain = (name: string): string => {
    const secret = `pl4nted-${name.toLowerCase()}`;
    planted.set(name, secret);
    return secret;
  };
  const inUrl = (url: string, user: string, secret: string): string => {
    const at = new URL(url);
    return `${at.protocol}//${user}:${encodeURIComponent(secret)}@${at.host}${at.pathname === '/' ? '' : at.pathname}`;
  };

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    role = `s_${world.name}`;
    const { env, sourceForConnect } = world.stack;
    const password = plant('PG_URL');
    const [row] = await world.postgres.query<{ text: string }>('SELECT quote_literal($1) AS text', [password]);
    await world.sql(
      'CREATE TABLE item (id int PRIMARY KEY)',
      `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD ${row?.text ?? ''}`,
      'INSERT INTO item VALUES (1)',
    );
    settings = {
      ...world.settings,
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'debug',
      PG_URL: inUrl(world.settings['PG_URL'] ?? '', role, password),
      CONNECT_URL: inUrl(env.CONNECT_URL, 'someone', plant('CONNECT_URL')),
      REGISTRY_URL: inUrl('http://127.0.0.1:9', 'someone', plant('REGISTRY_URL')),
      CONNECTOR_PG_HOST: sourceForConnect.host,
      CONNECTOR_PG_PORT: sourceForConnect.port,
    };
    // Secrets that are not used here are there all the same: reading them must not show them.
    for (const name of SETTING_NAMES) {
      const setting: Setting<unknown> = SETTINGS[name];
      if (setting.sensitive !== 'secret' || /^(PG|CONNECT|CH)_PASSWORD$/.test(name)) continue;
      const file = join(world.stack.dir, `${world.name}-${name}`);
      writeFileSync(file, name === 'PAGE_TOKEN' ? plantPlain(name) : plant(name));
      settings[`${name}_FILE`] = file;
    }
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    await world.command(['connectors', 'delete'], settings);
    await world.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    await world.close();
  });

  const run = async (args: readonly string[], changes: Record<string, string> = {}): Promise<Ended> => {
    const ended = await world.command(args, { ...settings, ...changes });
    said.push(`${args.join(' ')}\n${ended.stdout}\n${ended.stderr}`);
    return ended;
  };
  const leaks = (texts: readonly string[]): string[] =>
    texts.flatMap((text) =>
      [...planted].flatMap(([name, secret]) => {
        const forms = [
          secret,
          encodeURIComponent(secret),
          JSON.stringify(secret).slice(1, -1),
          `pl4nted-${name.toLowerCase()}`,
        ];
        return forms.some((form) => text.includes(form)) ? [`${name} in: ${text.slice(0, 300)}`] : [];
      }),
    );

  scenario('work as they are, in the commands that need them', async () => {
    expect((await run(['connectors', 'apply'])).stderr).toBe('');
    expect((await run(['connectors', 'status', '--json'])).code).toBe(0);
    await run(['check', '--json']);
    await run(['check']);
    expect((await run(['migrate'])).code).toBe(0);
  });

  scenario(
    'are in no log, no page and no list of processes while the service runs, nor in the answer of any command',
    async () => {
      const logFile = join(world.stack.dir, `secrets-${world.name}.log`);
      const served = { HTTP_PORT: '0', PAGE_VALUES: 'true' };
      const service = serviceProcess({ settings: { ...settings, ...served }, cwd: world.stack.dir, logFile });
      await service.start();
      await world.mirrorEquals('item');
      const line = await waitFor(
        () => service.lines().find(({ event }) => event === 'page-served'),
        'the page is served',
      );
      await readPage(String(line['address']));
      await runEachWithJson();
      const own = readFileSync('/proc/self/cmdline', 'utf8');
      expect(own).toContain('jest');
      const lists = processes('cmdline').map(({ text }) => text);
      expect(lists.some((text) => text.includes(program('src/main.js')))).toBe(true);
      expect(leaks(lists)).toEqual([]);
      // What came from a file is in no environment, either: others of the same user can read that.
      const fromFiles = new Set(SETTING_NAMES.filter((name) => `${name}_FILE` in settings));
      const environments = processes('environ').filter(({ text }) => text.includes(`KAFKA_GROUP_ID=${world.name}`));
      expect(environments.length).toBeGreaterThan(0);
      const inFiles = leaks(environments.map(({ text }) => text)).filter((leak) =>
        fromFiles.has(leak.split(' in: ')[0] as never),
      );
      expect([fromFiles.size > 5, inFiles]).toEqual([true, []]);
      await service.stop();
      said.push(readFileSync(logFile, 'utf8'));
    },
  );

  /** `cmdline` or `environ` of every process that may be read. */
  const processes = (file: 'cmdline' | 'environ'): { text: string }[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return [{ text: readFileSync(`/proc/${pid}/${file}`, 'utf8') }];
        } catch {
          return [];
        }
      });

  /** Every address of the page, with the token and without, right and wrong questions; the token itself must not come back. */
  const readPage = async (address: string): Promise<void> => {
    const token = planted.get('PAGE_TOKEN') ?? '';
    const key = encodeURIComponent('{"id":1}');
    const paths = [
      ...[
        '/',
        '/healthz',
        '/readyz',
        '/metrics',
        '/status.json',
        '/latency.json',
        '/page.js',
        '/dashboard',
        '/nothing',
      ],
      ...['/changes.json', '/changes.json?op=x', `/history.json?table=public.item&key=${key}`, '/quarantine.json'],
      ...['/dashboard.json', '/reconciliation.json'],
    ];
    for (const headers of [{ authorization: `Bearer ${token}` }, {}] as Record<string, string>[])
      for (const path of paths) {
        const answer = await fetch(`${address}${path}`, { headers });
        said.push(`${path} ${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`);
        if (path === '/status.json') expect(answer.status).toBe('authorization' in headers ? 200 : 401);
      }
    const order = { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: '{"table":"public.none"}' };
    for (const path of ['/pause', '/resume']) {
      const answer = await fetch(`${address}${path}`, order);
      said.push(`${path} ${answer.status} ${await answer.text()}`);
    }
  };

  /** Each command that has `--json`, as docs/commands.md lists them; some find nothing to do, which is an answer too. */
  const runEachWithJson = async (): Promise<void> => {
    const place = `${world.topic('item')}:0:0`;
    const args: Record<string, readonly string[]> = {
      check: [],
      verify: ['--table', 'public.item'],
      'quarantine list': [],
      'quarantine show': [place],
      'quarantine retry': [place],
      'quarantine discard': [place, '--reason', 'a test', '--yes'],
      inspect: [place, '--values'],
      pause: ['--table', 'public.item'],
      resume: ['--table', 'public.item'],
      forget: ['--table', 'public.item', '--key', '9', '--dry-run'],
      'connectors status': [],
      'connectors restart': [],
      'connectors pause': [],
      'connectors resume': [],
      'connectors snapshot': ['--tables', 'public.item', '--no-wait'],
      'connectors apply': [],
      'connectors delete': [],
    };
    const listed = readFileSync('docs/commands.md', 'utf8')
      .split(/^## /m)
      .filter((section) => section.includes('| `--json` |'))
      .map((section) => section.split('\n')[0] ?? '');
    expect(Object.keys(args).sort()).toEqual(listed.sort());
    // The last one is for the end of the test.
    for (const [name, more] of Object.entries(args))
      if (name !== 'connectors delete') await run([...name.split(' '), ...more, '--json']);
  };

  scenario('are in no error of a part that refuses them or is away', async () => {
    const wrongChUrl = inUrl(world.stack.env.CH_URL, 'default', plant('CH_URL'));
    const ended = [
      await run(['migrate'], { CH_URL: wrongChUrl }),
      await run(['run'], { CH_URL: wrongChUrl }),
      await run(['run'], {
        CH_URL: inUrl('http://127.0.0.1:9', 'default', plant('CH_PASSWORD')),
        STACK_DIR: 'x',
        ...quickEnd(),
      }),
      await run(['check', '--json'], { CH_URL: wrongChUrl }),
      await run(['connectors', 'status'], {
        CONNECT_URL: inUrl('http://127.0.0.1:9', 'someone', plant('CONNECT_PASSWORD')),
      }),
      await run(['check', '--json'], { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USER: 'u' }),
      await run(['run'], { KAFKA_BROKERS: `u:${encodeURIComponent(plant('KAFKA_BROKERS'))}@x` }),
      await run(['check'], { PG_URL: inUrl(settings['PG_URL'] ?? '', role, plant('PG_PASSWORD')) }),
      await run(['check'], { PG_URL: `postgres://u:${ODD}@@` }),
    ];
    expect(ended.map(({ code }) => code === 0)).not.toContain(true);
  });

  scenario('are not in what Kafka Connect says of a task that cannot log in', async () => {
    await world.sql(`ALTER ROLE ${role} PASSWORD 'changed'`);
    const wasKilled = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`;
    await world.postgres.query(wasKilled);
    await waitFor(
      async () => {
        await run(['connectors', 'restart', '--all'], {});
        return (await run(['connectors', 'status'])).stdout.includes('FAILED');
      },
      'the task fails',
      60_000,
    );
    await run(['check'], {});
    await run(['connectors', 'restart']);
    const [row] = await world.postgres.query<{ text: string }>('SELECT quote_literal($1) AS text', [
      planted.get('PG_URL'),
    ]);
    await world.sql(`ALTER ROLE ${role} PASSWORD ${row?.text ?? ''}`);
  });

  scenario('and nothing of all that was said holds one of them', async () => {
    await run(['connectors', 'delete', '--json']);
    expect(said.length).toBeGreaterThan(60);
    expect(planted.size).toBeGreaterThan(10);
    expect(leaks([`x ${planted.get('PG_URL') ?? ''} y`, JSON.stringify(planted.get('CH_URL'))])).toHaveLength(2);
    expect(leaks(said)).toEqual([]);
  });
});

/** A service whose target is away waits for it; this one is asked to stop by its own deadline. */
function quickEnd(): Record<string, string> {
  return { CONFIG_FILE: 'not-there.json' };
}
