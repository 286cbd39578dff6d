/** Hands chunks to a partition's gatherer in their order; one that needs a schema waits for it, and those behind it wait too. */
import type { SchemaRef } from '../debezium/schema-header';
import type { RecordChunk } from '../model';
import type { Gatherer } from '../pipeline';
import { holdChunk } from './kept-records';

export interface FeedOptions {
  /** The gatherer in use; null, or another one, when what waits is to be forgotten. */
  readonly gatherer: () => Gatherer | null;
  /** Resolves once the schema is known, or known to be missing. */
  readonly resolve: (ref: SchemaRef) => Promise<void>;
  /** Something may have been gathered. */
  readonly onFed: () => void;
  /** Resolves when full blocks were taken. */
  readonly room: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface Feed {
  /** Takes a chunk, now or when its turn comes. A promise means no room; it resolves when there is some. */
  take(chunk: RecordChunk): Promise<void> | null;
}

export function createFeed({ gatherer, resolve, onFed, room, onError }: FeedOptions): Feed {
  /** What waits, and for which gatherer. */
  let waiting: { readonly of: Gatherer; readonly until: Promise<void> } | null = null;

  const goOn = async (of: Gatherer, chunk: RecordChunk): Promise<void> => {
    while (gatherer() === of) {
      const needed = of.feed(chunk);
      onFed();
      if (needed === null) {
        if (of.hasFull) await room();
        return;
      }
      await resolve(needed);
    }
  };

  const behind = (of: Gatherer, first: Promise<void>): Promise<void> => {
    const one = { of, until: first.catch(onError) };
    waiting = one;
    return one.until.finally(() => {
      if (waiting === one) waiting = null;
    });
  };

  return {
    take(chunk) {
      const of = gatherer();
      if (of === null) return null;
      const ahead = waiting;
      if (ahead?.of === of) {
        const held = holdChunk(chunk, of.position);
        const turn = ahead.until.then(() => goOn(of, held));
        return behind(of, turn);
      }
      const needed = of.feed(chunk);
      onFed();
      if (needed === null) return of.hasFull ? room() : null;
      const held = holdChunk(chunk, of.position);
      const found = resolve(needed).then(() => goOn(of, held));
      return behind(of, found);
    },
  };
}
