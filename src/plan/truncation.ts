/** Whether a TRUNCATE took an event's row away: by offset within a partition, by time and LSN between partitions. */
import type { TopicPartition } from '../model';

/** The last truncate of a table in one partition. */
export interface Truncation extends TopicPartition {
  readonly offset: number;
  /** Microseconds since the epoch: when its transaction committed. */
  readonly tsUs: number;
  /** -1 where Debezium gave none. */
  readonly lsn: number;
}

/** An event that may have been truncated. */
export interface PlacedEvent extends TopicPartition {
  readonly offset: number;
  readonly tsUs: number;
  readonly lsn: number;
}

/**
 * A truncate is one record in one of the topic's partitions. There it takes away what has a lower offset. The events of
 * other partitions are before it or after it by the commit time of their transactions, and within one transaction by
 * LSN: TRUNCATE locks the table against everybody, so transactions on it do not overlap with the truncating one.
 */
export function isTruncated(event: PlacedEvent, truncations: readonly Truncation[]): boolean {
  return truncations.some((one) => {
    if (one.topic === event.topic && one.partition === event.partition) return event.offset < one.offset;
    return event.tsUs < one.tsUs || (event.tsUs === one.tsUs && event.lsn < one.lsn);
  });
}

/** The offset below which a partition's own last truncate takes everything away; -1 where there is none. */
export function ownTruncate(of: TopicPartition, truncations: readonly Truncation[]): number {
  return truncations.find(({ topic, partition }) => topic === of.topic && partition === of.partition)?.offset ?? -1;
}
