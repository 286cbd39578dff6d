import fc from 'fast-check';
import type { ColumnRule } from '../../../src/column-rules';
import { createColumn, type Column } from '../../../src/clickhouse/column';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import { imageCodec } from '../../../src/clickhouse/image-codec';
import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { compileTranscoder, TRANSCODED, UNFIT } from '../../../src/debezium/transcode';
import { PROFILE_MODES, type ConnectorModes, type SourceColumn } from '../../../src/model';
import { ruled } from '../../harness/choices';

const source = (base: string, more: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name: 'c', type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false },
  ...more,
});
const ID: SourceColumn = source('int4', { name: 'id', notNull: true });

interface Given {
  readonly rule: ColumnRule;
  readonly modes?: Partial<ConnectorModes>;
  readonly widened?: boolean;
  readonly more?: Partial<SourceColumn>;
}

function layoutOf(column: SourceColumn, { rule, widened = false }: Given, key = ['id']): MirrorLayout {
  const layout = mirrorLayout(
    { schema: 'public', name: 't', identity: 'full', columns: [ID, column], key },
    { ...ruled({}, widened ? ['c'] : []), rule: (one) => (one === 'c' ? rule : {}) },
  );
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

function read(base: string, json: string, given: Given) {
  const column = source(base, given.more);
  const layout = layoutOf(column, given);
  const own = layout.columns[1]?.codec;
  if (own === undefined) throw new Error('no column');
  const codecs = new Map([['c', imageCodec(own, column, { ...PROFILE_MODES, ...given.modes })]]);
  const transcoder = compileTranscoder(layout, codecs);
  const columns = layout.columns.map(({ type }) => createColumn(type));
  const nulls = new ArrayColumn('Array(String)', new StringColumn());
  const bytes = Buffer.from(`{"id":1,"c":${json}}`);
  const outcome = transcoder.append(bytes, 0, bytes.length, { columns, nulls });
  const clamped = transcoder.takeClamped()?.[1] ?? 0;
  const value = outcome === TRANSCODED ? held(columns[1] as Column) : undefined;
  return {
    outcome,
    clamped,
    value,
    type: layout.columns[1]?.type,
    rows: columns[0]?.rows,
    failed: transcoder.failedColumn,
  };
}

function held(column: Column, row = 0): unknown {
  if (column instanceof NullableColumn) return column.isNull(row) ? null : held(column.inner, row);
  if (column instanceof ArrayColumn)
    return Array.from({ length: column.end(row) - column.start(row) }, (_, i) =>
      held(column.element, column.start(row) + i),
    );
  if (column instanceof StringColumn) return column.textAt(row);
  const fixed = column as FixedColumn;
  if (fixed.width < 8) return fixed.numberAt(row);
  const [low, high] = [fixed.words[2 * row] ?? 0, fixed.words[2 * row + 1] ?? 0];
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

const NUMERIC_5_2 = { modifier: ((5 << 16) | 2) + 4 };
/** Values that fit no type but String. */
const MISFITS: [string, string, Given['modes']?, Partial<SourceColumn>?][] = [
  ['numeric', '"NaN"'],
  ['numeric', '"-Infinity"'],
  ['numeric', `"1${'0'.repeat(40)}"`],
  ['numeric', `"0.${'1'.repeat(39)}"`],
  [
    'numeric',
    '{"scale":0,"value":"AMqtd4QPCKYg"}'.replace('AMqtd4QPCKYg', Buffer.alloc(20, 1).toString('base64')),
    { decimal: 'precise' },
  ],
  ['numeric', '"NaN"', {}, NUMERIC_5_2],
  ['date', '-2147472692'],
  ['date', '200000'],
  ['date', '"-0043-03-15Z"', { time: 'isostring' }],
  ['timestamp', '9223372036825200000'],
  ['timestamp', '9223372036854775807', { time: 'nanoseconds' }],
  ['timestamp', '-9223372036832400', { time: 'connect' }],
  ['timestamptz', '"infinity"'],
  ['timestamptz', '"+294276-12-31T23:59:59.999999Z"'],
];

describe('a value that does not fit its type', () => {
  test.each(MISFITS)('%s %s is clamped and counted under clamp', (base, json, modes = {}, more = {}) => {
    expect(read(base, json, { rule: { policy: 'clamp' }, modes, more })).toMatchObject({
      outcome: TRANSCODED,
      clamped: 1,
    });
  });

  test.each(MISFITS)(
    '%s %s is told of under reject and lossless, and leaves no row',
    (base, json, modes = {}, more = {}) => {
      for (const policy of ['reject', 'lossless'] as const)
        expect(read(base, json, { rule: { policy }, modes, more })).toMatchObject({
          outcome: UNFIT,
          rows: 0,
          failed: 'c',
          clamped: 0,
        });
    },
  );

  test.each(MISFITS)('%s %s is text once its column became it', (base, json, modes = {}, more = {}) => {
    expect(read(base, json, { rule: { policy: 'lossless' }, modes, more, widened: true })).toMatchObject({
      outcome: TRANSCODED,
      type: 'Nullable(String)',
    });
  });

  test('an array is as its elements are', () => {
    const more = { array: true };
    expect(read('date', '[1,null,-2147472692]', { rule: { policy: 'clamp' }, more })).toMatchObject({
      clamped: 1,
      value: [1, null, 120529],
    });
    expect(read('date', '[1,null,-2147472692]', { rule: { policy: 'reject' }, more })).toMatchObject({
      outcome: UNFIT,
    });
    expect(read('date', '[1,null,-2147472692]', { rule: { policy: 'lossless' }, more, widened: true })).toMatchObject({
      type: 'Array(Nullable(String))',
      value: ['1970-01-02', null, 'infinity'],
    });
  });

  test('a NULL in place of an array is [] and counted, or rejected', () => {
    const more = { array: true };
    expect(read('int4', 'null', { rule: {}, more })).toMatchObject({ outcome: TRANSCODED, clamped: 1, value: [] });
    expect(read('int4', 'null', { rule: { policy: 'reject' }, more })).toMatchObject({ outcome: UNFIT, failed: 'c' });
    expect(read('int4', '[]', { rule: { policy: 'reject' }, more })).toMatchObject({ outcome: TRANSCODED, clamped: 0 });
  });

  test('values that fit are the same under every policy', () => {
    for (const policy of ['clamp', 'reject', 'lossless'] as const)
      expect(read('numeric', '"1.5"', { rule: { policy }, more: NUMERIC_5_2 })).toMatchObject({
        outcome: TRANSCODED,
        clamped: 0,
        value: 150,
      });
  });

  test.each(['clamp', 'reject', 'lossless'] as const)(
    'more digits after the point than PostgreSQL declared are of before an ALTER TABLE, and rounded as it did, under %s',
    (policy) => {
      const given = { rule: { policy }, more: NUMERIC_5_2 };
      for (const [json, modes] of [['"1.2355"'], ['1.2355', { decimal: 'double' }]] as const)
        expect(read('numeric', json, { ...given, ...(modes && { modes }) })).toMatchObject({
          outcome: TRANSCODED,
          clamped: 0,
          value: 124,
        });
      const tooLarge = policy === 'clamp' ? { outcome: TRANSCODED, clamped: 1 } : { outcome: UNFIT };
      expect(read('numeric', '"1234.5"', given)).toMatchObject(tooLarge);
      expect(read('numeric', '"999.995"', given)).toMatchObject(tooLarge);
    },
  );

  test('a column that became text has them rounded, too', () => {
    const given = { rule: { policy: 'lossless' as const }, more: NUMERIC_5_2, widened: true };
    expect(read('numeric', '"1.2355"', given)).toMatchObject({ type: 'Nullable(String)', value: '1.24' });
    expect(read('numeric', '"NaN"', given)).toMatchObject({ value: 'NaN' });
    expect(read('numeric', '"1.2"', given)).toMatchObject({ value: '1.2' });
  });

  test('a row that is taken back does not leave its mark on the next one', () => {
    const layout = layoutOf(source('date'), { rule: { policy: 'reject' } });
    const transcoder = compileTranscoder(layout);
    const columns = layout.columns.map(({ type }) => createColumn(type));
    const nulls = new ArrayColumn('Array(String)', new StringColumn());
    const append = (json: string) => {
      const bytes = Buffer.from(json);
      return transcoder.append(bytes, 0, bytes.length, { columns, nulls });
    };
    expect(append('{"id":1,"c":-2147472692}')).toBe(UNFIT);
    expect(append('{"id":1,"c":5}')).toBe(TRANSCODED);
    expect(columns[0]?.rows).toBe(1);
  });

  test('images that are read without counting count nothing', () => {
    const transcoder = compileTranscoder(layoutOf(source('date'), { rule: { policy: 'clamp' } }));
    const columns = ['Int32', 'Nullable(Date32)'].map(createColumn);
    const nulls = new ArrayColumn('Array(String)', new StringColumn());
    const bytes = Buffer.from('{"id":1,"c":-2147472692}');
    transcoder.counts = false;
    transcoder.append(bytes, 0, bytes.length, { columns, nulls });
    expect(transcoder.takeClamped()).toBeNull();
  });

  test('a key is never clamped, since two rows would become one', () => {
    const layout = layoutOf(source('date', { notNull: true }), { rule: { policy: 'clamp' } }, ['c']);
    expect(layout.columns[1]?.policy).toBe('lossless');
  });
});

describe('a value as PostgreSQL prints it', () => {
  const text: Given = { rule: { type: 'String' } };
  test.each<[string, string, string, Partial<ConnectorModes>?]>([
    ['numeric', '"NAN"', 'NaN'],
    ['numeric', '"POSITIVE_INFINITY"', 'Infinity'],
    ['numeric', '"-1.50"', '-1.50'],
    ['numeric', '{"scale":2,"value":"/2o="}', '-1.50', { decimal: 'precise' }],
    ['int4', '-7', '-7'],
    ['uuid', '"0d9f5c1a-0000-0000-0000-000000000001"', '0d9f5c1a-0000-0000-0000-000000000001'],
    ['date', '0', '1970-01-01'],
    ['date', '-735160', '0044-03-15 BC'],
    ['date', '-2440550', '4713-01-01 BC'],
    ['date', '2145042905', '5874897-12-31'],
    ['date', '-2147472691', '-infinity'],
    ['date', '"+10000-01-01Z"', '10000-01-01', { time: 'isostring' }],
    ['date', '"-5877611-06-21Z"', 'infinity', { time: 'isostring' }],
    ['timestamp', '-1', '1969-12-31 23:59:59.999999'],
    ['timestamp', '1478267490123450', '2016-11-04 13:51:30.12345'],
    ['timestamp', '-9222426057709551617', '294276-12-31 23:59:59.999999'],
    ['timestamp', '1478267490000', '2016-11-04 13:51:30', { time: 'connect' }],
    ['timestamp', '-1', '1969-12-31 23:59:59.999999', { time: 'nanoseconds' }],
    ['timestamptz', '"2016-11-04T11:51:30.120000Z"', '2016-11-04 11:51:30.12+00'],
    ['timestamptz', '"-0043-03-15T12:00:00.000001Z"', '0044-03-15 12:00:00.000001+00 BC'],
    ['timestamptz', '"-infinity"', '-infinity'],
    ['time', '86400000000', '24:00:00'],
    ['time', '"13:51:02.12Z"', '13:51:02.12', { time: 'isostring' }],
  ])('%s %s is %s', (base, json, expected, modes = {}) => {
    expect(read(base, json, { ...text, modes })).toMatchObject({ outcome: TRANSCODED, value: expected, clamped: 0 });
  });

  test('is for every day the date that JavaScript has for it', () => {
    fc.assert(
      fc.property(fc.integer({ min: -719162, max: 2932896 }), (days) => {
        const expected = new Date(days * 86_400_000).toISOString().slice(0, 10);
        expect(read('date', String(days), text).value).toBe(expected);
      }),
    );
  });
});

describe('a type of the rules', () => {
  test.each<[string, string, string, unknown, number]>([
    ['numeric', 'Decimal(10, 2)', '"1.005"', 101n, 1],
    ['numeric', 'Decimal(10, 2)', '"-1.5"', -150n, 0],
    ['money', 'Decimal(10, 4)', '"1.50"', 15000n, 0],
    ['int2', 'Int64', '-3', -3n, 0],
    ['date', 'Date', '-1', 0, 1],
    ['date', 'Date', '19000', 19000, 0],
    ['timestamp', "DateTime64(3, 'UTC')", '-1', -1n, 1],
    ['timestamp', "DateTime64(3, 'UTC')", '1478267490123000', 1478267490123n, 0],
    ['timestamptz', "DateTime64(0, 'Europe/Berlin')", '"2016-11-04T11:51:30.120000Z"', 1478260290n, 1],
    ['text', 'LowCardinality(String)', '"a"', 'a', 0],
  ])('%s as %s holds %s', (...of) => {
    const [base, type, json, value, clamped] = of;
    const found = read(base, json, { rule: { type, policy: 'clamp' } });
    expect(found.outcome).toBe(TRANSCODED);
    expect(found.clamped).toBe(clamped);
    expect(found.value).toEqual(typeof found.value === 'number' && typeof value === 'bigint' ? Number(value) : value);
  });

  test.each([
    ['int8', 'Int32'],
    ['text', 'Decimal(10, 2)'],
    ['timestamp', "DateTime64(6, 'Europe/Berlin')"],
    ['bool', 'String'],
    ['date', 'Array(Nullable(String))'],
  ])('%s cannot be %s', (base, type) => {
    const layout = mirrorLayout(
      { schema: 'public', name: 't', identity: 'full', columns: [ID, source(base)], key: ['id'] },
      // Every column is given the type, so the key is asked first where it cannot be.
      { rule: (column) => (column === 'c' ? { type } : {}), defaults: ruled({}).defaults, widened: new Set() },
    );
    expect(layout).toEqual({ code: 'TABLE_RULE_WRONG', column: 'c' });
  });

  test('a name that another column has is refused', () => {
    const rule = (column: string): ColumnRule => (column === 'c' ? { name: 'id' } : {});
    const table = {
      schema: 'public',
      name: 't',
      identity: 'full' as const,
      columns: [ID, source('text')],
      key: ['id'],
    };
    expect(mirrorLayout(table, { rule, defaults: ruled({}).defaults, widened: new Set() })).toEqual({
      code: 'TABLE_RULE_WRONG',
      column: 'c',
    });
  });
});
