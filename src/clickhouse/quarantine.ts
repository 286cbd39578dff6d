/** What is in quarantine, by groups and record by record, and what became of it. */
import type { ErrorCode } from '../errors';
import type { TopicPartition } from '../model';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './quote';

/** `open`: nobody has dealt with it. The others are written down and never deleted. */
export type QuarantineState = 'open' | Resolution;

/**
 * `applied`: it could be decoded, and is in `changes` and the mirror. `skipped`: it could be decoded, and is no change
 * (or one that settings leave out). `discarded`: a person said that it is not needed. `forgotten`: erased with its key.
 */
export type Resolution = 'applied' | 'skipped' | 'discarded' | 'forgotten';

export interface QuarantineFilter {
  /** `schema.table`, and the topic of that table: an envelope that could not be opened names no table. */
  readonly table: { readonly name: string; readonly topic: string } | null;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly code: string | null;
  /** Set aside at or after this moment, ms since the epoch. */
  readonly sinceMs: number | null;
  readonly place: (TopicPartition & { readonly offset: number }) | null;
  readonly states: 'open' | 'all';
}

export const WHOLE_QUARANTINE: QuarantineFilter = {
  table: null,
  topic: null,
  partition: null,
  code: null,
  sinceMs: null,
  place: null,
  states: 'open',
};

/** Records that went wrong alike. */
export interface QuarantineGroup {
  /** `schema.table`, '' where the envelope could not be opened. */
  readonly table: string;
  readonly topic: string;
  readonly code: ErrorCode;
  readonly column: string;
  readonly state: QuarantineState;
  readonly records: number;
  /** Offsets, of whatever partition. */
  readonly first: string;
  readonly last: string;
  /** When they were set aside, ms since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** One record without its bytes. */
export interface QuarantinedRecord extends TopicPartition {
  readonly offset: number;
  readonly atMs: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly table: string;
  readonly column: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly headerBytes: number;
  /** Of a record whose bytes are not kept, since they may hold what is masked; '' where they are. */
  readonly digest: string;
  readonly state: QuarantineState;
  readonly reason: string;
  readonly who: string;
  readonly resolvedMs: number | null;
}

export interface QuarantinedBytes {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Buffer;
}

/** What is to be written down of a record. */
export interface Resolved extends TopicPartition {
  readonly offset: number;
  readonly atMs: number;
  readonly resolution: Resolution;
  readonly reason: string;
  readonly who: string;
}

export interface Quarantine {
  /** The largest groups first. */
  groups(filter: QuarantineFilter): Promise<QuarantineGroup[]>;
  /** In the order of topic, partition and offset, `limit` at most, from `after` on where it is given. */
  records(
    filter: QuarantineFilter,
    limit: number,
    after?: TopicPartition & { readonly offset: number },
  ): Promise<QuarantinedRecord[]>;
  /** The bytes as they came; empty where `changes` has the record, they are not kept, or it was forgotten. */
  bytes(of: TopicPartition & { readonly offset: number }): Promise<QuarantinedBytes>;
  /** Writes down what became of records; may be repeated. */
  resolve(records: readonly Resolved[]): Promise<void>;
}

const STATE = `if(r.quarantined_at >= q.at, toString(r.resolution), 'open')`;

/** A statement takes about 256 KiB. */
const RECORDS_A_STATEMENT = 1_000;

export function openQuarantine(clickhouse: ClickHouse, machinery: string): Quarantine {
  const quarantine = `${quoteName(machinery)}.quarantine`;
  const resolutions = `${quoteName(machinery)}.quarantine_resolutions`;

  /** Each record once, by its newest row, with its newest decision. */
  const joined = (columns: string, filter: QuarantineFilter, after = ''): string =>
    `SELECT ${columns} FROM (SELECT topic, partition, offset, at, code, message, table, column, digest, if(digest = '', length(key), key_size) AS key_bytes, if(digest = '', length(value), value_size) AS value_bytes, if(digest = '', length(headers), headers_size) AS header_bytes ` +
    `FROM ${quarantine}${whereOf(filter, after)} ORDER BY at DESC LIMIT 1 BY topic, partition, offset) AS q ` +
    `LEFT JOIN (SELECT topic, partition, offset, argMax(resolution, at) AS resolution, argMax(reason, at) AS reason, argMax(who, at) AS who, max(at) AS resolved, argMax(quarantined_at, at) AS quarantined_at ` +
    `FROM ${resolutions} GROUP BY topic, partition, offset) AS r USING (topic, partition, offset)` +
    (filter.states === 'open' ? ` WHERE ${STATE} = 'open'` : '');

  return {
    async groups(filter) {
      const rows = await clickhouse.query<Record<string, string>>(
        `${joined(
          `table, topic, code, column, ${STATE} AS state, count() AS records, min(offset) AS first, max(offset) AS last, toUnixTimestamp64Milli(min(at)) AS first_ms, toUnixTimestamp64Milli(max(at)) AS last_ms`,
          filter,
        )} GROUP BY table, topic, code, column, state ORDER BY records DESC, table, topic, code, column, state`,
      );
      return rows.map((row) => ({
        table: row['table'] ?? '',
        topic: row['topic'] ?? '',
        code: row['code'] as ErrorCode,
        column: row['column'] ?? '',
        state: row['state'] as QuarantineState,
        records: Number(row['records']),
        first: row['first'] ?? '',
        last: row['last'] ?? '',
        firstMs: Number(row['first_ms']),
        lastMs: Number(row['last_ms']),
      }));
    },
    async records(filter, limit, after) {
      const rows = await clickhouse.query<Record<string, string | number>>(
        `${joined(
          `topic, partition, offset, toUnixTimestamp64Milli(q.at) AS at_ms, code, message, table, column, digest, key_bytes, value_bytes, header_bytes, ${STATE} AS state, reason, who, toUnixTimestamp64Milli(resolved) AS resolved_ms`,
          filter,
          after === undefined
            ? ''
            : `(topic, partition, offset) > (${quoteText(after.topic)}, ${after.partition}, ${after.offset})`,
        )} ORDER BY topic, partition, offset LIMIT ${limit}`,
      );
      return rows.map(asRecord);
    },
    async bytes({ topic, partition, offset }) {
      const [row] = await clickhouse.query<{ key: string; value: string; headers: string }>(
        `SELECT hex(key) AS key, hex(value) AS value, hex(headers) AS headers FROM ${quarantine} WHERE topic = ${quoteText(topic)} AND partition = ${partition} AND offset = ${offset} ORDER BY at DESC LIMIT 1`,
      );
      const read = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'hex');
      return { key: read(row?.key), value: read(row?.value), headers: read(row?.headers) };
    },
    async resolve(records) {
      for (let at = 0; at < records.length; at += RECORDS_A_STATEMENT) {
        const values = records
          .slice(at, at + RECORDS_A_STATEMENT)
          .map(
            ({ topic, partition, offset, atMs, resolution, reason, who }) =>
              `(${quoteText(topic)}, ${partition}, ${offset}, fromUnixTimestamp64Milli(${atMs}, 'UTC'), ${quoteText(resolution)}, ${quoteText(reason)}, ${quoteText(who)})`,
          );
        await clickhouse.command(
          `INSERT INTO ${resolutions} (topic, partition, offset, quarantined_at, resolution, reason, who) VALUES ${values.join(', ')}`,
          { max_query_size: '4194304' },
        );
      }
    },
  };
}

function whereOf({ table, topic, partition, code, sinceMs, place }: QuarantineFilter, after: string): string {
  const conditions = [
    ...(table === null
      ? []
      : [`(table = ${quoteText(table.name)} OR (table = '' AND topic = ${quoteText(table.topic)}))`]),
    ...(topic === null ? [] : [`topic = ${quoteText(topic)}`]),
    ...(partition === null ? [] : [`partition = ${partition}`]),
    ...(code === null ? [] : [`code = ${quoteText(code)}`]),
    ...(sinceMs === null ? [] : [`at >= fromUnixTimestamp64Milli(${sinceMs}, 'UTC')`]),
    ...(place === null
      ? []
      : [`topic = ${quoteText(place.topic)} AND partition = ${place.partition} AND offset = ${place.offset}`]),
    ...(after === '' ? [] : [after]),
  ];
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function asRecord(row: Record<string, string | number>): QuarantinedRecord {
  const text = (name: string): string => String(row[name] ?? '');
  const number = (name: string): number => Number(row[name] ?? 0);
  const state = text('state') as QuarantineState;
  return {
    topic: text('topic'),
    partition: number('partition'),
    offset: number('offset'),
    atMs: number('at_ms'),
    code: text('code') as ErrorCode,
    message: text('message'),
    table: text('table'),
    column: text('column'),
    keyBytes: number('key_bytes'),
    valueBytes: number('value_bytes'),
    headerBytes: number('header_bytes'),
    digest: text('digest'),
    state,
    reason: state === 'open' ? '' : text('reason'),
    who: state === 'open' ? '' : text('who'),
    resolvedMs: state === 'open' ? null : number('resolved_ms'),
  };
}
