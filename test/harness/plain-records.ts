/** Records of any wire as they would have been in plain JSON, made without any code of the service. */
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import type { Profile } from '../../src/connect/profile';
import type { TopicRecord } from './topics';

/** Decodes values of a topic; keys are plain JSON on every wire of the profiles. Tombstones, and plain JSON, stay as they are. */
export type ToPlain = (record: TopicRecord) => Promise<TopicRecord>;

/** What JSON.parse and avsc make of a number is exact up to 2^53, and of text: the judge is for columns of such types. */
export function toPlain(profile: Profile, registryUrl: string | undefined): ToPlain {
  if (profile === 'json') return (record) => Promise.resolve(record);
  const decode = profile === 'json-schema' ? payloadOf : avroDecoder(registryUrl ?? '');
  return async (record) =>
    record.value === null ? record : { ...record, value: Buffer.from(JSON.stringify(await decode(record.value))) };
}

function payloadOf(value: Buffer): Promise<unknown> {
  return Promise.resolve((JSON.parse(value.toString('utf8')) as { payload: unknown }).payload);
}

function avroDecoder(registryUrl: string): (value: Buffer) => Promise<unknown> {
  const registry = new SchemaRegistry({ host: `${registryUrl}/apis/ccompat/v7` });
  return (value) => registry.decode(value);
}
