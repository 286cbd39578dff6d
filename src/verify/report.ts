/** A verification as text for a person. */
import type { Difference, LostStage, TableResult, VerifyResult } from './result';

/** Differences shown of each table; `--json` has more. */
const SHOWN = 20;

const STAGES: Record<LostStage, string> = {
  kafka: 'not in Kafka (any more)',
  changes: 'in Kafka, not in changes',
  mirror: 'in changes, not in the mirror',
};

const KINDS: Record<Difference['kind'], string> = {
  missing: 'missing in the mirror',
  surplus: 'in the mirror, not in the source',
  changed: 'differs in',
  signs: 'its signs do not add up to 0 or 1',
};

export function renderVerify(result: VerifyResult): string {
  const lines = result.tables.flatMap(renderTable);
  for (const { table, reason } of result.skipped) lines.push(`- ${table}: skipped, ${reason}`);
  const differing = result.tables.filter(({ differences }) => differences > 0).length;
  const what = result.sampled ? 'a sample of ' : '';
  if (result.tables.length === 0) return [...lines, 'nothing was compared: no mirror stands'].join('\n');
  const verdict = result.equal
    ? `${what}${result.tables.length} tables equal their source`
    : `${differing} of ${result.tables.length} tables differ from their source`;
  lines.push(`${verdict} at ${result.lsn}, in ${(result.ms / 1000).toFixed(1)} s`);
  return lines.join('\n');
}

function renderTable(table: TableResult): string[] {
  const { differences, details, movedSince, altered, notCompared } = table;
  const moved = movedSince > 0 ? `, ${movedSince} keys changed meanwhile` : '';
  const lines = [
    `${differences === 0 ? '=' : '≠'} ${table.table}: ${table.sourceRows} rows${moved}${differences === 0 ? '' : `, ${differences} keys differ`}`,
  ];
  for (const one of details.slice(0, SHOWN)) lines.push(`    ${renderDifference(one)}`);
  if (differences > Math.min(SHOWN, details.length))
    lines.push(`    and ${differences - Math.min(SHOWN, details.length)} more`);
  for (const [column, count] of Object.entries(altered))
    lines.push(`    ${column}: ${count} values are altered by policy`);
  // An incremental snapshot goes by the key.
  const blocking = details.some(({ times }) => times !== undefined) ? ' --type blocking' : '';
  if (table.renamedFrom !== null && differences > 0)
    lines.push(
      `    it was ${table.renamedFrom}; debezium-clickhouse connectors snapshot --tables ${table.table}${blocking} brings the rows of then`,
    );
  for (const { column, reason } of notCompared) lines.push(`    ${column}: not compared, ${reason}`);
  return lines;
}

function renderDifference({ key, kind, columns, stage, times, values }: Difference): string {
  const name = Object.entries(key)
    .map(([column, value]) => `${column}=${value ?? 'NULL'}`)
    .join(', ');
  const shown =
    values === undefined ? '' : ` source ${JSON.stringify(values.source)} mirror ${JSON.stringify(values.mirror)}`;
  const lost = kind === 'surplus' && stage === 'mirror' ? 'its end is in changes, not in the mirror' : STAGES[stage];
  const what =
    times === undefined
      ? `${KINDS[kind]}${columns.length > 0 ? ` ${columns.join(', ')}` : ''}`
      : `${times.source} times in the source, ${times.mirror} times in the mirror`;
  return `${name}: ${what} (${lost})${shown}`;
}
