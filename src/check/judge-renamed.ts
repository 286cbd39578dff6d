/** Tables that have another name than the service found them under: what is not in ClickHouse under the new one. */
import { tableName } from '../model';
import { byHand, finding, shell, shellWord } from './facts';
import type { ClickHouseFacts, Finding, RelationFacts, Wanted } from './facts';

export function judgeRenamed(
  relations: readonly RelationFacts[],
  { named, renamed }: Pick<ClickHouseFacts, 'named' | 'renamed'>,
  { routes }: Pick<Wanted, 'routes'>,
): Finding[] {
  return relations
    .filter((relation) => relation.streamed && routes.get(tableName(relation)) !== null)
    .flatMap((relation) => {
      const from = formerName(relation, { named, renamed });
      return from === null ? [] : [judge(relation, from)];
    });
}

/** Null where it has had no other name, or its rows were read again under this one. */
function formerName(
  relation: RelationFacts,
  { named, renamed }: Pick<ClickHouseFacts, 'named' | 'renamed'>,
): string | null {
  const table = tableName(relation);
  const last = named.find(({ oid, madeBy }) => oid === relation.oid && madeBy === relation.madeBy);
  // Nothing has come under the new name yet.
  if (last === undefined) return null;
  if (tableName(last) !== table) return tableName(last);
  const known = renamed.find((one) => one.oid === relation.oid && tableName(one.table) === table);
  return known === undefined || known.readAgain ? null : tableName(known.from);
}

function judge(relation: RelationFacts, from: string): Finding {
  const place = tableName(relation);
  const what = `it was ${from}, and its rows have not been read under the name it has now`;
  if (!relation.included) {
    const mend = byHand(`Add ${place} to TABLES_INCLUDE, then connectors apply, then ${snapshot(relation)}.`);
    return finding('table-renamed', { place, what, mend });
  }
  return finding('table-renamed', { place, what, mend: shell(snapshot(relation)) });
}

function snapshot(relation: RelationFacts): string {
  const blocking = relation.hasPrimaryKey ? '' : ' --type blocking';
  return `debezium-clickhouse connectors snapshot --tables ${shellWord(tableName(relation))}${blocking}`;
}
