/** What a replay was asked for, in words of the command line and of `control`, and what it comes to. */
import type { TopicPartition } from '../model';

export type ReplayFrom =
  | { readonly kind: 'beginning' }
  /** Offsets by `topic:partition`; partitions that are not named are not replayed. */
  | { readonly kind: 'offsets'; readonly offsets: Readonly<Record<string, number>> }
  /** Records from this moment on, ms since the epoch, by their Kafka timestamps. */
  | { readonly kind: 'timestamp'; readonly ms: number };

export interface ReplayRequest {
  readonly from: ReplayFrom;
  /** `schema.table` names; null for every table. */
  readonly tables: readonly string[] | null;
}

/** `topic:partition=offset[,…]`; null where the text has another form. */
export function parseOffsets(text: string): Record<string, number> | null {
  const offsets: Record<string, number> = {};
  for (const part of text.split(',')) {
    const found = /^\s*([A-Za-z0-9._-]+):(\d+)=(\d{1,15})\s*$/.exec(part);
    if (found === null) return null;
    offsets[`${found[1] ?? ''}:${Number(found[2])}`] = Number(found[3]);
  }
  return offsets;
}

/** ISO 8601 with a zone, or milliseconds since the epoch; null where the text is neither. */
export function parseMoment(text: string): number | null {
  if (/^\d{10,15}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d))?$/.test(text)) return null;
  const ms = Date.parse(text.replace(' ', 'T'));
  return Number.isNaN(ms) ? null : ms;
}

/** The topic of a table as Debezium names it: characters a topic cannot have become `_`. */
export function topicOfTable(prefix: string, table: string): string {
  return `${prefix}.${table}`.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 249);
}

/** What Kafka says of a partition that a replay may concern. */
export interface HeldPartition extends TopicPartition {
  /** The first offset held, and the one after the last. */
  readonly low: number;
  readonly high: number;
  /** Where the group stands; null where it never read. */
  readonly committed: number | null;
  /** The first offset at the moment that was asked for; null where none was. */
  readonly atMoment: number | null;
}

/** Offsets [from, to) that a replay reads again. */
export interface ReplayRange extends TopicPartition {
  readonly from: number;
  readonly to: number;
}

/** What is read again, in the order of `held`; partitions with nothing to read are left out. */
export function replayRanges({ from }: ReplayRequest, held: readonly HeldPartition[]): ReplayRange[] {
  const wanted = (of: HeldPartition): number | null => {
    if (from.kind === 'beginning') return of.low;
    return (from.kind === 'timestamp' ? of.atMoment : from.offsets[placeName(of)]) ?? null;
  };
  return held.flatMap((of) => {
    const first = wanted(of);
    if (first === null) return [];
    const start = Math.min(Math.max(first, of.low), of.committed ?? of.high);
    return start < of.high ? [{ topic: of.topic, partition: of.partition, from: start, to: of.high }] : [];
  });
}

/** What was asked for by name and is not in Kafka: `topic:partition` or `schema.table`. */
export function unknownPlaces(
  { from, tables }: ReplayRequest,
  held: readonly TopicPartition[],
  topicPrefix: string,
): string[] {
  const places = new Set(held.map(placeName));
  const topics = new Set(held.map(({ topic }) => topic));
  return [
    ...(from.kind === 'offsets' ? Object.keys(from.offsets).filter((place) => !places.has(place)) : []),
    ...(tables ?? []).filter((table) => !topics.has(topicOfTable(topicPrefix, table))),
  ];
}

/** `topic:partition`. */
export function placeName({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
