/** The peer: ClickHouse's Kafka engine and materialized views, tuned as well as we honestly can. */
import type { BenchParts } from './bench-parts';
import type { Contender } from './contender';
import { createTarget, type Target } from './target-tables';
import type { BenchTopic } from './topics';

/**
 * The envelope as columns: the format's own parser opens it once, and reads the images as the text they are. One view
 * hands the rows to a table without storage, so that both views of it see each block, whichever is made first.
 */
const ENVELOPE = `
  before String, after String, op String, ts_us UInt64,
  source Tuple(name String, snapshot Nullable(String), db String, sequence Nullable(String), ts_us UInt64,
    schema String, table String, txId Nullable(UInt64), lsn Nullable(UInt64)),
  transaction Tuple(total_order Nullable(UInt64))`;

const IMAGE =
  'Tuple(id Int64, customer Int32, status String, amount Decimal(12, 2), pieces Int32, email Nullable(String), ' +
  'note Nullable(String), paid Bool, created String, updated Int64)';

export const engineContender: Contender = {
  name: 'engine',
  async prepare(parts, topic, target) {
    if (topic.wire !== 'json') throw new Error('the Kafka engine is measured on plain JSON');
    await createTarget(parts, target);
    await createViews(parts, target);
    await parts.clickhouse.command(`
      CREATE TABLE ${target.databases.machinery}.queue (${ENVELOPE})
      ENGINE = Kafka SETTINGS kafka_broker_list = '${parts.env.KAFKA_BROKERS}', kafka_topic_list = '${topic.topic}',
        kafka_group_name = 'bench-engine-${Date.now()}', kafka_format = 'JSONEachRow', kafka_num_consumers = 2,
        kafka_thread_per_consumer = 1, kafka_max_block_size = 131072, kafka_poll_max_batch_size = 65536,
        kafka_flush_interval_ms = 2000, input_format_json_read_objects_as_strings = 1,
        input_format_skip_unknown_fields = 1`);
  },
  async start({ clickhouse }: BenchParts, _topic: BenchTopic, { databases }: Target) {
    await clickhouse.command(`
      CREATE MATERIALIZED VIEW ${databases.machinery}.take TO ${databases.machinery}.incoming AS
      SELECT *, _key AS key, _topic AS topic, _partition AS partition, _offset AS offset
      FROM ${databases.machinery}.queue`);
    return {
      pid: null,
      async stop() {
        await clickhouse.command(`DROP TABLE IF EXISTS ${databases.machinery}.take SYNC`);
        await clickhouse.command(`DROP TABLE IF EXISTS ${databases.machinery}.queue SYNC`);
      },
    };
  },
};

async function createViews({ clickhouse }: BenchParts, { databases, changes, mirror }: Target): Promise<void> {
  const { machinery } = databases;
  await clickhouse.command(
    `CREATE TABLE ${machinery}.incoming (${ENVELOPE}, key String, topic LowCardinality(String), partition UInt64, offset UInt64) ENGINE = Null`,
  );
  const commitLsn = `toUInt64OrNull(JSONExtractString(ifNull(source.sequence, '[]'), 1))`;
  await clickhouse.command(`
    CREATE MATERIALIZED VIEW ${machinery}.audit TO ${changes} AS
    SELECT source.name AS source, source.db AS db, source.schema AS schema, source.table AS table, op, key,
      before, after, fromUnixTimestamp64Micro(source.ts_us, 'UTC') AS ts,
      fromUnixTimestamp64Micro(ts_us, 'UTC') AS captured_at, now64(3, 'UTC') AS ingested_at, source.txId AS tx_id,
      transaction.total_order AS tx_order, source.lsn AS lsn, ${commitLsn} AS commit_lsn,
      ifNull(source.snapshot, 'false') AS snapshot, topic, partition, offset
    FROM ${machinery}.incoming`);
  const columns = ['id', 'customer', 'status', 'amount', 'pieces', 'email', 'note', 'paid'];
  await clickhouse.command(`
    CREATE MATERIALIZED VIEW ${machinery}.rows TO ${mirror} AS
    SELECT ${columns.map((name) => `image.${name} AS ${name}`).join(', ')},
      parseDateTime64BestEffort(image.created, 6, 'UTC') AS created, fromUnixTimestamp64Micro(image.updated, 'UTC') AS updated,
      _sign, _topic, _partition, _offset, _commit_lsn, _lsn, _commit_ts
    FROM (
      SELECT JSONExtract(signed.2, '${IMAGE}') AS image, signed.1 AS _sign, topic AS _topic, partition AS _partition,
        offset AS _offset, ifNull(${commitLsn}, 0) AS _commit_lsn, ifNull(source.lsn, 0) AS _lsn,
        fromUnixTimestamp64Micro(source.ts_us, 'UTC') AS _commit_ts
      FROM ${machinery}.incoming
      ARRAY JOIN arrayFilter(one -> one.2 != '', [(-1, before), (1, after)]) AS signed
    )`);
}
