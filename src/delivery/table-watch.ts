/** The part of a process in what the group does with tables beside its blocks: holds still for others, and makes marked mirrors anew. */
import type { Emit } from '../events';
import type { Delivery } from './delivery';
import type { Holder } from './group-leases';
import { patiently } from './patience';

export interface TableWatch {
  readonly delivery: Pick<Delivery, 'rebuildMarked'>;
  readonly holder: Holder;
  readonly emit: Emit;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const LOOK_MS = 1_000;

/** Goes on until the signal aborts, and resolves when nothing is held or made any more. Throws what waiting does not mend. */
export async function watchTables({ delivery, holder, emit, sleep }: TableWatch, signal: AbortSignal): Promise<void> {
  const waiting = { signal, emit };
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  // A rebuild may take long, and holding still for another table must not wait for it.
  const making = (async () => {
    while (!signal.aborted) {
      await patiently(() => delivery.rebuildMarked(), waiting);
      await sleep(LOOK_MS, signal);
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) failed.reject(error);
  });
  try {
    while (!signal.aborted) {
      await Promise.race([failed.promise, patiently(() => holder.look(), waiting)]);
      await sleep(LOOK_MS, signal);
    }
  } finally {
    await Promise.allSettled([making, holder.ended()]);
  }
}
