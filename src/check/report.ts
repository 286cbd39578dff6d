/** The result of `check` in words for a person; `--json` prints the same as data. */
import type { CheckFacts, Finding, Looked } from './facts';

export interface CheckResult {
  /** True if no finding is an error. */
  readonly ok: boolean;
  readonly reached: readonly string[];
  readonly findings: readonly Finding[];
}

export function checkResult(facts: CheckFacts, findings: readonly Finding[]): CheckResult {
  return { ok: !findings.some(({ severity }) => severity === 'error'), reached: reachedParts(facts), findings };
}

export function renderResult(result: CheckResult): string {
  const lines = result.reached.map((part) => `ok       ${part}`);
  for (const { severity, place, what, why, mend } of result.findings) {
    lines.push('', `${severity.padEnd(8)} ${place}: ${what}`, `         ${why}`, `         → ${mend}`);
  }
  const errors = result.findings.filter(({ severity }) => severity === 'error').length;
  const warnings = result.findings.length - errors;
  lines.push(
    '',
    errors + warnings === 0 ? 'Nothing to mend.' : `${count(errors, 'error')}, ${count(warnings, 'warning')}.`,
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
    ...said(facts.clickhouse, ({ version }) => `ClickHouse ${version}`),
  ];
}

function said<T>(looked: Looked<T>, words: (facts: T) => string): string[] {
  return looked.state === 'reached' ? [words(looked.facts)] : [];
}

function count(n: number, noun: string): string {
  return `${String(n)} ${noun}${n === 1 ? '' : 's'}`;
}
