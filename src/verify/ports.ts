/** What verifying needs from PostgreSQL, ClickHouse and Kafka. Implemented where the command is wired. */
import type { TopicPartition } from '../model';

/** A session of PostgreSQL inside one snapshot. */
export interface SourceSession {
  /** Aborted once the session is lost, and the snapshot with it. */
  readonly lost: AbortSignal;
  query<T>(sql: string, params?: readonly unknown[]): Promise<T[]>;
}

export interface MirrorQueries {
  /** Rows of a SELECT; 64-bit integers arrive as strings. */
  query<T>(sql: string): Promise<T[]>;
}

export interface Held extends TopicPartition {
  readonly low: number;
  readonly high: number;
}

/** Some offsets of a partition; `to` null: without end. */
export interface OffsetRange extends TopicPartition {
  readonly from: number;
  readonly to: number | null;
}

export interface SeenRecord extends TopicPartition {
  readonly offset: number;
  /** Empty for a tombstone. Valid until the visit returns. */
  readonly value: Uint8Array;
}

export interface KafkaLooks {
  topics(): Promise<string[]>;
  /** What a topic's partitions hold; `high` is the offset after the last. */
  bounds(topic: string): Promise<Held[]>;
  /** The group's committed offsets; null where it has none. */
  committed(topics: readonly string[]): Promise<(TopicPartition & { offset: number | null })[]>;
  /** How many members the group has now. */
  memberCount(): Promise<number>;
  /**
   * Shows the visible records of some ranges, each partition's in order, until all are read or `visit` returns 'stop'.
   * Control records and aborted transactions are passed over.
   */
  read(
    ranges: readonly OffsetRange[],
    visit: (record: SeenRecord) => 'go on' | 'stop',
    signal: AbortSignal,
  ): Promise<void>;
}

/** How far a verification is; `done` of `total` in steps of the phase, total 0 where it is not known. */
export interface Progress {
  readonly phase:
    'waiting for Kafka' | 'waiting for the consumer' | 'comparing' | 'judging' | 'looking for lost changes';
  readonly table: string;
  readonly done: number;
  readonly total: number;
}
