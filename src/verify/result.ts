/** What a verification found. */
import type { NotCompared } from './table-plan';

/** The first stage that does not have what the source has. */
export type LostStage = 'kafka' | 'changes' | 'mirror';

export interface Difference {
  /** The values of the key's columns, as text, by name; of a row without a key, `_hash` of its values. */
  readonly key: Readonly<Record<string, string | null>>;
  /** `signs`: the signed rows of the key do not add up to 0 or 1, so a later change of it would go wrong. */
  readonly kind: 'missing' | 'surplus' | 'changed' | 'signs';
  /** Columns that differ; empty unless `changed`. */
  readonly columns: readonly string[];
  readonly stage: LostStage;
  /** Of a row without a key: how often it is there. */
  readonly times?: { readonly source: number; readonly mirror: number };
  /** Only where values were asked for: what the source and the mirror have, in the columns that differ or, where one has no row, in all. */
  readonly values?: {
    readonly source: Readonly<Record<string, string | null>> | null;
    readonly mirror: Readonly<Record<string, string | null>> | null;
  };
}

export interface TableResult {
  /** `schema.table`. */
  readonly table: string;
  readonly sourceRows: number;
  readonly mirrorRows: number;
  /** Keys that differ. */
  readonly differences: number;
  /** The first of them. */
  readonly details: readonly Difference[];
  /** Keys that differed only because they were changed after the snapshot; they were judged from `changes`. */
  readonly movedSince: number;
  /** Per column, in how many rows the mirror holds another value by a documented policy (clamp). They are not differences. */
  readonly altered: Readonly<Record<string, number>>;
  readonly notCompared: readonly NotCompared[];
  /** The name it had, where its rows were not read again under the one it has now; null otherwise. */
  readonly renamedFrom: string | null;
}

export interface SkippedTable {
  readonly table: string;
  readonly reason: string;
}

/** A change in quarantine that nobody has dealt with. */
export interface Doubtful {
  /** `schema.table`, '' where the envelope could not be opened. */
  readonly table: string;
  readonly column: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly code: string;
}

/** What is in doubt beside the comparison; it makes nothing different. */
export interface Doubts {
  readonly doubtful: readonly Doubtful[];
  /** All of them; `doubtful` has the first. */
  readonly doubtfulCount: number;
}

export interface VerifyResult {
  readonly equal: boolean;
  /** WAL position of the snapshot. */
  readonly lsn: string;
  /** Rows looked at are a sample. */
  readonly sampled: boolean;
  readonly ms: number;
  readonly tables: readonly TableResult[];
  readonly skipped: readonly SkippedTable[];
}
