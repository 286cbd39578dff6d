/** Decides how a column's value is written in an image: by the record's own schema, else by the connector's modes and the type in the catalogue. */
import { DECIMAL_FORMAT, type ConnectorModes, type SourceColumn, type WireField } from '../model';
import type { ImageCodec, Notation, WireCodec } from './mirror-type';

/** The codec of values written in the way of our profile. */
export function profileCodec(codec: WireCodec): ImageCodec {
  return { ...codec, notation: 'profile', wireScale: 0 };
}

/**
 * How values of a column are written.
 * @param codec the column's own
 * @param column what the catalogue says of it
 * @param field what the record's schema says of it; null for plain JSON
 */
export function imageCodec(
  codec: WireCodec,
  column: SourceColumn,
  modes: ConnectorModes,
  field: WireField | null = null,
): ImageCodec {
  const told = field === null ? null : toldBy(column.array ? (field.items ?? field) : field, column, modes);
  if (told !== null) return { ...codec, ...told };
  const notation = notationOf(codec, column, modes);
  return { ...codec, notation, wireScale: notation === 'unscaled' ? wireScale(column) : 0 };
}

interface Told {
  readonly notation: Notation;
  readonly wireScale: number;
}

const TIME = 'io.debezium.time.';
const CONNECT = 'org.apache.kafka.connect.data.';

/** The notations that names of schemas stand for. */
const BY_SEMANTIC = new Map<string, Notation>([
  [`${TIME}Date`, 'profile'],
  [`${TIME}MicroTime`, 'profile'],
  [`${TIME}MicroTimestamp`, 'profile'],
  [`${CONNECT}Date`, 'profile'],
  [`${TIME}Time`, 'milliseconds'],
  [`${TIME}Timestamp`, 'milliseconds'],
  [`${CONNECT}Time`, 'milliseconds'],
  [`${CONNECT}Timestamp`, 'milliseconds'],
  [`${TIME}NanoTime`, 'nanoseconds'],
  [`${TIME}NanoTimestamp`, 'nanoseconds'],
  [`${TIME}IsoDate`, 'iso'],
  [`${TIME}IsoTime`, 'iso'],
  [`${TIME}IsoTimestamp`, 'iso'],
  [`${TIME}MicroDuration`, 'duration'],
  [`${TIME}Interval`, 'profile'],
  ['io.debezium.data.VariableScaleDecimal', 'scaled'],
]);

/** What a field's schema says; null where it leaves the choice to the modes. */
function toldBy({ type, semantic, parameters }: WireField, column: SourceColumn, modes: ConnectorModes): Told | null {
  if (semantic === `${CONNECT}Decimal`) {
    // The JSON converter's own option is in no schema.
    if ((parameters[DECIMAL_FORMAT] ?? modes.decimalFormat) === 'NUMERIC') return { notation: 'number', wireScale: 0 };
    return { notation: 'unscaled', wireScale: Number(parameters['scale'] ?? 0) };
  }
  const known = BY_SEMANTIC.get(semantic ?? '');
  if (known !== undefined) return { notation: known, wireScale: 0 };
  const notation = notationOfType(type, column, modes);
  return notation === null ? null : { notation, wireScale: 0 };
}

function notationOfType(type: WireField['type'], { base }: SourceColumn, modes: ConnectorModes): Notation | null {
  switch (base) {
    case 'numeric':
    case 'money':
      return type === 'double' ? 'number' : type === 'string' ? 'profile' : null;
    case 'bytea':
      if (type === 'bytes') return 'base64';
      // Hexadecimal digits and base64 are both strings without a name.
      return type === 'string' ? (modes.binary.startsWith('base64') ? 'base64' : 'profile') : null;
    case 'hstore':
      return type === 'map' ? 'object' : 'profile';
    default:
      return null;
  }
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
