/**
 * Every way this service fails, as one closed set of codes. Each code is explained in docs/errors.md.
 * An error says what happened, where, what it means for the data, and what to do. It never holds row values or secrets.
 */

/** What each code means for the process: `config` exits 2, `stop` exits with its own code, `bad-record` goes to quarantine, `retry` waits and tries again. */
export const ERROR_CODES = {
  CONFIG_INVALID: 'config',
  CONFIG_FILE_UNREADABLE: 'config',
  MASK_SECRET_CHANGED: 'config',
  CLICKHOUSE_UNREACHABLE: 'retry',
  CLICKHOUSE_REFUSED_LOGIN: 'config',
  CLICKHOUSE_QUERY_FAILED: 'retry',
  CLICKHOUSE_NOT_ATOMIC: 'config',
  KAFKA_UNREACHABLE: 'retry',
  KAFKA_REQUEST_FAILED: 'retry',
  KAFKA_REFUSED_LOGIN: 'config',
  POSTGRES_UNREACHABLE: 'retry',
  POSTGRES_REFUSED_LOGIN: 'config',
  POSTGRES_QUERY_FAILED: 'retry',
  CONNECT_UNREACHABLE: 'retry',
  CONNECT_REFUSED_LOGIN: 'config',
  REGISTRY_UNREACHABLE: 'retry',
  REGISTRY_REFUSED_LOGIN: 'config',
  CONNECTOR_FAILED: 'stop',
  GUARD_REFUSED: 'retry',
  FENCED: 'retry',
  CHANGES_EXPIRED: 'stop',
  TOPIC_RECREATED: 'stop',
  TARGET_OWNED_BY_OTHER_GROUP: 'stop',
  REGISTRY_NOT_SET: 'stop',
  ENVELOPE_MALFORMED: 'bad-record',
  ENVELOPE_NUMBER_TOO_LARGE: 'bad-record',
  ENVELOPE_UNKNOWN_OP: 'bad-record',
  ENVELOPE_FLATTENED: 'bad-record',
  KEY_MALFORMED: 'bad-record',
  SCHEMA_UNKNOWN: 'bad-record',
  SCHEMA_UNREADABLE: 'bad-record',
  VALUE_UNREADABLE: 'bad-record',
  VALUE_UNRESOLVED: 'bad-record',
  VALUE_REJECTED: 'bad-record',
  TABLE_WITHOUT_KEY: 'table',
  TABLE_UNKNOWN: 'table',
  TABLE_NOT_STREAMED: 'table',
  TABLE_NAME_TAKEN: 'table',
  TABLE_COLUMN_RESERVED: 'table',
  TABLE_RULE_WRONG: 'table',
  TABLE_KEY_MASKED: 'table',
  TABLE_KEY_MASK_CHANGED: 'table',
  VERIFY_TIMED_OUT: 'stop',
  REQUEST_FAILED: 'stop',
  STACK_FAILED: 'stop',
  INTERNAL: 'stop',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Codes that send one record to quarantine. */
export type BadRecordCode = { [C in ErrorCode]: (typeof ERROR_CODES)[C] extends 'bad-record' ? C : never }[ErrorCode];

/** Codes that keep one table out of the mirrors while it is audited. */
export type TableCode = { [C in ErrorCode]: (typeof ERROR_CODES)[C] extends 'table' ? C : never }[ErrorCode];

/** Where an error happened; only what applies is set. */
export interface ErrorPlace {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly table?: string;
  readonly column?: string;
}

/** An error a person can act on: `message` says what happened and what it means, `hint` what to do. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly place: ErrorPlace;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { place?: ErrorPlace; hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ServiceError';
    this.code = code;
    this.place = options.place ?? {};
    this.hint = options.hint;
  }
}
