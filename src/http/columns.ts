/** Turns the images of a change into columns, old and new side by side, each value as the text it was sent as; pure. */
import { skipSpace, skipString, skipValue, textOf } from '../debezium/json-scan';
import type { ChangeRead, QuarantinedRead } from './ports';

export interface ShownColumn {
  readonly name: string;
  /** JSON text, cut where it is long; null: the image does not have the column. */
  readonly before: string | null;
  readonly after: string | null;
  readonly changed: boolean;
}

/** A change as the page gets it. `key` and `columns` are null while values are withheld. */
export interface ShownChange extends Omit<ChangeRead, 'key' | 'before' | 'after' | 'unavailable'> {
  readonly key: string | null;
  readonly columns: readonly ShownColumn[] | null;
  /** Names of the columns that changed, of an update whose old row is known; null where that cannot be told. */
  readonly changed: readonly string[] | null;
}

/** A longer text is cut: one wide row must not make the page heavy. */
const MOST_CHARACTERS = 300;
const MOST_COLUMNS = 100;
/** A key is asked for again by its text, so it is shown whole. */
const LONGEST_KEY = 2_000;

const decoder = new TextDecoder();

export function shownChange(change: ChangeRead, values: 'shown' | 'withheld'): ShownChange {
  const { key, before, after, unavailable, ...rest } = change;
  const columns = columnsOf(before, after, new Set(unavailable));
  const known = change.op === 'u' && before !== '';
  const changed = known ? columns.filter((column) => column.changed).map(({ name }) => name) : null;
  if (values === 'withheld') return { ...rest, key: null, columns: null, changed };
  return { ...rest, key: cut(key, LONGEST_KEY), columns: columns.slice(0, MOST_COLUMNS).map(cutColumn), changed };
}

export type ShownQuarantined = Omit<QuarantinedRead, 'key' | 'value'> & {
  readonly key: string | null;
  readonly value: string | null;
};

export function shownQuarantined(record: QuarantinedRead, values: 'shown' | 'withheld'): ShownQuarantined {
  if (values === 'withheld') return { ...record, key: null, value: null };
  return { ...record, key: cut(record.key), value: cut(record.value) };
}

function columnsOf(before: string, after: string, unavailable: ReadonlySet<string>): ShownColumn[] {
  const old = membersOf(before);
  const fresh = membersOf(after);
  const names = [...new Set([...fresh.keys(), ...old.keys()])];
  return names.map((name) => {
    const was = old.get(name) ?? null;
    // A withheld value did not change; what stands in its place is a placeholder.
    const is = unavailable.has(name) ? was : (fresh.get(name) ?? null);
    return { name, before: was, after: is, changed: before !== '' && after !== '' && was !== is };
  });
}

/** The members of a JSON object as text, in order; empty where it is none. */
function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>();
  const b = new TextEncoder().encode(text);
  const end = b.length;
  let at = skipSpace(b, 0, end);
  if (b[at] !== 0x7b || skipValue(b, at, end) < 0) return members;
  at = skipSpace(b, at + 1, end);
  while (at < end && b[at] !== 0x7d) {
    const nameEnd = skipString(b, at, end);
    const value = skipSpace(b, skipSpace(b, nameEnd, end) + 1, end);
    const valueEnd = skipValue(b, value, end);
    members.set(textOf(b, at + 1, nameEnd - 1), decoder.decode(b.subarray(value, valueEnd)));
    at = skipSpace(b, valueEnd, end);
    if (b[at] === 0x2c) at = skipSpace(b, at + 1, end);
  }
  return members;
}

function cutColumn({ name, before, after, changed }: ShownColumn): ShownColumn {
  return { name, before: before === null ? null : cut(before), after: after === null ? null : cut(after), changed };
}

function cut(text: string, most = MOST_CHARACTERS): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
