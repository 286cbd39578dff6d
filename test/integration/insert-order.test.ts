/** What ClickHouse does with rows of one key in one insert: the mirror rests on it. */
import { FixedColumn } from '../../src/clickhouse/column-fixed';
import { StringColumn } from '../../src/clickhouse/column-string';
import { guardedInsert, type GuardedInsert } from '../../src/clickhouse/insert';
import { scenario } from '../harness/scenario';
import { openWorld, type World } from '../harness/world';

jest.setTimeout(60_000);

const ROUNDS = 18;

/** The signed rows of transactions that update a hundred rows and move one to another key and back: 3,708 for 18 rounds. */
function signedRows(): Pick<GuardedInsert, 'columns' | 'rowCount'> {
  const region = new StringColumn();
  const n = new FixedColumn('Int32', 4);
  const seq = new FixedColumn('UInt32', 4);
  const sign = new FixedColumn('Int8', 1);
  const add = (name: string, number: number, by: 1 | -1): void => {
    region.appendText(name);
    n.appendInt(number);
    seq.appendInt(sign.rows);
    sign.appendInt(by);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of ['a', 'b ', 'B', '', 'ä']) {
      for (let number = 1; number <= 20; number++) {
        add(name, number, -1);
        add(name, number, 1);
      }
    }
    add('B', 100 + round, -1);
    add('B', 100 + round, 1);
    add('a', 150, -1);
    add('a', 1150, 1);
    add('a', 1150, -1);
    add('a', 150, 1);
  }
  const columns = [
    { name: 'region', column: region },
    { name: 'n', column: n },
    { name: 'seq', column: seq },
    { name: '_sign', column: sign },
  ];
  return { columns, rowCount: sign.rows };
}

describe('rows of one key in one insert', () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.clickhouse.command(`CREATE DATABASE ${world.machinery} ENGINE = Atomic`);
  });
  afterAll(() => world.close());

  /** Inserts the rows and counts those that stand before one that was given earlier. */
  const misplaced = async (name: string, keepOrderWithin: readonly string[] | null): Promise<number> => {
    const { clickhouse, machinery } = world;
    await clickhouse.command(
      `CREATE TABLE ${machinery}.${name} (region String, n Int32, seq UInt32, _sign Int8) ENGINE = CollapsingMergeTree(_sign) ORDER BY (region, n)`,
    );
    const [found] = await clickhouse.query<{ uuid: string }>(
      `SELECT toString(uuid) AS uuid FROM system.tables WHERE database = {database:String} AND name = {name:String}`,
      { database: machinery, name },
    );
    const table = { database: machinery, name, uuid: found?.uuid ?? '' };
    const unmerged = {
      ...clickhouse,
      insert: (sql: string, body: readonly Uint8Array[], settings: object) =>
        clickhouse.insert(sql, body, { ...settings, optimize_on_insert: 0 }),
    };
    const insert: GuardedInsert = { ...signedRows(), table, constants: [], token: name, keepOrderWithin };
    await guardedInsert(unmerged, insert, { deadlineMs: Date.now() + 3_600_000, changes: table }, 30);
    const [count] = await clickhouse.query<{ parts: string; misplaced: string }>(
      `SELECT uniqExact(part) AS parts, countIf(seq < previous) AS misplaced FROM (SELECT _part AS part, seq, ` +
        `lagInFrame(seq) OVER (PARTITION BY region, n ORDER BY _part_offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous FROM ${machinery}.${name})`,
    );
    expect(count?.parts).toBe('1');
    return Number(count?.misplaced);
  };

  scenario('stand in the order they were given, in one part', async () => {
    expect(await misplaced('kept', ['region', 'n'])).toBe(0);
  });

  scenario('would not, were ClickHouse left to sort them: once this fails, the row number can go', async () => {
    expect(await misplaced('sorted', null)).toBeGreaterThan(0);
  });
});
