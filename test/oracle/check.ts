/** Records of each wire against what was put into them: the image as `changes` has it, and each column's bytes in the mirror. */
import { ByteSink } from '../../src/clickhouse/byte-stream';
import { createColumn, type Column } from '../../src/clickhouse/column';
import type { ArrayColumn } from '../../src/clickhouse/column-nested';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import { codecsOf } from '../../src/clickhouse/wire-definition';
import { compileAvro } from '../../src/debezium/avro-record';
import { createRecordOpener } from '../../src/debezium/open-record';
import { compileTranscoder, TRANSCODED, type TranscodedRows, type Transcoder } from '../../src/debezium/transcode';
import type { ConnectorModes, RecordCursor } from '../../src/model';
import { CLAMPED } from '../harness/choices';
import { GENERATED } from './types';
import { BytesOut } from './bytes-out';
import { Random } from './random';
import { column, type Cell } from './type-oracle';
import { recordMaker, type MadeRecord, type RecordMaker, type Wire } from './records';

const sources = [column('id', 'int4', { notNull: true }), ...GENERATED.map((one) => one.column)];

function layoutOf(): MirrorLayout {
  const source = { schema: 'public', name: 't', identity: 'full' as const, columns: sources, key: ['id'] };
  const layout = mirrorLayout(source, CLAMPED);
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

const layout = layoutOf();

/** What comes out of a record: its image, and its row in the columns of the mirror. */
interface Reader {
  readonly rows: TranscodedRows;
  /** The image as `changes` would have it; what went wrong if there is none. */
  read(record: Uint8Array): string | { readonly problem: string };
}

function readerOf(avro: string | null, modes: ConnectorModes): Reader {
  const schema = avro === null ? null : compileAvro(avro);
  const opener = createRecordOpener({ find: () => schema ?? 'unknown' });
  const rows: TranscodedRows = {
    columns: layout.columns.map(({ type }) => createColumn(type)),
    nulls: createColumn('Array(LowCardinality(String))') as ArrayColumn,
  };
  const known = new Map<unknown, Transcoder>();
  const transcoderFor = (fields: Parameters<typeof codecsOf>[1]['fields']): Transcoder => {
    const found = known.get(fields) ?? compileTranscoder(layout, codecsOf(layout, { columns: sources, modes, fields }));
    known.set(fields, found);
    return found;
  };
  return {
    rows,
    read(record) {
      const cursor: RecordCursor = {
        next: () => false,
        bytes: record,
        offset: 0,
        timestampMs: 0,
        keyStart: -1,
        keyEnd: -1,
        valueStart: 0,
        valueEnd: record.length,
        headersStart: 0,
        headersEnd: 0,
      };
      const kind = opener.open(cursor);
      if (kind !== 'change') return { problem: `the record is ${kind}: ${opener.envelope.error}` };
      const { afterStart, afterEnd } = opener.envelope;
      const transcoder = transcoderFor(opener.schema?.fields ?? null);
      const outcome = transcoder.append(opener.bytes, afterStart, afterEnd, rows);
      if (outcome !== TRANSCODED) return { problem: `outcome ${outcome} of ${transcoder.failedColumn}` };
      return Buffer.from(opener.bytes.buffer, opener.bytes.byteOffset + afterStart, afterEnd - afterStart).toString();
    },
  };
}

function bytesOf(held: Column): Buffer {
  const sink = new ByteSink();
  held.encode(sink);
  return Buffer.concat(sink.take());
}

/** The names of columns whose NULL the mirror has in `_nulls`. */
class ExpectedNulls {
  private readonly ends = new BytesOut();
  private readonly names = new BytesOut();

  add(cells: readonly Cell[], { columns }: RecordMaker): void {
    cells.forEach(({ data }, n) => {
      if (data !== null || columns[n]?.namesNulls !== true) return;
      this.ends.count++;
      this.names.text(GENERATED[n]?.column.name ?? '');
    });
    this.ends.wide(BigInt(this.ends.count), 8);
  }

  bytes(): Buffer {
    return Buffer.concat([this.ends.bytes, this.names.bytes]);
  }
}

/** The first column whose bytes are not those that were made; null where all are. */
function differing(maker: RecordMaker, nulls: ExpectedNulls, { columns, nulls: held }: TranscodedRows): number | null {
  const found = maker.columns.findIndex((one, n) => !one.bytes().equals(bytesOf(columns[n + 1] as Column)));
  if (found >= 0) return found;
  return nulls.bytes().equals(bytesOf(held)) ? null : maker.columns.length;
}

/** Rows of one block. */
export const BLOCK = 500;

/** Makes a block of the seed and reads it; says in words what is not as it was made, or null. */
export function checkBlock(wire: Wire, modes: ConnectorModes, seed: number, count: number): string | null {
  const random = new Random(seed);
  const { maker, reader } = opened(wire, modes);
  for (const one of [...maker.columns, ...reader.rows.columns, reader.rows.nulls]) one.clear();
  const nulls = new ExpectedNulls();
  for (let id = 0; id < count; id++) {
    const made = maker.next(random, id);
    nulls.add(made.cells, maker);
    const problem = problemOf(reader.read(made.bytes), made);
    if (problem !== null) return `${problem}\n${made.image}`;
  }
  const column = differing(maker, nulls, reader.rows);
  if (column === null) return null;
  return (
    rowThatDiffers(wire, modes, seed, count) ?? `column ${column} of the block differs, but none of its rows alone`
  );
}

function problemOf(image: ReturnType<Reader['read']>, made: MadeRecord): string | null {
  if (typeof image !== 'string') return image.problem;
  return image === made.image ? null : `the image is\n${image}\nand not`;
}

const known = new Map<string, { readonly maker: RecordMaker; readonly reader: Reader }>();

function opened(wire: Wire, modes: ConnectorModes): { readonly maker: RecordMaker; readonly reader: Reader } {
  const key = wire + JSON.stringify(modes);
  const maker = recordMaker(wire, modes);
  const found = known.get(key) ?? { maker, reader: readerOf(maker.avro, modes) };
  known.set(key, found);
  return found;
}

/** The block once more, row by row: which value it is. */
function rowThatDiffers(wire: Wire, modes: ConnectorModes, seed: number, count: number): string | null {
  const random = new Random(seed);
  const { maker, reader } = opened(wire, modes);
  for (let id = 0; id < count; id++) {
    for (const one of [...maker.columns, ...reader.rows.columns, reader.rows.nulls]) one.clear();
    const nulls = new ExpectedNulls();
    const made = maker.next(random, id);
    nulls.add(made.cells, maker);
    reader.read(made.bytes);
    const n = differing(maker, nulls, reader.rows);
    if (n === null) continue;
    const { name = '_nulls' } = GENERATED[n]?.column ?? {};
    const bytes = bytesOf(reader.rows.columns[n + 1] ?? reader.rows.nulls).toString('hex');
    const wanted = (maker.columns[n]?.bytes() ?? nulls.bytes()).toString('hex');
    return `row ${id}, ${name}, should be ${made.cells[n]?.expected()}: ${bytes}, not ${wanted}\n${made.image}`;
  }
  return null;
}
