/** The part of a partition that Kafka no longer holds but `changes` does: its blocks again, from `changes`. */
import type { AuditRow, LookUps } from '../clickhouse/look-ups';
import type { TopicPartition } from '../model';
import { ChangeBlock } from '../plan/change-block';
import { wireReference } from './table-wires';

const ROWS_A_BLOCK = 20_000;

/** Calls `write` for block after block of [from, to), in offset order. Each block is reused for the next. */
export async function eachBlockOfChanges(
  of: TopicPartition,
  range: { readonly from: number; readonly to: number },
  lookUps: Pick<LookUps, 'rows'>,
  write: (block: ChangeBlock) => Promise<void>,
): Promise<void> {
  const block = new ChangeBlock();
  for (let from = range.from; ; from = block.end) {
    const rows = await lookUps.rows(of, from, range.to, ROWS_A_BLOCK);
    if (rows.length === 0) return;
    block.reset();
    block.stored = true;
    for (const row of upToTruncate(rows)) append(block, row);
    await write(block);
  }
}

/** A truncate is a block of its own. */
function upToTruncate(rows: readonly AuditRow[]): readonly AuditRow[] {
  if (rows[0]?.op === 't') return rows.slice(0, 1);
  const at = rows.findIndex(({ op }) => op === 't');
  return at < 0 ? rows : rows.slice(0, at);
}

function append(block: ChangeBlock, row: AuditRow): void {
  const { source, db, schema, table, key, before, after } = row;
  const bytes = Buffer.from(key + before + after, 'utf8');
  const keyEnd = Buffer.byteLength(key);
  const beforeEnd = keyEnd + Buffer.byteLength(before);
  const range = (start: number, end: number): { start: number; end: number } =>
    start === end ? { start: -1, end: -1 } : { start, end };
  const index = block.tableIndex({ source, db, schema, name: table });
  const wireSchema = block.wireSchemaIndex(wireReference(row.wireId));
  block.append({ ...row, op: row.op.charCodeAt(0), table: index, wireSchema }, bytes, {
    key: range(0, keyEnd),
    before: range(keyEnd, beforeEnd),
    after: range(beforeEnd, bytes.length),
  });
  block.end = row.offset + 1;
}
