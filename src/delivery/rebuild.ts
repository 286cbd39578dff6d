/** Makes a mirror anew from `changes` alone: for each key its newest event, page by page. Kafka is not read. */
import type { TargetTable } from '../clickhouse/insert';
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import type { TableOf, TruthEvent } from '../clickhouse/truth-look-ups';
import { foldOver } from '../plan/fold';
import { MirrorRows } from '../plan/mirror-rows';
import { isTruncated, ownTruncate, type Truncation } from '../plan/truncation';
import { machineryTable } from './assign';
import { mirrorColumns, mirrorInsert } from './prepare';
import type { DeliveryPorts } from './ports';
import type { EarlierImages } from './table-past';
import { createTruthReader, eventsOfTruths, type TruthReader } from './truth-events';

/** Keys of a page at most, about. */
const PAGE_KEYS = 100_000;

type Ports = Pick<DeliveryPorts, 'lookUps' | 'glance' | 'insert'>;

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
    for (let page = 0; page < pages; page++) {
      const truths = await ports.lookUps.newestPage(of, above, page, pages);
      lost += await writePage({ of, truths, page, above }, filling, reader, { ports, truncations });
    }
  }
  return lost;
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
  reader: TruthReader,
  { ports, truncations }: { ports: Ports; truncations: readonly Truncation[] },
): Promise<number> {
  const { layout, shadow } = filling;
  const images = new MirrorRows(layout);
  const alive = truths.filter((truth) => truth.op !== 'd' && !isTruncated({ ...truth, ...of }, truncations));
  const { events, lost } = await eventsOfTruths(alive, { of, above, layout, lookUps: ports.lookUps, reader, images });
  const { signed, unresolved } = foldOver(images, events, { rows: new MirrorRows(layout), byKey: new Map() });
  const missing = lost + unresolved.length;
  if (signed.rowCount === 0) return missing;
  const glance = await ports.glance();
  const token = `rebuild:${shadow.uuid}:${of.topic}:${of.partition}:${page}`;
  const guard = {
    deadlineMs: glance.clockMs + filling.guardSeconds * 1_000,
    changes: machineryTable(glance, 'changes'),
  };
  const rows = mirrorColumns(signed);
  await ports.insert(mirrorInsert(rows, { layout, target: shadow }, of, token), guard, filling.insertSeconds * 2);
  return missing;
}
