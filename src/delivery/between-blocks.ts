/** Work of a partition's owner beside its blocks: it is done between two of them, one after the other. */
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import type { Past } from './prepare';
import { Reassign, type BlockWriter } from './write-block';

/** What such work stands on. Nothing else of this partition is written meanwhile. */
export interface BetweenBlocks {
  readonly of: TopicPartition;
  readonly writer: BlockWriter;
  /** What is known of the partition now. */
  readonly past: Past;
  /** Everything below this offset is written. */
  readonly settled: number;
  /** Aborted when the assignment is over. */
  readonly signal: AbortSignal;
  /**
   * Call it before rows of older offsets are written: from here on a later owner waits until nothing of them can land any
   * more. Throws REQUEST_FAILED where nothing can be committed yet.
   */
  readonly begin: () => Promise<void>;
}

export type Work<T> = (at: BetweenBlocks) => Promise<T>;

/** How long it may take until kafkajs has a batch to commit by. */
const READY_MS = 30_000;
const LOOK_MS = 200;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface WorkQueue {
  readonly waiting: boolean;
  /** Resolves with what the work returned. Throws what it throws, and REQUEST_FAILED when the partition moves before. */
  add<T>(work: Work<T>): Promise<T>;
  /** Does what waits. True if rows may have been written. Throws `Reassign` when the owner must look at everything anew. */
  doAll(at: Omit<BetweenBlocks, 'begin'>, canCommit: () => boolean): Promise<boolean>;
  /** Nothing more is done: who waits is told. */
  close(): void;
}

interface Waiting {
  readonly run: Work<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export function createWorkQueue(onAdded: () => void): WorkQueue {
  let queue: Waiting[] = [];
  let closed = false;
  return {
    get waiting() {
      return queue.length > 0;
    },
    add<T>(work: Work<T>) {
      if (closed) return Promise.reject(moved());
      return new Promise<T>((resolve, reject) => {
        queue.push({ run: work, resolve: resolve as (result: unknown) => void, reject });
        onAdded();
      });
    },
    async doAll(at, canCommit) {
      const settling = { begun: false };
      const begin = async (): Promise<void> => {
        if (settling.begun) return;
        for (const until = performance.now() + READY_MS; !canCommit(); await pause(LOOK_MS)) {
          if (performance.now() > until) throw notYet(at.of);
        }
        await at.writer.settle(at.settled);
        settling.begun = true;
      };
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        try {
          next.resolve(await next.run({ ...at, begin }));
        } catch (error) {
          next.reject(error instanceof Reassign ? moved() : error);
          if (error instanceof Reassign) throw error;
        }
      }
      if (settling.begun) await at.writer.acknowledge(at.settled);
      return settling.begun;
    },
    close() {
      closed = true;
      for (const { reject } of queue) reject(moved());
      queue = [];
    },
  };
}

function moved(): ServiceError {
  return new ServiceError(
    'REQUEST_FAILED',
    'A partition moved to another process, or was looked at anew, before it was done.',
    {
      hint: 'Ask again: what was done is not done twice.',
    },
  );
}

function notYet({ topic, partition }: TopicPartition): ServiceError {
  return new ServiceError(
    'REQUEST_FAILED',
    `The service has read nothing from Kafka yet, so ${topic}:${partition} cannot be marked.`,
    {
      place: { topic, partition },
      hint: 'Ask again once a record has arrived; a heartbeat of the connector is enough.',
    },
  );
}
