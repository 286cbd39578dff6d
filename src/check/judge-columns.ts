/** Which columns come out other than they are, or not at all, because of what Debezium sends of their types. */
import { tableName } from '../model';
import { byHand, finding, psql, quoted, shell, type ColumnFacts, type Finding, type TableFacts } from './facts';

type Config = Readonly<Record<string, string>>;

/** `config`: of the connector, null where it is not known. */
export function judgeColumns(table: TableFacts, config: Config | null): Finding[] {
  return [...judgeUnsent(table), ...judgeDistorted(table), ...judgeDefaults(table, config)];
}

function judgeUnsent(table: TableFacts): Finding[] {
  const columns = table.columns.filter(({ sent }) => !sent);
  if (columns.length === 0) return [];
  const mend = byHand('Fill a column of type text from it, by a trigger, where it is wanted in ClickHouse.');
  return [
    finding('column-not-sent', { place: tableName(table), what: `Debezium does not send ${named(columns)}`, mend }),
  ];
}

function judgeDistorted(table: TableFacts): Finding[] {
  const columns = table.columns
    .filter(({ sent }) => sent)
    .flatMap((column) => {
      const how = distortion(column);
      return how === null ? [] : [`${column.name} ${column.type}, of which ${how}`];
    });
  if (columns.length === 0) return [];
  const mend = byHand('Where such values occur, give the column a type that is sent as it is, such as text or text[].');
  return [finding('column-distorted', { place: tableName(table), what: `it has ${columns.join('; ')}`, mend })];
}

/** What Debezium 3.7 makes of some values of a type; measured, see docs/types.md. The first that fits counts. */
const DISTORTIONS: readonly (readonly [(column: ColumnFacts) => boolean, string])[] = [
  [({ array, dimensions }) => array && dimensions > 1, 'each inner array is sent as NULL'],
  [({ array, kind }) => array && kind === 'e', 'an array that holds a NULL is sent empty'],
  [({ array, base }) => array && base === 'numeric', 'an array that holds NaN is sent empty'],
  [({ array, base }) => array && base === 'time', 'digits beyond the milliseconds are cut, and 24:00 is sent as 00:00'],
  [({ array, base }) => !array && base === 'name', 'changes are sent as NULL; only snapshots have the value'],
  [({ array, base, modifier }) => !array && base === 'varbit' && modifier !== 1, 'zeros at the left are lost'],
  [({ ancient }) => ancient, 'statistics show days BC, the oldest of which a snapshot sends as the farthest future'],
];

function distortion(column: ColumnFacts): string | null {
  return DISTORTIONS.find(([fits]) => fits(column))?.[1] ?? null;
}

function judgeDefaults(table: TableFacts, config: Config | null): Finding[] {
  if (!/apicurio.*avro/i.test(config?.['value.converter'] ?? '')) return [];
  const columns = table.columns.filter(({ nullableDefault }) => nullableDefault);
  if (columns.length === 0) return [];
  const what = `its columns ${named(columns)} may be NULL and have a DEFAULT, and the converter is Apicurio's`;
  const mend = shell('debezium-clickhouse connectors apply --profile json-schema');
  return [finding('column-null-default', { place: tableName(table), what, mend })];
}

/** Of a table with DEFAULT identity: the columns whose large values are lost when an UPDATE does not change them. */
export function judgeUnmarked(table: TableFacts, config: Config | null): Finding[] {
  const columns = table.columns.filter(
    (column) => table.toastable.includes(column.name) && column.sent && !hasPlaceholder(column, config),
  );
  if (columns.length === 0) return [];
  const what = `its replica identity is DEFAULT, and Debezium has no placeholder for ${named(columns)}`;
  const mend = psql(`ALTER TABLE ${quoted(table)} REPLICA IDENTITY FULL;`);
  return [finding('identity-toast-lost', { place: tableName(table), what, mend })];
}

const MARKED = new Set(
  'text varchar bpchar char citext json jsonb xml tsvector ltree hstore numeric name interval inet cidr'.split(' '),
);
const MARKED_ARRAYS = new Set(['text', 'varchar', 'json', 'jsonb', 'int4', 'int8', 'date', 'uuid']);

/** Debezium 3.7: for every other type it sends NULL, or stops. */
function hasPlaceholder({ base, kind, array }: ColumnFacts, config: Config | null): boolean {
  const binary = config?.['binary.handling.mode'] ?? (config === null ? 'hex' : 'bytes');
  if (base === 'bytea') return array ? binary === 'bytes' : binary === 'bytes' || binary === 'hex';
  if (array) return kind === 'b' && MARKED_ARRAYS.has(base);
  return kind === 'r' || MARKED.has(base);
}

function named(columns: readonly ColumnFacts[]): string {
  return columns.map(({ name, type }) => `${name} (${type})`).join(', ');
}
