/** Blocks of changes and rows of a mirror, each written down as a few facts, for the tests of the pure core. */
import type { Column } from '../../../src/clickhouse/column';
import { StringColumn } from '../../../src/clickhouse/column-string';
import type { FixedColumn } from '../../../src/clickhouse/column-fixed';
import type { ArrayColumn, NullableColumn } from '../../../src/clickhouse/column-nested';
import { OP, type OpName } from '../../../src/model';
import { ChangeBlock, type BlockTable } from '../../../src/plan/change-block';
import { MirrorRows, type RowShape, type SignedRows } from '../../../src/plan/mirror-rows';

/** What a change says. Keys and images are text as on the wire; left out means absent. */
export interface Fact {
  readonly offset: number;
  readonly op: OpName;
  readonly key?: string;
  readonly before?: string;
  readonly after?: string;
  readonly lsn?: number;
  readonly commitLsn?: number;
  readonly txId?: number;
  readonly txOrder?: number;
  readonly table?: string;
  readonly snapshot?: string;
  readonly tsUs?: number;
}

export function tableNamed(name: string): BlockTable {
  return { source: 'shop', db: 'demo', schema: 'public', name };
}

/** The block of these changes, which are in offset order. */
export function blockOf(facts: readonly Fact[], into = new ChangeBlock()): ChangeBlock {
  for (const { offset, op, key, before, after, ...more } of facts) {
    const texts = [key ?? '', before ?? '', after ?? ''].map((text) => Buffer.from(text));
    const bytes = Buffer.concat([Buffer.from('#'), ...texts]);
    let at = 1;
    const [keyRange, beforeRange, afterRange] = [key, before, after].map((text, index) => {
      const start = at;
      at += texts[index]!.length;
      return text === undefined ? { start: -1, end: -1 } : { start, end: at };
    });
    const table = into.tableIndex(tableNamed(more.table ?? 'orders'));
    const { lsn = 1000 + offset, commitLsn = 900 + offset, txId = 7, txOrder = -1, snapshot = 'false' } = more;
    // All rows of a snapshot have the time it was taken.
    const tsUs = more.tsUs ?? (op === 'r' ? 1_000_000 : 1_000_000 + offset);
    const numbers = { tsUs, capturedUs: 2_000_000 + offset, lsn, commitLsn, txId, txOrder };
    into.append({ offset, op: OP[op], table, snapshot, ...numbers }, bytes, {
      key: keyRange!,
      before: beforeRange!,
      after: afterRange!,
    });
    into.end = offset + 1;
  }
  return into;
}

/** A row of the test mirror: key, a text that may be NULL, and tags; `null` tags are read as [] and named in `_nulls`. */
export interface Row {
  readonly id: number;
  readonly note: string | null;
  readonly tags: readonly string[] | null;
}

export const SHAPE: RowShape = {
  columns: [
    { name: 'id', type: 'Int64' },
    { name: 'note', type: 'Nullable(String)' },
    { name: 'tags', type: 'Array(String)' },
  ],
  key: [0],
};

/** The column, known to be of strings; throws where it is not. */
export function asStrings(column: Column): StringColumn {
  if (column instanceof StringColumn) return column;
  throw new TypeError(`a column of ${column.type}`);
}

export function rowsOf(rows: readonly Row[]): MirrorRows {
  const mirror = new MirrorRows(SHAPE);
  for (const row of rows) appendRow(mirror, row);
  return mirror;
}

export function appendRow(mirror: MirrorRows, { id, note, tags }: Row): number {
  const [ids, notes, lists] = mirror.columns as [FixedColumn, NullableColumn, ArrayColumn];
  ids.appendNumber(id);
  if (note === null) notes.appendDefault();
  else {
    notes.markPresent();
    asStrings(notes.inner).appendText(note);
  }
  for (const tag of tags ?? []) asStrings(lists.element).appendText(tag);
  lists.endRow();
  if (tags === null) asStrings(mirror.nulls.element).appendText('tags');
  mirror.nulls.endRow();
  return mirror.rowCount - 1;
}

/** Reads a row of the test mirror back. */
export function readRow(mirror: MirrorRows, row: number): Row {
  const [ids, notes, lists] = mirror.columns as [FixedColumn, NullableColumn, ArrayColumn];
  const tags: string[] = [];
  const texts = asStrings(lists.element);
  for (let i = lists.start(row); i < lists.end(row); i++) tags.push(texts.textAt(i));
  return {
    id: ids.numberAt(row),
    note: notes.isNull(row) ? null : asStrings(notes.inner).textAt(row),
    tags: mirror.nullNames(row).includes('tags') ? null : tags,
  };
}

/** Signed rows as pairs of sign and row. */
export function readSigned(signed: SignedRows): [number, Row][] {
  return Array.from({ length: signed.rowCount }, (_, row) => [
    signed.sign.numberAt(row) === 1 ? 1 : -1,
    readRow(signed.rows, row),
  ]);
}
