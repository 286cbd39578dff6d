/** Every type with a reader of its own, alone and in arrays: the plain reference for transcoders and change expressions. */
import { PROFILE_MODES, type ConnectorModes } from '../../src/model';
import { BytesOut } from './bytes-out';
import type { Data } from './connect-data';
import { bool, float, integer, money, numeric, oid, unconstrained, wide } from './numbers';
import { bits, bytea, hstore, mood, point, textual, uuid } from './texts';
import { date, interval, time, timestamp, timestamptz } from './times';
import { column, type Cell, type Generated, type OracleColumn, type TypeOracle } from './type-oracle';

const NULL_CELL: Cell = { data: null, expected: () => null };

/** Values of the type, one in eight of them NULL. */
function hidden<V>(of: TypeOracle<V>): Generated {
  const { parts = 1 } = of;
  // What has parts has no Nullable in ClickHouse.
  const namesNulls = parts > 1;
  return {
    column: of.column,
    open(modes) {
      const nulls = new BytesOut();
      const out = Array.from({ length: parts }, () => new BytesOut());
      return {
        ...opened(of.shape(modes), [nulls, ...out]),
        namesNulls,
        next(random) {
          const isNull = random.oneIn(8);
          if (!namesNulls) nulls.u8(isNull ? 1 : 0);
          if (isNull) {
            of.nativeDefault(out);
            return NULL_CELL;
          }
          const value = of.make(random, modes);
          of.native(value, out, modes);
          return { data: of.data(value, modes), expected: () => of.expected(value, modes) };
        },
      };
    },
  };
}

/** The same type as the element of an array, NULL elements included. */
function arrayOf<V>(of: TypeOracle<V>): Generated {
  return {
    column: { ...of.column, name: `${of.column.name}_array`, array: true },
    open(modes) {
      const ends = new BytesOut();
      const nulls = new BytesOut();
      const values = new BytesOut();
      return {
        ...opened({ type: 'array', items: of.shape(modes) }, [ends, nulls, values]),
        namesNulls: true,
        next(random) {
          const isNull = random.oneIn(8);
          const elements: (V | null)[] = [];
          for (let left = isNull ? 0 : random.below(5); left > 0; left--) {
            const value = random.oneIn(6) ? null : of.make(random, modes);
            elements.push(value);
            nulls.u8(value === null ? 1 : 0);
            if (value === null) of.nativeDefault([values]);
            else of.native(value, [values], modes);
          }
          ends.wide(BigInt((ends.count += elements.length)), 8);
          if (isNull) return NULL_CELL;
          const data: Data = elements.map((value) => (value === null ? null : of.data(value, modes)));
          return { data, expected: () => elements.map((value) => framed(of, value, modes)).join('') };
        },
      };
    },
  };
}

function framed<V>(of: TypeOracle<V>, value: V | null, modes: ConnectorModes): string {
  if (value === null) return '~';
  const text = of.expected(value, modes);
  return `${Buffer.byteLength(text)}:${text}`;
}

function opened(
  shape: OracleColumn['shape'],
  out: readonly BytesOut[],
): Pick<OracleColumn, 'shape' | 'bytes' | 'clear'> {
  return {
    shape,
    bytes: () => Buffer.concat(out.map((one) => one.bytes)),
    clear: () => out.forEach((one) => one.clear()),
  };
}

export const GENERATED: readonly Generated[] = [
  hidden(integer('int2')),
  hidden(integer('int4')),
  hidden(integer('int8')),
  hidden(oid),
  hidden(float('float4')),
  hidden(float('float8')),
  hidden(bool),
  hidden(numeric(5, 2)),
  hidden(numeric(18, 6)),
  hidden(numeric(38, 10)),
  hidden(numeric(76, 38)),
  hidden(numeric(5, -2)),
  hidden(numeric(3, 5)),
  hidden(unconstrained),
  // Records of one type, of which Avro declares the first only.
  hidden({ ...unconstrained, column: column('numeric_too', 'numeric') }),
  hidden(wide),
  hidden(money),
  hidden(date),
  hidden(timestamp(-1)),
  hidden(timestamp(3)),
  hidden(timestamptz),
  hidden(time(-1)),
  hidden(time(0)),
  hidden(interval),
  hidden(textual('text')),
  hidden(textual('jsonb', 'io.debezium.data.Json')),
  hidden(mood),
  hidden(bytea),
  hidden(bits),
  hidden(hstore),
  hidden(uuid),
  hidden(point),
  hidden({ ...point, column: column('point_too', 'point') }),
  arrayOf(integer('int8')),
  arrayOf(float('float8')),
  arrayOf(numeric(10, 2)),
  arrayOf(unconstrained),
  arrayOf(date),
  arrayOf(timestamp(-1)),
  arrayOf(time(3)),
  arrayOf(timestamptz),
  arrayOf(textual('text')),
  arrayOf(bytea),
  arrayOf(uuid),
];

/** Modes that between them have each value of each option. */
export const SOME_MODES: readonly ConnectorModes[] = [
  PROFILE_MODES,
  {
    decimal: 'precise',
    decimalFormat: 'BASE64',
    time: 'adaptive',
    binary: 'bytes',
    interval: 'numeric',
    hstore: 'json',
  },
  {
    decimal: 'precise',
    decimalFormat: 'NUMERIC',
    time: 'isostring',
    binary: 'base64-url-safe',
    interval: 'string',
    hstore: 'map',
  },
  { decimal: 'double', decimalFormat: 'BASE64', time: 'connect', binary: 'base64', interval: 'numeric', hstore: 'map' },
  {
    decimal: 'string',
    decimalFormat: 'BASE64',
    time: 'nanoseconds',
    binary: 'hex',
    interval: 'numeric',
    hstore: 'json',
  },
  {
    decimal: 'precise',
    decimalFormat: 'BASE64',
    time: 'adaptive_time_microseconds',
    binary: 'base64',
    interval: 'string',
    hstore: 'map',
  },
];
