/** The versions a source table had, and which of them an event is of: no event tells when a table is altered. */
import { isLater, type SourceColumn, type SourceTable } from '../model';

/** A table as it was from some moment on. */
export interface TableVersion {
  readonly source: SourceTable;
  /** Events at or below this LSN are of the version before. */
  readonly after: number;
  /** Events beyond this LSN are of this version or a later one. */
  readonly by: number;
  /** Rows of incremental snapshots that Debezium sent until then, by its clock, were here before it: they are of the version before. */
  readonly sentUs?: number;
  /**
   * Between these looks the key was made anew of the same columns: an event up to `by` may have been written while it was
   * of others.
   */
  readonly keyRemade?: Pick<TableVersion, 'after' | 'by'>;
}

/** Where an event is in PostgreSQL's log; -1 for null. */
export interface EventPlace {
  readonly lsn: number;
  readonly txId: number;
  /** When a row of an incremental snapshot was sent, by Debezium's clock in microseconds; -1 for all that PostgreSQL sends. */
  readonly sentUs: number;
}

/**
 * No event made a row of an incremental snapshot, so it has neither LSN nor transaction. The last commit that Debezium had
 * passed stands for its LSN: with a signal table it is not before the row was read, without one (`read.only`) it may be.
 */
export function placeOf(event: { lsn: number; commitLsn: number; txId: number; tsUs: number }): EventPlace {
  const { lsn, commitLsn, txId, tsUs } = event;
  return lsn < 0 ? { lsn: commitLsn, txId: -1, sentUs: tsUs } : { lsn, txId, sentUs: -1 };
}

/**
 * How the ids of transactions are understood. ALTER TABLE has its id before it waits for those who write: of an event with
 * a later id it is only likely that it came after.
 */
export type Guess = 'likely' | 'other';

/** Whether the same images give the same rows by both. */
export function isSameVersion(a: SourceTable, b: SourceTable): boolean {
  return versionText(a) === versionText(b);
}

function versionText({ oid = 0, columns, key }: SourceTable): string {
  return JSON.stringify([oid, columns.map(columnText), key]);
}

function columnText({ name, type, base, kind, modifier, array, generated, attnum = 0 }: SourceColumn): string {
  return JSON.stringify([name, type, base, kind, modifier, array, generated, attnum]);
}

/** What is known of a table once it was found to be `source`; the same list when that is no news. Oldest first. */
export function withVersion(
  versions: readonly TableVersion[],
  source: SourceTable,
  seen: Omit<TableVersion, 'source'>,
): readonly TableVersion[] {
  const last = versions.at(-1);
  const known = { ...source, columns: source.columns.map((column) => withPast(column, last?.source, source)) };
  if (last === undefined) return [{ source: known, after: -1, by: -1 }];
  const { after, by } = seen;
  const remade = isKeyRemade(last.source, source) ? { keyRemade: { after, by } } : {};
  if (!isSameVersion(last.source, source)) return [...versions, { source: known, ...seen, ...remade }];
  const { keyIndex } = source;
  if (keyIndex === undefined || keyIndex === last.source.keyIndex) return versions;
  return [...versions.slice(0, -1), { ...last, source: { ...last.source, keyIndex }, ...remade }];
}

/** Whether the key is of the same columns and was another in between: it may have been dropped, or only its index rebuilt. */
function isKeyRemade(before: SourceTable, now: SourceTable): boolean {
  if (before.oid !== now.oid || before.keyIndex === undefined || now.keyIndex === undefined) return false;
  return before.keyIndex !== now.keyIndex && JSON.stringify(before.key) === JSON.stringify(now.key);
}

/** The LSN up to which events may be under a key that no look has seen; -1 for none. */
export function keyUnsureBy(versions: readonly TableVersion[]): number {
  const oid = versions.at(-1)?.source.oid;
  return Math.max(-1, ...versions.map(({ source, keyRemade }) => (source.oid === oid ? (keyRemade?.by ?? -1) : -1)));
}

/**
 * With the version in between whose key an event has shown; the same list where it is known, or nothing tells of it.
 * @param key its columns, in any order
 */
export function withKeyBetween(versions: readonly TableVersion[], key: readonly string[]): readonly TableVersion[] {
  const at = versions.findLastIndex(({ keyRemade }) => keyRemade !== undefined);
  const now = versions[at];
  if (now?.keyRemade === undefined || isKeyKnown(versions, key)) return versions;
  const { source, keyRemade, ...seen } = now;
  if (!key.every((name) => source.columns.some((column) => column.name === name))) return versions;
  const between = { source: { ...source, key: [...key] }, ...keyRemade };
  const isNewHere = seen.by === keyRemade.by;
  return [
    ...versions.slice(0, at),
    ...(isNewHere ? [between, { source, ...seen }] : [{ source, ...seen }, between, { source, ...keyRemade }]),
    ...versions.slice(at + 1),
  ];
}

/** Whether some version of the table has a key of these columns. */
export function isKeyKnown(versions: readonly TableVersion[], key: readonly string[]): boolean {
  const oid = versions.at(-1)?.source.oid;
  return versions.some(({ source }) => source.oid === oid && keyText(source.key) === keyText(key));
}

/** A key's columns as one text, whatever their order. */
export function keyText(names: readonly string[]): string {
  return JSON.stringify([...names].sort());
}

/**
 * The column with what older rows read in it. PostgreSQL forgets that when it rewrites the table, so what was known of the
 * column before stays.
 */
function withPast(column: SourceColumn, before: SourceTable | undefined, now: SourceTable): SourceColumn {
  const { missing, filled, ...rest } = column;
  const same = before !== undefined && before.oid === now.oid;
  const earlier = same ? before.columns.find(({ attnum }) => attnum === column.attnum) : undefined;
  // Of the first version nothing older is known: its columns were there when the rows were made.
  const told = earlier ?? (same ? column : { missing: undefined, filled: undefined });
  const found = told.missing ?? missing;
  return {
    ...rest,
    ...(found === undefined ? {} : { missing: found }),
    ...(told.filled === true && found === undefined ? { filled: true as const } : {}),
  };
}

/**
 * The table as it was for an event. Beyond the LSN by which a version was found it is that one. Between the two looks at
 * the catalogue that found it, each column is as the names in the image tell, else as the transactions tell; so a version
 * that no look has seen is put together of those before and after it.
 * @param fields the names in the event's image
 */
export function tableAt(
  versions: readonly TableVersion[],
  place: EventPlace,
  fields: ReadonlySet<string>,
  guess: Guess = 'likely',
): SourceTable | null {
  for (let index = versions.length - 1; index > 0; index--) {
    const version = versions[index];
    if (version === undefined || isOlder(place, version)) continue;
    if (place.lsn > version.by) return version.source;
    const older = tableAt(versions.slice(0, index), place, fields, guess);
    return older === null ? version.source : between(older, version.source, { place, fields, guess });
  }
  return versions[0]?.source ?? null;
}

function isOlder({ lsn, sentUs }: EventPlace, { after, sentUs: lastUs = -1 }: TableVersion): boolean {
  return sentUs < 0 ? lsn >= 0 && lsn <= after : sentUs <= lastUs;
}

interface Telling {
  readonly place: EventPlace;
  readonly fields: ReadonlySet<string>;
  readonly guess: Guess;
}

/** Whether the event is of a transaction at or after another, by their ids. */
function isSince(xid: number | undefined, { place: { txId }, guess }: Telling): boolean {
  if (xid === undefined || xid === 0 || txId < 0) return true;
  return isLater(xid, txId) === (guess === 'other');
}

function between(older: SourceTable, newer: SourceTable, telling: Telling): SourceTable {
  const { fields } = telling;
  if (older.oid !== newer.oid) return isSince(newer.madeBy, { ...telling, guess: 'likely' }) ? newer : older;
  const columns = newer.columns.flatMap((column) => {
    const before = older.columns.find((one) => isSameColumn(one, column));
    if (before !== undefined && columnText(before) === columnText(column)) return [column];
    const [hasNew, hasOld] = [fields.has(column.name), before !== undefined && fields.has(before.name)];
    const isNew = hasNew === hasOld || before === undefined ? isSince(column.alteredBy, telling) : hasNew;
    return isNew ? [column] : before === undefined ? [] : [before];
  });
  return { ...newer, columns };
}

function isSameColumn(a: SourceColumn, b: SourceColumn): boolean {
  return b.attnum ? a.attnum === b.attnum : a.name === b.name;
}
