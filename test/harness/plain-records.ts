/** Records of any wire as they would have been in plain JSON, made without any code of the service. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { types, type Schema, type Type } from 'avsc';
import type { Profile } from '../../src/connect/profile';
import type { TopicRecord } from './topics';

/** Decodes values of topics; keys are plain JSON on every wire of the profiles. Tombstones, and plain JSON, stay as they are. */
export type ToPlain = (records: readonly TopicRecord[]) => Promise<TopicRecord[]>;

/** Numbers are exact up to 2^53; nobody looks at larger ones, which are nanoseconds. A record is decoded once. */
export function toPlain(profile: Profile, registryUrl: string | undefined): ToPlain {
  if (profile === 'json') return (records) => Promise.resolve([...records]);
  const decode = profile === 'json-schema' ? payloadOf : avroDecoder(registryUrl ?? '');
  const known = new Map<string, Buffer>();
  return async (records) => {
    const plain: TopicRecord[] = [];
    for (const record of records) {
      const { topic, partition, offset, value } = record;
      const at = `${topic}:${partition}:${offset}`;
      const text = value === null ? null : (known.get(at) ?? Buffer.from(JSON.stringify(await decode(value))));
      if (text !== null) known.set(at, text);
      plain.push({ ...record, value: text });
    }
    return plain;
  };
}

function payloadOf(value: Buffer): unknown {
  return (JSON.parse(value.toString('utf8')) as { payload: unknown }).payload;
}

/** avsc refuses what a number does not hold. It asks for the other methods, for defaults of a schema. */
const ROUNDED = types.LongType.__with({
  fromBuffer: (bytes: Buffer) => Number(bytes.readBigInt64LE()),
  toBuffer(value: number) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: Number.isInteger,
  compare: (a: number, b: number) => Math.sign(a - b),
});

function rounded(schema: Schema): Type | undefined {
  return schema === 'long' || (typeof schema === 'object' && 'type' in schema && schema.type === 'long')
    ? ROUNDED
    : undefined;
}

function avroDecoder(registryUrl: string): (value: Buffer) => unknown {
  const host = `${registryUrl}/apis/ccompat/v7`;
  const registry = new SchemaRegistry({ host }, { [SchemaType.AVRO]: { typeHook: rounded } });
  const schemas = new Map<number, { fromBuffer(bytes: Buffer): unknown }>();
  return async (value) => {
    const id = value.readUInt32BE(1);
    const schema = schemas.get(id) ?? (await registry.getSchema(id));
    schemas.set(id, schema);
    return schema.fromBuffer(value.subarray(5)) as unknown;
  };
}
