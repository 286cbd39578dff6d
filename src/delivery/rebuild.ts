/** Makes a mirror anew from `changes` alone: for each key its newest event, page by page. Kafka is not read. */
import type { TargetTable } from '../clickhouse/insert';
import { isCounted, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { OffsetRange, TruthEvent } from '../clickhouse/truth-event';
import type { TableOf } from '../clickhouse/truth-look-ups';
import { foldOver, type FoldEvent, type Standing } from '../plan/fold';
import { MirrorRows, type SignedRows } from '../plan/mirror-rows';
import { isTruncated, ownTruncate, type Truncation } from '../plan/truncation';
import { machineryTable } from './assign';
import { countOver, type Counted } from './keyless';
import { mirrorColumns, mirrorInsert } from './mirror-insert';
import type { DeliveryPorts } from './ports';
import type { EarlierImages } from './table-past';
import { createTruthReader, eventsOfTruths, type TruthReader } from './truth-events';

/** Images of a page at most, about, where rows have no key. */
const PAGE_IMAGES = 100_000;

type Ports = Pick<DeliveryPorts, 'lookUps' | 'glance' | 'insert' | 'currentRows'>;

export interface Filling {
  readonly schema: string;
  readonly table: string;
  readonly layout: MirrorLayout;
  readonly earlier: EarlierImages | null;
  /** An empty table that nobody reads yet. */
  readonly shadow: TargetTable;
  readonly guardSeconds: number;
  readonly insertSeconds: number;
}

/** Writes the table as `changes` has it now. Returns how many keys could not be made: their withheld values are lost. */
export async function fillFromChanges(filling: Filling, ports: Ports): Promise<number> {
  const { lookUps } = ports;
  const truncations = await lookUps.truncations(filling.schema, filling.table);
  let lost = 0;
  for (const [turn, era] of (await erasOf(filling, ports)).entries()) {
    const { of } = era;
    const layout = { ...filling.layout, key: eraKey(era, filling) };
    const writing: Writing = {
      ...{ filling, ports, truncations, layout, era },
      above: ownTruncate(of, truncations),
      pages: Math.max(1, Math.ceil(of.rows / PAGE_IMAGES)),
      // The mirror has nothing of a partition whose rows have one key, and nothing at all before the first turn.
      turn: era.key === null ? 0 : turn,
      reader: createTruthReader(layout, filling.earlier),
    };
    const isKeyed = !isCounted(filling.layout) && era.key?.length !== 0;
    lost += await (isKeyed ? writeKeyed(writing) : writeUnkeyed(writing));
  }
  return lost;
}

/** For each key its newest event. */
async function writeKeyed(writing: Writing): Promise<number> {
  const { era, turn, above, filling, ports } = writing;
  const newest = {
    from: Math.max(era.from, above + 1),
    below: era.below,
    beside: filling.shadow.name,
    deletes: turn === 0 ? ('without' as const) : ('with' as const),
  };
  let lost = 0;
  let page = 0;
  for await (const truths of ports.lookUps.newestPages(era.of, newest)) {
    const images = new MirrorRows(writing.layout);
    lost += await writePage(page++, images, await keyedEvents(truths, images, writing), writing);
  }
  return lost;
}

/** Of rows that nothing told apart: how often each came and went. */
async function writeUnkeyed(writing: Writing): Promise<number> {
  let lost = 0;
  for (let page = 0; page < writing.pages; page++) {
    const images = new MirrorRows(writing.layout);
    lost += await (isCounted(writing.filling.layout)
      ? writeCounted(page, images, writing)
      : writePage(page, images, await unkeyedEvents(page, images, writing), writing));
  }
  return lost;
}

/** What is written in one turn; `key`: as in `KeyEra`, null where it was never changed. */
interface Era extends OffsetRange {
  readonly of: TableOf & { readonly rows: number };
  readonly key: readonly string[] | null;
}

/**
 * After the key was changed a row has events under several: what came under a later one is folded over what came before.
 * Nobody writes to a table while its key is changed, so the eras of its partitions follow each other.
 */
async function erasOf({ schema, table, layout, earlier }: Filling, { lookUps }: Ports): Promise<Era[]> {
  const places = await lookUps.whereabouts(schema, table);
  if (earlier?.rekeyed !== true || isCounted(layout))
    return places.map((of) => ({ of, key: null, from: 0, below: null }));
  const eras = await Promise.all(places.map(async (of) => (await lookUps.keyEras(of)).map((era) => ({ ...era, of }))));
  return eras.flat().sort((a, b) => a.tsUs - b.tsUs);
}

/** The columns that told rows apart then, as the layout has them; those of now where some are gone. */
function eraKey({ key }: Era, { layout, earlier }: Filling): readonly number[] {
  const then = (key ?? []).map((name) =>
    layout.columns.findIndex((column) => earlier?.namesOf(column.name).includes(name)),
  );
  return then.length === 0 || then.includes(-1) ? layout.key : then;
}

interface Writing {
  readonly era: Era;
  readonly turn: number;
  readonly layout: MirrorLayout;
  readonly reader: TruthReader;
  readonly pages: number;
  /** Up to this offset a truncate took everything away. */
  readonly above: number;
  readonly truncations: readonly Truncation[];
  readonly filling: Filling;
  readonly ports: Ports;
}

async function writePage(
  page: number,
  images: MirrorRows,
  { events, lost }: Events,
  writing: Writing,
): Promise<number> {
  const { filling, ports } = writing;
  const standing = await standingOf(writing, events, images);
  const { signed, unresolved } = foldOver(images, events, standing);
  await insertPage(signed, { ...writing, page }, filling, ports);
  return lost + unresolved.length;
}

interface Events {
  /** In offset order. */
  readonly events: FoldEvent[];
  readonly lost: number;
}

/** What some keys came to. */
async function keyedEvents(truths: readonly TruthEvent[], images: MirrorRows, writing: Writing): Promise<Events> {
  const { era, layout, reader, above, truncations, ports } = writing;
  const { of } = era;
  const alive = truths.filter((truth) => truth.op !== 'd' && !isTruncated({ ...truth, ...of }, truncations));
  const { events, lost } = await eventsOfTruths(alive, { of, above, layout, lookUps: ports.lookUps, reader, images });
  return {
    events: [...events, ...deletes(truths, reader, images)].sort((a, b) => a.origin.offset - b.origin.offset),
    lost,
  };
}

/** The deletes among some events; one whose key cannot be read takes nothing away. */
function deletes(truths: readonly TruthEvent[], reader: TruthReader, images: MirrorRows): FoldEvent[] {
  return truths.flatMap((truth) => {
    const image = truth.op === 'd' ? reader(truth, images, 'absent') : null;
    if (typeof image !== 'number') return [];
    return [{ key: images.keyOf(image), origin: truth, image, present: false, withheld: null }];
  });
}

/** Of a time when nothing told rows apart: those that came more often than they went, by the key of now. */
async function unkeyedEvents(page: number, images: MirrorRows, writing: Writing): Promise<Events> {
  const { layout, filling } = writing;
  const { counted, lost } = await countedImages(page, images, {
    ...writing,
    together: layout.key.flatMap((index) => filling.earlier?.namesOf(layout.columns[index]?.name ?? '') ?? []),
  });
  const byKey = Map.groupBy(counted, ({ image }) => images.keyOf(image));
  const events = [...byKey].flatMap(([key, ofKey]): FoldEvent[] => {
    const distinct: Counted[] = [];
    for (const one of ofKey) {
      const at = distinct.findIndex(({ image }) => images.equals(image, images, one.image));
      const same = distinct[at];
      if (same === undefined) distinct.push(one);
      else distinct[at] = { ...(one.origin.offset > same.origin.offset ? one : same), by: same.by + one.by };
    }
    distinct.sort((a, b) => a.origin.offset - b.origin.offset);
    const last = distinct.findLast(({ by }) => by > 0) ?? distinct.findLast(({ by }) => by < 0);
    if (last === undefined) return [];
    return [{ key, origin: last.origin, image: last.image, present: last.by > 0, withheld: null }];
  });
  return { events: events.sort((a, b) => a.origin.offset - b.origin.offset), lost };
}

async function standingOf(
  { turn, filling, ports }: Writing,
  events: readonly FoldEvent[],
  images: MirrorRows,
): Promise<Standing> {
  if (turn === 0) return { rows: new MirrorRows(images.shape), byKey: new Map() };
  const rowOfKey = new Map(events.map(({ key, image }) => [key, image]));
  const rows = await ports.currentRows({ target: filling.shadow }, images, [...rowOfKey.values()]);
  return { rows, byKey: new Map(Array.from({ length: rows.rowCount }, (_, row) => [rows.keyOf(row), row])) };
}

/** A page of images of a table without a key. Other pages may have had the same row, as an earlier version of the table wrote it. */
async function writeCounted(page: number, images: MirrorRows, writing: Writing): Promise<number> {
  const { layout, filling, era, ports } = writing;
  const { counted, lost } = await countedImages(page, images, { ...writing, together: [] });
  const signed = await countOver(images, counted, {
    ...{ layout, within: era.of, above: 0, equalRows: 'leave', ports },
    target: { target: filling.shadow },
    counts: 'every',
  });
  await insertPage(signed, { ...writing, page }, filling, ports);
  return lost;
}

/** What a page counts; a newer snapshot has what came before it. */
async function countedImages(
  page: number,
  images: MirrorRows,
  { era, reader, pages, above, filling, ports, together }: Writing & { readonly together: readonly string[] },
): Promise<{ counted: Counted[]; lost: number }> {
  const { of, below } = era;
  const run = await ports.lookUps.newestRun(of, below);
  const from = Math.max(run?.from ?? 0, above + 1, era.from);
  const alikeBeyond = filling.earlier?.newestBeyond ?? -1;
  const counted: Counted[] = [];
  let lost = 0;
  const counting = { from, below, alikeBeyond, page, pages, together };
  for (const one of await ports.lookUps.countedPage(of, counting)) {
    const image = reader(one, images, 'present');
    if (image === null) lost++;
    if (typeof image === 'number') counted.push({ image, by: one.by, origin: one });
  }
  return { counted, lost };
}

async function insertPage(
  signed: SignedRows,
  { era: { of }, page, turn }: Pick<Writing, 'era' | 'turn'> & { readonly page: number },
  { layout, shadow, guardSeconds, insertSeconds }: Filling,
  ports: Ports,
): Promise<void> {
  if (signed.rowCount === 0) return;
  const glance = await ports.glance();
  const token = `rebuild:${shadow.uuid}:${of.topic}:${of.partition}:${page}:${turn}`;
  const guard = { deadlineMs: glance.clockMs + guardSeconds * 1_000, changes: machineryTable(glance, 'changes') };
  const insert = mirrorInsert(mirrorColumns(signed), { layout, target: shadow }, of, token);
  await ports.insert(insert, guard, insertSeconds * 2);
}
