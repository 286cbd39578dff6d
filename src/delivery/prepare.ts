/** Step 0 of a block: look first, decide, and compute every insert before anything is announced. Writes nothing. */
import type { GuardedInsert, TargetTable } from '../clickhouse/insert';
import { isCounted } from '../clickhouse/mirror-layout';
import { ForeignColumns } from '../clickhouse/native';
import { quoteText } from '../clickhouse/quote';
import { withheldColumns } from '../debezium/withheld';
import type { BlockMode } from '../events';
import { OP } from '../model';
import type { PolicyUse } from '../column-rules';
import { MAX_BLOCK_OFFSETS } from '../plan/assignment';
import { auditRows, FORGOTTEN, quarantineRows, type AuditRows, type BlockColumns } from '../plan/audit-rows';
import { workspaceOf } from '../plan/block-workspace';
import { eventIdentity, type BadRecord, type BlockTable, type ChangeBlock } from '../plan/change-block';
import { isDoubtful, type PartitionMarks } from '../plan/marks';
import { appendableReads, chooseMode, type Mode, type SnapshotState } from '../plan/mode';
import { judge, needTwins, type Watermark } from '../plan/position';
import { withheldRows } from '../plan/withheld-rows';
import { describeBad } from './bad-record';
import { markForgotten, withoutForgotten } from './forgotten-rows';
import { heldShare, type HeldShare } from './held-tables';
import type { LookedAt, TableShare } from './image-reader';
import { buildCounted, countedFrom } from './keyless';
import { openMasked } from './mask-late';
import { buildShare, type Built } from './mirror-block';
import { insertOf, mirrorColumns, mirrorInsert } from './mirror-insert';
import { rejectedIn } from './policy-uses';
import type { DeliveryLimits, DeliveryPorts, MirroredTable, OpenTable, RowWire, TableNeed } from './ports';

/** What is known of a partition from the blocks before. */
export interface Past {
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
  readonly marks: PartitionMarks;
  /** H when the partition was assigned; -1 when `changes` had nothing of it. */
  readonly highest: number;
}

/** What the delivery knows of a partition when it prepares a block. */
export interface BlockContext extends Past {
  readonly topic: string;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  /** `ingested_at`, ms since the epoch. */
  readonly at: number;
  /** S ≤ H, or announced before: what stands in ClickHouse is looked at first. */
  readonly seen: boolean;
  /** Written again within its announced bounds. */
  readonly announced: boolean;
  /** 0; above it what the tokens of the rounds before have not brought is written under others. */
  readonly round: number;
  /** `changes` and `quarantine` as they stand. */
  readonly changes: TargetTable;
  readonly quarantine: TargetTable;
}

export interface Truncate {
  readonly table: MirroredTable;
  /** The offset of the truncate's record. */
  readonly below: number;
}

export interface Prepared {
  readonly inserts: readonly GuardedInsert[];
  /** Mirrors to empty of what is below a truncate. */
  readonly truncates: readonly Truncate[];
  /** The block was looked up before: it may take longer to write. */
  readonly seen: boolean;
  readonly modes: readonly { readonly table: string; readonly mode: BlockMode }[];
  /** Left out of their mirrors, which are to be made anew for that. */
  readonly held: readonly HeldShare[];
  /** What goes to quarantine now. */
  readonly bad: readonly BadRecord[];
  /** Those, and what is there already. */
  readonly unread: readonly BadRecord[];
  /** Values of the block that did not fit their columns. */
  readonly policies: readonly PolicyUse[];
  readonly rowCount: number;
  /** How many of the block's records `changes` has once it is written. */
  readonly audited: number;
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
}

export interface PreparePorts extends Pick<DeliveryPorts, 'lookUps' | 'currentRows'> {
  readonly tables: Pick<DeliveryPorts['tables'], 'open' | 'refresh' | 'widen' | 'reopen' | 'learnKey'>;
}

export async function prepareBlock(
  block: ChangeBlock,
  context: BlockContext,
  ports: PreparePorts,
  limits: DeliveryLimits,
): Promise<Prepared> {
  const { topic, partition, start, end } = context;
  const present = context.seen
    ? await ports.lookUps.present(context, start, end)
    : { changes: new Set<number>(), quarantine: new Set<number>() };
  const { redelivered, after } = judge(block, context.watermark, await twinsOf(block, context, ports));
  markForgotten(block, context.marks.forgotten, redelivered);
  const withheld = withheldRows(block, limits.placeholder.needles, (bytes, from, to) =>
    withheldColumns(bytes, from, to, limits.placeholder),
  );
  const reads = appendableReads(block, context.snapshot);
  // Equal rows are written once more to use up the token of the announce; what a later round finds equal is there.
  const announced = context.announced && context.round === 0;
  const looked: LookedAt = { block, topic, partition, end, announced, redelivered, withheld };
  const opened = await Promise.all(
    block.tables.map((_, index) => openMasked(block, index, needOf(block, index, context), ports.tables)),
  );
  const mirrors = limits.mirrors && !isSettled(block, context, present.changes);
  const { shares, held } = mirrors
    ? await buildShares(opened, looked, { context, ports, appendable: reads.appendable })
    : { shares: [], held: [] };
  const unread = withoutForgotten([...block.bad, ...shares.flatMap((share) => share.bad)], context.marks.forgotten);
  const bad = unread.filter(({ offset }) => !present.quarantine.has(offset));
  const wires = await Promise.all(opened.map((table, index) => wiresOf(table, block, index)));
  const facts = { redelivered, withheld, wireSchemas: wires.map((some) => some.map((wire) => wire?.id)) };
  const audit = auditRows(block, facts, present.changes, workspaceOf(block).audit);
  const constants = [
    ['topic', quoteText(topic)],
    ['partition', String(partition)],
  ] as const;
  const time = `fromUnixTimestamp64Milli(${context.at}, 'UTC')`;
  // The block's time is part of its tokens: a redo has the same one, another pass over the same range has not, so that
  // what it finds missing is not taken for a repeat.
  const range = `${topic}:${partition}:${start}:${end}:${context.at}${context.round === 0 ? '' : `:${context.round}`}`;
  const inserts = [
    insertOf(
      audit,
      context.changes,
      [...constants, ['ingested_at', time], ...audit.uniform.map(asConstant)],
      `changes:${range}`,
    ),
    insertOf(quarantineRows(bad, describeBad), context.quarantine, [...constants, ['at', time]], `quarantine:${range}`),
    ...shares.map(({ rows, table }) =>
      mirrorInsert(rows, table, { topic, partition }, `${table.target.name}:${range}`),
    ),
  ].filter(({ rowCount }) => rowCount > 0);
  return {
    inserts,
    truncates: [
      ...(mirrors ? truncatesOf(block, opened, redelivered) : []),
      ...shares.flatMap(({ table, emptied }) => (emptied === null ? [] : [{ table, below: emptied }])),
    ],
    seen: context.seen,
    modes: [
      ...shares.map(({ table, mode }) => ({ table: table.name, mode })),
      ...held.map(({ mirrored }) => ({ table: mirrored.name, mode: 'held' as const })),
    ],
    held,
    bad,
    unread,
    policies: [...shares.flatMap(({ clamped }) => clamped), ...rejectedIn(bad)],
    rowCount: audit.rowCount,
    audited: present.changes.size + audit.rowCount,
    watermark: after,
    snapshot: reads.after,
  };
}

/**
 * Cheap rewinds: blocks follow each other, so all but the last M offsets up to H are in the mirrors for certain. A seen
 * block below that needs no mirror work unless `changes` lacks some of it.
 */
function isSettled(
  block: ChangeBlock,
  { seen, announced, end, highest }: BlockContext,
  present: ReadonlySet<number>,
): boolean {
  if (!seen || announced || end > highest + 1 - MAX_BLOCK_OFFSETS) return false;
  for (let row = 0; row < block.rowCount; row++) if (!present.has(block.offsets[row] ?? -1)) return false;
  return true;
}

/** Identities of candidates for redelivery that `changes` holds below the block. */
async function twinsOf(
  block: ChangeBlock,
  { topic, partition, start, watermark }: BlockContext,
  { lookUps }: PreparePorts,
): Promise<Set<string>> {
  const candidates = needTwins(block, watermark);
  if (candidates.length === 0) return new Set();
  const events = await lookUps.eventsAt(
    { topic, partition },
    candidates.map((row) => block.lsn(row)).filter((lsn) => lsn >= 0),
    start,
  );
  return new Set(events.map(eventIdentity).filter((identity) => identity !== null));
}

/** What a table must be known for: its highest LSN in the block, and its first record. */
function needOf(block: ChangeBlock, table: number, { topic, partition, start }: BlockContext): TableNeed {
  let upTo = -1;
  let sentUs = -1;
  let first = -1;
  for (let row = 0; row < block.rowCount; row++) {
    if (block.tableOf[row] !== table) continue;
    if (first < 0) first = block.offsets[row] ?? start;
    upTo = Math.max(upTo, block.lsn(row));
    if (block.lsn(row) < 0) sentUs = Math.max(sentUs, block.tsUs[row] ?? -1);
  }
  // Such rows may have been read at any time until now.
  return {
    upTo: sentUs < 0 ? upTo : Infinity,
    sentUs,
    shownBy: { topic, partition, offset: first < 0 ? start : first },
  };
}

/** How the rows of a table in the block are written, by the index into the block's wire schemas; those that none has are left out. */
async function wiresOf(table: OpenTable, block: ChangeBlock, index: number): Promise<(RowWire | undefined)[]> {
  const { wireSchemas } = block;
  if (wireSchemas.length === 1) return [await table.wire(wireSchemas[0] ?? null)];
  const used = new Set<number>();
  for (let row = 0; row < block.rowCount; row++)
    if (block.tableOf[row] === index) used.add(block.wireSchemaOf[row] ?? 0);
  return Promise.all(wireSchemas.map(async (schema, wire) => (used.has(wire) ? table.wire(schema) : undefined)));
}

interface Building {
  readonly context: BlockContext;
  readonly ports: PreparePorts;
  readonly appendable: Uint8Array;
}

interface BuiltShare {
  readonly table: MirroredTable;
  readonly mode: Mode;
  readonly rows: BlockColumns;
  readonly bad: readonly BadRecord[];
  readonly clamped: readonly PolicyUse[];
  /** What stands from below this offset is to be removed; null for nothing. */
  readonly emptied: number | null;
}

async function buildShares(
  opened: OpenTable[],
  looked: LookedAt,
  building: Building,
): Promise<{ shares: BuiltShare[]; held: HeldShare[] }> {
  const { block } = looked;
  const rowsOf = block.tables.map((): number[] => []);
  for (let row = 0; row < block.rowCount; row++)
    if (block.ops[row] !== OP.t && looked.redelivered[row] !== FORGOTTEN) rowsOf[block.tableOf[row] ?? 0]?.push(row);
  const all: (BuiltShare | HeldShare)[] = [];
  for (const [index, source] of block.tables.entries()) {
    const rows = rowsOf[index] ?? [];
    if (rows.length === 0 || !opened[index]?.mirrored) continue;
    const share = await buildOne({ index, source, rows }, opened, looked, building);
    if (share !== null) all.push(share);
  }
  return { shares: all.filter((share) => 'mode' in share), held: all.filter((share) => 'mirrored' in share) };
}

/**
 * Builds a table's share, or holds it; reads the catalogue again for each field that an image has and the layout does not
 * know. Null where the table is not mirrored (any more).
 */
async function buildOne(
  of: { index: number; source: BlockTable; rows: readonly number[] },
  opened: OpenTable[],
  looked: LookedAt,
  building: Building,
): Promise<BuiltShare | HeldShare | null> {
  const { context, ports, appendable } = building;
  const reopen = async (): Promise<void> => {
    opened[of.index] = await openMasked(looked.block, of.index, needOf(looked.block, of.index, context), ports.tables);
  };
  let triedAgain = false;
  for (;;) {
    const table = opened[of.index]?.mirrored ?? null;
    if (table === null) return null;
    const { block, redelivered, withheld } = looked;
    const wires = await wiresOf(opened[of.index] as OpenTable, block, of.index);
    const transcoders = wires.map((wire) => wire?.transcoder ?? undefined);
    const share: TableShare = { table, source: of.source, rows: of.rows, transcoders };
    const held = await heldShare(share, looked, ports.tables);
    if (held !== null) return held;
    const mode = chooseMode({
      block,
      rows: of.rows,
      seen: context.seen,
      redelivered,
      appendable,
      wholeBefore: table.wholeBefore,
      doubtful: (row) =>
        context.marks.doubtful.size > 0 && isDoubtful(context.marks, table.name, block.key.textAt(row)),
      withheld,
    });
    let written: Written;
    try {
      written = await writeShare(share, mode, looked, building);
    } catch (error) {
      if (!(error instanceof ForeignColumns) || triedAgain) throw error;
      triedAgain = true;
      ports.tables.reopen(of.source);
      await reopen();
      continue;
    }
    const { built, mode: how, emptied } = written;
    if (built.kind === 'built')
      return { table, mode: how, rows: mirrorColumns(built.signed), bad: built.bad, emptied, clamped: built.clamped };
    if (built.kind === 'stale') ports.tables.refresh(of.source, built.field);
    if (built.kind === 'too-narrow') await ports.tables.widen(of.source, built.column);
    await reopen();
  }
}

interface Written {
  readonly built: Built;
  readonly mode: Mode;
  readonly emptied: number | null;
}

async function writeShare(
  share: TableShare,
  mode: Mode,
  looked: LookedAt,
  { context, ports }: Building,
): Promise<Written> {
  if (isCounted(share.table.layout)) {
    const from = await countedFrom(share, looked, ports.lookUps, context.seen ? 'seen' : 'fresh');
    const built = await buildCounted(share, looked, from, ports);
    return { built, mode: mode === 'append' ? 'merge' : mode, emptied: from.begins ? from.offset : null };
  }
  const built = await buildShare(share, mode, looked, ports);
  if (built.kind !== 'unfit') return { built, mode, emptied: null };
  return { built: await buildShare(share, 'merge', looked, ports), mode: 'merge', emptied: null };
}

/** One value for the whole block travels in the statement, once. */
function asConstant([name, value]: AuditRows['uniform'][number]): readonly [string, string] {
  if (typeof value === 'string') return [name, quoteText(value)];
  return [name, typeof value === 'object' ? '[]' : String(value)];
}

function truncatesOf(block: ChangeBlock, opened: readonly OpenTable[], redelivered: Uint8Array): Truncate[] {
  const truncated: Truncate[] = [];
  for (let row = 0; row < block.rowCount; row++) {
    const table = opened[block.tableOf[row] ?? 0]?.mirrored;
    if (block.ops[row] === OP.t && redelivered[row] !== 1 && table)
      truncated.push({ table, below: block.offsets[row] ?? 0 });
  }
  return truncated;
}
