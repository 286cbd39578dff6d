/** Rows as inserts: the columns that travel, the token, and the order that must be kept. */
import type { GuardedInsert, TargetTable } from '../clickhouse/insert';
import { HASH_COLUMN, isCounted } from '../clickhouse/mirror-layout';
import { quoteText } from '../clickhouse/quote';
import type { TopicPartition } from '../model';
import type { BlockColumns } from '../plan/audit-rows';
import type { SignedRows } from '../plan/mirror-rows';
import type { MirroredTable } from './ports';

/** Signed rows as the columns of a mirror, without `_topic` and `_partition`. */
export function mirrorColumns(signed: SignedRows): BlockColumns {
  const { rows, sign, offset, commitLsn, lsn, commitTs } = signed;
  const columns = rows.columns.map((column, index) => ({ name: rows.shape.columns[index]?.name ?? '', column }));
  const meta = {
    _sign: sign,
    _offset: offset,
    _commit_lsn: commitLsn,
    _lsn: lsn,
    _commit_ts: commitTs,
    _nulls: rows.nulls,
  };
  return {
    columns: [...columns, ...Object.entries(meta).map(([name, column]) => ({ name, column }))],
    rowCount: signed.rowCount,
  };
}

export function insertOf(
  rows: BlockColumns,
  table: TargetTable,
  constants: readonly (readonly [string, string])[],
  token: string,
): GuardedInsert {
  return { table, columns: rows.columns, rowCount: rows.rowCount, constants, token, keepOrderWithin: null };
}

/** An insert into a mirror, where rows with one key must stay in order: −1 before +1, older before newer. */
export function mirrorInsert(
  rows: BlockColumns,
  { layout, target }: Pick<MirroredTable, 'layout' | 'target'>,
  of: TopicPartition,
  token: string,
): GuardedInsert {
  const constants = [
    ['_topic', quoteText(of.topic)],
    ['_partition', String(of.partition)],
  ] as const;
  const key = isCounted(layout) ? [HASH_COLUMN] : layout.key.map((index) => layout.columns[index]?.name ?? '');
  return { ...insertOf(rows, target, constants, token), keepOrderWithin: key };
}
