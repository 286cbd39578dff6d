/** ClickHouse as the protocol meets it: `changes`, a CollapsingMergeTree mirror, tokens, guards, and requests under way. */
import { ABSENT } from './history';
import type { Random } from './random';
import type { Rules } from './rules';

/** One signed row of a mirror. `row` is a packed row, `offset` its event's. */
export interface SignedRow {
  readonly key: number;
  readonly sign: 1 | -1;
  readonly row: number;
  readonly offset: number;
}

interface StoredRow {
  readonly sign: 1 | -1;
  readonly row: number;
  readonly offset: number;
  readonly partition: number;
  /** True for the first row of a part. */
  first: boolean;
}

export const NO_ROW = { row: ABSENT, offset: -1 };

/** What `changes` holds of a partition, by the index of the record in its log. */
export interface Audited {
  readonly count: Uint8Array;
  readonly redelivered: Uint8Array;
}

/** More records than any log of the model has. */
export const MOST_RECORDS = 96;

export class Changes {
  readonly uuid: number;
  readonly tokens: number[] = [];
  readonly partitions: Audited[];

  constructor(uuid: number, partitions: number) {
    this.uuid = uuid;
    this.partitions = Array.from({ length: partitions }, () => ({
      count: new Uint8Array(MOST_RECORDS),
      redelivered: new Uint8Array(MOST_RECORDS),
    }));
  }

  /** The index of the highest record, -1 for none. */
  highest(partition: number): number {
    return this.partitions[partition]!.count.findLastIndex((count) => count > 0);
  }
}

/**
 * Of a key's rows in order of insertion: if the signs add up to 1 the last +1 stays; if they are equal and the last is
 * +1, the first −1 and the last +1; if negative, the first −1; else nothing (measured on ClickHouse 26.7.2).
 */
export function mirrorCollapse<T extends { readonly sign: 1 | -1 }>(rows: readonly T[]): T[] {
  let sum = 0;
  for (const { sign } of rows) sum += sign;
  if (sum > 0) return [rows.findLast(({ sign }) => sign === 1)!];
  const first = rows.find(({ sign }) => sign === -1);
  if (first === undefined) return [];
  if (sum < 0) return [first];
  const last = rows.at(-1)!;
  return last.sign === 1 ? [first, last] : [];
}

export class Mirror {
  readonly uuid: number;
  readonly tokens: number[] = [];
  private readonly rows: StoredRow[][];

  constructor(uuid: number, keys: number) {
    this.uuid = uuid;
    this.rows = Array.from({ length: keys }, () => []);
  }

  /** Adds one part; false if there is nothing in it once it is folded, which burns no token. */
  insert(partition: number, part: readonly SignedRow[], folds = true): boolean {
    let any = false;
    for (const [key, rows] of this.rows.entries()) {
      const mine = part.filter((row) => row.key === key);
      if (mine.length === 0) continue;
      const kept = mine.length === 1 || !folds ? mine : mirrorCollapse(mine);
      let first = true;
      for (const { sign, row, offset } of kept) {
        rows.push({ sign, row, offset, partition, first });
        first = false;
        any = true;
      }
    }
    return any;
  }

  /** What `FINAL` shows of a key: its row, or NO_ROW. */
  final(key: number): { readonly row: number; readonly offset: number } {
    const rows = this.rows[key]!;
    if (rows.length === 0) return NO_ROW;
    const last = rows.length === 1 ? rows[0]! : mirrorCollapse(rows).at(-1);
    return last?.sign === 1 ? last : NO_ROW;
  }

  /** Somebody takes a key's rows out. */
  spoil(key: number): void {
    this.rows[key] = [];
  }

  count(key: number): number {
    return this.rows[key]!.length;
  }

  signs(key: number): number {
    return this.rows[key]!.reduce((sum, { sign }) => sum + sign, 0);
  }

  /** `sum(row * _sign)` of a key. */
  signed(key: number): number {
    return this.rows[key]!.reduce((sum, { sign, row }) => sum + sign * row, 0);
  }

  /** A lightweight DELETE of a partition's rows below an offset. */
  remove(partition: number, below: number): void {
    for (const [key, rows] of this.rows.entries()) {
      if (rows.some((row) => row.partition === partition && row.offset < below))
        this.rows[key] = asParts(rows, (row) => row.partition !== partition || row.offset >= below);
    }
  }

  /** Merges a run of neighbouring parts of some key. */
  mergeSome(random: Random): void {
    const key = random.below(this.rows.length);
    const rows = this.rows[key]!;
    const starts = rows.flatMap(({ first }, at) => (first ? [at] : []));
    if (starts.length < 2) return;
    const from = random.below(starts.length - 1);
    const to = from + 2 + random.below(starts.length - from - 1);
    const begin = starts[from]!;
    const end = starts[to] ?? rows.length;
    const merged = mirrorCollapse(rows.slice(begin, end)).map((row, at) => ({ ...row, first: at === 0 }));
    rows.splice(begin, end - begin, ...merged);
  }

  text(key: number): string {
    return this.rows[key]!.map(({ sign, row, offset }) => `${sign === 1 ? '+' : '-'}${row}@${offset}`).join(' ');
  }
}

function asParts(rows: readonly StoredRow[], keep: (row: StoredRow) => boolean): StoredRow[] {
  const kept: StoredRow[] = [];
  let first = false;
  for (const row of rows) {
    first ||= row.first;
    if (!keep(row)) continue;
    kept.push({ ...row, first });
    first = false;
  }
  return kept;
}

export type RequestKind = 'changes' | 'mirror' | 'delete';
export type Answer = 'none' | 'ok' | 'refused';

/** A statement on its way: sent, perhaps started, perhaps applied; its answer may be lost at any point. */
export interface Request {
  readonly kind: RequestKind;
  readonly partition: number;
  readonly token: number;
  /** By ClickHouse's clock: not started later than this, and not applied later than `killAfter` after its start. */
  readonly deadline: number;
  readonly longest: number;
  readonly target: number;
  readonly table: number;
  /** `changes`: indexes of records, with what is redelivered. */
  readonly records: readonly number[];
  readonly redelivered: readonly number[];
  readonly signed: readonly SignedRow[];
  /** `delete`: below this offset. */
  readonly below: number;
  /** The key that this puts back, beside the blocks. */
  readonly mends?: number;
  state: 'sent' | 'started' | 'done';
  killAt: number;
  answer: Answer;
}

/** Inserts that fit between the first and the last moment an insert may land: the clock moves on with each. */
export const WINDOW = 40;

export class ClickHouse {
  clock = 0;
  changes: Changes;
  mirror: Mirror;
  requests: Request[] = [];
  /** Whether the server is killed once it has noted a token and before it has the rows. */
  killed: () => boolean = () => false;
  private uuids = 2;
  private readonly rules: Rules;
  private readonly keys: number;
  private readonly partitions: number;

  constructor(rules: Rules, partitions: number, keys: number) {
    this.rules = rules;
    this.keys = keys;
    this.partitions = partitions;
    this.changes = new Changes(1, partitions);
    this.mirror = new Mirror(2, keys);
  }

  dropAll(): void {
    this.changes = new Changes(++this.uuids, this.partitions);
    this.mirror = new Mirror(++this.uuids, this.keys);
  }

  /** The mirror alone is dropped, and built anew from `changes` beside its name before anybody sees it. */
  replaceMirror(parts: readonly { partition: number; rows: readonly SignedRow[] }[]): void {
    this.mirror = new Mirror(++this.uuids, this.keys);
    for (const { partition, rows } of parts) this.mirror.insert(partition, rows);
  }

  /** Starts a request: the guard is checked here, and only here. */
  start(request: Request): void {
    const { changes, mirror, rules } = this;
    const table = request.kind === 'changes' ? changes.uuid : mirror.uuid;
    const late = rules.deadline && this.clock > request.deadline;
    const replaced = rules.uuidsChecked && (request.target !== changes.uuid || request.table !== table);
    if (request.kind !== 'delete' && (late || replaced)) {
      request.state = 'done';
      request.answer = 'refused';
      return;
    }
    request.state = 'started';
    request.killAt = this.clock + request.longest;
  }

  /** Ends a request that was started; returns whether anything was written. */
  apply(request: Request): boolean {
    request.state = 'done';
    if (this.rules.deadline && this.clock > request.killAt) {
      request.answer = 'refused';
      return false;
    }
    this.clock++;
    request.answer = 'ok';
    if (request.kind === 'delete') {
      this.mirror.remove(request.partition, request.below);
      return true;
    }
    const table = request.kind === 'changes' ? this.changes : this.mirror;
    // A table that was dropped after the start takes the rows with it.
    if (this.rules.uuidsChecked && table.uuid !== request.table) return false;
    if (table.tokens.includes(request.token)) return false;
    if (request.mends === undefined && this.killed()) {
      // Whatever else is under way goes with it.
      for (const one of this.requests) one.state = 'done';
      request.answer = 'none';
      table.tokens.push(request.token);
      return false;
    }
    const burned =
      request.kind === 'changes'
        ? this.audit(request)
        : this.mirror.insert(request.partition, request.signed, this.rules.foldedOnInsert);
    if (burned) {
      table.tokens.push(request.token);
      if (table.tokens.length > (this.rules.wideWindow ? WINDOW : 1)) table.tokens.shift();
    }
    return burned;
  }

  private audit({ partition, records, redelivered }: Request): boolean {
    const audited = this.changes.partitions[partition]!;
    for (const [at, record] of records.entries()) {
      audited.count[record]!++;
      audited.redelivered[record] = redelivered[at]!;
    }
    return records.length > 0;
  }
}
