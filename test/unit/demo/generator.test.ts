import { onlyTables, parseMix } from '../../../demo/generator/mix';
import { parseOptions } from '../../../demo/generator/options';
import { createPace } from '../../../demo/generator/pace';
import { asHistory, createPlan, type Standing } from '../../../demo/generator/plan';
import { createRandom } from '../../../demo/generator/random';
import { createReport } from '../../../demo/generator/report';
import { statementsOf } from '../../../demo/generator/statements';
import type { Change, Table } from '../../../demo/generator/tables';

const NOTHING: Standing = { users: [], names: [], stock: [] };
const DEFAULT = parseMix('user_logins=30,my_table=10,shop=60');

function changesOf(seed: number, count: number, mix = DEFAULT, standing = NOTHING): Change[] {
  let id = 0;
  const nextId = (): string => String(++id);
  const plan = createPlan({
    random: createRandom(seed),
    keys: createRandom(seed + 1),
    mix,
    standing,
    nextId: { user_logins: nextId, my_table: nextId },
  });
  return Array.from({ length: count }, () => plan.next());
}

function shareOf(changes: readonly Change[], table: Table): number {
  return changes.filter((change) => change.table === table).length / changes.length;
}

describe('what the generator decides', () => {
  test('is the same for the same seed, and other for another', () => {
    expect(changesOf(7, 2_000)).toEqual(changesOf(7, 2_000));
    expect(changesOf(7, 50)).not.toEqual(changesOf(8, 50));
  });

  test('follows the mix, of which the shop is 70 % sales and 30 % movements of stock', () => {
    const changes = changesOf(1, 20_000);
    const shares = { user_logins: 0.3, my_table: 0.1, sales: 0.42, stock_movements: 0.18 };
    for (const [table, share] of Object.entries(shares))
      expect(Math.abs(shareOf(changes, table as Table) - share)).toBeLessThan(0.02);
    const shop = changesOf(2, 10_000, parseMix('shop=1'));
    expect(Math.abs(shareOf(shop, 'sales') - 0.7)).toBeLessThan(0.02);
    expect(shareOf(shop, 'sales') + shareOf(shop, 'stock_movements')).toBe(1);
  });

  test('corrects and removes in every table, and only rows that it made and that are still there', () => {
    const made = new Map<string, Set<string>>();
    const ops = new Set<string>();
    const faults: string[] = [];
    for (const { table, op, key } of changesOf(3, 20_000)) {
      ops.add(`${table} ${op}`);
      const keys = made.get(table) ?? new Set();
      made.set(table, keys);
      if (keys.has(key) === (op === 'insert')) faults.push(`${op} of ${table} ${key}`);
      if (op === 'delete') keys.delete(key);
      else keys.add(key);
    }
    expect(faults).toEqual([]);
    expect(ops.size).toBe(12);
  });

  test('has each user sign up once, log in before buying, and log in after a logout', () => {
    const last = new Map<string, string>();
    const faults: string[] = [];
    for (const { table, op, values } of changesOf(4, 30_000)) {
      if (table !== 'user_logins' || op !== 'insert') continue;
      const [user, type] = values as [string, string];
      const before = last.get(user);
      const allowed =
        before === undefined
          ? ['signup']
          : before === 'signup' || before === 'logout'
            ? ['login']
            : ['purchase', 'logout'];
      if (!allowed.includes(type)) faults.push(`${user}: ${type} after ${before}`);
      last.set(user, type);
    }
    expect(faults).toEqual([]);
    expect(last.size).toBeGreaterThan(300);
  });

  test('goes on where an earlier run ended: nobody signs up twice', () => {
    const users = [{ username: 'ada1', event_type: 'logout' }];
    const standing = { ...NOTHING, users };
    const first = changesOf(5, 3_000, parseMix('user_logins=1'), standing).find(
      ({ op, values }) => op === 'insert' && values[0] === 'ada1',
    );
    expect(first?.values[1]).toBe('login');
  });

  test('never leaves less than nothing in a warehouse, and has something run low', () => {
    const rows = new Map<string, { place: string; sign: number; pieces: number }>();
    const stock = new Map<string, number>();
    let wasLow = 0;
    let negative = 0;
    let empty = 0;
    for (const { op, key, values } of changesOf(6, 30_000, parseMix('stock_movements=1'))) {
      const old = rows.get(key);
      if (old !== undefined) stock.set(old.place, (stock.get(old.place) ?? 0) - old.sign * old.pieces);
      const fresh =
        op === 'insert'
          ? {
              place: `${values[0]} ${values[1]}`,
              sign: values[2] === 'in' ? 1 : -1,
              pieces: Number(values[3]),
            }
          : { ...old!, pieces: Number(values[0]) };
      if (op !== 'delete' && fresh.pieces <= 0) empty++;
      if (op === 'delete') rows.delete(key);
      else {
        rows.set(key, fresh);
        stock.set(fresh.place, (stock.get(fresh.place) ?? 0) + fresh.sign * fresh.pieces);
      }
      const changed = stock.get(fresh.place) ?? 0;
      if (changed < 0) negative++;
      if (changed < 20) wasLow++;
    }
    expect([negative, empty]).toEqual([0, 0]);
    expect(wasLow).toBeGreaterThan(100);
  });

  test('spreads history over the day, the oldest first, and none of it in the future', () => {
    const past = asHistory(changesOf(9, 5_000, parseMix('shop=1'))).map(({ ago }) => ago);
    expect(past).toEqual([...past].sort((a, b) => b - a));
    expect(past.at(0)).toBeGreaterThan(23 * 3_600);
    expect(past.at(-1)).toBeGreaterThanOrEqual(0);
    const hours = new Set(past.map((ago) => Math.floor(ago / 3_600)));
    expect(hours.size).toBe(24);
  });
});

describe('the statements', () => {
  const change = (op: Change['op'], key: string, ...values: string[]): Change => ({
    table: 'my_table',
    op,
    key,
    values,
    ago: 0,
  });

  test('take rows of one kind together, and keep the order in which one row changes', () => {
    const statements = statementsOf([
      change('insert', '1', 'a'),
      change('update', '1', 'b'),
      change('insert', '2', 'c'),
      change('update', '1', 'd'),
      change('delete', '1'),
    ]);
    expect(statements.map(({ op, params }) => [op, params[0], params[1]])).toEqual([
      ['insert', ['1', '2'], ['a', 'c']],
      ['update', ['1'], ['b']],
      ['update', ['1'], ['d']],
      ['delete', ['1'], undefined],
    ]);
  });

  test('hold no value, only parameters', () => {
    for (const { sql } of statementsOf(changesOf(1, 500))) expect(sql).not.toMatch(/'/);
  });
});

describe('the pace', () => {
  test('gives what the rate says for the time that passed, whatever the ticks are', () => {
    const pace = createPace({ rate: 37, startMs: 1_000, mostAtOnce: 1_000 });
    let given = 0;
    for (let now = 1_000; now <= 61_000; now += 73) given += pace.due(now);
    expect(given).toBeGreaterThanOrEqual(37 * 59.9);
    expect(given).toBeLessThanOrEqual(37 * 60);
    expect(pace.leftOut()).toBe(0);
  });

  test('writes one change every ten seconds at a tenth of one a second', () => {
    const pace = createPace({ rate: 0.1, startMs: 0, mostAtOnce: 10 });
    const at = Array.from({ length: 400 }, (_, tick) => tick * 100).filter((now) => pace.due(now) === 1);
    expect(at).toEqual([10_000, 20_000, 30_000]);
  });

  test('makes up for a second, and says what it leaves out of a longer stop', () => {
    const pace = createPace({ rate: 100, startMs: 0, mostAtOnce: 1_000 });
    expect(pace.due(1_000)).toBe(100);
    expect(pace.due(11_000)).toBe(100);
    expect(pace.leftOut()).toBe(900);
    expect(pace.due(12_000)).toBe(100);
  });

  test('never asks for a larger transaction than it may', () => {
    const pace = createPace({ rate: 50_000, startMs: 0, mostAtOnce: 2_000 });
    expect(pace.due(1_000)).toBe(2_000);
    expect(pace.due(1_000)).toBe(2_000);
  });
});

describe('the command line', () => {
  test.each([
    [['--rate', 'fast'], '--rate must be a number'],
    [['--rate', '0'], '--rate must be a number from 0.1'],
    [['--changes', '1.5'], '--changes must be a whole number'],
    [['--mix', 'orders=1'], 'no table "orders"'],
    [['--mix', 'sales=0'], 'leaves nothing to write'],
    [['--tables', 'my_table', '--mix', 'shop=1'], 'leave nothing to write'],
    [['--bogus'], "Unknown option '--bogus'"],
  ])('%j is refused in words', (args, words) => {
    expect(() => parseOptions(args, 1)).toThrow(words);
  });

  test('takes the options that it documents', () => {
    const args = '--rate 50 --mix user_logins=1,shop=1 --tables shop --seconds 3 --changes 9 --seed 5 --no-history';
    expect(parseOptions(args.split(' '), 1)).toEqual({
      rate: 50,
      mix: { sales: 0.7, stock_movements: 0.3 },
      seconds: 3,
      changes: 9,
      seed: 5,
      history: false,
      yes: false,
    });
    expect(parseOptions([], 4)).toMatchObject({ seed: 4, seconds: null, changes: null, history: true });
    expect(onlyTables(parseMix('shop=2,sales=1'), 'sales')).toEqual({ sales: 2.4 });
  });
});

test('the report counts what PostgreSQL changed, and tells the rate achieved and what was left out', () => {
  const report = createReport(50, 0);
  report.add([
    { table: 'sales', op: 'insert', rows: 40 },
    { table: 'sales', op: 'delete', rows: 1 },
    { table: 'my_table', op: 'update', rows: 9 },
  ]);
  expect(report.total()).toBe(50);
  expect(report.line(2_000)).toBe('25.0 changes/s of 50  my_table 9  sales 41');
  const summary = report.summary(2_000, 50);
  expect(summary).toContain('50 changes in 2.0 s, 25.0 a second of 50 asked for');
  expect(summary).toContain('40 inserts, 0 updates, 1 deletes');
  expect(summary).toContain('50 more were due and left out');
});
