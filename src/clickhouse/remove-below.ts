/** TRUNCATE of a source table, in its mirror: its rows vanish from the view at once, and are then deleted. */
import type { TopicPartition } from '../model';
import type { ClickHouse } from './client';
import { quoteName, quoteText, type Databases } from './ddl';
import type { TargetTable } from './insert';

/** What is removed: rows that came from this topic and partition at an offset below `below`. */
export interface Below extends TopicPartition {
  readonly below: number;
}

/** The end of a view's query as `createViewSql` writes it, or as an earlier truncate left it, in ClickHouse's own form. */
const PRESENT_ROWS = /^(.* FINAL WHERE )(?:_sign = 1|\(_sign = 1\) AND \(NOT \(.*\)\))$/s;

function conditionOf({ topic, partition, below }: Below): string {
  return `_topic = ${quoteText(topic)} AND _partition = ${partition} AND _offset < ${below}`;
}

/** The query of a table's view (`system.tables.as_select`) without the rows of `of`; null where it is not of our form. */
export function selectWithout(select: string, of: Below): string | null {
  const head = PRESENT_ROWS.exec(select)?.[1];
  return head === undefined ? null : `${head}_sign = 1 AND NOT (${conditionOf(of)})`;
}

/**
 * Removes the rows of `of` from a mirror, and waits until it is done. May be repeated, and may land late: a row of a
 * later event has a higher offset.
 *
 * ClickHouse deletes part by part, and a row and the row that took it away may lie in different parts: a reader would
 * see rows that were changed long ago come back. So the view leaves the rows out first, in one step. That stays
 * until the view is made anew; by then they are gone.
 */
export async function removeBelow(
  clickhouse: ClickHouse,
  mirror: TargetTable,
  { views }: Databases,
  of: Below,
): Promise<void> {
  const view = mirror.name.replace(/__mirror$/, '');
  const [standing] = await clickhouse.query<{ select: string; comment: string }>(
    `SELECT as_select AS select, comment FROM system.tables WHERE database = ${quoteText(views)} AND name = ${quoteText(view)}`,
  );
  const select = standing === undefined ? null : selectWithout(standing.select, of);
  if (standing !== undefined && select !== null) {
    await clickhouse.command(
      `CREATE OR REPLACE VIEW ${quoteName(views)}.${quoteName(view)} DEFINER = CURRENT_USER SQL SECURITY DEFINER ` +
        `AS ${select} COMMENT ${quoteText(standing.comment)}`,
    );
  }
  await clickhouse.command(
    `DELETE FROM ${quoteName(mirror.database)}.${quoteName(mirror.name)} WHERE ${conditionOf(of)}`,
    { lightweight_deletes_sync: '2' },
  );
}
