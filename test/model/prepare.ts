/** Step 0 of a block in the model: looks at `changes` and the mirror, and computes both inserts. */
import { DEFAULT_PLACEHOLDER, OP } from '../../src/model';
import { MAX_BLOCK_OFFSETS } from '../../src/plan/assignment';
import { ChangeBlock } from '../../src/plan/change-block';
import { appendableReads, chooseMode, type Mode, type SnapshotState } from '../../src/plan/mode';
import { needTwins, type Watermark } from '../../src/plan/position';
import type { SignedRow } from './clickhouse';
import { ABSENT, keyText, pack, vOf, wOf, type Kafkalog } from './history';
import { judged } from './redelivery';
import { truthOf, type Model } from './truth';

export interface BlockContext {
  readonly partition: number;
  /** Records [from, to) of the partition's log. */
  readonly from: number;
  readonly to: number;
  /** Announced before, or S ≤ H. */
  readonly seen: boolean;
  /** Written again within its announced bounds. */
  readonly announced: boolean;
  /** 0; above it what the tokens of the rounds before have not brought is looked for. */
  readonly round: number;
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
  /** Whether ClickHouse was looked at; not said by the service's own step 0. */
  readonly looked?: boolean;
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

/** Looks and computes; writes nothing. */
export function prepare(model: Model, context: BlockContext): Prepared {
  const { rules, history } = model;
  const { partition, from, to, snapshot } = context;
  const log = history.logs[partition]!;
  const block = gather(log, from, to, scratch);
  const { redelivered, after } = judged(model, block, context);
  const reads = appendableReads(block, snapshot);
  const mode = modeOf(model, context, { redelivered, appendable: reads.appendable });
  const lacking = lackingOf(model, context);
  const settled = lacking.length === 0 && isSettled(log, context);
  const truncates = block.ops[0] === OP.t;
  const below = rules.truncateBelow ? log.offset[from]! : Number.MAX_SAFE_INTEGER;
  return {
    records: lacking,
    redelivered: lacking.map((at) => redelivered[at - from]!),
    signed: truncates || settled ? [] : WAYS[mode](model, context, redelivered),
    below: truncates && !settled && redelivered[0] === 0 ? below : -1,
    mode,
    watermark: after,
    snapshot: reads.after,
    looked: context.seen || mode !== 'append' || needTwins(block, context.watermark).length > 0,
  };
}

function modeOf(
  { rules, history }: Model,
  { partition, from, to, seen }: BlockContext,
  { redelivered, appendable }: { redelivered: Uint8Array; appendable: Uint8Array },
): Mode {
  const log = history.logs[partition]!;
  const rows: number[] = [];
  const withheld = new Map<number, true>();
  for (let at = from; at < to; at++) {
    if (log.withheld[at]) withheld.set(at - from, true);
    if (log.op[at] !== OP.t) rows.push(at - from);
  }
  if (!rules.oneRunOfReads) appendable.fill(1);
  const wholeBefore = history.fullIdentity;
  const mode = chooseMode({
    block: scratch,
    rows,
    seen,
    redelivered,
    appendable,
    wholeBefore,
    withheld,
    doubtful: () => false,
  });
  return mode === 'append' && !rules.redeliveryByTwin ? 'merge' : mode;
}

/** Records of the block that `changes` lacks, as far as the service looks. */
function lackingOf({ rules, clickhouse }: Model, { partition, from, to, seen }: BlockContext): number[] {
  const { count } = clickhouse.changes.partitions[partition]!;
  const looks = seen && rules.seenLookedUp;
  const lacking: number[] = [];
  for (let at = from; at < to; at++) if (!looks || count[at] === 0) lacking.push(at);
  return lacking;
}

/** Blocks follow each other, so all but the last M offsets up to H are in the mirror for certain. */
function isSettled(log: Kafkalog, { to, seen, announced, highest }: BlockContext): boolean {
  return seen && !announced && log.offset[to - 1]! + 1 <= highest + 1 - MAX_BLOCK_OFFSETS;
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

function merge(model: Model, context: BlockContext, redelivered: Uint8Array): SignedRow[] {
  const { history, clickhouse } = model;
  const signed: SignedRow[] = [];
  for (let key = context.partition; key < history.keys; key += history.partitions) {
    const stands = clickhouse.mirror.final(key).row;
    const { row, offset } = folded(model, { ...context, key }, redelivered, stands);
    if (offset >= 0 && row !== stands) signed.push(...replaced(key, stands, row, offset));
  }
  return signed;
}

/** What the block's events make of a row, and the offset of the last; -1 if there is none. */
function folded(
  { history }: Model,
  { partition, from, to, key }: BlockContext & { readonly key: number },
  redelivered: Uint8Array,
  stands: number,
): { row: number; offset: number } {
  const log = history.logs[partition]!;
  let row = stands;
  let offset = -1;
  for (let at = from; at < to; at++) {
    if (log.key[at] !== key || redelivered[at - from] === 1) continue;
    const after = log.after[at]!;
    row = log.withheld[at] ? pack(vOf(after), row === ABSENT ? 0 : wOf(row)) : after;
    offset = log.offset[at]!;
  }
  return { row, offset };
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
  const burns = rules.redoBurnsToken && announced && context.round === 0;
  for (let key = partition; key < history.keys; key += history.partitions) {
    const inHand = log.key.lastIndexOf(key, to - 1);
    if (inHand < from) continue;
    const stands = clickhouse.mirror.final(key).row;
    const truth = truthOf(model, { partition, from, to, key, redelivered, stands });
    if (truth === null) continue;
    const offset = rules.truthsOffset ? truth.offset : log.offset[inHand]!;
    if (truth.row !== stands || burns) signed.push(...replaced(key, stands, truth.row, offset));
  }
  return signed;
}
