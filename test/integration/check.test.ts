/** Twenty and more things made wrong on purpose on the real parts: check finds each, and what it prints mends it. */
import { randomBytes } from 'node:crypto';
import { ConfigResourceTypes } from 'kafkajs';
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import type { Finding } from '../../src/check/facts';
import { loadConfig } from '../../src/config';
import { openConnect } from '../../src/connect/rest';
import { describeKafka } from '../../src/kafka/describe';
import { openPostgres } from '../../src/postgres/client';
import { printedCommands, type PrintedCommands } from '../harness/printed-commands';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(240_000);

describe('check', () => {
  let world: World;
  let commands: PrintedCommands;
  let role: string;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    role = `r_${world.name}`;
    const { host, port } = world.stack.sourceForConnect;
    await makeSource();
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    // The tables, and with them the topics, are there; ClickHouse's tables come with the service.
    await world.service.start();
    await world.mirrorEquals('plain');
    await world.service.stop();
    const dir = join(world.stack.dir, `check-${world.name}`);
    mkdirSync(dir, { recursive: true });
    commands = printedCommands({
      dir,
      env: {
        ...world.settings,
        CONNECTOR_PG_HOST: host,
        CONNECTOR_PG_PORT: port,
        TABLES_INCLUDE: 'public.*,other.*',
        HEARTBEAT_MS: '2000',
        STACK_DIR: join(dir, 'none'),
      },
      psql: (statements) => world.postgres.query(statements),
      clickhouse: (statement) => world.clickhouse.command(statement),
    });
    await makeWrong();
  };

  const makeSource = async (): Promise<void> => {
    const full = ['plain', 'shared'];
    await world.sql(
      'CREATE SCHEMA other',
      ...['plain', 'shared', 'small', 'nobody', 'by_index'].map(
        (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, n int)`,
      ),
      'CREATE TABLE large (id int PRIMARY KEY, body text)',
      'CREATE TABLE measured (id int PRIMARY KEY, numbers float8[])',
      'CREATE TABLE keyless (n int)',
      ...full.map((name) => `ALTER TABLE ${name} REPLICA IDENTITY FULL`),
      `INSERT INTO plain VALUES (1, 1)`,
    );
  };

  const makeWrong = async (): Promise<void> => {
    const rest = openConnect(world.stack.env.CONNECT_URL);
    // Of PostgreSQL.
    await world.sql(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x${randomBytes(6).toString('hex')}'`,
      'ALTER TABLE nobody REPLICA IDENTITY NOTHING',
      'CREATE UNIQUE INDEX second ON by_index (n)',
      'ALTER TABLE by_index ALTER n SET NOT NULL',
      'ALTER TABLE by_index REPLICA IDENTITY USING INDEX second',
      'CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY)',
      'CREATE TABLE other.shared (id int PRIMARY KEY)',
      'ALTER TABLE other.shared REPLICA IDENTITY FULL',
      'CREATE TABLE other_shared (id int PRIMARY KEY)',
      'ALTER TABLE other_shared REPLICA IDENTITY FULL',
      `ALTER PUBLICATION ${world.name} SET (publish = 'insert, update')`,
      `ALTER PUBLICATION ${world.name} DROP TABLE plain`,
      `ALTER PUBLICATION ${world.name} ADD TABLE plain WHERE (id > 5)`,
    );
    // Of the connector: stopped first, so that nothing runs with what is wrong. The worker answers before it is so.
    await rest.stop(world.name);
    await waitFor(async () => {
      const status = await rest.status(world.name);
      return status?.connector.state === 'STOPPED' && status.tasks.length === 0;
    }, 'the connector has stopped');
    const { name: _name, ...config } = (await rest.config(world.name)) ?? {};
    await rest.putConfig(world.name, {
      ...config,
      'skipped.operations': 't',
      'event.converting.failure.handling.mode': 'warn',
      'value.converter.replace.null.with.default': 'true',
      'errors.tolerance': 'all',
      'slot.drop.on.stop': 'true',
      'decimal.handling.mode': 'double',
      'time.precision.mode': 'connect',
      'binary.handling.mode': 'bytes',
      'interval.handling.mode': 'numeric',
      'provide.transaction.metadata': 'false',
      'offset.mismatch.strategy': 'no_validation',
      'heartbeat.interval.ms': '0',
      'snapshot.mode': 'no_data',
      'column.exclude.list': 'public.plain.n',
      transforms: 'unwrap',
      'transforms.unwrap.type': 'io.debezium.transforms.ExtractNewRecordState',
    });
    // Of Kafka.
    await world.topics.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: world.topic('plain'),
          configEntries: [
            { name: 'cleanup.policy', value: 'compact' },
            { name: 'retention.ms', value: '3600000' },
            { name: 'retention.bytes', value: '1000000' },
            { name: 'max.message.bytes', value: '1000000' },
          ],
        },
      ],
    });
    // Of ClickHouse.
    await world.clickhouse.command(
      `ALTER TABLE ${world.machinery}.changes MODIFY SETTING non_replicated_deduplication_window = 5`,
    );
    await world.clickhouse.command(
      `INSERT INTO ${world.machinery}.control (name, value) VALUES ('group', '${world.name}_b')`,
    );
    await world.clickhouse.command(`CREATE VIEW ${world.database}.shared AS SELECT 1 AS other_people_have_it`);
  };

  const check = async (changes: Record<string, string> = {}): Promise<{ code: number | null; found: Finding[] }> => {
    const { code, stdout, stderr } = await world.command(['check', '--json'], { ...commands.env, ...changes });
    if (stdout === '') throw new Error(stderr);
    return { code, found: (JSON.parse(stdout) as { findings: Finding[] }).findings };
  };
  const ids = (found: readonly Finding[]): string[] => [...new Set(found.map(({ id }) => id))].sort();
  /** Runs each command once, though several findings name it; those of topics beside the others, as each starts a Java of its own. */
  const mendAll = async (found: readonly Finding[]): Promise<void> => {
    const mends = [...new Map(found.map(({ mend }) => [`${mend.by} ${mend.run}`, mend])).values()];
    const isOfTopics = ({ run }: Finding['mend']): boolean => run.startsWith('kafka-configs.sh');
    const inTurn = async (): Promise<void> => {
      for (const mend of mends) if (!isOfTopics(mend)) await commands.run(mend);
    };
    await Promise.all([inTurn(), ...mends.filter(isOfTopics).map((mend) => commands.run(mend))]);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    await world.close();
    const root = openPostgres(world.stack.env.PG_URL);
    await root.query(`DROP ROLE IF EXISTS ${role}`);
    await root.close();
  });

  scenario('finds each of them', async () => {
    const { code, found } = await check();
    expect(code).toBe(1);
    expect(ids(found)).toEqual(
      [
        'connector-alters-columns',
        'connector-flattens',
        'connector-paused',
        'deduplication-window',
        'identity-default',
        'identity-index',
        'identity-no-key',
        'identity-nothing',
        'identity-toast',
        'identity-toast-lost',
        'option-binary-handling-mode',
        'option-decimal-handling-mode',
        'option-errors-tolerance',
        'option-event-converting-failure-handling-mode',
        'option-heartbeat-interval-ms',
        'option-interval-handling-mode',
        'option-offset-mismatch-strategy',
        'option-provide-transaction-metadata',
        'option-skipped-operations',
        'option-slot-drop-on-stop',
        'option-snapshot-mode',
        'option-time-precision-mode',
        'option-value-converter-replace-null-with-default',
        'publication-filters',
        'publication-leaves-out',
        'slot-inactive',
        'table-not-published',
        'table-unlogged',
        'table-without-key',
        'target-other-group',
        'topic-compacted',
        'topic-message-size',
        'topic-retention-bytes',
        'topic-retention-short',
        'view-name-taken',
      ].sort(),
    );
    expect(ids(found).length).toBeGreaterThanOrEqual(20);
    expect(found.filter(({ mend }) => mend.by === 'hand')).toEqual([]);
    // What a person reads is what is run below: the line behind the prompt, with nothing to fill in.
    const { stdout } = await world.command(['check'], commands.env);
    const prompts = { shell: '$', psql: 'postgres=#', clickhouse: 'clickhouse :)', hand: '→' } as const;
    const printed = new Set(stdout.split('\n').map((line) => line.trim()));
    const told = found.filter(({ severity }) => severity !== 'notice');
    expect(told.length).toBeGreaterThanOrEqual(20);
    for (const { mend } of told) {
      expect(printed).toContain(`${prompts[mend.by]} ${mend.run}`);
      expect(mend.run).not.toMatch(/<[^>]+>|…|\n/);
    }
  });

  scenario(
    'finds a role that may not do what it must, a wrong prefix, placeholder and database, and no signal table',
    async () => {
      const url = new URL(commands.env['PG_URL'] ?? '');
      await world.sql(`ALTER ROLE ${role} PASSWORD 'pw'`);
      url.username = role;
      url.password = 'pw';
      const engine = `${world.name}_memory`;
      await world.clickhouse.command(`CREATE DATABASE ${engine} ENGINE = Memory`);
      const wrong = {
        PG_URL: url.href,
        TOPIC_PREFIX: `${world.name}x`,
        CH_DATABASE: engine,
        SLOT_NAME: `${world.name}x`,
        SIGNAL_TABLE: 'public.no_signals',
      };
      const { found } = await check(wrong);
      const expected = [
        'role-no-replication',
        'role-no-select',
        'connector-prefix',
        'database-not-atomic',
        'connector-slot',
      ];
      expect(ids(found)).toEqual(expect.arrayContaining([...expected, 'signal-table-missing', 'no-topics']));

      const mine = printedCommands({
        dir: join(world.stack.dir, `check-${world.name}`),
        env: { ...commands.env, ...wrong },
        psql: (statements) => world.postgres.query(statements),
        clickhouse: (statement) => world.clickhouse.command(statement),
      });
      for (const { mend } of found.filter(({ id }) => expected.includes(id))) await mine.run(mend);
      const { stdout } = await world.command(['check', '--json'], mine.env);
      const left = ids((JSON.parse(stdout) as { findings: Finding[] }).findings);
      expect(left.filter((id) => expected.includes(id))).toEqual([]);
      await world.sql(`DROP OWNED BY ${role}`);
      await world.clickhouse.command(`DROP DATABASE ${engine}`);
    },
  );

  scenario('and the commands that it prints, run as they are printed, mend all of them', async () => {
    // A key makes a table without one another case, so that a second look is needed; never a third.
    for (let round = 0; round < 2; round++) await mendAll((await check()).found);
    const clean = await waitFor(async () => {
      const { code, found } = await check();
      return found.length === 0 ? { code } : null;
    }, 'nothing is left to mend').catch(async (error: unknown) => {
      throw new Error(`${(error as Error).message}\n${JSON.stringify((await check()).found, null, 2)}`);
    });
    expect(clean.code).toBe(0);
  });

  scenario('and so does it where the connector is gone with all that was made for it, and its topics', async () => {
    const removed = await world.command(['connectors', 'delete'], commands.env);
    expect([removed.code, removed.stderr]).toEqual([0, '']);
    const prefixed = (await world.topics.names(world.name)).filter((name) => name.startsWith(`${world.name}.`));
    await world.topics.admin.deleteTopics({ topics: prefixed });
    const gone = ['connector-missing', 'no-topics', 'publication-missing', 'signal-table-missing'];
    const { found } = await check();
    expect(ids(found)).toEqual(expect.arrayContaining(gone));
    await mendAll(found.filter(({ id }) => gone.includes(id)));
    await waitFor(async () => {
      const left = ids((await check()).found);
      return gone.every((id) => !left.includes(id));
    }, 'none of them is left');
  });

  scenario('and it tells by the age of its last heartbeat how long a connector has been silent', async () => {
    const beats = `${world.name}.beats`;
    const silentMs = async (): Promise<number | null> => {
      const options = { ...loadConfig({ env: world.settings, cwd: world.stack.dir, flags: {} }).kafka, holdMs: 5_000 };
      return (await describeKafka(options, { isOurs: () => false, heartbeats: beats })).silentMs;
    };
    expect(await silentMs()).toBeNull();
    const agoMs = 10 * 60_000;
    await world.topics.produce(beats, [{ value: 'x', timestamp: String(Date.now() - agoMs) }]);
    expect(await waitFor(silentMs, 'its topic is described')).toBe(5 * 60_000);
    await world.topics.produce(beats, [{ value: 'x' }]);
    expect(await silentMs()).toBe(0);
  });

  scenario('and the exit code counts warnings where it is told to', async () => {
    await world.sql('ALTER TABLE small REPLICA IDENTITY DEFAULT');
    const lax = await world.command(['check'], commands.env);
    expect([lax.code, lax.stdout]).toEqual([0, expect.stringContaining('[identity-default]')]);
    expect((await world.command(['check', '--fail-on', 'warning'], commands.env)).code).toBe(1);
  });

  scenario('and columns are found that Debezium does not send, or otherwise than they are', async () => {
    await world.sql(
      `CREATE DOMAIN short AS name`,
      `ALTER TABLE small ADD COLUMN search tsquery, ADD COLUMN nick short, ADD COLUMN grid int[][], ADD COLUMN born date`,
      `INSERT INTO small (id, born) SELECT n, '0044-03-15 BC' FROM generate_series(900, 950) n`,
    );
    await world.postgres.query('ANALYZE small');
    const { found } = await check();
    const told = (id: string): string => found.find((one) => one.id === id)?.what ?? '';
    expect(told('column-not-sent')).toContain('search (tsquery)');
    for (const name of ['nick short', 'grid integer[]', 'born date']) expect(told('column-distorted')).toContain(name);
  });

  scenario('and a part that is away is a finding, not a failure', async () => {
    const away = {
      KAFKA_BROKERS: '127.0.0.1:1',
      CONNECT_URL: 'http://127.0.0.1:1',
      REGISTRY_URL: 'http://127.0.0.1:1',
    };
    const { code, found } = await check(away);
    expect(code).toBe(1);
    expect(ids(found)).toEqual(
      expect.arrayContaining(['kafka-unreachable', 'connect-unreachable', 'registry-unreachable']),
    );
  });
});
