/**
 * The words of this service, used the same everywhere.
 *
 * - **record**: one Kafka message, as bytes, with its address (topic, partition, offset).
 * - **envelope**: what Debezium wrapped in a record's value.
 * - **image**: one row, before or after, still as bytes.
 * - **change**: an envelope about a row (op c, u, d, r) or about a whole table (t).
 * - **block**: a contiguous range [start, end) of one partition's offsets, written as one unit.
 * - **audit table**: `changes`, every change once, for ever.
 * - **mirror**: the signed copy of one source table.
 * - **withheld**: a value that Debezium did not send because PostgreSQL did not (unchanged TOAST).
 *
 * Offsets, LSNs and microseconds are JavaScript numbers: exact up to 2^53, which is 8 PiB of WAL and the year 2255.
 * Beyond that a record is refused (`ENVELOPE_NUMBER_TOO_LARGE`), never rounded.
 */

/** Where records are: partitions are numbered from 0 within a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Walks the records of a chunk in offset order without making an object per record. After `next()` has returned true
 * the fields describe the current record until the next call; `bytes` may be reused or released after the walk,
 * so copy what you keep.
 */
export interface RecordCursor {
  /** Moves to the next record; false at the end. */
  next(): boolean;
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Milliseconds since the epoch, the record's timestamp (create time by default). */
  readonly timestampMs: number;
  /** Range of the key in `bytes`; both -1 for a null key. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** Range of the value in `bytes`; both -1 for a null value (a tombstone). */
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Range of the headers (count and all) in `bytes`, undecoded. */
  readonly headersStart: number;
  readonly headersEnd: number;
}

/** What one fetch brought of one partition. */
export interface RecordChunk extends TopicPartition {
  /** The assignment it belongs to; see `kafka/consumer.ts`. */
  readonly epoch: number;
  /** The first offset that the chunk can hold, and the one after the last it covers, control records included. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** How many offsets beyond `nextOffset` Kafka held when this was fetched; 0 if absent. */
  readonly behind?: number;
  /** A fresh walk over the visible records, in offset order; only until the call that handed the chunk over returns. */
  records(): RecordCursor;
}

/** Debezium's operations that are changes; the byte on the wire. */
export const OP = { c: 0x63, u: 0x75, d: 0x64, r: 0x72, t: 0x74 } as const;
export type OpName = keyof typeof OP;

/**
 * What a record turned out to be. Everything but `change` and `bad` is skipped and counted; `signal` is a row of the
 * connector's signal table, `filtered` a change that OPS, TABLES_INCLUDE or TABLES_EXCLUDE leave out.
 */
export type RecordKind =
  'change' | 'tombstone' | 'heartbeat' | 'transaction' | 'message' | 'signal' | 'filtered' | 'bad';

/** Kafka Connect's types; FLOAT32 is `float`, FLOAT64 `double`. */
export type WireType =
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float'
  | 'double'
  | 'string'
  | 'bytes'
  | 'array'
  | 'map'
  | 'struct';

/** The parameter of a Decimal that says how it is written, where its schema does; else `ConnectorModes.decimalFormat` does. */
export const DECIMAL_FORMAT = 'decimal.format';

/** A field of a row, or what stands in an array, a map or a struct; those inside have the name ''. */
export interface WireField {
  /** The column's name as PostgreSQL has it, also where the connector adjusted it for Avro. */
  readonly name: string;
  readonly type: WireType;
  /** The name of the Connect schema: `io.debezium.time.MicroTimestamp`, `org.apache.kafka.connect.data.Decimal`; null for none. */
  readonly semantic: string | null;
  /** Such as `scale` of a Decimal, `length` of Bits, `allowed` of an Enum. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly optional: boolean;
  /** The element of an array, the value of a map. */
  readonly items?: WireField;
  /** The key of a map. */
  readonly keys?: WireField;
  /** The fields of a struct, in order. */
  readonly fields?: readonly WireField[];
}

/** The schema of a row, what `before` and `after` consist of, where the wire has one (JSON with schema, Avro). */
export interface WireSchema {
  readonly fields: readonly WireField[];
  /** Canonical JSON of `fields`: equal if and only if two schemas say the same. Defaults, documentation and versions are left out. */
  readonly fingerprint: string;
}

/** The default of Debezium's `unavailable.value.placeholder`. */
export const DEFAULT_PLACEHOLDER = '__debezium_unavailable_value';

/** The connector's options that decide how a value stands in its JSON, where the JSON does not say so itself. */
export interface ConnectorModes {
  /** `decimal.handling.mode`. */
  readonly decimal: 'precise' | 'double' | 'string';
  /** `value.converter.decimal.format`; counts with `precise` only. */
  readonly decimalFormat: 'BASE64' | 'NUMERIC';
  /** `time.precision.mode`. */
  readonly time: 'adaptive' | 'adaptive_time_microseconds' | 'connect' | 'isostring' | 'microseconds' | 'nanoseconds';
  /** `binary.handling.mode`. */
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex';
  /** `interval.handling.mode`. */
  readonly interval: 'numeric' | 'string';
  /** `hstore.handling.mode`. */
  readonly hstore: 'json' | 'map';
}

/** The modes of this project's connector profiles, and of every row of `changes` that says nothing else. */
export const PROFILE_MODES: ConnectorModes = {
  decimal: 'string',
  decimalFormat: 'BASE64',
  time: 'microseconds',
  binary: 'hex',
  interval: 'string',
  hstore: 'json',
};

/** How a source table identifies the old row in the WAL (`pg_class.relreplident`). */
export type ReplicaIdentity = 'full' | 'default' | 'index' | 'nothing';

/** What is done to a value that must not reach ClickHouse: it is left out, or a keyed hash takes its place. */
export type Mask = 'drop' | 'hash';

/** A column as the PostgreSQL catalogue has it. */
export interface SourceColumn {
  readonly name: string;
  /** `format_type(atttypid, atttypmod)`: `numeric(12,2)`, `timestamp(3) with time zone`, `text[]`. */
  readonly type: string;
  /** `pg_type.typname` of the base type (domains resolved), of the element for arrays: `int4`, `numeric`, `timestamptz`. */
  readonly base: string;
  /** `pg_type.typtype` of the resolved type: b base, e enum, c composite, r range, m multirange. */
  readonly kind: string;
  /** Type modifier of the resolved type, -1 if none. */
  readonly modifier: number;
  /** True for an array of `base`. */
  readonly array: boolean;
  readonly notNull: boolean;
  /** GENERATED … STORED or VIRTUAL, and not published: snapshots have it, the stream does not. */
  readonly generated: boolean;
  /** `pg_attribute.attnum`: what a column keeps when it is renamed. 0 where it is not known. */
  readonly attnum?: number;
  /** The transaction that made or altered the column last; 32 bits, they come round again. */
  readonly alteredBy?: number;
  /**
   * What rows that were there before the column read in it (`attmissingval`), as JSON by `array_to_json`: ADD COLUMN with a
   * constant default rewrites no row and sends no event.
   */
  readonly missing?: string;
  /** Rows that were there before the column have a value that no event tells: its default was computed for each. */
  readonly filled?: true;
  /** Images have a hash of the value, or nothing, in its place; `missing` is a hash then, or absent. */
  readonly mask?: Mask;
  /** Left out of the mirror. */
  readonly skip?: true;
}

/** A source table as the PostgreSQL catalogue has it. */
export interface SourceTable {
  readonly schema: string;
  readonly name: string;
  readonly identity: ReplicaIdentity;
  /** In attribute order, dropped ones left out. */
  readonly columns: readonly SourceColumn[];
  /** Names of the primary key's columns in key order, else of a unique index over NOT NULL columns; empty if there is none. */
  readonly key: readonly string[];
  /** `pg_index.indexrelid` of the key; another one where it was made anew. 0 where there is none. */
  readonly keyIndex?: number;
  /** `pg_class.oid`: another one under the same name is another table. 0 where it is not known. */
  readonly oid?: number;
  /** Snapshots have its rows, the stream has them under another name: of its leaves, or of the table it is a leaf of. */
  readonly notStreamed?: true;
  /** The partitioned table that it is a leaf of. */
  readonly leafOf?: PartitionedTable;
  /** The transaction that made the table, or gave a table that was known before its name; and the newest one that altered its columns or key. */
  readonly madeBy?: number;
  readonly alteredBy?: number;
  /** The one that wrote the table's own row of the catalogue last: it has its name from then or earlier. */
  readonly namedBy?: number;
}

/** A table whose rows are in others, its leaves. */
export interface PartitionedTable {
  readonly schema: string;
  readonly name: string;
  /** In attribute order. */
  readonly columns: readonly string[];
  readonly leaves: readonly { readonly schema: string; readonly name: string }[];
}

export interface TableRef {
  readonly schema: string;
  readonly name: string;
}

/** The name that a table was last found under, by its oid. */
export interface NamedTable extends TableRef {
  /** An oid alone may be another table's, in a source that was restored elsewhere. */
  readonly madeBy: number;
}

/** A table that had another name until a record came under the one it has now; where that is. */
export interface RenamedTable extends TopicPartition {
  readonly offset: number;
  readonly table: TableRef;
  readonly from: TableRef;
  readonly oid: number;
}

/** `schema.name` of a source table, the form that settings, logs and errors use. */
export function tableName(table: { readonly schema: string; readonly name: string }): string {
  return `${table.schema}.${table.name}`;
}

/** Whether a transaction id was given out after another; they come round again after 2^32. */
export function isLater(xid: number, than: number): boolean {
  return ((xid - than) | 0) > 0;
}
