/** What the live page is given: figures, and questions to ClickHouse that somebody else answers. */
import type { Reconciled } from './reconciliation';

/** One change as `changes` has it. Everything about a row's values is null while values are withheld. */
export interface ChangeRead {
  readonly at: string;
  readonly ingestedAt: string;
  readonly op: string;
  /** `schema.table`. */
  readonly table: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly lsn: string | null;
  readonly txId: string | null;
  readonly redelivered: boolean;
  /** JSON text as Debezium sent it, '' when absent. */
  readonly key: string;
  readonly before: string;
  readonly after: string;
  /** Columns whose value was withheld by PostgreSQL. */
  readonly unavailable: readonly string[];
}

export interface ChangeFilter {
  /** `schema.table`; null: any. */
  readonly table: string | null;
  readonly op: string | null;
  /** The key's JSON text, or the value of one of its columns; null: any. */
  readonly key: string | null;
}

/** Where the newest records of a partition are. */
export interface PartitionEnd {
  readonly topic: string;
  readonly partition: number;
  readonly end: number;
}

export interface QuarantinedRead {
  readonly at: string;
  readonly code: string;
  readonly message: string;
  readonly table: string;
  readonly column: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** The beginning of key and value as text. */
  readonly key: string;
  readonly value: string;
}

/** Questions to ClickHouse; all of them read only, bounded in time and rows, with bound parameters. */
export interface PageReads {
  /** The newest changes, newest first, of the last records of each partition. */
  changes(filter: ChangeFilter, ends: readonly PartitionEnd[]): Promise<readonly ChangeRead[]>;
  /** The changes of one row, oldest first, by its key's JSON text. */
  history(table: string, key: string): Promise<readonly ChangeRead[]>;
  /** The newest records that were set aside. */
  quarantine(): Promise<readonly QuarantinedRead[]>;
}

/** Questions of the demo's dashboard, in the same way; what they answer goes to the page as it is. */
export interface DashboardReads {
  /** Which of the demo's tables there are. */
  tables(): Promise<readonly string[]>;
  sales(hours: number): Promise<object>;
  stock(hours: number, categories: 'known' | 'unknown'): Promise<readonly object[]>;
  logins(hours: number): Promise<object>;
  /** When the newest change was committed, ms since the epoch. */
  newestCommit(): Promise<number | null>;
  /** The ids of `user_logins` on both sides, or why they cannot be compared. */
  reconcile(): Promise<Reconciled | { readonly reason: string }>;
}

/** What came of an order to hold or to read on. */
export interface Ordered {
  /** The topics whose order was given or ended; `*`: everything. */
  readonly topics: readonly string[];
  /** `written`: the order stands, and not every process of the group has said yet that it follows. */
  readonly done: 'followed' | 'written';
}

/** Each for a table, `schema.table`; null: everything. Throw REQUEST_FAILED for what cannot be. */
export interface PauseOrders {
  pause(table: string | null): Promise<Ordered>;
  resume(table: string | null): Promise<Ordered>;
}

/** What the page shows beside what it reads from ClickHouse. */
export interface PageFigures {
  /** `/status.json`, serialised; looks outside first if what is known is old. */
  readonly fresh: () => Promise<string>;
  /** The same at once, from what is known; looks outside meanwhile. */
  readonly now: () => string;
  /** Percentiles over time, serialised. */
  readonly latency: () => string;
  readonly ready: () => { readonly ready: boolean; readonly reasons: readonly { code: string; message: string }[] };
  readonly ends: () => readonly PartitionEnd[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}
