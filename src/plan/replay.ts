/** What a replay was asked for, in words of the command line and of `control`. */

export type ReplayFrom =
  | { readonly kind: 'beginning' }
  /** Offsets by `topic:partition`; partitions that are not named are not replayed. */
  | { readonly kind: 'offsets'; readonly offsets: Readonly<Record<string, number>> }
  /** Records from this moment on, ms since the epoch, by their Kafka timestamps. */
  | { readonly kind: 'timestamp'; readonly ms: number };

export interface ReplayRequest {
  readonly from: ReplayFrom;
  /** `schema.table` patterns; null for every table. */
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
