/** What is wrong, judged from the facts alone: each finding with why it matters and what mends it. */
import { tableName } from '../model';
import { judgeOptions } from './connector-options';
import type {
  CheckFacts,
  ClickHouseFacts,
  ConnectFacts,
  Finding,
  KafkaFacts,
  Looked,
  PostgresFacts,
  TableFacts,
  TopicFacts,
  Wanted,
} from './facts';

/** Objects of ours in CH_DATABASE have a comment that begins so. */
const OURS = 'debezium-clickhouse:';
const APPLY = 'debezium-clickhouse connectors apply';

/** Errors first; within one severity in the order of the flow. */
export function findings(facts: CheckFacts): Finding[] {
  const { wanted } = facts;
  const postgres = reachedOrFinding('PostgreSQL', facts.postgres);
  const connect = reachedOrFinding('Kafka Connect', facts.connect);
  const kafka = reachedOrFinding('Kafka', facts.kafka);
  const clickhouse = reachedOrFinding('ClickHouse', facts.clickhouse);
  const tables = postgres.facts?.tables ?? [];
  const all = [
    ...postgres.findings,
    ...(facts.postgres.state === 'not set' ? [judgeNoPostgres(wanted)] : []),
    ...(postgres.facts === null ? [] : judgePostgres(postgres.facts)),
    ...connect.findings,
    ...(connect.facts === null ? [] : judgeConnector(connect.facts, wanted)),
    ...kafka.findings,
    ...(kafka.facts === null ? [] : judgeTopics(kafka.facts, wanted)),
    ...clickhouse.findings,
    ...(clickhouse.facts === null ? [] : judgeClickHouse(clickhouse.facts)),
    ...(wanted.mirrors ? judgeViewNames(tables, clickhouse.facts?.objects ?? [], wanted) : []),
  ];
  return [...all.filter((f) => f.severity === 'error'), ...all.filter((f) => f.severity === 'warning')];
}

function reachedOrFinding<T>(place: string, looked: Looked<T>): { facts: T | null; findings: Finding[] } {
  if (looked.state === 'reached') return { facts: looked.facts, findings: [] };
  if (looked.state === 'not set') return { facts: null, findings: [] };
  const { code, message, hint } = looked;
  const what = `${message.replace(/\.$/, '')} [${code}]`;
  return {
    facts: null,
    findings: [{ severity: 'error', place, what, why: 'Nothing about it could be checked.', mend: hint }],
  };
}

function judgeNoPostgres(wanted: Wanted): Finding {
  return {
    severity: 'warning',
    place: 'PostgreSQL',
    what: 'no setting says where it is',
    why: wanted.mirrors
      ? 'Plain JSON says nothing about types, so tables are audited and not mirrored; and nothing of the source is checked here.'
      : 'Nothing of the source is checked here.',
    mend: 'Set PG_URL=postgres://user:password@host:5432/database.',
  };
}

function judgePostgres(facts: PostgresFacts): Finding[] {
  const found: Finding[] = [];
  if (facts.walLevel !== 'logical') {
    found.push({
      severity: 'error',
      place: 'PostgreSQL',
      what: `wal_level is ${facts.walLevel}, not logical`,
      why: 'Debezium reads changes by logical decoding; without it the connector does not start.',
      mend: 'ALTER SYSTEM SET wal_level = logical; -- then restart PostgreSQL',
    });
  }
  if (facts.tables.length === 0) {
    found.push({
      severity: 'warning',
      place: 'PostgreSQL',
      what: 'no table matches TABLES_INCLUDE and TABLES_EXCLUDE',
      why: 'There would be nothing to mirror.',
      mend: 'Correct the patterns, for example TABLES_INCLUDE=public.*',
    });
  }
  return [...found, ...facts.tables.flatMap(judgeTable)];
}

function judgeTable(table: TableFacts): Finding[] {
  const identity = judgeIdentity(table);
  if (table.hasKey) return identity;
  return [
    ...identity,
    {
      severity: 'warning',
      place: tableName(table),
      what: 'it has no primary key and no unique index over NOT NULL columns',
      why: 'Its rows cannot be told apart: it is audited, not mirrored [TABLE_WITHOUT_KEY].',
      mend: `ALTER TABLE ${quoted(table)} ADD PRIMARY KEY (…);`,
    },
  ];
}

function judgeIdentity(table: TableFacts): Finding[] {
  const mend = `ALTER TABLE ${quoted(table)} REPLICA IDENTITY FULL;`;
  const finding = (severity: Finding['severity'], why: string): Finding[] => [
    {
      severity,
      place: tableName(table),
      what: `its replica identity is ${table.identity.toUpperCase()}, not FULL`,
      why,
      mend,
    },
  ];
  switch (table.identity) {
    case 'full':
      return [];
    case 'nothing':
      return finding('error', 'Once it is published, PostgreSQL refuses every UPDATE and DELETE on it.');
    case 'index':
      return finding(
        'error',
        'An UPDATE of the primary key leaves the old row in the mirror, and deletes carry a key of zeros.',
      );
    case 'default':
      return table.hasPrimaryKey
        ? finding(
            'warning',
            'The old row is not in the changes: the audit lacks it, and the mirror is written by looking rows up, which is slower.',
          )
        : finding(
            'error',
            'Without a primary key, once it is published, PostgreSQL refuses every UPDATE and DELETE on it.',
          );
  }
}

function judgeConnector(facts: ConnectFacts, wanted: Wanted): Finding[] {
  const place = `connector ${wanted.connectorName}`;
  const { config } = facts;
  if (config === null) {
    const why = 'Nothing brings changes from PostgreSQL to Kafka, unless another worker does.';
    return [{ severity: 'error', place, what: 'it does not exist', why, mend: APPLY }];
  }
  const found: Finding[] = [];
  if (!facts.running) {
    found.push({
      severity: 'error',
      place,
      what: `it does not run: ${facts.status}`,
      why: 'No change arrives, and its slot keeps WAL in PostgreSQL.',
      mend: `Mend what the error says, then: ${APPLY}`,
    });
  }
  const prefix = config['topic.prefix'] ?? '';
  if (prefix !== wanted.topicPrefix) {
    found.push({
      severity: 'error',
      place,
      what: `its topic.prefix is ${prefix}, and TOPIC_PREFIX is ${wanted.topicPrefix}`,
      why: 'The service would wait for topics that never come.',
      mend: `Set TOPIC_PREFIX=${prefix}`,
    });
  }
  const placeholder = config['unavailable.value.placeholder'];
  if (placeholder !== undefined && placeholder !== wanted.unavailableValue) {
    found.push({
      severity: 'error',
      place,
      what: 'its unavailable.value.placeholder is not UNAVAILABLE_VALUE',
      why: 'The placeholder of a value that PostgreSQL did not repeat would be written as if it were the value.',
      mend: `Set UNAVAILABLE_VALUE=${placeholder}`,
    });
  }
  return [...found, ...judgeOptions(config, place, APPLY)];
}

function judgeTopics(facts: KafkaFacts, wanted: Wanted): Finding[] {
  const ours = facts.topics.filter(({ name }) => name.startsWith(`${wanted.topicPrefix}.`));
  if (ours.length > 0) return ours.filter(({ partitions }) => partitions > 1).map(judgeSpread);
  return [
    {
      severity: 'warning',
      place: 'Kafka',
      what: `no topic begins with ${wanted.topicPrefix}.`,
      why: 'The service starts and waits for them. Topics appear with the first row of each table.',
      mend: `See TOPIC_PREFIX, and that the connector runs: ${APPLY}`,
    },
  ];
}

/** Rows of one key stay in one partition; a change of key is not ordered against the rows of others, a truncate only by time. */
function judgeSpread({ name, partitions }: TopicFacts): Finding {
  return {
    severity: 'warning',
    place: `topic ${name}`,
    what: `it has ${partitions} partitions`,
    why: 'After a TRUNCATE the mirror keeps its rows until all partitions have passed it, and is made anew then; a row whose key changed may for a moment be there twice or not at all.',
    mend: 'Nothing, if that does no harm. Else set TOPIC_PARTITIONS=1 before a topic is made.',
  };
}

function judgeClickHouse(facts: ClickHouseFacts): Finding[] {
  return facts.databases
    .filter(({ engine }) => engine !== 'Atomic')
    .map(({ name, engine }) => ({
      severity: 'error',
      place: `ClickHouse database ${name}`,
      what: `its engine is ${engine}, not Atomic [CLICKHOUSE_NOT_ATOMIC]`,
      why: 'The guard against late writes needs tables with a UUID, which only Atomic gives.',
      mend: 'Set CH_DATABASE to a name that is free; migrate creates it with the right engine.',
    }));
}

/** Names that two tables want, or that something of other people has. */
function judgeViewNames(tables: readonly TableFacts[], objects: ClickHouseFacts['objects'], wanted: Wanted): Finding[] {
  const foreign = new Set(objects.filter(({ comment }) => !comment.startsWith(OURS)).map(({ name }) => name));
  const takenBy = new Map<string, string>();
  const found: Finding[] = [];
  for (const table of tables) {
    const source = tableName(table);
    const view = viewName(table, wanted);
    if (view === null) continue;
    const other = takenBy.get(view);
    takenBy.set(view, other ?? source);
    if (other === undefined && !foreign.has(view)) continue;
    found.push({
      severity: 'warning',
      place: source,
      what: `its view's name, ${wanted.database}.${view}, is taken by ${other ?? 'an object that is not ours'}`,
      why: 'It is audited, not mirrored; the others go on [TABLE_NAME_TAKEN].',
      mend: `Set ROUTES=${source}=${view}_2 (another name) or ROUTES=${source}=skip`,
    });
  }
  return found;
}

/** Schema `public` maps to plain names, others to `<schema>_<table>`, unless ROUTES says otherwise; null: skip. */
function viewName(table: TableFacts, wanted: Wanted): string | null {
  const route = wanted.routes.get(tableName(table));
  if (route !== undefined) return route;
  return table.schema === 'public' ? table.name : `${table.schema}_${table.name}`;
}

function quoted(table: TableFacts): string {
  return [table.schema, table.name].map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}
