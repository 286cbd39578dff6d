/** Tables that are altered while rows of them are written: the mirror follows, and older rows read what PostgreSQL reads. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PROFILES, type Profile } from '../../src/connect/profile';
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(180_000);

/** With the columns that each has beside id and n; no two of those that are one table on the other wires have one in common. */
const TABLES: Readonly<Record<string, string>> = {
  grown: '',
  shrunk: ', gone text, stays text DEFAULT $$x$$',
  named: ', old_name text DEFAULT $$named$$, a int DEFAULT 1, b int DEFAULT 2',
  wide: ', small int2 DEFAULT 32767, whole int4 DEFAULT 2147483647, word varchar(5) DEFAULT $$12345$$, price numeric(6,2) DEFAULT 1234.56',
  narrow: ', num numeric(12,4) DEFAULT 1.2345, digits text DEFAULT $$17$$, padded char(5) DEFAULT $$ab$$',
  dated: ', day date DEFAULT $$2020-02-29$$',
  keyed: ', region text NOT NULL DEFAULT $$eu$$',
  loose: ', must text NOT NULL DEFAULT $$must$$, may text DEFAULT $$may$$',
  felt: `, mood mood DEFAULT 'ok'`,
  remade: ', word text DEFAULT $$first$$',
  floats: ', f float4 DEFAULT 3.33',
  moved: '',
};

/** Where each record has its schema, one table goes through what several do in plain JSON: the more schemas it has. */
const ALONE = ['dated', 'keyed', 'remade', 'moved'];
const tableOn = (profile: Profile, table: string): string =>
  profile === 'json' || ALONE.includes(table) ? table : 'every';

/** By which a record's value was written. */
const schemaOf = (profile: Profile, value: Buffer): unknown =>
  profile === 'avro'
    ? value.readUInt32BE(1)
    : JSON.stringify((JSON.parse(value.toString()) as { schema?: unknown }).schema);

describe.each(PROFILES)('a table that is altered while it is written, as %s', (profile) => {
  const tables = [...new Set(Object.keys(TABLES).map((table) => tableOn(profile, table)))];
  const on = (table: string): string => tableOn(profile, table);
  const paused = new Set<string>();
  let world: World;
  let writing = true;
  let writer = Promise.resolve();

  /** Writes to a table without naming a column that is altered. */
  const writeTo = async (table: string, round: number): Promise<void> => {
    if (paused.has(table)) return;
    const id = 1 + ((round * 7) % 40);
    await world
      .sql(
        `UPDATE ${table} SET n = n + 1 WHERE id = ${id}`,
        `DELETE FROM ${table} WHERE id = ${1 + ((round * 11) % 60)} AND id > 30`,
        `INSERT INTO ${table} (id, n) VALUES (${100 + round}, ${round})`,
      )
      .catch(() => undefined);
  };

  const write = async (): Promise<void> => {
    for (let round = 0; writing; round++) {
      for (const table of tables) await writeTo(table, round);
      await sleep(40);
    }
  };

  const prepare = async (): Promise<void> => {
    // Nobody dies here; a busy machine may be slow to answer Kafka.
    world = await openWorld({ KAFKA_SESSION_TIMEOUT_MS: '30000' });
    await world.sql(`CREATE TYPE mood AS ENUM ('sad', 'ok')`);
    for (const table of tables) {
      const columns = Object.entries(TABLES).flatMap(([one, more]) => (on(one) === table ? [more] : []));
      await world.sql(
        `CREATE TABLE ${table} (id int PRIMARY KEY, n int NOT NULL${columns.join('')})`,
        `ALTER TABLE ${table} REPLICA IDENTITY ${table === 'dated' ? 'DEFAULT' : 'FULL'}`,
        `INSERT INTO ${table} (id, n) SELECT i, i FROM generate_series(1, 60) i`,
      );
    }
    // Without the option that gives every table FULL.
    await world.connect({ profile, extra: { 'replica.identity.autoset.values': null } });
    await world.service.start();
    for (const table of tables) await world.mirrorEquals(table);
    writer = write();
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(async () => {
    writing = false;
    await writer;
    await world.close();
  });

  const alter = async (...statements: readonly string[]): Promise<void> => {
    await sleep(150);
    await world.sql(...statements.map((one) => one.replace(/(?<=^(?:ALTER TABLE|UPDATE) )\w+/, (table) => on(table))));
    await sleep(150);
  };

  /** Debezium reads what is under way by the type of now, and stops where it does not fit: it has to have passed the table. */
  const alterPassed = async (table: string, ...statements: readonly string[]): Promise<void> => {
    paused.add(on(table));
    await world.mirrorEquals(on(table), { deadlineMs: 120_000 });
    await alter(...statements).finally(() => paused.delete(on(table)));
  };

  /**
   * Once the service has looked at the catalogue. What older rows read in an added column is there until the table is
   * rewritten, as by the change of a type.
   */
  const isSeen = async (table: string, column: string, type: string): Promise<void> => {
    const query = `SELECT type FROM system.columns WHERE database = '${world.database}' AND table = '${on(table)}' AND name = '${column}'`;
    await waitFor(
      async () => (await world.clickhouse.query<{ type: string }>(query))[0]?.type.includes(type) === true,
      `the view ${on(table)} has ${column} as ${type}`,
      120_000,
    );
  };

  const sourceKeys = async (): Promise<string> =>
    String((await world.postgres.query<{ n: string }>(`SELECT count(*) AS n FROM keyed WHERE region = 'us'`))[0]?.n);
  const mirrorKeys = async (): Promise<string> =>
    String(
      (
        await world.clickhouse.query<{ n: string }>(
          `SELECT count() AS n FROM ${world.database}.keyed WHERE region = 'us'`,
        )
      )[0]?.n,
    );

  scenario('columns are added: older rows read their default, as in PostgreSQL', async () => {
    await alter('ALTER TABLE grown ADD COLUMN plain text');
    await alter(`ALTER TABLE grown ADD COLUMN words text NOT NULL DEFAULT 'a "quoted" ü'`);
    await alter(
      `ALTER TABLE grown ADD COLUMN cost numeric(10,2) NOT NULL DEFAULT 1.50, ADD COLUMN day date DEFAULT '2020-02-29'`,
      `ALTER TABLE grown ADD COLUMN at timestamptz DEFAULT '2020-02-29 12:00:00.000001+02', ADD COLUMN stamp timestamp DEFAULT '1969-12-31 23:59:59.999999'`,
      `ALTER TABLE grown ADD COLUMN bytes bytea DEFAULT '\\x00ff', ADD COLUMN yes bool DEFAULT true, ADD COLUMN doc jsonb DEFAULT '{"a": 1.10}'`,
      `ALTER TABLE grown ADD COLUMN ints int[] DEFAULT '{1,NULL}', ADD COLUMN texts text[] DEFAULT '{"a,b",NULL}', ADD COLUMN big int8 DEFAULT 9007199254740993`,
      `ALTER TABLE grown ADD COLUMN felt mood NOT NULL DEFAULT 'sad', ADD COLUMN u uuid DEFAULT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ADD COLUMN t time DEFAULT '24:00'`,
    );
    await isSeen('grown', 't', 'Time64');
    await alter(`ALTER TABLE grown ALTER COLUMN words SET DEFAULT 'another'`);
  });

  scenario('columns are dropped, renamed and exchanged', async () => {
    await alter('ALTER TABLE shrunk DROP COLUMN gone');
    await alterPassed(
      'shrunk',
      'ALTER TABLE shrunk DROP COLUMN stays',
      'ALTER TABLE shrunk ADD COLUMN stays int DEFAULT 5',
    );
    await isSeen('shrunk', 'stays', 'Int32');
    await alter('ALTER TABLE named RENAME COLUMN old_name TO "new name"');
    await alter(
      'ALTER TABLE named RENAME COLUMN a TO c',
      'ALTER TABLE named RENAME COLUMN b TO a',
      'ALTER TABLE named RENAME COLUMN c TO b',
    );
  });

  scenario('types are widened in place', async () => {
    await alter('ALTER TABLE wide ALTER COLUMN small TYPE int4, ALTER COLUMN whole TYPE int8');
    await alter('UPDATE wide SET small = 40000, whole = 9007199254740993 WHERE id < 10');
    await alter('ALTER TABLE wide ALTER COLUMN word TYPE text, ALTER COLUMN price TYPE numeric(12,4)');
    await alter(`UPDATE wide SET word = 'longer than five', price = 12345678.1234 WHERE id < 5`);
  });

  scenario(
    'types are changed: values that were rewritten without an event are cast as PostgreSQL casts them',
    async () => {
      await alter('ALTER TABLE narrow ALTER COLUMN num TYPE numeric(6,2)');
      await alter(
        'ALTER TABLE narrow ALTER COLUMN digits DROP DEFAULT, ALTER COLUMN digits TYPE int USING digits::int, ALTER COLUMN padded TYPE text',
      );
      await alterPassed('dated', 'ALTER TABLE dated ALTER COLUMN day TYPE timestamp');
      await alter('ALTER TABLE floats ALTER COLUMN f TYPE float8');
    },
  );

  scenario('NOT NULL is dropped and set, an enum gets a value', async () => {
    // Apicurio's converter has the DEFAULT in the place of a NULL (docs/wires.md), so it goes, too.
    await alter(
      'ALTER TABLE loose ALTER COLUMN must DROP NOT NULL, ALTER COLUMN must DROP DEFAULT, ALTER COLUMN may SET NOT NULL',
    );
    await alter(`UPDATE loose SET must = NULL WHERE id < 5`);
    await world.sql(`ALTER TYPE mood ADD VALUE 'happy'`);
    await alter(`UPDATE felt SET mood = 'happy' WHERE id < 5`);
  });

  scenario('the key is changed: the mirror is made anew with another order', async () => {
    await alter('ALTER TABLE keyed DROP CONSTRAINT keyed_pkey', 'ALTER TABLE keyed ADD PRIMARY KEY (region, id)');
    await alter(`UPDATE keyed SET region = 'us' WHERE id < 10`, `INSERT INTO keyed VALUES (11, 1, 'us')`);
    await alter(`DELETE FROM keyed WHERE id = 12`);
    // What was under the old key and is gone must not come back when the mirror is made anew.
    await waitFor(async () => (await sourceKeys()) === (await mirrorKeys()), 'the new keys are in the mirror', 60_000);
    const rebuilt = await world.command(['rebuild', '--table', 'public.keyed']);
    expect(rebuilt.code).toBe(0);
  });

  scenario('a table is dropped and made again: its old rows are gone', async () => {
    await alter(
      'DROP TABLE remade',
      'CREATE TABLE remade (id int PRIMARY KEY, n int, other numeric(5,1))',
      'ALTER TABLE remade REPLICA IDENTITY FULL',
      'INSERT INTO remade VALUES (1, 1, 1.5), (2000, 2, NULL)',
    );
  });

  scenario('a table is renamed: a snapshot brings its rows under the new name', async () => {
    await alter('ALTER TABLE moved RENAME TO moved_on');
    tables.splice(tables.indexOf('moved'), 1, 'moved_on');
    const told = (): boolean =>
      world.service.lines().some(({ event, table }) => event === 'table-renamed' && table === 'public.moved_on');
    await waitFor(told, 'the log tells of it', 60_000);
    const { code, stderr } = await world.command(['connectors', 'snapshot', '--tables', 'public.moved_on']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  });

  /** Whatever the wire: each record of a table with a value is a change. */
  const isAuditedOnce = async (): Promise<void> => {
    const topics = tables.map((table) => world.topic(table));
    const records = (await world.topics.read(topics)).filter(({ value }) => value !== null);
    const audited = (await world.auditRows()).filter(({ topic }) => topics.includes(topic));
    const placeOf = (at: { topic: string; partition: number; offset: number | string }): string =>
      `${at.topic}:${at.partition}:${at.offset}`;
    expect(audited.map(placeOf).sort()).toEqual(records.map(placeOf).sort());
  };

  scenario('every mirror equals its source at the end, and schema_changes tells what happened', async () => {
    writing = false;
    await writer;
    for (const table of tables) await world.mirrorEquals(table, { deadlineMs: 90_000 });
    const { code, result } = await verified(world);
    expect(result.tables.flatMap(({ details }) => details)).toEqual([]);
    expect(code).toBe(0);
    expect(result.tables.map(({ table }) => table).sort()).toEqual(tables.map((table) => `public.${table}`).sort());
    if (profile === 'json') await world.auditIsExactlyOnce();
    else await isAuditedOnce();
    const changes = await world.clickhouse.query<{ change: string }>(
      `SELECT concat(table, ' ', column, ': ', from_type, ' -> ', to_type) AS change FROM ${world.machinery}.schema_changes WHERE first_offset > 0 ORDER BY change`,
    );
    const wanted = [
      ['grown', 'plain:  -> text'],
      ['named', 'old_name: text -> new name text'],
      ['wide', 'small: smallint -> integer'],
      ['wide', 'word: character varying(5) -> text'],
      ['narrow', 'num: numeric(12,4) -> numeric(6,2)'],
      ['dated', 'day: date -> timestamp without time zone'],
      ['keyed', ': key (id) -> key (region, id)'],
    ] as const;
    expect(changes.map(({ change }) => change)).toEqual(
      expect.arrayContaining(wanted.map(([table, change]) => `${on(table)} ${change}`)),
    );
    expect(new Set(changes.map(({ change }) => change)).size).toBe(changes.length);
    expect(await world.clickhouse.query(`SELECT code, table, column FROM ${world.machinery}.quarantine`)).toEqual([]);
  });

  if (profile !== 'json')
    scenario('and each version of the table came with a schema of its own', async () => {
      const records = await world.topics.read([world.topic('every')]);
      const schemas = records.flatMap(({ value }) => (value === null ? [] : [schemaOf(profile, value)]));
      expect(new Set(schemas).size).toBeGreaterThan(10);
    });
});
