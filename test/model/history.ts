/** A short life of a PostgreSQL table, and what Debezium makes of it: the Kafka log of one or two partitions. */
import { OP } from '../../src/model';
import { MAX_BLOCK_OFFSETS } from '../../src/plan/assignment';
import { eventIdentity } from '../../src/plan/change-block';
import type { Random } from './random';

/** How far records are apart, or twice that behind control records: the longest block has four of them, or more than any log. */
const STRIDES = [MAX_BLOCK_OFFSETS / 4, MAX_BLOCK_OFFSETS / 4, MAX_BLOCK_OFFSETS / 16, 1] as const;

/** A row's two values, v and w, in one number. w may be withheld (TOAST). */
const SHIFT = 256;
export const ABSENT = -1;
export const pack = (v: number, w: number): number => v * SHIFT + w;
export const vOf = (row: number): number => Math.floor(row / SHIFT);
export const wOf = (row: number): number => row % SHIFT;

export interface Kafkalog {
  readonly offset: number[];
  readonly op: number[];
  /** -1 for a truncate. */
  readonly key: number[];
  /** The row after, with the true w even where it is withheld; ABSENT for d and t. */
  readonly after: number[];
  /** The row before where Debezium sends it, else ABSENT. */
  readonly before: number[];
  readonly withheld: boolean[];
  readonly lsn: number[];
  readonly commitLsn: number[];
  readonly tx: number[];
  /** True for an event sent again: what the service must find out by itself. */
  readonly again: boolean[];
}

export interface History {
  readonly partitions: number;
  readonly keys: number;
  readonly fullIdentity: boolean;
  readonly logs: Kafkalog[];
  /** For each key the rows it has been, oldest first; the first is ABSENT. */
  readonly states: number[][];
}

export interface HistoryOptions {
  /** Lets a table with two partitions be truncated. */
  readonly truncateAnyway: boolean;
}

/** The commit LSN that events of the first transaction have when they are sent again; null (-1) the first time. */
const FIRST_COMMIT = 90;

interface Event {
  op: number;
  key: number;
  after: number;
  before: number;
  withheld: boolean;
  lsn: number;
  commitLsn: number;
  tx: number;
}

/** The identity of a record's event, as the service has it. */
export function identityAt(log: Kafkalog, at: number): string | null {
  return eventIdentity({
    lsn: log.lsn[at]!,
    txId: log.tx[at]!,
    txOrder: -1,
    op: String.fromCharCode(log.op[at]!),
    key: log.key[at]! < 0 ? '' : keyText(log.key[at]!),
    table: 't',
  });
}

export const keyText = (key: number): string => `{"k":${key}}`;

class Source {
  readonly events: { event: Event; again: boolean }[] = [];
  readonly rows: number[];
  readonly states: number[][];
  private readonly random: Random;
  private readonly fullIdentity: boolean;
  private readonly toast: boolean;
  private values = 1;
  private lsn = 100;
  private commitLsn = -1;
  private tx = 1;
  /** How far below its like the LSNs of this transaction are. */
  private late = 0;
  private restoredAt = 0;

  constructor(random: Random, keys: number, fullIdentity: boolean) {
    this.random = random;
    this.fullIdentity = fullIdentity;
    this.toast = random.chance(fullIdentity ? 25 : 60);
    this.rows = Array.from({ length: keys }, () => ABSENT);
    this.states = Array.from({ length: keys }, () => [ABSENT]);
  }

  private emit(event: Event): void {
    this.events.push({ event, again: false });
    if (event.op === OP.t) for (const key of this.rows.keys()) this.become(key, ABSENT);
    else this.become(event.key, event.after);
  }

  private become(key: number, row: number): void {
    this.rows[key] = row;
    this.states[key]!.push(row);
  }

  private value(old: number): number {
    const { random } = this;
    if (old !== ABSENT && random.chance(25)) return old;
    const v = old !== ABSENT && random.chance(20) ? vOf(old) : this.values++;
    const w = old !== ABSENT && random.chance(60) ? wOf(old) : this.values++;
    return pack(v, w);
  }

  /** One run of a snapshot; `upTo` rows of it. */
  snapshot(upTo: number): void {
    this.lsn += 3;
    let sent = 0;
    for (const [key, row] of this.rows.entries()) {
      if (row === ABSENT || sent >= upTo) continue;
      sent++;
      this.emit({ op: OP.r, key, after: row, before: ABSENT, withheld: false, lsn: this.lsn, commitLsn: -1, tx: -1 });
    }
  }

  /** Rows that are there before the connector is; its snapshot may be interrupted and run again. */
  begin(): void {
    const { random } = this;
    for (const key of this.rows.keys()) if (random.chance(60)) this.rows[key] = this.value(ABSENT);
    if (random.chance(40)) this.snapshot(1 + random.below(this.rows.length));
    this.snapshot(99);
  }

  transaction(truncates: boolean): void {
    const { random } = this;
    // A long transaction that commits late has lower LSNs than what was sent before it.
    this.late = this.tx > 1 && random.chance(15) ? 3 + random.below(20) : 0;
    this.lsn += 5;
    if (truncates && random.chance(20)) this.stream(OP.t, -1, ABSENT, ABSENT);
    else if (random.chance(20)) this.copy();
    else for (let left = 1 + random.below(3); left > 0; left--) this.statement();
    this.commitLsn = this.lsn + 1;
    this.tx++;
    if (random.chance(4)) this.restore();
  }

  /** PostgreSQL came back from a backup: its LSNs start lower. */
  private restore(): void {
    this.restoredAt = this.events.length;
    this.lsn = Math.max(10, this.lsn - 40);
    this.commitLsn = this.lsn - 1;
  }

  /** Rows of one page share an LSN. */
  private copy(): void {
    for (const [key, row] of this.rows.entries())
      if (row === ABSENT) this.stream(OP.c, key, this.value(ABSENT), ABSENT);
  }

  private statement(): void {
    const { random } = this;
    const key = random.below(this.rows.length);
    const old = this.rows[key]!;
    this.lsn++;
    if (old === ABSENT) return this.stream(OP.c, key, this.value(ABSENT), ABSENT);
    const choice = random.below(10);
    if (choice < 6) return this.stream(OP.u, key, this.value(old), old);
    this.stream(OP.d, key, ABSENT, old);
    const other = random.below(this.rows.length);
    if (choice === 9 && this.rows[other] === ABSENT) {
      this.lsn++;
      this.stream(OP.c, other, old, ABSENT);
    }
  }

  private stream(op: number, key: number, after: number, before: number): void {
    const kept = before !== ABSENT && after !== ABSENT && wOf(before) === wOf(after);
    this.emit({
      op,
      key,
      after,
      before: this.fullIdentity ? before : ABSENT,
      withheld: op === OP.u && kept && this.toast && this.random.chance(70),
      lsn: this.lsn - this.late,
      commitLsn: this.commitLsn,
      tx: this.tx,
    });
    if (this.random.chance(6)) this.restart();
  }

  /** Connect starts anew from an older position and sends what it had sent since, perhaps not all of it before it falls again. */
  restart(): void {
    const { random } = this;
    if (this.commitLsn < 0) this.commitLsn = FIRST_COMMIT;
    // What was sent before PostgreSQL came back from a backup is not in its WAL any more.
    const streamed = this.events.slice(this.restoredAt).filter(({ event, again }) => !again && event.op !== OP.r);
    if (streamed.length === 0) return;
    const from = Math.max(0, streamed.length - 1 - random.below(4));
    const to = random.chance(70) ? streamed.length : from + 1 + random.below(streamed.length - from);
    this.events.push(
      ...streamed.slice(from, to).map(({ event }) => ({
        event: { ...event, commitLsn: event.commitLsn < 0 ? FIRST_COMMIT : event.commitLsn },
        again: true,
      })),
    );
    if (to < streamed.length) this.restart();
  }
}

/** Everything that will be in Kafka, and what it means. Restarts of Connect fall between transactions and inside them. */
export function createHistory(random: Random, { truncateAnyway }: HistoryOptions): History {
  const partitions = random.chance(65) ? 1 : 2;
  const keys = 1 + random.below(3);
  const fullIdentity = random.chance(55);
  const source = new Source(random, keys, fullIdentity);
  if (random.chance(45)) source.begin();
  const truncates = random.chance(40) && (partitions === 1 || truncateAnyway);
  const wanted = 3 + random.below(9);
  const stride = STRIDES[random.below(STRIDES.length)]!;
  for (let tries = 0; source.events.length < wanted && tries < 12; tries++) {
    source.transaction(truncates);
    if (random.chance(25)) source.restart();
    if (random.chance(5)) source.snapshot(99);
  }
  const logs = Array.from({ length: partitions }, emptyLog);
  for (const { event, again } of source.events)
    append(logs[event.key < 0 ? 0 : event.key % partitions]!, event, again, stride * (random.chance(25) ? 2 : 1));
  return { partitions, keys, fullIdentity, logs, states: source.states };
}

function emptyLog(): Kafkalog {
  return {
    offset: [],
    op: [],
    key: [],
    after: [],
    before: [],
    withheld: [],
    lsn: [],
    commitLsn: [],
    tx: [],
    again: [],
  };
}

function append(log: Kafkalog, event: Event, again: boolean, distance: number): void {
  const last = log.offset.at(-1);
  log.offset.push(last === undefined ? 0 : last + distance);
  log.op.push(event.op);
  log.key.push(event.key);
  log.after.push(event.after);
  log.before.push(event.before);
  log.withheld.push(event.withheld);
  log.lsn.push(event.lsn);
  log.commitLsn.push(event.commitLsn);
  log.tx.push(event.tx);
  log.again.push(again);
}

/** A packed row as a person reads it. */
export function rowText(row: number): string {
  return row === ABSENT ? 'absent' : String(row);
}
