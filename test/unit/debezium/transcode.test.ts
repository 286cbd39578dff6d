import { CLAMPED } from '../../harness/choices';
import fc from 'fast-check';
import { type Column, createColumn } from '../../../src/clickhouse/column';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn, TupleColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import {
  compileTranscoder,
  TRANSCODED,
  type TranscodedRows,
  UNKNOWN_FIELD,
  UNREADABLE,
} from '../../../src/debezium/transcode';
import type { SourceColumn } from '../../../src/model';

function source(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

function layoutOf(columns: readonly SourceColumn[], key: readonly string[] = ['id']): MirrorLayout {
  const layout = mirrorLayout({ schema: 'public', name: 't', identity: 'full', columns, key }, CLAMPED);
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

function emptyRows(layout: MirrorLayout): TranscodedRows {
  return {
    columns: layout.columns.map(({ type }) => createColumn(type)),
    nulls: createColumn('Array(LowCardinality(String))') as ArrayColumn,
  };
}

/** Two's complement words to an integer: the test's own reading, apart from the columns' accessors. */
function integer(column: FixedColumn, row: number): bigint {
  let value = 0n;
  for (let i = column.width / 4 - 1; i >= 0; i--) {
    value = (value << 32n) | BigInt((column.words[(row * column.width) / 4 + i] ?? 0) >>> 0);
  }
  return BigInt.asIntN(column.width * 8, value);
}

/** What a row of a column holds: text, bigint, number, null, lists. */
function held(column: Column, row: number): unknown {
  if (column instanceof NullableColumn) return column.isNull(row) ? null : held(column.inner, row);
  if (column instanceof ArrayColumn) {
    return Array.from({ length: column.end(row) - column.start(row) }, (_, i) =>
      held(column.element, column.start(row) + i),
    );
  }
  if (column instanceof TupleColumn) return column.elements.map((element) => held(element, row));
  if (column instanceof StringColumn) {
    return Buffer.from(column.bytes.subarray(column.start(row), column.end(row))).toString('latin1');
  }
  const fixed = column as FixedColumn;
  if (fixed.type.startsWith('Float')) return fixed.floatAt(row);
  return fixed.width < 4 ? BigInt(fixed.numberAt(row)) : integer(fixed, row);
}

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** The value that one JSON text becomes in a column of its own, and how often it was clamped. */
function single(
  column: SourceColumn,
  json: string,
): { outcome: number; value: unknown; clamped: number; nulls: unknown } {
  const layout = layoutOf([source('id', 'int4', { notNull: true }), column]);
  const transcoder = compileTranscoder(layout);
  const rows = emptyRows(layout);
  const bytes = Buffer.from(`{"id":1,"${column.name}":${json}}`);
  const outcome = transcoder.append(bytes, 0, bytes.length, rows);
  if (outcome !== TRANSCODED) {
    expect(transcoder.failedColumn).toBe(column.name);
    expect(rows.columns.map((each) => each.rows)).toEqual([0, 0]);
    return { outcome, value: undefined, clamped: 0, nulls: [] };
  }
  const clamped = transcoder.takeClamped()?.[1] ?? 0;
  return { outcome, value: held(rows.columns[1] as Column, 0), clamped, nulls: held(rows.nulls, 0) };
}

const numeric = (precision: number, scale: number): Partial<SourceColumn> => ({
  modifier: ((precision << 16) | (scale & 0x7ff)) + 4,
});
const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
const LAST = micros('9999-12-31T23:59:59.999Z') + 999n;
const FIRST = -62135596800000000n;
const ALL_NINES = 10n ** 76n - 1n;

/** Forms captured from Debezium 3.7.0.Final: column, JSON, value, and how often it was clamped. */
const EXTREMES: [SourceColumn, string, unknown, number?][] = [
  [source('c', 'int2'), '-32768', -32768n],
  [source('c', 'int4'), '2147483647', 2147483647n],
  [source('c', 'int8'), '9223372036854775807', 9223372036854775807n],
  [source('c', 'int8'), '-9223372036854775808', -9223372036854775808n],
  [source('c', 'int8'), '9007199254740993', 9007199254740993n],
  [source('c', 'int8'), '-4294967297', -4294967297n],
  [source('c', 'oid'), '4294967295', -1n],
  [source('c', 'bool'), 'true', 1n],
  [source('c', 'float4'), '3.33', Math.fround(3.33)],
  [source('c', 'float4'), '1.4E-45', 1.401298464324817e-45],
  [source('c', 'float8'), '4.9E-324', 5e-324],
  [source('c', 'float8'), '1.7976931348623157E308', Number.MAX_VALUE],
  [source('c', 'float8'), '-0.0', -0],
  [source('c', 'float8'), '"NaN"', NaN],
  [source('c', 'float8'), '"-Infinity"', -Infinity],
  [source('c', 'numeric', numeric(5, 2)), '"1.10"', 110n],
  [source('c', 'numeric', numeric(5, 2)), '"-0.01"', -1n],
  [source('c', 'numeric', numeric(5, 2)), '"NAN"', 99999n, 1],
  [source('c', 'numeric', numeric(3, 5)), '"-0.00999"', -999n],
  [source('c', 'numeric', numeric(5, -2)), `"12300.${'0'.repeat(2046)}"`, 12300n],
  [
    source('c', 'numeric', numeric(38, 10)),
    '"-1234567890123456789012345678.0123456789"',
    -12345678901234567890123456780123456789n,
  ],
  [source('c', 'numeric', numeric(90, 5)), '"NAN"', 'NaN'],
  [
    source('c', 'numeric'),
    '"123456789012345678901234567890.123456789"',
    123456789012345678901234567890123456789n * 10n ** 29n,
  ],
  [source('c', 'numeric'), '"NAN"', ALL_NINES, 1],
  [source('c', 'numeric'), '"POSITIVE_INFINITY"', ALL_NINES, 1],
  [source('c', 'numeric'), '"NEGATIVE_INFINITY"', -ALL_NINES, 1],
  [source('c', 'numeric'), `"-1${'0'.repeat(38)}"`, -ALL_NINES, 1],
  [source('c', 'numeric'), `"0.${'0'.repeat(38)}5"`, 1n, 1],
  [source('c', 'numeric'), `"-0.${'0'.repeat(38)}49"`, 0n, 1],
  [source('c', 'numeric'), `"${'9'.repeat(38)}.${'9'.repeat(39)}"`, ALL_NINES, 1],
  [source('c', 'numeric'), `"1.${'0'.repeat(60)}"`, 10n ** 38n, 0],
  [source('c', 'money'), '"-92233720368547758.08"', -9223372036854775808n],
  [source('c', 'date'), '17109', 17109n],
  [source('c', 'date'), '2146033979', 120529n, 1],
  [source('c', 'date'), '-2147472692', 120529n, 1],
  [source('c', 'date'), '-622191234', 120529n, 1],
  [source('c', 'date'), '-2147472691', -25567n, 1],
  [source('c', 'date'), '-25568', -25567n, 1],
  [source('c', 'timestamp'), '-1', -1n],
  [source('c', 'timestamp'), '253402300799999999', LAST],
  [source('c', 'timestamp'), '253402300800000000', LAST, 1],
  [source('c', 'timestamp'), '9223372036854775807', LAST, 1],
  [source('c', 'timestamp'), '-9223372036854775808', FIRST, 1],
  [source('c', 'timestamp'), '9223372036825200000', LAST, 1],
  [source('c', 'timestamp'), '-9223372036832400000', FIRST, 1],
  [source('c', 'timestamp'), '-9223372036853775810', LAST, 1],
  [source('c', 'timestamp'), '-63517780799999999', FIRST, 1],
  [source('c', 'timestamptz'), '"2016-11-04T11:51:30.123456Z"', micros('2016-11-04T11:51:30.123Z') + 456n],
  [source('c', 'timestamptz'), '"2016-11-04T11:51:31Z"', micros('2016-11-04T11:51:31Z')],
  [source('c', 'timestamptz'), '"2016-11-04T13:51:31.5+02:00"', micros('2016-11-04T11:51:31.500Z')],
  [source('c', 'timestamptz'), '"0001-01-01T00:00:00.000000Z"', FIRST],
  [source('c', 'timestamptz'), '"9999-12-31T23:59:59.999999Z"', LAST],
  [source('c', 'timestamptz'), '"+10000-01-01T00:00:00.000Z"', LAST, 1],
  [source('c', 'timestamptz'), '"-0043-03-15T12:00:00.000001Z"', FIRST, 1],
  [source('c', 'timestamptz'), '"infinity"', LAST, 1],
  [source('c', 'timestamptz'), '"-infinity"', FIRST, 1],
  [source('c', 'time'), '86400000000', 86400000000n],
  [source('c', 'bytea'), '"00010203ff"', '\x00\x01\x02\x03\xff'],
  [source('c', 'bytea'), '""', ''],
  [source('c', 'bit', { modifier: 1 }), 'true', '1'],
  [source('c', 'bit', { modifier: 12 }), '"AQg="', '100000000001'],
  [source('c', 'bit', { modifier: 12 }), '""', '000000000000'],
  [source('c', 'varbit'), '"Aw=="', '11'],
  [source('c', 'text'), '"tx\\"\\\\\\né\\uD83D\\uDE00"', latin1('tx"\\\né😀')],
  [source('c', 'jsonb'), '"{\\"n\\": 1.10}"', '{"n": 1.10}'],
  [source('c', 'line'), '{"a":1.0,"b":2.0,"c":3.0}', '{"a":1.0,"b":2.0,"c":3.0}'],
  [
    source('c', 'hstore'),
    '"{\\"key 1\\":\\"v\\\\\\"1\\",\\"k2\\":null}"',
    [
      ['key 1', 'v"1'],
      ['k2', null],
    ],
  ],
  [source('c', 'point'), '{"x":1.0E300,"y":"NaN","wkb":"AQ==","srid":null}', [1e300, NaN]],
  [source('c', 'vector'), '[1.5,-2.0]', [1.5, -2]],
  [source('c', 'geometry'), '{"wkb":"AQEAACBzDAAA","srid":3187}', '0101000020730C0000'],
  [
    source('c', 'text', { array: true }),
    '["a,b","c\\"d",null,"NULL","","\\\\"]',
    ['a,b', 'c"d', null, 'NULL', '', '\\'],
  ],
  [source('c', 'numeric', { array: true }), '["1.10",null]', [110n * 10n ** 36n, null]],
  [source('c', 'timestamptz', { array: true }), '["infinity",null]', [LAST, null], 1],
  [source('c', 'mood', { kind: 'e' }), '"happy"', 'happy'],
];

describe('a value in an image', () => {
  it.each(EXTREMES)('is read, number %# of the table', (column, json, value, clamped = 0) => {
    const found = single(column, json);
    expect(found.outcome).toBe(TRANSCODED);
    expect(found.value).toEqual(value);
    expect(found.clamped).toBe(clamped);
  });

  it('is a UUID in the order of halves that ClickHouse has', () => {
    const found = single(source('c', 'uuid'), '"00112233-4455-6677-8899-aabbccddeeff"');
    expect(found.value).toBe(BigInt.asIntN(128, 0x8899aabbccddeeff0011223344556677n));
  });

  it.each([
    ['int4', '2147483648'],
    ['int4', '1.5'],
    ['int8', '9223372036854775808'],
    ['int4', '"1"'],
    ['bool', 'tru'],
    ['text', '1'],
    ['float8', '"much"'],
    ['numeric', '"1e5"'],
    ['numeric', '"1.2.3"'],
    ['numeric', '"HUGE"'],
    ['bytea', '"0"'],
    ['bytea', '"zz"'],
    ['uuid', '"00112233"'],
    ['timestamptz', '"2016-13-04T11:51:30Z"'],
    ['timestamptz', '"soon"'],
    ['time', '-1'],
    ['point', '{"x":1.0}'],
    ['hstore', '"[]"'],
    ['hstore', '"{\\"a\\":1}"'],
  ])('of another form than %s is refused and leaves no trace: %s', (base, json) => {
    expect(single(source('c', base), json).outcome).toBe(UNREADABLE);
  });

  it('that is NULL where the type has none is its default, and named', () => {
    expect(single(source('c', 'int4', { array: true }), 'null')).toMatchObject({ value: [], nulls: ['c'] });
    expect(single(source('c', 'point'), 'null')).toMatchObject({ value: [0, 0], nulls: ['c'] });
    expect(single(source('c', 'text', { notNull: true }), 'null')).toMatchObject({ value: '', nulls: ['c'] });
    expect(single(source('c', 'text'), 'null')).toMatchObject({ value: null, nulls: [] });
    expect(single(source('c', 'int4', { array: true }), '[]')).toMatchObject({ value: [], nulls: [] });
  });
});

/** Plain oracle of decimals: text to a scaled integer, half away from zero, saturated; and what happened to it. */
function decimalOracle(
  text: string,
  precision: number,
  scale: number,
): { value: bigint; cut: boolean; rounded: boolean } {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const digits =
    BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0')) + ((fraction[scale] ?? '0') >= '5' ? 1n : 0n);
  const most = 10n ** BigInt(precision) - 1n;
  const held = digits > most ? most : digits;
  const rounded = /[1-9]/.test(fraction.slice(scale));
  return { value: text.startsWith('-') ? -held : held, cut: held !== digits, rounded };
}

const digits = (most: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...'01234567899'), { minLength: 1, maxLength: most }).map((each) => each.join(''));

describe('generated values', () => {
  it('are decimals as an oracle of big integers has them', () => {
    // Without a declared scale the column is Decimal(76, 38), and what is rounded did not fit.
    const sizes = fc.constantFrom([4, 2], [9, 0], [12, 2], [18, 18], [38, 10], [76, 38], [60, 20], null);
    fc.assert(
      fc.property(sizes, fc.boolean(), digits(45), fc.option(digits(45)), (size, negative, whole, fraction) => {
        const [precision, scale] = (size ?? [76, 38]) as [number, number];
        const text =
          (negative ? '-' : '') + (whole.replace(/^0+(?=.)/, '') || '0') + (fraction === null ? '' : `.${fraction}`);
        const found = single(source('c', 'numeric', size === null ? {} : numeric(precision, scale)), `"${text}"`);
        const expected = decimalOracle(text, precision, scale);
        expect(found.value).toBe(expected.value);
        expect(found.clamped).toBe(expected.cut || (size === null && expected.rounded) ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });

  it('are floats as Number() reads them', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(single(source('c', 'float8'), String(value)).value).toBe(Number(String(value)));
      }),
    );
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(single(source('c', 'float4'), String(value)).value).toBe(Math.fround(Number(String(value))));
      }),
    );
  });

  it('are instants as Date reads them', () => {
    const instant = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instant, fc.nat(999), (date, extra) => {
        const text = `"${date.toISOString().replace('Z', String(extra).padStart(3, '0'))}Z"`;
        expect(single(source('c', 'timestamptz'), text)).toMatchObject({
          value: BigInt(date.getTime()) * 1000n + BigInt(extra),
          clamped: 0,
        });
      }),
    );
  });
});

const COLUMNS = [
  source('id', 'int8', { notNull: true }),
  source('a "b"\\', 'text'),
  source('flag', 'bool'),
  source('range', 'int4multirange', { kind: 'm' }),
  source('list', 'text', { array: true }),
  source('map', 'hstore'),
  source('é', 'float8', { notNull: true }),
];
const wide = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: 'grapheme' });
const image = fc.record({
  id: wide,
  'a "b"\\': fc.option(text),
  flag: fc.option(fc.boolean()),
  range: fc.constantFrom(null, '{[1,3)}'),
  list: fc.option(fc.array(fc.option(text))),
  map: fc.option(
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      fc.option(text),
    ),
  ),
  é: fc.double({ noNaN: true, noDefaultInfinity: true }),
});
type Image = typeof image extends fc.Arbitrary<infer T> ? T : never;

function jsonOf(name: string, value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  // JSON.stringify writes -0 as 0, Debezium as -0.0.
  if (Object.is(value, -0)) return '-0.0';
  return name === 'map' && value !== null ? JSON.stringify(JSON.stringify(value)) : JSON.stringify(value);
}

/** What the columns must hold, built from the generated values and not from their JSON. */
function expectedRow(row: Image): unknown[] {
  const pairs =
    row.map === null
      ? []
      : Object.entries(row.map).map(([key, value]) => [latin1(key), value === null ? null : latin1(value)]);
  const list = (row.list ?? []).map((each) => (each === null ? null : latin1(each)));
  const label = row['a "b"\\'];
  return [
    row.id,
    label === null ? null : latin1(label),
    row.flag === null ? null : BigInt(row.flag),
    list,
    pairs,
    row.é,
  ];
}

describe('an image', () => {
  const layout = layoutOf(COLUMNS);
  const space = fc.constantFrom('', ' ', '\n\t');

  it('becomes the row it says, in any order of fields and with any white space', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(image, fc.boolean(), space), { maxLength: 8 }), (images) => {
        const transcoder = compileTranscoder(layout);
        const rows = emptyRows(layout);
        for (const [row, reversed, gap] of images) {
          const entries = Object.entries(row);
          if (reversed) entries.reverse();
          const fields = entries.map(
            ([name, value]) => `${JSON.stringify(name)}${gap}:${gap}${jsonOf(name, value)}${gap}`,
          );
          const bytes = Buffer.from(`xx${gap}{${gap}${fields.join(`,${gap}`)}}${gap}yy`);
          expect(transcoder.append(bytes, 2, bytes.length - 2, rows)).toBe(TRANSCODED);
        }
        images.forEach(([row], r) => {
          expect(rows.columns.map((column) => held(column, r))).toEqual(expectedRow(row));
          const named = [row.list === null ? ['list'] : [], row.map === null ? ['map'] : []].flat();
          expect((held(rows.nulls, r) as string[]).sort()).toEqual(named);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('that is cut short or has an unknown field leaves the columns as they were', () => {
    const transcoder = compileTranscoder(layout);
    const rows = emptyRows(layout);
    const bytes = Buffer.from('{"id":1,"flag":true,"list":["a",null],"map":"{\\"k\\":\\"v\\"}","é":1.5}');
    expect(transcoder.append(bytes, 0, bytes.length, rows)).toBe(TRANSCODED);
    for (let end = 0; end < bytes.length; end++) {
      expect(transcoder.append(bytes, 0, end, rows)).toBe(UNREADABLE);
      for (const column of [...rows.columns, rows.nulls]) expect(column.rows).toBe(1);
    }
    const unknown = Buffer.from('{"id":1,"list":null,"new \\u0061":[{}],"é":1}');
    expect(transcoder.append(unknown, 0, unknown.length, rows)).toBe(UNKNOWN_FIELD);
    expect(transcoder.failedColumn).toBe('new a');
    expect(rows.columns.map((column) => column.rows)).toEqual(rows.columns.map(() => 1));
    const twice = Buffer.from('{"id":1,"id":2}');
    expect(transcoder.append(twice, 0, twice.length, rows)).toBe(UNREADABLE);
    expect(transcoder.append(bytes, 0, bytes.length, rows)).toBe(TRANSCODED);
    expect(rows.columns.every((column) => column.equals(0, column, 1))).toBe(true);
  });

  it('may lack fields, have some withheld, or give its key alone', () => {
    const transcoder = compileTranscoder(layout);
    const rows = emptyRows(layout);
    const short = Buffer.from('{"id":7}');
    expect(transcoder.append(short, 0, short.length, rows)).toBe(TRANSCODED);
    const withheld = Buffer.from('{"id":8,"list":["__debezium_unavailable_value"],"é":2}');
    expect(transcoder.append(withheld, 0, withheld.length, rows, new Set(['list', 'flag']))).toBe(TRANSCODED);
    const key = Buffer.from('{"id":9,"list":null,"é":"unread"}');
    expect(transcoder.appendKey(key, 0, key.length, rows)).toBe(TRANSCODED);
    expect([0, 1, 2].map((row) => rows.columns.map((column) => held(column, row)))).toEqual([
      [7n, null, null, [], [], 0],
      [8n, null, null, [], [], 2],
      [9n, null, null, [], [], 0],
    ]);
    expect([0, 1, 2].map((row) => held(rows.nulls, row))).toEqual([['list', 'map', latin1('é')], ['map'], []]);
  });
});
