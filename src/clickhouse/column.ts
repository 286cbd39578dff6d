/** Makes the column of a Native block that a ClickHouse type needs. */
import type { Column } from './column-contract';
import { FixedColumn, type FixedWidth } from './column-fixed';
import { ArrayColumn, NullableColumn, TupleColumn } from './column-nested';
import { StringColumn } from './column-string';
import { ServiceError } from '../errors';

export type { Column } from './column-contract';

const FIXED_WIDTHS = new Map<string, FixedWidth>([
  ['Int8', 1],
  ['Int16', 2],
  ['Int32', 4],
  ['Int64', 8],
  ['UInt8', 1],
  ['UInt16', 2],
  ['UInt32', 4],
  ['UInt64', 8],
  ['Float32', 4],
  ['Float64', 8],
  ['Bool', 1],
  ['Date', 2],
  ['Date32', 4],
  ['DateTime', 4],
  ['DateTime64', 8],
  ['Time', 4],
  ['Time64', 8],
  ['UUID', 16],
]);

/** An empty column of a ClickHouse type; throws `INTERNAL` for a type this service does not write. */
export function createColumn(type: string): Column {
  const { name, args } = splitType(type);
  const width = name === 'Decimal' ? decimalWidth(Number(args[0])) : FIXED_WIDTHS.get(name);
  if (width !== undefined) return new FixedColumn(type, width);
  if (name === 'String') return new StringColumn();
  const inner = args.map(createColumn);
  const first = inner[0];
  if (first === undefined) throw unknownType(type);
  switch (name) {
    case 'LowCardinality':
      // The dictionary form is more work to build than what it saves on a loopback or a compressed wire.
      return first;
    case 'Nullable':
      return new NullableColumn(first);
    case 'Array':
      return new ArrayColumn(`Array(${first.type})`, first);
    case 'Map':
      return new ArrayColumn(`Map(${inner.map((column) => column.type).join(', ')})`, new TupleColumn(inner));
    case 'Tuple':
      return new TupleColumn(inner);
    default:
      throw unknownType(type);
  }
}

/** The bytes a `Decimal(precision, …)` takes. */
export function decimalWidth(precision: number): FixedWidth {
  if (precision <= 9) return 4;
  if (precision <= 18) return 8;
  return precision <= 38 ? 16 : 32;
}

/** `Map(String, Nullable(String))` -> `Map` and its two arguments. Commas inside parentheses and quotes do not split. */
function splitType(type: string): { name: string; args: string[] } {
  const open = type.indexOf('(');
  if (open < 0) return { name: type.trim(), args: [] };
  const args: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = open + 1; i < type.length - 1; i++) {
    const character = type[i];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === ',' && depth === 0) {
      args.push(type.slice(start, i).trim());
      start = i + 1;
    }
  }
  args.push(type.slice(start, -1).trim());
  return { name: type.slice(0, open).trim(), args };
}

function unknownType(type: string): ServiceError {
  return new ServiceError('INTERNAL', `The ClickHouse type ${type} is not one this service writes.`, {
    hint: 'A table of ours was altered by hand; undo the change or drop the table so that it is made again.',
  });
}
