/** Tables whose rows come to be told apart by other columns: changes of before, read after it, are applied right. */
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario, withLogs } from '../harness/scenario';
import { verified } from '../harness/verified';
import { waitFor } from '../harness/wait-for';
import type { LogLine } from '../harness/service-process';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(180_000);

interface Rekeyed {
  readonly key: string;
  /** Whether images of before hold whole rows. */
  readonly identity: 'FULL' | 'DEFAULT';
  /** What gives it another key, and the first one again. */
  readonly rekey: readonly string[];
  readonly back?: readonly string[];
}

const REKEYED: Readonly<Record<string, Rekeyed>> = {
  whole: { key: 'PRIMARY KEY (id)', identity: 'FULL', rekey: primaryKey('whole', 'region, id') },
  keys_only: { key: 'PRIMARY KEY (id)', identity: 'DEFAULT', rekey: primaryKey('keys_only', 'region, id') },
  text_key: {
    key: 'PRIMARY KEY (id)',
    identity: 'FULL',
    rekey: ['ALTER TABLE text_key ALTER COLUMN id TYPE text'],
  },
  keyless: { key: 'CHECK (id > 0)', identity: 'FULL', rekey: [`ALTER TABLE keyless ADD PRIMARY KEY (id)`] },
  back: {
    key: 'PRIMARY KEY (id)',
    identity: 'FULL',
    rekey: primaryKey('back', 'region'),
    back: primaryKey('back', 'id'),
  },
  back_keys_only: {
    key: 'PRIMARY KEY (id)',
    identity: 'DEFAULT',
    rekey: primaryKey('back_keys_only', 'region'),
    back: primaryKey('back_keys_only', 'id'),
  },
};

function primaryKey(table: string, columns: string): readonly string[] {
  const drop = `ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${table}_pkey`;
  return [drop, `ALTER TABLE ${table} ADD PRIMARY KEY (${columns})`];
}

describe('a table whose rows come to be told apart by other columns', () => {
  let world: World;
  const tables = Object.keys(REKEYED);

  /** Rows come, go, one of them for good, and come again, and leave the values that the later key is made of. */
  const churn = async (table: string): Promise<void> => {
    await world.sql(`UPDATE ${table} SET v = v + 1`);
    await world.sql(`UPDATE ${table} SET region = region + 100 WHERE id::int % 5 = 1`);
    await world.sql(`DELETE FROM ${table} WHERE id::int % 5 = 2`);
    await world.sql(`DELETE FROM ${table} WHERE id::int = (SELECT min(id::int) FROM ${table} WHERE id::int % 5 = 3)`);
    await world.sql(`INSERT INTO ${table} SELECT i, 1000 + i, 7 FROM generate_series(2, 40, 10) i`);
  };

  const prepare = async (): Promise<void> => {
    // A mirror is made anew in the midst of a block, which may take long on a busy machine.
    world = await openWorld({ GUARD_SECONDS: '6' });
    for (const [table, { key, identity }] of Object.entries(REKEYED)) {
      await world.sql(
        `CREATE TABLE ${table} (id int NOT NULL, region int NOT NULL, v bigint NOT NULL, ${key})`,
        `ALTER TABLE ${table} REPLICA IDENTITY ${identity}`,
        `INSERT INTO ${table} SELECT i, i, 0 FROM generate_series(1, 40) i`,
      );
    }
    // Without it the connector gives every table replica identity FULL.
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start();
    for (const table of tables) await world.mirrorEquals(table);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterAll(() => world.close());

  const hasKeysOf = async (column: string, table: string): Promise<boolean> =>
    (await world.topics.read([world.topic(table)])).some(({ key }) => key?.includes(`"${column}":`) === true);

  const allEqual = async (): Promise<void> => {
    for (const table of tables) await world.mirrorEquals(table, { deadlineMs: 90_000 });
  };

  scenario('changes of before that are read after it are applied right', async () => {
    for (const table of tables) await churn(table);
    await allEqual();
    expect(await world.service.stop()).toBe(0);
    for (const [table, { rekey, back = [] }] of Object.entries(REKEYED)) {
      await churn(table);
      for (const statement of rekey) await world.sql(statement);
      await churn(table);
      if (back.length === 0) continue;
      // Debezium asks PostgreSQL for the key when it meets the table's next change.
      await waitFor(() => hasKeysOf('region', table), `Debezium has sent changes of ${table} under the key in between`);
      for (const statement of back) await world.sql(statement);
      await churn(table);
    }
    await world.service.start();
    await allEqual();
    for (const table of tables) await churn(table);
    await allEqual();
  });

  scenario('no reader sees an older state while what was before is read again', async () => {
    const shown = async (table: string): Promise<string> => {
      const [row] = await world.clickhouse.query<{ rows: string }>(
        `SELECT toString(arraySort(groupArray((toString(id), region, v)))) AS rows FROM ${world.database}.${table}`,
      );
      return row?.rows ?? '';
    };
    const right = new Map<string, string>();
    for (const table of tables) right.set(table, await shown(table));
    const wrong: string[] = [];
    let looks = 0;
    const until = new AbortController();
    const look = async (): Promise<void> => {
      for (; !until.signal.aborted; looks++)
        for (const table of tables) {
          const now = await shown(table);
          if (now !== right.get(table)) wrong.push(`${table}: ${now} instead of ${right.get(table)}`);
          await sleep(20);
        }
    };
    const reader = look();
    const linesOf = (event: string, table: string): readonly LogLine[] =>
      world.service.lines().filter((line) => line.event === event && line['topic'] === world.topic(table));
    try {
      const { code, stderr } = await world.command(['replay', '--from-beginning', '--tables', 'public.keys_only']);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(await world.service.stop()).toBe(0);
      for (const table of tables)
        await world.topics.admin.setOffsets({
          groupId: world.name,
          topic: world.topic(table),
          partitions: [{ partition: 0, offset: '0' }],
        });
      await world.service.start();
      for (const table of tables)
        await waitFor(() => linesOf('position-acknowledged', table).length > 0, `${table} is read again`, 90_000);
    } finally {
      until.abort();
      await reader;
    }
    for (const table of tables) {
      const modes = linesOf('block-written', table).flatMap((line) => line['modes'] as readonly string[]);
      expect(modes).toContain(`public.${table} held`);
      expect(linesOf('partition-assigned', table)[0]).toMatchObject({ start: 0 });
    }
    expect(looks).toBeGreaterThan(5);
    expect(wrong).toEqual([]);
    await world.auditIsExactlyOnce();
    await allEqual();
    const { code, result } = await verified(world);
    expect(result.tables.flatMap(({ details }) => details)).toEqual([]);
    expect(code).toBe(0);
  });
});
