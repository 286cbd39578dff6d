import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_POLICIES } from '../../src/column-rules';
import { loadConfig } from '../../src/config';
import { parseColumnRules } from '../../src/config/columns';
import { ServiceError } from '../../src/errors';
import { overrideType } from '../../src/override-type';
import { repeatedName } from '../../src/repeated-name';

const parse = (value: unknown): ReturnType<typeof parseColumnRules> =>
  parseColumnRules(JSON.stringify(value), 'COLUMNS');

function refusal(text: string): string {
  try {
    parseColumnRules(text, 'COLUMNS');
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as ServiceError).message;
  }
  throw new Error('it was taken');
}

describe('rules for columns', () => {
  test('are found by table and column, and a column without one has none', () => {
    const rules = parse({ 'public.orders': { amount: { policy: 'reject', type: 'decimal(38,2)'.replace('d', 'D') } } });
    const orders = rules.of('public', 'orders');
    expect(orders('amount')).toEqual({ policy: 'reject', type: 'Decimal(38, 2)' });
    expect(orders('note')).toEqual({});
    expect(rules.of('public', 'order')('amount')).toEqual({});
    expect(rules.defaults).toEqual(DEFAULT_POLICIES);
  });

  test('of several that match, each member is taken from the last that has it', () => {
    const rules = parse({
      '*.*': { '*_iban': { mask: 'hash' }, '*': { policy: 'clamp' } },
      'sales.*': { due: { policy: 'reject' } },
      'sales.bills': { due: { name: 'due on' }, a_iban: {} },
    });
    expect(rules.of('sales', 'bills')('due')).toEqual({ policy: 'reject', name: 'due on' });
    expect(rules.of('sales', 'other')('due')).toEqual({ policy: 'reject' });
    expect(rules.of('public', 'bills')('due')).toEqual({ policy: 'clamp' });
    expect(rules.of('sales', 'bills')('a_iban')).toEqual({ mask: 'hash', policy: 'clamp' });
  });

  test('policies by kind stand beside the tables', () => {
    const rules = parse({ defaults: { date: 'reject' } });
    expect(rules.defaults).toEqual({ ...DEFAULT_POLICIES, date: 'reject' });
  });

  test.each([
    ['{', 'COLUMNS: it is no JSON.'],
    ['[]', 'COLUMNS: it must be an object of tables.'],
    ['{"orders":{}}', 'COLUMNS: "orders" must be a table or a pattern of the form schema.table, or "defaults".'],
    ['{"a.b":1}', 'COLUMNS: "a.b" must be an object.'],
    ['{"a.b":{"c":"reject"}}', 'COLUMNS: "a.b"."c" must be an object, such as {"policy": "clamp"}.'],
    ['{"a.b":{"c":{"policy":"x"}}}', 'COLUMNS: "a.b"."c"."policy" must be one of lossless, clamp, reject.'],
    [
      '{"a.b":{"c":{"polcy":"clamp"}}}',
      'COLUMNS: "a.b"."c"."polcy" is not known; there are policy, type, name, skip, mask.',
    ],
    ['{"a.b":{"c":{"mask":"none"}}}', 'COLUMNS: "a.b"."c"."mask" must be one of drop, hash.'],
    ['{"a.b":{"c":{"skip":"yes"}}}', 'COLUMNS: "a.b"."c"."skip" must be true or false.'],
    ['{"a.b":{"c":{"skip":true,"name":"d"}}}', 'COLUMNS: "a.b"."c" has skip together with name.'],
    ['{"a.b":{"c":{"mask":"hash","type":"String"}}}', 'COLUMNS: "a.b"."c" has mask together with type.'],
    [
      '{"defaults":{"money":"clamp"}}',
      'COLUMNS: "defaults"."money" is no kind of values; there are numeric, date, timestamp, null.',
    ],
    ['{"defaults":{"date":"drop"}}', 'COLUMNS: "defaults"."date" must be one of lossless, clamp, reject.'],
    ['{"a.b":{"c":{}},"a.c":{},"a.b":{}}', 'COLUMNS: "a.b" is there twice.'],
    ['{"a.b":{"c":{"skip":true},"c":{}}}', 'COLUMNS: "a.b"."c" is there twice.'],
  ])('%s is refused, and the message names the entry', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  test('a type that no column can have is refused with the list of those that one can', () => {
    expect(refusal('{"a.b":{"c":{"type":"Float16"}}}')).toMatch(
      /"a\.b"\."c"\."type" must be one of String, Low.*Array/,
    );
  });

  test('a name of a pattern, an empty one and one with a leading _ are refused', () => {
    for (const [column, name] of [
      ['c*', 'd'],
      ['c', ''],
      ['c', '_sign'],
    ] as const)
      expect(refusal(JSON.stringify({ 'a.b': { [column]: { name } } }))).toMatch(/"name" must be a name/);
  });

  test('all wrong entries are named at once, and no value is repeated', () => {
    const message = refusal('{"a.b":{"c":{"policy":"secret"}},"x":{}}');
    expect(message).toMatch(/"a\.b"\."c"\."policy"[\s\S]*"x" must be/);
    expect(message).not.toContain('secret');
  });

  test('a mask may stand beside a name when it is a hash', () => {
    expect(parse({ 'a.b': { c: { mask: 'hash', name: 'd' } } }).of('a', 'b')('c')).toEqual({ mask: 'hash', name: 'd' });
  });
});

describe('types for columns', () => {
  test.each([
    ['Decimal(38,2)', 'Decimal(38, 2)'],
    [' String ', 'String'],
    ['DateTime64(3)', "DateTime64(3, 'UTC')"],
    ["DateTime64( 6 , 'Europe/Berlin' )", "DateTime64(6, 'Europe/Berlin')"],
    ['Array(Nullable(Decimal(10,2)))', 'Array(Nullable(Decimal(10, 2)))'],
    ['Decimal(77,2)', null],
    ['Decimal(5,6)', null],
    ['DateTime64(9)', null],
    ['Array(String)', null],
    ['Nullable(String)', null],
    ['String) ENGINE=Memory', null],
  ])('%s is %s', (text, type) => {
    expect(overrideType(text)).toBe(type);
  });
});

test('a name that JSON has twice is found wherever it is, and only then', () => {
  const objects = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.integer(),
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(objects, (value) => {
      expect(repeatedName(JSON.stringify(value))).toBeNull();
      expect(repeatedName(`{"a":${JSON.stringify(value)},"b":{"c":1,"\\u0063":2}}`)).toEqual(['b', 'c']);
    }),
  );
});

describe('where the rules are read from', () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'columns-'));
  });
  afterEach(() => rmSync(cwd, { recursive: true }));
  const rulesIn = (env: Record<string, string>) => loadConfig({ env, cwd, flags: {} }).columns;
  const RULES = { 'public.t': { a: { policy: 'clamp' } } };

  test('COLUMNS, a file that COLUMNS_FILE names, and an object in CONFIG_FILE are the same', () => {
    writeFileSync(join(cwd, 'columns.json'), JSON.stringify(RULES));
    writeFileSync(join(cwd, 'config.json'), JSON.stringify({ COLUMNS: RULES }));
    for (const env of [
      { COLUMNS: JSON.stringify(RULES) },
      { COLUMNS_FILE: 'columns.json' },
      { CONFIG_FILE: 'config.json' },
    ])
      expect(rulesIn(env as Record<string, string>).of('public', 't')('a')).toEqual({ policy: 'clamp' });
  });

  test('a file that is not there, and both settings at once, end the command', () => {
    expect(() => rulesIn({ COLUMNS_FILE: 'none.json' })).toThrow(/none\.json is not there/);
    expect(() => rulesIn({ COLUMNS_FILE: 'none.json', COLUMNS: '{}' })).toThrow(/both set/);
  });
});
