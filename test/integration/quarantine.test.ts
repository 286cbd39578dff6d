/** Records that could not be decoded: listed, shown, tried again, discarded; and one record explained. */
import { scenario, withLogs } from '../harness/scenario';
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
});
