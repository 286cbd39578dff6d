/** Mends single rows of a mirror from `changes`: the rows of keys that `verify` found wrong, by the owner of their partition. */
import type { Guard } from '../clickhouse/insert';
import type { TruthEvent } from '../clickhouse/truth-event';
import type { TableOf } from '../clickhouse/truth-look-ups';
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import { foldOver, type FoldEvent } from '../plan/fold';
import { MirrorRows } from '../plan/mirror-rows';
import { placeName } from '../plan/replay';
import { isTruncated, ownTruncate, type Truncation } from '../plan/truncation';
import { machineryTable } from './assign';
import { mirrorColumns, mirrorInsert } from './mirror-insert';
import { MirrorOutdated, type DeliveryLimits, type DeliveryPorts, type MirroredTable } from './ports';
import { placesOf, type Membership } from './table-rebuild';
import { REPAIR_SECONDS } from './repair-notice';
import { createTruthReader, eventsOfTruths, type TruthReader } from './truth-events';

export interface RepairRequest {
  readonly schema: string;
  readonly table: string;
  /** Keys as `changes` has them, in every way each is written there. */
  readonly keys: readonly string[];
  /**
   * Rows of the mirror whose key is in no change: a block of their key columns, `_topic`, `_partition` and `_offset` in
   * ClickHouse's Native format, in hexadecimal; '' for none.
   */
  readonly strays: string;
}

export interface Repaired {
  /** Keys whose rows were written anew or taken away, and keys that were right. */
  readonly mended: number;
  readonly right: number;
  /** Keys whose values `changes` does not hold: they stay as they are. */
  readonly lost: number;
}

type Ports = Pick<
  DeliveryPorts,
  'log' | 'lookUps' | 'tables' | 'glance' | 'forgetGlance' | 'currentRows' | 'insert' | 'repairs'
>;

/** A key's newest event, and where it is. */
type Placed = TruthEvent & TopicPartition;

interface Repairing {
  readonly of: { readonly schema: string; readonly table: string };
  readonly table: MirroredTable;
  readonly guard: Guard;
  readonly ports: Ports;
  readonly limits: DeliveryLimits;
  readonly truncations: readonly Truncation[];
  readonly reader: TruthReader;
}

/**
 * Mends what this process owns; 'not-mine' if that is nothing. The table's blocks wait meanwhile. May be repeated, and goes
 * on where it was cut off: every step begins with what stands. Throws FENCED where a partition moved, and GUARD_REFUSED
 * where it took too long.
 */
export async function repairKeys(
  request: RepairRequest,
  { assigned, signal }: Membership,
  ports: Ports,
  limits: DeliveryLimits,
): Promise<Repaired | 'not-mine' | 'not-mirrored'> {
  const { schema, table: name, strays } = request;
  const mine = new Set(assigned.map(placeName));
  const [first] = await placesOf(schema, name, ports);
  const sweeps = strays !== '' && first !== undefined && mine.has(placeName(first));
  return ports.tables.alone(`${schema}.${name}`, async () => {
    const found = await ports.lookUps.newestAnywhere(schema, name, request.keys);
    const places = new Map(found.filter((one) => mine.has(placeName(one))).map((one) => [placeName(one), one]));
    if (places.size === 0 && !sweeps) return 'not-mine';
    ports.forgetGlance();
    const glance = await ports.glance();
    const guard = {
      deadlineMs: glance.clockMs + REPAIR_SECONDS * 1_000,
      changes: machineryTable(glance, 'changes'),
    };
    const opened = ports.tables.open({ source: '', db: '', schema, name }, { upTo: -1, shownBy: null });
    const { mirrored } = await opened.catch(unlessOutdated);
    if (mirrored === null) return 'not-mirrored';
    const owned = [...places.values(), ...(sweeps ? [first] : [])];
    return ports.repairs.announced(owned, signal, async () => {
      const truncations = await ports.lookUps.truncations(schema, name);
      const reader = createTruthReader(mirrored.layout, mirrored.earlier);
      const repairing = { of: { schema, table: name }, table: mirrored, guard, ports, limits, truncations, reader };
      const done = await mendAll(newestOfKeys(found, repairing), mine, repairing);
      if (sweeps) await ports.repairs.removeStrays(mirrored, strays, guard.deadlineMs);
      return done;
    });
  });
}

/** One event for each key of the mirror, however the key is written: the newest of its partition, and of all partitions. */
function newestOfKeys(found: readonly Placed[], { table, reader }: Repairing): { read: Placed[]; unread: number } {
  const keys = new MirrorRows(table.layout);
  const newest = new Map<string, Placed>();
  let unread = 0;
  for (const event of found) {
    const row = reader(event, keys, 'absent');
    if (row === null) unread++;
    if (typeof row !== 'number') continue;
    const key = keys.keyOf(row);
    const other = newest.get(key);
    if (other === undefined || isNewer(event, other)) newest.set(key, event);
  }
  return { read: [...newest.values()], unread };
}

function isNewer(event: Placed, other: Placed): boolean {
  if (placeName(event) === placeName(other)) return event.offset > other.offset;
  return event.tsUs > other.tsUs || (event.tsUs === other.tsUs && event.lsn > other.lsn);
}

async function mendAll(
  { read, unread }: { read: readonly Placed[]; unread: number },
  mine: ReadonlySet<string>,
  repairing: Repairing,
): Promise<Repaired> {
  const total = { mended: 0, right: 0, lost: unread };
  for (const [place, events] of Map.groupBy(read, placeName)) {
    const [first] = events;
    if (first === undefined || !mine.has(place)) continue;
    const { topic, partition } = first;
    const done = await mendPlace({ topic, partition, ...repairing.of }, events, repairing);
    total.mended += done.mended;
    total.right += done.right;
    total.lost += done.lost;
  }
  return total;
}

/** −what stands, +the truth, in one insert. Rows whose signs are wrong cannot be mended by signs: they are removed first. */
async function mendPlace(of: TableOf, truths: readonly TruthEvent[], repairing: Repairing): Promise<Repaired> {
  const { table, guard, ports, limits, truncations, reader } = repairing;
  const images = new MirrorRows(table.layout);
  const isAlive = (truth: TruthEvent): boolean => truth.op !== 'd' && !isTruncated({ ...truth, ...of }, truncations);
  const present = truths.filter(isAlive);
  const above = ownTruncate(of, truncations);
  const alive = await eventsOfTruths(present, {
    ...{ of, above, reader, images },
    layout: table.layout,
    lookUps: ports.lookUps,
  });
  const gone = truths.filter((truth) => !isAlive(truth)).flatMap((truth) => absent(truth, images, reader));
  const events = [...alive.events, ...gone];
  const rows = events.map(({ image }) => image);
  const standing = await ports.currentRows(table, images, rows);
  const byKey = new Map<string, number>();
  for (let row = 0; row < standing.rowCount; row++) byKey.set(standing.keyOf(row), row);
  const signs = await ports.repairs.signsOf(table, images, rows);
  const crooked = events.filter(({ key }) => (signs.get(key) ?? 0) !== (byKey.has(key) ? 1 : 0));
  const { signed, unresolved } = foldOver(images, events, {
    rows: standing,
    byKey: new Map([...byKey].filter(([key]) => !crooked.some((event) => event.key === key))),
  });
  const lost = new Set(unresolved.map(({ key }) => key));
  const removed = crooked.filter(({ key }) => !lost.has(key));
  if (removed.length > 0) {
    await ports.repairs.removeKeys(
      table,
      images,
      removed.map(({ image }) => image),
      guard.deadlineMs,
    );
    const left = await ports.repairs.signsOf(
      table,
      images,
      removed.map(({ image }) => image),
    );
    if (left.size > 0) throw tooLate(table.name);
  }
  if (signed.rowCount > 0) {
    const token = `repair:${table.target.uuid}:${placeName(of)}:${guard.deadlineMs}`;
    await ports.insert(mirrorInsert(mirrorColumns(signed), table, of, token), guard, limits.insertSeconds);
  }
  const touched = new Set(removed.map(({ key }) => key));
  for (let row = 0; row < signed.rowCount; row++) touched.add(signed.rows.keyOf(row));
  const unreadable = alive.lost + lost.size;
  return { mended: touched.size, right: truths.length - touched.size - unreadable, lost: unreadable };
}

function absent(truth: TruthEvent, images: MirrorRows, reader: TruthReader): FoldEvent[] {
  const image = reader(truth, images, 'absent');
  if (typeof image !== 'number') return [];
  return [{ key: images.keyOf(image), origin: truth, image, present: false, withheld: null }];
}

function unlessOutdated(error: unknown): never {
  if (!(error instanceof MirrorOutdated)) throw error;
  const table = `${error.table.schema}.${error.table.name}`;
  throw new ServiceError('FENCED', `The source of ${table} has other columns now, so its mirror is to be made anew.`, {
    place: { table },
    hint: 'It is made anew with the next change of the table, or by rebuild.',
  });
}

/** Where a removal came too late, nothing may be added to what still stands. */
function tooLate(table: string): ServiceError {
  return new ServiceError('GUARD_REFUSED', `Rows of ${table} could not be removed in time, so they were not mended.`, {
    place: { table },
    hint: 'Ask again; nothing is lost, and what was mended stays.',
  });
}
