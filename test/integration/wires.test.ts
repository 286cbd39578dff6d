/** The same tables through each wire: plain JSON, JSON with schema, Avro. Each has a world of its own. */
import { PROFILES, type Profile } from '../../src/connect/profile';
import { AFTER, BEFORE, CHANGES, TABLES } from '../golden/tables';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(120_000);

type Json = Record<string, unknown> | null;

/** What `changes` says of a change, without its place and its time. */
interface Told {
  readonly table: string;
  readonly op: string;
  readonly snapshot: string;
  readonly key: Json;
  readonly before: Json;
  readonly after: Json;
}

/** Numbers stay text: JSON.parse would make two long ones equal. */
function parsed(text: string): Json {
  if (text === '') return null;
  return JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? `number ${context?.source ?? ''}` : value,
  ) as Json;
}

async function told(world: World): Promise<Told[]> {
  const rows = await world.clickhouse.query<Record<keyof Told, string>>(
    `SELECT table, op, snapshot, key, before, after FROM ${world.machinery}.changes ORDER BY table, offset`,
  );
  return rows.map(({ table, op, snapshot, key, before, after }) => ({
    ...{ table, op, snapshot },
    ...{ key: parsed(key), before: parsed(before), after: parsed(after) },
  }));
}

/** The rows of a view as the server writes them, in the order of the first column. */
async function rowsOf(world: World, table: string): Promise<unknown[]> {
  return world.clickhouse.query(`SELECT * FROM ${world.database}.\`${table}\` ORDER BY 1, 2`);
}

/** Apicurio's converter has the DEFAULT in the place of a NULL (docs/wires.md); here one column has one. */
const withDefault = (image: Json): Json => (image?.['note'] === null ? { ...image, note: 'none' } : image);

describe('the same tables through each wire', () => {
  const worlds = new Map<Profile, World>();
  const world = (profile: Profile): World => worlds.get(profile)!;

  beforeAll(() =>
    withLogs('the preparation', async () => {
      for (const profile of PROFILES) worlds.set(profile, await openWorld());
      const prepared = [...worlds].map(async ([profile, one]) => {
        for (const statement of BEFORE) await one.sql(statement);
        await one.connect({ profile });
        await waitFor(
          async () => (await one.topics.names(one.name)).includes(one.topic('many')),
          'the snapshot is in Kafka',
          60_000,
        );
        await one.service.start();
        for (const statement of AFTER) await one.postgres.query(statement);
      });
      await Promise.all(prepared);
    }),
  );
  afterAll(() => Promise.all([...worlds.values()].map((one) => one.close())));

  scenario('every change is in changes, with equal key and images', async () => {
    const wanted = Object.values(CHANGES).reduce((sum, count) => sum + count, 0);
    for (const [profile, one] of worlds) {
      await waitFor(async () => (await told(one)).length >= wanted, `${profile}: ${wanted} changes`, 60_000);
    }
    const plain = await told(world('json'));
    expect(plain).toHaveLength(wanted);
    expect(await told(world('json-schema'))).toEqual(plain);
    expect(await told(world('avro'))).toEqual(
      plain.map((one) => ({ ...one, before: withDefault(one.before), after: withDefault(one.after) })),
    );
    for (const one of worlds.values())
      expect(await one.clickhouse.query(`SELECT code FROM ${one.machinery}.quarantine`)).toEqual([]);
  });

  scenario('every mirror has equal rows, and those of the source', async () => {
    for (const table of TABLES) {
      const [found] = await world('json').postgres.query<{ count: string }>(`SELECT count(*) FROM "${table}"`);
      const count = Number(found?.count);
      for (const [profile, one] of worlds) {
        await waitFor(async () => (await rowsOf(one, table)).length === count, `${profile}: the rows of ${table}`, 30_000);
      }
      const plain = await rowsOf(world('json'), table);
      expect(plain).toHaveLength(count);
      for (const profile of ['json-schema', 'avro'] as const) expect(await rowsOf(world(profile), table)).toEqual(plain);
    }
    for (const one of worlds.values()) await one.mirrorEquals('orders');
  }); // prettier-ignore

  scenario('a topic may change its wire, records without a known schema go to quarantine, and it goes on', async () => {
    const one = world('json');
    const topic = one.topic('orders');
    const avroRecords = await world('avro').topics.read([world('avro').topic('orders')]);
    const wrapped = await world('json-schema').topics.read([world('json-schema').topic('orders')]);
    const before = (await told(one)).length;
    const changed = (records: typeof wrapped) => records.filter(({ value }) => value !== null).slice(0, 2);
    const unknown = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), Buffer.from('anything')]);
    const messages = [...changed(wrapped), ...changed(avroRecords)].map(({ key, value }) => ({ key, value }));
    await one.topics.produce(topic, [...messages, { key: null, value: unknown }, messages[0]!]);
    await waitFor(async () => (await told(one)).length === before + 5, 'the records of all wires are in changes', 30_000);
    // It is written behind what is in changes.
    const quarantined = await waitFor(async () => {
      const rows = await one.clickhouse.query(`SELECT code, position(message, 'schema 2147483647') > 0 AS named FROM ${one.machinery}.quarantine`);
      return rows.length > 0 ? rows : null;
    }, 'the record is in quarantine', 30_000);
    expect(quarantined).toEqual([{ code: 'SCHEMA_UNKNOWN', named: 1 }]);
  }); // prettier-ignore

  scenario('without REGISTRY_URL the service stops at a record in Avro, with exit code 6', async () => {
    const one = world('avro');
    await one.service.stop();
    await one.postgres.query(`INSERT INTO orders VALUES (9, 9, 'later')`);
    await one.service.start({ env: { REGISTRY_URL: '' }, awaitReading: 'no' });
    expect(await one.service.ended()).toBe(6);
    expect(one.service.saidPlainly()).toContain('REGISTRY_NOT_SET');
    await one.service.start();
    await one.mirrorEquals('orders');
  });
});
