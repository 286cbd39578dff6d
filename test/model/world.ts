/** What the processes of the model share: the history, ClickHouse, Kafka's group, the readers, and the promises held to. */
import { ClickHouse, type Request, type SignedRow } from './clickhouse';
import { ABSENT, createHistory, rowText, type History } from './history';
import { truthOf } from './truth';
import type { Random } from './random';
import type { Rules } from './rules';

export type Promised = 'P1' | 'P2' | 'P3' | 'P4' | 'SUM' | 'REST';

/** A promise that was broken. */
export class Violation extends Error {
  readonly promised: Promised;

  constructor(promised: Promised, what: string) {
    super(`${promised}: ${what}`);
    this.name = 'Violation';
    this.promised = promised;
  }
}

/** The clock's ticks: D, the longest insert, and the longest of a redo. */
export const GUARD_TICKS = 14;
export const INSERT_TICKS = 4;
export const REDO_TICKS = 8;

export interface Commit {
  readonly offset: number;
  readonly metadata: string;
}

export class World {
  readonly random: Random;
  readonly rules: Rules;
  readonly history: History;
  readonly clickhouse: ClickHouse;
  /** Kafka: how many records of each partition are visible, the first that is still held, and the group. */
  readonly visible: number[];
  readonly oldest: number[];
  readonly committed: (Commit | null)[];
  generation = 0;
  /** Blocks that were cut so far: the time of each, so to speak. */
  blocks = 0;
  readonly owner: number[];
  /** Records that expired when the target that had them was dropped: nobody can bring them back. */
  readonly excused: number[];
  /** A look-up under way, where the service's own code does it: nothing moves until it is done. */
  pending: Promise<void> | null = null;
  /** False once the world comes to rest. */
  faults = true;
  /** Set when the service stopped by itself, saying why. */
  stopped: string | null = null;
  /** For each key the oldest of its states that a reader may still see. */
  private readonly seen: number[];
  readonly trace: string[] | null;

  /** Keys whose rows somebody took out of the mirror: nothing is promised of them until they are put back. */
  readonly spoilt = new Set<number>();
  /** For what came into the model later, so that the lives from before stay as they are. */
  readonly beside: Random;
  /** Set where blocks are prepared ahead of their turn: says which. */
  readonly early: Random | null;

  constructor(
    random: Random,
    rules: Rules,
    options: { trace: string[] | null; beside: Random; early: Random; kills: Random | null },
  ) {
    const { trace, beside, early, kills } = options;
    this.beside = beside;
    this.early = early.chance(40) ? early : null;
    this.random = random;
    this.rules = rules;
    this.trace = trace;
    this.history = createHistory(random, { truncateAnyway: !rules.truncateOnePartition });
    const { partitions, keys } = this.history;
    this.clickhouse = new ClickHouse(rules, partitions, keys);
    if (kills !== null) this.clickhouse.killed = () => this.faults && kills.chance(12);
    this.visible = Array.from({ length: partitions }, () => 0);
    this.oldest = [...this.visible];
    this.excused = [...this.visible];
    this.committed = this.visible.map(() => null);
    this.owner = this.visible.map(() => -1);
    this.seen = Array.from({ length: keys }, () => 0);
    this.say(() => this.historyText());
  }

  say(text: () => string): void {
    this.trace?.push(text());
  }

  /** The first record at or after an offset. */
  indexAt(partition: number, offset: number): number {
    const log = this.history.logs[partition]!.offset;
    let at = 0;
    while (at < log.length && log[at]! < offset) at++;
    return at;
  }

  /** The offset of a record, or the one after the last. */
  offsetAt(partition: number, at: number): number {
    const log = this.history.logs[partition]!.offset;
    return at < log.length ? log[at]! : (log.at(-1) ?? -1) + 1;
  }

  /** The end of the visible part of a partition. */
  endOf(partition: number): number {
    const last = this.visible[partition]! - 1;
    return last < 0 ? 0 : this.history.logs[partition]!.offset[last]! + 1;
  }

  send(request: Omit<Request, 'state' | 'killAt' | 'answer'>): Request {
    const sent: Request = { ...request, state: 'sent', killAt: 0, answer: 'none' };
    this.clickhouse.requests.push(sent);
    return sent;
  }

  /** A request goes on: it starts, or is applied. */
  advance(request: Request): void {
    if (request.state === 'sent') {
      this.clickhouse.start(request);
      this.say(() => `ClickHouse ${request.state === 'done' ? 'refuses' : 'starts'} ${requestText(request)}`);
      return;
    }
    const written = this.clickhouse.apply(request);
    this.say(
      () =>
        `ClickHouse ${written ? 'applies' : 'has nothing to do for'} ${requestText(request)}; clock ${this.clickhouse.clock}`,
    );
    if (!written) return;
    if (request.mends !== undefined) this.mended(request.mends);
    if (request.kind === 'changes') this.checkAudit(request.partition);
    else this.read();
  }

  /** Somebody takes the row of a key out of the mirror, where there is one. */
  spoil(): void {
    const key = this.beside.below(this.history.keys);
    if (this.clickhouse.mirror.final(key).row === ABSENT) return;
    this.say(() => `somebody takes key ${key} out of the mirror`);
    this.clickhouse.mirror.spoil(key);
    this.spoilt.add(key);
  }

  mended(key: number): void {
    this.say(() => `key ${key} counts again`);
    this.spoilt.delete(key);
  }

  private checkAudit(partition: number): void {
    const { count } = this.clickhouse.changes.partitions[partition]!;
    const twice = count.findIndex((times) => times > 1);
    if (twice >= 0)
      throw new Violation('P1', `${partition}@${this.offsetAt(partition, twice)} is in changes ${count[twice]} times`);
  }

  /** A reader looks at every row of the view. */
  read(): void {
    const { mirror } = this.clickhouse;
    if (this.incomplete) return;
    for (let key = 0; key < this.history.keys; key++) {
      if (this.spoilt.has(key)) continue;
      const row = mirror.final(key).row;
      const states = this.history.states[key]!;
      const from = this.seen[key]!;
      if (states[from] === row) continue;
      const at = states.indexOf(row, from);
      if (at < 0)
        throw new Violation(
          'P3',
          `key ${key} was ${rowText(states[from]!)} and is ${rowText(row)} now: ${mirror.text(key)}`,
        );
      this.seen[key] = at;
      this.say(() => `  reader: key ${key} is ${rowText(row)}   (${mirror.text(key)})`);
    }
  }

  dropAll(): void {
    this.clickhouse.dropAll();
    this.spoilt.clear();
    this.seen.fill(0);
    for (const [partition, oldest] of this.oldest.entries()) this.excused[partition] = oldest;
  }

  /** The mirror alone was dropped: it is built again from `changes`. */
  rebuildMirror(): void {
    const { history, clickhouse } = this;
    const parts = history.logs.map((_, partition) => {
      const rows: SignedRow[] = [];
      for (let key = partition; key < history.keys; key += history.partitions) {
        const truth = truthOf(this, { partition, from: 0, to: 0, key, redelivered: null, stands: ABSENT });
        if (truth !== null && truth.row !== ABSENT) rows.push({ key, sign: 1, row: truth.row, offset: truth.offset });
      }
      return { partition, rows };
    });
    clickhouse.replaceMirror(parts);
    this.spoilt.clear();
    this.read();
  }

  /** At rest, with everything delivered: each offset once, and the mirror equal to the source. */
  checkAtRest(): void {
    for (const [partition, log] of this.history.logs.entries()) {
      const { count } = this.clickhouse.changes.partitions[partition]!;
      for (let at = this.excused[partition]!; at < log.key.length; at++) {
        if (count[at] !== 0) continue;
        const promised = at < this.oldest[partition]! ? 'P4' : 'P1';
        throw new Violation(promised, `${partition}@${log.offset[at]} is not in changes`);
      }
    }
    if (this.incomplete) return;
    for (let key = 0; key < this.history.keys; key++) this.checkKey(key);
    for (let merges = 0; merges < 6; merges++) this.clickhouse.mirror.mergeSome(this.random);
    for (let key = 0; key < this.history.keys; key++) this.checkKey(key);
  }

  /** Records that nobody can bring back are missing, so there is nothing to compare the mirror with. */
  private get incomplete(): boolean {
    return this.excused.some((excused) => excused > 0);
  }

  private checkKey(key: number): void {
    if (this.spoilt.has(key)) return;
    const { mirror } = this.clickhouse;
    const truth = this.history.states[key]!.at(-1)!;
    const row = mirror.final(key).row;
    if (row !== truth)
      throw new Violation('P2', `key ${key} is ${rowText(row)}, in the source ${rowText(truth)}: ${mirror.text(key)}`);
    const signs = mirror.signs(key);
    const right =
      truth === ABSENT ? signs === 0 && mirror.signed(key) === 0 : signs === 1 && mirror.signed(key) === truth;
    if (!right) throw new Violation('SUM', `the signs of key ${key} add up to ${signs}: ${mirror.text(key)}`);
  }

  private historyText(): string {
    const names = (op: number): string => String.fromCharCode(op);
    const { history } = this;
    const lines = history.logs.flatMap((log, partition) =>
      log.key.map((key, at) => {
        const row = log.after[at] === ABSENT ? '' : ` = ${log.after[at]}${log.withheld[at] ? ' (w withheld)' : ''}`;
        const position = `[${log.commitLsn[at]},${log.lsn[at]}] tx ${log.tx[at]}`;
        return `${partition}@${log.offset[at]} ${names(log.op[at]!)} ${key < 0 ? 'all' : `key ${key}`}${row} ${position}${log.again[at] ? ' sent again' : ''}`;
      }),
    );
    return [`identity ${history.fullIdentity ? 'FULL' : 'DEFAULT'}`, ...lines].join('\n');
  }
}

export function requestText({ kind, partition, records, signed, below, token }: Request): string {
  const rows = signed
    .map(({ sign, key, row, offset }) => `${sign === 1 ? '+' : '-'}key ${key}=${row}@${offset}`)
    .join(' ');
  const what = kind === 'changes' ? `records ${records.join(',')}` : kind === 'mirror' ? rows : `below ${below}`;
  return `${kind} of partition ${partition} (token ${token}): ${what}`;
}
