import { findings } from '../../src/check/findings';
import { gather, type Parts } from '../../src/check/gather';
import { checkResult, renderResult } from '../../src/check/report';
import type { CheckFacts, KafkaFacts, Finding, TableFacts, Wanted } from '../../src/check/facts';
import { fillPlaceholders, PROFILES, readProfile, withDefaults } from '../../src/connect/profile';
import { ServiceError } from '../../src/errors';

const wanted: Wanted = {
  topicPrefix: 'cdc',
  unavailableValue: '__debezium_unavailable_value',
  database: 'shop',
  connectorName: 'debezium-clickhouse',
  mirrors: true,
  routes: new Map(),
};

const orders: TableFacts = { schema: 'public', name: 'orders', identity: 'full', hasPrimaryKey: true, hasKey: true };

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

function facts(
  change: {
    tables?: readonly TableFacts[];
    walLevel?: string;
    config?: Readonly<Record<string, string>> | null;
    running?: boolean;
    objects?: readonly { name: string; comment: string }[];
    engine?: string;
    topics?: readonly string[];
    kafka?: KafkaFacts;
    wanted?: Partial<Wanted>;
  } = {},
): CheckFacts {
  const { tables = [orders], walLevel = 'logical', config = profile(), running = true } = change;
  const { objects = [], engine = 'Atomic', topics = ['cdc.public.orders'] } = change;
  return {
    postgres: { state: 'reached', facts: { version: '18.0', walLevel, tables } },
    kafka: { state: 'reached', facts: { topics: topics.map((name) => ({ name, partitions: 1 })), ...change.kafka } },
    clickhouse: { state: 'reached', facts: { version: '26.7', databases: [{ name: 'shop', engine }], objects } },
    connect: { state: 'reached', facts: { config, running, status: running ? 'RUNNING' : 'FAILED: slot is in use' } },
    wanted: { ...wanted, ...change.wanted },
  };
}

function only(found: readonly Finding[]): Finding {
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('findings', () => {
  test.each(PROFILES)('are none where all is as the profile %s has it', (name) => {
    expect(findings(facts({ config: profile(name) }))).toEqual([]);
  });

  test('name the statement that makes wal_level logical', () => {
    const found = only(findings(facts({ walLevel: 'replica' })));
    expect(found).toMatchObject({ severity: 'error', what: 'wal_level is replica, not logical' });
    expect(found.mend).toContain('ALTER SYSTEM SET wal_level = logical;');
  });

  test.each([
    ['default', true, 'warning'],
    ['default', false, 'error'],
    ['nothing', true, 'error'],
    ['index', true, 'error'],
  ] as const)(
    'about identity %s (primary key: %s) are of severity %s and name the ALTER TABLE',
    (identity, hasPrimaryKey, severity) => {
      const table = { schema: 'my "s', name: 'T.x', identity, hasPrimaryKey, hasKey: true };
      const [found] = findings(facts({ tables: [table] }));
      expect(found).toMatchObject({ severity, place: 'my "s.T.x' });
      expect(found?.mend).toBe('ALTER TABLE "my ""s"."T.x" REPLICA IDENTITY FULL;');
    },
  );

  test('warn of a table without a key', () => {
    const found = only(findings(facts({ tables: [{ ...orders, hasKey: false }] })));
    expect(found.severity).toBe('warning');
    expect(found.why).toContain('TABLE_WITHOUT_KEY');
    expect(found.mend).toContain('ALTER TABLE "public"."orders" ADD PRIMARY KEY');
  });

  test('tell when no table is included', () => {
    expect(only(findings(facts({ tables: [] }))).what).toContain('TABLES_INCLUDE');
  });

  test('tell whose view name is taken by something that is not ours, and how to route it', () => {
    const found = only(findings(facts({ objects: [{ name: 'orders', comment: 'sales team' }] })));
    expect(found).toMatchObject({ severity: 'warning', place: 'public.orders' });
    expect(found.mend).toContain('ROUTES=public.orders=');
  });

  test('accept our own view, a route around the taken name, a skipped table, and mirrors that are off', () => {
    const taken = [{ name: 'orders', comment: '' }];
    expect(
      findings(facts({ objects: [{ name: 'orders', comment: 'debezium-clickhouse: view of public.orders' }] })),
    ).toEqual([]);
    expect(findings(facts({ objects: taken, wanted: { routes: new Map([['public.orders', 'o']]) } }))).toEqual([]);
    expect(findings(facts({ objects: taken, wanted: { routes: new Map([['public.orders', null]]) } }))).toEqual([]);
    expect(findings(facts({ objects: taken, wanted: { mirrors: false } }))).toEqual([]);
  });

  test('tell when two tables want the same view', () => {
    const tables = [
      { ...orders, name: 'a_b' },
      { ...orders, schema: 'a', name: 'b' },
    ];
    const found = only(findings(facts({ tables })));
    expect(found).toMatchObject({ place: 'a.b' });
    expect(found.what).toContain('shop.a_b, is taken by public.a_b');
  });

  test('refuse a database that is not Atomic', () => {
    expect(only(findings(facts({ engine: 'Memory' }))).what).toContain('CLICKHOUSE_NOT_ATOMIC');
  });

  test('tell when the connector is missing or does not run', () => {
    expect(only(findings(facts({ config: null })))).toMatchObject({ mend: 'debezium-clickhouse connectors apply' });
    expect(only(findings(facts({ running: false }))).what).toContain('slot is in use');
  });

  test.each([
    ['plugin.name', 'wal2json', 'error'],
    ['plugin.name', undefined, 'error'],
    ['skipped.operations', 't', 'error'],
    ['skipped.operations', undefined, 'error'],
    ['event.converting.failure.handling.mode', undefined, 'error'],
    ['event.converting.failure.handling.mode', 'skip', 'error'],
    ['value.converter.replace.null.with.default', undefined, 'error'],
    ['decimal.handling.mode', 'double', 'error'],
    ['decimal.handling.mode', undefined, 'warning'],
    ['time.precision.mode', 'connect', 'error'],
    ['time.precision.mode', 'isostring', 'warning'],
    ['binary.handling.mode', undefined, 'warning'],
    ['interval.handling.mode', undefined, 'error'],
    ['exactly.once.support', 'requested', 'warning'],
    ['provide.transaction.metadata', undefined, 'warning'],
    ['offset.mismatch.strategy', undefined, 'warning'],
  ])('about the option %s = %s are of severity %s', (option, value, severity) => {
    const config = Object.fromEntries(Object.entries(profile()).filter(([name]) => name !== option));
    const found = only(findings(facts({ config: value === undefined ? config : { ...config, [option]: value } })));
    expect(found.severity).toBe(severity);
    expect(found.what).toContain(option);
    expect(found.mend).toContain(`"${option}": "${profile()[option]}"`);
  });

  test('accept either way of tombstones', () => {
    expect(findings(facts({ config: { ...profile(), 'tombstones.on.delete': 'false' } }))).toEqual([]);
  });

  test('tell of flattened records, another prefix and another placeholder', () => {
    const flat = { ...profile(), 'transforms.unwrap.type': 'io.debezium.transforms.ExtractNewRecordState' };
    expect(only(findings(facts({ config: flat }))).mend).toContain('Remove unwrap');
    expect(only(findings(facts({ config: { ...profile(), 'topic.prefix': 'x' } }))).mend).toBe('Set TOPIC_PREFIX=x');
    const other = { ...profile(), 'unavailable.value.placeholder': 'zz' };
    expect(only(findings(facts({ config: other }))).mend).toBe('Set UNAVAILABLE_VALUE=zz');
  });

  test('tell when no topic is there yet', () => {
    expect(only(findings(facts({ topics: ['cdcx.public.orders'] }))).severity).toBe('warning');
  });

  test('warn of topics with several partitions, where a truncate cannot reach the mirror', () => {
    const topics = [
      { name: 'cdc.public.orders', partitions: 3 },
      { name: 'cdc.public.stock', partitions: 1 },
      { name: 'other.topic', partitions: 9 },
    ];
    expect(only(findings(facts({ kafka: { topics } })))).toMatchObject({
      severity: 'warning',
      place: 'topic cdc.public.orders',
      what: 'it has 3 partitions',
    });
  });

  test('put errors before warnings', () => {
    const found = findings(facts({ tables: [{ ...orders, identity: 'default' }], walLevel: 'replica', topics: [] }));
    expect(found.map(({ severity }) => severity)).toEqual(['error', 'warning', 'warning']);
  });
});

describe('gather', () => {
  const away = new ServiceError('KAFKA_UNREACHABLE', 'No broker answers.', { hint: 'Start it.' });
  const parts: Parts = {
    postgres: async <T>(sql: string) => {
      const answer = sql.includes('pg_class')
        ? [
            { schema: 'public', name: 'orders', identity: 'd', has_primary_key: true, has_key: true },
            { schema: 'public', name: 'tmp', identity: 'f', has_primary_key: true, has_key: true },
          ]
        : [{ wal_level: 'logical', version: '18.0' }];
      return answer as T[];
    },
    topics: () => Promise.reject(away),
    clickhouse: async () => [],
    connector: null,
    includes: (table) => table !== 'public.tmp',
  };

  test('takes a part that is away as a fact, and the others as they are', async () => {
    const gathered = await gather(parts, wanted);
    expect(gathered.kafka).toEqual({
      state: 'failed',
      code: 'KAFKA_UNREACHABLE',
      message: away.message,
      hint: away.hint,
    });
    expect(gathered.connect).toEqual({ state: 'not set' });
    expect(gathered.postgres).toMatchObject({
      state: 'reached',
      facts: {
        walLevel: 'logical',
        tables: [{ schema: 'public', name: 'orders', identity: 'default', hasPrimaryKey: true, hasKey: true }],
      },
    });
    const found = findings(gathered);
    expect(found[0]).toMatchObject({
      severity: 'error',
      place: 'Kafka',
      what: 'No broker answers [KAFKA_UNREACHABLE]',
      mend: 'Start it.',
    });
  });

  test('lets a bug through', async () => {
    const bug = new TypeError('bug');
    await expect(gather({ ...parts, topics: () => Promise.reject(bug) }, wanted)).rejects.toBe(bug);
  });

  test('warns when no setting names PostgreSQL', async () => {
    const found = findings(
      await gather({ ...parts, postgres: null, topics: async () => [{ name: 'cdc.a.b', partitions: 1 }] }, wanted),
    );
    expect(only(found)).toMatchObject({ severity: 'warning', place: 'PostgreSQL' });
  });
});

describe('the result', () => {
  test('is ok with warnings only', () => {
    const warned = facts({ topics: [] });
    expect(checkResult(warned, findings(warned)).ok).toBe(true);
    const failed = facts({ walLevel: 'replica' });
    expect(checkResult(failed, findings(failed)).ok).toBe(false);
  });

  test('shows what was reached, and each finding with its reason and what mends it', () => {
    const all = facts({ tables: [{ ...orders, identity: 'default' }] });
    const text = renderResult(checkResult(all, findings(all)));
    expect(text).toContain('ok       PostgreSQL 18.0, wal_level logical, 1 table included');
    expect(text).toContain('ok       Kafka, 1 topic cdc.*');
    expect(text).toContain('warning  public.orders: its replica identity is DEFAULT, not FULL');
    expect(text).toContain('→ ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;');
    expect(text).toMatch(/0 errors, 1 warning\.$/);
  });

  test('says so when there is nothing to mend', () => {
    expect(renderResult(checkResult(facts(), findings(facts())))).toMatch(/Nothing to mend\.$/);
  });
});
