/** TRUNCATE of a source table, in its mirror: a lightweight delete of what is below it. */
import type { TopicPartition } from '../model';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';
import type { TargetTable } from './insert';

/**
 * Removes the mirror's rows that came from this topic and partition at an offset below `below`, and waits until it is
 * done. May be repeated, and may land late: a row of a later event has a higher offset.
 */
export async function removeBelow(
  clickhouse: ClickHouse,
  mirror: TargetTable,
  of: TopicPartition,
  below: number,
): Promise<void> {
  const where = `_topic = ${quoteText(of.topic)} AND _partition = ${of.partition} AND _offset < ${below}`;
  await clickhouse.command(`DELETE FROM ${quoteName(mirror.database)}.${quoteName(mirror.name)} WHERE ${where}`, {
    lightweight_deletes_sync: '2',
  });
}
