/** One process of the service in the model: for each partition it believes to own, the steps of the delivery. */
import { OP } from '../../src/model';
import { decideStart, MAX_BLOCK_OFFSETS, type Found, type Start } from '../../src/plan/assignment';
import { encodeNote, parseNote, type AnnouncedBlock, type CommitNote } from '../../src/plan/commit';
import type { SnapshotState } from '../../src/plan/mode';
import type { Watermark } from '../../src/plan/position';
import { Repair, spoiltKey } from './beside';
import type { Request, RequestKind } from './clickhouse';
import { prepare, type BlockContext, type Prepared } from './prepare';
import type { Random } from './random';
import { pastOf } from './redelivery';
import { GUARD_TICKS, INSERT_TICKS, REDO_TICKS, Violation, type World } from './world';

type Step = 'assign' | 'start' | 'read' | 'beside' | 'announce' | 'changes' | 'mirror' | 'truncate' | 'again';

interface Block {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
  /** The block's time; it is part of its tokens, and a redo has the same. */
  readonly at: number;
  readonly redo: boolean;
  readonly seen: boolean;
  /** Above 0: what the tokens of the rounds before have not brought. */
  readonly round: number;
}

/** So often what is missing is written under another token. */
const MOST_ROUNDS = 3;

/** Computes a block; the model's own way unless another is passed. */
export type Prepare = (world: World, context: BlockContext) => Prepared | Promise<Prepared>;

/** The delivery of one partition within one assignment. */
export class Delivery {
  step: Step = 'assign';
  private readonly world: World;
  private readonly name: string;
  private readonly partition: number;
  private readonly generation: number;
  private readonly prepare: Prepare;
  private waitUntil = -1;
  private waited = false;
  private begin: Start | null = null;
  private highest = -1;
  private target = 0;
  private next = 0;
  private redo: AnnouncedBlock | null = null;
  private acknowledged = -1;
  private watermark: Watermark | null = null;
  private snapshot: SnapshotState = { kind: 'empty' };
  private block: Block | null = null;
  private prepared: Prepared | null = null;
  /** The next block, prepared while the one before it was written. */
  private ahead: { readonly block: Block; readonly prepared: Prepared; readonly mirrorTable: number } | null = null;
  private deadline = 0;
  private mirrorTable = 0;
  private request: Request | null = null;
  /** An insert of the block was sent more than once. */
  private repeated = false;
  /** What the block came to in its first round. */
  private first: Prepared | null = null;
  private repair: Repair | null = null;

  constructor(world: World, partition: number, options: { generation: number; name: string; prepare: Prepare }) {
    this.world = world;
    this.partition = partition;
    this.generation = options.generation;
    this.name = `${options.name}/${partition}`;
    this.prepare = options.prepare;
  }

  /** Nothing more to do until something new is produced. */
  get atRest(): boolean {
    return this.step === 'read' && this.redo === null && this.next >= this.world.visible[this.partition]!;
  }

  /** It has looked at something that it may still write. */
  get isWriting(): boolean {
    return this.step !== 'assign' && this.step !== 'start' && this.step !== 'read';
  }

  get isCurrent(): boolean {
    return this.generation === this.world.generation;
  }

  /** One small step. False: the broker says that this process is no longer a member. */
  go(): boolean {
    switch (this.step) {
      case 'assign':
        this.assign();
        return true;
      case 'start':
        this.start();
        return true;
      case 'read':
        return this.read();
      case 'beside':
        return this.doBeside();
      case 'announce':
        return this.announce();
      case 'changes':
        this.write('changes', 'mirror');
        return true;
      case 'mirror':
        this.write('mirror', 'truncate');
        return true;
      case 'truncate':
        this.write('delete', 'read');
        return true;
      case 'again':
        this.again();
        return true;
    }
  }

  private say(text: () => string): void {
    this.world.say(() => `${this.name} ${text()}`);
  }

  private assign(): void {
    const { world } = this;
    const { clickhouse } = world;
    if (clickhouse.clock < this.waitUntil) {
      clickhouse.clock = world.random.chance(20) ? this.waitUntil : clickhouse.clock + 1;
      return;
    }
    const found = this.lookAround();
    const start = this.decide(found);
    this.say(() => `finds ${JSON.stringify(found)}: ${JSON.stringify(start)}`);
    if (start.kind === 'wait') {
      const longest = world.rules.redoInsertInWait ? REDO_TICKS : INSERT_TICKS;
      this.waitUntil = world.rules.waitAfterHand ? clickhouse.clock + GUARD_TICKS + longest + 1 : -1;
      this.waited = true;
      return;
    }
    this.waited = false;
    this.begin = start;
    this.highest = found.highest ?? -1;
    this.target = clickhouse.changes.uuid;
    this.step = 'start';
  }

  private decide(found: Found): Start {
    const start = decideStart(found);
    const gap =
      start.kind === 'stop' && start.code === 'CHANGES_EXPIRED' && found.note === null && found.highest === null;
    return gap && !this.world.rules.handWithoutHighest ? { kind: 'read', why: 'hand', from: found.low } : start;
  }

  private lookAround(): Found {
    const { world, partition, waited } = this;
    const { changes } = world.clickhouse;
    const commit = world.committed[partition] ?? null;
    const highest = changes.highest(partition);
    const high = world.endOf(partition);
    const oldest = world.oldest[partition]!;
    const target = `u${changes.uuid}`;
    let note: CommitNote | null = commit === null ? null : parseNote(commit.metadata);
    if (note?.settling === true && !world.rules.settlingWaits) note = { target: note.target, announced: null };
    if (note !== null && note.announced === null && !world.rules.targetInIdleCommit) note = { target, announced: null };
    return {
      committed: commit?.offset ?? null,
      note,
      highest: highest < 0 ? null : world.offsetAt(partition, highest),
      low: oldest === 0 ? 0 : oldest < world.visible[partition]! ? world.offsetAt(partition, oldest) : high,
      high,
      target,
      waited,
    };
  }

  private start(): void {
    const { world, partition, begin } = this;
    if (begin === null) return;
    this.redo = null;
    let from = 0;
    switch (begin.kind) {
      case 'wait':
        return;
      case 'stop':
        if (world.rules.retentionChecked || begin.code !== 'CHANGES_EXPIRED') {
          world.stopped = begin.code;
          this.checkStop(begin);
          return;
        }
        from = begin.to;
        break;
      case 'reconcile-expired':
        this.reconcileExpired(begin.from, begin.to);
        from = begin.to;
        break;
      case 'redo':
        this.redo = begin.block;
        from = begin.from;
        break;
      case 'read':
        from = begin.why === 'hand' && !world.rules.startBelowHighest ? this.asTheHandSaid(begin.from) : begin.from;
        this.acknowledged = begin.why === 'ours' ? from : -1;
        // What expired before the service began, or before it began again for a replaced target, is nobody's to bring.
        if (begin.why === 'first' || begin.why === 'replaced')
          world.excused[partition] = Math.max(world.excused[partition]!, world.oldest[partition]!);
        break;
    }
    this.next = world.indexAt(partition, from);
    const past = pastOf(world, partition, this.next);
    this.watermark = past.watermark;
    this.snapshot = past.snapshot;
    this.step = 'read';
  }

  /** Without rule 6: where the hand said, though not beyond what is there. */
  private asTheHandSaid(from: number): number {
    const { world, partition } = this;
    const said = world.committed[partition]?.offset ?? from;
    return Math.max(from, Math.min(said, world.endOf(partition)));
  }

  /** A stop is honest if a record expired that is not in `changes`. */
  private checkStop(start: Extract<Start, { kind: 'stop' }>): void {
    const { world, partition } = this;
    if (start.code !== 'CHANGES_EXPIRED') throw new Violation('REST', `stopped with ${start.code}`);
    this.say(() => `stops: ${start.code} [${start.from}, ${start.to})`);
    if (world.oldest[partition] === 0) throw new Violation('REST', 'stopped although nothing expired');
  }

  /** Kafka no longer has these records: the mirror is brought in line from `changes`. The wait is over, nothing is under way. */
  private reconcileExpired(from: number, to: number): void {
    const { world, partition } = this;
    const [first, last] = [world.indexAt(partition, from), world.indexAt(partition, to)];
    if (first === last) return;
    const past = pastOf(world, partition, first);
    const { signed } = prepare(world, {
      partition,
      from: first,
      to: last,
      seen: true,
      announced: true,
      round: 0,
      highest: this.highest,
      ...past,
    });
    world.clickhouse.mirror.insert(partition, signed);
    world.read();
  }

  /** Takes the next block if there is one, else perhaps commits idly. */
  private read(): boolean {
    const { world, partition, redo } = this;
    if (this.next < world.oldest[partition]!) {
      this.reassign('its records expired');
      return true;
    }
    if (redo === null && spoiltKey(world, partition) !== null && world.beside.chance(50)) return this.beginRepair();
    const { ahead } = this;
    this.ahead = null;
    const waits = redo === null && !world.rules.idleBehindWrites && world.beside.chance(20);
    if (waits || (redo === null && this.next >= world.visible[partition]!)) return this.idle();
    if (ahead !== null) this.block = ahead.block;
    else this.block = redo === null ? this.fresh(this.next, world.random) : this.announcedBefore(redo);
    this.deadline = world.clickhouse.clock + GUARD_TICKS;
    this.mirrorTable = ahead?.mirrorTable ?? world.clickhouse.mirror.uuid;
    if (world.rules.uuidsChecked && world.clickhouse.changes.uuid !== this.target) {
      this.reassign('changes was replaced');
      return true;
    }
    if (ahead !== null) this.looked(ahead.block, ahead.prepared);
    else if (world.rules.lookFirst) this.look();
    this.step = 'announce';
    return true;
  }

  /** The block in hand is announced, and nothing of it is written: perhaps the next one is prepared already now. */
  private lookAhead(): void {
    const { world, partition, block, prepared } = this;
    const { early, rules } = world;
    // The service's own step 0 takes its time: what it looks at would not be of this moment.
    if (early === null || block === null || prepared === null || !rules.lookFirst || this.prepare !== prepare) return;
    if (block.to >= world.visible[partition]! || !early.chance(60)) return;
    const next = this.fresh(block.to, early);
    const { watermark, snapshot } = prepared;
    const { from, to, seen } = next;
    const context = {
      partition,
      from,
      to,
      seen,
      announced: false,
      round: 0,
      highest: this.highest,
      watermark,
      snapshot,
    };
    const found = prepare(world, context);
    if (rules.aheadLooksAtNothing && found.looked) return;
    this.say(() => `prepares records ${from} to ${to - 1} ahead`);
    this.ahead = { block: next, prepared: found, mirrorTable: world.clickhouse.mirror.uuid };
  }

  /** Acknowledges everything, control records at the end included. */
  private idle(): boolean {
    const { world, partition, next } = this;
    const position = next === 0 ? 0 : Math.max(world.offsetAt(partition, next - 1) + 1, world.endOf(partition));
    if (position <= this.acknowledged || !world.random.chance(60)) return true;
    const outcome = this.commit(position, null);
    if (outcome === 'ok') this.acknowledged = position;
    return outcome !== 'fenced';
  }

  /** A row is put back from `changes`, with a mark for whoever comes after. */
  private beginRepair(): boolean {
    const { world, partition, target, next } = this;
    const settled = next === 0 ? 0 : world.offsetAt(partition, next - 1) + 1;
    this.repair = new Repair(world, {
      ...{ partition, target },
      say: (text) => this.say(text),
      commit: (settling) => this.commit(settled, null, settling),
      waitsOn: (request) => this.waitsOn(request),
    });
    this.acknowledged = -1;
    this.ahead = null;
    this.step = 'beside';
    return true;
  }

  private doBeside(): boolean {
    const outcome = this.repair?.go() ?? 'done';
    if (outcome === 'reassign') this.reassign('the repair was refused, or not answered');
    else if (outcome === 'done') this.step = 'read';
    return outcome !== 'fenced';
  }

  private fresh(next: number, random: Random): Block {
    const { world, partition } = this;
    const to = this.cut(next, random);
    const start = world.offsetAt(partition, next);
    const end = world.offsetAt(partition, to - 1) + 1;
    return { from: next, to, start, end, at: ++world.blocks, redo: false, seen: start <= this.highest, round: 0 };
  }

  private announcedBefore({ end, at }: AnnouncedBlock): Block {
    const { world, partition, next } = this;
    const start = (this.begin as { from: number }).from;
    return { from: next, to: world.indexAt(partition, end), start, end, at, redo: true, seen: true, round: 0 };
  }

  /** Where the block ends: a truncate stands alone, and no block is longer than M. */
  private cut(next: number, random: Random): number {
    const { world, partition } = this;
    const visible = world.visible[partition]!;
    const log = world.history.logs[partition]!;
    let to = next + 1;
    if (log.op[next] === OP.t) return to;
    const wanted = 1 + random.below(4);
    while (
      to < visible &&
      to - next < wanted &&
      log.op[to] !== OP.t &&
      log.offset[to]! - log.offset[next]! < MAX_BLOCK_OFFSETS
    )
      to++;
    return to;
  }

  private look(): void {
    const { world, partition, block, watermark, snapshot } = this;
    if (block === null || watermark === null) return;
    const { from, to, seen, redo, round } = block;
    const prepared = this.prepare(world, {
      round,
      partition,
      from,
      to,
      seen,
      announced: redo,
      highest: this.highest,
      watermark,
      snapshot,
    });
    if (!(prepared instanceof Promise)) return this.looked(block, prepared);
    world.pending = prepared.then((done) => this.looked(block, done));
  }

  private looked({ from, to, redo }: Block, prepared: Prepared): void {
    this.prepared = prepared;
    this.say(
      () =>
        `looks at records ${from} to ${to - 1} ${redo ? 'again ' : ''}(${prepared.mode}), redelivered ${prepared.redelivered.join('')}`,
    );
  }

  private announce(): boolean {
    const { block, world } = this;
    if (block === null) return true;
    const outcome = this.commit(block.start, { end: block.end, at: block.at });
    if (outcome !== 'ok') return outcome !== 'fenced';
    if (!world.rules.lookFirst) this.look();
    if (block.round === 0) this.lookAhead();
    this.step = 'changes';
    return true;
  }

  /** Commits with our metadata; `none`: there was no answer, whether or not it was done. */
  private commit(offset: number, announced: AnnouncedBlock | null, settling = false): 'ok' | 'fenced' | 'none' {
    const { world, partition } = this;
    const fate = world.faults ? world.random.below(100) : 99;
    if (fate < 4) return 'none';
    if (this.generation !== world.generation) {
      this.say(() => 'is fenced');
      return 'fenced';
    }
    const metadata = encodeNote({ target: `u${this.target}`, announced, ...(settling ? { settling } : {}) });
    world.committed[partition] = { offset, metadata };
    this.say(() => `commits ${offset} ${metadata}${fate < 8 ? ', without an answer' : ''}`);
    return fate < 8 ? 'none' : 'ok';
  }

  private reassign(why: string): void {
    this.say(() => `goes back to assignment: ${why}`);
    this.step = 'assign';
    this.ahead = null;
    this.request = null;
    this.repeated = false;
    this.first = null;
    this.waited = false;
    this.waitUntil = -1;
  }

  /** Sends a request, then waits for its answer: repeats it, or gives up and redoes the block. */
  private write(kind: RequestKind, then: Step): void {
    const { world, request } = this;
    if (request === null) {
      if (this.nothingFor(kind)) this.proceed(then);
      else this.request = world.send(this.statement(kind));
      return;
    }
    if (request.answer === 'ok' && (!world.faults || world.random.chance(93))) return this.proceed(then);
    if (request.answer === 'refused') return this.reassign('refused');
    if (request.answer === 'none' && this.waitsOn(request)) return;
    if (this.givesUp()) return this.reassign('no answer');
    this.say(() => `repeats ${kind}`);
    this.repeated = true;
    this.request = world.send(this.statement(kind));
  }

  /** The answer may be long in coming, or lost. */
  private waitsOn({ state }: Request): boolean {
    const { world } = this;
    return (state !== 'done' || world.faults) && world.random.chance(85);
  }

  private givesUp(): boolean {
    const { rules, random, clickhouse } = this.world;
    if (!rules.repeatWithinDeadline) this.deadline = clickhouse.clock + GUARD_TICKS;
    return clickhouse.clock > this.deadline || (rules.repeatWithinDeadline && random.chance(15));
  }

  private nothingFor(kind: RequestKind): boolean {
    // Without rule 9 the mirror's rows are looked up when they are needed, after a pause of any length.
    if (kind === 'mirror' && !this.world.rules.lookFirst) this.look();
    const { prepared } = this;
    if (prepared === null) return true;
    if (kind === 'changes') return prepared.records.length === 0;
    return kind === 'mirror' ? prepared.signed.length === 0 : prepared.below < 0;
  }

  private statement(kind: RequestKind): Omit<Request, 'state' | 'killAt' | 'answer'> {
    const { partition, block, prepared } = this;
    if (block === null || prepared === null) throw new Error('nothing was prepared');
    return {
      kind,
      partition,
      token: ((block.at * 2 + partition) * 128 + block.from) * 128 + block.to + block.round / 8,
      deadline: this.deadline,
      longest: kind === 'delete' ? Infinity : block.seen ? REDO_TICKS : INSERT_TICKS,
      target: this.target,
      table: kind === 'changes' ? this.target : this.mirrorTable,
      records: kind === 'changes' ? prepared.records : [],
      redelivered: kind === 'changes' ? prepared.redelivered : [],
      signed: kind === 'mirror' ? prepared.signed : [],
      below: prepared.below,
    };
  }

  private proceed(then: Step): void {
    this.request = null;
    this.step = then;
    if (then === 'mirror' && this.block !== null && this.world.rules.lookAgain) return this.afterChanges(this.block);
    if (then !== 'read' || this.block === null || this.prepared === null) return;
    const { block, world } = this;
    this.first ??= this.prepared;
    const doubtful = block.redo || this.repeated;
    if (world.rules.lookAgain && doubtful && block.round < MOST_ROUNDS) return this.lookOnceMore(block);
    this.finish(block, this.first);
  }

  /** Whatever is in a mirror is in `changes`: what a token did not bring is written before anything else, and all is redone. */
  private afterChanges(block: Block): void {
    const { world, partition } = this;
    if (!block.redo && !this.repeated) return;
    const { count } = world.clickhouse.changes.partitions[partition]!;
    let lacks = false;
    for (let record = block.from; record < block.to; record++) lacks ||= count[record] === 0;
    if (lacks && block.round < MOST_ROUNDS) this.lookOnceMore(block);
    else if (block.round > 0 && this.first === null) this.reassign('changes was written again');
  }

  private lookOnceMore(block: Block): void {
    const { clickhouse } = this.world;
    this.block = { ...block, round: block.round + 1, redo: true, seen: true };
    this.prepared = null;
    this.deadline = clickhouse.clock + GUARD_TICKS;
    this.mirrorTable = clickhouse.mirror.uuid;
    this.look();
    this.step = 'again';
  }

  private again(): void {
    const { block, prepared, first } = this;
    if (block === null || prepared === null) return;
    if (first !== null && prepared.records.length === 0 && prepared.signed.length === 0) this.finish(block, first);
    else this.step = 'announce';
  }

  private finish(block: Block, { watermark, snapshot }: Prepared): void {
    this.step = 'read';
    this.next = block.to;
    this.watermark = watermark;
    this.snapshot = snapshot;
    this.repeated = false;
    this.first = null;
    this.redo = null;
    this.block = null;
    this.prepared = null;
  }
}
