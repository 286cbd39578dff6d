/** What `check` looks at, as facts; gathering and judging meet here. */
import type { ColumnRules, PolicyInForce } from '../column-rules';
import type { ErrorCode } from '../errors';
import type { ConnectorModes, NamedTable, RenamedTable, ReplicaIdentity } from '../model';
import type { Severity } from './kind';
import { KINDS, type FindingId } from './kinds';

/** A part that answered, with what it said; one that did not, with why; or one that no setting names. */
export type Looked<T> =
  | { readonly state: 'reached'; readonly facts: T }
  | { readonly state: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint: string }
  | { readonly state: 'not set' };

export interface CheckFacts {
  readonly postgres: Looked<PostgresFacts>;
  readonly kafka: Looked<KafkaFacts>;
  readonly clickhouse: Looked<ClickHouseFacts>;
  readonly connect: Looked<ConnectFacts>;
  readonly registry: Looked<null>;
  readonly wanted: Wanted;
}

export interface PostgresFacts {
  readonly version: string;
  /** As `server_version_num`. */
  readonly versionNumber: number;
  readonly walLevel: string;
  /** Bytes; null: no limit. */
  readonly slotKeepsBytes: number | null;
  readonly slots: readonly SlotFacts[];
  readonly maxSlots: number;
  readonly walSenders: number;
  readonly maxWalSenders: number;
  readonly role: { readonly name: string; readonly replication: boolean };
  /** null where there is none of that name. */
  readonly publication: PublicationFacts | null;
  readonly signalTableExists: boolean;
  /** The tables that the settings include, without the signal table. */
  readonly tables: readonly TableFacts[];
  /** Whatever a rule may name: all tables of the database, partitioned ones with their leaves. */
  readonly relations: readonly RelationFacts[];
}

export interface SlotFacts {
  readonly name: string;
  readonly plugin: string;
  /** Of our database. */
  readonly ours: boolean;
  readonly active: boolean;
  /** reserved, extended, unreserved or lost; '' where PostgreSQL does not say. */
  readonly walStatus: string;
  readonly heldBytes: number;
}

export interface PublicationFacts {
  /** Of insert, update, delete, truncate. */
  readonly leavesOut: readonly string[];
  readonly forAllTables: boolean;
  readonly tables: readonly {
    readonly table: string;
    readonly filtersRows: boolean;
    readonly filtersColumns: boolean;
  }[];
}

export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly identity: ReplicaIdentity;
  readonly hasPrimaryKey: boolean;
  /** Has a primary key, or a valid unique index over columns that are NOT NULL. */
  readonly hasKey: boolean;
  /** Columns whose values PostgreSQL can store apart. */
  readonly toastable: readonly string[];
  readonly unlogged: boolean;
  readonly canSelect: boolean;
  /** Without generated ones. */
  readonly columns: readonly ColumnFacts[];
}

export interface ColumnType {
  readonly name: string;
  /** As PostgreSQL writes it. */
  readonly type: string;
  readonly base: string;
  /** `pg_type.typtype` of the base. */
  readonly kind: string;
  readonly modifier: number;
  readonly array: boolean;
}

/** A column; a domain counts as its base type, an array by its elements. */
export interface ColumnFacts extends ColumnType {
  /** As declared; PostgreSQL holds nobody to it. */
  readonly dimensions: number;
  /** It may be NULL, and has a DEFAULT. */
  readonly nullableDefault: boolean;
  /** Debezium sends columns of its type. */
  readonly sent: boolean;
  /** Its statistics show a day before year 1. */
  readonly ancient: boolean;
}

/** A table as rules for columns see it. */
export interface RelationFacts {
  readonly schema: string;
  readonly name: string;
  /** `pg_class.oid`, and the transaction that made it. */
  readonly oid: number;
  readonly madeBy: number;
  /** By the settings. */
  readonly included: boolean;
  /** Its rows come under its name: not under those of its leaves, or of the partitioned table that it is a leaf of. */
  readonly streamed: boolean;
  /** Names, of generated columns too. */
  readonly columns: readonly string[];
  /** Columns by which its rows are told apart. */
  readonly key: readonly string[];
  readonly hasPrimaryKey: boolean;
  readonly policies: readonly ColumnPolicy[];
}

/** A policy that may act on values of a column. */
export interface ColumnPolicy extends PolicyInForce {
  readonly column: string;
  /** As PostgreSQL writes it. */
  readonly type: string;
}

export interface KafkaFacts {
  readonly brokers: number;
  readonly topics: readonly TopicFacts[];
  /** Partitions whose committed position is below what Kafka holds. */
  readonly expired: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly committed: number;
    readonly oldest: number;
  }[];
  /** For how long at least the connector's topic of heartbeats got no record, ms: 0 where one came within a minute, null where there is no such topic. */
  readonly silentMs: number | null;
}

export interface TopicFacts {
  readonly name: string;
  readonly partitions: number;
  /** Of the partition that has the fewest. */
  readonly replicas: number;
  readonly inSync: number;
  /** Only of topics of the connector. */
  readonly config: Readonly<Record<string, string>>;
}

export interface ClickHouseFacts {
  readonly version: string;
  readonly user: string;
  /** Engines of our two databases, where they exist already. */
  readonly databases: readonly { readonly name: string; readonly engine: string }[];
  /** What is in CH_DATABASE. */
  readonly objects: readonly { readonly name: string; readonly comment: string }[];
  /** Tables of ours whose inserts have tokens; `window` null where it is not set. */
  readonly tokened: readonly { readonly name: string; readonly replicated: boolean; readonly window: number | null }[];
  /** Rights that the user lacks, as `INSERT ON db.*`. */
  readonly lacks: readonly string[];
  readonly readonly: boolean;
  readonly disks: readonly { readonly name: string; readonly freeBytes: number; readonly totalBytes: number }[];
  /** The consumer group that is recorded as the owner of this target. */
  readonly group: string | null;
  /** Under which name each table was last found, by its oid. */
  readonly named: readonly (NamedTable & { readonly oid: number })[];
  /** Tables that had another name, and whether their rows were read again since. */
  readonly renamed: readonly (RenamedTable & { readonly readAgain: boolean })[];
}

export interface ConnectFacts {
  /** Debezium's connector for PostgreSQL in the worker; null: it has none. */
  readonly plugin: string | null;
  /** null when there is no such connector. */
  readonly config: Readonly<Record<string, string>> | null;
  readonly running: boolean;
  /** RUNNING, PAUSED, STOPPED, FAILED … */
  readonly state: string;
  /** A task gave up; a connector that is paused can hold such a one too. */
  readonly taskFailed: boolean;
  /** States of connector and tasks, and the first lines of an error. */
  readonly status: string;
}

/** What the settings ask for. */
export interface Wanted {
  readonly topicPrefix: string;
  readonly unavailableValue: string;
  readonly database: string;
  readonly connectorName: string;
  readonly slot: string;
  readonly publication: string;
  /** null: signals go by a topic. */
  readonly signalTable: string | null;
  readonly groupId: string;
  readonly brokers: string;
  readonly mirrors: boolean;
  /** `schema.table` to view name; null: not mirrored. */
  readonly routes: ReadonlyMap<string, string | null>;
  /** CONNECTOR_MODES; null where it is not set. */
  readonly modes: ConnectorModes | null;
  /** COLUMNS. */
  readonly rules: ColumnRules;
  /** What the settings leave open to others. */
  readonly warnings: readonly string[];
}

/** How a mend is carried out. */
export type Mend =
  /** In a shell; a line `export NAME=value` changes a setting. */
  | { readonly by: 'shell'; readonly run: string }
  /** Statements for the source, as the owner of the tables or a superuser. */
  | { readonly by: 'psql'; readonly run: string }
  | { readonly by: 'clickhouse'; readonly run: string }
  /** No single command does it. */
  | { readonly by: 'hand'; readonly run: string };

export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** Where: PostgreSQL, a table, the connector. */
  readonly place: string;
  readonly what: string;
  readonly why: string;
  readonly mend: Mend;
}

/** A finding with the severity and the reason of its kind, unless this case is another. */
export function finding(
  id: FindingId,
  found: {
    readonly place: string;
    readonly what: string;
    readonly mend: Mend;
    readonly severity?: Severity;
    readonly why?: string;
  },
): Finding {
  const { severity, why } = KINDS[id];
  return {
    id,
    place: found.place,
    what: found.what,
    severity: found.severity ?? severity,
    why: found.why ?? why,
    mend: found.mend,
  };
}

export const shell = (run: string): Mend => ({ by: 'shell', run });
export const psql = (run: string): Mend => ({ by: 'psql', run });
export const clickhouse = (run: string): Mend => ({ by: 'clickhouse', run });
export const byHand = (run: string): Mend => ({ by: 'hand', run });

/** For a shell, whatever is in it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** An identifier of PostgreSQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The table's name for PostgreSQL. */
export function quoted({ schema, name }: Pick<TableFacts, 'schema' | 'name'>): string {
  return `${identifier(schema)}.${identifier(name)}`;
}

/** 1.5 GiB. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${value >= 10 || power === 0 ? String(Math.round(value)) : value.toFixed(1)} ${units[power] ?? ''}`;
}
