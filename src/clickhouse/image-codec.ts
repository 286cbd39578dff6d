/** Decides how a column's value is written in plain JSON: by the connector's modes and the type in the catalogue. */
import type { ConnectorModes, SourceColumn } from '../model';
import type { ImageCodec, Notation, WireCodec } from './mirror-type';

/** The codec of values written in the way of our profile. */
export function profileCodec(codec: WireCodec): ImageCodec {
  return { ...codec, notation: 'profile', wireScale: 0 };
}

/** The codec of values written under these modes. `codec` is the column's own, `column` what the catalogue says of it. */
export function imageCodec(codec: WireCodec, column: SourceColumn, modes: ConnectorModes): ImageCodec {
  const notation = notationOf(codec, column, modes);
  return { ...codec, notation, wireScale: notation === 'unscaled' ? wireScale(column) : 0 };
}

function notationOf({ form }: WireCodec, column: SourceColumn, modes: ConnectorModes): Notation {
  switch (column.base) {
    case 'numeric':
    case 'money':
      return decimalNotation(column, modes);
    case 'bytea':
      return modes.binary === 'hex' ? 'profile' : 'base64';
    case 'date':
      return modes.time === 'isostring' ? 'iso' : 'profile';
    case 'time':
    case 'timestamp':
      return timeNotation(column, modes.time);
    case 'interval':
      return modes.interval === 'numeric' ? 'duration' : 'profile';
    case 'hstore':
      return modes.hstore === 'map' && (form === 'hstore' || form === 'text') ? 'object' : 'profile';
    default:
      return 'profile';
  }
}

function decimalNotation({ base, modifier }: SourceColumn, { decimal, decimalFormat }: ConnectorModes): Notation {
  if (decimal === 'string') return 'profile';
  if (decimal === 'double') return 'number';
  if (base === 'numeric' && modifier < 4) return 'scaled';
  return decimalFormat === 'NUMERIC' ? 'number' : 'unscaled';
}

/** Milliseconds hold three digits of a second, so that is what the adaptive modes take for declared precisions up to 3. */
function timeNotation({ base, modifier }: SourceColumn, mode: ConnectorModes['time']): Notation {
  switch (mode) {
    case 'microseconds':
      return 'profile';
    case 'nanoseconds':
      return 'nanoseconds';
    case 'isostring':
      return 'iso';
    case 'connect':
      return 'milliseconds';
    case 'adaptive':
    case 'adaptive_time_microseconds': {
      const coarse = modifier >= 0 && modifier <= 3;
      return coarse && !(base === 'time' && mode === 'adaptive_time_microseconds') ? 'milliseconds' : 'profile';
    }
  }
}

/** The scale by which Debezium writes: two digits of money, and numeric's eleven bits taken as unsigned, so -2 is 2046. */
function wireScale({ base, modifier }: SourceColumn): number {
  return base === 'money' ? 2 : (modifier - 4) & 0x7ff;
}
