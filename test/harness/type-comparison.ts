/** Values of PostgreSQL and of ClickHouse as texts that can be compared, made without any code of the service. */
import type { TypeCase } from './type-cases';

/** `numeric(5,2)[]` is numeric, an array. */
export function kindOf(type: string): { readonly base: string; readonly array: boolean } {
  const array = type.endsWith('[]');
  const base = type
    .replace(/\[\]$/, '')
    .replace(/\(.*\)$/, '')
    .replaceAll('"', '');
  return { base: { cents: 'numeric', money: 'numeric' }[base] ?? base, array };
}

/** The value as PostgreSQL prints it: text, or an array of texts. */
export function inPostgres({ type }: TypeCase, column: string): string {
  const { array } = kindOf(type);
  if (!array) return scalarInPostgres(type, column);
  const element = scalarInPostgres(type.slice(0, -2), 'e');
  return `CASE WHEN ${column} IS NOT NULL THEN to_json(ARRAY(SELECT ${element} FROM unnest(${column}) AS e))::text END`;
}

function scalarInPostgres(type: string, x: string): string {
  if (type === 'money') return `${x}::numeric::text`;
  if (type === 'bytea') return `encode(${x}, 'hex')`;
  if (type === 'hstore') return `hstore_to_json(${x})::text`;
  return type.startsWith('timestamptz') ? `(${x} AT TIME ZONE 'UTC')::text` : `${x}::text`;
}

/** The same of the column of a view. */
export function inClickHouse({ type }: TypeCase, column: string): string {
  const { base, array } = kindOf(type);
  const bytes = base === 'bytea';
  if (array) return `toJSONString(arrayMap(e -> ${bytes ? 'lower(hex(e))' : 'toString(e)'}, ${column}))`;
  if (base === 'hstore') return `toJSONString(${column})`;
  return `toString(${bytes ? `lower(hex(${column}))` : column})`;
}

/** One form for what the two write differently: zeros behind the point, floats, the order of pairs. */
export function normal(type: string, text: string | null): string | null {
  if (text === null) return null;
  const { base, array } = kindOf(type);
  if (array) {
    const elements = JSON.parse(text) as (string | number | null)[];
    return JSON.stringify(elements.map((one) => (one === null ? null : normal(type.slice(0, -2), String(one)))));
  }
  switch (base) {
    case 'numeric':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    case 'float4':
    case 'float8':
      return floatText(text);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
    case 'hstore':
      return JSON.stringify(Object.entries(JSON.parse(text) as object).sort(([a], [b]) => (a < b ? -1 : 1)));
    default:
      return text;
  }
}

function floatText(text: string): string {
  const value = Number(text.replace(/^(-?)inf(inity)?$/i, '$1Infinity').replace(/^nan$/i, 'NaN'));
  return Object.is(value, -0) ? '-0' : String(value);
}

/** What a view shows of NULL: its types of several values have none. */
export function shownNull(type: string): string | null {
  const { base, array } = kindOf(type);
  if (array) return '[]';
  return { hstore: '[]', point: '(0,0)' }[base] ?? null;
}
