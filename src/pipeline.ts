/**
 * Records in, blocks out: opens each record's envelope, keeps what is a change as bytes, and cuts the stream into blocks.
 * One gatherer belongs to one partition and one assignment. It decides nothing about delivery and waits for nothing.
 */
import type { Envelope } from './debezium/envelope-found';
import { textOf } from './debezium/json-scan';
import { createRecordOpener, type KnownSchemas } from './debezium/open-record';
import type { SchemaRef } from './debezium/schema-header';
import type { BadRecordCode } from './errors';
import { OP, type RecordChunk, type RecordCursor, type RecordKind } from './model';
import { MAX_BLOCK_OFFSETS } from './plan/assignment';
import { giveWorkspace, takeWorkspace, type BlockWorkspace } from './plan/block-workspace';
import { ChangeBlock, type BlockTable } from './plan/change-block';

/** When a block is full. Time is the owner's business: it may take the open block whenever it likes. */
export interface BlockLimits {
  readonly rows: number;
  /** Bytes of keys and images. */
  readonly bytes: number;
}

/** What is kept. */
export interface Filter {
  /** Operations by their byte. */
  readonly ops: ReadonlySet<number>;
  keeps(schema: string, table: string): boolean;
  /** The signal table of the connector: its rows are counted, neither audited nor mirrored. */
  isSignal(schema: string, table: string): boolean;
}

export interface GathererOptions {
  readonly limits: BlockLimits;
  readonly filter: Filter;
  /** Avro's schemas, as far as they were found. */
  readonly schemas: KnownSchemas;
  /** The first offset to take; lower ones are passed over. */
  readonly from: number;
  /** A redo: the first block is exactly [from, redoEnd), whatever its size. */
  readonly redoEnd: number | null;
}

export interface Gatherer {
  /**
   * Takes the chunk's records. Returns the schema that the next one needs before it can be read, null when all were taken:
   * then feed the same chunk again once the schema was found; what was taken is passed over.
   */
  feed(chunk: RecordChunk): SchemaRef | null;
  /** The oldest full block, else null. */
  takeFull(): ChangeBlock | null;
  /** The open block if it holds something and may be cut now (a redo may not), else null. */
  takeOpen(): ChangeBlock | null;
  /** Gives a block's buffers back for reuse. */
  release(block: ChangeBlock): void;
  /** Lets go of buffers that are not in use, because nothing is to be done for a while. */
  rest(): void;
  readonly hasFull: boolean;
  readonly hasOpen: boolean;
  /** True while a redo's end was not reached. */
  readonly redoing: boolean;
  /** The offset after everything taken, records that were only skipped included. */
  readonly position: number;
  /** Records skipped since the last call, by kind. */
  takeSkipped(): ReadonlyMap<RecordKind, number>;
}

const SEEN_TABLES = 256;

/** A table as the wire names it, so that the next record's names need only be compared. */
interface NamedTable {
  readonly raw: Uint8Array;
  readonly table: BlockTable;
  readonly verdict: 'keep' | 'signal' | 'filtered';
}

export function createGatherer({ limits, filter, schemas, from, redoEnd }: GathererOptions): Gatherer {
  const opener = createRecordOpener(schemas);
  const { envelope } = opener;
  const full: ChangeBlock[] = [];
  const spare: ChangeBlock[] = [];
  const tables: NamedTable[] = [];
  let skipped = new Map<RecordKind, number>();
  let workspace: BlockWorkspace | null = null;
  let open = new ChangeBlock();
  let position = from;
  let redo = redoEnd;
  let last: NamedTable | null = null;
  let lastIndex = -1;
  let lastBlock: ChangeBlock | null = null;
  /** Filled anew for each change: `append` keeps nothing of them. */
  const fields = {
    ...{ offset: -1, op: -1, tsUs: -1, capturedUs: -1, lsn: -1, commitLsn: -1, txId: -1, txOrder: -1 },
    ...{ table: -1, snapshot: '', wireSchema: 0 },
  };
  const ranges = { key: { start: -1, end: -1 }, before: { start: -1, end: -1 }, after: { start: -1, end: -1 } };

  const cut = (): void => {
    full.push(open);
    open = spare.pop() ?? new ChangeBlock();
  };

  /** To be written: with the columns of the block before, as one is written at a time. */
  const handOut = (block: ChangeBlock): ChangeBlock => {
    if (workspace !== null) giveWorkspace(block, workspace);
    workspace = null;
    return block;
  };

  const cutIfFull = (nextOffset: number): void => {
    if (redo !== null) return;
    if (open.empty) return;
    if (open.rowCount >= limits.rows || open.byteCount >= limits.bytes || nextOffset - open.start >= MAX_BLOCK_OFFSETS)
      cut();
  };

  /** The redo is complete once its end is passed; its block has the announced bounds even if it holds less. */
  const finishRedo = (): void => {
    if (redo === null || position < redo) return;
    open.start = from;
    open.end = redo;
    redo = null;
    cut();
  };

  const skip = (kind: RecordKind): void => {
    skipped.set(kind, (skipped.get(kind) ?? 0) + 1);
  };

  const named = (bytes: Uint8Array): NamedTable => {
    if (last !== null && sameNames(bytes, envelope, last)) return last;
    const found = tables.find((one) => sameNames(bytes, envelope, one));
    if (found !== undefined) return found;
    const table = tableOf(bytes, envelope);
    const verdict = filter.isSignal(table.schema, table.name)
      ? 'signal'
      : filter.keeps(table.schema, table.name)
        ? 'keep'
        : 'filtered';
    const created: NamedTable = { raw: rawNames(bytes, envelope), table, verdict };
    if (tables.length >= SEEN_TABLES) tables.shift();
    tables.push(created);
    return created;
  };

  const takeChange = (offset: number): void => {
    const { bytes, schema } = opener;
    const of = named(bytes);
    if (of.verdict !== 'keep') return skip(of.verdict);
    if (!filter.ops.has(envelope.op)) return skip('filtered');
    const truncate = envelope.op === OP.t;
    if (truncate && !open.empty && redo === null) cut();
    if (of !== last || open !== lastBlock) {
      lastIndex = open.tableIndex(of.table);
      last = of;
      lastBlock = open;
    }
    fields.offset = offset;
    fields.op = envelope.op;
    fields.tsUs = envelope.tsUs;
    fields.capturedUs = envelope.capturedUs;
    fields.lsn = envelope.lsn;
    fields.commitLsn = envelope.commitLsn;
    fields.txId = envelope.txId;
    fields.txOrder = envelope.txOrder;
    fields.table = lastIndex;
    fields.snapshot =
      envelope.snapshotStart < 0 ? 'false' : textOf(bytes, envelope.snapshotStart, envelope.snapshotEnd);
    fields.wireSchema = schema === null ? 0 : open.wireSchemaIndex(schema);
    ranges.key.start = opener.keyStart;
    ranges.key.end = opener.keyEnd;
    ranges.before.start = envelope.beforeStart;
    ranges.before.end = envelope.beforeEnd;
    ranges.after.start = envelope.afterStart;
    ranges.after.end = envelope.afterEnd;
    open.append(fields, bytes, ranges, opener.keyBytes);
    open.end = offset + 1;
    if (truncate && redo === null) cut();
  };

  const takeBad = (cursor: RecordCursor, code: BadRecordCode): void => {
    const { bytes, offset } = cursor;
    // A Buffer's own `slice` shares its memory, which the consumer fills again.
    const copy = (start: number, end: number): Uint8Array =>
      start < 0 ? new Uint8Array(0) : new Uint8Array(bytes.subarray(start, end));
    open.appendBad({
      offset,
      code,
      table: '',
      column: '',
      note: opener.note,
      key: copy(cursor.keyStart, cursor.keyEnd),
      value: copy(cursor.valueStart, cursor.valueEnd),
      headers: copy(cursor.headersStart, cursor.headersEnd),
    });
    open.end = offset + 1;
  };

  return {
    feed(chunk) {
      const cursor = chunk.records();
      while (cursor.next()) {
        const { offset } = cursor;
        if (offset < position) continue;
        if (redo !== null && offset >= redo) {
          position = redo;
          finishRedo();
        }
        cutIfFull(offset);
        const kind = opener.open(cursor);
        if (kind === 'unresolved') return opener.needed;
        if (kind === 'change') takeChange(offset);
        else if (kind === 'bad') takeBad(cursor, envelope.error);
        else skip(kind);
        position = offset + 1;
      }
      if (chunk.nextOffset > position) position = chunk.nextOffset;
      finishRedo();
      cutIfFull(position);
      return null;
    },
    takeFull() {
      const block = full.shift();
      return block === undefined ? null : handOut(block);
    },
    takeOpen() {
      if (redo !== null || open.empty) return null;
      const block = open;
      open = spare.pop() ?? new ChangeBlock();
      return handOut(block);
    },
    release(block) {
      block.reset();
      workspace = takeWorkspace(block);
      if (spare.length < 2) spare.push(block);
      if (lastBlock === block) lastBlock = null;
    },
    rest() {
      spare.length = 0;
      workspace = null;
      if (!open.empty || redo !== null) return;
      open = new ChangeBlock();
      lastBlock = null;
    },
    get hasFull() {
      return full.length > 0;
    },
    get hasOpen() {
      return redo === null && !open.empty;
    },
    get redoing() {
      return redo !== null;
    },
    get position() {
      return position;
    },
    takeSkipped() {
      const taken = skipped;
      skipped = new Map();
      return taken;
    },
  };
}

/** The bytes of name, db, schema and table, each preceded by its length, as the wire has them. */
function rawNames(bytes: Uint8Array, e: Envelope): Uint8Array {
  const parts = [
    [e.nameStart, e.nameEnd],
    [e.dbStart, e.dbEnd],
    [e.schemaStart, e.schemaEnd],
    [e.tableStart, e.tableEnd],
  ] as const;
  const raw = new Uint8Array(parts.reduce((sum, [start, end]) => sum + 2 + Math.max(0, end - start), 0));
  let at = 0;
  for (const [start, end] of parts) {
    const length = Math.max(0, end - start);
    raw[at++] = length >> 8;
    raw[at++] = length & 0xff;
    if (length > 0) raw.set(bytes.subarray(start, end), at);
    at += length;
  }
  return raw;
}

function sameNames(bytes: Uint8Array, e: Envelope, { raw }: NamedTable): boolean {
  let at = samePart(bytes, e.nameStart, e.nameEnd, raw, 0);
  if (at >= 0) at = samePart(bytes, e.dbStart, e.dbEnd, raw, at);
  if (at >= 0) at = samePart(bytes, e.schemaStart, e.schemaEnd, raw, at);
  if (at >= 0) at = samePart(bytes, e.tableStart, e.tableEnd, raw, at);
  return at >= 0;
}

/** The position in `raw` after this part, -1 where it differs. */
// eslint-disable-next-line max-params -- called four times for each record
function samePart(bytes: Uint8Array, start: number, end: number, raw: Uint8Array, at: number): number {
  const length = Math.max(0, end - start);
  if (((raw[at] ?? 0) << 8) + (raw[at + 1] ?? 0) !== length) return -1;
  let position = at + 2;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== raw[position++]) return -1;
  return position;
}

function tableOf(bytes: Uint8Array, e: Envelope): BlockTable {
  const text = (start: number, end: number): string => (start < 0 ? '' : textOf(bytes, start, end));
  return {
    source: text(e.nameStart, e.nameEnd),
    db: text(e.dbStart, e.dbEnd),
    schema: text(e.schemaStart, e.schemaEnd),
    name: text(e.tableStart, e.tableEnd),
  };
}
