/** What `check` looks at, as facts; gathering and judging meet here. */
import type { ErrorCode } from '../errors';
import type { ReplicaIdentity } from '../model';

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
  readonly wanted: Wanted;
}

export interface PostgresFacts {
  readonly version: string;
  readonly walLevel: string;
  /** The tables that the settings include, without the signal table. */
  readonly tables: readonly TableFacts[];
}

export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly identity: ReplicaIdentity;
  readonly hasPrimaryKey: boolean;
  /** Has a primary key, or a valid unique index over columns that are NOT NULL. */
  readonly hasKey: boolean;
}

export interface KafkaFacts {
  readonly topics: readonly TopicFacts[];
}

export interface TopicFacts {
  readonly name: string;
  readonly partitions: number;
}

export interface ClickHouseFacts {
  readonly version: string;
  /** Engines of our two databases, where they exist already. */
  readonly databases: readonly { readonly name: string; readonly engine: string }[];
  /** What is in CH_DATABASE. */
  readonly objects: readonly { readonly name: string; readonly comment: string }[];
}

export interface ConnectFacts {
  /** null when there is no such connector. */
  readonly config: Readonly<Record<string, string>> | null;
  readonly running: boolean;
  /** States of connector and tasks, and the first lines of an error. */
  readonly status: string;
}

/** What the settings ask for. */
export interface Wanted {
  readonly topicPrefix: string;
  readonly unavailableValue: string;
  readonly database: string;
  readonly connectorName: string;
  readonly mirrors: boolean;
  /** `schema.table` to view name; null: not mirrored. */
  readonly routes: ReadonlyMap<string, string | null>;
}

/** `error`: the service would not start, or changes would be lost or altered. `warning`: it works, with less. */
export type Severity = 'error' | 'warning';

export interface Finding {
  readonly severity: Severity;
  /** Where: PostgreSQL, a table, the connector. */
  readonly place: string;
  readonly what: string;
  readonly why: string;
  /** A command or statement that mends it. */
  readonly mend: string;
}
