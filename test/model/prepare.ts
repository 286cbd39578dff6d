/** Step 0 of a block in the model: looks at `changes` and the mirror, and computes both inserts. */
import { DEFAULT_PLACEHOLDER, OP } from '../../src/model';
import { MAX_BLOCK_OFFSETS } from '../../src/plan/assignment';
import { ChangeBlock } from '../../src/plan/change-block';
import { appendableReads, chooseMode, type Mode, type SnapshotState } from '../../src/plan/mode';
import { isBeyond, judge, needTwins, NO_WATERMARK, type Watermark } from '../../src/plan/position';
import type { ClickHouse, SignedRow } from './clickhouse';
import { ABSENT, identityAt, keyText, pack, vOf, wOf, type History, type Kafkalog } from './history';
import type { Rules } from './rules';

export interface BlockContext {
  readonly partition: number;
  /** Records [from, to) of the partition's log. */
  readonly from: number;
  readonly to: number;
  /** Announced before, or S ≤ H. */
  readonly seen: boolean;
  /** Written again within its announced bounds. */
  readonly announced: boolean;
  /** H, the highest offset of the partition in `changes` when it was assigned; -1 for none. */
  readonly highest: number;
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
}

export interface Prepared {
  readonly records: readonly number[];
  readonly redelivered: readonly number[];
  readonly signed: readonly SignedRow[];
  /** The offset of the block's truncate, -1 if it is none. */
  readonly below: number;
  readonly mode: Mode;
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
}

export const TABLE = { source: 's', db: 'd', schema: 'public', name: 't' };
const NOTHING = { start: -1, end: -1 };

/** Images in the form they have on the wire; kept, since there are few. */
const images = new Map<string, Uint8Array>();

/** An image as Debezium writes it; '' for none. */
export function imageText(key: number, row: number, withheld: boolean): string {
  return row === ABSENT ? '' : `{"k":${key},"v":"${vOf(row)}","w":"${withheld ? DEFAULT_PLACEHOLDER : wOf(row)}"}`;
}

/** The bytes of a record: key, before and after, one behind the other. */
function bytesOf(log: Kafkalog, at: number): { bytes: Uint8Array; ranges: Parameters<ChangeBlock['append']>[2] } {
  const key = log.key[at]!;
  const before =
    log.op[at] === OP.d && log.before[at] === ABSENT
      ? `{"k":${key},"v":null,"w":null}`
      : imageText(key, log.before[at]!, false);
  const texts = [key < 0 ? '' : keyText(key), before, imageText(key, log.after[at]!, log.withheld[at]!)];
  const all = texts.join('');
  let bytes = images.get(all);
  if (bytes === undefined) images.set(all, (bytes = Buffer.from(all)));
  const [first, second] = [texts[0]!.length, texts[0]!.length + texts[1]!.length];
  const range = (start: number, end: number): { start: number; end: number } =>
    end > start ? { start, end } : NOTHING;
  return { bytes, ranges: { key: range(0, first), before: range(first, second), after: range(second, all.length) } };
}

/** The records [from, to) as the service gathers them. */
export function gather(log: Kafkalog, from: number, to: number, into: ChangeBlock): ChangeBlock {
  into.reset();
  const table = into.tableIndex(TABLE);
  for (let at = from; at < to; at++) {
    const { bytes, ranges } = bytesOf(log, at);
    const [lsn, commitLsn, txId] = [log.lsn[at]!, log.commitLsn[at]!, log.tx[at]!];
    into.append(
      {
        table,
        snapshot: 'false',
        offset: log.offset[at]!,
        op: log.op[at]!,
        tsUs: 1,
        capturedUs: 1,
        lsn,
        commitLsn,
        txId,
        txOrder: -1,
      },
      bytes,
      ranges,
    );
    into.end = log.offset[at]! + 1;
  }
  return into;
}

const scratch = new ChangeBlock();

export interface Model {
  readonly rules: Rules;
  readonly history: History;
  readonly clickhouse: ClickHouse;
}

/** What is known of a partition before the record `from`, read from `changes` as `lookUps.past` reads it. */
export function pastOf(
  { rules, history, clickhouse }: Model,
  partition: number,
  from: number,
): { watermark: Watermark; snapshot: SnapshotState } {
  const log = history.logs[partition]!;
  const { count, redelivered } = clickhouse.changes.partitions[partition]!;
  let mark = -1;
  let runs: SnapshotState = { kind: 'empty' };
  for (let at = 0; at < from; at++) {
    if (count[at] === 0) continue;
    const lsn = log.lsn[at]!;
    if (log.op[at] !== OP.r) {
      if (redelivered[at] === 0) mark = at;
      runs = { kind: 'mixed' };
    } else if (runs.kind === 'empty') runs = { kind: 'one-run', lsn };
    else if (runs.kind === 'one-run' && runs.lsn !== lsn) runs = { kind: 'mixed' };
  }
  if (mark < 0 || !rules.watermarkRestored) return { watermark: NO_WATERMARK, snapshot: runs };
  const commitLsn = log.commitLsn[mark]!;
  const position = { commitLsn: rules.nullCommitLsn ? commitLsn : Math.max(0, commitLsn), lsn: log.lsn[mark]! };
  const identities = new Set<string>();
  for (let at = 0; at < from; at++) {
    if (count[at] === 0 || log.op[at] === OP.r || log.lsn[at] !== position.lsn) continue;
    const commitLsn = log.commitLsn[at]!;
    if (position.commitLsn >= 0 && commitLsn >= 0 && commitLsn !== position.commitLsn) continue;
    const identity = identityAt(log, at);
    if (identity !== null) identities.add(identity);
  }
  return { watermark: { position, identities }, snapshot: runs };
}

/** Which records of the block are sent again, by the service's own judgement. */
function judged(
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
  const twins = new Set<string>();
  for (let at = 0; at < context.from; at++) {
    if (count[at] === 0 || log.op[at] === OP.r || !lsns.has(log.lsn[at]!)) continue;
    const identity = identityAt(log, at);
    if (identity !== null) twins.add(identity);
  }
  return judge(block, context.watermark, twins);
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
    const stands = log.key[from + row]! < 0 ? null : clickhouse.mirror.final(log.key[from + row]!);
    const at = stands === null ? -1 : log.offset.indexOf(stands.offset);
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

/** Looks and computes; writes nothing. */
export function prepare(model: Model, context: BlockContext): Prepared {
  const { rules, history, clickhouse } = model;
  const { partition, from, to, seen } = context;
  const log = history.logs[partition]!;
  const block = gather(log, from, to, scratch);
  const { redelivered, after } = judged(model, block, context);
  const reads = appendableReads(block, context.snapshot);
  const withheld = new Map<number, true>();
  const rows: number[] = [];
  for (let row = 0; row < block.rowCount; row++) {
    if (log.withheld[from + row]) withheld.set(row, true);
    if (block.ops[row] !== OP.t) rows.push(row);
  }
  const appendable = rules.oneRunOfReads ? reads.appendable : new Uint8Array(block.rowCount).fill(1);
  let mode = chooseMode({ block, rows, seen, redelivered, appendable, wholeBefore: history.fullIdentity, withheld });
  if (!rules.redeliveryByTwin && !seen) mode = 'merge';
  const audited = clickhouse.changes.partitions[partition]!.count;
  const lacking: number[] = [];
  for (let at = from; at < to; at++) if (!(seen && rules.seenLookedUp) || audited[at] === 0) lacking.push(at);
  // Blocks follow each other, so all but the last M offsets up to H are in the mirror for certain.
  const end = log.offset[to - 1]! + 1;
  const settled = seen && !context.announced && end <= context.highest + 1 - MAX_BLOCK_OFFSETS && lacking.length === 0;
  const signed = rows.length === 0 || settled ? [] : WAYS[mode](model, context, redelivered);
  const truncate = !settled && block.ops[0] === OP.t && redelivered[0] === 0;
  const below = truncate ? (rules.truncateBelow ? log.offset[from]! : Number.MAX_SAFE_INTEGER) : -1;
  return {
    records: lacking,
    redelivered: lacking.map((at) => redelivered[at - from]!),
    signed,
    below,
    mode,
    watermark: after,
    snapshot: reads.after,
  };
}

type Way = (model: Model, context: BlockContext, redelivered: Uint8Array) => SignedRow[];

const WAYS: Record<Mode, Way> = { append, merge, reconcile };

function append({ history }: Model, { partition, from, to }: BlockContext, redelivered: Uint8Array): SignedRow[] {
  const log = history.logs[partition]!;
  const signed: SignedRow[] = [];
  for (let at = from; at < to; at++) {
    if (redelivered[at - from] === 1) continue;
    const [key, offset] = [log.key[at]!, log.offset[at]!];
    if (log.before[at] !== ABSENT) signed.push({ key, sign: -1, row: log.before[at]!, offset });
    if (log.after[at] !== ABSENT) signed.push({ key, sign: 1, row: log.after[at]!, offset });
  }
  return signed;
}

function merge(
  { history, clickhouse }: Model,
  { partition, from, to }: BlockContext,
  redelivered: Uint8Array,
): SignedRow[] {
  const log = history.logs[partition]!;
  const signed: SignedRow[] = [];
  for (let key = partition; key < history.keys; key += history.partitions) {
    const stands = clickhouse.mirror.final(key);
    let row = stands?.row ?? ABSENT;
    let offset = -1;
    for (let at = from; at < to; at++) {
      if (log.key[at] !== key || redelivered[at - from] === 1) continue;
      const after = log.after[at]!;
      row = log.withheld[at] ? pack(vOf(after), row === ABSENT ? 0 : wOf(row)) : after;
      offset = log.offset[at]!;
    }
    if (offset >= 0 && row !== (stands?.row ?? ABSENT))
      signed.push(...replaced(key, stands?.row ?? ABSENT, row, offset));
  }
  return signed;
}

function replaced(key: number, stands: number, row: number, offset: number): SignedRow[] {
  const signed: SignedRow[] = [];
  if (stands !== ABSENT) signed.push({ key, sign: -1, row: stands, offset });
  if (row !== ABSENT) signed.push({ key, sign: 1, row, offset });
  return signed;
}

function reconcile(model: Model, context: BlockContext, redelivered: Uint8Array): SignedRow[] {
  const { rules, history, clickhouse } = model;
  const { partition, from, to, announced } = context;
  const log = history.logs[partition]!;
  const signed: SignedRow[] = [];
  for (let key = partition; key < history.keys; key += history.partitions) {
    const inHand = log.key.lastIndexOf(key, to - 1);
    if (inHand < from) continue;
    const stands = clickhouse.mirror.final(key);
    const truth = truthOf(model, { ...context, key }, redelivered, stands?.row ?? ABSENT);
    if (truth === null) continue;
    const offset = rules.truthsOffset ? truth.offset : log.offset[inHand]!;
    if (truth.row !== (stands?.row ?? ABSENT) || (rules.redoBurnsToken && announced && stands !== null))
      signed.push(...replaced(key, stands?.row ?? ABSENT, truth.row, offset));
  }
  return signed;
}

/** The row of a key by `changes` and the block together. */
export function truthOf(
  { rules, history, clickhouse }: Model,
  { partition, from, to, key }: { partition: number; from: number; to: number; key: number },
  redelivered: Uint8Array | null,
  stands: number,
): { row: number; offset: number } | null {
  const log = history.logs[partition]!;
  const audited = clickhouse.changes.partitions[partition]!;
  const counts = (at: number): boolean => {
    const inHand = at >= from && at < to && redelivered !== null;
    if (!inHand && audited.count[at] === 0) return false;
    return (inHand ? redelivered[at - from] : audited.redelivered[at]) === 0;
  };
  let truncated = -1;
  let truth = -1;
  for (let at = 0; at < log.key.length; at++) {
    const known = counts(at) || (!rules.truthNotRedelivered && (audited.count[at]! > 0 || (at >= from && at < to)));
    if (!known) continue;
    if (log.op[at] === OP.t) truncated = at;
    else if (log.key[at] === key) truth = at;
  }
  if (truth < 0) return null;
  const offset = log.offset[truth]!;
  if (truncated > truth) return { row: ABSENT, offset };
  const after = log.after[truth]!;
  if (!log.withheld[truth]) return { row: after, offset };
  let w = stands === ABSENT ? 0 : wOf(stands);
  if (!rules.withheldFromEvents) return { row: pack(vOf(after), w), offset };
  const carries = (at: number): boolean =>
    log.key[at] === key && counts(at) && log.after[at] !== ABSENT && !log.withheld[at];
  let carrier = truth - 1;
  while (carrier >= 0 && !carries(carrier)) carrier--;
  if (!rules.newestCarrier)
    for (let at = to - 1; at >= from; at--)
      if (at < truth && carries(at)) {
        carrier = at;
        break;
      }
  if (carrier >= 0) w = wOf(log.after[carrier]!);
  return { row: pack(vOf(after), w), offset };
}
