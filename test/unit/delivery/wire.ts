/** Debezium's envelopes as Kafka's record batches, byte for byte after format 2, for the tests of what reads them. */
import { joinCursors } from '../../../src/kafka/record-batch';
import type { RecordChunk, TopicPartition } from '../../../src/model';

export const TOPIC = { topic: 'shop.public.orders', partition: 0 };

/** A record; a value is written as JSON unless it is bytes, and null is a tombstone. */
export interface Sent {
  readonly offset: number;
  readonly key?: string | null;
  readonly value: unknown;
}

/** What an envelope says beside its images. */
export interface Told {
  readonly op?: string;
  readonly before?: object | null;
  readonly after?: object | null;
  readonly lsn?: number;
  readonly table?: string;
  readonly schema?: string;
  readonly snapshot?: string;
  readonly total_order?: number;
}

/** An envelope as the connector writes it in plain JSON. The commit LSN is 10 below the LSN. */
export function envelope(told: Told): object {
  const { op = 'c', before = null, after = null, lsn = 1000, table = 'orders', schema = 'public' } = told;
  const names = { name: 'shop', db: 'demo', schema, table };
  const source = {
    version: '3.7.0.Final',
    connector: 'postgresql',
    ts_ms: 1_795_223_719_264,
    snapshot: told.snapshot ?? 'false',
    sequence: JSON.stringify([String(lsn - 10), String(lsn)]),
    ts_us: 1_795_223_719_264_516,
    ...names,
    txId: 756,
    lsn,
    xmin: null,
  };
  const transaction = told.total_order === undefined ? null : { id: '756:1', total_order: told.total_order };
  return { before, after, source, transaction, op, ts_ms: 1_795_223_719_374, ts_us: 1_795_223_719_374_145 };
}

/** The create of a row `{"id":…}` at an offset; its LSN follows from the offset. */
export function created(offset: number, told: Told & { readonly id?: number } = {}): Sent {
  const { id = offset, ...more } = told;
  const value = envelope({ after: { id, note: 'n' }, lsn: 1000 + offset, ...more });
  return { offset, key: JSON.stringify({ id }), value };
}

/** What one fetch brought: `to` is the offset after the last that it covers, control records included. */
export function chunkOf(
  records: readonly Sent[],
  more: { to?: number; epoch?: number; of?: TopicPartition } = {},
): RecordChunk {
  const { of = TOPIC, epoch = 1, to } = more;
  const first = records[0]?.offset ?? to ?? 0;
  const bytes = Buffer.concat(records.map((sent) => recordBytes(sent, first)));
  const batch = { bytes, baseOffset: first, count: records.length, firstTimestampMs: 0, appendTimestampMs: -1 };
  return {
    ...of,
    epoch,
    firstOffset: first,
    nextOffset: to ?? (records.at(-1)?.offset ?? first - 1) + 1,
    records: () => joinCursors([batch], first),
  };
}

function recordBytes({ offset, key = null, value }: Sent, first: number): Buffer {
  const header = Buffer.concat([varint(1), counted(Buffer.from('h')), counted(Buffer.from('v'))]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(offset - first),
    counted(key === null ? null : Buffer.from(key)),
    counted(value === null ? null : value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value))),
    header,
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function counted(bytes: Uint8Array | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  const bytes: number[] = [];
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
