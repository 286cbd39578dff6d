/** The versions of each source table, remembered in `control`, and how images of earlier ones are read. */
import type { Control } from '../clickhouse/control';
import { nullableType } from '../clickhouse/mirror-type';
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import { isWidened } from '../clickhouse/mirror-plan';
import { imageFields, modernise, modernNames } from '../debezium/earlier-image';
import { isSameType } from '../debezium/recast';
import type { Masking } from '../masking';
import { tableName, type Mask, type SourceColumn, type SourceTable, type TableRef } from '../model';
import {
  isKeyKnown,
  keyText,
  keyUnsureBy,
  tableAt,
  withKeyBetween,
  withVersion,
  type EventPlace,
  type Guess,
  type TableVersion,
} from '../plan/table-versions';

export type Memory = Pick<Control, 'get' | 'set'>;

const NAME = 'versions:';

/**
 * What is remembered of a table, oldest first; nothing is an empty list. The rules may have changed since: what is masked now
 * is so in every version, and no value of it stays in the memory.
 */
export async function readPast(
  memory: Memory,
  table: { schema: string; name: string },
  masking: Pick<Masking, 'source'>,
): Promise<readonly TableVersion[]> {
  const name = `${NAME}${tableName(table)}`;
  const text = await memory.get(name);
  if (text === null) return [];
  const versions = (JSON.parse(text) as TableVersion[]).map((version) => ({
    ...version,
    source: masking.source(version.source),
  }));
  const now = JSON.stringify(versions);
  if (missingIn(now) !== missingIn(text)) await memory.set(name, now);
  return versions;
}

/** The values that are in a text of versions. */
function missingIn(text: string): string {
  return JSON.stringify(
    (JSON.parse(text) as TableVersion[]).map(({ source }) => source.columns.map((one) => one.missing)),
  );
}

/**
 * A column that was renamed is masked under all the names it had if it is so under one: no rename shows what was hidden.
 */
export function inheritMasks(versions: readonly TableVersion[]): readonly TableVersion[] {
  const masks = new Map<string, Mask>();
  const columnOf = ({ oid = 0 }: SourceTable, { attnum = 0 }: SourceColumn): string => `${oid}.${attnum}`;
  for (const { source } of versions)
    for (const column of source.columns)
      if (column.mask !== undefined && column.attnum) masks.set(columnOf(source, column), column.mask);
  if (masks.size === 0) return versions;
  return versions.map(({ source, ...version }) => ({
    ...version,
    source: {
      ...source,
      columns: source.columns.map((column) => {
        const mask = masks.get(columnOf(source, column));
        if (mask === undefined || column.mask !== undefined || !column.attnum) return column;
        const { missing: _, ...rest } = column;
        return { ...rest, mask };
      }),
    },
  }));
}

/** Adds the table as it was found; writes only what is news. `seen`: what tells events of before it from those after. */
export async function rememberVersion(
  memory: Memory,
  source: SourceTable,
  versions: readonly TableVersion[],
  seen: Omit<TableVersion, 'source'>,
): Promise<readonly TableVersion[]> {
  const after = Math.max(seen.after, versions.at(-1)?.by ?? -1);
  const now = withVersion(versions, source, { ...seen, after });
  if (now !== versions) await memory.set(`${NAME}${tableName(source)}`, JSON.stringify(now));
  return now;
}

/** Remembers a key that the table had between two looks, as an event shows it; false where that is no news. */
export async function rememberKey(
  memory: Memory,
  table: TableRef,
  key: readonly string[],
  masking: Pick<Masking, 'source'>,
): Promise<boolean> {
  const versions = await readPast(memory, table, masking);
  const now = withKeyBetween(versions, key);
  if (now !== versions) await memory.set(`${NAME}${tableName(table)}`, JSON.stringify(now));
  return now !== versions;
}

const SENT = 'sent:';

/** Until when, by Debezium's clock, it sent the rows of incremental snapshots of tables that were looked at since. */
export function rememberedSent(memory: Memory): {
  /** -1 for none. */
  read(table: TableRef): Promise<number>;
  remember(table: TableRef, sentUs: number): Promise<void>;
} {
  const known = new Map<string, number>();
  const read = async (name: string): Promise<number> => Number((await memory.get(`${SENT}${name}`)) ?? -1);
  return {
    read: (table) => read(tableName(table)),
    async remember(table, sentUs) {
      const name = tableName(table);
      if (sentUs <= (known.get(name) ?? -1)) return;
      // Another process may have met later ones.
      const last = await read(name);
      if (sentUs > last) await memory.set(`${SENT}${name}`, String(sentUs));
      known.set(name, Math.max(sentUs, last));
    },
  };
}

/** An image as if its table had been then what it is now. */
export interface ReadImage {
  readonly bytes: Uint8Array;
  readonly withheld: readonly string[];
}

/** Reads images of tables that were altered. */
export interface EarlierImages {
  /** Images of events beyond this LSN are of the newest version and need nothing. */
  readonly newestBeyond: number;
  /**
   * The image in the newest version's terms; null when the event is of another table, one that had the name before and was
   * dropped: its rows are gone.
   * @param withheld names of columns whose value is a placeholder
   * @param guess `other` where what is likely could not be read
   */
  read(image: Uint8Array, place: EventPlace, withheld: readonly string[], guess: Guess): ReadImage | null;
  /** The key was changed, or may have been: events of one row are under two keys. */
  readonly rekeyed: boolean;
  /** Whether an event names its row by another key than the table has now; true where nothing tells. */
  isUnderEarlierKey(key: Uint8Array, lsn: number): boolean;
  /** The columns of an earlier key that no look at the catalogue has seen; null for any other. */
  unseenKey(key: Uint8Array): readonly string[] | null;
  /** Columns with how often their value could not be told since the last call. */
  takeUnknown(): ReadonlyMap<string, number>;
  /** All names that a column of the newest version had, its own first. */
  namesOf(column: string): readonly string[];
}

/** Null while there is but one version, with one key. */
export function earlierImages(versions: readonly TableVersion[]): EarlierImages | null {
  const newest = versions.at(-1);
  if (newest === undefined || (versions.length === 1 && newest.keyRemade === undefined)) return null;
  let unknown = new Map<string, number>();
  return {
    newestBeyond: newest.by,
    ...keysOf(versions, newest),
    read(image, place, withheld, guess) {
      const fields = imageFields(image, 0, image.length);
      const then = tableAt(versions, place, new Set(fields.keys()), guess) ?? newest.source;
      if (then.oid !== newest.source.oid) return null;
      if (then === newest.source) return { bytes: image, withheld };
      const modern = modernise(fields, then, newest.source, withheld);
      for (const name of modern.unknown) unknown.set(name, (unknown.get(name) ?? 0) + 1);
      return { bytes: modern.bytes, withheld: modernNames(withheld, then, newest.source) };
    },
    takeUnknown() {
      const taken = unknown;
      unknown = new Map();
      return taken;
    },
    namesOf(column) {
      const attnum = newest.source.columns.find(({ name }) => name === column)?.attnum;
      const former = versions
        .filter(({ source }) => source.oid === newest.source.oid)
        .flatMap(({ source }) => source.columns.filter((one) => attnum && one.attnum === attnum))
        .map(({ name }) => name);
      return [...new Set([column, ...former])];
    },
  };
}

function keysOf(
  versions: readonly TableVersion[],
  newest: TableVersion,
): Pick<EarlierImages, 'rekeyed' | 'isUnderEarlierKey' | 'unseenKey'> {
  const others = versions.filter(({ source }) => isOtherKey(source, newest.source));
  const names = keyText(newest.source.key);
  // A key of the same columns that came to be of other ones, or had other types: between two looks its text tells nothing.
  const last = versions.findLastIndex((version) => others.includes(version));
  const alike = versions.findLastIndex(({ source }, index) => index <= last && keyText(source.key) === names);
  const unsureBy = alike < 0 ? -Infinity : (versions[alike + 1]?.by ?? -Infinity);
  const remadeBy = keyUnsureBy(versions);
  const rekeyed = others.length > 0 || remadeBy >= 0;
  return {
    rekeyed,
    isUnderEarlierKey: (key, lsn) =>
      rekeyed && lsn <= Math.max(newest.by, remadeBy) && (keyText(namesOf(key)) !== names || lsn <= unsureBy),
    unseenKey(key) {
      if (remadeBy < 0) return null;
      const found = namesOf(key);
      return isKeyKnown(versions, found) ? null : found;
    },
  };
}

function namesOf(key: Uint8Array): readonly string[] {
  return [...imageFields(key, 0, key.length).keys()];
}

/** Of one table, whether the same row may have another key as text. */
function isOtherKey(then: SourceTable, now: SourceTable): boolean {
  if (then.oid !== now.oid) return false;
  if (JSON.stringify(then.key) !== JSON.stringify(now.key)) return true;
  return now.key.some((name) => {
    const [before, after] = [then, now].map(({ columns }) => columns.find((column) => column.name === name));
    if (before === undefined || after === undefined) return false;
    const isRead = isSameType(before, after) || (after.base !== 'numeric' && isWidened(before.type, after.type));
    return before.attnum !== after.attnum || !isRead;
  });
}

/**
 * The layout where NULL can stand for a value that nobody can tell: of a column that was added with a default computed for
 * each row, or whose type was changed.
 */
export function withUnknown(layout: MirrorLayout, versions: readonly TableVersion[]): MirrorLayout {
  const newest = versions.at(-1)?.source;
  const mayBeUnknown = (attnum: number): boolean =>
    newest?.columns.some(
      (column) =>
        column.attnum === attnum &&
        column.mask === undefined &&
        (column.filled === true ||
          versions.some(({ source }) =>
            source.columns.some(
              (one) =>
                source.oid === newest.oid &&
                one.attnum === attnum &&
                !isSameType(one, column) &&
                !isWidened(one.type, column.type),
            ),
          )),
    ) ?? false;
  const columns = layout.columns.map((column, index) =>
    column.attnum !== undefined && !layout.key.includes(index) && mayBeUnknown(column.attnum)
      ? { ...column, type: nullableType(column.type) }
      : column,
  );
  return { ...layout, columns };
}

/**
 * What `read` makes of an image of an altered table: as the version that is likely, else as another. 'gone' where the event
 * is of another table that had the name before, null where it cannot be read as any.
 */
export function readByGuess<T>(
  earlier: EarlierImages,
  image: ReadImage,
  place: EventPlace,
  read: (image: ReadImage) => T | null,
): T | 'gone' | null {
  for (const guess of ['likely', 'other'] as const) {
    const then = earlier.read(image.bytes, place, image.withheld, guess);
    if (then === null) return 'gone';
    const found = read(then);
    if (found !== null) return found;
  }
  return null;
}
