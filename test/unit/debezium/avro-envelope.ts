/** Debezium's envelope as an Avro schema, with a row of the test's choice. */
import type { Schema } from './avro-encode';

const optional = (type: Schema): Schema => ['null', type];
const field = (name: string, type: Schema): object => ({ name, type });

export const SOURCE_SCHEMA: Schema = {
  type: 'record',
  name: 'Source',
  namespace: 'io.debezium.connector.postgresql',
  fields: [
    field('version', 'string'),
    field('connector', 'string'),
    field('name', 'string'),
    field('ts_ms', 'long'),
    field('snapshot', [
      { type: 'string', 'connect.version': 1, 'connect.default': 'false', 'connect.name': 'io.debezium.data.Enum' },
      'null',
    ]),
    field('db', 'string'),
    field('sequence', optional('string')),
    field('ts_us', optional('long')),
    field('ts_ns', optional('long')),
    field('schema', 'string'),
    field('table', 'string'),
    field('txId', optional('long')),
    field('lsn', optional('long')),
    field('xmin', optional('long')),
  ],
};

/** `fields` are those of the row. */
export function envelopeSchema(fields: readonly object[], more: Readonly<Record<string, unknown>> = {}): Schema {
  const block: Schema = {
    type: 'record',
    name: 'block',
    namespace: 'event',
    fields: [field('id', 'string'), field('total_order', 'long'), field('data_collection_order', 'long')],
  };
  return {
    type: 'record',
    name: 'Envelope',
    namespace: 'shop.public.orders',
    fields: [
      field('before', optional({ type: 'record', name: 'Value', fields, 'connect.name': 'shop.public.orders.Value' })),
      field('after', optional('Value')),
      field('source', SOURCE_SCHEMA),
      field('transaction', optional(block)),
      field('op', 'string'),
      field('ts_ms', optional('long')),
      field('ts_us', optional('long')),
      field('ts_ns', optional('long')),
    ],
    'connect.version': 2,
    'connect.name': 'shop.public.orders.Envelope',
    ...more,
  };
}
