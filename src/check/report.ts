/** The result of `check` in words for a person; `--json` prints the same as data. */
import type { CheckFacts, Finding, Looked, Mend } from './facts';
import type { Severity } from './kind';

export interface CheckResult {
  /** True if no finding is an error. */
  readonly ok: boolean;
  readonly reached: readonly string[];
  readonly findings: readonly Finding[];
}

export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'notice'];

export function checkResult(facts: CheckFacts, findings: readonly Finding[]): CheckResult {
  return { ok: !failsOn(findings, 'error'), reached: reachedParts(facts), findings };
}

/** Whether a finding is at least as severe. */
export function failsOn(findings: readonly Finding[], least: Severity): boolean {
  return findings.some(({ severity }) => SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least));
}

/** Of each kind in text: a source may have thousands of tables of which nothing is wrong. */
const SHOWN_NOTICES = 10;

/** What stands before the command: where it is to be run. */
const PROMPTS: Readonly<Record<Mend['by'], string>> = {
  shell: '$',
  psql: 'postgres=#',
  clickhouse: 'clickhouse :)',
  hand: '→',
};

export function renderResult(result: CheckResult): string {
  const lines = result.reached.map((part) => `ok       ${part}`);
  const notices = Map.groupBy(
    result.findings.filter(({ severity }) => severity === 'notice'),
    ({ id }) => id,
  );
  const hidden = new Set([...notices.values()].flatMap((ones) => ones.slice(SHOWN_NOTICES)));
  for (const { id, severity, place, what, why, mend } of result.findings.filter((one) => !hidden.has(one))) {
    lines.push(
      '',
      `${severity.padEnd(8)} ${place}: ${what}  [${id}]`,
      `         ${why}`,
      `         ${PROMPTS[mend.by]} ${mend.run}`,
    );
  }
  for (const [id, ones] of notices) {
    const more = ones.length - SHOWN_NOTICES;
    if (more > 0) lines.push('', `notice   and ${String(more)} more of these; --json prints all  [${id}]`);
  }
  const counts = SEVERITIES.map((severity) => {
    const found = result.findings.filter((one) => one.severity === severity).length;
    return found === 0 && severity === 'notice' ? null : count(found, severity);
  });
  lines.push(
    '',
    result.findings.length === 0 ? 'Nothing to mend.' : `${counts.filter((one) => one !== null).join(', ')}.`,
  );
  return lines.join('\n');
}

function reachedParts(facts: CheckFacts): string[] {
  const { wanted } = facts;
  const prefix = `${wanted.topicPrefix}.`;
  return [
    ...said(facts.postgres, ({ version, tables, walLevel }) => {
      return `PostgreSQL ${version}, wal_level ${walLevel}, ${count(tables.length, 'table')} included`;
    }),
    ...said(facts.connect, ({ config, running }) => {
      return `Kafka Connect, connector ${wanted.connectorName} ${config === null ? 'missing' : running ? 'RUNNING' : 'not running'}`;
    }),
    ...said(facts.kafka, ({ topics }) => {
      return `Kafka, ${count(topics.filter(({ name }) => name.startsWith(prefix)).length, 'topic')} ${prefix}*`;
    }),
    ...said(facts.registry, () => 'schema registry'),
    ...said(facts.clickhouse, ({ version }) => `ClickHouse ${version}`),
  ];
}

function said<T>(looked: Looked<T>, words: (facts: T) => string): string[] {
  return looked.state === 'reached' ? [words(looked.facts)] : [];
}

function count(n: number, noun: string): string {
  return `${String(n)} ${noun}${n === 1 ? '' : 's'}`;
}
