/** A step of the demo as text: the audit rows, and the source's rows beside the mirror's. */
import { fittedTable } from '../src/cli/table';
import type { ComparedTable, Comparison, RowPair, TextRow } from './compare';
import { count } from './screen';
import type { AuditRow } from './steps';

const MOST_AUDIT_ROWS = 8;
const MOST_GONE = 3;

/** The first rows that a step left in `changes`; of an update the fields that differ, since the row holds all of them twice. */
export function auditText(audit: readonly AuditRow[], width: number): string {
  const transactions = new Set(audit.map(({ tx_id, committed }) => `transaction ${tx_id}, committed ${committed} UTC`));
  const rows = audit.slice(0, MOST_AUDIT_ROWS).map((row) => [row.op, row.table, row.key, ...imagesOf(row)]);
  const more = audit.length - rows.length;
  const table = fittedTable({ head: ['op', 'table', 'key', 'before', 'after'], rows, width });
  return [...transactions, table, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function imagesOf({ op, before, after }: AuditRow): [string, string] {
  if (op !== 'u') return [before, after];
  const [old, now] = [before, after].map((text) => JSON.parse(text) as Record<string, unknown>);
  const changed = Object.keys(now ?? {}).filter((name) => now?.[name] !== old?.[name]);
  const shown = (image: Record<string, unknown> | undefined): string =>
    changed.map((name) => `"${name}":${JSON.stringify(image?.[name])}`).join(',');
  return [`… ${shown(old)} …`, `… ${shown(now)} …`];
}

/** A table after the step: the row that changed last, as both sides have it, and the keys that are gone. */
export function sidesText(
  { table, pairs, sourceRows, mirrorRows }: Comparison,
  audit: readonly AuditRow[],
  width: number,
): string {
  const keys = changedKeys(table.name, audit);
  const standing = keys.flatMap((key) => pairs.find((pair) => pair.key === key) ?? []);
  const gone = keys.filter((key) => !pairs.some((pair) => pair.key === key));
  return [
    `${table.name}: ${count(sourceRows, 'row')} in PostgreSQL, ${mirrorRows} in ClickHouse`,
    ...gone.slice(0, MOST_GONE).map((key) => `gone from both: ${keyWords(table, key)}`),
    ...standing.slice(0, 1).map((pair) => pairText(pair, table, width)),
  ].join('\n');
}

/** Every table with the result of its comparison, and the rows that differ. */
export function comparisonText(comparisons: readonly Comparison[], width: number): string {
  const head = ['table', 'rows in PostgreSQL', 'rows in ClickHouse', 'equal in every value'];
  const rows = comparisons.map((compared) => [
    compared.table.name,
    String(compared.sourceRows),
    String(compared.mirrorRows),
    verdict(compared),
  ]);
  return [fittedTable({ head, rows, width }), ...comparisons.flatMap((one) => differenceText(one, width))].join('\n');
}

function verdict({ pairs, sourceRows, mirrorRows, extent }: Comparison): string {
  const different = pairs.filter(({ equal }) => !equal).length;
  if (different > 0) return `NO: ${count(different, 'row')} differ`;
  if (sourceRows !== mirrorRows) return 'NO: the numbers of rows differ';
  return extent === 'all' ? 'yes' : `yes, the newest ${count(pairs.length, 'row')}`;
}

function differenceText({ table, pairs, equal }: Comparison, width: number): string[] {
  if (equal) return [];
  const different = pairs.filter((pair) => !pair.equal).slice(0, MOST_AUDIT_ROWS);
  return [`different in ${table.name}:`, ...different.map((pair) => pairText(pair, table, width))];
}

/** One row, a line for each column, the sides beside each other. */
function pairText({ source, mirror }: RowPair, { columns }: ComparedTable, width: number): string {
  const cell = (row: TextRow | null | undefined, index: number): string =>
    row === null || row === undefined ? 'no such row' : (row[index] ?? 'NULL');
  const sides = [source, ...(mirror.length === 0 ? [null] : mirror)];
  const head = ['column', 'in PostgreSQL', ...sides.slice(1).map(() => 'in ClickHouse')];
  return fittedTable({
    head,
    rows: columns.map((name, index) => [name, ...sides.map((row) => cell(row, index))]),
    width,
  });
}

/** `id 4` */
function keyWords({ columns, key }: ComparedTable, text: string): string {
  const values = JSON.parse(text) as string[];
  return key.map((column, index) => `${columns[column] ?? ''} ${values[index] ?? ''}`).join(', ');
}

/** Keys of the changed rows, the newest change first, in the form that `compare.ts` gives them. */
function changedKeys(table: string, audit: readonly AuditRow[]): string[] {
  const keys = audit
    .filter((row) => row.table === table)
    .map((row) => JSON.stringify(Object.values(JSON.parse(row.key) as Record<string, unknown>).map(String)));
  return [...new Set(keys.reverse())];
}
