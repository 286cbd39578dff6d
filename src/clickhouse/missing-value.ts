/** What older rows read in a column that was added with a default, in the form an image would have it under our profile. */
import type { SourceColumn } from '../model';
import type { WireCodec } from './mirror-type';

/** JSON of a value as `array_to_json` gives it, to JSON as Debezium writes it. */
type Conversion = (json: string, column: SourceColumn) => string | null;

const same: Conversion = (json) => json;
const text = (json: string): string => (json.startsWith('"') ? (JSON.parse(json) as string) : json);

const CONVERSIONS: Partial<Record<WireCodec['form'], Conversion>> = {
  int: same,
  float: same,
  bool: same,
  uuid: same,
  decimal: (json) => JSON.stringify(text(json).replace(/[$,]/g, '')),
  // An interval is written by its parts in an image, a timetz in UTC.
  text: (json, { base }) =>
    ['interval', 'timetz', 'tstzrange'].includes(base)
      ? null
      : base === 'json' || base === 'jsonb'
        ? JSON.stringify(json)
        : json,
  hex: (json) => (text(json).startsWith('\\x') ? JSON.stringify(text(json).slice(2)) : null),
  date: (json) => {
    const days = Date.parse(`${text(json)}T00:00:00Z`) / 86_400_000;
    return Number.isInteger(days) ? String(days) : null;
  },
  timestamp: (json) => micros(text(json), 'Z'),
  timestamptz: (json) => {
    const us = micros(text(json), '');
    return us === null ? null : JSON.stringify(instant(BigInt(us)));
  },
  time: (json) => {
    const [, hours, minutes, seconds, fraction = ''] = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text(json)) ?? [];
    if (hours === undefined) return null;
    const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
    return String(whole * 1_000_000 + Number(fraction.padEnd(6, '0')));
  },
};

/** The JSON text, or null where the value is not to be had from the catalogue. */
export function missingValue(column: SourceColumn, { form, array }: WireCodec): string | null {
  const convert = CONVERSIONS[form];
  if (column.missing === undefined || convert === undefined) return null;
  if (!array) return column.missing === 'null' ? 'null' : convert(column.missing, column);
  const elements = elementsOf(column.missing);
  const converted = elements?.map((element) => (element === 'null' ? element : convert(element, column)));
  return converted === undefined || converted.includes(null) ? null : `[${converted.join(',')}]`;
}

/** The elements of a flat JSON array as texts; null for a nested one. Numbers keep their digits. */
function elementsOf(json: string): string[] | null {
  const inner = /^\[(.*)\]$/s.exec(json)?.[1];
  if (inner === undefined) return null;
  const elements: string[] = [];
  const element = /\s*("(?:[^"\\]|\\.)*"|[^\s",[\]{}]+)\s*(,|$)/gy;
  while (element.lastIndex < inner.length) {
    const found = element.exec(inner);
    if (found === null) return null;
    elements.push(found[1] ?? '');
  }
  return elements;
}

/** Microseconds since the epoch of an ISO 8601 text; `zone` where the text has none. */
function micros(iso: string, zone: string): string | null {
  const [, whole, fraction = '', offset = ''] = /^([^.+]*?)(?:\.(\d+))?([+-]\d\d(?::\d\d)?|Z)?$/.exec(iso) ?? [];
  const ms = Date.parse(`${whole}${/^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset || zone}`);
  if (whole === undefined || Number.isNaN(ms)) return null;
  return String(BigInt(ms) * 1_000n + BigInt(fraction.padEnd(6, '0') || '0'));
}

function instant(us: bigint): string {
  const ms = us >= 0n ? us / 1_000n : -((-us + 999n) / 1_000n);
  const iso = new Date(Number(ms)).toISOString();
  return iso.replace('Z', `${String(us - ms * 1_000n).padStart(3, '0')}Z`);
}
