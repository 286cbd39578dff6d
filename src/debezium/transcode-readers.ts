/** Chooses the reader of a column's values: by the form they have and the notation they are written in. */
import type { NullableColumn } from '../clickhouse/column-nested';
import type { MirrorColumn } from '../clickhouse/mirror-layout';
import type { ImageCodec } from '../clickhouse/mirror-type';
import { decimalReader, decimalTextReader } from './transcode-decimal';
import { arrayReader, readHstore, readPoint, readVector } from './transcode-nested';
import { intReader, readBool, readFloat, readUnsigned } from './transcode-number';
import {
  bitsReader,
  readBase64,
  readBit,
  readDuration,
  readEwkb,
  readHex,
  readJson,
  readText,
  readTextOrObject,
  readUuid,
} from './transcode-text';
import { printDate, printInteger, printTimestamptz, timePrinter, timestampPrinter } from './transcode-printed';
import { dateReader, timeReader, timestampReader, timestamptzReader, type TimeUnit } from './transcode-time';
import type { Misfits, ValueReader } from './transcode-value';

/** The reader of one kind of value, into the column itself. */
function valueReader(codec: ImageCodec, misfits: Misfits): ValueReader {
  switch (codec.form) {
    case 'int':
      return codec.precision === 1 ? readUnsigned : intReader(codec.width);
    case 'float':
      return readFloat;
    case 'bool':
      return readBool;
    case 'text':
      return textReader(codec);
    case 'json':
      return readJson;
    case 'hex':
      return codec.notation === 'base64' ? readBase64 : readHex;
    case 'date':
      return dateReader(misfits, codec.width);
    case 'timestamp':
      return timestampReader(misfits, unitOf(codec), codec.scale);
    case 'timestamptz':
      return timestamptzReader(misfits, codec.scale);
    case 'time':
      return timeReader(unitOf(codec));
    case 'decimal':
      return decimalReader(codec, misfits);
    case 'uuid':
      return readUuid;
    case 'bit':
      return readBit;
    case 'bits':
      return bitsReader(codec.width);
    case 'hstore':
      return readHstore;
    case 'point':
      return readPoint;
    case 'vector':
      return readVector;
    case 'ewkb':
      return readEwkb;
  }
}

/** The readers of values into a String, as PostgreSQL prints them; other forms are text already. */
const PRINTERS: Partial<Record<ImageCodec['form'], (codec: ImageCodec) => ValueReader>> = {
  decimal: decimalTextReader,
  date: () => printDate,
  timestamp: (codec) => timestampPrinter(unitOf(codec)),
  timestamptz: () => printTimestamptz,
  time: (codec) => timePrinter(unitOf(codec)),
  int: () => printInteger,
};

function textReader(codec: ImageCodec): ValueReader {
  const { notation } = codec;
  if (notation === 'duration') return readDuration;
  if (notation === 'object') return readTextOrObject;
  const isDecimal = notation === 'unscaled' || notation === 'scaled' || notation === 'number';
  return isDecimal ? decimalTextReader(codec) : readText;
}

function unitOf({ notation }: ImageCodec): TimeUnit {
  return notation === 'milliseconds' || notation === 'nanoseconds' ? notation : 'microseconds';
}

/** The reader of a column's value other than null, its Nullable included. */
export function columnReader({ type }: MirrorColumn, codec: ImageCodec, misfits: Misfits): ValueReader {
  const value = codec.asText ? (PRINTERS[codec.form]?.(codec) ?? readText) : valueReader(codec, misfits);
  if (codec.array) return arrayReader(value);
  if (!isNullable(type)) return value;
  return (b, at, end, column) => {
    const nullable = column as NullableColumn;
    nullable.markPresent();
    return value(b, at, end, nullable.inner);
  };
}

/** Whether a column of that type in ClickHouse has a Nullable around its values. */
export function isNullable(type: string): boolean {
  return type.startsWith('Nullable(') || type.startsWith('LowCardinality(Nullable(');
}
