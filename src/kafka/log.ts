/** The log as the delivery sees it: assignments and chunks in, positions and commits out. No type of kafkajs leaks. */
import type { ServiceError } from '../errors';
import type { RecordChunk, TopicPartition } from '../model';

/** What the group member tells its owner. Called in order; `onAssigned` synchronously, before the first fetch of the epoch. */
export interface LogListener {
  /** A new generation: everything of earlier epochs is void. All partitions are paused until `start` is called for each. */
  onAssigned(epoch: number, partitions: readonly TopicPartition[]): void;
  /** Records of a started partition. A promise means "no room": it resolves when there is room again. Must not throw. */
  onChunk(chunk: RecordChunk): Promise<void> | null;
  /** Kafka no longer holds the next offset: kafkajs jumped and overwrote the commit. Find the start anew. */
  onOutOfRange(partition: TopicPartition): void;
  /** The member died (broker away, handler bug); it will be made anew after a pause. `attempt` counts from 1 since it last worked. */
  onCrash(error: ServiceError, attempt: number): void;
}

/** One offset to commit. Every commit of ours carries metadata. */
export interface Commit extends TopicPartition {
  readonly offset: number;
  readonly metadata: string;
}

export interface Committed extends TopicPartition {
  /** null when the group has none; kafkajs's −1 and −2 count as none. */
  readonly offset: number | null;
  readonly metadata: string | null;
}

/** A member of the group as the broker knows it. */
export interface GroupMember {
  readonly memberId: string;
  readonly partitions: readonly TopicPartition[];
}

export interface Bounds extends TopicPartition {
  /** The first offset held, and the one after the last. */
  readonly low: number;
  readonly high: number;
}

export interface Log {
  /** Joins the group with these topics; called again with others it leaves and joins anew (a new epoch). */
  subscribe(topics: readonly string[]): Promise<void>;
  /** Begins to deliver an assigned partition at `offset`; ignored when `epoch` is no longer current. */
  start(partition: TopicPartition, offset: number, epoch: number): void;
  /** Stops delivering a partition until the next `start`. */
  halt(partition: TopicPartition): void;
  /**
   * Commits in one request with all others that are ready in this tick. `fenced`: the generation is over, nothing was
   * or will be committed under this epoch. Throws KAFKA_REQUEST_FAILED when there was no answer: then repeat the same words.
   */
  commit(epoch: number, commit: Commit): Promise<'ok' | 'fenced'>;
  committed(partitions: readonly TopicPartition[]): Promise<Committed[]>;
  bounds(topic: string): Promise<Bounds[]>;
  /** The first offset whose record is not older than `ms` since the epoch; the end where there is none. */
  offsetAt(of: TopicPartition, ms: number): Promise<number>;
  topics(): Promise<string[]>;
  /** False until this run delivered its first chunk: kafkajs has no safe way to commit before. */
  canCommit(): boolean;
  /** The current epoch; 0 before the first assignment. */
  epoch(): number;
  /** This member's id in the group; null before the first assignment. */
  memberId(): string | null;
  /** Who has which partitions, by the broker; null while the group is not at rest. */
  members(): Promise<readonly GroupMember[] | null>;
  /** Leaves the group. Idempotent. */
  stop(): Promise<void>;
}
