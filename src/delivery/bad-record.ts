/** What the quarantine says of a record, in words, without values of the row. */
import type { BadRecordCode } from '../errors';
import type { BadRecord } from '../plan/change-block';

const WORDS: Record<BadRecordCode, string> = {
  ENVELOPE_MALFORMED: 'The value is not a well-formed Debezium envelope.',
  ENVELOPE_NUMBER_TOO_LARGE: 'An LSN, a transaction id or a time of the envelope is beyond 2^53.',
  ENVELOPE_UNKNOWN_OP: 'The envelope has an op that is none of c, u, d, r, t, m.',
  ENVELOPE_FLATTENED:
    'The value is a row without envelope, as the transform ExtractNewRecordState writes it: remove it from transforms.',
  KEY_MALFORMED: 'The key is not what its schema says.',
  SCHEMA_UNKNOWN: 'The registry does not have the schema that the record was written with.',
  SCHEMA_UNREADABLE:
    'The schema that the record was written with is not one of Avro that Kafka Connect writes, or its number may mean two.',
  VALUE_UNREADABLE:
    'The change is in changes, but not in the mirror: a value has a form that its column does not have.',
  VALUE_REJECTED: 'The change is in changes, but not in the mirror: a value does not fit the type of its column.',
  VALUE_UNRESOLVED: 'The change is in changes, but not in the mirror: a withheld (TOAST) value is nowhere to be found.',
};

export function describeBad({ code, table, column, note = '', hidden }: BadRecord): string {
  const where = [table === '' ? '' : `table ${table}`, column === '' ? '' : `column ${column}`, note]
    .filter((part) => part !== '')
    .join(', ');
  const what = where === '' ? WORDS[code] : `${WORDS[code]} (${where})`;
  return hidden === undefined ? what : `${what} Its bytes are not kept, since they may hold masked columns.`;
}
