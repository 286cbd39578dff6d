/**
 * Mirrors of tables without a key: each distinct row stands once, with how often it is there.
 *
 * A row of the mirror is known by a hash of its values, and by topic and partition, so that each has one writer. It also
 * keeps the offset of the last event that was counted. Since a block is written whole or not at all, and blocks of a
 * partition follow each other, an event at or below that offset is counted already and one above it is not: a block that
 * is written again counts nothing twice. For that, a row stays where its count comes to 0.
 */
import { createHash } from 'node:crypto';
import { ByteSink } from '../clickhouse/byte-stream';
import { createColumn, type Column } from '../clickhouse/column';
import { FixedColumn } from '../clickhouse/column-fixed';
import { countedShape, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { SnapshotRun, TruthLookUps } from '../clickhouse/truth-look-ups';
import { OP, type TopicPartition } from '../model';
import type { ChangeBlock } from '../plan/change-block';
import { MirrorRows, SignedRows, type RowOrigin, type RowShape } from '../plan/mirror-rows';
import { ownTruncate } from '../plan/truncation';
import { ImageReader, type LookedAt, type TableShare } from './image-reader';
import type { Built } from './mirror-block';
import type { DeliveryPorts, MirroredTable } from './ports';

/** How often a row came or went in one event, or in several up to one. */
const TWO_32 = 4294967296;

export interface Counted {
  /** Row of the images. */
  readonly image: number;
  readonly by: number;
  readonly origin: RowOrigin;
}

type CountRows = Pick<DeliveryPorts, 'currentRows'>;

/** From which offset on events count: what is below was truncated, or a newer snapshot has it. */
export interface CountedFrom {
  readonly offset: number;
  /** That snapshot begins in this block: what stands from before it must go. */
  readonly begins: boolean;
}

/** @param block `seen`: it may be one that is written again, of before a truncate or a snapshot */
export async function countedFrom(
  { source, rows }: TableShare,
  { block, topic, partition }: LookedAt,
  lookUps: Pick<TruthLookUps, 'newestRun' | 'truncations'>,
  kind: 'fresh' | 'seen',
): Promise<CountedFrom> {
  const of = { topic, partition, schema: source.schema, table: source.name };
  const inBlock = lastRun(block, rows);
  if (inBlock === null && kind === 'fresh') return { offset: 0, begins: false };
  const truncated = kind === 'seen' ? ownTruncate(of, await lookUps.truncations(source.schema, source.name)) : -1;
  const run = newerRun(await lookUps.newestRun(of), inBlock)?.from ?? -1;
  return { offset: Math.max(run, truncated, 0), begins: run === inBlock?.from && run > truncated };
}

/** The last snapshot that a block has rows of. Those of an incremental one are no such thing. */
function lastRun(block: ChangeBlock, rows: readonly number[]): SnapshotRun | null {
  const reads = rows.filter((row) => block.ops[row] === OP.r && block.lsn(row) >= 0);
  const last = reads.at(-1);
  if (last === undefined) return null;
  const [lsn, tsUs] = [block.lsn(last), block.tsUs[last] ?? -1];
  const first = reads.find((row) => block.lsn(row) === lsn && block.tsUs[row] === tsUs) ?? last;
  return { lsn, tsUs, from: block.offsets[first] ?? 0 };
}

/** One snapshot may be known by its rows in `changes` and in the block: it begins with the first of them. */
function newerRun(known: SnapshotRun | null, inBlock: SnapshotRun | null): SnapshotRun | null {
  if (known === null || inBlock === null) return known ?? inBlock;
  if (known.lsn === inBlock.lsn && known.tsUs === inBlock.tsUs) return known.from < inBlock.from ? known : inBlock;
  return known.from > inBlock.from ? known : inBlock;
}

export async function buildCounted(
  share: TableShare,
  at: LookedAt,
  { offset: above }: CountedFrom,
  ports: CountRows,
): Promise<Built> {
  const images = new ImageReader(share, at);
  const counted = share.rows
    .filter((row) => at.redelivered[row] !== 1 && (at.block.offsets[row] ?? 0) >= above)
    .flatMap((row) => countedOf(at.block, row, images));
  if (images.unknownField !== null) return { kind: 'stale', field: images.unknownField };
  if (images.tooNarrow !== null) return { kind: 'too-narrow', column: images.tooNarrow };
  const signed = await countOver(images.rows, counted, {
    layout: share.table.layout,
    target: share.table,
    within: at,
    above,
    equalRows: at.announced ? 'write' : 'leave',
    counts: 'new',
    ports,
  });
  return { kind: 'built', signed, bad: images.bad, clamped: images.clamped.uses(share.table) };
}

/** What an event takes away and what it brings. */
function countedOf(block: ChangeBlock, row: number, images: ImageReader): Counted[] {
  const op = block.ops[row];
  // A row of an incremental snapshot may be there already, and nothing tells.
  if (op === OP.r && block.lsn(row) < 0) return [];
  const gone = op === OP.u || op === OP.d ? images.imageOf(row, 'before') : null;
  const come = op === OP.d ? null : images.imageOf(row, 'after');
  return [...(gone === null ? [] : [{ ...gone, by: -1 }]), ...(come === null ? [] : [{ ...come, by: 1 }])];
}

export interface Counting {
  readonly layout: MirrorLayout;
  readonly target: Pick<MirroredTable, 'target'>;
  readonly within: TopicPartition;
  /** What stands from below this offset counts no more: it was truncated, or a newer snapshot begins there. */
  readonly above: number;
  readonly equalRows: 'leave' | 'write';
  /** `new`: those that what stands has counted are left out. `every`: what is read in pages comes in no order. */
  readonly counts: 'new' | 'every';
  readonly ports: CountRows;
}

/** −current, +current with the new count, for each distinct row. */
export async function countOver(
  images: MirrorRows,
  counted: readonly Counted[],
  counting: Counting,
): Promise<SignedRows> {
  const { layout, target, within, ports } = counting;
  const shape = countedShape(layout);
  // With the offset beside it, which is read of what stands; what is written gets it as every mirror does.
  const asked = new MirrorRows({ ...shape, columns: [...shape.columns, { name: '_offset', type: 'UInt64' }] });
  const hash = rowHasher(layout);
  const byHash = new Map<string, Distinct>();
  for (const one of counted) {
    const words = hash(images, one.image);
    const known = byHash.get(words.join());
    if (known !== undefined) {
      known.changes.push(one);
      continue;
    }
    byHash.set(words.join(), { row: asked.rowCount, words, image: one.image, changes: [one] });
    appendCounted(asked, images, one.image, { words, count: 0 });
  }
  const rows = [...byHash.values()].map(({ row }) => row);
  const standing = await ports.currentRows(target, asked, rows, within);
  const stood = new Map<string, number>();
  for (let row = 0; row < standing.rowCount; row++) stood.set(standing.keyOf(row), row);
  const signed = new SignedRows(shape);
  const writing: Writing = { signed, images, standing, columns: layout.columns.length, counting };
  for (const one of byHash.values()) writeDistinct(one, stood.get(asked.keyOf(one.row)) ?? null, writing);
  return signed;
}

/** A distinct row, with what is counted of it. */
interface Distinct {
  readonly row: number;
  readonly image: number;
  readonly words: Int32Array;
  readonly changes: Counted[];
}

interface Writing {
  readonly signed: SignedRows;
  readonly images: MirrorRows;
  readonly standing: MirrorRows;
  /** How many columns the table itself has; hash, count and offset follow. */
  readonly columns: number;
  readonly counting: Counting;
}

function writeDistinct({ words, image, changes }: Distinct, old: number | null, writing: Writing): void {
  const { signed, images, standing, columns, counting } = writing;
  const offset = old === null ? -1 : numberAt(standing, columns + 2, old);
  const before = old === null || offset < counting.above ? 0 : numberAt(standing, columns + 1, old);
  const fresh = changes.filter(({ origin }) => counting.counts === 'every' || origin.offset > offset);
  const newest = newestOf(fresh);
  if (newest === null) {
    const counted = newestOf(changes);
    if (counting.equalRows === 'leave' || old === null || counted === null) return;
    signed.append(-1, standing, old, { ...counted, offset });
    signed.append(1, standing, old, { ...counted, offset });
    return;
  }
  if (old !== null) signed.append(-1, standing, old, newest);
  appendCounted(signed.rows, images, image, { words, count: fresh.reduce((sum, { by }) => sum + by, before) });
  signed.sealRow(1, { ...newest, offset: Math.max(newest.offset, offset) });
}

function newestOf(changes: readonly Counted[]): RowOrigin | null {
  let newest: RowOrigin | null = null;
  for (const { origin } of changes) if (newest === null || origin.offset >= newest.offset) newest = origin;
  return newest;
}

/** A row of an image with hash and count; an `_offset` where the rows have one is left at 0. */
function appendCounted(
  rows: MirrorRows,
  images: MirrorRows,
  image: number,
  { words, count }: { words: Int32Array; count: number },
): void {
  const values = images.columns.length;
  rows.columns.forEach((column, index) => {
    const from = images.columns[index];
    if (from !== undefined) column.appendFrom(from, image);
    else if (index === values) asFixed(column).appendWide(words);
    else if (index === values + 1) asFixed(column).appendNumber(count);
    else column.appendDefault();
  });
  rows.nulls.appendFrom(images.nulls, image);
}

function asFixed(column: Column | undefined): FixedColumn {
  if (column instanceof FixedColumn) return column;
  throw new Error('a counted row without its hash or count');
}

function numberAt(rows: MirrorRows, column: number, row: number): number {
  const { words } = asFixed(rows.columns[column]);
  return (words[2 * row] ?? 0) + ((words[2 * row] ?? 0) < 0 ? TWO_32 : 0) + (words[2 * row + 1] ?? 0) * TWO_32;
}

/** The hash of a row's values: equal for equal rows, NULLs that a column cannot hold included. */
function rowHasher(shape: RowShape): (images: MirrorRows, row: number) => Int32Array {
  const cells = shape.columns.map(({ type }) => createColumn(type));
  return (images, row) => {
    const md5 = createHash('md5');
    cells.forEach((cell, index) => {
      const from = images.columns[index];
      if (from === undefined) return;
      cell.clear();
      cell.appendFrom(from, row);
      const out = new ByteSink();
      cell.encode(out);
      for (const chunk of out.take()) md5.update(chunk);
    });
    const digest = md5.update(images.nullNames(row).sort().join('\0')).digest();
    return new Int32Array([0, 4, 8, 12].map((at) => digest.readInt32LE(at)));
  };
}
