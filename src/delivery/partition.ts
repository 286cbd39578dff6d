/**
 * Delivers one partition, block by block, exactly once: look first, announce, `changes`, mirrors, next announce.
 * The protocol and what each step prevents: docs/delivery.md.
 */
import type { Guard } from '../clickhouse/insert';
import { ServiceError, type ErrorCode } from '../errors';
import type { StartHow } from '../events';
import type { RecordChunk, TopicPartition } from '../model';
import { createGatherer, type Filter, type Gatherer } from '../pipeline';
import type { ChangeBlock } from '../plan/change-block';
import { encodeNote, type AnnouncedBlock } from '../plan/commit';
import type { SnapshotState } from '../plan/mode';
import type { Watermark } from '../plan/position';
import { findBeginning, machineryTable, type Beginning } from './assign';
import { patiently } from './patience';
import { prepareBlock, type Prepared } from './prepare';
import type { DeliveryLimits, DeliveryPorts } from './ports';

export interface PartitionOptions {
  readonly of: TopicPartition;
  readonly epoch: number;
  readonly ports: DeliveryPorts;
  readonly limits: DeliveryLimits;
  readonly filter: Filter;
  /** Called when the service must stop: expired offsets, a wire it cannot read, a fault of its own. */
  readonly onFatal: (error: unknown) => void;
  /** Resolves when a delivery of an earlier epoch has let go of the partition. */
  readonly after: Promise<void>;
}

export interface PartitionDelivery {
  /** Records of this partition and epoch. A promise means no room; it resolves when there is some. */
  take(chunk: RecordChunk): Promise<void> | null;
  /** Kafka jumped: find the start anew. */
  reassign(): void;
  /** Writes what was taken, commits, and ends. Resolves when done. */
  drain(): Promise<void>;
  /** Ends without writing more; an insert under way is let finish. */
  abandon(): void;
  /** Resolves when nothing of this delivery is under way any more. */
  readonly ended: Promise<void>;
  /** Offsets up to here are in ClickHouse. */
  readonly written: number;
}

/** Thrown inside to go back to assignment. */
class Reassign extends Error {}

/** How many redoes in a row make the pauses between them grow. */
const LONGEST_PAUSE_MS = 15_000;

export function deliverPartition(options: PartitionOptions): PartitionDelivery {
  const { of, epoch, ports, limits } = options;
  const abort = new AbortController();
  const { signal } = abort;
  let gatherer: Gatherer | null = null;
  let draining = false;
  let mustReassign = false;
  let written = -1;
  let wake = (): void => undefined;
  let roomWaiters: (() => void)[] = [];

  const isCurrent = (): boolean => !signal.aborted && ports.log.epoch() === epoch;
  const makeRoom = (): void => {
    const waiters = roomWaiters;
    roomWaiters = [];
    for (const resolve of waiters) resolve();
  };

  /** Sleeps until woken or `ms` passed. */
  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async (): Promise<void> => {
    await options.after;
    let failures = 0;
    while (isCurrent()) {
      try {
        const beginning = await findBeginning(of, ports, limits, signal);
        if (!isCurrent()) return;
        await deliverFrom(beginning, () => (failures = 0));
        return;
      } catch (error) {
        if (!isCurrent()) return;
        if (!(error instanceof Reassign)) throw error;
        failures++;
        gatherer = null;
        mustReassign = false;
        ports.log.halt(of);
        ports.forgetGlance();
        ports.tables.recheck();
        makeRoom();
        if (failures > 1) await ports.sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** failures), signal);
      }
    }
  };

  /** Reads from the beginning and writes block after block, until the epoch ends or the delivery is drained. */
  const deliverFrom = async (beginning: Beginning, onBlock: () => void): Promise<void> => {
    const { target } = beginning;
    const current = createGatherer({
      limits: { rows: limits.blockRows, bytes: limits.blockBytes },
      filter: options.filter,
      from: beginning.from,
      redoEnd: beginning.redo?.end ?? null,
    });
    gatherer = current;
    written = beginning.from;
    let past: Past = { watermark: beginning.watermark, snapshot: beginning.snapshot, highest: beginning.highest };
    let redo = beginning.redo;
    let committed = beginning.how === 'ours' ? beginning.from : -1;
    let lastCut = -Infinity;
    let idleSince = performance.now();
    ports.emit({ tag: 'partition-assigned', ...of, start: beginning.from, how: HOW[beginning.how] });
    if (draining) return;
    ports.log.start(of, beginning.from, epoch);
    while (isCurrent()) {
      if (mustReassign) throw new Reassign();
      const cutAt = lastCut + limits.blockAgeMs;
      const mayCut = draining || performance.now() >= cutAt;
      const block = current.takeFull() ?? (mayCut ? current.takeOpen() : null);
      if (!current.hasFull) makeRoom();
      if (block !== null) {
        lastCut = performance.now();
        past = await deliverBlock(block, { past, target, redo });
        redo = null;
        written = block.end;
        current.release(block);
        idleSince = performance.now();
        onBlock();
        continue;
      }
      const idleFor = performance.now() - idleSince;
      const unacknowledged = current.position > committed && !current.redoing && ports.log.canCommit();
      if (unacknowledged && (draining || idleFor >= limits.idleCommitMs)) {
        const position = current.position;
        await commit(position, encodeNote({ target, announced: null }));
        committed = position;
        written = position;
        idleSince = performance.now();
        reportSkipped(current);
        continue;
      }
      if (draining) return;
      await rest(current.hasOpen ? Math.max(1, cutAt - performance.now()) : unacknowledged ? Math.max(1, limits.idleCommitMs - idleFor) : 1_000);
    }
  };

  /** Steps 0 to 3 for one block; what it returns is known for the next. */
  const deliverBlock = async (block: ChangeBlock, { past, target, redo }: { past: Past; target: string; redo: AnnouncedBlock | null }): Promise<Past> => {
    const { start, end } = block;
    const startedAt = performance.now();
    if (block.empty && redo === null) return past;
    const at = redo?.at ?? ports.now();
    const seen = redo !== null || start <= past.highest;
    const { prepared, deadlineMs, changes } = await patiently(
      async () => {
        const glance = await ports.glance();
        const table = machineryTable(glance, 'changes');
        if (table.uuid !== target) throw new Reassign();
        const context = { ...of, start, end, at, seen, watermark: past.watermark, snapshot: past.snapshot, changes: table, quarantine: machineryTable(glance, 'quarantine') };
        const ready = await prepareBlock(block, context, ports, limits);
        const clock = await ports.glance();
        return { prepared: ready, changes: table, deadlineMs: clock.clockMs + limits.guardSeconds * 1_000 };
      },
      { signal, emit: ports.emit },
    );
    await commit(start, encodeNote({ target, announced: { end, at } }));
    await write(block, prepared, { deadlineMs, changes });
    report(block, prepared, performance.now() - startedAt);
    return { watermark: prepared.watermark, snapshot: prepared.snapshot, highest: past.highest };
  };

  /** Announces or acknowledges; the same words again while there is no answer. Goes back to assignment when fenced. */
  const commit = async (offset: number, metadata: string): Promise<void> => {
    const outcome = await patiently(() => (isCurrent() ? ports.log.commit(epoch, { ...of, offset, metadata }) : Promise.resolve('fenced' as const)), {
      signal,
      emit: ports.emit,
    });
    if (outcome === 'fenced') throw new Reassign();
  };

  /** Every insert in order; repeated with the same token while the guard allows, else the block is redone from step 0. */
  const write = async ({ start, end }: ChangeBlock, { inserts, truncates, seen }: Prepared, guard: Guard): Promise<void> => {
    const seconds = seen ? limits.insertSeconds * 2 : limits.insertSeconds;
    const giveUpAt = performance.now() + limits.guardSeconds * 1_000;
    const redo = (reason: ErrorCode): never => {
      ports.emit({ tag: 'redo', ...of, start, end, reason });
      throw new Reassign();
    };
    const persist = (action: () => Promise<void>): Promise<void> =>
      patiently(() => (performance.now() > giveUpAt ? redo('CLICKHOUSE_UNREACHABLE') : action()), { signal, emit: ports.emit });
    try {
      for (const insert of inserts) await persist(() => ports.insert(insert, guard, seconds));
      for (const { table, below } of truncates) await persist(() => ports.removeBelow(table, of, below));
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'GUARD_REFUSED') redo(error.code);
      throw error;
    }
  };

  const report = (block: ChangeBlock, prepared: Prepared, ms: number): void => {
    const modes = Object.fromEntries([
      ...prepared.modes.map(({ table, mode }) => [table, mode] as const),
      ...prepared.truncates.map(({ table }) => [table.name, 'truncate'] as const),
    ]);
    ports.emit({ tag: 'block-written', ...of, start: block.start, end: block.end, rows: prepared.rowCount, modes, ms: Math.round(ms) });
    for (const { offset, code } of prepared.bad) ports.emit({ tag: 'record-quarantined', ...of, offset, code });
    if (gatherer !== null) reportSkipped(gatherer);
  };

  const reportSkipped = (from: Gatherer): void => {
    const kinds = from.takeSkipped();
    if (kinds.size > 0) ports.emit({ tag: 'records-skipped', ...of, kinds: Object.fromEntries(kinds) });
  };

  const ended = run()
    .catch((error: unknown) => {
      if (!signal.aborted) options.onFatal(error);
    })
    .finally(() => {
      gatherer = null;
      makeRoom();
    });

  return {
    take(chunk) {
      if (gatherer === null || chunk.epoch !== epoch || draining) return null;
      const foreign = gatherer.feed(chunk);
      if (foreign !== null) {
        options.onFatal(refused(of, foreign));
        return null;
      }
      wake();
      return gatherer.hasFull ? new Promise((resolve) => roomWaiters.push(resolve)) : null;
    },
    reassign() {
      mustReassign = true;
      gatherer = null;
      wake();
    },
    drain() {
      draining = true;
      if (gatherer === null) abort.abort(new Error('stopped before the partition was started'));
      wake();
      return ended;
    },
    abandon() {
      abort.abort(new Error('the assignment is over'));
      wake();
    },
    ended,
    get written() {
      return written;
    },
  };
}

interface Past {
  readonly watermark: Watermark;
  readonly snapshot: SnapshotState;
  readonly highest: number;
}

const HOW: Record<Beginning['how'], StartHow> = {
  first: 'first start',
  ours: 'idle',
  announced: 'announced',
  replaced: 'replaced target',
  hand: 'foreign commit',
};

function refused({ topic, partition }: TopicPartition, wire: 'schema-envelope' | 'avro'): ServiceError {
  const name = wire === 'avro' ? 'Avro' : 'JSON with schema';
  return new ServiceError('WIRE_FORMAT_UNSUPPORTED', `The topic ${topic} holds ${name}, which this version does not read.`, {
    place: { topic, partition },
    hint: 'Register the connector with the plain JSON profile (make up CONNECTOR=json) and a new TOPIC_PREFIX. Nothing was written of this topic.',
  });
}
