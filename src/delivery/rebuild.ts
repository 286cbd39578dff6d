/** Makes a mirror anew from `changes` alone: for each key its newest event, page by page. Kafka is not read. */
import type { TargetTable } from '../clickhouse/insert';
import { isCounted, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { TableOf, TruthEvent } from '../clickhouse/truth-look-ups';
import { foldOver, type FoldEvent, type Standing } from '../plan/fold';
import { MirrorRows, type SignedRows } from '../plan/mirror-rows';
import { isTruncated, ownTruncate, type Truncation } from '../plan/truncation';
import { machineryTable } from './assign';
import { countOver, type Counted } from './keyless';
import { mirrorColumns, mirrorInsert } from './mirror-insert';
import type { DeliveryPorts } from './ports';
import type { EarlierImages } from './table-past';
import { createTruthReader, eventsOfTruths, type TruthReader } from './truth-events';

/** Keys of a page at most, about. */
const PAGE_KEYS = 100_000;

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
  const reader = createTruthReader(filling.layout, filling.earlier);
  const truncations = await ports.lookUps.truncations(filling.schema, filling.table);
  let lost = 0;
  for (const of of await ports.lookUps.whereabouts(filling.schema, filling.table)) {
    const above = ownTruncate(of, truncations);
    const pages = Math.max(1, Math.ceil(of.rows / PAGE_KEYS));
    if (isCounted(filling.layout)) {
      for (let page = 0; page < pages; page++)
        lost += await writeCounted({ of, page, pages, above }, filling, reader, ports);
      continue;
    }
    // After the key was changed a row has events under two keys: those under the later one are folded over the others.
    const shapes = filling.earlier?.rekeyed === true ? await ports.lookUps.keyShapes(of) : [null];
    for (const [turn, shape] of shapes.entries()) {
      for (let page = 0; page < pages; page++) {
        const truths = await ports.lookUps.newestPage(of, above, { page, pages, shape });
        lost += await writePage({ of, truths, page, above, turn }, filling, reader, { ports, truncations });
      }
    }
  }
  return lost;
}

interface Page {
  readonly of: TableOf;
  readonly truths: readonly TruthEvent[];
  readonly page: number;
  readonly above: number;
  /** 0 while the mirror has nothing of the partition. */
  readonly turn: number;
}

async function writePage(
  { of, truths, page, above, turn }: Page,
  filling: Filling,
  reader: TruthReader,
  { ports, truncations }: { ports: Ports; truncations: readonly Truncation[] },
): Promise<number> {
  const { layout, shadow } = filling;
  const images = new MirrorRows(layout);
  const alive = truths.filter((truth) => truth.op !== 'd' && !isTruncated({ ...truth, ...of }, truncations));
  const { events, lost } = await eventsOfTruths(alive, { of, above, layout, lookUps: ports.lookUps, reader, images });
  const gone = turn === 0 ? [] : deletes(truths, reader, images);
  const all = [...events, ...gone].sort((a, b) => a.origin.offset - b.origin.offset);
  const standing = await standingOf(turn, all, images, { ports, shadow });
  const { signed, unresolved } = foldOver(images, all, standing);
  await insertPage(signed, { of, page, turn }, filling, ports);
  return lost + unresolved.length;
}

/** The deletes among some events; one whose key cannot be read takes nothing away. */
function deletes(truths: readonly TruthEvent[], reader: TruthReader, images: MirrorRows): FoldEvent[] {
  return truths.flatMap((truth) => {
    const image = truth.op === 'd' ? reader(truth, images, 'absent') : null;
    if (typeof image !== 'number') return [];
    return [{ key: images.keyOf(image), origin: truth, image, present: false, withheld: null }];
  });
}

async function standingOf(
  turn: number,
  events: readonly FoldEvent[],
  images: MirrorRows,
  { ports, shadow }: { ports: Ports; shadow: TargetTable },
): Promise<Standing> {
  if (turn === 0) return { rows: new MirrorRows(images.shape), byKey: new Map() };
  const rowOfKey = new Map(events.map(({ key, image }) => [key, image]));
  const rows = await ports.currentRows({ target: shadow }, images, [...rowOfKey.values()]);
  return { rows, byKey: new Map(Array.from({ length: rows.rowCount }, (_, row) => [rows.keyOf(row), row])) };
}

/** A page of images of a table without a key. Other pages may have had the same row, as an earlier version of the table wrote it. */
async function writeCounted(
  { of, page, pages, above }: Omit<Page, 'truths' | 'turn'> & { readonly pages: number },
  filling: Filling,
  reader: TruthReader,
  ports: Ports,
): Promise<number> {
  const { layout, earlier, shadow } = filling;
  const run = await ports.lookUps.newestRun(of);
  const from = Math.max(run?.from ?? 0, above + 1);
  const images = new MirrorRows(layout);
  const counted: Counted[] = [];
  let lost = 0;
  const alikeBeyond = earlier?.newestBeyond ?? -1;
  for (const one of await ports.lookUps.countedPage(of, { from, alikeBeyond, page, pages })) {
    const image = reader(one, images, 'present');
    if (image === null) lost++;
    if (typeof image === 'number') counted.push({ image, by: one.by, origin: one });
  }
  const signed = await countOver(images, counted, {
    ...{ layout, within: of, above: 0, equalRows: 'leave', ports },
    target: { target: shadow },
    counts: 'every',
  });
  await insertPage(signed, { of, page, turn: 0 }, filling, ports);
  return lost;
}

async function insertPage(
  signed: SignedRows,
  { of, page, turn }: Pick<Page, 'of' | 'page' | 'turn'>,
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
