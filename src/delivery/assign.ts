/** Finds where an assigned partition starts, and what must be known before its first block. */
import { partitionKey } from '../clickhouse/look-ups';
import type { TargetTable } from '../clickhouse/insert';
import type { Glance } from '../clickhouse/target';
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import { decideStart, type Found, type Start } from '../plan/assignment';
import { eventIdentity } from '../plan/change-block';
import { parseNote, type AnnouncedBlock } from '../plan/commit';
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
  /** The UUID of `changes` that this assignment writes to. */
  readonly target: string;
  /** Which row of the table was followed. */
  readonly how: 'first' | 'ours' | 'hand' | 'replaced' | 'announced';
}

/** The machinery tables a delivery needs, by name; CLICKHOUSE_QUERY_FAILED (and so another try) while one is missing. */
export function machineryTable(glance: Glance, name: string): TargetTable {
  const found = glance.tables.get(name);
  if (found !== undefined) return found;
  throw new ServiceError('CLICKHOUSE_QUERY_FAILED', `The table ${name} is missing in ClickHouse.`, {
    place: { table: name },
    hint: 'It was dropped; it is made again, and filled again from Kafka or from changes.',
  });
}

/**
 * Reads everything anew and follows the assignment table, waiting where a row says so. Throws CHANGES_EXPIRED or
 * TOPIC_RECREATED where it says stop, and the signal's reason on abort.
 */
export async function findBeginning(
  of: TopicPartition,
  ports: DeliveryPorts,
  limits: DeliveryLimits,
  signal: AbortSignal,
): Promise<Beginning> {
  for (let waited = false; ; waited = true) {
    const found = await patiently(() => lookAround(of, ports, waited), { signal, emit: ports.emit });
    const start = decideStart(found);
    if (start.kind === 'wait') {
      await ports.sleep((limits.guardSeconds + limits.insertSeconds) * 1_000, signal);
      continue;
    }
    if (start.kind === 'stop') throw stopped(of, start);
    if (start.kind === 'reconcile-expired') throw notYet(of, start);
    const past = await patiently(() => ports.lookUps.past(of, start.from), { signal, emit: ports.emit });
    return {
      from: start.from,
      redo: start.kind === 'redo' ? start.block : null,
      highest: found.highest ?? -1,
      watermark:
        past.mark === null
          ? NO_WATERMARK
          : {
              position: past.mark,
              identities: new Set(past.mark.events.map(eventIdentity).filter((one) => one !== null)),
            },
      snapshot: snapshotState(past),
      target: found.target,
      how: start.kind === 'redo' ? 'announced' : start.why,
    };
  }
}

function snapshotState(past: { empty: boolean; snapshotLsn: number | null }): SnapshotState {
  if (past.empty) return { kind: 'empty' };
  return past.snapshotLsn === null ? { kind: 'mixed' } : { kind: 'one-run', lsn: past.snapshotLsn };
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

function notYet(of: TopicPartition, start: { from: number; to: number }): ServiceError {
  return new ServiceError(
    'CHANGES_EXPIRED',
    `Kafka no longer holds the offsets ${start.from} to ${start.to - 1} of ${of.topic}:${of.partition}; they are in changes, but the mirror may lack the last of them.`,
    {
      place: { ...of, offset: start.from },
      hint: 'Drop the mirror of the table, so that it is built again from changes, and commit the offset with the service running.',
    },
  );
}
