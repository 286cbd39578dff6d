/** One table's verification: how many keys differ, and for the first of them the columns and the stage that lost them. */
import { timesOf, wrongKeys, type BucketRow, type Comparing, type WrongKey } from './compare-table';
import { HASH_COLUMN } from '../clickhouse/mirror-layout';
import { differingCells } from './judge';
import { lostStages } from './lost-stage';
import type { Progress } from './ports';
import type { Difference, LostStage, TableResult } from './result';
import type { TablePlan } from './table-plan';

/** Keys of a table whose rows `changes` has right and the mirror has not. */
export interface Mendable {
  readonly schema: string;
  readonly table: string;
  readonly plan: TablePlan;
  /** As `TablePlan` knows rows. */
  readonly rowKeys: readonly string[];
  /** There are differences beyond those that were described. */
  readonly more: boolean;
}

interface Describing {
  readonly values: 'hidden' | 'shown';
  readonly patienceMs: number;
  readonly mostDetails: number;
  readonly onProgress: (progress: Progress) => void;
}

/** Compares a table and says for what differs which stage lost it. */
export async function verifyTable(
  of: Comparing,
  { values, patienceMs, mostDetails, onProgress }: Describing,
): Promise<{ result: Omit<TableResult, 'renamedFrom'>; mendable: Pick<Mendable, 'rowKeys' | 'more'> }> {
  const { plan } = of;
  const sums = await of.session.query<BucketRow>(plan.sourceBuckets(of.share));
  const wrong: WrongKey[] = [];
  let differences = 0;
  const { mirrorRows, movedSince } = await wrongKeys(of, sums, (some) => {
    differences += some.length;
    wrong.push(...some.slice(0, mostDetails - wrong.length));
  });
  if (wrong.length > 0) onProgress({ phase: 'looking for lost changes', table: of.table, done: 0, total: 0 });
  const stages = wrong.length === 0 ? [] : await lostStages(wrong, { ...of, patienceMs });
  const details = wrong.map((one, index) => describe(one, stages[index] ?? 'mirror', plan, values));
  const rowKeys = wrong.flatMap(({ rowKey }, index) => (stages[index] === 'mirror' ? [rowKey] : []));
  const known = new Set(wrong.map(({ rowKey }) => rowKey));
  const signs = await crookedKeys(of, mostDetails);
  for (const { _verify_key: rowKey, _verify_cells: cells } of signs) {
    if (known.has(rowKey)) continue;
    differences++;
    const key = nameOf(rowKey, plan, (position) => cells[position]);
    if (details.length >= mostDetails) continue;
    details.push({ key, kind: 'signs', columns: [], stage: 'mirror' });
    rowKeys.push(rowKey);
  }
  const altered = plan.policies.map((name, index): [string, number] => [
    name,
    sums.reduce((sum, row) => sum + (row[`altered_${index}`] ?? 0), 0),
  ]);
  const result = {
    table: of.table,
    sourceRows: sums.reduce((sum, { row_count }) => sum + row_count, 0),
    mirrorRows,
    differences,
    details,
    movedSince,
    altered: Object.fromEntries(altered.filter(([, count]) => count > 0)),
    notCompared: plan.notCompared,
  };
  return { result, mendable: { rowKeys, more: differences > details.length } };
}

interface SignRow {
  readonly _verify_key: string;
  readonly _verify_cells: string[];
}

/** Keys whose signs do not add up to the rows they have: each reads right today, and goes wrong later or in a sum. */
async function crookedKeys({ plan, mirror }: Comparing, limit: number): Promise<SignRow[]> {
  const wrong = await mirror.query<SignRow>(plan.wrongSigns(limit));
  const [totals] = await mirror.query<{ signs: string; standing: string }>(plan.signTotals());
  if (totals === undefined || totals.signs === totals.standing) return wrong;
  // Signs and rows are not read at one moment: what is written in between is not found a second time.
  const first = await mirror.query<SignRow>(plan.missingSigns(limit));
  if (first.length === 0) return wrong;
  const again = new Set((await mirror.query<SignRow>(plan.missingSigns(limit))).map((row) => row._verify_key));
  return [...wrong, ...first.filter((row) => again.has(row._verify_key))];
}

/** The values of the key's columns; a row without a key is named by its hash, which says nothing of its values. */
function nameOf(
  rowKey: string,
  { counted, key, names }: TablePlan,
  cellOf: (position: number) => string | null | undefined,
): Record<string, string | null> {
  if (counted) return { [HASH_COLUMN]: rowKey };
  return Object.fromEntries(key.map((index, position) => [names[index] ?? '', cellOf(position) ?? null]));
}

function describe(
  { rowKey, expected, mirror }: WrongKey,
  stage: LostStage,
  plan: TablePlan,
  values: 'hidden' | 'shown',
): Difference {
  const row = expected ?? mirror ?? [];
  const differing = expected === null || mirror === null ? null : differingCells(expected, mirror);
  const columns = (differing ?? []).map((index) => plan.names[index] ?? '');
  const shown = plan.counted || differing === null ? plan.names.map((_, index) => index) : differing;
  const named = (cells: WrongKey['mirror']): Record<string, string | null> | null =>
    cells === null ? null : Object.fromEntries(shown.map((index) => [plan.names[index] ?? '', cells[index] ?? null]));
  return {
    key: nameOf(rowKey, plan, (position) => row[plan.key[position] ?? -1]),
    ...(plan.counted ? { times: { source: timesOf(expected), mirror: timesOf(mirror) } } : {}),
    kind: expected === null ? 'surplus' : mirror === null ? 'missing' : 'changed',
    columns,
    stage,
    ...(values === 'shown' ? { values: { source: named(expected), mirror: named(mirror) } } : {}),
  };
}
