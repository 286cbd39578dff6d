/** Records of any wire as they would have been in plain JSON, made without any code of the service. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { types, type Schema, type Type } from 'avsc';
import type { Profile } from '../../src/connect/profile';
import type { TopicRecord } from './topics';

/** Decodes values of a topic; keys are plain JSON on every wire of the profiles. Tombstones, and plain JSON, stay as they are. */
export type ToPlain = (record: TopicRecord) => Promise<TopicRecord>;

/** Numbers are exact up to 2^53; nobody looks at larger ones, which are nanoseconds. */
export function toPlain(profile: Profile, registryUrl: string | undefined): ToPlain {
  if (profile === 'json') return (record) => Promise.resolve(record);
  const decode = profile === 'json-schema' ? payloadOf : avroDecoder(registryUrl ?? '');
  return async (record) =>
    record.value === null ? record : { ...record, value: Buffer.from(JSON.stringify(await decode(record.value))) };
}

function payloadOf(value: Buffer): Promise<unknown> {
  return Promise.resolve((JSON.parse(value.toString('utf8')) as { payload: unknown }).payload);
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

function avroDecoder(registryUrl: string): (value: Buffer) => Promise<unknown> {
  const host = `${registryUrl}/apis/ccompat/v7`;
  const registry = new SchemaRegistry({ host }, { [SchemaType.AVRO]: { typeHook: rounded } });
  return (value) => registry.decode(value);
}
