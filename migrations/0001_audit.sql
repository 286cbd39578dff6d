-- The audit table: every change once, for ever. One insert of a block is one part: a block has one ingested_at.
CREATE TABLE IF NOT EXISTS {{machinery}}.changes
(
    source        LowCardinality(String)       COMMENT 'topic.prefix of the connector',
    db            LowCardinality(String),
    schema        LowCardinality(String),
    table         LowCardinality(String),
    op            LowCardinality(String)       COMMENT 'c create, u update, d delete, r snapshot read, t truncate',
    key           String                       COMMENT 'JSON text of the key as Debezium sent it' CODEC(ZSTD(1)),
    before        String                       COMMENT 'JSON text of the row before, empty when absent' CODEC(ZSTD(1)),
    after         String                       COMMENT 'JSON text of the row after, empty when absent' CODEC(ZSTD(1)),
    ts            DateTime64(6, 'UTC')         COMMENT 'when the transaction committed' CODEC(Delta, ZSTD(1)),
    captured_at   DateTime64(6, 'UTC')         COMMENT 'when Debezium read it, by its clock' CODEC(Delta, ZSTD(1)),
    ingested_at   DateTime64(3, 'UTC')         COMMENT 'when this service took it, one value for each block' CODEC(Delta, ZSTD(1)),
    tx_id         Nullable(UInt64)             COMMENT 'xid of the transaction',
    tx_order      Nullable(UInt64)             COMMENT 'place in the transaction, from 1',
    lsn           Nullable(UInt64)             COMMENT 'WAL position of the change',
    commit_lsn    Nullable(UInt64)             COMMENT 'WAL position of the last commit before it',
    snapshot      LowCardinality(String)       COMMENT 'false for streamed changes, else Debezium''s snapshot marker',
    redelivered   UInt8                        COMMENT '1 when Debezium had sent the same event before; such rows count in no view',
    unavailable   Array(LowCardinality(String)) COMMENT 'columns whose value was withheld (unchanged TOAST)',
    wire_schema   UInt64                       COMMENT 'how before and after are to be read: wire_schemas.id',
    topic         LowCardinality(String),
    partition     UInt32,
    offset        UInt64                       CODEC(Delta, ZSTD(1)),
    INDEX by_key key TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_ts ts TYPE minmax GRANULARITY 1,
    INDEX by_lsn lsn TYPE minmax GRANULARITY 1,
    INDEX by_table (schema, table) TYPE set(32) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192
COMMENT 'debezium-clickhouse: the audit table';

CREATE TABLE IF NOT EXISTS {{machinery}}.quarantine
(
    topic       LowCardinality(String),
    partition   UInt32,
    offset      UInt64,
    at          DateTime64(3, 'UTC')   COMMENT 'when it was set aside, one value for each block',
    code        LowCardinality(String) COMMENT 'error code, see docs/errors.md',
    message     String                 COMMENT 'what was wrong, without values of the row',
    table       String                 COMMENT 'schema.table where known',
    column      String                 COMMENT 'column where known',
    key         String                 COMMENT 'bytes of the key' CODEC(ZSTD(1)),
    value       String                 COMMENT 'bytes of the value' CODEC(ZSTD(1)),
    headers     String                 COMMENT 'bytes of the headers, undecoded' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'debezium-clickhouse: records that could not be decoded, with their bytes';

CREATE TABLE IF NOT EXISTS {{machinery}}.wire_schemas
(
    id         UInt64               COMMENT 'hash of kind and definition',
    kind       LowCardinality(String) COMMENT 'json: definition is the catalogue''s types and the connector''s modes',
    schema     LowCardinality(String),
    table      LowCardinality(String),
    definition String               CODEC(ZSTD(1)),
    first_seen DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY id
COMMENT 'debezium-clickhouse: how the text in changes is to be read';

CREATE TABLE IF NOT EXISTS {{machinery}}.schema_changes
(
    at           DateTime64(3, 'UTC') DEFAULT now64(3),
    schema       LowCardinality(String),
    table        LowCardinality(String),
    column       String,
    from_type    String COMMENT 'empty for a new column',
    to_type      String COMMENT 'empty for a dropped column',
    topic        LowCardinality(String),
    partition    UInt32,
    first_offset UInt64 COMMENT 'the record that showed it',
    statement    String COMMENT 'what was run in ClickHouse'
)
ENGINE = MergeTree
ORDER BY (schema, table, at)
COMMENT 'debezium-clickhouse: the history of each mirror''s columns';

CREATE TABLE IF NOT EXISTS {{machinery}}.control
(
    name  String COMMENT 'group, longest_wait_seconds, mirror:<name>',
    value String,
    at    DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY name
COMMENT 'debezium-clickhouse: what the service must remember about its target';
