/** What is wrong with the target: version, rights, databases, tables, names and who else writes to it. */
import { tableName } from '../model';
import { byHand, bytesText, clickhouse, finding, shell, shellWord } from './facts';
import type { ClickHouseFacts, Finding, TableFacts, Wanted } from './facts';

/** Objects of ours in CH_DATABASE have a comment that begins so. */
const OURS = 'debezium-clickhouse:';
const PLACE = 'ClickHouse';
const UUID_ENGINES = new Set(['Atomic', 'Replicated', 'Shared']);
const OLDEST = [24, 8] as const;
const WINDOW = 10_000;
const LEAST_FREE = 0.1;

export function judgeClickHouse(facts: ClickHouseFacts, wanted: Wanted): Finding[] {
  return [
    ...judgeServer(facts),
    ...judgeDatabases(facts, wanted),
    ...judgeWindows(facts, wanted),
    ...judgeOwner(facts, wanted),
  ];
}

function judgeServer(facts: ClickHouseFacts): Finding[] {
  const found: Finding[] = [];
  const [major = 0, minor = 0] = facts.version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    const mend = byHand('Upgrade ClickHouse.');
    found.push(finding('clickhouse-version', { place: PLACE, what: `its version is ${facts.version}`, mend }));
  }
  if (facts.readonly) {
    const mend = clickhouse(`ALTER USER ${quote(facts.user)} SETTINGS readonly = 0;`);
    found.push(
      finding('clickhouse-readonly', { place: PLACE, what: `the setting readonly of ${facts.user} is on`, mend }),
    );
  }
  for (const right of facts.lacks) {
    const mend = clickhouse(`GRANT ${right} TO ${quote(facts.user)};`);
    found.push(finding('clickhouse-rights', { place: PLACE, what: `the user ${facts.user} lacks ${right}`, mend }));
  }
  for (const { name, freeBytes, totalBytes } of facts.disks) {
    if (totalBytes === 0 || freeBytes / totalBytes >= LEAST_FREE) continue;
    const what = `${bytesText(freeBytes)} of ${bytesText(totalBytes)} are free`;
    const mend = byHand('Make room or add a disk; a TTL on old months of changes ends what the service can rebuild.');
    found.push(finding('clickhouse-disk', { place: `disk ${name}`, what, mend }));
  }
  return found;
}

function judgeDatabases({ databases }: ClickHouseFacts, wanted: Wanted): Finding[] {
  return databases
    .filter(({ engine }) => !UUID_ENGINES.has(engine))
    .map(({ name, engine }) => {
      const what = `its engine is ${engine}, not Atomic`;
      const mend = shell(`export CH_DATABASE=${wanted.database}_2`);
      return finding('database-not-atomic', { place: `ClickHouse database ${name}`, what, mend });
    });
}

function judgeWindows({ tokened }: ClickHouseFacts, wanted: Wanted): Finding[] {
  return tokened
    .filter(({ window }) => (window ?? 0) < WINDOW)
    .map(({ name, replicated, window }) => {
      const setting = `${replicated ? '' : 'non_'}replicated_deduplication_window`;
      const table = `${wanted.database}_cdc.${quote(name)}`;
      const what = window === null ? `${setting} is not set` : `${setting} is ${String(window)}`;
      const mend = clickhouse(`ALTER TABLE ${table} MODIFY SETTING ${setting} = ${String(WINDOW)};`);
      return finding('deduplication-window', { place: `ClickHouse table ${wanted.database}_cdc.${name}`, what, mend });
    });
}

function judgeOwner({ group }: ClickHouseFacts, wanted: Wanted): Finding[] {
  if (group === null || group === wanted.groupId) return [];
  const what = `it belongs to the group ${group}, and KAFKA_GROUP_ID is ${wanted.groupId}`;
  const mend = shell(`export KAFKA_GROUP_ID=${shellWord(group)}`);
  return [finding('target-other-group', { place: `ClickHouse database ${wanted.database}`, what, mend })];
}

/** Names that two tables want, or that something of other people has. */
export function judgeViewNames(
  tables: readonly TableFacts[],
  objects: ClickHouseFacts['objects'],
  wanted: Wanted,
): Finding[] {
  const foreign = new Set(objects.filter(({ comment }) => !comment.startsWith(OURS)).map(({ name }) => name));
  const takenBy = new Map<string, string>();
  const routes = new Map(wanted.routes);
  const clashes: { place: string; what: string }[] = [];
  for (const table of tables) {
    const source = tableName(table);
    const view = viewName(table, wanted);
    if (view === null) continue;
    const other = takenBy.get(view);
    takenBy.set(view, other ?? source);
    if (other === undefined && !foreign.has(view)) continue;
    routes.set(source, freeName(view, new Set([...foreign, ...takenBy.keys()])));
    const what = `its view's name, ${wanted.database}.${view}, is taken by ${other ?? 'an object that is not ours'}`;
    clashes.push({ place: source, what });
  }
  // One setting for all of them: each names the whole of it.
  const text = [...routes].map(([table, view]) => `${table}=${view ?? 'skip'}`).join(',');
  return clashes.map((clash) =>
    finding('view-name-taken', { ...clash, mend: shell(`export ROUTES=${shellWord(text)}`) }),
  );
}

function freeName(view: string, taken: ReadonlySet<string>): string {
  let n = 2;
  while (taken.has(`${view}_${String(n)}`)) n++;
  return `${view}_${String(n)}`;
}

/** Schema `public` maps to plain names, others to `<schema>_<table>`, unless ROUTES says otherwise; null: skip. */
function viewName(table: TableFacts, wanted: Wanted): string | null {
  const route = wanted.routes.get(tableName(table));
  if (route !== undefined) return route;
  return table.schema === 'public' ? table.name : `${table.schema}_${table.name}`;
}

function quote(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}
