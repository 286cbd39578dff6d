/** Everything that happens and is worth telling, as one closed union; nothing logs or counts by itself, it emits one of these. */
import type { PolicyUse } from './column-rules';
import type { ErrorCode, ErrorPlace, TableCode } from './errors';
import type { OpName, TopicPartition } from './model';

/** The parts outside that the service waits for. */
export type Outside = 'ClickHouse' | 'Kafka' | 'Kafka Connect' | 'PostgreSQL' | 'registry';

/** How the start of a partition was found; the rows of DESIGN, "On assignment". */
export type StartHow =
  | 'first start'
  | 'idle'
  | 'announced'
  | 'replaced target'
  | 'foreign commit'
  | 'expired, reconciled'
  | 'accepted loss'
  | 'replay';

export type BlockMode = 'append' | 'merge' | 'reconcile' | 'truncate' | 'held';

/** What a block was about, for figures; no value of a row. */
export interface BlockFacts {
  /** Of keys and images. */
  readonly bytes: number;
  /** ms from the first record taken until the block was cut, and until its inserts had begun and ended. */
  readonly waitedMs: number;
  readonly insertMs: number;
  /** Changes by table and operation; empty for a block that was written or read before. */
  readonly ops: Readonly<Record<string, Readonly<Partial<Record<OpName, number>>>>>;
  /** The newest commit time, ms since the epoch; -1 where none is known. */
  readonly newestMs: number;
  /** The highest LSN of the block; -1 where none is known. */
  readonly lsn: number;
  /** Streamed changes by the time from commit until they could be read, in the buckets of LATENCY_BOUNDS_MS. */
  readonly latency: readonly number[];
}

export type ServiceEvent =
  | {
      readonly tag: 'service-started';
      readonly groupId: string;
      readonly topicPrefix: string;
      readonly database: string;
    }
  /** How the connector writes is another than before, or than the setting says: `option=value` of each that differs. */
  | { readonly tag: 'connector-modes-differ'; readonly from: 'before' | 'setting'; readonly options: readonly string[] }
  | { readonly tag: 'topics-changed'; readonly added: readonly string[]; readonly gone: readonly string[] }
  /** A generation of the group began: these partitions are this process's, and no others. */
  | { readonly tag: 'group-joined'; readonly partitions: readonly TopicPartition[] }
  /** Everything below the offset is written and committed; at most once a second while a partition is idle. */
  | ({ readonly tag: 'position-acknowledged'; readonly offset: number } & TopicPartition)
  | { readonly tag: 'catalogue-read'; readonly table: string; readonly ms: number }
  /** The registry was asked for a schema that was not known yet. */
  | { readonly tag: 'schema-read'; readonly id: number; readonly found: 'yes' | 'no'; readonly ms: number }
  | { readonly tag: 'page-served'; readonly address: string }
  | { readonly tag: 'page-unavailable'; readonly address: string; readonly reason: string }
  | ({ readonly tag: 'partition-assigned'; readonly start: number; readonly how: StartHow } & TopicPartition)
  | ({
      readonly tag: 'block-written';
      /** [start, end), in offsets. */
      readonly start: number;
      readonly end: number;
      /** Rows inserted into `changes`. */
      readonly rows: number;
      /** How each mirror of the block was written. */
      readonly modes: Readonly<Record<string, BlockMode>>;
      readonly ms: number;
      readonly facts: BlockFacts;
    } & TopicPartition)
  | ({ readonly tag: 'record-quarantined'; readonly code: ErrorCode; readonly offset: number } & TopicPartition)
  /** Records of quarantine that are dealt with. */
  | ({ readonly tag: 'quarantine-resolved'; readonly records: number } & TopicPartition)
  /** Topics that hold by order, all of them; `*` is every topic. */
  | { readonly tag: 'topics-paused'; readonly topics: readonly string[] }
  /** The events of a key were erased on request. */
  | ({ readonly tag: 'key-forgotten'; readonly table: string; readonly events: number } & TopicPartition)
  | ({ readonly tag: 'records-skipped'; readonly kinds: Readonly<Record<string, number>> } & TopicPartition)
  | { readonly tag: 'table-mirrored'; readonly table: string; readonly view: string }
  | ({
      readonly tag: 'truncate-by-rebuild';
      readonly offset: number;
      readonly table: string;
      /** Partitions of the topic. */
      readonly partitions: number;
    } & TopicPartition)
  | ({ readonly tag: 'loss-accepted'; readonly start: number; readonly end: number } & TopicPartition)
  | { readonly tag: 'rows-lost-in-rebuild'; readonly table: string; readonly lost: number }
  /** `rows` null: all that were there before the column. */
  | { readonly tag: 'values-unknown'; readonly table: string; readonly column: string; readonly rows: number | null }
  /** Values that did not fit were treated by the policy of their column. `loud`: it was not told of for a while. */
  | ({ readonly tag: 'policy-acted'; readonly loud: boolean } & PolicyUse)
  /** A value did not fit, and its policy is `lossless`. */
  | { readonly tag: 'column-widened'; readonly table: string; readonly column: string }
  /** `changes` holds rows of before the rules of these columns' masks. */
  | { readonly tag: 'masks-changed'; readonly table: string; readonly columns: readonly string[] }
  /** A rule names columns that the table does not have. */
  | { readonly tag: 'columns-not-found'; readonly table: string; readonly columns: readonly string[] }
  /** `from`: the name it had. Rows of then are in its mirror only once they have changed, or been read again. */
  | { readonly tag: 'table-renamed'; readonly table: string; readonly from: string }
  | { readonly tag: 'table-not-mirrored'; readonly table: string; readonly code: TableCode; readonly reason: string }
  | Waiting
  | { readonly tag: 'back-again'; readonly outside: Outside; readonly afterMs: number }
  | ({
      readonly tag: 'redo';
      readonly start: number;
      readonly end: number;
      readonly reason: ErrorCode;
    } & TopicPartition)
  | ({
      readonly tag: 'written-again';
      readonly start: number;
      readonly end: number;
      readonly rows: number;
    } & TopicPartition)
  | { readonly tag: 'stopping'; readonly reason: string; readonly deadlineMs: number }
  | { readonly tag: 'stopped'; readonly exitCode: number }
  | {
      readonly tag: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string;
      readonly place: ErrorPlace;
    };

/** Something outside is away; the next attempt comes after `delayMs`. */
export interface Waiting {
  readonly tag: 'clickhouse-waiting' | 'kafka-waiting' | 'connect-waiting' | 'postgres-waiting' | 'registry-waiting';
  readonly attempt: number;
  readonly delayMs: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What receives events: it must not throw and must not wait. */
export type Emit = (event: ServiceEvent) => void;
