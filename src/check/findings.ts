/** What is wrong, judged from the facts alone: each finding with why it matters and what mends it. */
import { byHand, finding, shell } from './facts';
import type { CheckFacts, Finding, Looked } from './facts';
import { judgeClickHouse, judgeViewNames } from './judge-clickhouse';
import { applyCommand, judgeConnect, judgeRegistry } from './judge-connector';
import { judgeKafka } from './judge-kafka';
import { judgePostgres } from './judge-postgres';
import { judgeRenamed } from './judge-renamed';
import { judgeRules } from './judge-rules';
import type { Severity } from './kind';
import type { FindingId } from './kinds';

const ORDER: readonly Severity[] = ['error', 'warning', 'notice'];

/** Errors first; within one severity in the order of the flow. */
export function findings(facts: CheckFacts): Finding[] {
  const { wanted } = facts;
  const connect = factsOf(facts.connect);
  const around = { wanted, connect, apply: applyCommand(connect?.config ?? null) };
  const all = [
    ...judgeAway(facts),
    ...judgeIf(facts.postgres, (postgres) => judgePostgres(postgres, around)),
    ...judgeIf(facts.postgres, ({ relations }) => judgeRules(relations, wanted)),
    ...judgeIf(facts.connect, (one) => judgeConnect(one, wanted)),
    ...judgeIf(facts.kafka, (kafka) => judgeKafka(kafka, around)),
    ...judgeRegistry(facts.registry, connect),
    ...judgeIf(facts.clickhouse, (clickhouse) => judgeClickHouse(clickhouse, wanted)),
    ...judgeViews(facts),
    ...judgeRenames(facts),
    ...wanted.warnings.map(judgeOpenConnection),
  ];
  return ORDER.flatMap((severity) => all.filter((one) => one.severity === severity));
}

function factsOf<T>(looked: Looked<T>): T | null {
  return looked.state === 'reached' ? looked.facts : null;
}

function judgeIf<T>(looked: Looked<T>, judge: (facts: T) => Finding[]): Finding[] {
  return looked.state === 'reached' ? judge(looked.facts) : [];
}

function judgeViews({ wanted, postgres, clickhouse }: CheckFacts): Finding[] {
  if (!wanted.mirrors) return [];
  return judgeViewNames(factsOf(postgres)?.tables ?? [], factsOf(clickhouse)?.objects ?? [], wanted);
}

function judgeRenames({ wanted, postgres, clickhouse }: CheckFacts): Finding[] {
  const [source, target] = [factsOf(postgres), factsOf(clickhouse)];
  return source === null || target === null || !wanted.mirrors ? [] : judgeRenamed(source.relations, target, wanted);
}

function judgeAway(facts: CheckFacts): Finding[] {
  const parts: readonly [FindingId, string, Looked<unknown>][] = [
    ['postgres-unreachable', 'PostgreSQL', facts.postgres],
    ['connect-unreachable', 'Kafka Connect', facts.connect],
    ['kafka-unreachable', 'Kafka', facts.kafka],
    ['clickhouse-unreachable', 'ClickHouse', facts.clickhouse],
  ];
  const away = parts.flatMap(([id, place, looked]) => {
    if (looked.state !== 'failed') return [];
    const what = `${looked.message.replace(/\.$/, '')} [${looked.code}]`;
    return [finding(id, { place, what, mend: byHand(looked.hint) })];
  });
  return facts.postgres.state === 'not set' ? [...away, judgeNoPostgres()] : away;
}

function judgeNoPostgres(): Finding {
  const mend = shell('export PG_URL=postgres://user@host:5432/database PG_PASSWORD_FILE=/path/of/the/password');
  return finding('postgres-not-set', { place: 'PostgreSQL', what: 'no setting says where it is', mend });
}

/** A warning begins with the setting that it is about. */
function judgeOpenConnection(warning: string): Finding {
  const [, name = '', value = '', rest = ''] = /^(\w+)=(\S*?):? (.*)$/.exec(warning) ?? [];
  const mend =
    name === 'PG_SSLMODE'
      ? shell('export PG_SSLMODE=verify-full')
      : name.endsWith('_VERIFY')
        ? shell(`export ${name}=on`)
        : shell('export KAFKA_TLS=on');
  return finding('connection-open', { place: 'settings', what: `${name}=${value} ${rest}`.trim(), mend });
}
