/**
 * Kafka Connect's data as Debezium makes it, and how each converter writes it: JSON with and without schema, Avro. Made
 * from the converters' documentation and what they were seen to write, without any code of the service.
 */
import { BytesOut } from './bytes-out';

/** A Connect schema. The parts of arrays and maps, and all fields, may be null where `optional` says so. */
export interface Shape {
  readonly type:
    'boolean' | 'int16' | 'int32' | 'int64' | 'float' | 'double' | 'string' | 'bytes' | 'array' | 'map' | 'struct';
  readonly name?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** A Decimal, which a converter may write as a number: digits after the point. */
  readonly scale?: number;
  readonly items?: Shape;
  readonly fields?: readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly shape: Shape;
  readonly optional: boolean;
}

/** Numbers of 64 bits are bigint where they may be beyond 2^53; a map is its pairs, a struct its fields in order. */
export type Data =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly (Data | null)[]
  | readonly (readonly [string, Data | null])[]
  | null;

export type DecimalFormat = 'BASE64' | 'NUMERIC';

/** As Kafka's JsonConverter writes it. */
export function jsonOf(shape: Shape, data: Data, format: DecimalFormat): string {
  if (data === null) return 'null';
  switch (shape.type) {
    case 'float':
      return javaNumber(data as number, Math.fround);
    case 'double':
      return javaNumber(data as number, same);
    case 'string':
      return jsonText(data as string);
    case 'bytes': {
      const bytes = data as Buffer;
      if (shape.scale !== undefined && format === 'NUMERIC') return bigDecimalText(bytes, shape.scale);
      return `"${Buffer.from(bytes).toString('base64')}"`;
    }
    case 'array': {
      const items = shape.items as Shape;
      return `[${(data as Data[]).map((one) => jsonOf(items, one, format)).join(',')}]`;
    }
    case 'map': {
      const items = shape.items as Shape;
      const pairs = data as readonly (readonly [string, Data])[];
      return `{${pairs.map(([key, value]) => `${jsonText(key)}:${jsonOf(items, value, format)}`).join(',')}}`;
    }
    case 'struct': {
      const values = data as Data[];
      const fields = shape.fields as readonly Field[];
      return `{${fields.map((field, n) => `"${field.name}":${jsonOf(field.shape, values[n] ?? null, format)}`).join(',')}}`;
    }
    case 'boolean':
    case 'int16':
    case 'int32':
    case 'int64':
      return String(data);
  }
}

/** Jackson writes control characters with capital digits. */
function jsonText(text: string): string {
  if (!/["\\\0-\x1f]/.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/\\(?:u00(..)|.)/g, (escape, digits: string | undefined) =>
    digits === undefined ? escape : `\\u00${digits.toUpperCase()}`,
  );
}

const same = (value: number): number => value;

/**
 * A Java double or float as its own text: the fewest digits, but at least two, that are read as the same number; of those
 * of one length the closest.
 */
export function javaNumber(value: number, held: (value: number) => number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-3 && size < 1e7);
  const shortest = held === same ? value : fewest(value, held);
  if (plain) return Number.isInteger(shortest) ? `${shortest}.0` : String(shortest);
  const [digits = '', exponent = ''] = shortest.toExponential().split('e');
  if (digits.includes('.')) return `${digits}E${Number(exponent)}`;
  const [two = '', ofTwo = ''] = value.toExponential(1).split('e');
  return `${two}E${Number(ofTwo)}`;
}

function fewest(value: number, held: (value: number) => number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (held(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** BigDecimal.toString: an exponent for what is far behind the point. */
function bigDecimalText(bytes: Uint8Array, scale: number): string {
  const hex = Buffer.from(bytes).toString('hex');
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  const sign = unscaled < 0n ? '-' : '';
  const adjusted = digits.length - 1 - scale;
  if (scale === 0) return sign + digits;
  if (adjusted < -6) return `${sign}${digits.slice(0, 1)}${digits.length > 1 ? `.${digits.slice(1)}` : ''}E${adjusted}`;
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** The schema as JsonConverter writes it beside a payload. */
export function connectSchema(shape: Shape, optional: boolean, field?: string): object {
  const { type, name, parameters, items, fields } = shape;
  return {
    type,
    optional,
    ...(fields === undefined ? {} : { fields: fields.map((one) => connectSchema(one.shape, one.optional, one.name)) }),
    ...(type === 'map' ? { keys: { type: 'string', optional: false } } : {}),
    ...(items === undefined ? {} : { [type === 'map' ? 'values' : 'items']: connectSchema(items, true) }),
    ...(name === undefined ? {} : { name, version: 1 }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(field === undefined ? {} : { field }),
  };
}

const AVRO_TYPES = { boolean: 'boolean', int16: 'int', int32: 'int', int64: 'long', float: 'float', double: 'double', string: 'string', bytes: 'bytes' } as const; // prettier-ignore
const LOGICAL: Readonly<Record<string, string>> = {
  'org.apache.kafka.connect.data.Decimal': 'decimal',
  'org.apache.kafka.connect.data.Date': 'date',
  'org.apache.kafka.connect.data.Time': 'time-millis',
  'org.apache.kafka.connect.data.Timestamp': 'timestamp-millis',
};

/** The schema as Connect's Avro converter writes it; a record is declared where it first stands, and named after that. */
export function avroSchema(shape: Shape, optional: boolean, declared: Set<string>): unknown {
  const type = avroType(shape, declared);
  return optional ? ['null', type] : type;
}

function avroType(shape: Shape, declared: Set<string>): unknown {
  const { type, name, parameters, scale, items, fields } = shape;
  if (fields !== undefined && name !== undefined) {
    if (declared.has(name)) return name;
    declared.add(name);
    const cut = name.lastIndexOf('.');
    return {
      type: 'record',
      name: name.slice(cut + 1),
      namespace: name.slice(0, cut),
      fields: fields.map((one) => ({ name: one.name, type: avroSchema(one.shape, one.optional, declared) })),
      ...(parameters === undefined ? {} : { 'connect.parameters': parameters }),
      'connect.name': name,
    };
  }
  const logicalType = LOGICAL[name ?? ''];
  return {
    ...(type === 'array' || type === 'map'
      ? { type, [type === 'map' ? 'values' : 'items']: avroSchema(items as Shape, true, declared) }
      : { type: AVRO_TYPES[type as keyof typeof AVRO_TYPES] }),
    ...(scale === undefined ? {} : { scale, precision: Number(parameters?.['connect.decimal.precision'] ?? 64) }),
    ...(logicalType === undefined ? {} : { logicalType }),
    ...(parameters === undefined ? {} : { 'connect.parameters': parameters }),
    ...(type === 'int16' ? { 'connect.type': 'int16' } : {}),
    ...(name === undefined ? {} : { 'connect.name': name, 'connect.version': 1 }),
  };
}

/** What may be null: the branch of its union, then the value. */
export function writeAvro(shape: Shape, data: Data, out: BytesOut): void {
  if (data === null) {
    out.u8(0);
    return;
  }
  out.u8(2);
  writeAvroValue(shape, data, out);
}

function writeAvroValue(shape: Shape, data: Data, out: BytesOut): void {
  switch (shape.type) {
    case 'boolean':
      out.u8(data === true ? 1 : 0);
      return;
    case 'float':
      out.f32(data as number);
      return;
    case 'double':
      out.f64(data as number);
      return;
    case 'string': {
      const bytes = Buffer.from(data as string, 'utf8');
      out.zigzag(bytes.length);
      out.raw(bytes);
      return;
    }
    case 'bytes': {
      const bytes = data as Uint8Array;
      out.zigzag(bytes.length);
      out.raw(bytes);
      return;
    }
    case 'array':
      writeItems(data as readonly Data[], (one) => writeAvro(shape.items as Shape, one, out), out);
      return;
    case 'map': {
      const write = ([key, value]: readonly [string, Data]): void => {
        writeAvroValue(STRING, key, out);
        writeAvro(shape.items as Shape, value, out);
      };
      writeItems(data as readonly (readonly [string, Data])[], write, out);
      return;
    }
    case 'struct':
      (shape.fields as readonly Field[]).forEach((field, n) => {
        const value = (data as readonly Data[])[n] ?? null;
        if (field.optional) writeAvro(field.shape, value, out);
        else writeAvroValue(field.shape, value, out);
      });
      return;
    case 'int16':
    case 'int32':
    case 'int64':
      out.zigzag(data as number | bigint);
  }
}

const STRING: Shape = { type: 'string' };

/** One block, and the empty one that ends them. */
function writeItems<T>(items: readonly T[], write: (item: T) => void, out: BytesOut): void {
  if (items.length > 0) out.zigzag(items.length);
  items.forEach(write);
  out.u8(0);
}
