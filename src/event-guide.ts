/** What each event means to who finds it in a log, and what to do: docs/events.md is made from it; pure. */
import type { Level } from './event-words';
import type { ServiceEvent, Waiting } from './events';

type Tag = ServiceEvent['tag'];
type EventOf<T extends Tag> = T extends Waiting['tag']
  ? Waiting & { readonly tag: T }
  : Extract<ServiceEvent, { readonly tag: T }>;

export interface EventGuide {
  /** More than one where the line is told of less loudly when it comes again. */
  readonly levels: readonly Level[];
  readonly meaning: string;
  /** null: nothing. */
  readonly remedy: string | null;
  readonly example: ServiceEvent;
}

const at = { topic: 'cdc.public.orders', partition: 0 };
const table = 'public.orders';
const message = 'the server did not answer';

/** In the order in which a run may meet them. */
export const EVENT_GUIDE: { readonly [T in Tag]: EventGuide & { readonly example: EventOf<T> } } = {
  'service-started': {
    levels: ['info'],
    meaning: 'The settings are read and the target is prepared; the consumer group is joined next.',
    remedy: null,
    example: { tag: 'service-started', groupId: 'orders', topicPrefix: 'cdc', database: 'cdc' },
  },
  'page-served': {
    levels: ['info'],
    meaning: 'The live page, /status.json, /metrics and the probes answer at this address.',
    remedy: null,
    example: { tag: 'page-served', address: 'http://127.0.0.1:3000' },
  },
  'page-unavailable': {
    levels: ['warn'],
    meaning:
      'The address could not be listened to. Changes are delivered all the same; page, metrics and probes are not there.',
    remedy: 'Choose another `HTTP_PORT` or `HTTP_HOST`, or end what has the port, and start the service again.',
    example: { tag: 'page-unavailable', address: 'http://127.0.0.1:3000', reason: 'the port is taken (HTTP_PORT)' },
  },
  'connector-modes-differ': {
    levels: ['warn'],
    meaning:
      'The connector writes values otherwise than before (`from=before`), or than `CONNECTOR_MODES` says (`from=setting`). The connector is followed.',
    remedy:
      'Nothing if it was meant. Otherwise set the option of the connector back, or correct `CONNECTOR_MODES`; [types.md](types.md) has the modes.',
    example: { tag: 'connector-modes-differ', from: 'before', options: ['decimal.handling.mode=string'] },
  },
  'topics-changed': {
    levels: ['info'],
    meaning:
      'Topics with the prefix came or went: a table was added to the connector, or removed. New ones are read at once.',
    remedy: null,
    example: { tag: 'topics-changed', added: ['cdc.public.orders'], gone: [] },
  },
  'group-joined': {
    levels: ['debug'],
    meaning: 'A generation of the consumer group began: these partitions are of this process now, and no others.',
    remedy: null,
    example: { tag: 'group-joined', partitions: [at] },
  },
  'partition-assigned': {
    levels: ['info'],
    meaning:
      'A partition is read from this offset on. `how` says how the place was found: `first start`; `idle`, nothing was under way; `announced`, a block that was cut short is done again; `replaced target`, the target was dropped and is filled anew; `foreign commit`, offsets set back by hand; `expired, reconciled`; `accepted loss`; `replay`.',
    remedy: null,
    example: { tag: 'partition-assigned', ...at, start: 1200, how: 'announced' },
  },
  'catalogue-read': {
    levels: ['debug'],
    meaning:
      "PostgreSQL was asked for a table's columns and key, because the table is new or its records changed form.",
    remedy: null,
    example: { tag: 'catalogue-read', table, ms: 4 },
  },
  'schema-read': {
    levels: ['debug'],
    meaning: 'The registry was asked for a schema that was not known yet.',
    remedy: null,
    example: { tag: 'schema-read', id: 7, found: 'yes', ms: 6 },
  },
  'table-mirrored': {
    levels: ['info'],
    meaning: 'The mirror and the view of a table were made; they are filled from here on, or from `changes`.',
    remedy: null,
    example: { tag: 'table-mirrored', table, view: 'cdc.orders' },
  },
  'table-not-mirrored': {
    levels: ['warn'],
    meaning: 'Every change of the table is in `changes`; it has no mirror and no view. `code` says why.',
    remedy: 'See the code in [errors.md](errors.md#table); once mended, the mirror is made and filled by itself.',
    example: { tag: 'table-not-mirrored', table, code: 'TABLE_WITHOUT_KEY', reason: 'it has no primary key' },
  },
  'table-renamed': {
    levels: ['error'],
    meaning:
      'The table had another name. Its changes come under the new one, and rows that have not changed since are not in its mirror; told again at each start until they were read.',
    remedy:
      'A snapshot under the new name: `connectors snapshot --tables` ([schema-changes.md](schema-changes.md#renamed-tables)).',
    example: { tag: 'table-renamed', table, from: 'public.purchases' },
  },
  'columns-not-found': {
    levels: ['warn'],
    meaning:
      'A mask or a policy names columns that the table does not have. What was renamed is not masked under its new name.',
    remedy: 'Name the columns as they are called now ([masking.md](masking.md), [types.md](types.md#policies)).',
    example: { tag: 'columns-not-found', table, columns: ['mail'] },
  },
  'masks-changed': {
    levels: ['warn'],
    meaning:
      'The rules of a mask are others than before: `changes` holds older rows as they were written, the mirror follows the new rules.',
    remedy: 'If the older rows must not stay: [masking.md](masking.md).',
    example: { tag: 'masks-changed', table, columns: ['email'] },
  },
  'block-written': {
    levels: ['debug'],
    meaning: 'The records from `start` to before `end` are in ClickHouse. `modes` says how each mirror was written.',
    remedy: null,
    example: {
      tag: 'block-written',
      ...at,
      start: 1200,
      end: 1300,
      rows: 100,
      modes: { [table]: 'append' },
      ms: 21,
      facts: { bytes: 0, waitedMs: 0, insertMs: 0, ops: {}, newestMs: -1, lsn: -1, latency: [] },
    },
  },
  'position-acknowledged': {
    levels: ['debug'],
    meaning: 'Everything below the offset is written, and committed in Kafka.',
    remedy: null,
    example: { tag: 'position-acknowledged', ...at, offset: 1300 },
  },
  'records-skipped': {
    levels: ['debug'],
    meaning:
      'Records that are no changes of a row were passed: tombstones, heartbeats, messages. The fields count them by kind.',
    remedy: null,
    example: { tag: 'records-skipped', ...at, kinds: { tombstone: 3 } },
  },
  'record-quarantined': {
    levels: ['warn'],
    meaning:
      'A record could not be read. Its bytes are in `quarantine`, the following ones go on; its row is in doubt until it is dealt with.',
    remedy: '`quarantine show` the place, mend the reason, `quarantine retry`: [quarantine.md](quarantine.md).',
    example: { tag: 'record-quarantined', ...at, code: 'ENVELOPE_MALFORMED', offset: 1234 },
  },
  'quarantine-resolved': {
    levels: ['info'],
    meaning: 'Records of quarantine were written, or discarded, by order of a person.',
    remedy: null,
    example: { tag: 'quarantine-resolved', ...at, records: 2 },
  },
  'policy-acted': {
    levels: ['warn', 'debug'],
    meaning:
      'Values did not fit the type of their column, and the policy of the column was applied. Told as a warning when it was not for a while, else for the figures only.',
    remedy: 'Nothing if the policy is what you want; else choose another: [types.md](types.md#policies).',
    example: { tag: 'policy-acted', loud: true, table, column: 'amount', policy: 'clamp', values: 3 },
  },
  'column-widened': {
    levels: ['warn'],
    meaning:
      'A value did not fit, and the policy is `lossless`: the column becomes text, and the mirror is made anew from `changes`.',
    remedy: 'Queries that used the column as a number or a time need a cast from now on.',
    example: { tag: 'column-widened', table, column: 'amount' },
  },
  'values-unknown': {
    levels: ['error'],
    meaning:
      'A column was added with a default, or its type changed; PostgreSQL set its values in older rows without an event. They are NULL in the mirror.',
    remedy: 'A new snapshot of the table: `connectors snapshot --tables` ([schema-changes.md](schema-changes.md)).',
    example: { tag: 'values-unknown', table, column: 'state', rows: 12 },
  },
  'truncate-by-rebuild': {
    levels: ['info'],
    meaning:
      'The table was truncated, and its topic has several partitions: once all have passed that, the mirror is made anew.',
    remedy: null,
    example: { tag: 'truncate-by-rebuild', ...at, table, offset: 1300, partitions: 3 },
  },
  'rows-lost-in-rebuild': {
    levels: ['error'],
    meaning: 'The mirror was made anew, and lacks rows of which `changes` does not hold every value.',
    remedy: 'A new snapshot of the table: `connectors snapshot --tables`.',
    example: { tag: 'rows-lost-in-rebuild', table, lost: 4 },
  },
  'topics-paused': {
    levels: ['warn'],
    meaning:
      'These tables hold by order, from the command line or the page; the field has all that hold, none when the last was resumed.',
    remedy: '`resume` when they should go on, before Kafka drops what waits.',
    example: { tag: 'topics-paused', topics: ['cdc.public.orders'] },
  },
  'key-forgotten': {
    levels: ['info'],
    meaning: 'The rows of one key were erased from `changes`, mirror and quarantine by `forget`.',
    remedy: null,
    example: { tag: 'key-forgotten', ...at, table, events: 5 },
  },
  'clickhouse-waiting': {
    levels: ['warn'],
    meaning:
      'ClickHouse does not answer, or cannot take a block now. Nothing is lost: the same block is tried again, with growing pauses.',
    remedy: 'Nothing if it is short. Else see the code in [errors.md](errors.md#retry), and whether ClickHouse runs.',
    example: { tag: 'clickhouse-waiting', attempt: 3, delayMs: 1200, code: 'CLICKHOUSE_UNREACHABLE', message },
  },
  'kafka-waiting': {
    levels: ['warn'],
    meaning: 'Kafka does not answer. The service goes on from its place once it does.',
    remedy: 'Nothing if it is short. Else see the code in [errors.md](errors.md#retry), and whether the brokers run.',
    example: { tag: 'kafka-waiting', attempt: 3, delayMs: 1200, code: 'KAFKA_UNREACHABLE', message },
  },
  'connect-waiting': {
    levels: ['warn'],
    meaning: 'Kafka Connect does not answer a question about its connector.',
    remedy: 'Nothing if it is short. Else see the code in [errors.md](errors.md#retry), and whether the worker runs.',
    example: { tag: 'connect-waiting', attempt: 3, delayMs: 1200, code: 'CONNECT_UNREACHABLE', message },
  },
  'postgres-waiting': {
    levels: ['warn'],
    meaning:
      'PostgreSQL does not answer a question about a table. The partition that needs the answer waits; tables that are known go on.',
    remedy: 'Nothing if it is short. Else see the code in [errors.md](errors.md#retry), and whether the source runs.',
    example: { tag: 'postgres-waiting', attempt: 3, delayMs: 1200, code: 'POSTGRES_UNREACHABLE', message },
  },
  'registry-waiting': {
    levels: ['warn'],
    meaning: 'The schema registry does not answer, and a record needs a schema of it.',
    remedy: 'Nothing if it is short. Else see the code in [errors.md](errors.md#retry), and whether the registry runs.',
    example: { tag: 'registry-waiting', attempt: 3, delayMs: 1200, code: 'REGISTRY_UNREACHABLE', message },
  },
  'back-again': {
    levels: ['info'],
    meaning: 'A part that was waited for answers again; what waited goes on where it was.',
    remedy: null,
    example: { tag: 'back-again', outside: 'ClickHouse', afterMs: 61_000 },
  },
  redo: {
    levels: ['info'],
    meaning:
      'Records are read and written again from a known place, because something came between: the partition was taken over, or ClickHouse refused a block that was late. Nothing is twice in the tables.',
    remedy: 'Nothing, unless it does not end: then see the code in `reason`.',
    example: { tag: 'redo', ...at, start: 1200, end: 1300, reason: 'GUARD_REFUSED' },
  },
  'written-again': {
    levels: ['warn'],
    meaning:
      'ClickHouse was killed while it took rows: it knew their insert afterwards, and did not have the rows. They were missed, and are written again. Nothing is lost, and nothing is twice in the tables.',
    remedy: 'Nothing for the data; see why ClickHouse ended.',
    example: { tag: 'written-again', ...at, start: 1200, end: 1300, rows: 80 },
  },
  'loss-accepted': {
    levels: ['error'],
    meaning: 'Kafka dropped records before they were read, and the service goes on without them, as it was told to.',
    remedy:
      'A new snapshot of the table mends the mirror (`connectors snapshot --tables`); what is lacking in `changes` is gone.',
    example: { tag: 'loss-accepted', ...at, start: 1200, end: 1300 },
  },
  stopping: {
    levels: ['info'],
    meaning: 'The service was asked to stop; it writes the block in hand and commits, at most until the deadline.',
    remedy: null,
    example: { tag: 'stopping', reason: 'SIGTERM', deadlineMs: 30_000 },
  },
  stopped: {
    levels: ['info'],
    meaning: 'The end of the run. The exit code says how: 0 in order, the others in [errors.md](errors.md).',
    remedy: null,
    example: { tag: 'stopped', exitCode: 0 },
  },
  failed: {
    levels: ['error'],
    meaning: 'The service cannot go on; `code` says why, `hint` what to do, and the other fields where it happened.',
    remedy: 'See the code in [errors.md](errors.md).',
    example: {
      tag: 'failed',
      code: 'CHANGES_EXPIRED',
      message: 'Kafka dropped records that were not read',
      hint: 'go on without them: --accept-loss',
      place: at,
    },
  },
};
