/** The table of docs/types.md, made of what the test of types saw. */
import { MODES_NAMES, OMITTED_TYPES, type Modes, type StoredValue, type TypeCase } from './type-cases';

/** One type, and what its column is in a mirror. */
export interface SeenType extends TypeCase {
  readonly clickhouse: string;
}

const BEGIN = '<!-- begin: written by the test of types -->';
const END = '<!-- end -->';

/** The page with its table made anew. */
export function withTypes(page: string, seen: readonly SeenType[]): string {
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  return `${before}${BEGIN}\n\n${tableOf(seen)}\n\n${omitted()}\n\n${END}${after}`;
}

function tableOf(seen: readonly SeenType[]): string {
  const rows = seen.map(({ type, clickhouse, values }) => {
    const cells = [code(type), code(clickhouse), clampedOf(values), lostOf(values)];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| PostgreSQL | ClickHouse | clamped | lost before us |', '|---|---|---|---|', ...rows].join('\n');
}

function omitted(): string {
  return `Not sent by Debezium, so not in a mirror: ${OMITTED_TYPES.map(({ type }) => code(type)).join(', ')}.`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function clampedOf(values: readonly StoredValue[]): string {
  return values
    .filter((value) => value.clamped === true)
    .map(({ sql }) => code(short(sql)))
    .join(', ');
}

function lostOf(values: readonly StoredValue[]): string {
  const found: string[] = [];
  for (const { sql, lost = {}, shown } of values) {
    const whens = Object.entries(lost).filter(([, text]) => text !== shown);
    if (whens.length > 0) found.push(`${code(short(sql))} (${whens.map(([when]) => whenText(when)).join(', ')})`);
  }
  return found.join('; ');
}

function whenText(when: string): string {
  if (when === 'always') return 'always';
  if (when === 'stream') return 'unless read by a snapshot';
  if (when === 'snapshot') return 'when read by a snapshot';
  return (MODES_NAMES as readonly string[]).includes(when) ? WORDS[when as Modes] : when;
}

/** The option by which each of the modes loses what it loses. */
const WORDS: Record<Modes, string> = {
  profile: 'our profile',
  defaults: "Debezium's defaults",
  iso: 'isostring',
  connect: 'connect, double',
  nanoseconds: 'nanoseconds',
};

function short(sql: string): string {
  return sql.length <= 40 ? sql : `${sql.slice(0, 18)}…${sql.slice(-8)}`;
}
