/** One table's share of a block as signed rows: appended, merged or reconciled. Looks up what it must, writes nothing. */
import type { StringColumn } from '../clickhouse/column-string';
import type { LookUps } from '../clickhouse/look-ups';
import type { TableOf } from '../clickhouse/truth-look-ups';
import { TRANSCODED, UNKNOWN_FIELD, UNREADABLE, type Outcome } from '../debezium/transcode';
import { OP } from '../model';
import type { PolicyUse } from '../column-rules';
import type { BadRecord } from '../plan/change-block';
import { foldOver, type FoldEvent } from '../plan/fold';
import { workspaceOf } from '../plan/block-workspace';
import { MirrorRows, type RowRef, type SignedRows } from '../plan/mirror-rows';
import type { Mode } from '../plan/mode';
import { isTruncated } from '../plan/truncation';
import { eventsOfChangesFor, findCarrier, type Carrier, type EventSource } from './carrier';
import { ImageReader, type LookedAt, type TableShare } from './image-reader';
import { Clamped } from './policy-uses';
import type { MirroredTable } from './ports';

/** `stale`: an image has this field, which the layout does not know. `unfit`: an image cannot be appended, so the block must
 *  merge. `too-narrow`: this column must become text first. */
export type Built =
  | {
      readonly kind: 'built';
      readonly signed: SignedRows;
      readonly bad: readonly BadRecord[];
      readonly clamped: readonly PolicyUse[];
    }
  | { readonly kind: 'stale'; readonly field: string }
  | { readonly kind: 'too-narrow'; readonly column: string }
  | { readonly kind: 'unfit' };

interface CurrentRows {
  currentRows(table: MirroredTable, images: MirrorRows, rows: readonly number[]): Promise<MirrorRows>;
  readonly lookUps: LookUps;
}

export async function buildShare(share: TableShare, mode: Mode, at: LookedAt, ports: CurrentRows): Promise<Built> {
  if (mode === 'append') return hasEarlierImages(share, at) ? { kind: 'unfit' } : append(share, at);
  const images = new ImageReader(share, at);
  const events =
    mode === 'merge'
      ? await mergeEvents(share, at, images, ports.lookUps)
      : await reconcileEvents(share, at, images, ports.lookUps);
  if (images.unknownField !== null) return { kind: 'stale', field: images.unknownField };
  if (images.tooNarrow !== null) return { kind: 'too-narrow', column: images.tooNarrow };
  const rowOfKey = new Map(events.map(({ key, image }) => [key, image]));
  const standing = await ports.currentRows(share.table, images.rows, [...rowOfKey.values()]);
  const byKey = new Map<string, number>();
  for (let row = 0; row < standing.rowCount; row++) byKey.set(standing.keyOf(row), row);
  const { signed, unresolved } = foldOver(
    images.rows,
    events,
    { rows: standing, byKey },
    at.announced ? 'write' : 'leave',
  );
  const lost = unresolved.map((event) =>
    images.badAt(event.origin.offset, 'VALUE_UNRESOLVED', withheldNames(share, event)),
  );
  return { kind: 'built', signed, bad: [...images.bad, ...lost], clamped: images.clamped.uses(share.table) };
}

/** Whether some image may be of an earlier version of the table, so that each must be looked at. */
function hasEarlierImages({ table: { earlier }, rows }: TableShare, { block }: LookedAt): boolean {
  return earlier !== null && rows.some((row) => block.place(row).lsn <= earlier.newestBeyond);
}

function withheldNames({ table }: TableShare, { withheld }: FoldEvent): string {
  return [...(withheld?.keys() ?? [])].map((index) => table.layout.columns[index]?.name ?? '').join(', ');
}

/** −before, +after, straight from the bytes. */
function append({ table, rows, transcoders }: TableShare, { block, redelivered }: LookedAt): Built {
  const signed = workspaceOf(block).rowsOf(table.layout);
  const origin = { offset: 0, commitLsn: 0, lsn: 0, tsUs: 0 };
  let transcoder = transcoders[0];
  const take = (images: StringColumn, row: number, sign: 1 | -1): Outcome => {
    transcoder = transcoders[block.wireSchemaOf[row] ?? 0];
    if (transcoder === undefined) return UNREADABLE;
    transcoder.counts = sign === 1;
    const outcome = transcoder.append(images.bytes, images.start(row), images.end(row), signed.rows);
    if (outcome !== TRANSCODED) return outcome;
    origin.offset = block.offsets[row] ?? 0;
    origin.commitLsn = block.commitLsn(row);
    origin.lsn = block.lsn(row);
    origin.tsUs = block.tsUs[row] ?? 0;
    signed.sealRow(sign, origin);
    return outcome;
  };
  for (const row of rows) {
    if (redelivered[row] === 1) continue;
    let outcome: Outcome = TRANSCODED;
    if (block.ops[row] === OP.u || block.ops[row] === OP.d) outcome = take(block.before, row, -1);
    if (outcome === TRANSCODED && block.ops[row] !== OP.d) outcome = take(block.after, row, 1);
    if (outcome === TRANSCODED) continue;
    clampedBy(transcoders);
    if (outcome === UNKNOWN_FIELD) return { kind: 'stale', field: transcoder?.failedColumn ?? '' };
    return { kind: 'unfit' };
  }
  return { kind: 'built', signed, bad: [], clamped: clampedBy(transcoders).uses(table) };
}

function clampedBy(transcoders: TableShare['transcoders']): Clamped {
  const clamped = new Clamped();
  for (const transcoder of transcoders) if (transcoder !== undefined) clamped.add(transcoder);
  return clamped;
}

/** Every event of the block in offset order, to be folded over what stands. */
async function mergeEvents(
  share: TableShare,
  at: LookedAt,
  images: ImageReader,
  lookUps: LookUps,
): Promise<FoldEvent[]> {
  const { block, redelivered } = at;
  const events: FoldEvent[] = [];
  let deletedAt = -1;
  const halves: Incomplete[] = [];
  for (const row of share.rows) {
    if (redelivered[row] === 1) continue;
    if (block.ops[row] === OP.d) deletedAt = block.lsn(row);
    const event = images.ofRow(row);
    if (event === null) continue;
    // The first half of a changed key may be the end of the block before.
    if (block.ops[row] === OP.c && event.withheld !== null && block.lsn(row) !== deletedAt)
      halves.push({ at: events.length, key: block.key.textAt(row) });
    events.push(event);
  }
  return complete(events, halves, { share, at, of: tableOf(share, at), images, lookUps });
}

function tableOf({ source }: TableShare, { topic, partition }: LookedAt): TableOf {
  return { topic, partition, schema: source.schema, table: source.name };
}

/** For each key of the block its truth: the newest event that is not redelivered, in `changes` and the block together. */
async function reconcileEvents(
  share: TableShare,
  at: LookedAt,
  images: ImageReader,
  lookUps: LookUps,
): Promise<FoldEvent[]> {
  const { block, redelivered, end } = at;
  const of = tableOf(share, at);
  const newestRow = new Map<string, number>();
  const repeated = new Set<string>();
  for (const row of share.rows) {
    if (redelivered[row] === 1) repeated.add(block.key.textAt(row));
    else newestRow.set(block.key.textAt(row), row);
  }
  const later = new Map((await lookUps.newest(of, [...newestRow.keys()], end)).map((event) => [event.key, event]));
  const only = [...repeated].filter((key) => !newestRow.has(key));
  for (const event of await lookUps.newest(of, only, 0)) later.set(event.key, event);
  const truncations = await lookUps.truncations(of.schema, of.table);
  const events: FoldEvent[] = [];
  const incomplete: Incomplete[] = [];
  for (const key of [...newestRow.keys(), ...only]) {
    const row = newestRow.get(key);
    const truth = later.get(key);
    const event = truth !== undefined ? images.ofTruth(truth) : row === undefined ? null : images.ofRow(row);
    if (event === null) continue;
    if (isTruncated({ ...event.origin, topic: at.topic, partition: at.partition }, truncations)) {
      events.push({ ...event, present: false, withheld: null });
      continue;
    }
    if (event.withheld !== null) incomplete.push({ at: events.length, key });
    events.push(event);
  }
  return complete(events, incomplete, { share, at, of, images, lookUps });
}

interface Completing {
  readonly share: TableShare;
  readonly at: LookedAt;
  readonly of: TableOf;
  readonly images: ImageReader;
  readonly lookUps: LookUps;
}

/** An event that withholds values, by its place among the events, and its key as text. */
interface Incomplete {
  readonly at: number;
  readonly key: string;
}

/** Finds each withheld value in the older event that carries it; what is not found stays null. */
async function complete(
  events: readonly FoldEvent[],
  incomplete: readonly Incomplete[],
  { share, at, of, images, lookUps }: Completing,
): Promise<FoldEvent[]> {
  const names = share.table.layout.columns.map(({ name }) => name);
  const wanted = incomplete.flatMap(({ at: index, key }) => {
    const { origin, withheld } = events[index] ?? {};
    // Looked for from the event itself on: it may be the create of a changed key.
    const below = (origin?.offset ?? 0) + 1;
    return [...(withheld?.keys() ?? [])].map((column) => ({ key, below, column: names[column] ?? '' }));
  });
  const sources = [
    eventsOfBlock(share, at, (row) => images.ofRow(row)),
    await eventsOfChangesFor(wanted, lookUps, of, (truth) => images.ofTruth(truth)),
  ];
  const completed = [...events];
  for (const { at: index, key } of incomplete) {
    const event = events[index];
    if (event?.withheld == null) continue;
    const found = new Map<number, RowRef | null>();
    for (const column of event.withheld.keys()) {
      const carrier = await findCarrier(sources, { key, offset: event.origin.offset }, names[column] ?? '');
      const row = carrier?.read() ?? null;
      found.set(column, row === null ? null : { rows: images.rows, row: row.image });
    }
    completed[index] = { ...event, withheld: found };
  }
  return completed;
}

/** What the block in hand holds of a table. */
function eventsOfBlock<R>(
  { rows }: TableShare,
  { block, redelivered, withheld }: LookedAt,
  read: (row: number) => R,
): EventSource<R> {
  const newest = (below: number, isIt: (row: number) => boolean): Promise<Carrier<R> | null> => {
    const row = rows.findLast((one) => (block.offsets[one] ?? 0) < below && redelivered[one] !== 1 && isIt(one));
    if (row === undefined) return Promise.resolve(null);
    return Promise.resolve({
      offset: block.offsets[row] ?? 0,
      op: String.fromCharCode(block.ops[row] ?? 0),
      key: block.key.textAt(row),
      lsn: block.lsn(row),
      read: () => read(row),
    });
  };
  const has = (row: number, column: string): boolean =>
    block.has(block.after, row) && !(withheld.get(row) ?? []).includes(column);
  return {
    carrier: (key, below, column) => newest(below, (row) => block.key.textAt(row) === key && has(row, column)),
    turn: (key, below) => newest(below, (row) => block.key.textAt(row) === key && block.ops[row] !== OP.u),
    deletedAt: (lsn, below) => newest(below, (row) => block.ops[row] === OP.d && block.lsn(row) === lsn),
  };
}
