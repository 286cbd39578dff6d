/** Rows as whole records of each wire: the envelope of an insert around an image of random values. */
import type { ConnectorModes } from '../../src/model';
import { GENERATED } from './types';
import { BytesOut } from './bytes-out';
import {
  avroSchema,
  connectSchema,
  jsonOf,
  writeAvro,
  type DecimalFormat,
  type Field,
  type Shape,
} from './connect-data';
import type { Random } from './random';
import type { Cell, OracleColumn } from './type-oracle';

export const WIRES = ['json', 'json-schema', 'avro'] as const;
export type Wire = (typeof WIRES)[number];

/** The number that the schema has in the registry. */
export const SCHEMA_ID = 7;

const SOURCE = {
  version: '3.7.0.Final',
  connector: 'postgresql',
  name: 'shop',
  ts_ms: 1_795_223_719_264,
  db: 'demo',
  schema: 'public',
  table: 't',
  lsn: 5000,
} as const;

const SOURCE_SHAPE: Shape = {
  type: 'struct',
  name: 'io.debezium.connector.postgresql.Source',
  fields: Object.entries(SOURCE).map(([name, value]) => ({
    name,
    shape: { type: typeof value === 'string' ? 'string' : 'int64' },
    optional: name === 'lsn',
  })),
};

export interface RecordMaker {
  readonly columns: readonly OracleColumn[];
  /** The writer schema of Avro; null for the other wires. */
  readonly avro: string | null;
  /** Adds a value to each column and writes the record of them; the bytes are good until the next one. */
  next(random: Random, id: number): MadeRecord;
}

export interface MadeRecord {
  readonly cells: readonly Cell[];
  readonly bytes: Uint8Array;
  /** The image as it must be in `changes`. */
  readonly image: string;
}

export function recordMaker(wire: Wire, modes: ConnectorModes): RecordMaker {
  const columns = GENERATED.map((one) => one.open(modes));
  const names = GENERATED.map(({ column }) => column.name);
  const fields: Field[] = [
    { name: 'id', shape: { type: 'int32' }, optional: false },
    ...columns.map(({ shape }, n) => {
      const name = names[n] ?? '';
      return wire === 'avro' ? adjusted(name, shape) : { name, shape, optional: true };
    }),
  ];
  const row: Shape = { type: 'struct', name: 'shop.public.t.Value', fields };
  const envelope: Shape = {
    type: 'struct',
    name: 'shop.public.t.Envelope',
    fields: [
      { name: 'before', shape: row, optional: true },
      { name: 'after', shape: row, optional: true },
      { name: 'source', shape: SOURCE_SHAPE, optional: false },
      { name: 'op', shape: { type: 'string' }, optional: false },
      { name: 'ts_ms', shape: { type: 'int64' }, optional: true },
    ],
  };
  // Avro's converter knows no other form of a Decimal.
  const format: DecimalFormat = wire === 'avro' ? 'BASE64' : modes.decimalFormat;
  const head = wire === 'json-schema' ? `{"schema":${JSON.stringify(connectSchema(envelope, false))},"payload":` : '';
  const tail = `,"source":${JSON.stringify(SOURCE)},"op":"c","ts_ms":1795223719374}${head === '' ? '' : '}'}`;
  const out = new BytesOut();
  const avroTail = new BytesOut();
  for (const [value, shape] of [
    [SOURCE.version, 'string'], [SOURCE.connector, 'string'], [SOURCE.name, 'string'], [SOURCE.ts_ms, 'int64'],
    [SOURCE.db, 'string'], [SOURCE.schema, 'string'], [SOURCE.table, 'string'],
  ] as const) writeRequired({ type: shape }, value, avroTail); // prettier-ignore
  writeAvro({ type: 'int64' }, SOURCE.lsn, avroTail);
  writeRequired({ type: 'string' }, 'c', avroTail);
  writeAvro({ type: 'int64' }, 1795223719374, avroTail);

  const writeRecord = (id: number, cells: readonly Cell[], image: string): void => {
    out.clear();
    if (wire !== 'avro') {
      out.utf8(`${head}{"before":null,"after":${image}${tail}`);
      return;
    }
    out.raw(Uint8Array.of(0, 0, 0, 0, SCHEMA_ID, 0, 2));
    out.zigzag(id);
    cells.forEach(({ data }, n) => writeAvro(columns[n]?.shape as Shape, data, out));
    out.raw(avroTail.bytes);
  };

  return {
    columns,
    avro: wire === 'avro' ? JSON.stringify(avroSchema(envelope, false, new Set())) : null,
    next(random, id) {
      const cells = columns.map((column) => column.next(random));
      const members = cells.map(({ data }, n) => `"${names[n]}":${jsonOf(columns[n]?.shape as Shape, data, format)}`);
      const image = `{"id":${id},${members.join(',')}}`;
      writeRecord(id, cells, image);
      return { cells, bytes: out.bytes, image };
    },
  };
}

/** A column as the connector of our profile writes it for Avro: its name escaped, and noted as it is. */
function adjusted(name: string, shape: Shape): Field {
  const parameters = { ...shape.parameters, '__debezium.source.column.name': name };
  return { name: name.replaceAll('_', '_u005f'), shape: { ...shape, parameters }, optional: true };
}

/** What may not be null has no union around it. */
function writeRequired(shape: Shape, data: string | number, out: BytesOut): void {
  const inUnion = new BytesOut();
  writeAvro(shape, data, inUnion);
  out.raw(inUnion.bytes.subarray(1));
}

/** Images in plain JSON with what each of their values must become. */
export function sampleImages(
  modes: ConnectorModes,
  random: Random,
  count: number,
): { readonly image: string; readonly cells: readonly Cell[] }[] {
  const maker = recordMaker('json', modes);
  return Array.from({ length: count }, (_, id) => maker.next(random, id));
}
