/** Requests of commands to a running service, through `control`: one writer, so the owners of the partitions carry them out. */
import type { Control } from '../clickhouse/control';
import { ServiceError } from '../errors';
import type { Emit } from '../events';
import type { ReplayRequest } from '../plan/replay';
import type { Delivery } from './delivery';
import { patiently } from './patience';
import type { ReplayProgress } from './replay-run';

export type Request =
  | ({ readonly kind: 'replay' } & ReplayRequest)
  /** Build the mirror of `schema.table` anew from `changes`. */
  | { readonly kind: 'rebuild'; readonly schema: string; readonly table: string };

export interface Answer {
  readonly state: 'running' | 'done' | 'failed' | 'not-mine';
  /** Why it failed, in words. */
  readonly message?: string;
  readonly progress?: ReplayProgress;
}

/** Requests older than this are not carried out: who asked has given up. */
const OLDEST_MS = 60_000;
const LOOK_MS = 2_000;

export function requestName(id: string): string {
  return `request:${id}`;
}

/** Each process of the group answers for itself. */
export function answerName(id: string, processId: string): string {
  return `answer:${id}:${processId}`;
}

export interface RequestHandling {
  readonly control: Control;
  readonly delivery: Delivery;
  /** Names this process among those of the group. */
  readonly processId: string;
  readonly emit: Emit;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Wall clock, ms since the epoch. */
  readonly now: () => number;
}

/** Looks for requests until the signal aborts; carries them out one after the other. */
export async function answerRequests(handling: RequestHandling, signal: AbortSignal): Promise<void> {
  const { control, processId, emit, sleep, now } = handling;
  const handled = new Set<string>();
  while (!signal.aborted) {
    const found = await patiently(() => control.newest('request:'), { signal, emit });
    for (const { name, value, atMs } of found) {
      const id = name.slice('request:'.length);
      if (handled.has(id) || now() - atMs > OLDEST_MS) continue;
      handled.add(id);
      const answer = (value: Answer): Promise<void> => control.set(answerName(id, processId), JSON.stringify(value));
      await answer({ state: 'running' });
      await answer(
        await carryOut(
          JSON.parse(value) as Request,
          handling,
          (progress) => void answer({ state: 'running', progress }).catch(() => undefined),
        ),
      );
    }
    await sleep(LOOK_MS, signal);
  }
}

/** Does what is asked and says how it went; does not throw for what a command can be told. */
export async function carryOut(
  request: Request,
  handling: Omit<RequestHandling, 'control' | 'sleep' | 'now' | 'processId'>,
  onProgress: (progress: ReplayProgress) => void,
): Promise<Answer> {
  try {
    if (request.kind === 'replay')
      return { state: 'done', progress: await handling.delivery.replay(request, onProgress) };
    return await rebuild(request, handling.delivery);
  } catch (error) {
    return {
      state: 'failed',
      message: error instanceof ServiceError ? error.message : 'an unexpected error; see the log of the service',
    };
  }
}

/** Only the owner of every partition of the table may build its mirror anew: nobody else writes to it meanwhile. */
async function rebuild({ schema, table }: { schema: string; table: string }, delivery: Delivery): Promise<Answer> {
  const failed = (message: string): Answer => ({ state: 'failed', message });
  switch (await delivery.rebuild(schema, table)) {
    case 'rebuilt':
      return { state: 'done' };
    case 'not-mine':
      return { state: 'not-mine' };
    case 'nothing':
      return failed(`changes holds no change of ${schema}.${table}`);
    case 'spread':
      return failed(`the partitions of ${schema}.${table} are spread over several processes; stop all but one`);
    case 'not-mirrored':
      return failed(`${schema}.${table} is not mirrored; the log of the service says why`);
  }
}
