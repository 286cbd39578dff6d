/** Values are planted in masked columns by every way in; nothing that the service writes, logs, shows or prints has them. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerifyResult } from '../../src/verify/result';
import type { Ended } from '../harness/run-command';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import { encode, framed, type Schema } from '../unit/debezium/avro-encode';
import { envelopeSchema } from '../unit/debezium/avro-envelope';
import { envelope } from '../unit/delivery/wire';

jest.setTimeout(240_000);

/** In every planted value; put together where a statement looks for it, so that no statement has it. */
const PLANT = ['pl4n', 'ted'].join('');
const PIN = 918273645;
const SECRET = 'f2b1-a-secret-of-this-test-9c';
/** Stored out of line, so that PostgreSQL withholds it. */
const BIG = `${PLANT}-big-${'x'.repeat(200)}`;

const RULES = {
  'public.people': { email: { mask: 'hash' }, pin: { mask: 'drop' }, born: { mask: 'hash' }, big: { mask: 'hash' }, code: { mask: 'hash' }, notes: { skip: true } },
  'public.accounts': { email: { mask: 'hash' } },
  'public.log': { 'line*': { mask: 'drop' } },
}; // prettier-ignore

const hash = (text: string): string => createHmac('sha256', SECRET).update(text).digest('hex');

describe('masked columns', () => {
  let world: World;
  let settings: Record<string, string>;
  /** What commands printed, and what the page answered. */
  const said: string[] = [];

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    settings = { COLUMNS: JSON.stringify(RULES), MASK_SECRET: SECRET, LOG_LEVEL: 'debug', HTTP_PORT: '0', PAGE_VALUES: 'true' };
    await world.sql(
      'CREATE TABLE people (id int PRIMARY KEY, email text, pin int, born date, notes text, big text, n int)',
      'ALTER TABLE people ALTER COLUMN big SET STORAGE EXTERNAL',
      'CREATE TABLE accounts (email text PRIMARY KEY, balance int)',
      'CREATE TABLE log (line text, line_2 int, n int)',
      'ALTER TABLE log REPLICA IDENTITY FULL',
      'CREATE TABLE plain (id int PRIMARY KEY, v text)',
      'ALTER TABLE plain REPLICA IDENTITY FULL',
      'CREATE TABLE tags (tag text PRIMARY KEY)',
    );
    await world.sql(
      `INSERT INTO people VALUES (1, '${PLANT}-snap@x', ${PIN}, '1970-01-01', 'note', repeat('${BIG}', 50), 1), (2, NULL, NULL, NULL, NULL, NULL, 2), (5, '${PLANT}-ren@x', ${PIN}, NULL, NULL, NULL, 5)`,
      `INSERT INTO accounts VALUES ('${PLANT}-a@x', 10), ('${PLANT}-gone@x', 1)`,
      `INSERT INTO plain VALUES (1, 'open'), (2, 'open too')`,
      `INSERT INTO tags VALUES ('one')`,
    );
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start({ env: settings });
    await count('people', 3);
  }; // prettier-ignore

  const ch = async <T extends object>(sql: string): Promise<T[]> => world.clickhouse.query<T>(sql);
  const count = (view: string, rows: number, where = '1'): Promise<unknown> =>
    waitFor(async () => {
      const exists = await ch(`SELECT 1 FROM system.tables WHERE database = '${world.database}' AND name = '${view}'`);
      if (exists.length === 0) return false;
      const [found] = await ch<{ found: string }>(`SELECT toString(count()) AS found FROM ${world.database}.${view} WHERE ${where}`);
      return found?.found === String(rows);
    }, `${view} has ${rows} rows where ${where}`); // prettier-ignore
  const run = async (args: readonly string[], more: Record<string, string> = {}): Promise<Ended> => {
    const ended = await world.command(args, { ...settings, HTTP_PORT: 'off', ...more });
    said.push(ended.stdout, ended.stderr);
    return ended;
  };
  const page = async (path: string): Promise<string> => {
    const served = await waitFor(
      () => world.service.lines().find(({ event }) => event === 'page-served'),
      'the page is served',
    );
    const text = await (await fetch(`${String(served['address'])}${path}`)).text();
    said.push(text);
    return text;
  };
  const warned = (event: string): unknown[] => world.service.lines().filter((line) => line.event === event);

  /** Where ClickHouse has a text: tables and views of both databases. */
  const placesOf = async (text: string): Promise<string[]> => {
    const parts = `concat('${text.slice(0, 3)}', '${text.slice(3)}')`;
    const tables = await ch<{ database: string; name: string }>(
      `SELECT database, name FROM system.tables WHERE database IN ('${world.database}', '${world.machinery}') AND name NOT LIKE '%\\_\\_at'`,
    );
    expect(tables.length).toBeGreaterThan(10);
    const found: string[] = [];
    for (const { database, name } of tables) {
      const [hit] = await ch<{ n: string }>(
        `SELECT toString(countIf(position(toString(tuple(*)), ${parts}) > 0)) AS n FROM \`${database}\`.\`${name}\``,
      );
      if (hit?.n !== '0') found.push(`${database}.${name}`);
    }
    return found;
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('are hashes or nothing in the mirror and in changes, for every kind of change', async () => {
    await world.sql(
      `INSERT INTO people VALUES (3, '${PLANT}-new@x', ${PIN}, '2000-02-29', '${'n'.repeat(9)}', repeat('${BIG}', 50), 3)`,
      `INSERT INTO log VALUES ('${PLANT}-line', ${PIN}, 1), ('${PLANT}-line', 7, 1), ('other', 7, 2)`,
    );
    // PostgreSQL does not send `big` again: it is withheld, and no hash of the placeholder.
    await world.sql(`UPDATE people SET n = 30, email = '${PLANT}-upd@x' WHERE id = 3`);
    await world.sql(`UPDATE accounts SET email = '${PLANT}-b@x' WHERE email = '${PLANT}-a@x'`, `UPDATE accounts SET balance = 11 WHERE email = '${PLANT}-b@x'`);
    await world.sql(`DELETE FROM accounts WHERE email = '${PLANT}-gone@x'`, 'DELETE FROM people WHERE id = 2');
    await count('people', 1, 'id = 3 AND n = 30');
    await count('accounts', 1, 'balance = 11');
    await count('accounts', 1);
    await count('people', 3);
    await count('log', 2, 'n = 1');
    await count('log', 3);
    const people = await ch(`SELECT id, email, born, big = '${hash(BIG.repeat(50))}' AS big FROM ${world.database}.people WHERE id != 5 ORDER BY id`);
    expect(people).toEqual([
      { id: 1, email: hash(`${PLANT}-snap@x`), born: hash('0'), big: 1 },
      { id: 3, email: hash(`${PLANT}-upd@x`), born: hash('11016'), big: 1 },
    ]);
    expect(await ch(`SELECT email, balance FROM ${world.database}.accounts`)).toEqual([{ email: hash(`${PLANT}-b@x`), balance: 11 }]);
    const columns = await ch<{ name: string }>(`SELECT DISTINCT name FROM system.columns WHERE database IN ('${world.database}', '${world.machinery}') AND table IN ('people', 'people__mirror', 'people__history') AND name IN ('pin', 'notes')`);
    expect(columns).toEqual([]);
    const rows = await world.auditRows('people');
    expect(rows.filter(({ after }) => after !== '' && (JSON.parse(after) as { notes: unknown }).notes !== null).length).toBeGreaterThan(1);
    expect(rows.some(({ after }) => after.includes('"pin"'))).toBe(false);
    const withheld = await ch(`SELECT unavailable FROM ${world.machinery}.changes WHERE table = 'people' AND op = 'u'`);
    expect(withheld).toEqual([{ unavailable: ['big'] }]);
    // The hashes of the key agree with those of the row.
    const keys = await ch(`SELECT count() AS n FROM ${world.machinery}.changes WHERE table = 'accounts' AND after != '' AND JSONExtractString(key, 'email') != JSONExtractString(after, 'email')`);
    expect(keys).toEqual([{ n: '0' }]);
  }); // prettier-ignore

  scenario('stay masked under a new name, and a new column is masked from its default on', async () => {
    await world.sql('ALTER TABLE people RENAME COLUMN email TO mail', `ALTER TABLE people ADD COLUMN code text DEFAULT '${PLANT}-default'`);
    await world.sql(`INSERT INTO people (id, mail, n) VALUES (4, '${PLANT}-renamed@x', 4)`);
    await count('people', 1, 'id = 4 AND isNotNull(code)');
    const [row] = await ch(`SELECT mail, code FROM ${world.database}.people WHERE id = 4`);
    expect(row).toEqual({ mail: hash(`${PLANT}-renamed@x`), code: hash(`${PLANT}-default`) });
    const [older] = await ch(`SELECT mail, code FROM ${world.database}.people WHERE id = 1`);
    expect(older).toEqual({ mail: hash(`${PLANT}-snap@x`), code: hash(`${PLANT}-default`) });
    expect(warned('columns-not-found')).toContainEqual(expect.objectContaining({ table: 'public.people', columns: ['email'] }));
  }); // prettier-ignore

  scenario('are in no byte that quarantine keeps, and retry reads a record from Kafka again', async () => {
    const garbage = Buffer.from(`{"before":null,"after":{"id":9,"email":"${PLANT}-bad@x","pin":${PIN}},"source":{"schema":"public"`);
    await world.topics.produce(world.topic('people'), [{ key: Buffer.from(`{"email":"${PLANT}-key"}`), value: garbage }]);
    const [kept] = await waitFor(async () => {
      const rows = await ch<{ offset: string }>(`SELECT offset, length(key) AS key, length(value) AS value, length(headers) AS headers, value_size, length(digest) AS digest FROM ${world.machinery}.quarantine`);
      return rows.length === 1 && rows;
    }, 'the record is in quarantine');
    expect(kept).toMatchObject({ key: '0', value: '0', headers: '0', value_size: String(garbage.length), digest: '64' });
    const shown = await run(['quarantine', 'show', '--bytes']);
    expect(shown.stdout).toContain('not kept: they may hold masked columns');
    const retried = await run(['quarantine', 'retry', '--all', '--json']);
    expect(JSON.parse(retried.stdout)).toEqual({ open: 1, applied: 0, skipped: 0, still: 1 });
  }); // prettier-ignore

  scenario('are not made visible by a rebuild, an inspection, a search or the page', async () => {
    expect((await run(['rebuild', '--table', 'public.people'])).code).toBe(0);
    expect((await run(['rebuild', '--table', 'public.accounts'])).code).toBe(0);
    const [row] = await ch(`SELECT mail, code, big = '${hash(BIG.repeat(50))}' AS big FROM ${world.database}.people WHERE id = 3`);
    expect(row).toEqual({ mail: hash(`${PLANT}-upd@x`), code: hash(`${PLANT}-default`), big: 1 });
    expect(await ch(`SELECT email, balance FROM ${world.database}.accounts`)).toEqual([{ email: hash(`${PLANT}-b@x`), balance: 11 }]);
    const events = await ch<{ place: string }>(`SELECT concat(topic, ':0:', toString(max(offset))) AS place FROM ${world.machinery}.changes WHERE (table, op) IN (('people', 'u'), ('people', 'c'), ('accounts', 'd'), ('log', 'c')) GROUP BY topic, op`);
    expect(events).toHaveLength(4);
    for (const { place } of events) expect((await run(['inspect', place, '--values'])).stdout).toContain('changes: one row');
    expect((JSON.parse(await page('/changes.json')) as { changes: unknown[] }).changes.length).toBeGreaterThan(5);
    expect(await page('/quarantine.json')).toContain('ENVELOPE_MALFORMED');
    expect(await page('/status.json')).toContain('public.people');
    const found = JSON.parse(await (await fetch(`${String(warned('page-served').map((line) => (line as { address: string }).address)[0])}/changes.json?table=public.accounts&key=${encodeURIComponent(`${PLANT}-b@x`)}`)).text()) as { changes: unknown[] };
    expect(found.changes.length).toBeGreaterThan(1);
    const dry = await run(['forget', '--table', 'public.accounts', '--key', `${PLANT}-gone@x`, '--yes']);
    expect(dry.stdout).toContain('are erased from changes');
  }); // prettier-ignore

  scenario('are lost with a record that quarantine does not hold and Kafka has dropped, and retry says so', async () => {
    const topic = world.topic('people');
    const [kept] = await ch<{ offset: string }>(`SELECT offset FROM ${world.machinery}.quarantine`);
    await world.topics.admin.fetchTopicOffsets(topic);
    await world.topics.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(Number(kept?.offset) + 1) }] });
    const again = await run(['quarantine', 'retry', '--all']);
    expect(again.stdout).toContain('Kafka does not have 1 any more');
  }); // prettier-ignore

  scenario('are left out of verify, which says so and finds no difference elsewhere', async () => {
    const { code, stdout } = await run(['verify', '--json', '--values']);
    const result = JSON.parse(stdout) as VerifyResult;
    expect([code, result.equal]).toEqual([0, true]);
    const people = result.tables.find(({ table }) => table === 'public.people');
    expect(people).toMatchObject({ sourceRows: 4, mirrorRows: 4, differences: 0 });
    expect(people?.notCompared.map(({ column }) => column).sort()).toEqual(['big', 'born', 'code', 'mail', 'notes', 'pin']);
    expect(result.skipped.find(({ table }) => table === 'public.accounts')?.reason).toContain('mask: hash');
  }); // prettier-ignore

  scenario('are compared by verify --masked as the hashes of what PostgreSQL has, keys included', async () => {
    const masked = async (): Promise<VerifyResult> =>
      JSON.parse((await run(['verify', '--masked', '--json', '--values', '--table', 'public.people,public.accounts'])).stdout) as VerifyResult;
    const right = await masked();
    expect([right.equal, right.skipped]).toEqual([true, []]);
    const people = right.tables.find(({ table }) => table === 'public.people');
    expect(people?.notCompared.map(({ column }) => column).sort()).toEqual(['born', 'notes', 'pin']);
    expect(right.tables.find(({ table }) => table === 'public.accounts')).toMatchObject({ sourceRows: 1, mirrorRows: 1 });
    // Unseen by the stream: the hash in the mirror is that of another value.
    const mirror = `${world.machinery}.people__mirror`;
    await world.clickhouse.command(`ALTER TABLE ${mirror} UPDATE mail = '${hash('another')}' WHERE id = 4 SETTINGS mutations_sync = 1`);
    const wrong = await masked();
    expect(wrong.tables.flatMap(({ details }) => details)).toMatchObject([{ key: { id: '4' }, kind: 'changed', columns: ['mail'], stage: 'mirror' }]);
    await run(['rebuild', '--table', 'public.people']);
    expect((await masked()).equal).toBe(true);
  }); // prettier-ignore

  /** Gives the registry a schema that it never had, under a number of its choice. */
  const register = async (schema: Schema): Promise<number> => {
    const subject = `${world.name}-${Math.random()}`;
    const answer = await fetch(`${settings['REGISTRY_URL'] ?? world.settings['REGISTRY_URL']}/apis/ccompat/v7/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
    });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { id: number }).id;
  }; // prettier-ignore

  scenario('are masked in a record that quarantine does not hold, and a retry brings in once its schema is known', async () => {
    const fields = [{ name: 'id', type: 'int' }, ...['mail', 'code', 'big', 'notes'].map((name) => ({ name, type: ['null', 'string'] })), ...['pin', 'born', 'n'].map((name) => ({ name, type: ['null', 'int'] }))];
    const schemaOf = (doc: string): Schema => envelopeSchema(fields, { doc: `${world.name} ${doc}` });
    const after = { id: 6, mail: `${PLANT}-avro@x`, code: `${PLANT}-avro`, big: `${PLANT}-avro`, notes: null, pin: PIN, born: 11016, n: 6 };
    const [now] = await world.postgres.query<{ lsn: string }>(`SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn`);
    const told = { ...(envelope({ after, table: 'people', lsn: Number(now?.lsn) }) as { source: object }), ts_ns: 1n };
    const value = encode(schemaOf(''), { ...told, source: { ...told.source, ts_ns: 1n } });
    // Numbers are given in order, but another test may take the next one.
    const kept = async (): Promise<number> => Number((await ch<{ n: string }>(`SELECT count() AS n FROM ${world.machinery}.quarantine WHERE code = 'SCHEMA_UNKNOWN' AND digest != '' AND value = ''`))[0]?.n);
    let applied = 0;
    for (let attempt = 0; applied === 0 && attempt < 5; attempt++) {
      const next = (await register(schemaOf(`before ${attempt}`))) + 1;
      const before = await kept();
      await world.topics.produce(world.topic('people'), [next, next + 1].map((id) => ({ key: Buffer.from('{"id":6}'), value: framed(id, value) })));
      await waitFor(async () => (await kept()) === before + 2, 'the records are in quarantine', 60_000);
      await register(schemaOf(`after ${attempt}`));
      const retried = await run(['quarantine', 'retry', '--all', '--json']);
      applied = (JSON.parse(retried.stdout) as { applied: number }).applied;
    }
    expect(applied).toBe(1);
    const row = { mail: hash(`${PLANT}-avro@x`), code: hash(`${PLANT}-avro`), big: hash(`${PLANT}-avro`), born: hash('11016'), n: 6 };
    expect(await ch(`SELECT mail, code, big, born, n FROM ${world.database}.people WHERE id = 6`)).toEqual([row]);
    const [change] = (await world.auditRows('people')).filter(({ key }) => key === '{"id":6}');
    expect(JSON.parse(change?.after ?? '')).toEqual({ id: 6, notes: null, ...row });
  }); // prettier-ignore

  scenario('are hashes in Avro and in JSON with schema as they are in plain JSON', async () => {
    for (const [n, profile] of (['json-schema', 'avro'] as const).entries()) {
      const id = 10 + n;
      await world.connect({ profile, capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
      await world.sql(`INSERT INTO people (id, mail, pin, born, big, notes, n) VALUES (${id}, '${PLANT}-${id}@x', ${PIN}, '2000-02-29', repeat('${BIG}', 50), 'open', 1)`);
      await world.sql(`UPDATE people SET n = 2 WHERE id = ${id}`, `INSERT INTO accounts VALUES ('${PLANT}-${id}@x', 1)`);
      await world.sql(`DELETE FROM accounts WHERE email = '${PLANT}-${id}@x'`, `INSERT INTO log VALUES ('${PLANT}-line', ${PIN}, ${id})`);
      await count('people', 1, `id = ${id} AND n = 2`);
      await count('log', 1, `n = ${id}`);
      await count('accounts', 1);
      const row = { mail: hash(`${PLANT}-${id}@x`), code: hash(`${PLANT}-default`), big: hash(BIG.repeat(50)), born: hash('11016') };
      expect(await ch(`SELECT mail, code, big, born FROM ${world.database}.people WHERE id = ${id}`)).toEqual([row]);
      const rows = (await world.auditRows('people')).filter(({ key }) => key === `{"id":${id}}`);
      const created = JSON.parse(rows.find(({ op }) => op === 'c')?.after ?? '') as object;
      expect(created).toEqual({ id, notes: 'open', n: 1, ...row });
      const deleted = (await world.auditRows('accounts')).filter(({ op, key }) => op === 'd' && key === JSON.stringify({ email: row.mail }));
      expect(deleted).toHaveLength(1);
    }
    // Each wire was there, and its schema is kept without the columns that are dropped.
    const wires = await ch<{ fields: string }>(`SELECT JSONExtractRaw(definition, 'fields') AS fields FROM ${world.machinery}.wire_schemas WHERE table = 'people' AND fields != ''`);
    expect(wires.length).toBeGreaterThan(1);
    expect(wires.every(({ fields }) => fields.includes('"mail"') && !fields.includes('"pin"'))).toBe(true);
  }); // prettier-ignore

  scenario(
    'come to rest nowhere: not in ClickHouse, nor in its log, ours, the page or what commands print',
    async () => {
      expect(await placesOf(PLANT)).toEqual([]);
      expect(await placesOf(String(PIN))).toEqual([]);
      expect(await placesOf(SECRET)).toEqual([]);
      const log = readFileSync(join(world.stack.dir, `service-${world.name}.log`), 'utf8');
      expect(log.length).toBeGreaterThan(1_000);
      for (const text of [log, ...said])
        for (const secret of [PLANT, Buffer.from(PLANT).toString('hex'), String(PIN), SECRET])
          expect(text.includes(secret)).toBe(false);
    },
  );

  scenario('that get their rule later are masked in the mirror, and the log tells what changes still holds', async () => {
    await world.service.stop();
    const later = { ...RULES, 'public.plain': { v: { mask: 'hash' } }, 'public.tags': { tag: { mask: 'hash' } } };
    await world.service.start({ env: { ...settings, COLUMNS: JSON.stringify(later) } });
    await world.sql(`INSERT INTO plain VALUES (3, 'later')`, `UPDATE plain SET v = 'changed' WHERE id = 2`, `INSERT INTO tags VALUES ('two')`);
    await count('plain', 1, `id = 3 AND v = '${hash('later')}'`);
    expect(await ch(`SELECT id, v FROM ${world.database}.plain ORDER BY id`)).toEqual([
      { id: 1, v: hash('open') }, { id: 2, v: hash('changed') }, { id: 3, v: hash('later') },
    ]);
    const history = await ch<{ v: string | null }>(`SELECT v FROM ${world.machinery}.plain__history WHERE id = 1`);
    expect(history).toEqual([{ v: null }]);
    expect(warned('masks-changed')).toEqual(expect.arrayContaining([expect.objectContaining({ table: 'public.plain', columns: ['v'] })]));
    await waitFor(() => warned('table-not-mirrored').length > 0, 'the table whose key got a mask is refused');
    expect(warned('table-not-mirrored')).toMatchObject([{ table: 'public.tags', code: 'TABLE_KEY_MASK_CHANGED' }]);
    const shown = JSON.parse(await page('/changes.json?table=public.plain')) as { changes: { after: string }[] };
    expect(JSON.stringify(shown)).not.toContain('open');
    await world.service.stop();
  }); // prettier-ignore

  scenario('cannot be the key that is dropped, nor have another secret', async () => {
    const dropped = { 'public.accounts': { email: { mask: 'drop' } } };
    const refused = await run(['run', '--once'], { COLUMNS: JSON.stringify(dropped) });
    expect([refused.code, refused.stderr + refused.stdout]).toEqual([2, expect.stringContaining('public.accounts.email')]);
    const other = await run(['run', '--once'], { MASK_SECRET: 'another secret, and long enough' });
    expect([other.code, other.stderr + other.stdout]).toEqual([2, expect.stringContaining('MASK_SECRET')]);
    const none = await run(['run', '--once'], { MASK_SECRET: '' });
    expect([none.code, none.stderr + none.stdout]).toEqual([2, expect.stringContaining('MASK_SECRET')]);
  }); // prettier-ignore
});
