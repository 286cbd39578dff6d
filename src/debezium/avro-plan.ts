/** Compiles an Avro schema into a plan that turns its bytes into the JSON text Connect's converter would have written. */
import { DAMAGED, type AvroInput } from './avro-input';
import { columnNames, mapEntry, type AvroField, type AvroRecord, type AvroType } from './avro-schema';
import type { JsonOutput } from './json-output';

/** What stands in the bytes, by a small number for the switch of the renderer. */
export const KIND = {
  null: 0,
  boolean: 1,
  int: 2,
  long: 3,
  float: 4,
  double: 5,
  bytes: 6,
  string: 7,
  fixed: 8,
  enum: 9,
  array: 10,
  map: 11,
  record: 12,
  /** An array of pairs that is a map whose keys are strings, and one whose keys are not. */
  entries: 13,
  pairs: 14,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** One schema; every plan has every field, so that the renderer meets one shape of objects. */
export interface Plan {
  readonly kind: Kind;
  /** Branches of the union around it, 0 if there is none, and which of them is null, -1 if none. */
  readonly branches: number;
  readonly nullBranch: number;
  /** What is written before the value of a record's field: comma or brace, the name, a colon. */
  readonly head: Uint8Array;
  readonly fields: readonly Plan[];
  /** Of an array, the values of a map. */
  readonly items: Plan | null;
  /** The keys of `entries` and `pairs`. */
  readonly keys: Plan | null;
  readonly size: number;
  readonly symbols: readonly Uint8Array[];
}

const NOTHING = new Uint8Array();
const EMPTY_OBJECT = Uint8Array.of(0x7b, 0x7d);
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const FIELDLESS: Omit<Plan, 'kind'> = {
  branches: 0,
  nullBranch: -1,
  head: NOTHING,
  fields: [],
  items: null,
  keys: null,
  size: 0,
  symbols: [],
};

/** The plan of a value. Columns of a record get the names that they have in PostgreSQL. */
export function planOf(type: AvroType): Plan {
  switch (type.kind) {
    case 'union': {
      const nullBranch = type.branches.findIndex(({ kind }) => kind === 'null');
      const value = type.branches.find(({ kind }) => kind !== 'null');
      const inner = value === undefined ? { ...FIELDLESS, kind: KIND.null } : planOf(value);
      return { ...inner, branches: type.branches.length, nullBranch };
    }
    case 'record':
      return recordPlan(type);
    case 'array': {
      const entry = mapEntry(type.items);
      if (entry === null) return { ...FIELDLESS, kind: KIND.array, items: planOf(type.items) };
      const keys = planOf(entry.key);
      const kind = keys.kind === KIND.string && keys.branches === 0 ? KIND.entries : KIND.pairs;
      return { ...FIELDLESS, kind, keys, items: planOf(entry.value) };
    }
    case 'map':
      return { ...FIELDLESS, kind: KIND.map, items: planOf(type.items) };
    case 'enum':
      return { ...FIELDLESS, kind: KIND.enum, symbols: type.symbols.map((symbol) => utf8(JSON.stringify(symbol))) };
    case 'fixed':
      return { ...FIELDLESS, kind: KIND.fixed, size: type.size };
    case 'null':
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return { ...FIELDLESS, kind: KIND[type.kind] };
  }
}

function recordPlan({ fields }: AvroRecord): Plan {
  const names = columnNames(fields);
  const plans = fields.map(({ type }: AvroField, n) => {
    const name = JSON.stringify(names[n] ?? '');
    return { ...planOf(type), head: utf8(`${n === 0 ? '{' : ','}${name}:`) };
  });
  return { ...FIELDLESS, kind: KIND.record, fields: plans };
}

/** Where the value of a union is null; moves over the branch. False where there is no union. */
export function isNull(plan: Plan, input: AvroInput): boolean {
  if (plan.branches === 0) return false;
  const index = input.byte();
  if ((index & 1) !== 0 || index >= 2 * plan.branches) throw DAMAGED;
  return index === 2 * plan.nullBranch;
}

/** Writes the value at the input's place as JSON and moves behind it. Throws DAMAGED, or TOO_LONG of the output. */
export function render(plan: Plan, input: AvroInput, output: JsonOutput): void {
  if (isNull(plan, input)) {
    output.null();
    return;
  }
  switch (plan.kind) {
    case KIND.int:
      output.integer(input.int());
      return;
    case KIND.long: {
      const value = input.long();
      if (Number.isNaN(value)) output.text(input.big.toString());
      else output.integer(value);
      return;
    }
    case KIND.string: {
      const end = input.contentEnd();
      output.string(input.bytes, input.at, end);
      input.at = end;
      return;
    }
    case KIND.record:
      renderRecord(plan, input, output);
      return;
    case KIND.boolean: {
      const value = input.byte();
      if (value > 1) throw DAMAGED;
      output.boolean(value);
      return;
    }
    case KIND.double:
      output.double(input.double());
      return;
    case KIND.float:
      output.float(input.float());
      return;
    case KIND.bytes:
    case KIND.fixed: {
      const end = plan.kind === KIND.bytes ? input.contentEnd() : input.at + plan.size;
      const start = input.at;
      input.skip(end - start);
      output.base64(input.bytes, start, end);
      return;
    }
    case KIND.enum: {
      const symbol = plan.symbols[input.int()];
      if (symbol === undefined) throw DAMAGED;
      output.raw(symbol);
      return;
    }
    case KIND.array:
    case KIND.pairs:
      renderItems(plan, input, output);
      return;
    case KIND.map:
    case KIND.entries:
      renderMap(plan, input, output);
      return;
    case KIND.null:
      output.null();
  }
}

function renderRecord({ fields }: Plan, input: AvroInput, output: JsonOutput): void {
  if (fields.length === 0) {
    output.raw(EMPTY_OBJECT);
    return;
  }
  for (let n = 0; n < fields.length; n++) {
    const field = fields[n] as Plan;
    output.raw(field.head);
    render(field, input, output);
  }
  output.byte(CLOSE_OBJECT);
}

function renderItems(plan: Plan, input: AvroInput, output: JsonOutput): void {
  const items = plan.items as Plan;
  output.byte(OPEN_ARRAY);
  let first = true;
  for (let count = input.blockCount(); count > 0; count = input.blockCount()) {
    for (let n = 0; n < count; n++) {
      const { at } = input;
      if (!first) output.byte(COMMA);
      first = false;
      if (plan.kind === KIND.pairs) renderPair(plan, input, output);
      else render(items, input, output);
      if (input.at === at) input.spendEmptyItem();
    }
  }
  output.byte(CLOSE_ARRAY);
}

function renderPair(plan: Plan, input: AvroInput, output: JsonOutput): void {
  output.byte(OPEN_ARRAY);
  render(plan.keys as Plan, input, output);
  output.byte(COMMA);
  render(plan.items as Plan, input, output);
  output.byte(CLOSE_ARRAY);
}

function renderMap({ items }: Plan, input: AvroInput, output: JsonOutput): void {
  output.byte(OPEN_OBJECT);
  let first = true;
  for (let count = input.blockCount(); count > 0; count = input.blockCount()) {
    for (let n = 0; n < count; n++) {
      if (!first) output.byte(COMMA);
      first = false;
      const end = input.contentEnd();
      output.string(input.bytes, input.at, end);
      input.at = end;
      output.byte(COLON);
      render(items as Plan, input, output);
    }
  }
  output.byte(CLOSE_OBJECT);
}

/** Moves behind the value without writing it. Throws DAMAGED. */
export function pass(plan: Plan, input: AvroInput): void {
  if (isNull(plan, input)) return;
  switch (plan.kind) {
    case KIND.null:
      return;
    case KIND.boolean:
      input.skip(1);
      return;
    case KIND.int:
    case KIND.long:
    case KIND.enum:
      input.long();
      return;
    case KIND.float:
      input.skip(4);
      return;
    case KIND.double:
      input.skip(8);
      return;
    case KIND.bytes:
    case KIND.string:
      input.at = input.contentEnd();
      return;
    case KIND.fixed:
      input.skip(plan.size);
      return;
    case KIND.record:
      for (const field of plan.fields) pass(field, input);
      return;
    case KIND.array:
    case KIND.pairs:
    case KIND.map:
    case KIND.entries:
      passItems(plan, input);
  }
}

function passItems(plan: Plan, input: AvroInput): void {
  for (let count = input.blockCount(); count > 0; count = input.blockCount()) {
    for (let n = 0; n < count; n++) {
      const { at } = input;
      if (plan.kind === KIND.map) input.at = input.contentEnd();
      else if (plan.keys !== null) pass(plan.keys, input);
      pass(plan.items as Plan, input);
      if (input.at === at) input.spendEmptyItem();
    }
  }
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
