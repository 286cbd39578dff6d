/** Reads an image of an earlier version of its table as if the table had been then what it is now. */
import type { SourceColumn, SourceTable } from '../model';
import { skipSpace, skipString, skipValue, textOf } from './json-scan';
import { recast } from './recast';

const OPEN_OBJECT = 0x7b;
const COLON = 0x3a;
const COMMA = 0x2c;

/** The members of an image: name to its JSON text, in their order. Of a malformed image, what was found before the damage. */
export function imageFields(b: Uint8Array, start: number, end: number): Map<string, string> {
  const fields = new Map<string, string>();
  let at = skipSpace(b, start, end);
  if (at >= end || b[at] !== OPEN_OBJECT) return fields;
  do {
    const name = skipSpace(b, at + 1, end);
    const nameEnd = skipString(b, name, end);
    if (nameEnd < 0) return fields;
    const colon = skipSpace(b, nameEnd, end);
    if (colon >= end || b[colon] !== COLON) return fields;
    const value = skipSpace(b, colon + 1, end);
    const after = skipValue(b, value, end);
    if (after < 0) return fields;
    fields.set(textOf(b, name + 1, nameEnd - 1), Buffer.from(b.subarray(value, after)).toString('utf8'));
    at = skipSpace(b, after, end);
  } while (at < end && b[at] === COMMA);
  return fields;
}

/** An image in the terms of the newest version. */
export interface ModernImage {
  readonly bytes: Uint8Array;
  /** Columns whose value cannot be told; they are NULL in `bytes`. */
  readonly unknown: readonly string[];
}

/** A column keeps its number when it is renamed; another column of its name is another column. */
function formerColumn(column: SourceColumn, from: SourceTable): SourceColumn | undefined {
  return from.columns.find((one) => (column.attnum ? one.attnum === column.attnum : one.name === column.name));
}

/**
 * Renames the members, leaves out those of dropped columns, and recasts values whose type was changed. A column that the
 * earlier version lacks stays out: it then reads what PostgreSQL reads in older rows.
 * @param withheld columns whose value is a placeholder, by their names in the image; it is not recast
 */
export function modernise(
  fields: ReadonlyMap<string, string>,
  from: SourceTable,
  to: SourceTable,
  withheld: readonly string[],
): ModernImage {
  const unknown: string[] = [];
  const members: string[] = [];
  for (const column of to.columns) {
    const former = formerColumn(column, from);
    if (former === undefined) {
      if (column.filled === true) unknown.push(column.name);
      continue;
    }
    const raw = fields.get(former.name);
    if (raw === undefined) continue;
    // The hash of a value is the same whatever its type is now.
    const stays = raw === 'null' || withheld.includes(former.name) || column.mask !== undefined;
    const value = stays ? raw : recast(raw, former, column);
    if (value === null) unknown.push(column.name);
    members.push(`${JSON.stringify(column.name)}:${value ?? 'null'}`);
  }
  return { bytes: Buffer.from(`{${members.join(',')}}`, 'utf8'), unknown };
}

/** The names that columns of an earlier version have now; those that are dropped are left out. */
export function modernNames(names: readonly string[], from: SourceTable, to: SourceTable): string[] {
  return to.columns.filter((column) => names.includes(formerColumn(column, from)?.name ?? '')).map(({ name }) => name);
}
