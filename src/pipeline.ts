/**
 * Records in, blocks out: opens each record's envelope, keeps what is a change as bytes, and cuts the stream into blocks.
 * One gatherer belongs to one partition and one assignment. It decides nothing about delivery and waits for nothing.
 */
import type { ImageMask } from './debezium/image-mask';
import { JsonOutput } from './debezium/json-output';
import { createRecordOpener, type KnownSchemas } from './debezium/open-record';
import type { SchemaRef } from './debezium/schema-header';
import { rawNames, sameNames, snapshotOf, tableOf } from './envelope-names';
import type { BadRecordCode } from './errors';
import { OP, type RecordChunk, type RecordCursor, type RecordKind, type WireSchema } from './model';
import { MAX_BLOCK_OFFSETS } from './plan/assignment';
import { giveWorkspace, takeWorkspace, type BlockWorkspace } from './plan/block-workspace';
import { ChangeBlock, type BlockTable, type HiddenBytes } from './plan/change-block';

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
  /** What must not reach ClickHouse; absent where nothing is masked. */
  readonly masking?: RecordMasking;
}

/** Masks records before anything else sees them: no later step can give away what it never had. */
export interface RecordMasking {
  /** For the images and keys of a table; null where none of its columns is masked. */
  of(schema: string, table: string): ImageMask | null;
  /** A keyed hash of all bytes of a record that is not kept. */
  digest(key: Uint8Array, value: Uint8Array, headers: Uint8Array): string;
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
const NOTHING = new Uint8Array(0);

/** A table as the wire names it, so that the next record's names need only be compared. */
interface NamedTable {
  readonly raw: Uint8Array;
  readonly table: BlockTable;
  readonly verdict: 'keep' | 'signal' | 'filtered';
  readonly mask: ImageMask | null;
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
  const masked = new JsonOutput();
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
    const mask = verdict === 'keep' ? (filter.masking?.of(table.schema, table.name) ?? null) : null;
    const created: NamedTable = { raw: rawNames(bytes, envelope), table, verdict, mask };
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
    fields.snapshot = snapshotOf(bytes, envelope);
    fields.wireSchema = wireSchemaOf(schema, of.mask);
    ranges.key.start = opener.keyStart;
    ranges.key.end = opener.keyEnd;
    ranges.before.start = envelope.beforeStart;
    ranges.before.end = envelope.beforeEnd;
    ranges.after.start = envelope.afterStart;
    ranges.after.end = envelope.afterEnd;
    if (of.mask === null) open.append(fields, bytes, ranges, opener.keyBytes);
    else open.append(fields, maskRanges(bytes, of.mask), ranges);
    open.end = offset + 1;
    if (truncate && redo === null) cut();
  };

  const wireSchemaOf = (schema: WireSchema | null, mask: ImageMask | null): number => {
    if (schema === null) return 0;
    return open.wireSchemaIndex(mask === null ? schema : mask.schema(schema));
  };

  /** Writes key and images masked, one after the other, and points the ranges at them. */
  const maskRanges = (bytes: Uint8Array, mask: ImageMask): Uint8Array => {
    masked.clear();
    const write = (b: Uint8Array, range: { start: number; end: number }): void => {
      if (range.start < 0) return;
      if (range.end <= range.start) {
        range.start = range.end = -1;
        return;
      }
      const start = masked.at;
      mask.write(b, range.start, range.end, masked);
      range.start = start;
      range.end = masked.at;
    };
    write(opener.keyBytes, ranges.key);
    write(bytes, ranges.before);
    write(bytes, ranges.after);
    return masked.bytes;
  };

  /** Whether the bytes of a record that cannot be read may hold what is masked: where its table cannot be told, of any table's. */
  const mayHoldMasked = (code: BadRecordCode): boolean => {
    const { masking } = filter;
    if (masking === undefined) return false;
    // The value was read whole, so it named its table; it is the key that is wrong.
    const isKeyAlone = code === 'KEY_MALFORMED' || code === 'SCHEMA_UNKNOWN' || code === 'SCHEMA_UNREADABLE';
    if (!isKeyAlone || envelope.schemaStart < 0 || envelope.tableStart < 0) return true;
    const { schema, name } = tableOf(opener.bytes, envelope);
    return masking.of(schema, name) !== null;
  };

  const takeBad = (cursor: RecordCursor, code: BadRecordCode): void => {
    const { bytes, offset } = cursor;
    // A Buffer's own `slice` shares its memory, which the consumer fills again.
    const copy = (start: number, end: number): Uint8Array =>
      start < 0 ? new Uint8Array(0) : new Uint8Array(bytes.subarray(start, end));
    const key = copy(cursor.keyStart, cursor.keyEnd);
    const value = copy(cursor.valueStart, cursor.valueEnd);
    const headers = copy(cursor.headersStart, cursor.headersEnd);
    const record = { offset, code, table: '', column: '', note: opener.note };
    if (!mayHoldMasked(code)) open.appendBad({ ...record, key, value, headers });
    else {
      const digest = filter.masking?.digest(key, value, headers) ?? '';
      const sizes = { keySize: key.length, valueSize: value.length, headersSize: headers.length };
      const hidden: HiddenBytes = { ...sizes, digest };
      open.appendBad({ ...record, key: NOTHING, value: NOTHING, headers: NOTHING, hidden });
    }
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

/** Masks what stands in a block of a table. */
export function maskImages(block: ChangeBlock, table: number, mask: ImageMask): void {
  const output = new JsonOutput();
  block.replaceImages(table, (bytes, start, end, into) => {
    output.clear();
    mask.write(bytes, start, end, output);
    into.appendBytes(output.bytes, 0, output.at);
  });
}
