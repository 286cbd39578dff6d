/** Every kind of finding of `check`: what it is about and why it matters. docs/check.md is made from this. */
import { CONNECTOR_KINDS } from './connector-kinds';
import { kind, type Kind } from './kind';

export const KINDS = {
  'postgres-unreachable': kind('PostgreSQL', 'error', 'Nothing about it could be checked.'),
  'postgres-not-set': kind(
    'PostgreSQL',
    'warning',
    'Nothing of the source is checked; and plain JSON says nothing about types, so that tables are audited and not mirrored.',
  ),
  'postgres-version': kind('PostgreSQL', 'error', 'The connector reads PostgreSQL 14 and later.'),
  'postgres-wal-level': kind(
    'PostgreSQL',
    'error',
    'Debezium reads changes by logical decoding; without it the connector does not start.',
  ),
  'postgres-no-free-slot': kind(
    'PostgreSQL',
    'error',
    'The connector needs a slot, and all of max_replication_slots are taken.',
  ),
  'postgres-no-free-wal-sender': kind(
    'PostgreSQL',
    'error',
    'The connector needs a WAL sender, and all of max_wal_senders are taken.',
  ),
  'postgres-wal-unbounded': kind(
    'PostgreSQL',
    'warning',
    'A connector that is away keeps WAL without a limit, until the disk of the source is full and the source stops.',
  ),
  'slot-missing': kind(
    'PostgreSQL',
    'error',
    'The connector is there and its slot is not: the changes since it was dropped are lost to it.',
  ),
  'slot-lost': kind(
    'PostgreSQL',
    'error',
    'PostgreSQL has removed WAL that the slot needs: those changes are lost to the connector, and only a new snapshot shows the rows as they are.',
  ),
  'slot-plugin': kind('PostgreSQL', 'error', 'The connector reads pgoutput; a slot of another plugin stops it.'),
  'slot-inactive': kind(
    'PostgreSQL',
    'warning',
    'Nobody reads it, so no change arrives and WAL gathers in PostgreSQL.',
  ),
  'slot-holds-wal': kind(
    'PostgreSQL',
    'warning',
    'The connector is far behind, or stuck; at max_slot_wal_keep_size the slot is lost.',
  ),
  'other-slot-inactive': kind(
    'PostgreSQL',
    'warning',
    'Nobody reads it, and it keeps WAL for ever: mostly it was left by a connector that is gone.',
  ),
  'publication-missing': kind('PostgreSQL', 'error', 'The connector does not start without its publication.'),
  'publication-leaves-out': kind(
    'PostgreSQL',
    'error',
    'Operations that are not published never arrive: the mirror drifts from the source.',
  ),
  'publication-filters': kind(
    'PostgreSQL',
    'error',
    'Rows or columns that are filtered out never arrive: the mirror is not what the source is.',
  ),
  'table-not-published': kind('PostgreSQL', 'error', 'Its changes are not sent, although the settings include it.'),
  'signal-table-missing': kind('PostgreSQL', 'warning', 'No snapshot can be asked for while the connector runs.'),
  'no-tables': kind('PostgreSQL', 'warning', 'There would be nothing to mirror.'),
  'identity-nothing': kind(
    'PostgreSQL',
    'error',
    'Once it is published, PostgreSQL refuses every UPDATE and DELETE on it.',
  ),
  'identity-index': kind(
    'PostgreSQL',
    'error',
    'An UPDATE of the primary key leaves the old row in the mirror, and deletes carry a key of zeros.',
  ),
  'identity-no-key': kind(
    'PostgreSQL',
    'error',
    'Its identity is DEFAULT and it has no primary key: once it is published, PostgreSQL refuses every UPDATE and DELETE on it.',
  ),
  'identity-default': kind(
    'PostgreSQL',
    'warning',
    'The old row is not in the changes: the audit lacks it, and the mirror is written by looking rows up, which is slower.',
  ),
  'identity-toast': kind(
    'PostgreSQL',
    'warning',
    'Large values that an UPDATE did not change are withheld by PostgreSQL, and the old row is not in the changes: the audit lacks both, and the mirror is written by looking rows up, which is slower.',
  ),
  'identity-toast-lost': kind(
    'PostgreSQL',
    'error',
    'A large value that an UPDATE did not change is withheld by PostgreSQL, and for these types Debezium has nothing to say so: it arrives as NULL, or stops the connector where event.converting.failure.handling.mode is fail or the column is NOT NULL.',
  ),
  'column-not-sent': kind(
    'PostgreSQL',
    'warning',
    'Debezium leaves out columns of this type: neither changes nor the mirror has them.',
  ),
  'column-distorted': kind(
    'PostgreSQL',
    'warning',
    'Debezium sends some values of this type otherwise than they are: changes and the mirror have what it sends, and verify tells the difference.',
  ),
  'column-null-default': kind(
    'PostgreSQL',
    'warning',
    "Apicurio's converter writes the DEFAULT in the place of a NULL, and has no switch for it.",
  ),
  'table-without-key': kind(
    'PostgreSQL',
    'warning',
    'Its rows cannot be told apart: they are mirrored by count, which looks up what stands for every block, and an incremental snapshot of it counts for nothing.',
  ),
  'table-unlogged': kind('PostgreSQL', 'warning', 'It writes no WAL, so nothing of it is captured.'),
  'role-no-replication': kind('PostgreSQL', 'error', 'Without REPLICATION the connector cannot read the slot.'),
  'role-no-select': kind(
    'PostgreSQL',
    'error',
    'Without SELECT there is no snapshot of it, and verify cannot read it.',
  ),
  'column-policy': kind(
    'PostgreSQL',
    'notice',
    "Columns that can hold values that ClickHouse's types do not, such as NaN, infinity or a day after 2299, with what becomes of them. Each use is counted; docs/types.md tells what the policies do.",
  ),
  'rule-names-nothing': kind(
    'PostgreSQL',
    'warning',
    'A mask that names nothing protects nothing: what it was meant for reaches ClickHouse as it is. Other rules are without effect.',
  ),
  'key-kept-out': kind(
    'PostgreSQL',
    'error',
    'The rows of a table are told apart by its key: the service does not start where a rule drops or skips a column of a primary key [CONFIG_INVALID].',
  ),
  'key-hashed': kind(
    'PostgreSQL',
    'notice',
    'verify does not compare the table, and a mask of a key can only be there from the start [TABLE_KEY_MASK_CHANGED].',
  ),
  ...CONNECTOR_KINDS,
  'kafka-unreachable': kind('Kafka', 'error', 'Nothing about it could be checked.'),
  'no-topics': kind(
    'Kafka',
    'warning',
    'The service starts and waits. Topics appear with the first row of each table.',
  ),
  'topic-compacted': kind(
    'Kafka',
    'error',
    'Compaction keeps the newest record of each key only: changes that are not read by then are lost, and offsets have holes.',
  ),
  'topic-retention-short': kind(
    'Kafka',
    'warning',
    'Records are deleted by age whether they were read or not: that is how long the service may be away, and how far back a replay goes.',
  ),
  'topic-retention-bytes': kind(
    'Kafka',
    'warning',
    'Records are deleted by size whether they were read or not: in a burst that can be within minutes.',
  ),
  'topic-message-size': kind('Kafka', 'warning', 'A row above it stops the connector.'),
  'topic-partitions': kind(
    'Kafka',
    'warning',
    'After a TRUNCATE the mirror keeps its rows until all partitions have passed it, and is made anew then; a row whose key changed may for a moment be there twice or not at all, and a large value (TOAST) that such a change does not repeat is not found under replica identity DEFAULT: the record goes to quarantine.',
  ),
  'topic-not-replicated': kind('Kafka', 'warning', 'One broker that is lost takes the changes with it.'),
  'topic-replicas-behind': kind(
    'Kafka',
    'warning',
    'Not all replicas have all records: one more broker lost can take changes with it.',
  ),
  'changes-expired': kind(
    'Kafka',
    'error',
    'Kafka has deleted records that the service had not read: it will stop with CHANGES_EXPIRED.',
  ),
  'registry-not-set': kind('Registry', 'error', 'The records are Avro, and their schemas are in a registry.'),
  'registry-unreachable': kind('Registry', 'error', 'Without its schema no Avro record can be read.'),
  'clickhouse-unreachable': kind('ClickHouse', 'error', 'Nothing about it could be checked.'),
  'clickhouse-version': kind(
    'ClickHouse',
    'error',
    'Views with a DEFINER and parameters, lightweight DELETE and the guard need 24.8 or later.',
  ),
  'clickhouse-rights': kind('ClickHouse', 'error', 'The service cannot work without this right.'),
  'clickhouse-readonly': kind('ClickHouse', 'error', 'The user may only read.'),
  'clickhouse-disk': kind('ClickHouse', 'warning', 'On a full disk inserts fail, and the service waits.'),
  'database-not-atomic': kind(
    'ClickHouse',
    'error',
    'The guard against late writes needs tables with a UUID, which Atomic, Replicated and Shared databases give [CLICKHOUSE_NOT_ATOMIC].',
  ),
  'deduplication-window': kind(
    'ClickHouse',
    'error',
    'An insert that is repeated after its answer was lost would be there twice: exactly once rests on the tokens that this window keeps.',
  ),
  'table-renamed': kind(
    'ClickHouse',
    'error',
    'Its changes come under the new name from then on, and the rows of before do not: the new mirror lacks those that have not changed since.',
  ),
  'view-name-taken': kind(
    'ClickHouse',
    'warning',
    'The table is audited, not mirrored; the others go on [TABLE_NAME_TAKEN].',
  ),
  'target-other-group': kind(
    'ClickHouse',
    'error',
    'Another consumer group writes to this target; two writers would write each change twice [TARGET_OWNED_BY_OTHER_GROUP].',
  ),
  'connection-open': kind('Settings', 'warning', 'Whoever stands between can read, and change, what is sent.'),
} as const satisfies Readonly<Record<string, Kind>>;

export type FindingId = keyof typeof KINDS;
