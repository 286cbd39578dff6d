/** For each column an expression of PostgreSQL that gives a value as the text both sides are compared by. */
import type { MirrorColumn } from '../clickhouse/mirror-layout';
import { mirrorType, type WireCodec } from '../clickhouse/mirror-type';
import type { SourceColumn } from '../model';

/** How one column is read from PostgreSQL. */
export interface SourceText {
  /** The value as text, clamped where the mirror clamps; NULL for NULL. Needs the session settings of `SESSION_SETTINGS`. */
  readonly text: string;
  /** True where the mirror holds another value by policy; null for a column where no policy acts. */
  readonly altered: string | null;
}

/** What the expressions and the waiting need, so that neither depends on the role or the database. */
export const SESSION_SETTINGS = [
  `SET LOCAL TimeZone = 'UTC'`,
  `SET LOCAL DateStyle = 'ISO, YMD'`,
  `SET LOCAL extra_float_digits = 1`,
  // With standard strings off a backslash in a quoted name's text would mean something.
  `SET LOCAL standard_conforming_strings = on`,
  // The snapshot is kept while the consumer is waited for.
  `SET LOCAL idle_in_transaction_session_timeout = 0`,
] as const;

/** Forms whose text in the mirror PostgreSQL cannot be made to write. */
const NOT_COMPARED = new Map<WireCodec['form'], string>([
  ['json', 'it is kept as the JSON of Debezium, which PostgreSQL cannot write'],
]);

/** Why a column is not compared; null if it is. */
export function notComparedReason(column: MirrorColumn, source: SourceColumn): string | null {
  if (column.codec.form === 'text' && source.base === 'hstore')
    return 'it is kept as the JSON of Debezium, which PostgreSQL cannot write';
  return NOT_COMPARED.get(column.codec.form) ?? null;
}

/** @param x an expression of the column's type, such as its quoted name */
export function sourceText(column: MirrorColumn, source: SourceColumn, x: string): SourceText {
  if (!column.codec.array) return scalar(column.codec, source, x);
  const { text, altered } = scalar(column.codec, source, 'e');
  const elements =
    `(SELECT coalesce(string_agg(coalesce(octet_length(t) || ':' || t, '~'), '' ORDER BY o), '') ` +
    `FROM (SELECT ${text} AS t, o FROM unnest(${x}) WITH ORDINALITY AS u(e, o)) AS elements)`;
  return {
    text: `CASE WHEN ${x} IS NOT NULL THEN ${elements} END`,
    altered: altered === null ? null : `EXISTS (SELECT 1 FROM unnest(${x}) AS u(e) WHERE ${altered})`,
  };
}

function scalar(codec: WireCodec, source: SourceColumn, x: string): SourceText {
  if (codec.asText) return exact(codec.form === 'decimal' ? `trim_scale(${x}::numeric)::text` : `${x}::text`);
  switch (codec.form) {
    case 'int':
    case 'bool':
    case 'uuid':
    case 'bit':
      return exact(`${x}::text`);
    case 'float':
      return exact(floatText(x, codec.width));
    case 'hex':
      return exact(`encode(${x}, 'hex')`);
    case 'date':
      return clamped(x, 'date', codec.width === 2 ? ['1970-01-01', '2149-06-06'] : ['1900-01-01', '2299-12-31']);
    case 'timestamp':
      return cut(x, codec.scale);
    case 'timestamptz':
      return cut(`(${x} AT TIME ZONE 'UTC')`, codec.scale);
    case 'time':
      return exact(`${x}::text`);
    case 'decimal':
      return decimal(codec, source, x);
    case 'bits':
      // Debezium loses the length of a varbit, so its leading zeros are not in the mirror.
      return codec.width > 0
        ? exact(`${x}::text`)
        : { text: `ltrim(${x}::text, '0')`, altered: `left(${x}::text, 1) = '0'` };
    case 'point':
      return exact(`${floatText(`(${x})[0]`, 8)} || ',' || ${floatText(`(${x})[1]`, 8)}`);
    case 'hstore':
      return exact(hstoreText(x));
    case 'vector':
      return exact(vectorText(x));
    case 'ewkb':
      return exact(`CASE WHEN ${x} IS NOT NULL THEN lower(concat(${x}, '')) END`);
    case 'text':
    case 'json':
      return exact(textOf(source.base, x));
  }
}

const INSTANTS = ['0001-01-01 00:00:00', '9999-12-31 23:59:59.999999'] as const;

function exact(text: string): SourceText {
  return { text, altered: null };
}

/** The bytes of a float: its text differs between the two, -0 and the last bit count. There is one NaN. */
function floatText(x: string, width: number): string {
  return `CASE WHEN ${x} = 'NaN' THEN 'NaN' ELSE encode(float${width}send(${x}), 'hex') END`;
}

function clamped(x: string, type: string, [first, last]: readonly [string, string]): SourceText {
  return {
    // least() and greatest() pass over NULL.
    text: `CASE WHEN ${x} IS NOT NULL THEN least(greatest(${x}, ${type} '${first}'), ${type} '${last}')::text END`,
    altered: `(${x} < ${type} '${first}' OR ${x} > ${type} '${last}')`,
  };
}

/** An instant without its last `digits`, in the range of DateTime64. */
function cut(x: string, digits: number): SourceText {
  if (digits === 0) return clamped(x, 'timestamp', INSTANTS);
  // It leaves infinities as they are.
  const held = `date_trunc('${digits === 3 ? 'milliseconds' : 'second'}', ${x})`;
  const [first, last] = INSTANTS;
  const { altered } = clamped(x, 'timestamp', INSTANTS);
  const end = `date_trunc('${digits === 3 ? 'milliseconds' : 'second'}', timestamp '${last}')`;
  return {
    text: `CASE WHEN ${x} IS NOT NULL THEN least(greatest(${held}, timestamp '${first}'), ${end})::text END`,
    altered: `(${altered ?? 'false'} OR ${held} <> ${x})`,
  };
}

function decimal(codec: WireCodec, source: SourceColumn, column: string): SourceText {
  const { precision, scale } = codec;
  const own = mirrorType(source, false)?.codec;
  const isOwn = own?.precision === precision && own.scale === scale;
  const x = source.base === 'money' ? `(${column}::numeric)` : column;
  if (source.base === 'money' && isOwn) return exact(`trim_scale(${x})::text`);
  const nines = '9'.repeat(Math.max(1, precision - scale));
  const largest = precision === scale ? `0.${'9'.repeat(scale)}` : scale > 0 ? `${nines}.${'9'.repeat(scale)}` : nines;
  const isNaN = `${x} = 'NaN'`;
  // A declared precision holds NaN beside what fits; an infinity only fits a numeric without one.
  if (source.modifier >= 4 && isOwn)
    return { text: `CASE WHEN ${isNaN} THEN '${largest}' ELSE trim_scale(${x})::text END`, altered: isNaN };
  const rounded = `round(${x}, ${scale})`;
  const beyond = `abs(${rounded}) > ${largest}`;
  return {
    text: `CASE WHEN ${x}::text IN ('NaN', 'Infinity') THEN '${largest}' WHEN ${x}::text = '-Infinity' THEN '-${largest}' WHEN ${beyond} THEN CASE WHEN ${x} < 0 THEN '-' ELSE '' END || '${largest}' ELSE trim_scale(${rounded})::text END`,
    altered: `CASE WHEN ${x}::text IN ('NaN', 'Infinity', '-Infinity') THEN true ELSE ${beyond} OR ${rounded} <> ${x} END`,
  };
}

function vectorText(x: string): string {
  return (
    `CASE WHEN ${x} IS NOT NULL THEN (SELECT coalesce(string_agg(${floatText('v', 4)}, ',' ORDER BY o), '') ` +
    `FROM unnest(${x}::real[]) WITH ORDINALITY AS floats(v, o)) END`
  );
}

/** Pairs ordered by the bytes of their keys, each with its length, so that no two values have one text. */
function hstoreText(x: string): string {
  const framed = (part: string): string => `coalesce(octet_length(${part}) || ':' || ${part}, '~')`;
  // The cast to json is found whatever schema the extension is in.
  return (
    `CASE WHEN ${x} IS NOT NULL THEN (SELECT coalesce(string_agg(${framed('p.key')} || ${framed('p.value')}, '' ORDER BY p.key COLLATE "C"), '') ` +
    `FROM json_each_text(${x}::json) AS p) END`
  );
}

/** The text as Debezium sends it: mostly what PostgreSQL's output function writes, which a cast to text is not for all. */
function textOf(base: string, x: string): string {
  switch (base) {
    case 'text':
    case 'varchar':
    case 'citext':
    case 'json':
    case 'jsonb':
      return `${x}::text`;
    case 'interval':
      return intervalText(x);
    case 'timetz':
      return `CASE WHEN ${x}::text = '24:00:00+00' THEN '24:00:00' ELSE (${x} AT TIME ZONE 'UTC')::time::text END || 'Z'`;
    default:
      // char(n) keeps its padding and inet leaves out the length of a host here, and not by a cast.
      return `CASE WHEN ${x} IS NOT NULL THEN concat(${x}, '') END`;
  }
}

function intervalText(x: string): string {
  const part = (field: string): string => `extract(${field} FROM ${x})::int`;
  return (
    `'P' || ${part('year')} || 'Y' || ${part('month')} || 'M' || ${part('day')} || 'DT' || ` +
    `${part('hour')} || 'H' || ${part('minute')} || 'M' || trim_scale(extract(second FROM ${x})::numeric) || 'S'`
  );
}
