/** What a partition does while no block comes: it acknowledges what is written, and rests. */
import type { TopicPartition } from '../model';
import type { Gatherer } from '../pipeline';
import type { Bell } from './bell';
import type { DeliveryPorts } from './ports';
import type { BlockWriter } from './write-block';

export interface Idleness {
  /** A block was written: the time without one begins anew. */
  begin(): void;
  /** A block was written whose end is not acknowledged yet. */
  announced(end: number): void;
  /** Everything below is written. */
  settled(): number;
  /** This was acknowledged by another hand of this process. */
  acknowledged(end: number): void;
  /** The end of the last block written, if it is not acknowledged; else null. */
  unacknowledged(): number | null;
  /** Acknowledges or rests, until `dueAt` at most where a block is open; true when a drained delivery has nothing left to do. */
  spend(dueAt: number): Promise<boolean>;
}

export interface IdlenessOptions {
  readonly of: TopicPartition;
  /** Where the assignment began. */
  readonly from: number;
  /** Whether everything below `from` was acknowledged by a commit of ours. */
  readonly isOurs: boolean;
  readonly gatherer: Gatherer;
  readonly writer: Pick<BlockWriter, 'acknowledge'>;
  readonly ports: Pick<DeliveryPorts, 'log' | 'emit'>;
  readonly idleCommitMs: number;
  readonly isDraining: () => boolean;
  /** Rung when there is something to look at. */
  readonly bell: Bell;
  /** Called with the offset that was acknowledged. */
  readonly onAcknowledged: (offset: number) => void;
}

/** How often a delivery with nothing to do looks whether its epoch is over. */
const LOOK_MS = 1_000;

export function createIdleness({
  of,
  from,
  isOurs,
  gatherer,
  writer,
  ports,
  idleCommitMs,
  isDraining,
  bell,
  onAcknowledged,
}: IdlenessOptions): Idleness {
  let acknowledged = isOurs ? from : -1;
  let since = performance.now();
  let unacknowledged: number | null = null;

  const acknowledge = async (): Promise<void> => {
    const { position } = gatherer;
    await writer.acknowledge(position);
    gatherer.rest();
    ports.emit({ tag: 'position-acknowledged', ...of, offset: position });
    acknowledged = position;
    unacknowledged = null;
    since = performance.now();
    onAcknowledged(position);
  };

  return {
    begin: () => (since = performance.now()),
    announced: (end) => (unacknowledged = end),
    settled: () => unacknowledged ?? Math.max(acknowledged, from),
    acknowledged(end) {
      acknowledged = end;
      unacknowledged = null;
    },
    unacknowledged: () => unacknowledged,
    async spend(dueAt) {
      // What is gathered and in no block yet, because the block may wait for more, is not written.
      const written = !gatherer.redoing && !gatherer.hasOpen && !gatherer.hasFull;
      const behind = written && gatherer.position > acknowledged && ports.log.canCommit();
      const forCommit = behind ? since + idleCommitMs - performance.now() : LOOK_MS;
      if (behind && (isDraining() || forCommit <= 0)) {
        await acknowledge();
        return false;
      }
      if (isDraining()) return true;
      const forBlock = gatherer.hasOpen ? dueAt - performance.now() : LOOK_MS;
      await bell.rest(Math.max(1, Math.min(forBlock, forCommit)));
      return false;
    },
  };
}
