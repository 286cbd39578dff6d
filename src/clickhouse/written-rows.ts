/** What stands in ClickHouse of one record: its row of `changes`, newer events of its key, and the mirror's rows. */
import type { TopicPartition } from '../model';
import type { MirrorRows } from '../plan/mirror-rows';
import type { ClickHouse } from './client';
import { encodeBlock } from './native';
import { quoteName, quoteText } from './quote';

export interface WrittenChange {
  readonly op: string;
  readonly schema: string;
  readonly table: string;
  readonly ingestedAt: string;
  /** 0 counts, 1 was sent twice, 2 was forgotten. */
  readonly redelivered: number;
  readonly unavailable: readonly string[];
  readonly key: string;
}

/** A row of a mirror with the event that wrote it. */
export interface WrittenRow {
  readonly sign: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly committed: string;
  /** Values by column, as text. */
  readonly values: Readonly<Record<string, unknown>>;
}

export interface WrittenRows {
  change(of: TopicPartition & { readonly offset: number }): Promise<WrittenChange | null>;
  /** The highest offset of an event of the key that is not redelivered; null where there is none. */
  newestOfKey(
    of: TopicPartition & { readonly schema: string; readonly table: string },
    key: string,
  ): Promise<number | null>;
  /** The highest offset in `changes`; null where it has none of the partition. */
  highest(of: TopicPartition): Promise<number | null>;
  /** Whether there is a mirror of that name. */
  stands(mirror: string): Promise<boolean>;
  /** The mirror's rows for the key in row 0 of `images`, as they collapse now. */
  ofKey(mirror: string, images: MirrorRows): Promise<WrittenRow[]>;
}

export function writtenRows(clickhouse: ClickHouse, machinery: string): WrittenRows {
  const changes = `${quoteName(machinery)}.changes`;
  const at = ({ topic, partition }: TopicPartition): string =>
    `topic = ${quoteText(topic)} AND partition = ${partition}`;
  return {
    async change(of) {
      const [row] = await clickhouse.query<WrittenChange>(
        `SELECT op, schema, table, toString(ingested_at) AS ingestedAt, redelivered, unavailable, key FROM ${changes} WHERE ${at(of)} AND offset = ${of.offset}`,
      );
      return row ?? null;
    },
    async newestOfKey(of, key) {
      const [row] = await clickhouse.query<{ newest: string; rows: string }>(
        `SELECT max(offset) AS newest, count() AS rows FROM ${changes} WHERE ${at(of)} AND schema = ${quoteText(of.schema)} AND table = ${quoteText(of.table)} AND key = ${quoteText(key)} AND redelivered = 0`,
      );
      return row === undefined || row.rows === '0' ? null : Number(row.newest);
    },
    async highest(of) {
      const [row] = await clickhouse.query<{ highest: string; rows: string }>(
        `SELECT max(offset) AS highest, count() AS rows FROM ${changes} WHERE ${at(of)}`,
      );
      return row === undefined || row.rows === '0' ? null : Number(row.highest);
    },
    async stands(mirror) {
      const rows = await clickhouse.query(
        `SELECT 1 FROM system.tables WHERE database = ${quoteText(machinery)} AND name = ${quoteText(mirror)}`,
      );
      return rows.length > 0;
    },
    async ofKey(mirror, images) {
      const keys = images.keysOf([0]);
      const named = keys.columns.map((column, index) => ({ name: keys.names[index] ?? '', column }));
      const block = Buffer.concat(encodeBlock(named, 1)).toString('hex');
      const key = keys.names.map(quoteName).join(', ');
      const rows = await clickhouse.query<Record<string, unknown>>(
        `SELECT * FROM ${quoteName(machinery)}.${quoteName(mirror)} FINAL WHERE (${key}) IN (SELECT ${key} FROM format(Native, unhex(${quoteText(block)})))`,
      );
      return rows.map(({ _sign, _topic, _partition, _offset, _commit_ts, ...values }) => ({
        sign: Number(_sign),
        topic: String(_topic),
        partition: Number(_partition),
        offset: Number(_offset),
        committed: String(_commit_ts),
        values: Object.fromEntries(Object.entries(values).filter(([name]) => !META.has(name))),
      }));
    },
  };
}

const META = new Set(['_commit_lsn', '_lsn', '_nulls']);
