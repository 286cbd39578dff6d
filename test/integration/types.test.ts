/** Every type at its extremes, through connectors of several modes and wires at once, compared value by value with PostgreSQL. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyConnector, deleteConnector } from '../../src/connect/connector';
import { projectRoot } from '../../stack/project-root';
import { runCommand } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { serviceProcess, type ServiceProcess } from '../harness/service-process';
import {
  DEBEZIUMS_DEFAULTS,
  OMITTED_TYPES,
  SETUPS,
  TYPE_CASES,
  type Setup,
  type StoredValue,
} from '../harness/type-cases';
import { inClickHouse, inPostgres, normal, shownNull } from '../harness/type-comparison';
import { withTypes } from '../harness/types-page';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(180_000);

const FIRST = SETUPS[0] as Setup;
const columns = TYPE_CASES.map((one, index) => ({ ...one, name: `c${index}` }));
const ROWS = Math.max(...TYPE_CASES.map(({ values }) => values.length));
/** Rows with lower numbers are read by the snapshot. */
const FIRST_STREAMED = 101;
const FIRST_AFTER_CHANGE = 201;

interface Running {
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly service: ServiceProcess;
}

describe('every type', () => {
  let world: World;
  const running = new Map<Setup, Running>();

  const insert = async (first: number): Promise<void> => {
    const rows = Array.from({ length: ROWS }, (_, row) => {
      const values = columns.map(({ type, values: of }) => {
        const value = of[row];
        return value === undefined ? 'NULL' : `(${value.sql})::${type}`;
      });
      return `INSERT INTO every_type VALUES (${[first + row, ...values, ...OMITTED_TYPES.map(({ sql }) => sql)].join(', ')})`;
    });
    await world.sql(...rows);
  };

  /** Registers the connector of a setup with the options of another, or its own. */
  const connect = async (setup: Setup, options: Readonly<Record<string, string>> = setup.options): Promise<void> => {
    const pg = new URL(world.settings['PG_URL'] ?? '');
    await applyConnector({
      connectUrl: world.stack.env.CONNECT_URL,
      profile: setup.wire,
      // What cannot be converted stops the connector in our profiles; here the others go on.
      extra: { 'event.converting.failure.handling.mode': 'warn', ...options },
      settings: {
        ...namesOf(setup),
        HEARTBEAT_MS: '2000',
        PG_HOST: world.stack.sourceForConnect.host,
        PG_PORT: world.stack.sourceForConnect.port,
        PG_USER: decodeURIComponent(pg.username),
        PG_PASSWORD: decodeURIComponent(pg.password),
        PG_DATABASE: world.name,
        REGISTRY_URL: world.stack.registryForConnect,
      },
      postgres: world.postgres,
      capture: { kind: 'whole-schema', schema: 'public' },
      log: () => undefined,
    });
  };

  const namesOf = (setup: Setup): Record<string, string> => {
    const name = `${world.name}_${SETUPS.indexOf(setup)}`;
    return { CONNECTOR_NAME: name, TOPIC_PREFIX: name, SLOT_NAME: name, PUBLICATION_NAME: name };
  };

  const prepare = async (): Promise<void> => {
    world = await openWorld({ COLUMNS: '{"defaults":{"numeric":"clamp"}}' });
    await world.sql(
      ...['hstore', 'citext', 'ltree', 'isn'].map((name) => `CREATE EXTENSION ${name}`),
      `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`,
      'CREATE TYPE pair AS (a int, b text)',
      'CREATE DOMAIN posint AS int CHECK (VALUE > 0)',
      'CREATE DOMAIN cents AS numeric(8,2)',
    );
    const types = [
      'id int PRIMARY KEY',
      ...columns.map(({ name, type }) => `${name} ${type}`),
      ...OMITTED_TYPES.map(({ type }, index) => `o${index} ${type}`),
    ];
    await world.sql(`CREATE TABLE every_type (${types.join(', ')})`, 'ALTER TABLE every_type REPLICA IDENTITY FULL');
    await insert(1);
    // One after the other: Connect starts them no faster at once.
    for (const setup of SETUPS) await start(setup);
    await allArrive(ROWS);
    await insert(FIRST_STREAMED);
    await allArrive(2 * ROWS);
  };

  const start = async (setup: Setup): Promise<void> => {
    const names = namesOf(setup);
    const name = names['CONNECTOR_NAME'] ?? '';
    const settings = { ...world.settings, ...names, KAFKA_GROUP_ID: name, CH_DATABASE: name };
    const cwd = join(world.stack.dir, name);
    mkdirSync(cwd, { recursive: true });
    const service = serviceProcess({ settings, cwd, logFile: join(world.stack.dir, `service-${name}.log`) });
    running.set(setup, { name, settings, service });
    await connect(setup);
    // That its rows arrive says that it reads.
    await service.start({ awaitReading: 'no' });
  };

  const rowsArrive = (setup: Setup, rows: number): Promise<unknown> =>
    waitFor(
      async () => {
        const { name } = of(setup);
        const found = await world.clickhouse
          .query<{ n: string }>(`SELECT count() AS n FROM \`${name}\`.every_type`)
          .catch(() => []);
        return Number(found[0]?.n) === rows;
      },
      `${rows} rows arrive by the setup ${setup.name}`,
      120_000,
    );
  const allArrive = (rows: number): Promise<unknown> => Promise.all(SETUPS.map((setup) => rowsArrive(setup, rows)));

  const of = (setup: Setup): Running => {
    const found = running.get(setup);
    if (found === undefined) throw new Error(`${setup.name} does not run`);
    return found;
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    for (const [setup, { name, service }] of running) {
      if (service.isRunning()) await service.kill();
      await deleteConnector({
        connectUrl: world.stack.env.CONNECT_URL,
        settings: namesOf(setup),
        postgres: world.postgres,
        log: () => undefined,
      });
      for (const database of [name, `${name}_cdc`])
        await world.clickhouse.command(`DROP DATABASE IF EXISTS \`${database}\` SYNC`);
      await world.topics.admin.deleteGroups([name]).catch(() => undefined);
    }
    await world.close();
  });

  const cells = async (sql: string, from: 'postgres' | 'clickhouse'): Promise<Map<number, (string | null)[]>> => {
    const rows = await world[from].query<{ id: number; cells: (string | null)[] }>(sql);
    return new Map(rows.map((row) => [row.id, row.cells]));
  };

  /** What PostgreSQL has, as text. */
  const stored = (): Promise<Map<number, (string | null)[]>> =>
    cells(
      `SELECT id, ARRAY[${columns.map((one) => inPostgres(one, one.name)).join(', ')}]::text[] AS cells FROM every_type`,
      'postgres',
    );

  /** The same of ClickHouse; `from` is a view or a query with the columns of the table. */
  const seen = (from: string, prefix = ''): Promise<Map<number, (string | null)[]>> => {
    const texts = columns.map((one) => `toNullable(${inClickHouse(one, `${prefix}${one.name}`)})`);
    return cells(`SELECT ${prefix}id AS id, [${texts.join(', ')}] AS cells FROM ${from}`, 'clickhouse');
  };

  /** How many values are not what they should be, in words. `setupOf`: by which way a row came. */
  const wrongIn = (
    source: Map<number, (string | null)[]>,
    found: Map<number, (string | null)[]>,
    setupOf: (id: number) => Setup,
  ): string[] => {
    const wrong: string[] = [];
    for (const [id, texts] of source) {
      columns.forEach(({ type, values, name }, index) => {
        const value = values[(id - 1) % 100];
        const expected = expectedText(type, value, texts[index] ?? null, { setup: setupOf(id), id });
        const shown = found.get(id)?.[index];
        const text = shown === undefined ? 'missing' : normal(type, shown);
        if (text !== expected)
          wrong.push(`${setupOf(id).name} ${type} ${name} #${id} ${value?.sql}: ${text}, not ${expected}`);
      });
    }
    return wrong;
  };

  const expectedText = (
    type: string,
    value: StoredValue | undefined,
    source: string | null,
    { setup, id }: { setup: Setup; id: number },
  ): string | null => {
    if (value === undefined) return shownNull(type);
    const { lost = {} } = value;
    const origin = id < FIRST_STREAMED ? 'snapshot' : 'stream';
    for (const when of [setup.modes, origin, 'always'] as const) {
      const text = lost[when];
      if (text !== undefined) return text === null ? shownNull(type) : normal(type, text);
    }
    return normal(type, value.shown === undefined ? source : value.shown);
  };

  scenario('is in the view what it is in PostgreSQL, or what docs/types.md says', async () => {
    const source = await stored();
    const wrong = SETUPS.map(async (setup) =>
      wrongIn(source, await seen(`\`${of(setup).name}\`.every_type`), () => setup),
    );
    expect((await Promise.all(wrong)).flat()).toEqual([]);
  });

  scenario('is in the views of changes and of a moment what it is in the view', async () => {
    const compared = SETUPS.map(async (setup) => {
      const { name } = of(setup);
      const shown = await seen(`\`${name}\`.every_type`);
      const changes = `\`${name}_cdc\`.every_type__changes WHERE op IN ('c', 'r')`;
      expect([setup.name, await seen(changes, 'new_')]).toEqual([setup.name, shown]);
      const then = `\`${name}_cdc\`.every_type__at(at = now64(6) + INTERVAL 1 HOUR)`;
      expect([setup.name, await seen(then)]).toEqual([setup.name, shown]);
    });
    await Promise.all(compared);
  });

  scenario('of an old row takes that row away', async () => {
    await world.sql('UPDATE every_type SET c0 = 1 WHERE id >= 101', 'DELETE FROM every_type WHERE id = 101');
    const updated = SETUPS.map((setup) =>
      waitFor(async () => {
        const [signs] = await world.clickhouse.query<{ rows: string; signs: string; all: string }>(
          `SELECT count() AS rows, sum(_sign) AS signs, countIf(c0 = 1 AND id >= 101) AS all FROM \`${of(setup).name}_cdc\`.every_type__mirror FINAL`,
        );
        const right = String(2 * ROWS - 1);
        return signs?.rows === right && signs.signs === right && signs.all === String(ROWS - 1);
      }, `the updates arrive by the setup ${setup.name}`),
    );
    await Promise.all(updated);
    await world.sql('DELETE FROM every_type WHERE id >= 101');
    await allArrive(ROWS);
  });

  scenario('stays what it is when the connector writes in another way from then on', async () => {
    const { name, settings, service } = of(FIRST);
    await service.stop();
    await connect(FIRST, DEBEZIUMS_DEFAULTS);
    await service.start();
    await insert(FIRST_AFTER_CHANGE);
    await rowsArrive(FIRST, 2 * ROWS);
    const source = await stored();
    const later: Setup = { ...FIRST, modes: 'defaults' };
    const setupOf = (id: number): Setup => (id < FIRST_AFTER_CHANGE ? FIRST : later);
    expect(service.lines().map(({ event }) => event)).toContain('connector-modes-differ');
    const before = await seen(`\`${name}\`.every_type`);
    expect(wrongIn(source, before, setupOf)).toEqual([]);
    const again = await runCommand({
      program: 'src/main.js',
      args: ['rebuild', '--table', 'public.every_type'],
      env: settings,
      cwd: world.stack.dir,
    });
    expect(again).toMatchObject({ code: 0 });
    expect(await seen(`\`${name}\`.every_type`)).toEqual(before);
    expect(await seen(`\`${name}_cdc\`.every_type__at(at = now64(6) + INTERVAL 1 HOUR)`)).toEqual(before);
    const changes = `\`${name}_cdc\`.every_type__changes WHERE op IN ('c', 'r') AND (new_id < 101 OR new_id > 200)`;
    expect(await seen(changes, 'new_')).toEqual(before);
    const lives = `\`${name}_cdc\`.every_type__history WHERE isNull(valid_to) AND op != 'd'`;
    expect(await seen(lives)).toEqual(before);
  });

  scenario('is described in docs/types.md as it was seen', async () => {
    const types = await world.clickhouse.query<{ name: string; type: string }>(
      `SELECT name, type FROM system.columns WHERE database = '${of(FIRST).name}' AND table = 'every_type'`,
    );
    const file = join(projectRoot(), 'docs/types.md');
    const page = readFileSync(file, 'utf8');
    const wanted = withTypes(
      page,
      columns.map((one) => {
        const { type = '' } = types.find(({ name }) => name === one.name) ?? {};
        return { ...one, clickhouse: type.replace(/^(LowCardinality\()?Nullable\((.*?)\)(\)?)$/, '$1$2$3') };
      }),
    );
    if (process.env['WRITE_DOCS'] !== undefined) writeFileSync(file, wanted);
    else expect(page).toBe(wanted);
  });
});
