/** Makes a mirror anew from `changes` alone: for each key its newest event, page by page. Kafka is not read. */
import type { TargetTable } from '../clickhouse/insert';
import type { TableOf, TruthEvent } from '../clickhouse/look-ups';
import { ignoreFields, type MirrorLayout } from '../clickhouse/mirror-layout';
import { compileTranscoder, TRANSCODED, UNKNOWN_FIELD } from '../debezium/transcode';
import { foldOver, type FoldEvent } from '../plan/fold';
import { MirrorRows, type RowRef } from '../plan/mirror-rows';
import { machineryTable } from './assign';
import { eventsOfChanges, findCarrier } from './carrier';
import { mirrorColumns, mirrorInsert } from './prepare';
import type { DeliveryPorts } from './ports';

/** Keys of a page at most, about. */
const PAGE_KEYS = 100_000;

type Ports = Pick<DeliveryPorts, 'lookUps' | 'glance' | 'insert'>;

export interface Filling {
  readonly schema: string;
  readonly table: string;
  readonly layout: MirrorLayout;
  /** An empty table that nobody reads yet. */
  readonly shadow: TargetTable;
  readonly guardSeconds: number;
  readonly insertSeconds: number;
}

/** Writes the table as `changes` has it now. Returns how many keys could not be made: their withheld values are lost. */
export async function fillFromChanges(filling: Filling, ports: Ports): Promise<number> {
  const reader = createReader(filling.layout);
  let lost = 0;
  for (const of of await ports.lookUps.whereabouts(filling.schema, filling.table)) {
    const above = await ports.lookUps.lastTruncate(of);
    const pages = Math.max(1, Math.ceil(of.rows / PAGE_KEYS));
    for (let page = 0; page < pages; page++) {
      const truths = await ports.lookUps.newestPage(of, above, page, pages);
      lost += await writePage({ of, truths, page, above }, filling, reader, ports);
    }
  }
  return lost;
}

/** Reads images of any age: a field that the layout does not know belongs to a column that was dropped since, and is read over. */
function createReader(layout: MirrorLayout): (truth: TruthEvent, images: MirrorRows) => number | null {
  const ignored = new Set<string>();
  let transcoder = compileTranscoder(layout);
  return (truth, images) => {
    const bytes = Buffer.from(truth.after, 'utf8');
    const withheld = truth.unavailable.length === 0 ? undefined : new Set(truth.unavailable);
    for (;;) {
      const outcome = transcoder.append(bytes, 0, bytes.length, images, withheld);
      if (outcome !== UNKNOWN_FIELD) return outcome === TRANSCODED ? images.rowCount - 1 : null;
      ignored.add(transcoder.failedColumn);
      transcoder = compileTranscoder(ignoreFields(layout, ignored));
    }
  };
}

interface Page {
  readonly of: TableOf;
  readonly truths: readonly TruthEvent[];
  readonly page: number;
  readonly above: number;
}

async function writePage(
  { of, truths, page, above }: Page,
  filling: Filling,
  reader: ReturnType<typeof createReader>,
  ports: Ports,
): Promise<number> {
  const images = new MirrorRows(filling.layout);
  const read = (truth: TruthEvent): number | null => reader(truth, images);
  const present = truths.filter(({ op }) => op !== 'd');
  const carriers = await carriersOf(present, { of, above, filling, ports, read });
  const events: FoldEvent[] = [];
  let lost = 0;
  for (const truth of present) {
    const image = read(truth);
    if (image === null) {
      lost++;
      continue;
    }
    const indexes = truth.unavailable
      .map((name) => filling.layout.columns.findIndex((column) => column.name === name))
      .filter((index) => index >= 0);
    const withheld = new Map(
      indexes.map((index): [number, RowRef | null] => {
        const row = carriers.get(`${index}/${truth.key}`);
        return [index, row === undefined ? null : { rows: images, row }];
      }),
    );
    events.push({
      key: images.keyOf(image),
      origin: truth,
      image,
      present: true,
      withheld: withheld.size === 0 ? null : withheld,
    });
  }
  const { signed, unresolved } = foldOver(images, events, { rows: new MirrorRows(filling.layout), byKey: new Map() });
  lost += unresolved.length;
  if (signed.rowCount === 0) return lost;
  const glance = await ports.glance();
  const rows = mirrorColumns(signed);
  const token = `rebuild:${filling.shadow.uuid}:${of.topic}:${of.partition}:${page}`;
  const guard = {
    deadlineMs: glance.clockMs + filling.guardSeconds * 1_000,
    changes: machineryTable(glance, 'changes'),
  };
  await ports.insert(
    mirrorInsert(rows, { layout: filling.layout, target: filling.shadow }, of, token),
    guard,
    filling.insertSeconds * 2,
  );
  return lost;
}

interface Carrying {
  readonly of: TableOf;
  readonly above: number;
  readonly filling: Filling;
  readonly ports: Ports;
  readonly read: (truth: TruthEvent) => number | null;
}

/** For each withheld value, by `column index/key`, the row of an older image that has it. */
async function carriersOf(
  truths: readonly TruthEvent[],
  { of, above, filling, ports, read }: Carrying,
): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  for (const [index, { name }] of filling.layout.columns.entries()) {
    const keys = new Map(
      truths.filter(({ unavailable }) => unavailable.includes(name)).map(({ key, offset }) => [key, offset]),
    );
    if (keys.size === 0) continue;
    const turns = new Map((await ports.lookUps.turns(of, including(keys))).map(({ key, offset }) => [key, offset]));
    const carriers = new Map((await ports.lookUps.newestWith(of, name, keys)).map((carrier) => [carrier.key, carrier]));
    for (const [key, offset] of keys) {
      const newest = carriers.get(key);
      const own = newest !== undefined && newest.offset >= (turns.get(key) ?? -1);
      const carrier = own
        ? { offset: newest.offset, read: () => read(newest) }
        : await findCarrier([eventsOfChanges(ports.lookUps, of, read)], { key, offset }, name);
      const row = carrier !== null && carrier.offset > above ? carrier.read() : null;
      if (row !== null) rows.set(`${index}/${key}`, row);
    }
  }
  return rows;
}

/** Offsets below which the event itself is looked at, too: it may be the create of a changed key. */
function including(keys: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...keys].map(([key, offset]) => [key, offset + 1]));
}
