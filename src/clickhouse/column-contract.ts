/** What every kind of column of a Native block can do. */
import type { ByteSink, ByteSource } from './byte-stream';

/**
 * A growable column in Native wire form. Rows are only ever appended at the end or taken back from it; buffers are kept
 * by `clear()`, so a column that is reused stops allocating.
 */
export interface Column {
  /**
   * The type as a block names it. It may differ from the table's: `LowCardinality(String)` travels as `String`,
   * and the server converts.
   */
  readonly type: string;
  readonly rows: number;
  /** Appends the type's default: 0, '', NULL, [], {}. */
  appendDefault(): void;
  /** Appends a row of another column of the same type. */
  appendFrom(other: Column, row: number): void;
  /** Whether both rows hold the same bytes; other must have the same type. NaN equals itself, -0 differs from 0. */
  equals(row: number, other: Column, otherRow: number): boolean;
  /** Takes back every row from `rows` on; does nothing when there are fewer. */
  rewind(rows: number): void;
  clear(): void;
  /** Writes the Native payload. The sink may hold references into this column until its chunks are consumed. */
  encode(out: ByteSink): void;
  /** Appends `rows` rows from a Native payload. */
  decode(input: ByteSource, rows: number): void;
}
