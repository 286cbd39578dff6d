/** Explains what becomes of one record, step by step, with the very code that delivers it. Values only where asked for. */
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import { codecsOf } from '../clickhouse/wire-definition';
import type { ImageMask } from '../debezium/image-mask';
import { compileTranscoder, TRANSCODED, UNKNOWN_FIELD } from '../debezium/transcode';
import type { KnownSchemas } from '../debezium/open-record';
import type { SchemaRef } from '../debezium/schema-header';
import { withheldColumns, type PlaceholderForms } from '../debezium/withheld';
import { describeBad } from '../delivery/bad-record';
import { keptChunk, type KeptRecord } from '../delivery/kept-records';
import { OP, tableName, type ConnectorModes, type SourceTable, type TopicPartition } from '../model';
import { createGatherer, maskImages, type Filter } from '../pipeline';
import type { ChangeBlock } from '../plan/change-block';
import { MirrorRows } from '../plan/mirror-rows';

/** A step of the explanation: its name, and what there is to say. */
export interface Step {
  readonly step: 'bytes' | 'envelope' | 'types' | 'mode' | 'rows';
  readonly lines: readonly string[];
}

export interface Opened {
  readonly steps: readonly Step[];
  /** The change with its table; null where the record is none. */
  readonly change: ChangeBlock | null;
  /** The schema of the registry that the record cannot be opened without. */
  readonly needed: SchemaRef | null;
}

const OP_WORDS: Readonly<Record<string, string>> = {
  c: 'create',
  u: 'update',
  d: 'delete',
  r: 'snapshot read',
  t: 'truncate',
};

/** Steps 1 and 2: the bytes, and what the envelope says. */
export function explainEnvelope(
  of: TopicPartition,
  record: KeptRecord,
  options: {
    readonly filter: Filter;
    readonly schemas: KnownSchemas;
    readonly values: 'hidden' | 'shown';
    readonly placeholder: PlaceholderForms;
    /** What is to be masked beyond what the filter masks; null for nothing. */
    readonly late: ImageMask | null;
  },
): Opened {
  const gatherer = createGatherer({
    limits: { rows: 1, bytes: Number.MAX_SAFE_INTEGER },
    filter: options.filter,
    schemas: options.schemas,
    from: record.offset,
    redoEnd: null,
  });
  const needed = gatherer.feed(keptChunk(of, [record]));
  const block = gatherer.takeFull() ?? gatherer.takeOpen();
  if (block !== null && options.late !== null) maskImages(block, 0, options.late);
  const bytes = explainBytes(record);
  const without = (...lines: string[]): Opened => ({
    steps: [bytes, { step: 'envelope', lines }],
    change: null,
    needed,
  });
  if (needed !== null) return without(`It needs schema ${needed.id} of the registry, which is not at hand.`);
  const [skipped] = gatherer.takeSkipped().keys();
  if (skipped !== undefined) return without(SKIPPED[skipped] ?? `It is skipped: ${skipped}.`);
  const bad = block?.bad[0];
  if (bad !== undefined) {
    const kept = bad.hidden === undefined ? 'with its bytes' : 'with its address, its sizes and a hash';
    return without(`It cannot be opened: ${bad.code}.`, describeBad(bad), `It goes to quarantine ${kept}.`);
  }
  if (block === null || block.rowCount === 0) return without('It holds nothing that is written.');
  return { ...without(...envelopeLines(block, options)), change: block };
}

const SKIPPED: Readonly<Record<string, string>> = {
  tombstone: 'It is a tombstone: a key without a value, which follows a delete for compaction. It is skipped.',
  heartbeat: 'It is a heartbeat of the connector. It is skipped.',
  transaction: 'It is the beginning or the end of a transaction. It is skipped; the rows carry their transaction.',
  message: 'It is a logical message. It is skipped.',
  signal: "It is a row of the connector's signal table. It is counted, neither audited nor mirrored.",
  filtered: 'It is a change that OPS, TABLES_INCLUDE or TABLES_EXCLUDE leave out. It is skipped.',
};

function explainBytes({ key, value, headers, timestampMs }: KeptRecord): Step {
  const size = (bytes: Uint8Array | null): string => (bytes === null ? 'null' : `${bytes.length} bytes`);
  return {
    step: 'bytes',
    lines: [
      `key ${size(key)}, value ${size(value)}, headers ${headers.length} bytes`,
      `Kafka's timestamp ${new Date(timestampMs).toISOString()}`,
      `wire: ${wireOf(value)}`,
    ],
  };
}

function wireOf(value: Uint8Array | null): string {
  if (value === null) return 'no value';
  if (value[0] === 0 && value.length > 5)
    return `Avro, Confluent framing, schema id ${Buffer.from(value).readUInt32BE(1)}`;
  const text = Buffer.from(value.subarray(0, 200)).toString('latin1').trimStart();
  if (!text.startsWith('{')) return 'neither JSON nor a known framing';
  return text.startsWith('{"schema"') ? 'JSON with schema' : 'plain JSON';
}

function envelopeLines(
  block: ChangeBlock,
  { values, placeholder }: { readonly values: 'hidden' | 'shown'; readonly placeholder: PlaceholderForms },
): string[] {
  const op = String.fromCharCode(block.ops[0] ?? 0);
  const source = block.tables[0] ?? { source: '', db: '', schema: '', name: '' };
  const size = (images: ChangeBlock['after']): string => {
    const length = images.end(0) - images.start(0);
    return length > 0 ? `${length} bytes` : 'none';
  };
  const lsn = (value: number): string => (value < 0 ? 'none' : String(value));
  const shown = (name: string, images: ChangeBlock['after']): string[] =>
    values === 'shown' && images.end(0) > images.start(0) ? [`${name}: ${images.textAt(0)}`] : [];
  const withheld = withheldColumns(block.after.bytes, block.after.start(0), block.after.end(0), placeholder);
  return [
    `op ${op} (${OP_WORDS[op] ?? 'unknown'}) of ${tableName(source)} in ${source.db}, by the connector ${source.source}`,
    `LSN ${lsn(block.lsn(0))}, commit before it ${lsn(block.commitLsn(0))}, transaction ${lsn(block.txIds[0] ?? -1)}, snapshot ${block.snapshotAt(0)}`,
    `committed ${moment(block.tsUs[0] ?? 0)}, read by Debezium ${moment(block.capturedUs[0] ?? 0)}`,
    `key ${size(block.key)}, before ${size(block.before)}, after ${size(block.after)}`,
    ...(withheld.length === 0 ? [] : [`withheld (TOAST that did not change): ${withheld.join(', ')}`]),
    ...shown('key', block.key),
    ...shown('before', block.before),
    ...shown('after', block.after),
  ];
}

function moment(us: number): string {
  return new Date(us / 1_000).toISOString();
}

/** What the types make of a change: the key's row for the mirror is in `images` where it could be read. */
export interface Typed {
  readonly step: Step;
  readonly images: MirrorRows | null;
}

/** Step 3: how each value is read. `layout` null: the table cannot be mirrored, for the reason given. */
export function explainTypes(
  block: ChangeBlock,
  source: SourceTable,
  layout: MirrorLayout,
  { placeholder, modes }: { placeholder: PlaceholderForms; modes: ConnectorModes },
): Typed {
  const op = block.ops[0];
  const lines = source.columns.map(({ name, type }) => {
    const column = layout.columns.find((one) => one.name === name);
    const inKey = source.key.includes(name) ? ', in the key' : '';
    const became = column === undefined ? 'not mirrored' : `${column.type}${column.hashed ? ' (a hash)' : ''}`;
    return `${name}: ${type} → ${became}${inKey}`;
  });
  if (op === OP.t) return { step: { step: 'types', lines }, images: null };
  const fields = block.wireSchemaAt(0)?.fields ?? null;
  const transcoder = compileTranscoder(layout, codecsOf(layout, { columns: source.columns, modes, fields }));
  const rows = new MirrorRows(layout);
  const deleted = op === OP.d;
  const image = deleted ? (block.has(block.before, 0) ? block.before : block.key) : block.after;
  const [start, end] = [image.start(0), image.end(0)];
  const withheld = new Set(withheldColumns(image.bytes, start, end, placeholder));
  const outcome = deleted
    ? transcoder.appendKey(image.bytes, start, end, rows)
    : transcoder.append(image.bytes, start, end, rows, withheld);
  if (outcome === TRANSCODED) {
    lines.push(deleted ? 'The key can be read.' : 'Every value can be read.');
    return { step: { step: 'types', lines }, images: rows };
  }
  lines.push(
    outcome === UNKNOWN_FIELD
      ? `The image has the field ${transcoder.failedColumn}, which the table has not (any more): it is read over, or added when PostgreSQL knows it.`
      : `The value of ${transcoder.failedColumn} has a form that its column cannot take: VALUE_UNREADABLE.`,
  );
  const keyRows = new MirrorRows(layout);
  const keyed = transcoder.appendKey(image.bytes, start, end, keyRows) === TRANSCODED;
  return { step: { step: 'types', lines }, images: keyed ? keyRows : null };
}

/** Step 4: how the mirror is written, and why so. */
export function explainMode(
  block: ChangeBlock,
  facts: {
    readonly identity: SourceTable['identity'];
    readonly placeholder: PlaceholderForms;
    readonly highest: number | null;
  },
): Step {
  const { identity, placeholder, highest } = facts;
  const op = block.ops[0];
  const offset = block.offsets[0] ?? 0;
  const seen = highest !== null && offset <= highest;
  const lines = seen
    ? [
        `changes reaches offset ${highest}: read again, it is reconciled: the newest event of its key in changes is the truth.`,
      ]
    : ['changes does not reach it yet: it is fresh.'];
  lines.push(`${seen ? 'When it was fresh: ' : ''}${freshMode(block, op ?? 0, identity, placeholder)}`);
  lines.push('A block is written in one way for each table, so one row that must merge makes the whole block merge.');
  return { step: 'mode', lines };
}

function freshMode(block: ChangeBlock, op: number, identity: string, placeholder: PlaceholderForms): string {
  if (op === OP.t) return 'a truncate is a block of its own and removes the rows below it.';
  if (op === OP.r) return 'append while changes holds only rows of the same snapshot, else merge.';
  if (withheldColumns(block.after.bytes, block.after.start(0), block.after.end(0), placeholder).length > 0)
    return 'merge, because a value is withheld and must be taken from the row that stands.';
  if (op === OP.c) return 'append, because a create meets no row.';
  if (identity !== 'full')
    return `merge, because with REPLICA IDENTITY ${identity.toUpperCase()} the row before is not whole.`;
  return block.has(block.before, 0)
    ? 'append, because REPLICA IDENTITY FULL sends the whole row before.'
    : 'merge, because the row before is missing.';
}
