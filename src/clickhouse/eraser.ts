/** Erases the events of keys from ClickHouse's tables. Statements carry hashes only: ClickHouse keeps what it was told. */
import type { TopicPartition } from '../model';
import type { ClickHouse } from './client';
import type { TargetTable } from './insert';
import { quoteName, quoteText } from './quote';

/** Keys of a table in one partition, by the hashes of their text. */
export interface ErasedKeys extends TopicPartition {
  readonly schema: string;
  readonly table: string;
  readonly salt: string;
  /** Hex of SHA-256 of salt and key. */
  readonly hashes: readonly string[];
  /** Events below this offset. */
  readonly below: number;
}

/** What `changes` has of some keys of a partition. */
export interface KeyPast extends TopicPartition {
  readonly events: number;
  readonly first: number;
  readonly last: number;
  /** When the newest of them was committed, ms since the epoch. */
  readonly lastMs: number;
  /** Keys whose newest event that counts is no delete, and no truncate followed. */
  readonly living: number;
}

export interface Marker extends Omit<ErasedKeys, 'hashes'> {
  readonly hash: string;
  /** The partition's position then; -1 for none. */
  readonly lsn: number;
  readonly commitLsn: number;
  readonly events: number;
  readonly who: string;
  readonly state: 'begun' | 'done';
}

export interface Eraser {
  /** The partitions in which `changes` or `quarantine` have something of the keys. */
  places(of: Pick<ErasedKeys, 'schema' | 'table' | 'salt' | 'hashes'>): Promise<TopicPartition[]>;
  /** Where events of the keys are, partition by partition. `below`: of no matter which offset, where it is left out. */
  pasts(of: Pick<ErasedKeys, 'schema' | 'table' | 'salt' | 'hashes'>): Promise<KeyPast[]>;
  mark(markers: readonly Marker[]): Promise<void>;
  /** Deletes the mirror's rows that these events wrote, from disk. Call it before `changes` is emptied. */
  fromMirror(keys: ErasedKeys, mirror: TargetTable): Promise<void>;
  /** Empties bytes in quarantine; returns how many records. */
  fromQuarantine(keys: ErasedKeys, who: string): Promise<number>;
  /** Empties key and images in `changes`; address, op and position stay. */
  fromChanges(keys: ErasedKeys): Promise<void>;
}

/** Waits until every part was rewritten: what the answer says is erased must be so. */
const SYNC = { mutations_sync: '2', log_queries: 0 } as const;

export function openEraser(clickhouse: ClickHouse, machinery: string): Eraser {
  const table = (name: string): string => `${quoteName(machinery)}.${name}`;
  const hashed = (of: Pick<ErasedKeys, 'salt' | 'hashes'>, key = 'key'): string =>
    `hex(SHA256(concat(${quoteText(of.salt)}, ${key}))) IN (${of.hashes.map(quoteText).join(', ')})`;
  const at = ({ topic, partition, below }: Pick<ErasedKeys, 'topic' | 'partition' | 'below'>): string =>
    `topic = ${quoteText(topic)} AND partition = ${partition} AND offset < ${below}`;
  const ofTable = (of: Pick<ErasedKeys, 'schema' | 'table'>): string =>
    `schema = ${quoteText(of.schema)} AND table = ${quoteText(of.table)}`;
  const events = (keys: ErasedKeys): string =>
    `SELECT offset FROM ${table('changes')} WHERE ${at(keys)} AND ${ofTable(keys)} AND key != '' AND ${hashed(keys)}`;
  return {
    places: (of) =>
      clickhouse.query<{ topic: string; partition: number }>(
        `SELECT DISTINCT topic, partition FROM (SELECT topic, partition, key FROM ${table('changes')} WHERE ${ofTable(of)} ` +
          `UNION ALL SELECT topic, partition, key FROM ${table('quarantine')} WHERE table = ${quoteText(`${of.schema}.${of.table}`)}) WHERE key != '' AND ${hashed(of)}`,
      ),
    async pasts(of) {
      const rows = await clickhouse.query<Record<string, string | number>>(
        `SELECT topic, partition, sum(events) AS events, min(first) AS first, max(last) AS last, max(last_ms) AS last_ms, countIf(newest_op != 'd' AND newest > truncated) AS living FROM (` +
          `SELECT topic, partition, key, count() AS events, min(offset) AS first, max(offset) AS last, toUnixTimestamp64Milli(max(ts)) AS last_ms, ` +
          `argMaxIf(op, offset, redelivered = 0) AS newest_op, maxIf(toInt64(offset), redelivered = 0) AS newest ` +
          `FROM ${table('changes')} WHERE ${ofTable(of)} AND key != '' AND ${hashed(of)} GROUP BY topic, partition, key) AS keys ` +
          `LEFT JOIN (SELECT topic, partition, max(toInt64(offset)) AS truncated FROM ${table('changes')} WHERE ${ofTable(of)} AND op = 't' AND redelivered = 0 GROUP BY topic, partition) AS truncates USING (topic, partition) ` +
          `GROUP BY topic, partition ORDER BY topic, partition`,
      );
      return rows.map((row) => ({
        topic: String(row['topic']),
        partition: Number(row['partition']),
        events: Number(row['events']),
        first: Number(row['first']),
        last: Number(row['last']),
        lastMs: Number(row['last_ms']),
        living: Number(row['living']),
      }));
    },
    async mark(markers) {
      const values = markers.map(
        (of) =>
          `(${[of.schema, of.table, of.topic].map(quoteText).join(', ')}, ${of.partition}, ${quoteText(of.hash)}, ${quoteText(of.salt)}, ${of.below}, ${of.lsn}, ${of.commitLsn}, ${of.events}, ${quoteText(of.who)}, ${quoteText(of.state)})`,
      );
      await clickhouse.command(
        `INSERT INTO ${table('forgotten')} (schema, table, topic, partition, key_hash, salt, below, lsn, commit_lsn, events, who, state) VALUES ${values.join(', ')}`,
      );
    },
    async fromMirror(keys, mirror) {
      await clickhouse.command(
        `ALTER TABLE ${quoteName(mirror.database)}.${quoteName(mirror.name)} DELETE WHERE _topic = ${quoteText(keys.topic)} AND _partition = ${keys.partition} AND _offset IN (${events(keys)})`,
        SYNC,
      );
    },
    async fromQuarantine(keys, who) {
      const where = `${at(keys)} AND (table = ${quoteText(`${keys.schema}.${keys.table}`)} OR table = '') AND ((key != '' AND ${hashed(keys)}) OR offset IN (${events(keys)}))`;
      const held = await clickhouse.query<{ offset: string }>(
        `SELECT DISTINCT offset FROM ${table('quarantine')} WHERE ${where}`,
      );
      if (held.length === 0) return 0;
      await clickhouse.command(
        `INSERT INTO ${table('quarantine_resolutions')} (topic, partition, offset, quarantined_at, resolution, reason, who) ` +
          `SELECT topic, partition, offset, max(at), 'forgotten', '', ${quoteText(who)} FROM ${table('quarantine')} WHERE ${where} GROUP BY topic, partition, offset`,
      );
      await clickhouse.command(
        `ALTER TABLE ${table('quarantine')} UPDATE key = '', value = '', headers = '' WHERE ${where}`,
        SYNC,
      );
      return held.length;
    },
    async fromChanges(keys) {
      await clickhouse.command(
        `ALTER TABLE ${table('changes')} UPDATE redelivered = 2, key = '', before = '', after = '' WHERE ${at(keys)} AND ${ofTable(keys)} AND key != '' AND ${hashed(keys)}`,
        SYNC,
      );
    },
  };
}
