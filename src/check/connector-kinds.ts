/** The kinds of finding about Kafka Connect and the connector's options. */
import { kind, type Kind } from './kind';

export const CONNECTOR_KINDS = {
  'connect-unreachable': kind('Kafka Connect', 'error', 'Nothing about the connector could be checked.'),
  'debezium-missing': kind('Kafka Connect', 'error', 'The worker has no Debezium connector for PostgreSQL.'),
  'debezium-version': kind(
    'Kafka Connect',
    'error',
    'Before 3.7.0 a restart can lose changes: the rest of a COPY page, and changes of transactions that were in progress (debezium/dbz#1554, #76, #51).',
  ),
  'connector-missing': kind(
    'Kafka Connect',
    'error',
    'Nothing brings changes from PostgreSQL to Kafka, unless another worker does.',
  ),
  'connector-paused': kind('Kafka Connect', 'error', 'No change arrives, and its slot keeps WAL in PostgreSQL.'),
  'connector-failed': kind('Kafka Connect', 'error', 'No change arrives, and its slot keeps WAL in PostgreSQL.'),
  'connector-silent': kind(
    'Kafka Connect',
    'warning',
    'It says that it runs, and sends nothing, not even a heartbeat: while a snapshot is taken that is right. Otherwise no change arrives, and its slot keeps WAL in PostgreSQL. A worker whose Kafka was away can lose the thread that reads its positions (KAFKA-14401), and says so nowhere but in its log.',
  ),
  'connector-prefix': kind('Kafka Connect', 'error', 'The service would wait for topics that never come.'),
  'connector-slot': kind(
    'Kafka Connect',
    'warning',
    'What is checked of slot and publication is not what the connector uses.',
  ),
  'connector-placeholder': kind(
    'Kafka Connect',
    'error',
    'The placeholder of a value that PostgreSQL did not repeat would be written as if it were the value.',
  ),
  'connector-modes': kind(
    'Kafka Connect',
    'error',
    'Plain JSON does not say how a value is written: read in another way, values come out wrong or go to quarantine.',
  ),
  'connector-flattens': kind(
    'Kafka Connect',
    'error',
    'ExtractNewRecordState throws away the old row, the operation and the position; what is left cannot be mirrored, and goes to quarantine.',
  ),
  'connector-transforms': kind(
    'Kafka Connect',
    'warning',
    'A transform can drop, rename and alter records before they reach Kafka; none is needed.',
  ),
  'connector-alters-columns': kind(
    'Kafka Connect',
    'error',
    'Columns are left out, masked or cut before they reach Kafka: the mirror is not what the source is.',
  ),
  'option-plugin-name': kind(
    'Kafka Connect',
    'error',
    'The default, decoderbufs, must be installed in PostgreSQL; pgoutput is part of it.',
  ),
  'option-skipped-operations': kind(
    'Kafka Connect',
    'error',
    'Operations that are skipped never arrive: after a TRUNCATE, which is skipped by default, the mirror would keep the rows.',
  ),
  'option-event-converting-failure-handling-mode': kind(
    'Kafka Connect',
    'error',
    'A value that cannot be converted silently becomes NULL.',
  ),
  'option-value-converter-replace-null-with-default': kind(
    'Kafka Connect',
    'error',
    'NULL in a column that has a DEFAULT arrives as the default.',
  ),
  'option-errors-tolerance': kind(
    'Kafka Connect',
    'error',
    'Records that fail are dropped, and the connector goes on.',
  ),
  'option-slot-drop-on-stop': kind(
    'Kafka Connect',
    'error',
    'With the slot, all changes made while the connector is stopped are gone.',
  ),
  'option-decimal-handling-mode': kind(
    'Kafka Connect',
    'warning',
    'Every form is read, but double loses digits of numeric beyond the fifteenth, which is an error.',
  ),
  'option-time-precision-mode': kind(
    'Kafka Connect',
    'warning',
    'Every form is read, but connect cuts times to milliseconds, which is an error.',
  ),
  'option-binary-handling-mode': kind(
    'Kafka Connect',
    'warning',
    'Every form is read, but under base64 and base64-url-safe a bytea that PostgreSQL did not repeat arrives as NULL, or stops the connector, which is an error.',
  ),
  'option-interval-handling-mode': kind(
    'Kafka Connect',
    'error',
    'As a number an interval loses its months and days: they become an average count of microseconds.',
  ),
  'option-exactly-once-support': kind(
    'Kafka Connect',
    'warning',
    'Without it the connector sends changes again after a crash. They are recognised, which costs a look-up each. The worker needs exactly.once.source.support=enabled.',
  ),
  'option-provide-transaction-metadata': kind(
    'Kafka Connect',
    'warning',
    'The order of changes within a transaction (tx_order) stays empty.',
  ),
  'option-offset-mismatch-strategy': kind(
    'Kafka Connect',
    'warning',
    'Where the slot is ahead of the connector, changes between the two are skipped in silence.',
  ),
  'option-snapshot-mode': kind(
    'Kafka Connect',
    'warning',
    'Rows that are older than the connector are not sent by themselves: the mirror lacks them until a snapshot is asked for.',
  ),
  'option-heartbeat-interval-ms': kind(
    'Kafka Connect',
    'warning',
    'While only other databases of the server are busy, the slot holds WAL.',
  ),
  'option-topic-creation-default-cleanup-policy': kind(
    'Kafka Connect',
    'error',
    'A compacted topic keeps the newest record of each key only: changes would be lost.',
  ),
} as const satisfies Readonly<Record<string, Kind>>;
