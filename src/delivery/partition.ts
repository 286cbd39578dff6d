/**
 * The life of one assigned partition: find the start, take records, write block after block, acknowledge when idle.
 * The protocol and what each step prevents: docs/delivery.md.
 */
import type { RecordChunk, TopicPartition } from '../model';
import { createGatherer, type Filter, type Gatherer } from '../pipeline';
import type { BlockTable, ChangeBlock } from '../plan/change-block';
import { findBeginning, isReplaced, lookBack, START_HOW, machineryTable, type Beginning } from './assign';
import { createBell } from './bell';
import { createWorkQueue, type Work } from './between-blocks';
import { eachBlockOfChanges } from './expired';
import { createFeed } from './feed';
import { createIdleness, type Idleness } from './idleness';
import { createPace, type Pace } from './pace';
import { patiently } from './patience';
import type { DeliveryLimits, DeliveryPorts } from './ports';
import { createReadAhead, type ReadAhead, type Taken } from './read-ahead';
import type { ReplayRun } from './replay-run';
import type { Past } from './prepare';
import { createBlockWriter, Reassign, type BlockWriter } from './write-block';

export interface PartitionOptions {
  readonly of: TopicPartition;
  readonly epoch: number;
  readonly ports: DeliveryPorts;
  readonly limits: DeliveryLimits;
  readonly filter: Filter;
  /** Called when the service must stop: expired offsets, a wire it cannot read, a fault of its own. */
  readonly onFatal: (error: unknown) => void;
  /** The replay under way, if any. */
  readonly replay: () => ReplayRun | null;
  /** True while the partition is told to hold: nothing is read, and it keeps its place. */
  readonly paused: () => boolean;
  /** Makes a mirror anew that its source has left behind. */
  readonly remake: (table: BlockTable) => Promise<void>;
  /** Shared by the partitions of a process; one of its own if not given. */
  readonly pace?: Pace;
  /** Resolves when a delivery of an earlier epoch has let go of the partition. */
  readonly after: Promise<unknown>;
}

export interface PartitionDelivery {
  /** Records of this partition and epoch. A promise means no room; it resolves when there is some. */
  take(chunk: RecordChunk): Promise<void> | null;
  /** Kafka jumped: find the start anew. */
  reassign(): void;
  /** A replay begins: acknowledge what is written, so that nothing of it must be waited for, and find the start anew. */
  rewind(): void;
  /** Looks again whether it is to hold. */
  lookAgain(): void;
  /** Does something between two blocks; see `between-blocks.ts`. */
  between<T>(work: Work<T>): Promise<T>;
  /** Writes what was taken, acknowledges it, and ends. Resolves when done. */
  drain(): Promise<void>;
  /** Ends without writing more; an insert under way is let finish. */
  abandon(): void;
  /** Resolves when nothing of this delivery is under way any more. */
  readonly ended: Promise<void>;
}

const LONGEST_PAUSE_MS = 15_000;

export function deliverPartition(options: PartitionOptions): PartitionDelivery {
  const { of, epoch, ports, limits, remake } = options;
  const abort = new AbortController();
  const { signal } = abort;
  const state: {
    gatherer: Gatherer | null;
    draining: boolean;
    mustReassign: boolean;
    mustRewind: boolean;
    /** Of the assignment under way. */
    readAhead: ReadAhead | null;
    /** Records that Kafka held beyond the last chunk. */
    behind: number;
    /** When the first record arrived that no block was cut with; -1: there is none. */
    gatheringSince: number;
  } = {
    gatheringSince: -1,
    behind: 0,
    gatherer: null,
    readAhead: null,
    draining: false,
    mustReassign: false,
    mustRewind: false,
  };
  const pace = options.pace ?? createPace(limits.blockAgeMs);
  const bell = createBell();
  const room = createBell();
  const work = createWorkQueue(() => bell.ring());

  const isCurrent = (): boolean => !signal.aborted && ports.log.epoch() === epoch;

  const feed = createFeed({
    gatherer: () => (state.draining ? null : state.gatherer),
    resolve: (ref) => ports.schemas.resolve(ref, signal),
    onFed: () => {
      const { gatherer } = state;
      if (gatherer !== null && state.gatheringSince < 0 && (gatherer.hasFull || gatherer.hasOpen))
        state.gatheringSince = performance.now();
      state.readAhead?.fed();
      bell.ring();
    },
    room: () => room.heard(),
    onError: (error) => {
      if (!signal.aborted) options.onFatal(error);
    },
  });

  /** Assignment, and again after each `Reassign`, with growing pauses while no block comes through. */
  const run = async (): Promise<void> => {
    await options.after;
    let failures = 0;
    while (isCurrent()) {
      try {
        const beginning = await findBeginning({
          of,
          ports,
          limits,
          signal,
          rewrite,
          replayFrom: async (held) => (await options.replay()?.from(of, held)) ?? null,
        });
        if (!isCurrent()) return;
        options.replay()?.began(of, beginning);
        await deliverFrom(beginning, () => (failures = 0));
        return;
      } catch (error) {
        if (!isCurrent()) return;
        if (!(error instanceof Reassign)) throw error;
        failures++;
        letGo();
        if (failures > 1) await ports.sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** failures), signal);
      }
    }
  };

  /** Forgets what was taken, and looks at everything anew. */
  const letGo = (): void => {
    state.gatherer = null;
    state.readAhead?.letGo();
    state.readAhead = null;
    state.gatheringSince = -1;
    state.mustReassign = false;
    state.mustRewind = false;
    ports.log.halt(of);
    ports.forgetGlance();
    ports.tables.recheck();
    room.ring();
  };

  /** What Kafka no longer holds, from `changes`: only the mirrors' share is written. */
  const rewrite = async (from: number, to: number): Promise<void> => {
    const { uuid } = machineryTable(await ports.glance(), 'changes');
    const writer = createBlockWriter({ of, epoch, target: uuid, ports, limits, signal, remake });
    await eachBlockOfChanges(of, { from, to }, ports.lookUps, async (block) => {
      const past = await lookBack(of, block.start, ports);
      await writer.rewrite(block, { ...past, highest: block.end });
    });
  };

  const deliverFrom = async (beginning: Beginning, onBlock: () => void): Promise<void> => {
    const gatherer = createGatherer({
      limits: { rows: limits.blockRows, bytes: limits.blockBytes },
      filter: options.filter,
      schemas: ports.schemas,
      from: beginning.from,
      redoEnd: beginning.redo?.end ?? null,
    });
    const writer = createBlockWriter({ of, epoch, target: beginning.target, ports, limits, signal, remake });
    const readAhead = createReadAhead(() => noted(gatherer.takeFull()), writer.prepareAhead);
    state.gatherer = gatherer;
    state.readAhead = readAhead;
    ports.emit({ tag: 'partition-assigned', ...of, start: beginning.from, how: START_HOW[beginning.how] });
    if (state.draining) return;
    await writeAll(beginning, { gatherer, writer, readAhead }, onBlock);
  };

  /** Block after block until the epoch ends or the delivery is drained. */
  const writeAll = async (
    beginning: Beginning,
    { gatherer, writer, readAhead }: { gatherer: Gatherer; writer: BlockWriter; readAhead: ReadAhead },
    onBlock: () => void,
  ): Promise<void> => {
    let past: Past = beginning;
    let { redo } = beginning;
    let lastCut = -Infinity;
    const idle = createIdleness({
      of,
      from: beginning.from,
      isOurs: beginning.how === 'ours',
      gatherer,
      writer,
      ports,
      idleCommitMs: limits.idleCommitMs,
      isDraining: () => state.draining,
      bell,
      onAcknowledged: (offset) => {
        options.replay()?.passed(of, offset, []);
        reportSkipped(gatherer);
      },
    });
    const fetching = createFetching(gatherer);
    /** An announced block is written again within its bounds before anything else. */
    const between = async (): Promise<void> => {
      fetching.follow();
      if (state.mustReassign) throw new Reassign();
      if (redo !== null) return;
      // What is prepared ahead keeps its mirrors as they are, and one may have to be made anew first.
      if (state.mustRewind || work.waiting) await readAhead.spoil();
      if (state.mustRewind) await rewind(idle, writer);
      if (!work.waiting) return;
      past = await doWork(idle, writer, past);
    };
    while (isCurrent()) {
      await between();
      const { block, ahead } = await takeBlock(gatherer, readAhead, lastCut);
      if (block === null) {
        if (await idle.spend(dueAt(lastCut))) return;
        await lookAtTarget(beginning.target, gatherer);
        continue;
      }
      lastCut = performance.now();
      if (!block.empty || redo !== null) {
        past = await writer.write(block, past, { redo, ahead, onAnnounced: readAhead.begin });
        idle.announced(block.end);
      }
      redo = null;
      options.replay()?.passed(of, block.end, block.tables);
      gatherer.release(block);
      reportSkipped(gatherer);
      onBlock();
      idle.begin();
    }
  };

  const lookAtTarget = async (target: string, { hasOpen, hasFull }: Gatherer): Promise<void> => {
    if (!hasOpen && !hasFull && (await isReplaced(target, ports)) && isCurrent()) throw new Reassign();
  };

  /** What was asked of the owner, and then what ClickHouse says of the partition since. */
  const doWork = async (idle: Idleness, writer: BlockWriter, past: Past): Promise<Past> => {
    const settled = idle.settled();
    const wrote = await work.doAll({ of, writer, past, settled, signal }, () => ports.log.canCommit());
    if (wrote) idle.acknowledged(settled);
    const seen = await patiently(() => lookBack(of, Number.MAX_SAFE_INTEGER, ports), { signal, emit: ports.emit });
    return wrote ? { ...past, ...seen } : { ...past, marks: seen.marks };
  };

  /** Reads unless it is to hold; an announced block is read to its end all the same. */
  const createFetching = (gatherer: Gatherer): { follow(): void } => {
    let reading = false;
    return {
      follow() {
        const wanted = !options.paused() || gatherer.redoing;
        if (wanted === reading) return;
        reading = wanted;
        if (wanted) ports.log.start(of, gatherer.position, epoch);
        else ports.log.halt(of);
      },
    };
  };

  /** Leaves a commit without an announce behind, as at a stop. */
  const rewind = async (idle: Idleness, writer: BlockWriter): Promise<never> => {
    const end = idle.unacknowledged();
    if (end !== null) await writer.acknowledge(end);
    throw new Reassign();
  };

  const dueAt = (lastCut: number): number =>
    pace.dueAt({ lastCut, since: state.gatheringSince, behind: state.behind }, performance.now());

  /** What was taken ahead; else a full block at once, or the open one when its age allows, so that the first change after a pause does not wait. */
  const takeBlock = async (
    gatherer: Gatherer,
    readAhead: ReadAhead,
    lastCut: number,
  ): Promise<Taken | { readonly block: null; readonly ahead: null }> => {
    const taken = await readAhead.next();
    const mayCut = state.draining || performance.now() >= dueAt(lastCut);
    const block = taken?.block ?? noted(gatherer.takeFull() ?? (mayCut ? gatherer.takeOpen() : null));
    if (!gatherer.hasFull) room.ring();
    return block === null ? { block, ahead: null } : { block, ahead: taken?.ahead ?? null };
  };

  /** A block was cut: what the next one's age and the pace count from. */
  const noted = (block: ChangeBlock | null): ChangeBlock | null => {
    const { gatherer } = state;
    if (block === null || gatherer === null) return block;
    const now = performance.now();
    pace.cut(`${of.partition}@${of.topic}`, now);
    block.waitedMs = state.gatheringSince < 0 ? 0 : now - state.gatheringSince;
    state.gatheringSince = gatherer.hasFull || gatherer.hasOpen ? now : -1;
    return block;
  };

  const reportSkipped = (gatherer: Gatherer): void => {
    const kinds = gatherer.takeSkipped();
    if (kinds.size > 0) ports.emit({ tag: 'records-skipped', ...of, kinds: Object.fromEntries(kinds) });
  };

  const ended = run()
    .catch((error: unknown) => {
      if (!signal.aborted) options.onFatal(error);
    })
    .finally(() => {
      state.readAhead?.letGo();
      state.gatherer = null;
      work.close();
      room.ring();
    });

  return {
    take(chunk) {
      const { gatherer, draining } = state;
      if (gatherer === null || chunk.epoch !== epoch || draining) return null;
      if (options.paused() && !gatherer.redoing) {
        // It was under way when the order came: it is fetched again when that ends.
        ports.log.halt(of);
        return null;
      }
      state.behind = chunk.behind ?? 0;
      return feed.take(chunk);
    },
    reassign() {
      state.mustReassign = true;
      state.gatherer = null;
      bell.ring();
    },
    rewind() {
      state.mustRewind = true;
      bell.ring();
    },
    lookAgain: () => bell.ring(),
    between: (what) => work.add(what),
    drain() {
      state.draining = true;
      if (state.gatherer === null) abort.abort(new Error('stopped before the partition was started'));
      bell.ring();
      return ended;
    },
    abandon() {
      abort.abort(new Error('the assignment is over'));
      bell.ring();
    },
    ended,
  };
}
