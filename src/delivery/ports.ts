/** What the delivery needs from the edges, and the tables it writes to. Implemented in `app.ts` from kafka/, clickhouse/ and postgres/. */
import type { ShownBy } from '../clickhouse/schema-changes';
import type { Glance } from '../clickhouse/target';
import type { GuardedInsert, Guard, TargetTable } from '../clickhouse/insert';
import type { LookUps } from '../clickhouse/look-ups';
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import type { Transcoder } from '../debezium/transcode';
import type { PlaceholderForms } from '../debezium/withheld';
import type { Emit } from '../events';
import type { EarlierImages } from './table-past';
import type { Log } from '../kafka/log';
import type { LateMask } from '../masking';
import type { TopicPartition, WireSchema } from '../model';
import type { WideId } from '../plan/audit-rows';
import type { BlockTable } from '../plan/change-block';
import type { PartitionMarks } from '../plan/marks';
import type { MirrorRows } from '../plan/mirror-rows';
import type { Holder, Taken } from './group-leases';
import type { ImageReaders } from './image-readers';
import type { RebuildMarks } from './rebuild-marks';
import type { Schemas } from './schemas';

/** A source table whose mirror stands in ClickHouse. */
export interface MirroredTable {
  /** `schema.table` of the source. */
  readonly name: string;
  readonly layout: MirrorLayout;
  /** For images in `changes`, by their wire schema. */
  readonly readers: ImageReaders;
  readonly target: TargetTable;
  /** `before` is the whole row (REPLICA IDENTITY FULL by the catalogue), and stands in the mirror. */
  readonly wholeBefore: boolean;
  /** Reads images of earlier versions of the table; null while only one is known. */
  readonly earlier: EarlierImages | null;
}

/** A source table as the delivery sees it: always audited, mirrored where it can be. */
export interface OpenTable {
  readonly mirrored: MirroredTable | null;
  /** What is to be masked in its images beyond what the rules name. */
  readonly late?: LateMask | null;
  /**
   * How rows with this schema are written; null for plain JSON, which has none. It is kept in `wire_schemas`, and the views
   * know it, before this resolves, so that no row refers to what is not there.
   */
  wire(schema: WireSchema | null): Promise<RowWire>;
}

/** How some rows of a table are written. */
export interface RowWire {
  /** Their `changes.wire_schema`. */
  readonly id: WideId;
  /** For their images; null where the table is not mirrored. */
  readonly transcoder: Transcoder | null;
}

/** Gets a table for this process alone while its mirror is made as `shadow`. */
export type TakeTable = (shadow: TargetTable) => Promise<Taken>;

/** What a block asks of a table. */
export interface TableNeed {
  /** The highest LSN of its events, -1 for none: the columns must be known as they were then. */
  readonly upTo: number;
  /** When Debezium sent the last of its rows of an incremental snapshot, microseconds; -1, or absent, for none. */
  readonly sentUs?: number;
  /** The first of its records; null where no record asks. */
  readonly shownBy: ShownBy | null;
}

/** The mirror cannot hold what the source has now; it must be made anew from `changes` before the block can be written. */
export class MirrorOutdated extends Error {
  readonly table: BlockTable;

  constructor(table: BlockTable) {
    super(`The mirror of ${table.schema}.${table.name} must be made anew.`);
    this.table = table;
  }
}

export interface Tables {
  /** Resolves when none of the tables is being rebuilt; their mirrors stay until the returned function is called. */
  lease(tables: readonly BlockTable[]): Promise<() => void>;
  /** Runs `action` while no block of this process uses the table (`schema.table`); blocks that come meanwhile wait. */
  alone<T>(name: string, action: () => Promise<T>): Promise<T>;
  /**
   * Makes the mirror anew from `changes`, between blocks; readers see the old one until it is done. `take` is called when
   * there is a table to fill, and returns when no other process writes to the mirror. False if the table is not
   * mirrored. Throws what `take` throws, and FENCED where somebody wrote after all; the old mirror stays then.
   */
  rebuild(table: BlockTable, take: TakeTable): Promise<boolean>;
  /**
   * The table with its mirror, made on first sight; waits while PostgreSQL or ClickHouse is away.
   * A table that cannot be mirrored is reported once and opened without a mirror. Throws `MirrorOutdated` where the source
   * was altered so that the mirror must be made anew, by `rebuild`.
   * @param need what the table is opened for: the catalogue is looked at again for events that no look covers yet
   */
  open(table: BlockTable, need: TableNeed): Promise<OpenTable>;
  /** The table as `open` would give it, if it is open and nothing has to be read anew or made for it; else null. */
  standing(table: BlockTable, need: TableNeed): Promise<OpenTable | null>;
  /**
   * Reads the catalogue again before the next `open`: an image had a field that the layout does not know. A field that
   * the catalogue does not know either belongs to a column that was dropped; it is ignored from then on.
   */
  refresh(table: BlockTable, field: string): void;
  /** An event names its row by a key of these columns, which no look at the catalogue has seen: `open` knows of it from now on. */
  learnKey(table: BlockTable, key: readonly string[]): Promise<void>;
  /** A value does not fit the column, and its policy is `lossless`: the next \`open\` has it as text, once its mirror is made anew. */
  widen(table: BlockTable, column: string): Promise<void>;
  /** Reads catalogue and mirror again before the next `open`: the mirror has other columns, another process altered it. */
  reopen(table: BlockTable): void;
  /** Makes the mirrors again that are not among the tables that stand, by name: no insert would say so while nothing changes. */
  refill(standing: ReadonlyMap<string, TargetTable>): Promise<void>;
  /** Looks at ClickHouse again before the next `open`: an insert was refused. */
  recheck(): void;
}

/** What mending single rows of mirrors needs. `deadlineMs`: by ClickHouse's clock; nothing is removed after it. */
export interface Repairs {
  /** See `repair-notice.ts`. */
  announced<T>(places: readonly TopicPartition[], signal: AbortSignal, repair: () => Promise<T>): Promise<T>;
  /** The sum of the signs of each key that has rows, by `MirrorRows.keyOf`. */
  signsOf(table: MirroredTable, images: MirrorRows, rows: readonly number[]): Promise<Map<string, number>>;
  removeKeys(table: MirroredTable, images: MirrorRows, rows: readonly number[], deadlineMs: number): Promise<void>;
  /** `strays`: see `RepairRequest`. */
  removeStrays(table: MirroredTable, strays: string, deadlineMs: number): Promise<void>;
}

/** Everything a partition's delivery uses. */
export interface DeliveryPorts {
  readonly log: Log;
  readonly lookUps: LookUps;
  /** Avro's schemas; asked for when a record needs one. */
  readonly schemas: Schemas;
  /** Keys of a partition that need care. */
  readonly marks: (of: TopicPartition) => Promise<PartitionMarks>;
  readonly tables: Tables;
  /** See `group-leases.ts`. */
  takeTable(
    of: { readonly table: string; readonly shadow: string; readonly places: readonly TopicPartition[] },
    signal: AbortSignal,
  ): Promise<Taken>;
  /** Holds still for what other processes do to whole tables, until the signal aborts. */
  createHolder(until: AbortSignal): Holder;
  readonly rebuildMarks: RebuildMarks;
  readonly repairs: Repairs;
  /** At a new assignment, before anything is written: what others were doing to mirrors beside their blocks ends. */
  revoke(signal: AbortSignal): Promise<void>;
  readonly glance: () => Promise<Glance>;
  readonly forgetGlance: () => void;
  /** Makes the machinery's tables again after they were dropped. */
  readonly migrate: () => Promise<void>;
  /** Rows that stand in a mirror for the keys of `rows` of `images`. */
  currentRows(
    table: Pick<MirroredTable, 'target'>,
    images: MirrorRows,
    rows: readonly number[],
    within?: TopicPartition,
  ): Promise<MirrorRows>;
  insert(insert: GuardedInsert, guard: Guard, seconds: number): Promise<void>;
  /** Removes the mirror's rows of a topic and partition below an offset; may be repeated without harm. */
  removeBelow(table: MirroredTable, of: TopicPartition, below: number): Promise<void>;
  readonly emit: Emit;
  /** Wall clock, ms since the epoch: `ingested_at`. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The settings of the delivery. */
export interface DeliveryLimits {
  readonly blockRows: number;
  readonly blockBytes: number;
  /** A block that is not full is cut at most this often, ms. */
  readonly blockAgeMs: number;
  /** D: how long after its announce an insert may start, s. */
  readonly guardSeconds: number;
  /** The longest an insert may run, s; a redo takes twice as long. */
  readonly insertSeconds: number;
  readonly idleCommitMs: number;
  /** How long to wait until every insert of an earlier owner has landed or died, s: the largest D + longest insert ever used on this target. */
  readonly waitSeconds: number;
  /** Go on where records expired unread, instead of stopping. */
  readonly acceptLoss: boolean;
  readonly mirrors: boolean;
  readonly placeholder: PlaceholderForms;
}
