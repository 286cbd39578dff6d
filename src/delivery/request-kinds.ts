/** The kinds of requests, and how a process carries each out: a new kind is a line of `RequestKinds` and one of `KINDS`. */
import { ServiceError } from '../errors';
import type { ReplayRequest } from '../plan/replay';
import type { Delivery } from './delivery';
import type { ForgetRequest } from './forget';
import type { Operations, RetryRequest } from './operations';
import type { RepairRequest } from './repair';
import type { ReplayProgress } from './replay-run';

/** What each kind of request says beside its kind, as it travels through `control` in JSON. */
export interface RequestKinds {
  readonly replay: ReplayRequest;
  /** Build the mirror of `schema.table` anew from `changes`. */
  readonly rebuild: { readonly schema: string; readonly table: string };
  /** Try records of quarantine again. */
  readonly retry: RetryRequest;
  /** Erase keys. */
  readonly forget: ForgetRequest;
  /** Follow the orders to hold, now. */
  readonly hold: object;
  readonly repair: RepairRequest;
}

export type RequestKind = keyof RequestKinds;
export type RequestOf<K extends RequestKind> = { readonly kind: K } & RequestKinds[K];
export type Request = { [K in RequestKind]: RequestOf<K> }[RequestKind];

export interface Answer {
  /** `waiting`: another request is carried out first. `not-mine`: this process owns no partition that it is about. */
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'not-mine';
  /** Why it failed, in words. */
  readonly message?: string;
  readonly progress?: ReplayProgress;
  /** `topic:partition` of what was replayed to its end. */
  readonly replayed?: readonly string[];
  /** What was done, in numbers of the kind's own. */
  readonly counts?: Readonly<Record<string, number>>;
}

/** What a process has to carry requests out with. */
export interface RequestTools {
  readonly delivery: Delivery;
  readonly operations: Operations;
}

/** One kind: whether a request is one that this version knows, and what is done. `carryOut` may throw; it is an answer then. */
interface KindOf<K extends RequestKind> {
  readonly isKnown: (request: Partial<RequestOf<K>>) => boolean;
  readonly carryOut: (
    request: RequestOf<K>,
    tools: RequestTools,
    onProgress: (progress: ReplayProgress) => void,
  ) => Promise<Answer>;
}

const KINDS: { readonly [K in RequestKind]: KindOf<K> } = {
  replay: {
    isKnown: ({ from }) => from !== undefined,
    async carryOut(request, { delivery }, onProgress) {
      const { replayed, ...progress } = await delivery.replay(request, onProgress);
      return { state: 'done', progress, replayed };
    },
  },
  rebuild: {
    isKnown: ({ schema, table }) => schema !== undefined && table !== undefined,
    carryOut: (request, { delivery }) => rebuild(request, delivery),
  },
  retry: {
    isKnown: ({ filter }) => filter !== undefined,
    carryOut: (request, { operations }) => operations.retry(request),
  },
  forget: {
    isKnown: ({ hashes }) => hashes !== undefined,
    carryOut: (request, { operations }) => operations.forget(request),
  },
  hold: {
    isKnown: () => true,
    carryOut: (_, { operations }) => operations.hold(),
  },
  repair: {
    isKnown: ({ schema, table, keys, strays }) =>
      schema !== undefined && table !== undefined && keys !== undefined && strays !== undefined,
    async carryOut(request, { delivery }) {
      const outcome = await delivery.repair(request);
      if (outcome === 'not-mine') return { state: 'not-mine' };
      if (outcome === 'not-mirrored') return notMirrored(request);
      return { state: 'done', counts: { ...outcome } };
    },
  },
};

/** What is asked; null where this version does not know it. */
export function parseRequest(text: string): Request | null {
  try {
    const value = JSON.parse(text) as Partial<Request> | null;
    if (typeof value?.kind !== 'string' || !Object.hasOwn(KINDS, value.kind)) return null;
    return kindOf(value.kind).isKnown(value) ? (value as Request) : null;
  } catch {
    return null;
  }
}

/** Does what is asked and says how it went; does not throw for what a command can be told. */
export async function carryOut(
  request: Request,
  tools: RequestTools,
  onProgress: (progress: ReplayProgress) => void,
): Promise<Answer> {
  try {
    return await kindOf(request.kind).carryOut(request, tools, onProgress);
  } catch (error) {
    return {
      state: 'failed',
      message: error instanceof ServiceError ? error.message : 'an unexpected error; see the log of the service',
    };
  }
}

/** A kind belongs to its own requests only, which the types of a union cannot say. */
function kindOf(kind: RequestKind): KindOf<RequestKind> {
  return KINDS[kind] as unknown as KindOf<RequestKind>;
}

/** The owner of the table's first partition does it. */
async function rebuild({ schema, table }: RequestKinds['rebuild'], delivery: Delivery): Promise<Answer> {
  const failed = (message: string): Answer => ({ state: 'failed', message });
  switch (await delivery.rebuild(schema, table)) {
    case 'rebuilt':
      return { state: 'done' };
    case 'not-mine':
      return { state: 'not-mine' };
    case 'nothing':
      return failed(`changes holds no change of ${schema}.${table}`);
    case 'not-mirrored':
      return notMirrored({ schema, table });
  }
}

function notMirrored({ schema, table }: RequestKinds['rebuild']): Answer {
  return { state: 'failed', message: `${schema}.${table} is not mirrored; the log of the service says why` };
}
