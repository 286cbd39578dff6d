/** Records that could not be decoded: listed, shown, tried again, discarded; and one record explained. */
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

interface Listed {
  readonly groups: { table: string; code: string; state: string; records: number; topic: string }[];
}

interface Shown {
  readonly records: { offset: number; code: string; state: string; bytes?: { key: string; value: string } }[];
}

describe('quarantine', () => {
  let world: World;
  const garbage = '{"secret": \u0007 broken';

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql('CREATE TABLE parcels (id int PRIMARY KEY, v text)', 'ALTER TABLE parcels REPLICA IDENTITY FULL');
    await world.sql(`INSERT INTO parcels VALUES (1, 'one')`);
    await world.connect();
    await world.service.start();
    await world.mirrorEquals('parcels');
    const topic = world.topic('parcels');
    await world.topics.produce(topic, [
      { key: Buffer.from('{"id":7}'), value: Buffer.from(garbage) },
      { key: null, value: Buffer.from('[1]') },
    ]);
    await world.sql(`UPDATE parcels SET v = 'two' WHERE id = 1`, `INSERT INTO parcels VALUES (2, 'x')`);
    await world.mirrorEquals('parcels');
    await waitFor(async () => (await list()).groups[0]?.records === 2, 'two records are in quarantine');
  };

  const list = async (...args: string[]): Promise<Listed> => {
    const { code, stdout, stderr } = await world.command(['quarantine', 'list', '--json', ...args]);
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Listed;
  };
  const show = async (...args: string[]): Promise<Shown> => {
    const { stdout } = await world.command(['quarantine', 'show', '--json', ...args]);
    return JSON.parse(stdout) as Shown;
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  scenario('is counted by code and topic, and filters leave out what they do not name', async () => {
    const topic = world.topic('parcels');
    const { groups } = await list('--table', 'public.parcels', '--since', '1h');
    expect(groups).toMatchObject([{ table: '', topic, code: 'ENVELOPE_MALFORMED', state: 'open', records: 2 }]);
    expect((await list('--code', 'KEY_MALFORMED')).groups).toEqual([]);
    expect((await list('--table', 'public.others')).groups).toEqual([]);
    expect((await list('--since', '2199-01-01T00:00:00Z')).groups).toEqual([]);
    const { stdout } = await world.command(['quarantine', 'list']);
    expect(stdout).toContain('ENVELOPE_MALFORMED');
  });

  scenario('shows bytes only where they are asked for, and none that would move the cursor', async () => {
    const { records } = await show();
    const [first] = records;
    expect(records).toHaveLength(2);
    expect(first).toMatchObject({ code: 'ENVELOPE_MALFORMED', state: 'open' });
    expect(JSON.stringify(records)).not.toContain(Buffer.from('secret').toString('hex'));
    const place = `${world.topic('parcels')}:0:${first?.offset}`;
    const plain = await world.command(['quarantine', 'show', place]);
    expect(plain.stdout).toContain(place);
    expect(plain.stdout).not.toContain('secret');
    const full = await world.command(['quarantine', 'show', place, '--bytes']);
    expect(full.stdout).toContain('{"secret": \\u0007 broken');
    expect(full.stdout).not.toContain('\u0007');
    const missing = await world.command(['quarantine', 'show', `${world.topic('parcels')}:0:999999`]);
    expect(missing.code).toBe(1);
  });

  scenario('inspect explains a change from its bytes to the row that stands, without its values', async () => {
    const update = (await world.auditRows('parcels')).find(({ op }) => op === 'u');
    const place = `${update?.topic}:0:${update?.offset}`;
    const { code, stdout, stderr } = await world.command(['inspect', place]);
    expect([code, stderr]).toEqual([0, '']);
    for (const line of [
      '1. bytes',
      'wire: plain JSON',
      'op u (update) of public.parcels',
      'id: integer → Int32, in the key',
      'Every value can be read.',
      'append, because REPLICA IDENTITY FULL',
      'changes: one row',
      'parcels__mirror: a row of its key stands, sign 1, from this record',
    ])
      expect(stdout).toContain(line);
    expect(stdout).not.toContain('"two"');
    const shown = await world.command(['inspect', place, '--values']);
    expect(shown.stdout).toContain('"v":"two"');
  });

  scenario(
    'inspect tells of an older event what decides the mirror, of garbage its code, and of nothing that it is nothing',
    async () => {
      const read = (await world.auditRows('parcels')).find(({ op }) => op === 'r');
      const older = await world.command(['inspect', `${read?.topic}:0:${read?.offset}`]);
      expect(older.stdout).toMatch(/A newer event of the same key is in changes, at offset \d+/);
      const [first] = (await show()).records;
      const bad = await world.command(['inspect', `${read?.topic}:0:${first?.offset}`, '--json']);
      const { steps } = JSON.parse(bad.stdout) as { steps: { step: string; lines: string[] }[] };
      expect(steps.map(({ step }) => step)).toEqual(['bytes', 'envelope', 'rows']);
      expect(JSON.stringify(steps)).toContain('ENVELOPE_MALFORMED, open');
      const nothing = await world.command(['inspect', `${read?.topic}:0:999999`]);
      expect(nothing.code).toBe(1);
      expect(nothing.stdout).toContain('The partition ends before it');
      expect((await world.command(['inspect', 'nonsense'])).code).toBe(2);
    },
  );

  const decide = async (...args: string[]): Promise<Record<string, number>> => {
    const { stdout, stderr } = await world.command(['quarantine', ...args, '--json']);
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<string, number>;
  };

  /** As if an older version had not been able to read the create of the key: it is in quarantine, nowhere else, and no later change cancels it. */
  const pretendUnreadable = async (id: number, code: string): Promise<void> => {
    const topic = world.topic('parcels');
    const create = (await world.auditRows('parcels')).find((row) => row.key === `{"id":${id}}` && row.op === 'c');
    const offset = Number(create?.offset);
    const record = (await world.topics.read([topic])).find((one) => one.offset === offset);
    const hex = (bytes: Buffer | null | undefined): string => `unhex('${bytes?.toString('hex') ?? ''}')`;
    await world.clickhouse.command(
      `INSERT INTO ${world.machinery}.quarantine (topic, partition, offset, at, code, message, table, column, key, value, headers) ` +
        `VALUES ('${topic}', 0, ${offset}, now64(3), '${code}', 'as a test says', 'public.parcels', '', ${hex(record?.key)}, ${hex(record?.value)}, '')`,
    );
    const sync = { mutations_sync: '2' };
    await world.clickhouse.command(
      `ALTER TABLE ${world.machinery}.parcels__mirror DELETE WHERE id = ${id} AND (_offset = ${offset} OR _sign = -1)`,
      sync,
    );
    if (code.startsWith('VALUE_')) return;
    await world.clickhouse.command(
      `ALTER TABLE ${world.machinery}.changes DELETE WHERE topic = '${topic}' AND offset = ${offset}`,
      sync,
    );
  };

  scenario('garbage that is tried again stays what it is, and says so', async () => {
    expect(await decide('retry', '--all')).toEqual({ open: 2, applied: 0, skipped: 0, still: 2 });
    expect((await list()).groups).toMatchObject([{ state: 'open', records: 2 }]);
    expect((await world.command(['quarantine', 'retry'])).code).toBe(2);
  });

  scenario(
    'what can be read now comes into changes at its own offset, once, and into the mirror, in whatever order',
    async () => {
      await world.sql(`INSERT INTO parcels VALUES (3, 'c'), (4, 'd'), (5, 'e')`);
      await world.mirrorEquals('parcels');
      await world.sql(`UPDATE parcels SET v = 'newest' WHERE id = 4`);
      await world.mirrorEquals('parcels');
      await pretendUnreadable(3, 'ENVELOPE_MALFORMED');
      await pretendUnreadable(4, 'ENVELOPE_MALFORMED');
      await pretendUnreadable(5, 'VALUE_UNREADABLE');
      expect(await decide('retry', '--since', '1h')).toEqual({ open: 5, applied: 3, skipped: 0, still: 2 });
      await world.mirrorEquals('parcels');
      await world.auditIsExactlyOnce();
      expect(await signs('parcels')).toEqual([]);
      expect(await decide('retry', '--table', 'public.parcels', '--code', 'VALUE_UNREADABLE')).toEqual({ open: 0 });
      const { groups } = await list('--all');
      expect(groups.find(({ state }) => state === 'applied')).toMatchObject({ table: 'public.parcels' });
      await world.sql(`UPDATE parcels SET v = 'after' WHERE id IN (3, 4, 5)`);
      await world.mirrorEquals('parcels');
      const resolved = world.service.lines().filter(({ event }) => event === 'quarantine-resolved');
      expect(resolved.length).toBeGreaterThan(0);
    },
  );

  scenario('a key whose create is in quarantine takes its later changes, and its signs stay right', async () => {
    const topic = world.topic('parcels');
    const lsn = 1_000_000_000_000;
    const envelope = (op: string, before: object | null, after: object | null, at: number): Buffer =>
      Buffer.from(
        JSON.stringify({
          before,
          after,
          op,
          ts_us: 1_795_223_719_374_145,
          ts_ms: 1_795_223_719_374,
          transaction: null,
          source: {
            name: world.name,
            db: world.name,
            schema: 'public',
            table: 'parcels',
            snapshot: 'false',
            ts_us: 1_795_223_719_264_516,
            ts_ms: 1_795_223_719_264,
            txId: 7,
            lsn: lsn + at,
            sequence: JSON.stringify([String(lsn + at - 1), String(lsn + at)]),
          },
        }),
      );
    const key = Buffer.from('{"id":99}');
    await world.topics.produce(topic, [{ key, value: envelope('c', null, { id: 99, v: { not: 'a text' } }, 1) }]);
    await waitFor(
      async () => (await show('--code', 'VALUE_UNREADABLE')).records.length > 0,
      'the create is in quarantine',
    );
    await world.topics.produce(topic, [{ key, value: envelope('u', { id: 99, v: 'a' }, { id: 99, v: 'b' }, 2) }]);
    const values = () => world.clickhouse.query<{ v: string }>(`SELECT v FROM ${world.database}.parcels WHERE id = 99`);
    await waitFor(async () => (await values())[0]?.v === 'b', 'the update is in the mirror');
    expect(await signs('parcels')).toEqual([]);
    const { doubtful, doubtfulCount } = (await verified(world)).result;
    expect(doubtfulCount).toBe(doubtful.length);
    expect(doubtful).toContainEqual(expect.objectContaining({ table: 'public.parcels', column: 'v' }));
    const shown = await world.command(['quarantine', 'show', '--code', 'VALUE_UNREADABLE']);
    expect(shown.stdout).toContain('column: v');
    expect(shown.stdout).toContain('form of the value: object of');
    await world.topics.produce(topic, [{ key, value: envelope('d', { id: 99, v: 'b' }, null, 3) }]);
    await waitFor(async () => (await values()).length === 0, 'the delete is in the mirror');
    expect(await signs('parcels')).toEqual([]);
  });

  scenario('what is discarded needs a reason, keeps its bytes, and is open no more', async () => {
    expect((await world.command(['quarantine', 'discard', '--all'])).code).toBe(2);
    const before = await list();
    const open = before.groups.reduce((sum, { records }) => sum + records, 0);
    expect(await decide('discard', '--all', '--reason', 'written by a test')).toEqual({ discarded: open });
    expect((await list()).groups).toEqual([]);
    const { records } = await show('--all', '--bytes', '--code', 'ENVELOPE_MALFORMED');
    expect(records[0]).toMatchObject({ state: 'discarded', reason: 'written by a test' });
    expect(Buffer.from(records[0]?.bytes?.value ?? '', 'hex').toString()).toBe(garbage);
  });

  /** Keys whose signs do not add up to 0 or 1. */
  const signs = (table: string): Promise<object[]> =>
    world.clickhouse.query(
      `SELECT id, sum(_sign) AS sum FROM ${world.machinery}.${table}__mirror GROUP BY id HAVING sum NOT IN (0, 1)`,
    );
});
