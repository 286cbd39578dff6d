/** Every type of PostgreSQL at its extremes: what is stored, and what is seen of it in ClickHouse where that is something else. */

/** Modes of a connector; between them they have each value of each option, and lose what each of them loses. */
const MODES = {
  profile: {},
  defaults: {
    'decimal.handling.mode': 'precise',
    'time.precision.mode': 'adaptive',
    'binary.handling.mode': 'bytes',
    'interval.handling.mode': 'numeric',
  },
  iso: {
    'decimal.handling.mode': 'precise',
    'value.converter.decimal.format': 'NUMERIC',
    'time.precision.mode': 'isostring',
    'binary.handling.mode': 'base64-url-safe',
    'hstore.handling.mode': 'map',
  },
  connect: {
    'decimal.handling.mode': 'double',
    'time.precision.mode': 'connect',
    'binary.handling.mode': 'base64',
    'interval.handling.mode': 'numeric',
    'hstore.handling.mode': 'map',
  },
  nanoseconds: {
    'decimal.handling.mode': 'precise',
    'time.precision.mode': 'nanoseconds',
    'binary.handling.mode': 'bytes',
  },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

export type Modes = keyof typeof MODES;
export const MODES_NAMES = Object.keys(MODES) as Modes[];
export type Wire = 'json' | 'json-schema' | 'avro';

/** One way a connector may be set up: a connector of its own in the test of types, with a service of its own. */
export interface Setup {
  /** As it stands in TYPE_SETUPS; unique. */
  readonly name: string;
  readonly modes: Modes;
  readonly wire: Wire;
  readonly options: Readonly<Record<string, string>>;
}

/** The set-ups of `make test`: every mode, every wire, our profile through two of them. */
const USUAL = 'profile/json,defaults/json-schema,iso/json,connect/json,nanoseconds/json,profile/avro,defaults/avro';

/** What TYPE_SETUPS names instead: the first is the one that is set up anew at the end. */
export const SETUPS: readonly Setup[] = (process.env['TYPE_SETUPS'] ?? USUAL).split(',').map((name) => {
  const [modes = '', wire = ''] = name.split('/');
  if (!(modes in MODES) || !['json', 'json-schema', 'avro'].includes(wire)) throw new Error(`no such set-up: ${name}`);
  return { name, modes: modes as Modes, wire: wire as Wire, options: MODES[modes as Modes] };
});

/** How a connector writes by Debezium's own defaults. */
export const DEBEZIUMS_DEFAULTS = MODES.defaults;

/** When something is lost: in some modes, when the row is read by a snapshot, or when it is streamed. */
type When = Modes | 'snapshot' | 'stream' | 'always';

export interface StoredValue {
  /** As it stands in INSERT. */
  readonly sql: string;
  /** What the view shows by design, where it is not PostgreSQL's own text: another notation of the same, or clamped. */
  readonly shown?: string | null;
  /** `shown` is the nearest value that the column's type holds. */
  readonly clamped?: true;
  /** What the view shows where Debezium had lost the value before. */
  readonly lost?: Partial<Record<When, string | null>>;
}

export interface TypeCase {
  /** As it stands in CREATE TABLE. */
  readonly type: string;
  readonly values: readonly StoredValue[];
}

const as = (...sql: string[]): StoredValue[] => sql.map((one) => ({ sql: one }));
const shown = (sql: string, text: string | null, lost?: StoredValue['lost']): StoredValue => ({
  sql,
  shown: text,
  ...(lost === undefined ? {} : { lost }),
});
const clamped = (sql: string, text: string, lost?: StoredValue['lost']): StoredValue => ({
  ...shown(sql, text, lost),
  clamped: true,
});
const lost = (sql: string, when: StoredValue['lost']): StoredValue => ({
  sql,
  ...(when === undefined ? {} : { lost: when }),
});

const NINES = '9'.repeat(38);
const MOST = `${NINES}.${NINES}`;
/** `precise` makes NULL of what is no number. */
const NO_NUMBER = { defaults: null, iso: null, nanoseconds: null } as const;
const FIRST_DATE = '1900-01-01';
const LAST_DATE = '2299-12-31';
const FIRST_INSTANT = '0001-01-01 00:00:00';
const LAST_INSTANT = '9999-12-31 23:59:59.999999';
const NO_NANOS = { nanoseconds: null } as const;

export const TYPE_CASES: readonly TypeCase[] = [
  { type: 'int2', values: as('32767', '-32768') },
  { type: 'int4', values: as('2147483647', '-2147483648') },
  { type: 'int8', values: as('9223372036854775807', '-9223372036854775808', '9007199254740993') },
  { type: 'oid', values: as('4294967295', '0') },
  { type: 'bool', values: as('true', 'false') },
  { type: 'float4', values: as('3.33', `'NaN'`, `'-Infinity'`, `'-0'`, '1.4e-45', '3.4028235e38') },
  { type: 'float8', values: as('6.66', `'NaN'`, `'Infinity'`, `'-0'`, '5e-324', '1.7976931348623157e308') },
  {
    type: 'numeric',
    values: [
      lost('123456789012345678901234567890.123456789', { connect: '123456789012345680000000000000' }),
      ...as('1.10', '-1000', '1e30'),
      clamped(`'NaN'`, MOST, NO_NUMBER),
      clamped(`'Infinity'`, MOST, NO_NUMBER),
      clamped(`'-Infinity'`, `-${MOST}`, NO_NUMBER),
      clamped('-1e40', `-${MOST}`),
    ],
  },
  { type: 'numeric(5,2)', values: [...as('1.1', '-0.01', '0'), clamped(`'NaN'`, '999.99', NO_NUMBER)] },
  { type: 'numeric(18,6)', values: as('123456789.123456', '-123456789.123456') },
  {
    type: 'numeric(76,38)',
    values: [lost(`${NINES}.${NINES}`, { connect: MOST }), lost(`-${NINES}.${NINES}`, { connect: `-${MOST}` })],
  },
  { type: 'numeric(5,-2)', values: [shown('12345', '12300'), ...as('-100', '0')] },
  { type: 'numeric(3,5)', values: as('0.00999') },
  {
    type: 'numeric(90,5)',
    values: [
      shown('1.1', '1.10000', { connect: '1.1' }),
      lost(`-${'7'.repeat(85)}.12345`, { connect: `-${'7'.repeat(16).replace(/7$/, '8')}${'0'.repeat(69)}` }),
    ],
  },
  { type: 'money', values: [...as(`'-1234.56'`), lost(`'92233720368547758.07'`, { connect: '92233720368547760' })] },
  { type: 'text', values: as(`E'tx"\\\\\\né😀'`, `''`, `'null'`, `'{"a":1}'`) },
  { type: 'varchar(10)', values: as(`'vc'`, `''`) },
  { type: 'char(5)', values: [shown(`'ab'`, 'ab   ')] },
  { type: '"char"', values: as(`'x'`) },
  { type: 'citext', values: as(`'CiT'`) },
  { type: 'name', values: [lost(`'nm'`, { stream: null })] },
  { type: 'bytea', values: as(`'\\x00010203ff'`, `'\\xfbff'`, `''`) },
  { type: 'bit(1)', values: as(`B'1'`, `B'0'`) },
  { type: 'bit(12)', values: as(`B'100000000001'`, `B'000000000000'`) },
  { type: 'varbit', values: [...as(`B'101'`, `''`), lost(`B'00011'`, { always: '11' })] },
  { type: 'varbit(1)', values: as(`B'1'`) },
  {
    type: 'date',
    values: [
      ...as(`'2016-11-04'`, `'1900-01-01'`, `'2299-12-31'`),
      clamped(`'1899-12-31'`, FIRST_DATE),
      clamped(`'2300-01-01'`, LAST_DATE),
      clamped(`'9999-12-31'`, LAST_DATE),
      clamped(`'5874897-12-31'`, LAST_DATE),
      clamped(`'infinity'`, LAST_DATE),
      clamped(`'-infinity'`, FIRST_DATE),
      clamped(`'0044-03-15 BC'`, FIRST_DATE),
      clamped(`'4713-01-01 BC'`, FIRST_DATE, { snapshot: LAST_DATE }),
    ],
  },
  {
    type: 'time',
    values: [
      lost(`'13:51:02.123456'`, { connect: '13:51:02.123' }),
      lost(`'24:00:00'`, { iso: '00:00:00' }),
      ...as(`'00:00:00'`),
    ],
  },
  { type: 'time(3)', values: [...as(`'13:51:02.123'`), lost(`'24:00:00'`, { iso: '00:00:00' })] },
  {
    type: 'timetz',
    values: [
      // Debezium moves it to UTC; what its offset was is lost.
      shown(`'13:51:02.123456+02'`, '11:51:02.123456Z'),
      shown(`'00:00:00-15:59'`, '15:59:00Z'),
      shown(`'24:00:00+00'`, '24:00:00Z'),
    ],
  },
  {
    type: 'timestamp',
    values: [
      lost(`'2016-11-04 13:51:30.123456'`, { connect: '2016-11-04 13:51:30.123' }),
      lost(`'1969-12-31 23:59:59.999999'`, { connect: '1969-12-31 23:59:59.999' }),
      lost(`'0001-01-01 00:00:00'`, NO_NANOS),
      lost(`'9999-12-31 23:59:59.999999'`, { ...NO_NANOS, connect: '9999-12-31 23:59:59.999' }),
      clamped(`'infinity'`, LAST_INSTANT),
      clamped(`'-infinity'`, FIRST_INSTANT),
      clamped(`'294276-12-31 23:59:59.999999'`, LAST_INSTANT, NO_NANOS),
      clamped(`'0044-03-15 12:00:00.000001 BC'`, FIRST_INSTANT, NO_NANOS),
      clamped(`'4713-01-01 00:00:00 BC'`, FIRST_INSTANT, NO_NANOS),
    ],
  },
  {
    type: 'timestamp(3)',
    values: [
      ...as(`'2016-11-04 13:51:30.123'`),
      clamped(`'infinity'`, LAST_INSTANT),
      clamped(`'-infinity'`, FIRST_INSTANT),
      clamped(`'294276-12-31 23:59:59.999'`, LAST_INSTANT, NO_NANOS),
      clamped(`'0044-03-15 12:00:00.001 BC'`, FIRST_INSTANT, NO_NANOS),
    ],
  },
  {
    type: 'timestamptz',
    values: [
      ...as(`'2016-11-04 13:51:30.123456+02'`, `'9999-12-31 23:59:59.999999+00'`, `'0001-01-01 00:00:00+00'`),
      clamped(`'infinity'`, LAST_INSTANT),
      clamped(`'-infinity'`, FIRST_INSTANT),
      clamped(`'294276-12-31 23:59:59.999999+00'`, LAST_INSTANT),
      clamped(`'0044-03-15 12:00:00.000001+00 BC'`, FIRST_INSTANT),
    ],
  },
  { type: 'timestamptz(0)', values: as(`'2016-11-04 13:51:31+02'`) },
  {
    type: 'interval',
    values: [
      ...[
        [`'1 year 2 mons 3 days 04:05:06.789'`, 'P1Y2M3DT4H5M6.789S', 'P0Y0M0DT10303H5M6.789S'],
        [`'-1 mons +3 days -04:05:06.5'`, 'P0Y-1M3DT-4H-5M-6.5S', 'P0Y0M0DT-662H-35M-6.5S'],
        [`'178000000 years'`, 'P178000000Y0M0DT0H0M0S', 'P0Y0M0DT2562047788H0M54.775807S'],
      ].map(([sql = '', text = '', numeric = '']) => shown(sql, text, { defaults: numeric, connect: numeric })),
      shown(`'48:00:00.000001'`, 'P0Y0M0DT48H0M0.000001S'),
      shown(`'-00:00:00.5'`, 'P0Y0M0DT0H0M-0.5S'),
    ],
  },
  { type: 'uuid', values: as(`'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'`) },
  { type: 'json', values: as(`'{"b": 1,  "a":2, "a":3}'`, `'null'`) },
  { type: 'jsonb', values: as(`'{"b":1,"n":1.10,"big":12345678901234567890.123}'`, `'null'`) },
  { type: 'xml', values: as(`'<foo a="1">bar</foo>'`) },
  { type: 'mood', values: as(`'happy'`, `'sad'`) },
  { type: 'hstore', values: as(`'"key 1"=>"v\\"1", k2=>NULL'`, `''`) },
  { type: 'ltree', values: as(`'Top.Science'`) },
  { type: 'tsvector', values: as(`'direct insert:2'`) },
  { type: 'isbn', values: as(`'978-0-393-04002-9'`) },
  { type: 'inet', values: [shown(`'192.168.1.5'`, '192.168.1.5'), ...as(`'192.168.2.0/12'`, `'::1/64'`)] },
  { type: 'cidr', values: as(`'192.168.1.0/24'`) },
  { type: 'macaddr', values: as(`'08:00:2b:01:02:03'`) },
  { type: 'macaddr8', values: as(`'08:00:2b:01:02:03:04:05'`) },
  { type: 'int4range', values: as(`'[1,10]'`, `'empty'`) },
  { type: 'int8range', values: as(`'(,10)'`) },
  { type: 'numrange', values: as(`'[1.5,2.5)'`) },
  { type: 'tsrange', values: as(`'["2019-03-31 15:30:00",infinity]'`) },
  { type: 'tstzrange', values: as(`'["2017-06-05 11:29:12.549426+00",)'`) },
  { type: 'daterange', values: as(`'[2019-03-31,infinity)'`) },
  { type: 'point', values: [shown(`'(-0,1e300)'`, '(-0,1e300)')] },
  { type: 'line', values: [shown(`'{1,2,3}'`, '{"a":1.0,"b":2.0,"c":3.0}')] },
  {
    type: 'circle',
    values: [
      shown(
        `'<(1,2),3>'`,
        '{"center":{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null},"radius":3.0}',
      ),
    ],
  },
  { type: 'posint', values: as('5') },
  { type: 'cents', values: as('1.50') },
  { type: 'int2[]', values: as(`'{1,-1,NULL}'`, `'{}'`) },
  { type: 'int4[]', values: [...as(`'[2:3]={7,8}'`), lost(`'{{1,2},{3,NULL}}'`, { always: '[null,null]' })] },
  { type: 'int8[]', values: as(`'{9223372036854775807,NULL}'`) },
  { type: 'oid[]', values: as(`'{1,4294967295}'`) },
  { type: 'bool[]', values: as(`'{t,f,NULL}'`) },
  { type: 'float8[]', values: as(`'{1.5,NaN,Infinity,NULL}'`) },
  { type: 'numeric[]', values: [...as(`'{1.10,2,NULL}'`), lost(`'{NaN}'`, { always: '[]' })] },
  { type: 'numeric(10,2)[]', values: as(`'{1.1,2,NULL}'`) },
  { type: 'text[]', values: as(`'{"a,b","c\\"d",NULL,"NULL","","\\\\\\\\"}'`, `'{}'`) },
  { type: 'varchar(10)[]', values: as(`'{abc,NULL}'`) },
  { type: 'bytea[]', values: as(`'{"\\\\x01ff",NULL}'`) },
  {
    type: 'date[]',
    values: [...as(`'{2016-11-04,NULL}'`), clamped(`'{infinity,-infinity}'`, '["2299-12-31","1900-01-01"]')],
  },
  {
    type: 'time[]',
    values: [
      ...as(`'{13:51:02.123}'`),
      lost(`'{13:51:02.123456,24:00:00}'`, { always: '["13:51:02.123","00:00:00"]' }),
    ],
  },
  {
    type: 'timetz[]',
    values: [shown(`'{13:51:02.123456+02}'`, '["11:51:02.123456Z"]')],
  },
  {
    type: 'timestamp[]',
    values: [
      lost(`'{2016-11-04 13:51:30.123456,NULL}'`, { connect: '["2016-11-04 13:51:30.123",null]' }),
      clamped(`'{infinity}'`, `["${LAST_INSTANT}"]`),
    ],
  },
  { type: 'timestamp(3)[]', values: as(`'{2016-11-04 13:51:30.123}'`) },
  {
    type: 'timestamptz[]',
    values: [...as(`'{2016-11-04 13:51:30.123456+02}'`), clamped(`'{infinity}'`, `["${LAST_INSTANT}"]`)],
  },
  { type: 'uuid[]', values: as(`'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'`) },
  { type: 'jsonb[]', values: as(`ARRAY['{"a": 1}'::jsonb]`) },
  { type: 'mood[]', values: [...as(`'{sad,ok}'`), lost(`'{sad,NULL}'`, { always: '[]' })] },
  { type: 'inet[]', values: as(`'{1.2.3.4/24}'`) },
  { type: 'tsrange[]', values: as(`ARRAY['[2019-01-01 00:00:00,)'::tsrange]`) },
  { type: 'hstore[]', values: [shown(`ARRAY['a=>1'::hstore]`, '["{\\"a\\":\\"1\\"}"]')] },
];

/** Types that Debezium leaves out of its events, or of which it sends nothing: there is no column of them in a mirror. */
export const OMITTED_TYPES: readonly { readonly type: string; readonly sql: string }[] = [
  { type: 'tsquery', sql: `'a & b'` },
  { type: 'int4multirange', sql: `'{[1,3)}'` },
  { type: 'pair', sql: `'(1,x)'` },
  { type: 'pg_lsn', sql: `'0/1'` },
  { type: 'xid', sql: `'7'` },
  { type: 'jsonpath', sql: `'$.a'` },
  { type: 'money[]', sql: `'{1.5}'` },
  { type: 'interval[]', sql: `'{1 day}'` },
  { type: 'xml[]', sql: `'{<a/>}'` },
  { type: 'point[]', sql: `'{"(1,2)"}'` },
  { type: 'bit(3)[]', sql: `'{101}'` },
  { type: 'varbit[]', sql: `'{101}'` },
  { type: 'name[]', sql: `'{a}'` },
  { type: 'posint[]', sql: `'{1}'` },
];
