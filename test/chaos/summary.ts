/** The table of docs/chaos.md, made from the results: `node -r ./test/unit/cli-typescript.cjs test/chaos/summary.ts`. */
import type { Outcome } from './one-seed';
import { readResults } from './results';

/** Markdown: how many seeds ran and passed, and how often each thing was done. */
export function summarize(results: readonly Outcome[]): string {
  const latest = [...new Map(results.map((result) => [result.seed, result])).values()];
  const passed = latest.filter(({ failures }) => failures.length === 0);
  const sum = (of: (result: Outcome) => number): number => latest.reduce((total, result) => total + of(result), 0);
  const counts = new Map<string, number>();
  for (const { done } of latest) {
    for (const [deed, count] of Object.entries(done)) counts.set(deed, (counts.get(deed) ?? 0) + count);
  }
  const rows: readonly (readonly [string, number | string])[] = [
    ['seeds run', latest.length],
    ['of them passed', passed.length],
    ['as JSON with schema', latest.filter(({ wire }) => wire === 'json-schema').length],
    ['as Avro', latest.filter(({ wire }) => wire === 'avro').length],
    ['with three partitions a table', latest.filter(({ partitions = 1 }) => partitions > 1).length],
    ['with a Connect that sends again', latest.filter(({ sendsTwice }) => sendsTwice === true).length],
    ['minutes under fire', (sum(({ seconds }) => seconds) / 60).toFixed(1)],
    ['transactions committed', sum(({ written }) => written.committed)],
    ['transactions rolled back', sum(({ written }) => written.rolledBack)],
    ['changes in Kafka', sum(({ changes }) => changes)],
    ['of them sent again by Debezium', sum(({ redelivered }) => redelivered)],
    ['records of aborted transactions', sum(({ aborted }) => aborted)],
    ['looks of the readers', sum(({ samples }) => samples)],
    ['most memory of a consumer, MiB', Math.max(0, ...latest.map(({ highestRssMiB }) => highestRssMiB))],
  ];
  const deeds = [...counts].sort(([, a], [, b]) => b - a);
  return [
    table(['', ''], rows),
    table(['what was done', 'how often'], deeds),
    latest.length === passed.length
      ? ''
      : `Not passed: ${latest
          .filter(({ failures }) => failures.length > 0)
          .map(({ seed }) => seed)
          .join(', ')}.\n`,
  ].join('\n');
}

function table(head: readonly [string, string], rows: readonly (readonly [string, number | string])[]): string {
  const lines = rows.map(([name, value]) => `| ${name} | ${value} |`);
  return [`| ${head[0]} | ${head[1]} |`, '|---|---:|', ...lines, ''].join('\n');
}

if (require.main === module) process.stdout.write(summarize(readResults()));
