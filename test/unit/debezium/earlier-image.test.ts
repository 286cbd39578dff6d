import { imageFields, modernise, modernNames } from '../../../src/debezium/earlier-image';
import { recast } from '../../../src/debezium/recast';
import type { SourceColumn, SourceTable } from '../../../src/model';

const column = (name: string, attnum: number, more: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name, base: 'int4', type: 'integer', kind: 'b', modifier: -1, array: false, notNull: true, generated: false },
  attnum,
  ...more,
});
const table = (...columns: readonly SourceColumn[]): SourceTable => ({
  ...{ schema: 'public', name: 't', identity: 'full', key: ['id'] },
  columns,
});
const bytes = (text: string) => Buffer.from(text, 'utf8');
const fieldsOf = (text: string) => imageFields(bytes(text), 0, bytes(text).length);
const of = (base: string, type = base, modifier = -1): SourceColumn => column('v', 1, { base, type, modifier });

describe('an image of an earlier version', () => {
  it('is split into its members, digit for digit', () => {
    expect([...fieldsOf('{"id": 9007199254740993, "ü\\"x":"a,b","n":{"a":[1,{}]} ,"z":null}')]).toEqual([
      ['id', '9007199254740993'],
      ['ü"x', '"a,b"'],
      ['n', '{"a":[1,{}]}'],
      ['z', 'null'],
    ]);
    expect([...fieldsOf('{}'), ...fieldsOf('null'), ...fieldsOf('')]).toEqual([]);
  });

  it('has the names of now, without what was dropped, and lacks what was added', () => {
    const from = table(column('id', 1), column('old', 2), column('gone', 3), column('same', 4));
    const to = table(column('id', 1), column('new', 2), column('same', 5), column('filled', 6, { filled: true }));
    const modern = modernise(fieldsOf('{"id":1,"old":2,"gone":3,"same":4}'), from, to, []);
    expect(Buffer.from(modern.bytes).toString()).toBe('{"id":1,"new":2}');
    expect(modern.unknown).toEqual(['filled']);
    expect(modernNames(['old', 'gone'], from, to)).toEqual(['new']);
  });

  it('has its values recast, placeholders and NULL excepted', () => {
    const from = table(
      column('a', 1, { base: 'bpchar', type: 'character(5)' }),
      column('b', 2),
      column('c', 3),
      column('d', 4),
    );
    const text = { base: 'text', type: 'text' };
    const moment = { base: 'timestamptz', type: 'timestamp with time zone' };
    const to = table(column('a', 1, text), column('b', 2, text), column('c', 3, text), column('d', 4, moment));
    const modern = modernise(fieldsOf('{"a":"x    ","b":null,"c":"_","d":5}'), from, to, ['c']);
    expect(Buffer.from(modern.bytes).toString()).toBe('{"a":"x","b":null,"c":"_","d":null}');
    expect(modern.unknown).toEqual(['d']);
  });
});

const NUMERIC_6_2 = of('numeric', 'numeric(6,2)', ((6 << 16) | 2) + 4);

describe('a cast', () => {
  it.each([
    ['integer to numeric', '12', of('int4'), of('numeric', 'numeric(5,2)'), '"12"'],
    ['numeric to integer, half away from zero', '"-2.5"', of('numeric'), of('int4'), '-3'],
    ['numeric to text, digit for digit', '"1.10"', of('numeric'), of('text'), '"1.10"'],
    ['numeric to a smaller scale, half away from zero', '"-1.2355"', of('numeric'), NUMERIC_6_2, '"-1.24"'],
    ['numeric to a smaller scale, with a carry', '"99.995"', of('numeric'), NUMERIC_6_2, '"100.00"'],
    ['numeric that becomes zero', '"-0.001"', of('numeric'), NUMERIC_6_2, '"0.00"'],
    ['numeric as a number', '1.2345', of('numeric'), NUMERIC_6_2, '1.23'],
    ['numeric to a larger scale', '"1.2345"', of('numeric', 'numeric(5,4)'), of('numeric'), '"1.2345"'],
    ['numeric in base64, which has no point', '"1234"', of('numeric'), NUMERIC_6_2, '"1234"'],
    ['NaN to another numeric', '"NaN"', of('numeric'), NUMERIC_6_2, '"NaN"'],
    ['NaN to integer', '"NaN"', of('numeric'), of('int4'), null],
    ['real to double precision', '3.33', of('float4'), of('float8'), '3.3299999237060547'],
    ['double precision to numeric, 15 digits', '0.1', of('float8'), of('numeric'), '"0.1"'],
    ['double precision to numeric, small', '1.5e-7', of('float8'), of('numeric'), '"0.00000015"'],
    ['double precision to integer, half to even', '2.5', of('float8'), of('int4'), '2'],
    ['text to integer', '" 17 "', of('text'), of('int4'), '17'],
    ['words to integer', '"seventeen"', of('text'), of('int4'), null],
    ['text to varchar(2)', '"a😀c"', of('text'), of('varchar', 'character varying(2)', 6), '"a😀"'],
    ['text to char(3)', '"a"', of('text'), of('bpchar', 'character(3)', 7), '"a  "'],
    ['boolean to integer', 'true', of('bool'), of('int4'), '1'],
    ['date to timestamp', '-1', of('date'), of('timestamp'), '-86400000000'],
    ['infinity to timestamp', '-2147472692', of('date'), of('timestamp'), null],
    ['timestamp to date, before 1970', '-1', of('timestamp'), of('date'), '-1'],
    ['timestamp to timestamp(0)', '-1500000', of('timestamp'), of('timestamp', 'timestamp(0)', 0), '-2000000'],
    ['timestamp to timestamptz, which depends on a time zone', '0', of('timestamp'), of('timestamptz'), null],
    ['a type that is not known', '"x"', of('inet'), of('text'), null],
  ])('%s', (...[, raw, from, to, expected]) => {
    expect(recast(raw, from, to)).toBe(expected);
  });
});
