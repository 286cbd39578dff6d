/** Takes the next full block while one is written, and prepares it, so that processor and ClickHouse both have work. */
import type { ChangeBlock } from '../plan/change-block';
import type { Ahead } from './ahead';
import type { Past } from './prepare';

export interface ReadAhead {
  /** A block is announced; once it is written, `past` holds. From now on the next full block is taken. */
  readonly begin: (past: Past) => void;
  /** Something may have been gathered. */
  fed(): void;
  /** The block is written: the one that was taken meanwhile, which must be written next; null for none. */
  next(): Promise<Taken | null>;
  /** What was prepared does not hold any more; the block is still the next. */
  spoil(): Promise<void>;
  /** The delivery of these blocks is over. */
  letGo(): void;
}

export interface Taken {
  readonly block: ChangeBlock;
  /** Null: it must be prepared yet. */
  readonly ahead: Ahead | null;
}

/** After one that could not be prepared ahead, so many are not tried: most of their work would be done twice. */
const PASSED_OVER = 8;

export function createReadAhead(
  /** The next full block, taken from those that wait; null for none. */
  take: () => ChangeBlock | null,
  prepare: (block: ChangeBlock, past: Past) => Promise<Ahead | null>,
): ReadAhead {
  let past: Past | null = null;
  let taken: { readonly block: ChangeBlock; ahead: Promise<Ahead | null> } | null = null;
  let passOver = 0;

  const look = (): void => {
    if (past === null || taken !== null) return;
    const block = take();
    if (block !== null) taken = { block, ahead: prepare(block, past) };
  };

  const giveUp = (ahead: Ahead | null): null => {
    ahead?.giveUp();
    return null;
  };

  return {
    begin(then) {
      if (passOver > 0) passOver--;
      else past = then;
      look();
    },
    // Later, so that who feeds sees first that a block is full, and waits until there is room.
    fed: () => queueMicrotask(look),
    async next() {
      past = null;
      if (taken === null) return null;
      const { block } = taken;
      const ahead = await taken.ahead;
      taken = null;
      if (ahead === null) passOver = PASSED_OVER;
      return { block, ahead };
    },
    async spoil() {
      past = null;
      if (taken !== null) taken.ahead = Promise.resolve(giveUp(await taken.ahead));
    },
    letGo() {
      past = null;
      void taken?.ahead.then(giveUp);
      taken = null;
    },
  };
}
