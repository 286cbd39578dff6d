/** Finds where an assigned partition starts, and what must be known before its first block. */
import { partitionKey, type PartitionPast } from '../clickhouse/look-ups';
import type { TargetTable } from '../clickhouse/insert';
import type { Glance } from '../clickhouse/target';
import { ServiceError } from '../errors';
import type { StartHow } from '../events';
import type { TopicPartition } from '../model';
import { decideStart, type Found, type Start } from '../plan/assignment';
import { eventIdentity } from '../plan/change-block';
import { parseNote, type AnnouncedBlock } from '../plan/commit';
import type { PartitionMarks } from '../plan/marks';
import type { SnapshotState } from '../plan/mode';
import { NO_WATERMARK, type Watermark } from '../plan/position';
import { patiently } from './patience';
import type { DeliveryLimits, DeliveryPorts } from './ports';

export interface Beginning {
  /** The first offset to read. */
  readonly from: number;
  /** The announced block to write again, exactly. */
  readonly redo: AnnouncedBlock | null;
  /** H: the highest offset in `changes`; -1 when there is none. Blocks that start at or below it are reconciled. */
  readonly highest: number;
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
  readonly marks: PartitionMarks;
  /** The UUID of `changes` that this assignment writes to. */
  readonly target: string;
  /** Which row of the table was followed. */
  readonly how: 'first' | 'ours' | 'hand' | 'replaced' | 'announced' | 'expired' | 'accepted' | 'replay';
}

/** The same in words for people. */
export const START_HOW: Record<Beginning['how'], StartHow> = {
  first: 'first start',
  ours: 'idle',
  announced: 'announced',
  replaced: 'replaced target',
  hand: 'foreign commit',
  expired: 'expired, reconciled',
  accepted: 'accepted loss',
  replay: 'replay',
};

/** The machinery tables a delivery needs, by name; CLICKHOUSE_QUERY_FAILED (and so another try) while one is missing. */
export function machineryTable(glance: Glance, name: string): TargetTable {
  const found = glance.tables.get(name);
  if (found !== undefined) return found;
  throw new ServiceError('CLICKHOUSE_QUERY_FAILED', `The table ${name} is missing in ClickHouse.`, {
    place: { table: name },
    hint: 'It was dropped; it is made again, and filled again from Kafka or from changes.',
  });
}

/** No insert would say that the target was dropped while there is nothing to insert. Away is not dropped. */
export async function isReplaced(target: string, { glance }: Pick<DeliveryPorts, 'glance'>): Promise<boolean> {
  const seen = await glance().catch(() => null);
  return seen !== null && seen.tables.get('changes')?.uuid !== target;
}

export interface Finding {
  readonly of: TopicPartition;
  readonly ports: DeliveryPorts;
  readonly limits: DeliveryLimits;
  readonly signal: AbortSignal;
  /** Where a replay was asked to begin, in offsets; null for none. Asked once for each look around. */
  readonly replayFrom: (held: { readonly low: number; readonly committed: number | null }) => Promise<number | null>;
  /** Writes the mirrors' share of [from, to) again, from `changes` alone. */
  readonly rewrite: (from: number, to: number) => Promise<void>;
}

/**
 * Reads everything anew and follows the assignment table, waiting where a row says so. Throws CHANGES_EXPIRED or
 * TOPIC_RECREATED where it says stop, and the signal's reason on abort.
 */
export async function findBeginning(finding: Finding): Promise<Beginning> {
  const { of, ports, limits, signal } = finding;
  const waiting = { signal, emit: ports.emit };
  for (let waited = false; ; waited = true) {
    const seen = await patiently(() => lookAround(of, ports, waited), waiting);
    const replay = await patiently(() => finding.replayFrom(seen), waiting);
    const found = replay === null ? seen : rewound(seen, replay);
    const start = decideStart(found);
    if (start.kind === 'wait') {
      await ports.sleep(limits.waitSeconds * 1_000, signal);
      continue;
    }
    if (start.kind === 'reconcile-expired') await finding.rewrite(start.from, start.to);
    const read = await startReading(of, start, ports, limits);
    const past = await patiently(() => lookBack(of, read.from, ports), waiting);
    return {
      ...read,
      ...past,
      highest: found.highest ?? -1,
      target: found.target,
      how: replay === null ? read.how : 'replay',
    };
  }
}

/** As if a hand had moved the offset back: a clean stop needs no wait, an announced block must be waited for. */
function rewound(found: Found, replay: number): Found {
  const next = found.highest === null ? 0 : found.highest + 1;
  if (found.committed === null && found.highest === null) return found;
  const { note } = found;
  const clean = note?.target === found.target && note.announced === null && note.settling !== true;
  const committed = Math.min(Math.max(replay, found.low), found.committed ?? next);
  return { ...found, committed, note: clean || note?.target !== found.target ? note : null };
}

async function startReading(
  of: TopicPartition,
  start: Exclude<Start, { kind: 'wait' }>,
  { emit }: DeliveryPorts,
  limits: DeliveryLimits,
): Promise<Pick<Beginning, 'from' | 'redo' | 'how'>> {
  switch (start.kind) {
    case 'read':
      return { from: start.from, redo: null, how: start.why };
    case 'redo':
      return { from: start.from, redo: start.block, how: 'announced' };
    case 'reconcile-expired':
      return { from: start.to, redo: null, how: 'expired' };
    case 'stop':
      if (start.code !== 'CHANGES_EXPIRED' || !limits.acceptLoss) throw stopped(of, start);
      emit({ tag: 'loss-accepted', ...of, start: start.from, end: start.to });
      return { from: start.to, redo: null, how: 'accepted' };
  }
}

/** What ClickHouse says of the partition below its start. */
export async function lookBack(
  of: TopicPartition,
  from: number,
  { lookUps, marks: marksOf }: Pick<DeliveryPorts, 'lookUps' | 'marks'>,
): Promise<{ watermark: Watermark; snapshot: SnapshotState; marks: PartitionMarks }> {
  const [past, marks] = await Promise.all([lookUps.past(of, from), marksOf(of)]);
  if (past.mark === null) return { watermark: NO_WATERMARK, snapshot: snapshotState(past), marks };
  const identities = new Set(past.mark.events.map(eventIdentity).filter((one) => one !== null));
  return { watermark: { position: past.mark, identities }, snapshot: snapshotState(past), marks };
}

function snapshotState(past: Pick<PartitionPast, 'empty' | 'snapshotRun'>): SnapshotState {
  if (past.empty) return { kind: 'empty' };
  return past.snapshotRun === null ? { kind: 'mixed' } : { kind: 'one-run', ...past.snapshotRun };
}

async function lookAround(
  of: TopicPartition,
  { log, lookUps, glance, forgetGlance, migrate }: DeliveryPorts,
  waited: boolean,
): Promise<Found> {
  forgetGlance();
  if (!(await glance()).tables.has('changes')) {
    await migrate();
    forgetGlance();
  }
  const [seen, committed, bounds, highest] = await Promise.all([
    glance(),
    log.committed([of]),
    log.bounds(of.topic),
    lookUps.highest([of]),
  ]);
  const commit = committed.find(({ topic, partition }) => topic === of.topic && partition === of.partition);
  const held = bounds.find(({ partition }) => partition === of.partition);
  return {
    committed: commit?.offset ?? null,
    note: parseNote(commit?.metadata ?? null),
    highest: highest.get(partitionKey(of)) ?? null,
    low: held?.low ?? 0,
    high: held?.high ?? 0,
    target: machineryTable(seen, 'changes').uuid,
    waited,
  };
}

function stopped(of: TopicPartition, start: Extract<Start, { kind: 'stop' }>): ServiceError {
  const at = `${of.topic}:${of.partition}`;
  if (start.code === 'CHANGES_EXPIRED') {
    return new ServiceError(
      'CHANGES_EXPIRED',
      `Kafka deleted the offsets ${start.from} to ${start.to - 1} of ${at} before they were read, so ${start.to - start.from} records are missing from changes.`,
      {
        place: { ...of, offset: start.from },
        hint: 'Either take a new snapshot of the table (connectors snapshot), or accept the loss with --accept-loss; then raise the retention of the topic.',
      },
    );
  }
  return new ServiceError(
    'TOPIC_RECREATED',
    `changes holds offset ${start.highest} of ${at}, but Kafka's topic ends at ${start.high}: it was deleted and made again.`,
    {
      place: { ...of, offset: start.high },
      hint: 'Start with another CH_DATABASE, or name the topic anew (TOPIC_PREFIX) so that its offsets are not mixed with the old ones.',
    },
  );
}
