/** Makes mirrors anew in the group: which process does it, when it is time, and that no other writes to the table meanwhile. */
import { ERROR_CODES, ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import type { BlockTable } from '../plan/change-block';
import { placeName } from '../plan/replay';
import type { DeliveryPorts } from './ports';
import { isDue, topicsAwaited, type RebuildMark } from './rebuild-marks';

/** `not-mine`: another process owns the table's first partition. `nothing`: `changes` holds no change of it. */
export type RebuildOutcome = 'rebuilt' | 'not-mine' | 'nothing' | 'not-mirrored';

export interface Membership {
  readonly assigned: readonly TopicPartition[];
  /** Aborted when the assignment is over. */
  readonly signal: AbortSignal;
}

type Ports = Pick<DeliveryPorts, 'log' | 'lookUps' | 'tables' | 'takeTable' | 'rebuildMarks'>;

/** Every partition of every topic that `changes` has the table from, in order; empty if there is none. */
export async function placesOf(
  schema: string,
  table: string,
  { log, lookUps }: Pick<Ports, 'log' | 'lookUps'>,
): Promise<TopicPartition[]> {
  const known = await lookUps.whereabouts(schema, table);
  const topics = [...new Set(known.map(({ topic }) => topic))].sort();
  const held = await Promise.all(topics.map((topic) => log.bounds(topic)));
  return held.flatMap((bounds) => bounds.toSorted((a, b) => a.partition - b.partition));
}

/**
 * Makes the mirror of a table anew if this process owns its first partition. Throws FENCED when the group did not stay
 * as it was, or an owner did not hold still; the old mirror stays then.
 */
export async function rebuildTable(
  { schema, table }: { readonly schema: string; readonly table: string },
  { assigned, signal }: Membership,
  ports: Ports,
): Promise<RebuildOutcome> {
  const places = await placesOf(schema, table, ports);
  const [first] = places;
  if (first === undefined) return 'nothing';
  if (!assigned.some((one) => placeName(one) === placeName(first))) return 'not-mine';
  const epoch = ports.log.epoch();
  const name = `${schema}.${table}`;
  try {
    const mirrored = await ports.tables.rebuild({ source: '', db: '', schema, name: table }, (shadow) =>
      ports.takeTable({ table: name, shadow: shadow.name, places }, signal),
    );
    return mirrored ? 'rebuilt' : 'not-mirrored';
  } catch (error) {
    if (!signal.aborted && ports.log.epoch() === epoch) throw error;
    throw new ServiceError(
      'FENCED',
      `The partitions of ${name} moved to another process while its mirror was made anew; the old mirror stays.`,
      { place: { table: name }, hint: 'Ask again once the group has come to rest.', cause: error },
    );
  }
}

/** Makes a mirror anew that its source has left behind, or asks who may. */
export async function remakeTable(table: BlockTable, membership: Membership, ports: Ports): Promise<RebuildOutcome> {
  const { schema, name } = table;
  const outcome = await rebuildTable({ schema, table: name }, membership, ports);
  if (outcome === 'nothing') {
    // Nobody has written to the mirror, so there is nobody to wait for.
    await ports.tables.rebuild(table, () => Promise.resolve({ release: () => Promise.resolve() }));
    return 'rebuilt';
  }
  if (outcome === 'not-mine') {
    const asked = (await ports.rebuildMarks.list()).some((mark) => mark.schema === schema && mark.table === name);
    if (!asked) await ports.rebuildMarks.want({ schema, table: name, until: {} });
  }
  return outcome;
}

/** Fills mirrors again that somebody dropped. Where `changes` is gone too, all is read anew, and they are met then. */
export async function refillDropped({ glance, tables }: Pick<DeliveryPorts, 'glance' | 'tables'>): Promise<void> {
  const { tables: standing } = await glance();
  if (standing.has('changes')) await tables.refill(standing);
}

/** Carries out the marks that are due and whose table is this process's; what fails for now is tried again at the next call. */
export async function rebuildMarked(membership: () => Membership, ports: Ports): Promise<void> {
  const marks = await ports.rebuildMarks.list();
  const byTable = Map.groupBy(marks, ({ schema, table }) => `${schema}.${table}`);
  for (const ofTable of byTable.values()) {
    const due = await dueOf(ofTable, ports);
    const [first] = due;
    if (first === undefined) continue;
    const outcome = await rebuildTable(first, membership(), ports).catch(unlessForNow);
    if (outcome === 'not-mine' || outcome === 'later') continue;
    for (const { name } of due) await ports.rebuildMarks.forget(name);
  }
}

async function dueOf(marks: readonly RebuildMark[], { log }: Ports): Promise<RebuildMark[]> {
  const topics = [...new Set(marks.flatMap(topicsAwaited))];
  const committed = topics.length === 0 ? [] : await log.committed(topics.map((topic) => ({ topic, partition: 0 })));
  return marks.filter((mark) => isDue(mark, committed));
}

function unlessForNow(error: unknown): 'later' {
  if (error instanceof ServiceError && ERROR_CODES[error.code] === 'retry') return 'later';
  throw error;
}
