/** Reads Avro records with a schema compiled once: the envelope's fields straight from the bytes, the images as JSON text. */
import type { RecordKind, WireSchema } from '../model';
import { AvroInput, DAMAGED } from './avro-input';
import { isNull, KIND, pass, planOf, render, type Plan } from './avro-plan';
import {
  columnNames,
  kindOfAvro,
  readAvroSchema,
  recordIn,
  rowSchemaOf,
  type AvroRecord,
  type AvroType,
} from './avro-schema';
import { commitLsnIn } from './avro-sequence';
import { kindByOp } from './envelope';
import { forgetEnvelope, takeNumber, type Envelope } from './envelope-found';
import { TOO_LONG, type JsonOutput } from './json-output';
import { FIELD, NOT_A_LETTER, NOT_AN_INTEGER, TOO_LARGE, type Field } from './source-fields';
import type { SchemaKind } from './wire-schema';

/** What is to be done with one field of an envelope, of its `source` or of its `transaction`. */
interface Step {
  readonly field: Field;
  /** With the union around it, for telling null, and the value alone. */
  readonly plan: Plan;
  readonly value: Plan;
  readonly inner: readonly Step[];
}

/** A writer schema, ready to read what was written with it. */
export interface CompiledSchema {
  readonly kind: SchemaKind;
  readonly plan: Plan;
  /** Of an envelope; empty for anything else. */
  readonly steps: readonly Step[];
  /** The row of an envelope. */
  readonly row: WireSchema | null;
  /** Columns whose name the connector adjusted for Avro, by that name; null where there is none. */
  readonly adjusted: ReadonlyMap<string, string> | null;
}

/** Avro's binary encoding without what frames it. */
export interface AvroBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The input and the text of the record in hand; one record at a time is read. */
const input = new AvroInput();

/** Compiles a writer schema; null for one that is no schema, or none that Kafka Connect writes. */
export function compileAvro(text: string): CompiledSchema | null {
  const type = readAvroSchema(text);
  if (type === null) return null;
  const record = recordIn(type);
  const kind = kindOf(type, record);
  const steps = kind === 'envelope' && record !== null ? envelopeSteps(record) : [];
  if (steps === null) return null;
  const row = kind === 'envelope' && record !== null ? rowSchemaOf(record) : null;
  if (kind === 'envelope' && row === null) return null;
  return { kind, plan: planOf(type), steps, row, adjusted: record === null ? null : adjustedNames(kind, record) };
}

/**
 * Reads a value into `into`, whose ranges then lie in `output`. Never throws: what cannot be read is
 * 'bad'. The kinds are those of `openEnvelope`.
 */
export function openAvro(
  { kind, plan, steps }: CompiledSchema,
  value: AvroBytes,
  into: Envelope,
  output: JsonOutput,
): RecordKind {
  forgetEnvelope(into);
  into.error = 'ENVELOPE_MALFORMED';
  input.load(value.bytes, value.start, value.end);
  try {
    if (isNull(plan, input)) return input.isAtEnd ? 'tombstone' : 'bad';
    switch (kind) {
      case 'envelope':
        for (const step of steps) takeStep(step, into, output);
        return input.isAtEnd ? kindByOp(into) : 'bad';
      case 'heartbeat':
      case 'transaction':
      case 'message':
        return kind;
      case 'row':
      case 'unknown':
        into.error = 'ENVELOPE_FLATTENED';
        return 'bad';
    }
  } catch (error) {
    if (error === DAMAGED || error === TOO_LONG) return 'bad';
    throw error;
  }
}

/** Writes an Avro value as JSON to `output`; false for damaged bytes. Never throws. */
export function renderAvro({ plan }: CompiledSchema, value: AvroBytes, output: JsonOutput): boolean {
  input.load(value.bytes, value.start, value.end);
  try {
    render(plan, input, output);
    return input.isAtEnd;
  } catch (error) {
    if (error === DAMAGED || error === TOO_LONG) return false;
    throw error;
  }
}

/** By its name; a name that is not Debezium's is told by the fields. */
function kindOf(type: AvroType, record: AvroRecord | null): SchemaKind {
  const kind = kindOfAvro(type);
  if (kind !== 'unknown' || record === null) return kind;
  const has = (name: string): boolean => record.fields.some((field) => field.name === name);
  return has('op') && has('source') && (has('before') || has('after')) ? 'envelope' : 'unknown';
}

const ENVELOPE_FIELDS: Readonly<Record<string, Field>> = {
  before: FIELD.before,
  after: FIELD.after,
  source: FIELD.source,
  transaction: FIELD.transaction,
  op: FIELD.op,
  ts_ms: FIELD.capturedMs,
  ts_us: FIELD.capturedUs,
};
const SOURCE_FIELDS: Readonly<Record<string, Field>> = {
  name: FIELD.name,
  db: FIELD.db,
  schema: FIELD.sourceSchema,
  table: FIELD.table,
  snapshot: FIELD.snapshot,
  sequence: FIELD.sequence,
  ts_ms: FIELD.tsMs,
  ts_us: FIELD.tsUs,
  txId: FIELD.txId,
  lsn: FIELD.lsn,
};
const TRANSACTION_FIELDS: Readonly<Record<string, Field>> = { total_order: FIELD.totalOrder };

/** What the value of each field must be for its step to read it. */
const TEXTS: ReadonlySet<number> = new Set([
  FIELD.op,
  FIELD.name,
  FIELD.db,
  FIELD.sourceSchema,
  FIELD.table,
  FIELD.snapshot,
  FIELD.sequence,
]);
const RECORDS: ReadonlySet<number> = new Set([FIELD.before, FIELD.after, FIELD.source, FIELD.transaction]);

/** Null where a field that is needed is of another type than Debezium gives it. */
function envelopeSteps(record: AvroRecord): Step[] | null {
  const steps = stepsOf(record, ENVELOPE_FIELDS);
  const fields = steps?.map(({ field }) => field) ?? [];
  return fields.includes(FIELD.op) && fields.includes(FIELD.source) ? steps : null;
}

function stepsOf({ fields }: AvroRecord, known: Readonly<Record<string, Field>>): Step[] | null {
  const steps: Step[] = [];
  for (const { name, type } of fields) {
    const field = known[name] ?? FIELD.other;
    const plan = planOf(type);
    if (!isReadable(field, plan)) return null;
    const below = field === FIELD.source ? SOURCE_FIELDS : field === FIELD.transaction ? TRANSACTION_FIELDS : null;
    const record = recordIn(type);
    const inner = below === null || record === null ? [] : stepsOf(record, below);
    if (inner === null) return null;
    steps.push({ field, plan, value: { ...plan, branches: 0 }, inner });
  }
  return steps;
}

function isReadable(field: Field, { kind }: Plan): boolean {
  if (field === FIELD.other) return true;
  if (TEXTS.has(field)) return kind === KIND.string || kind === KIND.enum;
  return RECORDS.has(field) ? kind === KIND.record : kind === KIND.long || kind === KIND.int;
}

function takeStep(step: Step, into: Envelope, output: JsonOutput): void {
  const { plan, value } = step;
  const field: number = step.field;
  if (field === FIELD.other) {
    pass(plan, input);
    return;
  }
  if (isNull(plan, input)) return;
  switch (field) {
    case FIELD.before:
      into.beforeStart = output.at;
      render(value, input, output);
      into.beforeEnd = output.at;
      return;
    case FIELD.after:
      into.afterStart = output.at;
      render(value, input, output);
      into.afterEnd = output.at;
      return;
    case FIELD.source:
    case FIELD.transaction:
      for (const inner of step.inner) takeStep(inner, into, output);
      return;
    default:
      if (TEXTS.has(field)) takeText(field, value, into, output);
      else takeNumber(exactOf(input.long()), field, into);
  }
}

/** Numbers are -1 when null or absent, so a negative one cannot be taken; as `integerOf`. */
function exactOf(value: number): number {
  if (Number.isNaN(value)) return input.big < 0n ? NOT_AN_INTEGER : TOO_LARGE;
  if (value < 0) return NOT_AN_INTEGER;
  return value > Number.MAX_SAFE_INTEGER ? TOO_LARGE : value;
}

function takeText(field: number, { kind, symbols }: Plan, into: Envelope, output: JsonOutput): void {
  let b = input.bytes;
  let start: number;
  let end: number;
  if (kind === KIND.enum) {
    const symbol = symbols[input.int()];
    if (symbol === undefined) throw DAMAGED;
    b = symbol;
    start = 1;
    end = symbol.length - 1;
  } else {
    end = input.contentEnd();
    start = input.at;
    input.at = end;
  }
  if (field === FIELD.op) {
    into.op = end === start + 1 ? (b[start] as number) : NOT_A_LETTER;
    return;
  }
  if (field === FIELD.sequence) {
    into.commitLsn = commitLsnIn(b, start, end);
    return;
  }
  // Absent means the same, and needs no text for each record.
  if (field === FIELD.snapshot && isFalse(b, start, end)) return;
  const from = output.at;
  output.content(b, start, end);
  place(field, from, output.at, into);
}

/** Notes where the content of a string of `source` was written. */
function place(field: number, start: number, end: number, into: Envelope): void {
  switch (field) {
    case FIELD.snapshot:
      into.snapshotStart = start;
      into.snapshotEnd = end;
      return;
    case FIELD.name:
      into.nameStart = start;
      into.nameEnd = end;
      return;
    case FIELD.db:
      into.dbStart = start;
      into.dbEnd = end;
      return;
    case FIELD.sourceSchema:
      into.schemaStart = start;
      into.schemaEnd = end;
      return;
    default:
      into.tableStart = start;
      into.tableEnd = end;
  }
}

function isFalse(b: Uint8Array, start: number, end: number): boolean {
  return (
    end === start + 5 &&
    b[start] === 0x66 &&
    b[start + 1] === 0x61 &&
    b[start + 2] === 0x6c &&
    b[start + 3] === 0x73 &&
    b[start + 4] === 0x65
  );
}

function adjustedNames(kind: SchemaKind, record: AvroRecord): ReadonlyMap<string, string> | null {
  const members = kind === 'envelope' ? record.fields.filter(({ name }) => name === 'after' || name === 'before') : [];
  const row = kind === 'envelope' ? members.map(({ type }) => recordIn(type)).find((one) => one !== null) : record;
  if (row === undefined) return null;
  const names = columnNames(row.fields);
  const changed = row.fields.flatMap(({ name }, n) => (names[n] === name ? [] : [[name, names[n] ?? ''] as const]));
  return changed.length === 0 ? null : new Map(changed);
}
