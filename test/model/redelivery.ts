/** What is sent again, as the service judges it, and what it knows for that from `changes`. */
import { OP } from '../../src/model';
import type { ChangeBlock } from '../../src/plan/change-block';
import type { SnapshotState } from '../../src/plan/mode';
import { isBeyond, judge, needTwins, NO_WATERMARK, type Watermark } from '../../src/plan/position';
import { NO_ROW } from './clickhouse';
import { identityAt, type Kafkalog } from './history';
import type { BlockContext } from './prepare';
import type { Model } from './truth';

/** What is known of a partition before the record `from`, read from `changes` as `lookUps.past` reads it. */
export function pastOf(
  model: Model,
  partition: number,
  from: number,
): { watermark: Watermark; snapshot: SnapshotState } {
  const { rules, history, clickhouse } = model;
  const log = history.logs[partition]!;
  const { count, redelivered } = clickhouse.changes.partitions[partition]!;
  const snapshot = snapshotBefore(log, from, count);
  let mark = from - 1;
  while (mark >= 0 && (count[mark] === 0 || redelivered[mark] === 1 || log.op[mark] === OP.r)) mark--;
  if (mark < 0 || !rules.watermarkRestored) return { watermark: NO_WATERMARK, snapshot };
  const commitLsn = log.commitLsn[mark]!;
  const position = { commitLsn: rules.nullCommitLsn ? commitLsn : Math.max(0, commitLsn), lsn: log.lsn[mark]! };
  const isLevel = (at: number): boolean => {
    if (count[at] === 0 || log.op[at] === OP.r || log.lsn[at] !== position.lsn) return false;
    const other = log.commitLsn[at]!;
    return position.commitLsn < 0 || other < 0 || other === position.commitLsn;
  };
  return { watermark: { position, identities: identitiesOf(log, from, isLevel) }, snapshot };
}

function snapshotBefore(log: Kafkalog, from: number, count: Uint8Array): SnapshotState {
  let state: SnapshotState = { kind: 'empty' };
  for (let at = 0; at < from; at++) {
    if (count[at] === 0) continue;
    const lsn = log.lsn[at]!;
    if (log.op[at] !== OP.r) return { kind: 'mixed' };
    if (state.kind === 'empty') state = { kind: 'one-run', lsn, tsUs: 1 };
    else if (state.lsn !== lsn) return { kind: 'mixed' };
  }
  return state;
}

/** Which records of the block are sent again, by the service's own judgement. */
export function judged(
  model: Model,
  block: ChangeBlock,
  context: BlockContext,
): { redelivered: Uint8Array; after: Watermark } {
  const { rules, history, clickhouse } = model;
  if (!rules.redeliveryByTwin) return judgedByRow(model, block, context);
  if (!rules.lateWithoutTwin) return judgedByPosition(block, context.watermark);
  if (!rules.nullCommitLsn)
    for (let row = 0; row < block.rowCount; row++) block.commitLsns[row] = Math.max(0, block.commitLsns[row]!);
  const wanted = needTwins(block, context.watermark);
  if (wanted.length === 0) return judge(block, context.watermark, new Set());
  const log = history.logs[context.partition]!;
  const { count } = clickhouse.changes.partitions[context.partition]!;
  const lsns = new Set(wanted.map((row) => block.lsn(row)));
  const isTwin = (at: number): boolean => count[at]! > 0 && log.op[at] !== OP.r && lsns.has(log.lsn[at]!);
  return judge(block, context.watermark, identitiesOf(log, context.from, isTwin));
}

/** The identities of the records below `from` that are asked for. */
function identitiesOf(log: Kafkalog, from: number, wanted: (at: number) => boolean): Set<string> {
  const identities = new Set<string>();
  for (let at = 0; at < from; at++) {
    const identity = wanted(at) ? identityAt(log, at) : null;
    if (identity !== null) identities.add(identity);
  }
  return identities;
}

/** Without rule 2: an event is old if the row that stands is as new. */
function judgedByRow(
  { history, clickhouse }: Model,
  block: ChangeBlock,
  { partition, from, watermark }: BlockContext,
): { redelivered: Uint8Array; after: Watermark } {
  const log = history.logs[partition]!;
  const redelivered = new Uint8Array(block.rowCount);
  for (let row = 0; row < block.rowCount; row++) {
    const stands = log.key[from + row]! < 0 ? NO_ROW : clickhouse.mirror.final(log.key[from + row]!);
    const at = log.offset.indexOf(stands.offset);
    if (at < 0 || !block.streamed(row) || log.op[at] === OP.r) continue;
    if (!isBeyond(block.commitLsn(row), block.lsn(row), { commitLsn: log.commitLsn[at]!, lsn: log.lsn[at]! }))
      redelivered[row] = 1;
  }
  return { redelivered, after: watermark };
}

/** Without the second half of rule 4: what is not beyond W is old, twin or not. */
function judgedByPosition(block: ChangeBlock, watermark: Watermark): { redelivered: Uint8Array; after: Watermark } {
  const redelivered = new Uint8Array(block.rowCount);
  let { position } = watermark;
  for (let row = 0; row < block.rowCount; row++) {
    if (!block.streamed(row)) continue;
    if (isBeyond(block.commitLsn(row), block.lsn(row), position))
      position = { commitLsn: block.commitLsn(row), lsn: block.lsn(row) };
    else redelivered[row] = 1;
  }
  return { redelivered, after: { position, identities: new Set() } };
}
