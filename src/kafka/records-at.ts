/** Single records by their offsets, read beside the service. */
import type { TopicPartition } from '../model';
import type { KafkaReader } from './reader';

/** A record with copies of its bytes; null where it has none. */
export interface FoundRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array;
}

/** Those of the offsets at which Kafka has a record that can be seen; the topic must be there. */
export async function recordsAt(
  reader: Pick<KafkaReader, 'bounds' | 'read'>,
  of: TopicPartition,
  offsets: readonly number[],
  signal: AbortSignal,
): Promise<Map<number, FoundRecord>> {
  const found = new Map<number, FoundRecord>();
  const held = (await reader.bounds(of.topic)).find(({ partition }) => partition === of.partition);
  const wanted = new Set(offsets.filter((offset) => held !== undefined && offset >= held.low && offset < held.high));
  if (wanted.size === 0) return found;
  const range = { topic: of.topic, partition: of.partition, from: Math.min(...wanted), to: Math.max(...wanted) + 1 };
  const copy = (bytes: Uint8Array | null): Uint8Array | null => (bytes === null ? null : Uint8Array.from(bytes));
  await reader.read(
    [range],
    ({ offset, timestampMs, parts: { key, value, headers } }) => {
      if (wanted.has(offset))
        found.set(offset, {
          offset,
          timestampMs,
          key: copy(key),
          value: copy(value),
          headers: Uint8Array.from(headers),
        });
      return found.size < wanted.size ? 'go on' : 'stop';
    },
    signal,
  );
  return found;
}
