/** Reads what a partition must remember of single keys: from `quarantine` and from `forgotten`. */
import type { TopicPartition } from '../model';
import { MOST_DOUBTFUL, type ForgottenKey, type PartitionMarks } from '../plan/marks';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './quote';

export async function partitionMarks(
  clickhouse: ClickHouse,
  machinery: string,
  { topic, partition }: TopicPartition,
): Promise<PartitionMarks> {
  const at = `topic = ${quoteText(topic)} AND partition = ${partition}`;
  const tableOf = (name: string): string => `${quoteName(machinery)}.${name}`;
  const applied = `SELECT offset, max(quarantined_at) FROM ${tableOf('quarantine_resolutions')} WHERE ${at} AND resolution IN ('applied', 'skipped', 'forgotten') GROUP BY offset`;
  const [doubtful, forgotten] = await Promise.all([
    clickhouse.query<{ table: string; keys: string[]; all: string }>(
      `SELECT table, groupUniqArray(${MOST_DOUBTFUL})(key) AS keys, uniqExact(key) AS all FROM ${tableOf('quarantine')} ` +
        `WHERE ${at} AND key != '' AND isValidUTF8(key) AND (offset, at) NOT IN (${applied}) GROUP BY table`,
    ),
    clickhouse.query<{ table: string; hash: string; salt: string; below: string; lsn: string; commit_lsn: string }>(
      `SELECT concat(schema, '.', table) AS table, key_hash AS hash, salt, below, lsn, commit_lsn FROM ${tableOf('forgotten')} FINAL WHERE ${at}`,
    ),
  ]);
  return {
    doubtful: new Map(
      doubtful.map(({ table, keys, all }) => [table, Number(all) > MOST_DOUBTFUL ? null : new Set(keys)]),
    ),
    forgotten: forgotten.map(({ table, hash, salt, below, lsn, commit_lsn }): ForgottenKey => ({
      table,
      hash,
      salt,
      below: Number(below),
      lsn: Number(lsn),
      commitLsn: Number(commit_lsn),
    })),
  };
}
