/** A consumer as one would write it: kafkajs, JSON.parse, JSONEachRow. At least once, and no more promises than that. */
import { createClient } from '@clickhouse/client';
import { Kafka, logLevel } from 'kafkajs';

interface PlainEnvelope {
  readonly before: Row | null;
  readonly after: Row | null;
  readonly op: string;
  readonly ts_us: number;
  readonly source: {
    readonly name: string;
    readonly snapshot: string | null;
    readonly db: string;
    readonly sequence: string | null;
    readonly ts_us: number;
    readonly schema: string;
    readonly table: string;
    readonly txId: number | null;
    readonly lsn: number | null;
  };
  readonly transaction: { readonly total_order: number } | null;
}

interface Row {
  readonly updated: number;
  readonly [column: string]: unknown;
}

const BATCH = 10_000;

function micros(us: number): string {
  return `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, '0')}`;
}

function auditRow({ before, after, op, ts_us, source, transaction }: PlainEnvelope, at: object): object {
  return {
    ...at,
    source: source.name,
    db: source.db,
    schema: source.schema,
    table: source.table,
    op,
    before: before === null ? '' : JSON.stringify(before),
    after: after === null ? '' : JSON.stringify(after),
    ts: micros(source.ts_us),
    captured_at: micros(ts_us),
    tx_id: source.txId,
    tx_order: transaction?.total_order ?? null,
    lsn: source.lsn,
    commit_lsn: commitLsn(source),
    snapshot: source.snapshot ?? 'false',
  };
}

function mirrorRows({ before, after, source }: PlainEnvelope, at: object): object[] {
  const meta = { ...at, _commit_lsn: commitLsn(source) ?? 0, _lsn: source.lsn ?? 0, _commit_ts: micros(source.ts_us) };
  const row = (image: Row, sign: number): object => ({
    ...image,
    updated: micros(image.updated),
    ...meta,
    _sign: sign,
  });
  return [...(before === null ? [] : [row(before, -1)]), ...(after === null ? [] : [row(after, 1)])];
}

function commitLsn({ sequence }: PlainEnvelope['source']): string | null {
  return (JSON.parse(sequence ?? '[null]') as (string | null)[])[0] ?? null;
}

async function main(): Promise<void> {
  const { BROKERS = '', TOPIC = '', GROUP = '', CH_URL = '', CHANGES = '', MIRROR = '' } = process.env;
  const clickhouse = createClient({
    url: CH_URL,
    request_timeout: 120_000,
    clickhouse_settings: { async_insert: 0, date_time_input_format: 'best_effort' },
    log: { level: 127 },
  });
  const consumer = new Kafka({ brokers: BROKERS.split(','), logLevel: logLevel.ERROR }).consumer({
    groupId: GROUP,
    maxBytesPerPartition: 4 << 20,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: 2,
    autoCommit: false,
    eachBatch: async (payload) => {
      const { topic, partition, messages } = payload.batch;
      let audit: object[] = [];
      let rows: object[] = [];
      const flush = async (): Promise<void> => {
        if (audit.length === 0) return;
        await clickhouse.insert({ table: CHANGES, values: audit, format: 'JSONEachRow' });
        await clickhouse.insert({ table: MIRROR, values: rows, format: 'JSONEachRow' });
        audit = [];
        rows = [];
        await payload.heartbeat();
      };
      const ingested = micros(Date.now() * 1_000).slice(0, -3);
      for (const { key, value, offset } of messages) {
        if (value === null) continue;
        const envelope = JSON.parse(value.toString()) as PlainEnvelope;
        const place = { topic, partition, offset, key: key?.toString() ?? '', ingested_at: ingested };
        audit.push(auditRow(envelope, place));
        rows.push(...mirrorRows(envelope, { _topic: topic, _partition: partition, _offset: offset }));
        if (audit.length >= BATCH) await flush();
      }
      await flush();
      const next = String(Number(payload.batch.lastOffset()) + 1);
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset: next }] }] });
    },
  });
  process.once('SIGTERM', () => process.exit(0));
}

void main();
