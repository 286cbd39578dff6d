/** Reads the images of a table's share of a block, and of `changes`, into rows and events; keeps what could not be read. */
import type { StringColumn } from '../clickhouse/column-string';
import { isLossless } from '../clickhouse/mirror-layout';
import type { TruthEvent } from '../clickhouse/truth-event';
import { TRANSCODED, UNFIT, UNKNOWN_FIELD, type Outcome, type Transcoder } from '../debezium/transcode';
import { OP } from '../model';
import type { BadRecord, BlockTable, ChangeBlock } from '../plan/change-block';
import type { FoldEvent } from '../plan/fold';
import { MirrorRows, type RowOrigin } from '../plan/mirror-rows';
import { placeOf, type EventPlace } from '../plan/table-versions';
import { Clamped } from './policy-uses';
import type { MirroredTable } from './ports';
import { readByGuess } from './table-past';
import { imageOf } from './truth-events';

/** A block and what was found out about it. */
export interface LookedAt {
  readonly block: ChangeBlock;
  readonly topic: string;
  readonly partition: number;
  readonly end: number;
  /** Written again within its announced bounds. */
  readonly announced: boolean;
  readonly redelivered: Uint8Array;
  readonly withheld: ReadonlyMap<number, readonly string[]>;
}

export interface TableShare {
  readonly table: MirroredTable;
  readonly source: BlockTable;
  /** Rows of the block, in offset order. */
  readonly rows: readonly number[];
  /** For images of the block, by the index into its wire schemas: one for each that rows of the table have. */
  readonly transcoders: readonly (Transcoder | undefined)[];
}

function originOf(block: ChangeBlock, row: number): RowOrigin {
  return {
    offset: block.offsets[row] ?? 0,
    commitLsn: block.commitLsn(row),
    lsn: block.lsn(row),
    tsUs: block.tsUs[row] ?? 0,
  };
}

interface ImageRange {
  /** For images written as this one is. */
  readonly transcoder: Transcoder | undefined;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

interface What {
  readonly present: boolean;
  /** Columns whose value is withheld, by their names in the image. */
  readonly names: readonly string[];
  /** Values of an event of the block count where they are clamped; those of `changes` counted before. */
  readonly counts: boolean;
}

/** Reads images into rows and turns them into events; keeps what could not be read. */
export class ImageReader {
  readonly rows: MirrorRows;
  readonly bad: BadRecord[] = [];
  /** A field that the layout does not know; null while there is none. */
  unknownField: string | null = null;
  /** A column that must become text before the block can be written: a value does not fit, and nothing may be lost. */
  tooNarrow: string | null = null;
  readonly clamped = new Clamped();
  private failedColumn = '';
  private failure: Outcome = TRANSCODED;
  private readonly share: TableShare;
  private readonly at: LookedAt;

  constructor(share: TableShare, at: LookedAt) {
    this.share = share;
    this.at = at;
    this.rows = new MirrorRows(share.table.layout);
  }

  /** The event of a row of the block; null when its image cannot be read (it is in `bad` then). */
  ofRow(row: number): FoldEvent | null {
    const { block, withheld } = this.at;
    const present = block.ops[row] !== OP.d;
    const source = present ? block.after : block.has(block.before, row) ? block.before : block.key;
    const names = withheld.get(row) ?? [];
    const place = block.place(row);
    const transcoder = this.share.transcoders[block.wireSchemaOf[row] ?? 0];
    const image = { transcoder, bytes: source.bytes, start: source.start(row), end: source.end(row) };
    const read = this.readAt(image, place, { present, names, counts: true });
    if (read === 'gone') return null;
    if (read !== null) return this.event(originOf(block, row), present, read);
    this.bad.push(this.failed(block.offsets[row] ?? 0));
    return null;
  }

  /** The event of a row of `changes`. */
  ofTruth(truth: TruthEvent): FoldEvent | null {
    const present = truth.op !== 'd';
    const bytes = Buffer.from(imageOf(truth), 'utf8');
    const image = { transcoder: this.share.table.readers.of(truth.wire), bytes, start: 0, end: bytes.length };
    const place = placeOf(truth);
    const read = this.readAt(image, place, { present, names: truth.unavailable, counts: false });
    return read === null || read === 'gone' ? null : this.event(truth, present, read);
  }

  /** One image of a row of the block as a row; null when it cannot be read (it is in `bad` then), or is of another table. */
  imageOf(row: number, which: 'before' | 'after'): { image: number; origin: RowOrigin } | null {
    const { block } = this.at;
    const images = block[which];
    const place = block.place(row);
    const transcoder = this.share.transcoders[block.wireSchemaOf[row] ?? 0];
    const image = { transcoder, bytes: images.bytes, start: images.start(row), end: images.end(row) };
    const read = this.readAt(image, place, { present: true, names: [], counts: which === 'after' });
    if (read === null) this.bad.push(this.failed(block.offsets[row] ?? 0));
    if (read === null || read === 'gone') return null;
    return { image: this.rows.rowCount - 1, origin: originOf(block, row) };
  }

  private failed(offset: number): BadRecord {
    if (this.failure !== UNFIT) return this.badAt(offset, 'VALUE_UNREADABLE', this.failedColumn);
    const column = this.share.table.layout.columns.find(({ name }) => name === this.failedColumn);
    const note = `its type in ClickHouse is ${column?.type ?? ''}, its policy reject`;
    return { ...this.badAt(offset, 'VALUE_REJECTED', this.failedColumn), note };
  }

  badAt(offset: number, code: BadRecord['code'], column: string): BadRecord {
    const { block } = this.at;
    const row = block.offsets.subarray(0, block.rowCount).indexOf(offset);
    const copy = (images: StringColumn): Uint8Array =>
      row < 0 ? new Uint8Array(0) : images.bytes.slice(images.start(row), images.end(row));
    return {
      offset,
      code,
      table: this.share.table.name,
      column,
      key: copy(block.key),
      value: copy(block.after),
      headers: new Uint8Array(0),
    };
  }

  /**
   * Appends the image in the terms of the table as it is now; its withheld columns, null where it cannot be read, 'gone'
   * where it is of another table that had the name before.
   */
  private readAt(image: ImageRange, place: EventPlace, what: What): readonly string[] | 'gone' | null {
    const { earlier } = this.share.table;
    if (earlier === null || place.lsn > earlier.newestBeyond)
      return this.read(image, what) === null ? null : what.names;
    const own = { bytes: image.bytes.subarray(image.start, image.end), withheld: what.names };
    return readByGuess(earlier, own, place, ({ bytes, withheld }) => {
      const range = { ...image, bytes, start: 0, end: bytes.length };
      return this.read(range, { ...what, names: withheld }) === null ? null : withheld;
    });
  }

  private read({ transcoder, bytes, start, end }: ImageRange, { present, names, counts }: What): true | null {
    if (transcoder === undefined) return null;
    transcoder.counts = counts;
    const outcome = present
      ? transcoder.append(bytes, start, end, this.rows, names.length === 0 ? undefined : new Set(names))
      : transcoder.appendKey(bytes, start, end, this.rows);
    this.failedColumn = transcoder.failedColumn;
    this.clamped.add(transcoder);
    this.failure = outcome;
    if (outcome === UNFIT && isLossless(this.share.table.layout, this.failedColumn)) this.tooNarrow = this.failedColumn;
    if (outcome === UNKNOWN_FIELD) this.unknownField = this.failedColumn;
    return outcome === TRANSCODED ? true : null;
  }

  private event(origin: RowOrigin, present: boolean, names: readonly string[]): FoldEvent {
    const image = this.rows.rowCount - 1;
    const { columns } = this.share.table.layout;
    const indexes = names
      .map((name) => columns.findIndex((column) => column.name === name))
      .filter((index) => index >= 0);
    return {
      key: this.rows.keyOf(image),
      origin: { offset: origin.offset, commitLsn: origin.commitLsn, lsn: origin.lsn, tsUs: origin.tsUs },
      image,
      present,
      withheld: indexes.length === 0 ? null : new Map(indexes.map((index) => [index, null])),
    };
  }
}
