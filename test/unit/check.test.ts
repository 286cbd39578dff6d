import { readFileSync } from 'node:fs';
import { policiesInForce } from '../../src/clickhouse/chosen-type';
import { choicesOf, columnRules, NO_RULES, type ColumnRule, type ColumnRules } from '../../src/column-rules';
import { checkPage } from '../../src/check/docs';
import type {
  CheckFacts,
  ClickHouseFacts,
  ConnectFacts,
  Finding,
  KafkaFacts,
  Looked,
  PostgresFacts,
  RelationFacts,
  SlotFacts,
  ColumnFacts,
  TableFacts,
  TopicFacts,
  Wanted,
} from '../../src/check/facts';
import { bytesText, shellWord } from '../../src/check/facts';
import { findings } from '../../src/check/findings';
import { gather, type Parts } from '../../src/check/gather';
import { applyCommand } from '../../src/check/judge-connector';
import { KINDS, type FindingId } from '../../src/check/kinds';
import { checkResult, failsOn, renderResult } from '../../src/check/report';
import { fillPlaceholders, PROFILES, readProfile, withDefaults } from '../../src/connect/profile';
import { ServiceError } from '../../src/errors';
import { PROFILE_MODES } from '../../src/model';

const wanted: Wanted = {
  topicPrefix: 'cdc',
  unavailableValue: '__debezium_unavailable_value',
  database: 'shop',
  connectorName: 'debezium-clickhouse',
  slot: 'debezium_clickhouse',
  publication: 'debezium_clickhouse',
  signalTable: 'public.debezium_signal',
  groupId: 'g',
  brokers: 'k:9092',
  mirrors: true,
  routes: new Map(),
  modes: null,
  rules: NO_RULES,
  warnings: [],
};

const orders: TableFacts = {
  schema: 'public',
  name: 'orders',
  identity: 'full',
  hasPrimaryKey: true,
  hasKey: true,
  toastable: [],
  unlogged: false,
  canSelect: true,
  columns: [],
};
const relation: RelationFacts = {
  schema: 'public',
  name: 'orders',
  oid: 16_400,
  madeBy: 700,
  included: true,
  streamed: true,
  columns: ['id', 'amount'],
  key: ['id'],
  hasPrimaryKey: true,
  policies: [],
};
const amount = { column: 'amount', type: 'numeric', on: 'values', policy: 'lossless', from: 'default' } as const;
const ruled = (column: string, rule: ColumnRule, table = 'public.orders'): ColumnRules =>
  columnRules([{ table, column, rule }]);

const body: ColumnFacts = {
  name: 'body',
  type: 'text',
  base: 'text',
  kind: 'b',
  modifier: -1,
  array: false,
  dimensions: 0,
  nullableDefault: false,
  sent: true,
  ancient: false,
};
const slot: SlotFacts = {
  name: 'debezium_clickhouse',
  plugin: 'pgoutput',
  ours: true,
  active: true,
  walStatus: 'reserved',
  heldBytes: 1000,
};
const member = { table: 'public.orders', filtersRows: false, filtersColumns: false };
const source: PostgresFacts = {
  version: '18.0',
  versionNumber: 180_000,
  walLevel: 'logical',
  slotKeepsBytes: 4 * 1024 ** 3,
  slots: [slot],
  maxSlots: 10,
  walSenders: 1,
  maxWalSenders: 10,
  role: { name: 'cdc', replication: true },
  publication: { leavesOut: [], forAllTables: false, tables: [member] },
  signalTableExists: true,
  tables: [orders],
  relations: [relation],
};
const topic: TopicFacts = {
  name: 'cdc.public.orders',
  partitions: 1,
  replicas: 3,
  inSync: 3,
  config: {
    'cleanup.policy': 'delete',
    'retention.ms': '604800000',
    'retention.bytes': '-1',
    'max.message.bytes': '100000000',
  },
};
const kafka: KafkaFacts = { brokers: 3, topics: [topic], expired: [], silentMs: 0 };
const target: ClickHouseFacts = {
  version: '26.7.2.1',
  user: 'default',
  databases: [{ name: 'shop', engine: 'Atomic' }],
  objects: [],
  tokened: [{ name: 'changes', replicated: false, window: 10_000 }],
  lacks: [],
  readonly: false,
  disks: [{ name: 'default', freeBytes: 50, totalBytes: 100 }],
  group: 'g',
  named: [],
  renamed: [],
};

function profile(name: (typeof PROFILES)[number] = 'json'): Readonly<Record<string, string>> {
  const settings = withDefaults({
    PG_HOST: 'h',
    PG_PORT: '1',
    PG_USER: 'u',
    PG_PASSWORD: 'p',
    PG_DATABASE: 'd',
    REGISTRY_URL: 'http://r',
    TABLE_INCLUDE_LIST: 'public\\..*',
  });
  return fillPlaceholders(readProfile(name), settings).config;
}
const worker: ConnectFacts = {
  plugin: '3.7.0.Final',
  config: profile(),
  running: true,
  state: 'RUNNING',
  taskFailed: false,
  status: 'RUNNING',
};

interface Change {
  readonly postgres?: Partial<PostgresFacts>;
  readonly table?: Partial<TableFacts>;
  readonly relation?: Partial<RelationFacts>;
  readonly slot?: Partial<SlotFacts>;
  readonly kafka?: Partial<KafkaFacts>;
  readonly topic?: Readonly<Record<string, string>> & Partial<TopicFacts>;
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly clickhouse?: Partial<ClickHouseFacts>;
  readonly connect?: Partial<ConnectFacts>;
  /** Options of the connector; undefined takes one out. */
  readonly options?: Readonly<Record<string, string | undefined>>;
  readonly wanted?: Partial<Wanted>;
  readonly registry?: Looked<null>;
  readonly looked?: Partial<CheckFacts>;
}

const reached = <T>(facts: T): Looked<T> => ({ state: 'reached', facts });
const failed = { state: 'failed', code: 'KAFKA_UNREACHABLE', message: 'No answer.', hint: 'Start it.' } as const;

function facts(change: Change = {}): CheckFacts {
  const config = { ...(change.connect?.config ?? worker.config), ...change.options };
  const options = Object.fromEntries(
    Object.entries(config).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const table = { ...orders, ...change.table };
  const changed = { ...topic, ...change.topic, config: { ...topic.config, ...change.topicConfig } };
  return {
    postgres: reached({
      ...source,
      slots: [{ ...slot, ...change.slot }],
      tables: [table],
      relations: [{ ...relation, ...change.relation }],
      ...change.postgres,
    }),
    kafka: reached({ ...kafka, topics: [changed], ...change.kafka }),
    clickhouse: reached({ ...target, ...change.clickhouse }),
    connect: reached({ ...worker, ...change.connect, config: change.connect?.config === null ? null : options }),
    registry: change.registry ?? { state: 'not set' },
    wanted: { ...wanted, ...change.wanted },
    ...change.looked,
  };
}

const TRANSFORMS = { transforms: 'a', 'transforms.a.type': 'x.RegexRouter' };
const APPLY = 'debezium-clickhouse connectors apply';

/** For each kind the facts by which it is found, and how the command begins that mends it. */
const CASES: Readonly<Record<FindingId, readonly [Change, string]>> = {
  'postgres-unreachable': [{ looked: { postgres: failed } }, 'Start it.'],
  'postgres-not-set': [{ looked: { postgres: { state: 'not set' } } }, 'export PG_URL='],
  'postgres-version': [{ postgres: { version: '13.4', versionNumber: 130_004 } }, 'Upgrade'],
  'postgres-wal-level': [{ postgres: { walLevel: 'replica' } }, 'ALTER SYSTEM SET wal_level = logical;'],
  'postgres-no-free-slot': [
    { postgres: { slots: [{ ...slot, name: 'x' }], maxSlots: 1 }, connect: { config: null } },
    'ALTER SYSTEM SET max_replication_slots = 11;',
  ],
  'postgres-no-free-wal-sender': [
    { postgres: { slots: [], walSenders: 10 }, connect: { config: null } },
    'ALTER SYSTEM SET max_wal_senders = 20;',
  ],
  'postgres-wal-unbounded': [{ postgres: { slotKeepsBytes: null } }, 'ALTER SYSTEM SET max_slot_wal_keep_size'],
  'slot-missing': [{ postgres: { slots: [] } }, 'debezium-clickhouse connectors delete && '],
  'slot-lost': [{ slot: { walStatus: 'lost', active: false } }, 'debezium-clickhouse connectors delete && '],
  'slot-plugin': [{ slot: { plugin: 'decoderbufs' } }, 'export SLOT_NAME=debezium_clickhouse_2;'],
  'slot-inactive': [{ slot: { active: false } }, APPLY],
  'slot-holds-wal': [{ slot: { heldBytes: 3 * 1024 ** 3 } }, 'debezium-clickhouse connectors restart'],
  'other-slot-inactive': [
    { postgres: { slots: [slot, { ...slot, name: "o'd", active: false, heldBytes: 1024 ** 3 }] } },
    "SELECT pg_drop_replication_slot('o''d');",
  ],
  'publication-missing': [{ postgres: { publication: null } }, APPLY],
  'publication-leaves-out': [
    { postgres: { publication: { leavesOut: ['truncate'], forAllTables: false, tables: [member] } } },
    'ALTER PUBLICATION "debezium_clickhouse" SET (publish',
  ],
  'publication-filters': [
    { postgres: { publication: { leavesOut: [], forAllTables: false, tables: [{ ...member, filtersRows: true }] } } },
    'ALTER PUBLICATION "debezium_clickhouse" DROP TABLE "public"."orders";',
  ],
  'table-not-published': [{ postgres: { publication: { leavesOut: [], forAllTables: false, tables: [] } } }, APPLY],
  'signal-table-missing': [{ postgres: { signalTableExists: false } }, APPLY],
  'no-tables': [{ postgres: { tables: [] } }, 'export TABLES_INCLUDE='],
  'identity-nothing': [{ table: { identity: 'nothing' } }, 'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;'],
  'identity-index': [{ table: { identity: 'index' } }, 'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;'],
  'identity-no-key': [
    { table: { identity: 'default', hasPrimaryKey: false } },
    'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;',
  ],
  'identity-default': [{ table: { identity: 'default' } }, 'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;'],
  'identity-toast': [
    { table: { identity: 'default', toastable: ['body'] } },
    'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;',
  ],
  'identity-toast-lost': [
    {
      table: { identity: 'default', toastable: ['b'], columns: [{ ...body, name: 'b', base: 'float8', array: true }] },
    },
    'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;',
  ],
  'column-not-sent': [{ table: { columns: [{ ...body, type: 'pair', sent: false }] } }, 'Fill a column'],
  'column-distorted': [{ table: { columns: [{ ...body, type: 'name', base: 'name' }] } }, 'Where such values occur'],
  'column-null-default': [
    {
      table: { columns: [{ ...body, nullableDefault: true }] },
      connect: { config: profile('avro') },
      registry: reached(null),
    },
    'debezium-clickhouse connectors apply --profile json-schema',
  ],
  'table-without-key': [{ table: { hasKey: false } }, 'ALTER TABLE "public"."orders" ADD COLUMN'],
  'table-unlogged': [{ table: { unlogged: true } }, 'ALTER TABLE "public"."orders" SET LOGGED;'],
  'role-no-replication': [
    { postgres: { role: { name: 'c"d', replication: false } } },
    'ALTER ROLE "c""d" REPLICATION;',
  ],
  'role-no-select': [{ table: { canSelect: false } }, 'GRANT USAGE ON SCHEMA "public" TO "cdc"; GRANT SELECT'],
  'column-policy': [
    { relation: { policies: [amount] } },
    'Nothing has to be done. For another policy, write {"public.orders":{"amount":{"policy":"reject"}}} into',
  ],
  'rule-names-nothing': [{ wanted: { rules: ruled('emial', { mask: 'drop' }) } }, 'Correct the name in COLUMNS'],
  'key-kept-out': [
    { wanted: { rules: ruled('id', { mask: 'drop' }) } },
    'Write {"public.orders":{"id":{"mask":"hash","skip":false}}} into',
  ],
  'key-hashed': [{ wanted: { rules: ruled('id', { mask: 'hash' }) } }, 'Nothing has to be done.'],
  'connect-unreachable': [{ looked: { connect: failed } }, 'Start it.'],
  'debezium-missing': [{ connect: { plugin: null } }, 'Put the plugin'],
  'debezium-version': [{ connect: { plugin: '3.6.1.Final' } }, 'Put the plugin'],
  'connector-missing': [{ connect: { config: null }, postgres: { slots: [] } }, APPLY],
  'connector-paused': [{ connect: { running: false, state: 'PAUSED' } }, 'debezium-clickhouse connectors resume'],
  'connector-failed': [{ connect: { running: false, state: 'RUNNING' } }, 'debezium-clickhouse connectors restart'],
  'connector-silent': [{ kafka: { silentMs: 300_000 } }, 'Unless it takes a snapshot'],
  'connector-prefix': [{ options: { 'topic.prefix': 'x' } }, 'export TOPIC_PREFIX=x'],
  'connector-slot': [{ options: { 'publication.name': 'p' } }, 'export PUBLICATION_NAME=p'],
  'connector-placeholder': [{ options: { 'unavailable.value.placeholder': 'z z' } }, "export UNAVAILABLE_VALUE='z z'"],
  'connector-modes': [
    { wanted: { modes: { ...PROFILE_MODES, binary: 'bytes' } } },
    'export CONNECTOR_MODES=decimal.handling.mode=string,',
  ],
  'connector-flattens': [{ options: { ...TRANSFORMS, 'transforms.a.type': 'x.ExtractNewRecordState' } }, APPLY],
  'connector-transforms': [{ options: TRANSFORMS }, APPLY],
  'connector-alters-columns': [{ options: { 'column.exclude.list': 'a' } }, APPLY],
  'option-plugin-name': [{ options: { 'plugin.name': undefined } }, APPLY],
  'option-skipped-operations': [{ options: { 'skipped.operations': undefined } }, APPLY],
  'option-event-converting-failure-handling-mode': [
    { options: { 'event.converting.failure.handling.mode': 'skip' } },
    APPLY,
  ],
  'option-value-converter-replace-null-with-default': [
    { options: { 'value.converter.replace.null.with.default': undefined } },
    APPLY,
  ],
  'option-errors-tolerance': [{ options: { 'errors.tolerance': 'all' } }, APPLY],
  'option-slot-drop-on-stop': [{ options: { 'slot.drop.on.stop': 'true' } }, APPLY],
  'option-decimal-handling-mode': [{ options: { 'decimal.handling.mode': undefined } }, APPLY],
  'option-time-precision-mode': [{ options: { 'time.precision.mode': 'isostring' } }, APPLY],
  'option-binary-handling-mode': [{ options: { 'binary.handling.mode': undefined } }, APPLY],
  'option-interval-handling-mode': [{ options: { 'interval.handling.mode': undefined } }, APPLY],
  'option-exactly-once-support': [{ options: { 'exactly.once.support': 'requested' } }, APPLY],
  'option-provide-transaction-metadata': [{ options: { 'provide.transaction.metadata': undefined } }, APPLY],
  'option-offset-mismatch-strategy': [{ options: { 'offset.mismatch.strategy': undefined } }, APPLY],
  'option-snapshot-mode': [{ options: { 'snapshot.mode': 'no_data' } }, APPLY],
  'option-heartbeat-interval-ms': [{ options: { 'heartbeat.interval.ms': undefined } }, APPLY],
  'option-topic-creation-default-cleanup-policy': [
    { options: { 'topic.creation.default.cleanup.policy': 'compact' } },
    APPLY,
  ],
  'kafka-unreachable': [{ looked: { kafka: failed } }, 'Start it.'],
  'no-topics': [{ kafka: { topics: [{ ...topic, name: 'cdcx.public.orders' }] } }, APPLY],
  'topic-compacted': [
    { topicConfig: { 'cleanup.policy': 'compact,delete' } },
    'kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics --entity-name cdc.public.orders --add-config cleanup.policy=delete',
  ],
  'topic-retention-short': [{ topicConfig: { 'retention.ms': '3600000' } }, 'kafka-configs.sh'],
  'topic-retention-bytes': [{ topicConfig: { 'retention.bytes': '1' } }, 'kafka-configs.sh'],
  'topic-message-size': [{ topicConfig: { 'max.message.bytes': '1048588' } }, 'kafka-configs.sh'],
  'topic-partitions': [{ kafka: { topics: [{ ...topic, partitions: 3 }] } }, 'Nothing'],
  'topic-not-replicated': [{ kafka: { topics: [{ ...topic, replicas: 1, inSync: 1 }] } }, 'kafka-reassign'],
  'topic-replicas-behind': [{ kafka: { topics: [{ ...topic, inSync: 2 }] } }, 'Bring'],
  'changes-expired': [
    { kafka: { expired: [{ topic: 'cdc.public.orders', partition: 0, committed: 5, oldest: 9 }] } },
    'Start once with --accept-loss',
  ],
  'registry-not-set': [{ connect: { config: profile('avro') } }, 'export REGISTRY_URL='],
  'registry-unreachable': [{ registry: { ...failed, code: 'REGISTRY_UNREACHABLE' } }, 'Start it.'],
  'clickhouse-unreachable': [{ looked: { clickhouse: failed } }, 'Start it.'],
  'clickhouse-version': [{ clickhouse: { version: '24.3.1' } }, 'Upgrade'],
  'clickhouse-rights': [
    { clickhouse: { lacks: ['INSERT ON shop_cdc.*'] } },
    'GRANT INSERT ON shop_cdc.* TO `default`;',
  ],
  'clickhouse-readonly': [{ clickhouse: { readonly: true } }, 'ALTER USER `default` SETTINGS readonly = 0;'],
  'clickhouse-disk': [{ clickhouse: { disks: [{ name: 'd', freeBytes: 5, totalBytes: 100 }] } }, 'Make room'],
  'database-not-atomic': [
    { clickhouse: { databases: [{ name: 'shop', engine: 'Memory' }] } },
    'export CH_DATABASE=shop_2',
  ],
  'deduplication-window': [
    { clickhouse: { tokened: [{ name: 'changes', replicated: false, window: null }] } },
    'ALTER TABLE shop_cdc.`changes` MODIFY SETTING non_replicated_deduplication_window = 10000;',
  ],
  'table-renamed': [
    { clickhouse: { named: [{ schema: 'public', name: 'old', oid: 16_400, madeBy: 700 }] } },
    'debezium-clickhouse connectors snapshot --tables public.orders',
  ],
  'view-name-taken': [
    { clickhouse: { objects: [{ name: 'orders', comment: 'sales team' }] } },
    'export ROUTES=public.orders=orders_2',
  ],
  'target-other-group': [{ clickhouse: { group: 'other' } }, 'export KAFKA_GROUP_ID=other'],
  'connection-open': [{ wanted: { warnings: ['CH_TLS_VERIFY=off: not checked.'] } }, 'export CH_TLS_VERIFY=on'],
};

function only(found: readonly Finding[]): Finding {
  expect(found.map(({ id }) => id)).toHaveLength(1);
  return found[0]!;
}

describe('findings', () => {
  test.each(PROFILES)('are none where all is as the profile %s has it', (name) => {
    expect(findings(facts({ connect: { config: profile(name) }, registry: reached(null) }))).toEqual([]);
  });

  test.each(Object.entries(CASES))('%s is found, alone, and names what mends it', (id, [change, mend]) => {
    const found = findings(facts(change));
    const expected = found.find((one) => one.id === id);
    expect(expected).toBeDefined();
    expect(expected?.mend.run.startsWith(mend) ? mend : expected?.mend.run).toBe(mend);
    // Where a part is away, or never was, others cannot be looked at or are missing too.
    if (!/unreachable|not-set|missing|no-free/.test(id)) expect(found.map((one) => one.id)).toEqual([id]);
  });

  test.each([
    ['decimal.handling.mode', 'double'],
    ['time.precision.mode', 'connect'],
  ])('%s = %s alters values, which is an error', (option, value) => {
    expect(only(findings(facts({ options: { [option]: value } }))).severity).toBe('error');
  });

  test('name both of a connector that is paused and whose task had failed, and one command for both', () => {
    const found = findings(facts({ connect: { running: false, state: 'PAUSED', taskFailed: true } }));
    expect(found.map(({ id }) => id)).toEqual(['connector-paused', 'connector-failed']);
    expect(new Set(found.map(({ mend }) => mend.run))).toEqual(new Set(['debezium-clickhouse connectors resume']));
  });

  test('call a connector silent only if it runs and should have sent three heartbeats', () => {
    const ids = (change: Change): string[] => findings(facts(change)).map(({ id }) => id);
    const kafka = { silentMs: 300_000 };
    expect(ids({ kafka })).toEqual(['connector-silent']);
    expect(ids({ kafka, connect: { running: false, state: 'RUNNING' } })).toEqual(['connector-failed']);
    expect(ids({ kafka, options: { 'heartbeat.interval.ms': '150000' } })).toEqual([]);
    expect(ids({ kafka, options: { 'heartbeat.interval.ms': '0' } })).toEqual(['option-heartbeat-interval-ms']);
    expect(ids({ kafka: { silentMs: null } })).toEqual([]);
  });

  test('are not made of either way of tombstones, of an unlogged table that is not published, or of a slot at rest', () => {
    expect(findings(facts({ options: { 'tombstones.on.delete': 'false' } }))).toEqual([]);
    expect(
      only(
        findings(
          facts({
            table: { unlogged: true },
            postgres: { publication: { leavesOut: [], forAllTables: false, tables: [] } },
          }),
        ),
      ).id,
    ).toBe('table-unlogged');
    const resting = { ...slot, name: 'x', active: false };
    expect(findings(facts({ postgres: { slots: [slot, resting] } }))).toEqual([]);
  });

  test('accept our own view, a route around the taken name, a skipped table, and mirrors that are off', () => {
    const taken = { clickhouse: { objects: [{ name: 'orders', comment: '' }] } };
    const own = {
      clickhouse: { objects: [{ name: 'orders', comment: 'debezium-clickhouse: view of public.orders' }] },
    };
    expect(findings(facts(own))).toEqual([]);
    expect(findings(facts({ ...taken, wanted: { routes: new Map([['public.orders', 'o']]) } }))).toEqual([]);
    expect(findings(facts({ ...taken, wanted: { routes: new Map([['public.orders', null]]) } }))).toEqual([]);
    expect(findings(facts({ ...taken, wanted: { mirrors: false } }))).toEqual([]);
  });

  test('give all tables whose names clash one setting that mends all of them', () => {
    const tables = [
      { ...orders, name: 'a_b' },
      { ...orders, schema: 'a', name: 'b' },
      { ...orders, name: 'c' },
    ];
    const publication = {
      leavesOut: [],
      forAllTables: true,
      tables: tables.map(({ schema, name }) => ({ ...member, table: `${schema}.${name}` })),
    };
    const found = findings(
      facts({ postgres: { tables, publication }, clickhouse: { objects: [{ name: 'c', comment: '' }] } }),
    );
    expect(found.map(({ place }) => place)).toEqual(['a.b', 'public.c']);
    expect(new Set(found.map(({ mend }) => mend.run))).toEqual(new Set(['export ROUTES=a.b=a_b_2,public.c=c_2']));
  });

  test.each<[string, Partial<ColumnFacts>, string]>([
    ['an array of several dimensions', { base: 'int4', array: true, dimensions: 2 }, 'each inner array'],
    ['an enum[]', { base: 'mood', kind: 'e', array: true, dimensions: 1 }, 'holds a NULL'],
    ['a numeric[]', { base: 'numeric', array: true }, 'NaN'],
    ['a time[]', { base: 'time', array: true }, '24:00'],
    ['a name', { base: 'name' }, 'sent as NULL'],
    ['a varbit', { base: 'varbit' }, 'zeros at the left'],
    ['days BC', { base: 'date', ancient: true }, 'BC'],
  ])('say of %s what Debezium makes of it', (_, column, what) => {
    const { id, what: told } = only(findings(facts({ table: { columns: [{ ...body, ...column }] } })));
    expect(id).toBe('column-distorted');
    expect(told).toContain(what);
  });

  test.each<[Partial<ColumnFacts>, string, Readonly<Record<string, string | undefined>>]>([
    [{ base: 'text' }, 'identity-toast', {}],
    [{ base: 'jsonb' }, 'identity-toast', {}],
    [{ base: 'tsrange', kind: 'r' }, 'identity-toast', {}],
    [{ base: 'uuid', array: true }, 'identity-toast', {}],
    [{ base: 'int4', array: true }, 'identity-toast', {}],
    [{ base: 'bytea' }, 'identity-toast', {}],
    [{ base: 'bytea' }, 'identity-toast-lost', { 'binary.handling.mode': 'base64' }],
    [{ base: 'bytea', array: true }, 'identity-toast-lost', {}],
    [{ base: 'varbit', modifier: 1 }, 'identity-toast-lost', {}],
    [{ base: 'int2', array: true }, 'identity-toast-lost', {}],
    [{ base: 'mood', kind: 'e', array: true }, 'identity-toast-lost', {}],
    [{ base: 'geometry' }, 'identity-toast-lost', {}],
    [{ base: 'vector' }, 'identity-toast-lost', {}],
  ])('say of a large %j under DEFAULT identity: %s %j', (column, id, options) => {
    const table = { identity: 'default' as const, toastable: ['body'], columns: [{ ...body, ...column }] };
    expect(findings(facts({ table, options })).map((one) => one.id)).toContain(id);
    expect(findings(facts({ table: { ...table, identity: 'full' }, options })).map((one) => one.id)).not.toContain(id);
  });

  test('are not made of CONNECTOR_MODES where the record says itself how it is written, and are of a mode that is not read', () => {
    const modes = { ...PROFILE_MODES, binary: 'bytes' as const };
    expect(findings(facts({ wanted: { modes }, connect: { config: profile('json-schema') } }))).toEqual([]);
    const structured = findings(facts({ options: { 'time.precision.mode': 'structured' } }));
    expect(structured.map(({ id }) => id)).toContain('connector-modes');
  });

  test.each<[string, Change]>([
    ['a rule that fits', { wanted: { rules: ruled('amount', { mask: 'drop' }) } }],
    ['a pattern that fits', { wanted: { rules: ruled('*ount', { mask: 'hash' }, '*.ord*') } }],
    ['a rule for a table that is left out', { relation: { included: false }, wanted: { rules: ruled('id', { skip: true }) } }],
    ['a skip that is undone', { wanted: { rules: ruled('id', { skip: false }) } }],
    ['policies of a table that is left out', { relation: { included: false, policies: [amount] } }],
    ['policies of a table whose rows come under another name', { relation: { streamed: false, policies: [amount] } }],
    ['policies of a table that is only audited', { relation: { policies: [amount] }, wanted: { routes: new Map([['public.orders', null]]) } }],
    ['policies where nothing is mirrored', { relation: { policies: [amount] }, wanted: { mirrors: false } }],
  ])('are not made of %s', (_, change) => {
    expect(findings(facts(change))).toEqual([]);
  }); // prettier-ignore

  test.each<[string, ColumnRules, string, string]>([
    ['a table that is not there', ruled('email', { mask: 'drop' }, 'public.user'), 'no such table; its rules are for "email" (mask)', 'Correct'],
    ['a table in other letters', ruled('id', { policy: 'clamp' }, 'public.Orders'), 'no such table', 'public.orders'],
    ['a column in other letters', ruled('Amount', { mask: 'hash' }), 'no such column there: "Amount" (mask)', 'amount'],
    ['a pattern that matches no table', ruled('id', { skip: true }, 'sales.*'), 'no such table', 'Correct'],
    ['a pattern that matches no column', ruled('*iban*', { mask: 'drop' }, '*.*'), 'no such column there: "*iban*" (mask)', 'Correct'],
  ])('warn of a rule for %s, that a mask that names nothing protects nothing', (_, rules, what, mend) => {
    const found = only(findings(facts({ wanted: { rules } })));
    expect(found).toMatchObject({ id: 'rule-names-nothing', severity: 'warning' });
    expect(found.why).toContain('protects nothing');
    expect(found.what).toContain(what);
    expect(found.mend.run).toContain(mend);
  }); // prettier-ignore

  test('of names that fit nothing are one per table, however many columns it has', () => {
    const entries = ['a', 'b', 'amount'].map((column) => ({ table: 'public.orders', column, rule: { skip: true } }));
    const { what } = only(findings(facts({ wanted: { rules: columnRules(entries) } })));
    expect(what).toContain('"a" (skip), "b" (skip)');
    expect(what).not.toContain('amount');
  });

  test('of a key kept out are errors where the service would not start, and warnings where the table is only audited', () => {
    const rules = ruled('id', { skip: true });
    const primary = only(findings(facts({ wanted: { rules } })));
    expect(primary).toMatchObject({ id: 'key-kept-out', severity: 'error' });
    expect(primary.mend.run).toContain('{"public.orders":{"id":{"skip":false}}}');
    const other = only(findings(facts({ wanted: { rules }, relation: { hasPrimaryKey: false } })));
    expect(other).toMatchObject({ id: 'key-kept-out', severity: 'warning' });
    expect(other.why).toContain('TABLE_KEY_MASKED');
  });

  test('of policies are one notice per table, which names each column and who chose, and fails nothing', () => {
    const policies = [
      amount,
      { ...amount, column: 'price', type: 'numeric(5,2)' },
      { column: 'born', type: 'date', on: 'values', policy: 'reject', from: 'COLUMNS' },
      { column: 'tags', type: 'text[]', on: 'NULL', policy: 'reject', from: 'COLUMNS' },
      { column: 'day', type: 'date', on: 'values', policy: 'lossless', from: 'key' },
    ] as const;
    const found = findings(facts({ relation: { policies } }));
    expect(only(found).what).toBe(
      'lossless by default: amount (numeric), price (numeric(5,2)); ' +
        'reject by COLUMNS: born (date), NULL of tags (text[]); lossless as a key is never clamped: day (date)',
    );
    expect(only(found).severity).toBe('notice');
    expect(failsOn(found, 'warning')).toBe(false);
    expect(checkResult(facts(), found).ok).toBe(true);
  });

  test('put errors before warnings', () => {
    const found = findings(facts({ table: { identity: 'default' }, postgres: { walLevel: 'replica' } }));
    expect(found.map(({ severity }) => severity)).toEqual([...found.map(({ severity }) => severity)].sort());
  });

  test('hold no password of the connector', () => {
    const all = Object.values(CASES).flatMap(([change]) =>
      findings(facts({ ...change, options: { ...change.options, 'database.password': 'pl4nted' } })),
    );
    expect(JSON.stringify(all)).not.toContain('pl4nted');
  });
});

test('the command that applies the profile keeps its form, and the schema that is captured whole', () => {
  expect(applyCommand(null)).toBe(APPLY);
  expect(applyCommand(profile('json-schema'))).toBe(`${APPLY} --profile json-schema`);
  expect(applyCommand(profile('avro'))).toBe(`${APPLY} --profile avro`);
  expect(applyCommand({ ...profile(), 'replica.identity.autoset.values': 'public\\..*:FULL' })).toBe(
    `${APPLY} --whole-schema public`,
  );
});

test('words for a shell and numbers of bytes are as a person writes them', () => {
  expect([shellWord('a.b-c'), shellWord("it's"), shellWord('a b')]).toEqual(['a.b-c', String.raw`'it'\''s'`, "'a b'"]);
  expect([bytesText(0), bytesText(1536), bytesText(3 * 1024 ** 3), bytesText(20 * 1024 ** 2)]).toEqual([
    '0 B',
    '1.5 KiB',
    '3.0 GiB',
    '20 MiB',
  ]);
});

test('docs/check.md has each kind once, as it is', () => {
  expect(readFileSync('docs/check.md', 'utf8')).toBe(checkPage());
  const headings = [...checkPage().matchAll(/^### (\S+)$/gm)].map((match) => match[1]);
  expect([...headings].sort()).toEqual(Object.keys(KINDS).sort());
});

describe('the policies in force', () => {
  const of = (
    column: Partial<ColumnFacts>,
    { rule = {}, defaults = {}, inKey = false }: { rule?: ColumnRule; defaults?: Parameters<typeof columnRules>[1]; inKey?: boolean } = {},
  ): string[] => {
    const choices = choicesOf(columnRules([{ table: '*.*', column: '*', rule }], defaults), { schema: 's', name: 't' }, []);
    const found = policiesInForce({ ...body, ...column, notNull: false, generated: false }, inKey, choices);
    return found.map(({ on, policy, from }) => `${on} ${policy} ${from}`);
  }; // prettier-ignore

  test.each<[Partial<ColumnFacts>, string]>([
    [{ base: 'numeric' }, 'values lossless default'],
    // numeric(5,2): NaN is in no Decimal.
    [{ base: 'numeric', modifier: (5 << 16) + 2 + 4 }, 'values lossless default'],
    [{ base: 'numeric', array: true }, 'values lossless default'],
    [{ base: 'date' }, 'values clamp default'],
    [{ base: 'date', array: true }, 'values clamp default'],
    [{ base: 'timestamp' }, 'values clamp default'],
    [{ base: 'timestamptz', modifier: 0 }, 'values clamp default'],
    [{ base: 'timestamptz', array: true }, 'values clamp default'],
  ])('of %j are %s', (column, expected) => {
    expect(of(column)).toEqual([expected]);
  });

  test('are none of types that hold every value, of what is not in the mirror, and of text by a rule', () => {
    for (const base of ['text', 'int8', 'float8', 'uuid', 'time', 'money', 'pg_lsn']) expect(of({ base })).toEqual([]);
    expect(of({ base: 'numeric', modifier: (90 << 16) + 5 + 4 })).toEqual([]);
    expect(of({ base: 'text', array: true })).toEqual([]);
    for (const rule of [{ mask: 'hash' }, { mask: 'drop' }, { skip: true }, { type: 'String' }] as const)
      expect(of({ base: 'date' }, { rule })).toEqual([]);
  });

  test('say who chose them', () => {
    expect(of({ base: 'date' }, { rule: { policy: 'reject' } })).toEqual(['values reject COLUMNS']);
    expect(of({ base: 'date' }, { rule: { policy: 'clamp' } })).toEqual(['values clamp COLUMNS']);
    expect(of({ base: 'date' }, { defaults: { date: 'reject' } })).toEqual(['values reject COLUMNS']);
    expect(of({ base: 'date' }, { inKey: true })).toEqual(['values lossless key']);
    expect(of({ base: 'numeric' }, { inKey: true })).toEqual(['values lossless default']);
    expect(of({ base: 'money' }, { rule: { type: 'Decimal(10, 2)' } })).toEqual(['values lossless default']);
  });

  test('tell of a NULL that is rejected, and not of one that reads as the empty value', () => {
    const tags = { base: 'text', array: true };
    expect(of(tags, { defaults: { null: 'reject' } })).toEqual(['NULL reject COLUMNS']);
    expect(of({ base: 'date', array: true }, { rule: { policy: 'reject' } })).toEqual([
      'values reject COLUMNS',
      'NULL reject COLUMNS',
    ]);
    expect(of(tags, { rule: { policy: 'lossless' } })).toEqual([]);
  });
});

describe('gather', () => {
  const away = new ServiceError('KAFKA_UNREACHABLE', 'No broker answers.', { hint: 'Start it.' });
  const parts: Parts = {
    postgres: null,
    kafka: () => Promise.reject(away),
    clickhouse: () => Promise.reject(new ServiceError('CLICKHOUSE_UNREACHABLE', 'Away.', { hint: 'x' })),
    tableNames: () => Promise.resolve({ named: [], renamed: [] }),
    connector: null,
    registry: null,
    includes: () => true,
    sends: () => true,
    policies: () => () => [],
  };

  test('takes a part that is away as a fact', async () => {
    const gathered = await gather(parts, wanted);
    expect(gathered.kafka).toEqual({
      state: 'failed',
      code: 'KAFKA_UNREACHABLE',
      message: away.message,
      hint: away.hint,
    });
    expect(gathered.connect).toEqual({ state: 'not set' });
    expect(findings(gathered)[0]).toMatchObject({
      id: 'kafka-unreachable',
      what: 'No broker answers [KAFKA_UNREACHABLE]',
      mend: { by: 'hand', run: 'Start it.' },
    });
  });

  test('lets a bug through', async () => {
    const bug = new TypeError('bug');
    await expect(gather({ ...parts, kafka: () => Promise.reject(bug) }, wanted)).rejects.toBe(bug);
  });
});

describe('the result', () => {
  test('is ok with warnings only, and fails where it is told to', () => {
    const warned = facts({ table: { identity: 'default' } });
    const found = findings(warned);
    expect(checkResult(warned, found).ok).toBe(true);
    expect([failsOn(found, 'error'), failsOn(found, 'warning'), failsOn(found, 'notice')]).toEqual([false, true, true]);
    const wrong = facts({ postgres: { walLevel: 'replica' } });
    expect(checkResult(wrong, findings(wrong)).ok).toBe(false);
  });

  test('shows what was reached, and each finding with its reason and where to run what mends it', () => {
    const all = facts({ table: { identity: 'default' } });
    const text = renderResult(checkResult(all, findings(all)));
    expect(text).toContain('ok       PostgreSQL 18.0, wal_level logical, 1 table included');
    expect(text).toContain('ok       Kafka, 1 topic cdc.*');
    expect(text).toContain('warning  public.orders: its replica identity is DEFAULT, not FULL  [identity-default]');
    expect(text).toContain('postgres=# ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;');
    expect(text).toMatch(/0 errors, 1 warning\.$/);
  });

  test('shows ten notices of a kind as text, counts the rest, and has all as data', () => {
    const all = facts({ table: { identity: 'default' } });
    const relations = Array.from({ length: 12 }, (_, n) => ({ ...relation, name: `t${n}`, policies: [amount] }));
    const many = facts({ table: { identity: 'default' }, postgres: { relations } });
    const result = checkResult(many, findings(many));
    expect(result.findings).toHaveLength(13);
    const text = renderResult(result);
    expect(text).toContain('notice   public.t9: ');
    expect(text).not.toContain('public.t10');
    expect(text).toContain('notice   and 2 more of these; --json prints all  [column-policy]');
    expect(text).toMatch(/0 errors, 1 warning, 12 notices\.$/);
    const few = facts({ postgres: { relations: relations.slice(0, 10) } });
    expect(renderResult(checkResult(few, findings(few)))).not.toContain('more of these');
    expect(renderResult(checkResult(all, findings(all)))).not.toContain('notice');
  });

  test('says so when there is nothing to mend', () => {
    expect(renderResult(checkResult(facts(), findings(facts())))).toMatch(/Nothing to mend\.$/);
  });
});

describe('a renamed table', () => {
  const named = [{ schema: 'public', name: 'orders', oid: 16_400, madeBy: 700 }];
  const place = { topic: 'cdc.public.orders', partition: 0, offset: 3 };
  const renamed = { table: named[0]!, from: { schema: 'shop', name: 'old' }, oid: 16_400, ...place };
  const found = (change: Change): string[] =>
    findings(facts(change)).flatMap(({ id, what, mend }) => (id === 'table-renamed' ? [what, mend.run] : []));

  test('is named until its rows have been read under the new name', () => {
    expect(found({ clickhouse: { named, renamed: [{ ...renamed, readAgain: false }] } })[0]).toMatch(
      /^it was shop.old,/,
    );
    expect(found({ clickhouse: { named, renamed: [{ ...renamed, readAgain: true }] } })).toEqual([]);
    expect(found({ clickhouse: { named } })).toEqual([]);
  });

  test('is known by its oid and the transaction that made it: a restored source gives oids anew', () => {
    const other = [{ schema: 'public', name: 'other', oid: 16_400, madeBy: 701 }];
    expect(found({ clickhouse: { named: other, renamed: [{ ...renamed, readAgain: false }] } })).toEqual([]);
  });

  test('is read by a blocking snapshot where it has no primary key, and captured first where it is left out', () => {
    const old = [{ schema: 'public', name: 'old', oid: 16_400, madeBy: 700 }];
    expect(found({ clickhouse: { named: old }, relation: { hasPrimaryKey: false } })[1]).toMatch(/ --type blocking$/);
    expect(found({ clickhouse: { named: old }, relation: { included: false } })[1]).toMatch(
      /^Add public.orders to TABLES_INCLUDE/,
    );
  });
});
