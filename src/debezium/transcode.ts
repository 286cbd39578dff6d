/** Turns row images, as JSON bytes, into rows of a mirror's columns, without a string or an object per value. */
import type { Column } from '../clickhouse/column-contract';
import type { ArrayColumn } from '../clickhouse/column-nested';
import type { StringColumn } from '../clickhouse/column-string';
import { profileCodec } from '../clickhouse/image-codec';
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import type { ImageCodec } from '../clickhouse/mirror-type';
import { skipSpace, skipString, skipValue, textOf } from './json-scan';
import { columnReader, isNullable } from './transcode-readers';
import { startsWith } from './transcode-text';
import { isNull, QUOTE, type Misfits, type ValueReader } from './transcode-value';

/** What became of an image: it is a row now. */
export const TRANSCODED = 0;
/** The image has a field that the layout does not know, named by `failedColumn`: read the catalogue again. */
export const UNKNOWN_FIELD = 1;
/** A value has a form that its column does not understand: `failedColumn` names it. */
export const UNREADABLE = 2;
/** A value of `failedColumn` does not fit its type, and its policy is not to clamp it. */
export const UNFIT = 3;
export type Outcome = typeof TRANSCODED | typeof UNKNOWN_FIELD | typeof UNREADABLE | typeof UNFIT;

/** The columns that rows are appended to. */
export interface TranscodedRows {
  /** One per column of the layout, in its order. */
  readonly columns: readonly Column[];
  /** `_nulls`, Array(LowCardinality(String)): per row, the names of columns whose NULL their type cannot hold. */
  readonly nulls: ArrayColumn;
}

export interface Transcoder {
  /**
   * Appends the row of the image object [start, end). A field that is missing has its column's `missing`, else is NULL; a NULL that the column
   * cannot hold is written as its default and named in `nulls`. Columns named in `withheld` get their default and are
   * not read. Unless the outcome is `TRANSCODED`, all columns are as they were.
   */
  append(bytes: Uint8Array, start: number, end: number, rows: TranscodedRows, withheld?: ReadonlySet<string>): Outcome;
  /** As `append`, but reads the key columns only: the others get their default and are not named. Takes record keys too. */
  appendKey(bytes: Uint8Array, start: number, end: number, rows: TranscodedRows): Outcome;
  /** By column of the layout, how many values were clamped since the last call; null where none was. */
  takeClamped(): Float64Array | null;
  /** Whether values that are clamped count: those of an old image were counted when they were new. */
  counts: boolean;
  /** The column or field of the last outcome that was not `TRANSCODED`; empty if the image itself is no object. */
  readonly failedColumn: string;
}

interface Field {
  readonly name: string;
  /** The name as the connector writes it, quotes included. */
  readonly bytes: Uint8Array;
  readonly column: number;
}

/**
 * Makes the transcoder of a layout; its work per image depends on nothing but the image's bytes.
 * @param codecs how each column of the layout stands in the images, by name; a column that is not there, as in our profile
 */
export function compileTranscoder(
  layout: MirrorLayout,
  codecs: ReadonlyMap<string, ImageCodec> = NO_CODECS,
): Transcoder {
  return new ImageTranscoder(layout, codecs);
}

const NO_CODECS: ReadonlyMap<string, ImageCodec> = new Map();

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;
const NOTHING = new Uint8Array(0);

class ImageTranscoder implements Transcoder {
  counts = true;
  /** The column of a value of the present row that must not be clamped; -1 for none. */
  unfit = -1;
  clamped: Float64Array | null = null;
  private readonly misfits: readonly ColumnMisfits[];
  failedColumn = '';
  private readonly names: readonly string[];
  private readonly nullNames: readonly Uint8Array[];
  private readonly readers: readonly ValueReader[];
  /** What a row has in a column that its image lacks. */
  private readonly missing: readonly (Uint8Array | null)[];
  private readonly missingReaders: readonly ValueReader[];
  private readonly holdsNull: readonly boolean[];
  private readonly fields: readonly Field[];
  private readonly fieldIndexes: ReadonlyMap<string, number>;
  /** 1 for columns that are not read. */
  private readonly nothingSkipped: Uint8Array;
  private readonly allButKey: Uint8Array;
  private readonly someSkipped: Uint8Array;
  /** Per column the run in which it was last seen, so that nothing need be reset between images. */
  private readonly seen: Float64Array;
  private run = 0;
  /** The field found by `findField`, and where its name ends. */
  private field = 0;

  constructor(layout: MirrorLayout, codecs: ReadonlyMap<string, ImageCodec>) {
    const count = layout.columns.length;
    this.names = layout.columns.map(({ name }) => name);
    this.nullNames = this.names.map((name) => Buffer.from(name, 'utf8'));
    this.misfits = layout.columns.map(
      ({ policy, nulls }, i) =>
        new ColumnMisfits(this, i, { clamps: policy === 'clamp' || policy === 'exact', nulls, count }),
    );
    this.readers = layout.columns.map((column, i) =>
      columnReader(column, codecs.get(column.name) ?? profileCodec(column.codec), this.misfits[i] as ColumnMisfits),
    );
    this.missing = layout.columns.map(({ missing }) =>
      missing === undefined || missing === 'null' ? null : Buffer.from(missing, 'utf8'),
    );
    this.missingReaders = layout.columns.map((column, i) =>
      columnReader(column, profileCodec(column.codec), this.misfits[i] as ColumnMisfits),
    );
    this.holdsNull = layout.columns.map(({ type }) => isNullable(type));
    this.fields = layout.fields.map(({ name, column }) => ({
      name,
      column,
      bytes: Buffer.from(JSON.stringify(name), 'utf8'),
    }));
    this.fieldIndexes = new Map(layout.fields.map(({ name }, i) => [name, i]));
    this.nothingSkipped = new Uint8Array(count);
    this.allButKey = new Uint8Array(count).fill(1);
    for (const column of layout.key) this.allButKey[column] = 0;
    this.someSkipped = new Uint8Array(count);
    this.seen = new Float64Array(count);
  }

  append(b: Uint8Array, start: number, end: number, rows: TranscodedRows, withheld?: ReadonlySet<string>): Outcome {
    if (withheld === undefined || withheld.size === 0) return this.appendRow(b, start, end, rows, this.nothingSkipped);
    this.names.forEach((name, i) => (this.someSkipped[i] = withheld.has(name) ? 1 : 0));
    return this.appendRow(b, start, end, rows, this.someSkipped);
  }

  appendKey(b: Uint8Array, start: number, end: number, rows: TranscodedRows): Outcome {
    return this.appendRow(b, start, end, rows, this.allButKey);
  }

  private appendRow(b: Uint8Array, start: number, end: number, rows: TranscodedRows, skip: Uint8Array): Outcome {
    const { columns, nulls } = rows;
    const before = nulls.rows;
    this.run++;
    this.unfit = -1;
    let outcome = this.readFields(b, start, end, rows, skip);
    if (outcome === TRANSCODED) {
      this.fillMissing(rows, skip);
      if (this.unfit < 0) {
        nulls.endRow();
        return outcome;
      }
      this.failedColumn = this.names[this.unfit] ?? '';
      outcome = UNFIT;
    }
    for (const column of columns) column.rewind(before);
    nulls.rewind(before);
    return outcome;
  }

  takeClamped(): Float64Array | null {
    const { clamped } = this;
    this.clamped = null;
    return clamped;
  }

  private readFields(b: Uint8Array, start: number, end: number, rows: TranscodedRows, skip: Uint8Array): Outcome {
    const { columns, nulls } = rows;
    this.failedColumn = '';
    let i = skipSpace(b, start, end);
    if (b[i] !== OPEN_OBJECT) return UNREADABLE;
    i = skipSpace(b, i + 1, end);
    if (b[i] === CLOSE_OBJECT) return atEnd(b, i + 1, end);
    let expected = 0;
    for (;;) {
      i = this.findField(b, i, end, expected);
      if (i < 0) return this.field < 0 ? UNKNOWN_FIELD : UNREADABLE;
      const field = this.fields[this.field];
      expected = this.field + 1;
      i = skipSpace(b, i, end);
      if (b[i] !== COLON || field === undefined) return UNREADABLE;
      i = skipSpace(b, i + 1, end);
      const at = field.column;
      const column = columns[at];
      if (column === undefined) i = skipValue(b, i, end);
      else if (this.seen[at] === this.run) i = -1;
      else {
        this.seen[at] = this.run;
        if (skip[at] === 1) {
          column.appendDefault();
          i = skipValue(b, i, end);
        } else if (isNull(b, i, end)) {
          this.appendNull(at, column, nulls);
          if (this.holdsNull[at] !== true) this.misfits[at]?.hitNull();
          i += 4;
        } else i = (this.readers[at] as ValueReader)(b, i, end, column);
      }
      if (i >= 0) i = skipSpace(b, i, end);
      if (b[i] === CLOSE_OBJECT) return atEnd(b, i + 1, end);
      if (b[i] !== COMMA) {
        this.failedColumn = field.name;
        return UNREADABLE;
      }
      i = skipSpace(b, i + 1, end);
    }
  }

  /**
   * Sets `field` to the index of the field whose name stands at `at` and returns the index after its closing quote.
   * Returns -1 with `field` -1 for a name the layout does not know, and with `field` 0 where no name stands.
   */
  private findField(b: Uint8Array, at: number, end: number, expected: number): number {
    const next = this.fields[expected];
    if (next !== undefined && startsWith(b, at, next.bytes)) {
      this.field = expected;
      return at + next.bytes.length;
    }
    const close = b[at] === QUOTE ? skipString(b, at, end) : -1;
    this.field = 0;
    if (close < 0) return -1;
    const name = textOf(b, at + 1, close - 1);
    this.field = this.fieldIndexes.get(name) ?? -1;
    if (this.field >= 0) return close;
    this.failedColumn = name;
    return -1;
  }

  private appendNull(index: number, column: Column, nulls: ArrayColumn): void {
    column.appendDefault();
    if (this.holdsNull[index] === true) return;
    const name = this.nullNames[index] ?? NOTHING;
    (nulls.element as StringColumn).appendBytes(name, 0, name.length);
  }

  private fillMissing({ columns, nulls }: TranscodedRows, skip: Uint8Array): void {
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      if (column === undefined || this.seen[i] === this.run) continue;
      const missing = this.missing[i] ?? null;
      if (skip[i] === 1) column.appendDefault();
      else if (missing === null) this.appendNull(i, column, nulls);
      else (this.missingReaders[i] as ValueReader)(missing, 0, missing.length, column);
    }
  }
}

function atEnd(b: Uint8Array, at: number, end: number): Outcome {
  return skipSpace(b, at, end) === end ? TRANSCODED : UNREADABLE;
}

/** What the columns of a transcoder met. */
type Found = Pick<ImageTranscoder, 'counts' | 'unfit' | 'clamped'>;

interface MisfitRules {
  readonly clamps: boolean;
  readonly nulls: 'clamp' | 'reject' | undefined;
  /** Columns of the layout. */
  readonly count: number;
}

/** Nothing is done here for values that fit. */
class ColumnMisfits implements Misfits {
  private readonly found: Found;
  private readonly column: number;
  private readonly rules: MisfitRules;

  constructor(found: Found, column: number, rules: MisfitRules) {
    this.found = found;
    this.column = column;
    this.rules = rules;
  }

  hit(): void {
    this.met(this.rules.clamps);
  }

  hitNull(): void {
    if (this.rules.nulls !== undefined) this.met(this.rules.nulls === 'clamp');
  }

  private met(isClamped: boolean): void {
    if (!isClamped) {
      this.found.unfit = this.column;
      return;
    }
    if (!this.found.counts) return;
    const counts = (this.found.clamped ??= new Float64Array(this.rules.count));
    counts[this.column] = (counts[this.column] ?? 0) + 1;
  }
}
