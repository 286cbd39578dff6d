/** Steps 0 to 3 of the protocol for one block: look first, announce, `changes`, mirrors. */
import type { Guard, TargetTable } from '../clickhouse/insert';
import type { Glance } from '../clickhouse/target';
import { ServiceError, type ErrorCode } from '../errors';
import type { TopicPartition } from '../model';
import { blockFacts } from '../plan/block-facts';
import type { BadRecord, BlockTable, ChangeBlock } from '../plan/change-block';
import { encodeNote, type AnnouncedBlock, type CommitNote } from '../plan/commit';
import { marksWith } from '../plan/marks';
import { placeName } from '../plan/replay';
import { prepareAhead, type Ahead } from './ahead';
import { machineryTable } from './assign';
import { createHeldTables } from './held-tables';
import { patiently } from './patience';
import { MirrorOutdated, type DeliveryLimits, type DeliveryPorts, type MirroredTable } from './ports';
import { loudness } from './policy-uses';
import { prepareBlock, type Past, type Prepared } from './prepare';

/** Thrown to go back to assignment: fenced, refused, or the target was replaced. What was announced is redone from there. */
export class Reassign extends Error {}

export interface BlockWriterOptions {
  readonly of: TopicPartition;
  readonly epoch: number;
  /** The UUID of `changes` that the assignment was made for. */
  readonly target: string;
  readonly ports: DeliveryPorts;
  readonly limits: DeliveryLimits;
  readonly signal: AbortSignal;
  /** Makes a mirror anew that the source has left behind; returns when it is worth another look. */
  readonly remake: (table: BlockTable) => Promise<void>;
}

/** So often what is missing is written under another token: each is lost only if ClickHouse is killed once more. */
const MOST_ROUNDS = 3;

/** What is known of a block beside what it holds. */
export interface WriteOptions {
  /** What was announced for it before. */
  readonly redo: AnnouncedBlock | null;
  /** What was prepared of it while the block before was written; it is given up here, whatever happens. */
  readonly ahead?: Ahead | null;
  /** Called when it is announced, with what will be returned. */
  readonly onAnnounced?: (past: Past) => void;
}

export interface BlockWriter {
  /**
   * Writes a block exactly once; what it returns holds for the next one. Throws `Reassign`, or the signal's reason between
   * two requests.
   */
  write(block: ChangeBlock, past: Past, options: WriteOptions): Promise<Past>;
  /** Prepares a block while the one before it is written: see `ahead.ts`. `past` is what `onAnnounced` said of that one. */
  readonly prepareAhead: (block: ChangeBlock, past: Past) => Promise<Ahead | null>;
  /**
   * Completes `changes` by a block of older offsets and reconciles its keys, without an announce; for what Kafka no longer
   * holds, and for what could not be read before. Returns the records that cannot be read now.
   */
  rewrite(block: ChangeBlock, past: Past): Promise<readonly BadRecord[]>;
  /** Acknowledges everything below `offset`. Throws `Reassign` when fenced. */
  acknowledge(offset: number): Promise<void>;
  /**
   * Acknowledges as `acknowledge` does, and says that rows of older offsets are about to be written beside the blocks: a
   * later owner waits until nothing of that can land any more. `acknowledge` ends it. Throws `Reassign` when fenced.
   */
  settle(offset: number): Promise<void>;
}

/** Step 0 is done: what is to be written, and until when. */
interface Looked {
  readonly prepared: Prepared;
  readonly guard: Guard;
  /** `ingested_at`, ms since the epoch. */
  readonly at: number;
}

export function createBlockWriter({
  of,
  epoch,
  target,
  ports,
  limits,
  signal,
  remake,
}: BlockWriterOptions): BlockWriter {
  const waiting = { signal, emit: ports.emit };

  /** The same words again while there is no answer, so that a late one leaves no other bounds. */
  const commit = async (offset: number, note: Omit<CommitNote, 'target'>): Promise<void> => {
    const metadata = encodeNote({ target, ...note });
    const outcome = await patiently(() => ports.log.commit(epoch, { ...of, offset, metadata }), waiting);
    if (outcome === 'fenced') throw new Reassign();
  };

  /** `changes` as the assignment was made for it. */
  const ourChanges = (glance: Glance): TargetTable => {
    const changes = machineryTable(glance, 'changes');
    if (changes.uuid !== target) throw new Reassign();
    return changes;
  };

  const guardFrom = ({ clockMs }: Glance, changes: TargetTable): Guard => ({
    changes,
    deadlineMs: clockMs + limits.guardSeconds * 1_000,
  });

  /** Step 0. The clock is read before the announce is sent; reading it again would move the guard's deadline. */
  const lookFirst = async (block: ChangeBlock, past: Past, redo: AnnouncedBlock | null, round = 0): Promise<Looked> => {
    const { start, end } = block;
    const at = redo?.at ?? ports.now();
    const seen = redo !== null || start <= past.highest;
    const glance = await ports.glance();
    const changes = ourChanges(glance);
    const quarantine = machineryTable(glance, 'quarantine');
    const prepared = await prepareBlock(
      block,
      { ...of, ...past, start, end, at, seen, announced: redo !== null, round, changes, quarantine },
      ports,
      limits,
    );
    return { prepared, at, guard: guardFrom(await ports.glance(), changes) };
  };

  /** Step 0 of a block that was prepared ahead; null where it must be prepared anew. */
  const lookAtAhead = async (ahead: Ahead): Promise<Looked | null> => {
    const glance = await ports.glance();
    const changes = ourChanges(glance);
    if (!ahead.fits(glance)) return null;
    const { prepared, at } = ahead;
    return { prepared, at, guard: guardFrom(glance, changes) };
  };

  /**
   * A truncate is ordered against rows by their offsets only where the topic has one partition. In others the mirror is
   * made anew, once everything that Kafka holds now is written: what was committed before the truncate is below that.
   */
  const truncate = async (table: MirroredTable, below: number): Promise<void> => {
    const bounds = await ports.log.bounds(of.topic);
    if (bounds.length === 1) return ports.removeBelow(table, of, below);
    const until = Object.fromEntries(bounds.map((one) => [placeName(one), one.high]));
    const { name, layout } = table;
    await ports.rebuildMarks.want({ schema: layout.schema, table: layout.table, until });
    ports.emit({ tag: 'truncate-by-rebuild', ...of, offset: below, table: name, partitions: bounds.length });
  };

  /**
   * Steps 2 and 3: in order; each repeated with its token while the guard allows, else the block is redone from step 0.
   * `doubtful` where one was repeated.
   */
  const insertAll = async (
    { start, end }: ChangeBlock,
    { inserts, truncates, seen }: Pick<Prepared, 'inserts' | 'truncates' | 'seen'>,
    guard: Guard,
  ): Promise<'certain' | 'doubtful'> => {
    const seconds = seen ? limits.insertSeconds * 2 : limits.insertSeconds;
    const giveUpAt = performance.now() + limits.guardSeconds * 1_000;
    const redo = (reason: ErrorCode): never => {
      ports.emit({ tag: 'redo', ...of, start, end, reason });
      throw new Reassign();
    };
    let repeats = 0;
    const persist = (action: () => Promise<void>): Promise<void> => {
      let sent = false;
      return patiently(() => {
        if (performance.now() > giveUpAt) redo('CLICKHOUSE_UNREACHABLE');
        if (sent) repeats++;
        sent = true;
        return action();
      }, waiting);
    };
    try {
      for (const insert of inserts) await persist(() => ports.insert(insert, guard, seconds));
      for (const { table, below } of truncates) await persist(() => truncate(table, below));
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'GUARD_REFUSED') redo(error.code);
      throw error;
    }
    return repeats > 0 ? 'doubtful' : 'certain';
  };

  /**
   * ClickHouse notes a token before it has the rows: one that is killed in between takes a repeat for what it has already
   * (`faults.test.ts`). So an answer proves that rows are there only where their token was sent once. Else it is looked
   * again, and what is missing is written under another token, the same whoever does it. By then the first is noted, so
   * nothing that was sent with it can land any more.
   * @param part nothing is in a mirror that is not in `changes`, so that comes first
   */
  const makeSure = async (block: ChangeBlock, past: Past, at: number, part: keyof Parts): Promise<void> => {
    const { start, end } = block;
    const announced: AnnouncedBlock = { end, at };
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const look = patiently(() => lookFirst(block, past, announced, round), waiting);
      const { prepared, guard } = await look.catch(asReassign);
      const inserts = partsOf(prepared)[part];
      if (inserts.length === 0) return;
      ports.emit({
        tag: 'written-again',
        ...of,
        start,
        end,
        rows: inserts.reduce((sum, one) => sum + one.rowCount, 0),
      });
      await commit(start, { announced });
      // A delete has no token: its answer tells.
      await insertAll(block, { inserts, truncates: [], seen: prepared.seen }, guard);
    }
  };

  /** Throws `Reassign` where `changes` lacked records of the block: all of it is redone then. */
  const makeSureOfChanges = async (block: ChangeBlock, past: Past, { prepared, at }: Looked): Promise<void> => {
    const { start, end } = block;
    const present = await patiently(() => ports.lookUps.present(of, start, end), waiting);
    if (present.changes.size >= prepared.audited) return;
    await makeSure(block, past, at, 'audit');
    throw new Reassign();
  };

  const renew = async (table: BlockTable): Promise<void> => {
    signal.throwIfAborted();
    await patiently(() => remake(table), waiting).catch((error: unknown) => {
      // The group did not stay as it was, or a page came too late: the mirror that stands stays.
      const isForNow = error instanceof ServiceError && (error.code === 'FENCED' || error.code === 'GUARD_REFUSED');
      throw isForNow ? new Reassign() : error;
    });
  };

  const held = createHeldTables(ports.tables);
  /** Nothing is acknowledged that a mirror lacks. */
  const renewHeld = async (): Promise<void> => {
    for (let due = await held.due([]); due !== null; due = await held.due([])) await renew(due);
  };

  /** Keeps the block's mirrors while it is written. One that its source has left behind is made anew first, with nobody in it. */
  const withMirrors = async <T>(block: ChangeBlock, action: () => Promise<T>): Promise<T> => {
    for (;;) {
      const release = await ports.tables.lease(block.tables);
      let outdated: BlockTable;
      try {
        return await action();
      } catch (error) {
        // It is thrown by the look before the announce: nothing is written yet.
        if (!(error instanceof MirrorOutdated)) throw error;
        outdated = error.table;
      } finally {
        release();
      }
      await renew(outdated);
    }
  };

  const isLoud = loudness(() => ports.now());
  const report = (block: ChangeBlock, prepared: Prepared, took: { ms: number; insertMs: number }): void => {
    const { start, end } = block;
    const modes = Object.fromEntries([
      ...prepared.modes.map(({ table, mode }) => [table, mode] as const),
      ...prepared.truncates.map(({ table }) => [table.name, 'truncate'] as const),
    ]);
    const facts = blockFacts(block, { ...took, seen: prepared.seen, visibleMs: ports.now() });
    ports.emit({
      tag: 'block-written',
      ...of,
      start,
      end,
      rows: prepared.rowCount,
      modes,
      ms: Math.round(took.ms),
      facts,
    });
    for (const use of prepared.policies) ports.emit({ tag: 'policy-acted', ...use, loud: isLoud(use) });
    for (const { offset, code } of prepared.bad) ports.emit({ tag: 'record-quarantined', ...of, offset, code });
  };

  /** Steps 1 to 3. The block's mirrors are kept by who calls. */
  const announceAndInsert = async (
    { block, past, startedAt }: { block: ChangeBlock; past: Past; startedAt: number },
    looked: Looked,
    { redo, onAnnounced }: { redo: AnnouncedBlock | null; onAnnounced: WriteOptions['onAnnounced'] | undefined },
  ): Promise<Past> => {
    const { prepared, guard, at } = looked;
    await commit(block.start, { announced: { end: block.end, at } });
    const { watermark, snapshot, bad } = prepared;
    const then = { watermark, snapshot, marks: marksWith(past.marks, bad), highest: past.highest };
    const insertAt = performance.now();
    onAnnounced?.(then);
    const { audit, others } = partsOf(prepared);
    const audited = await insertAll(block, { inserts: audit, truncates: [], seen: prepared.seen }, guard);
    if (redo !== null || audited === 'doubtful') await makeSureOfChanges(block, past, looked);
    const mirrored = await insertAll(block, { ...prepared, inserts: others }, guard);
    if (redo !== null || audited === 'doubtful' || mirrored === 'doubtful') await makeSure(block, past, at, 'others');
    held.add(prepared.held);
    const endedAt = performance.now();
    report(block, prepared, { ms: endedAt - startedAt, insertMs: endedAt - insertAt });
    return then;
  };

  return {
    async write(block, past, { redo, ahead = null, onAnnounced }) {
      if (ahead !== null) {
        const of = { block, past, startedAt: performance.now() };
        try {
          const looked = await patiently(() => lookAtAhead(ahead), waiting);
          if (looked !== null && (await held.due(looked.prepared.held)) === null)
            return await announceAndInsert(of, looked, { redo, onAnnounced });
        } finally {
          ahead.giveUp();
        }
      }
      return withMirrors(block, async () => {
        const of = { block, past, startedAt: performance.now() };
        const looked = await patiently(() => lookFirst(block, past, redo), waiting).catch(lookAgain);
        const due = await held.due(looked.prepared.held);
        if (due !== null) throw new MirrorOutdated(due);
        return announceAndInsert(of, looked, { redo, onAnnounced });
      });
    },
    prepareAhead: (block, past) => prepareAhead(block, past, { of, ports, limits }),
    async rewrite(block, past) {
      const unread = await withMirrors(block, async () => {
        for (;;) {
          const { prepared, guard } = await patiently(() => lookFirst(block, past, null), waiting).catch(lookAgain);
          // Each look has tokens of its own time.
          if ((await insertAll(block, prepared, guard)) === 'doubtful') continue;
          held.add(prepared.held);
          return prepared.unread;
        }
      });
      await renewHeld();
      return unread;
    },
    async acknowledge(offset) {
      await renewHeld();
      await commit(offset, { announced: null });
    },
    async settle(offset) {
      await renewHeld();
      await commit(offset, { announced: null, settling: true });
    },
  };
}

/** A mirror that was to be filled on the way met another `changes` than it began with: nothing was announced yet. */
function lookAgain(error: unknown): never {
  throw error instanceof ServiceError && error.code === 'GUARD_REFUSED' ? new Reassign() : error;
}

/** The block is announced, so it is redone from there; a mirror that its source left behind meanwhile is made anew first. */
function asReassign(error: unknown): never {
  if (error instanceof MirrorOutdated) throw new Reassign();
  return lookAgain(error);
}

/** What is written of a block to `changes`, and what else. */
type Parts = Readonly<Record<'audit' | 'others', Prepared['inserts']>>;

function partsOf({ inserts }: Prepared): Parts {
  const isAudit = ({ table }: Prepared['inserts'][number]): boolean => table.name === 'changes';
  return { audit: inserts.filter(isAudit), others: inserts.filter((insert) => !isAudit(insert)) };
}
