-- What became of records in quarantine. Rows are only ever added: a decision is never lost, the newest one counts.
CREATE TABLE IF NOT EXISTS {{machinery}}.quarantine_resolutions
(
    topic          LowCardinality(String),
    partition      UInt32,
    offset         UInt64,
    quarantined_at DateTime64(3, 'UTC')   COMMENT 'the row of quarantine that it is about: a later one is open again',
    at             DateTime64(6, 'UTC')   DEFAULT now64(6),
    resolution     LowCardinality(String) COMMENT 'applied, skipped, discarded or forgotten',
    reason         String                 COMMENT 'why it was discarded, in words of the person',
    who            String                 COMMENT 'who asked'
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset, at)
COMMENT 'debezium-clickhouse: what became of records in quarantine';

-- Markers of rows that were erased on request: the hash of a key, and up to which offset its events stay erased.
CREATE TABLE IF NOT EXISTS {{machinery}}.forgotten
(
    schema      LowCardinality(String),
    table       LowCardinality(String),
    topic       LowCardinality(String),
    partition   UInt32,
    key_hash    String               COMMENT 'hex of SHA-256 of salt and key, as the key stood in changes',
    salt        String,
    below       UInt64               COMMENT 'events of the key below this offset are erased, and stay so in a replay',
    lsn         Int64                COMMENT 'position of the partition then, -1 for none: what Debezium sends again from before it stays erased too',
    commit_lsn  Int64,
    events      UInt64               COMMENT 'rows of changes that were emptied',
    who         String               COMMENT 'who asked',
    state       LowCardinality(String) COMMENT 'begun, done',
    at          DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (topic, partition, schema, table, key_hash, below)
COMMENT 'debezium-clickhouse: markers of erased rows';

ALTER TABLE {{machinery}}.changes
    COMMENT COLUMN IF EXISTS redelivered '1 when Debezium had sent the same event before, 2 when the row was forgotten (its key and images are emptied); such rows count in no view';
