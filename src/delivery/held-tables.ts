/**
 * Shares of blocks that are held out of their mirrors: events of them name rows by a key that the table had before, and what
 * is newer of a row is under another. Once such blocks are passed the mirror is made anew from `changes`, before anything
 * else is announced or acknowledged. So whoever comes after a crash finds the last of them announced, and does the same.
 */
import { isCounted } from '../clickhouse/mirror-layout';
import type { BlockTable } from '../plan/change-block';
import type { LookedAt, TableShare } from './image-reader';
import { MirrorOutdated, type MirroredTable, type Tables } from './ports';

export interface HeldShare {
  readonly table: BlockTable;
  readonly mirrored: MirroredTable;
}

/**
 * The share, if some event of it names its row by another key than the table has now; null if none does. A key that no look at
 * the catalogue has seen is remembered first. Rows that are counted have no key.
 */
export async function heldShare(
  { table, source, rows }: TableShare,
  { block }: Pick<LookedAt, 'block'>,
  tables: Pick<Tables, 'learnKey'>,
): Promise<HeldShare | null> {
  const { earlier, layout } = table;
  if (earlier?.rekeyed !== true || isCounted(layout)) return null;
  const { key } = block;
  const keyOf = (row: number): Uint8Array => key.bytes.subarray(key.start(row), key.end(row));
  const under = rows.filter((row) => earlier.isUnderEarlierKey(keyOf(row), block.place(row).lsn));
  if (under.length === 0) return null;
  for (const row of under) {
    const unseen = earlier.unseenKey(keyOf(row));
    if (unseen === null) continue;
    await tables.learnKey(source, unseen);
    break;
  }
  return { table: source, mirrored: table };
}

/** The mirrors of one partition that lack what was held out of them. */
export interface HeldTables {
  add(shares: readonly HeldShare[]): void;
  /** The first table whose mirror is to be made anew before anything but these shares is announced; null for none. */
  due(but: readonly HeldShare[]): Promise<BlockTable | null>;
}

export function createHeldTables(tables: Pick<Tables, 'open'>): HeldTables {
  /** With the UUID of the mirror that lacks it: one that was made since has all of `changes`. */
  const held = new Map<string, { readonly table: BlockTable; readonly uuid: string }>();
  const lacks = async ({ table, uuid }: { table: BlockTable; uuid: string }): Promise<boolean> => {
    try {
      return (await tables.open(table, { upTo: -1, shownBy: null })).mirrored?.target.uuid === uuid;
    } catch (error) {
      if (error instanceof MirrorOutdated) return true;
      throw error;
    }
  };
  return {
    add(shares) {
      for (const { table, mirrored } of shares) held.set(mirrored.name, { table, uuid: mirrored.target.uuid });
    },
    async due(but) {
      for (const [name, one] of held) {
        if (but.some(({ mirrored }) => mirrored.name === name)) continue;
        if (await lacks(one)) return one.table;
        held.delete(name);
      }
      return null;
    },
  };
}
