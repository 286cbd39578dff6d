import fc from 'fast-check';
import { type Column, createColumn } from '../../../src/clickhouse/column';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn, TupleColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import { decodeBlocks, encodeBlock } from '../../../src/clickhouse/native';

/** A value as the test knows it: numbers for fixed columns, text for strings, null, lists. */
type Value = number | string | null | Value[];

function put(column: Column, value: Value): void {
  if (column instanceof NullableColumn) {
    if (value === null) column.appendDefault();
    else {
      column.markPresent();
      put(column.inner, value);
    }
  } else if (column instanceof ArrayColumn) {
    for (const element of value as Value[]) put(column.element, element);
    column.endRow();
  } else if (column instanceof TupleColumn) {
    column.elements.forEach((element, i) => put(element, (value as Value[])[i] as Value));
  } else if (column instanceof StringColumn) {
    column.appendText(value as string);
  } else {
    const fixed = column as FixedColumn;
    if (fixed.type.startsWith('Float')) fixed.appendFloat(value as number);
    else if (fixed.width > 8) fixed.appendWide(Int32Array.of(value as number, 1, -1, 7, 0, 0, 0, -9));
    else fixed.appendNumber(value as number);
  }
}

function get(column: Column, row: number): Value {
  if (column instanceof NullableColumn) return column.isNull(row) ? null : get(column.inner, row);
  if (column instanceof ArrayColumn) {
    const values: Value[] = [];
    for (let i = column.start(row); i < column.end(row); i++) values.push(get(column.element, i));
    return values;
  }
  if (column instanceof TupleColumn) return column.elements.map((element) => get(element, row));
  if (column instanceof StringColumn) return column.textAt(row);
  const fixed = column as FixedColumn;
  if (fixed.type.startsWith('Float')) return fixed.floatAt(row);
  return fixed.width > 8 ? (fixed.words[(row * fixed.width) / 4] as number) : fixed.numberAt(row);
}

const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const VALUES: [string, fc.Arbitrary<Value>][] = [
  ['Int8', fc.integer({ min: 0, max: 127 })],
  ['Int16', fc.integer({ min: -32768, max: 32767 })],
  ['Int32', fc.integer()],
  ['Int64', fc.maxSafeInteger()],
  ['UInt32', fc.integer({ min: 0, max: 2147483647 })],
  ['UInt64', fc.maxSafeNat()],
  ['Float32', fc.float()],
  ['Float64', fc.double()],
  ['Bool', fc.constantFrom(0, 1)],
  ['Date32', fc.integer({ min: -25567, max: 120529 })],
  [`DateTime64(6, 'UTC')`, fc.maxSafeInteger()],
  ['Decimal(9, 2)', fc.integer()],
  ['Decimal(38, 10)', fc.integer()],
  ['Decimal(76, 38)', fc.integer()],
  ['UUID', fc.integer()],
  ['String', text],
  ['LowCardinality(String)', text],
  ['Nullable(String)', fc.option(text)],
  ['Nullable(Int64)', fc.option(fc.maxSafeInteger())],
  ['Array(Nullable(String))', fc.array(fc.option(text), { maxLength: 5 })],
  ['Array(LowCardinality(String))', fc.array(text, { maxLength: 5 })],
  ['Map(String, Nullable(String))', fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 })],
  ['Tuple(Float64, Float64)', fc.tuple(fc.double(), fc.double())],
];

const table = fc
  .array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 6 })
  .chain((kinds) =>
    fc.tuple(
      fc.constant(kinds.map(([type]) => type)),
      fc.array(fc.tuple(...kinds.map(([, values]) => values)), { maxLength: 40 }),
    ),
  );

function filled(types: readonly string[], rows: readonly Value[][]): { name: string; column: Column }[] {
  const columns = types.map((type, i) => ({ name: `c${i}`, column: createColumn(type) }));
  for (const row of rows) columns.forEach(({ column }, i) => put(column, row[i] as Value));
  return columns;
}

describe('columns of a Native block', () => {
  it('come back from their own bytes with the values that went in', () => {
    fc.assert(
      fc.property(table, ([types, rows]) => {
        const columns = filled(types, rows);
        const bytes = Buffer.concat(encodeBlock(columns, rows.length));
        const copies = types.map((type, i) => ({ name: `c${i}`, column: createColumn(type) }));
        expect(decodeBlocks(Buffer.concat([bytes, bytes]), copies)).toBe(rows.length * 2);
        rows.forEach((row, r) => {
          copies.forEach(({ column }, i) => {
            expect(get(column, r)).toEqual(row[i]);
            expect(get(column, r + rows.length)).toEqual(row[i]);
            expect(column.equals(r, column, r + rows.length)).toBe(true);
          });
        });
      }),
      { numRuns: 200 },
    );
  });

  it('copy rows from each other and take back the last ones', () => {
    fc.assert(
      fc.property(table, fc.nat(40), ([types, rows], keep) => {
        const columns = filled(types, rows);
        for (const { column } of columns) {
          const copy = createColumn(column.type);
          for (let r = 0; r < rows.length; r++) copy.appendFrom(column, r);
          copy.appendDefault();
          const kept = Math.min(keep, rows.length);
          copy.rewind(kept);
          expect(copy.rows).toBe(kept);
          for (let r = kept; r < rows.length; r++) copy.appendFrom(column, r);
          for (let r = 0; r < rows.length; r++) expect(copy.equals(r, column, r)).toBe(true);
          copy.clear();
          expect(copy.rows).toBe(0);
          for (let r = rows.length - 1; r >= 0; r--) copy.appendFrom(column, r);
          for (let r = 0; r < rows.length; r++) expect(get(copy, r)).toEqual(get(column, rows.length - 1 - r));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('tell different rows apart', () => {
    const columns = filled(
      ['Int64', 'Nullable(String)', 'Array(Nullable(Int32))', 'Float64'],
      [
        [4294967296, null, [1], 0],
        [0, '', [1, null], -0],
      ],
    );
    for (const { column } of columns) expect(column.equals(0, column, 1)).toBe(false);
  });

  it('keep strings of every length between the sizes of a varint', () => {
    const column = new StringColumn();
    const lengths = [0, 1, 63, 64, 65, 127, 128, 129, 16383, 16384, 2097151, 2097152];
    for (const length of lengths) column.appendText('x'.repeat(length));
    lengths.forEach((length, row) => expect(column.end(row) - column.start(row)).toBe(length));
    const at = column.beginRow(200);
    column.bytes.fill(0x79, at, at + 3);
    column.endRow(at, at + 3);
    expect(column.textAt(lengths.length)).toBe('yyy');
    const chunks = encodeBlock([{ name: 's', column }], column.rows);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(1 << 20);
    const copy = new StringColumn();
    decodeBlocks(Buffer.concat(chunks), [{ name: 's', column: copy }]);
    for (let row = 0; row < column.rows; row++) expect(copy.equals(row, column, row)).toBe(true);
  });

  it('read the dictionaries that ClickHouse sends for LowCardinality', () => {
    // Captured from 26.7.2: two rows of l LowCardinality(Nullable(String)), a Array(LowCardinality(String)).
    const bytes = Buffer.from(
      '0202016c204c6f7743617264696e616c697479284e756c6c61626c6528537472696e6729290100000000000000000600' +
        '00000000000300000000000000000001780200000000000000020001611d4172726179284c6f7743617264696e616c69' +
        '747928537472696e67292901000000000000000300000000000000030000000000000000060000000000000300000000' +
        '00000000016201610300000000000000010201',
      'hex',
    );
    const l = createColumn('LowCardinality(Nullable(String))');
    const a = createColumn('Array(LowCardinality(String))');
    const columns = [
      { name: 'l', column: l },
      { name: 'a', column: a },
    ];
    expect(decodeBlocks(bytes, columns)).toBe(2);
    expect([get(l, 0), get(l, 1)]).toEqual(['x', null]);
    expect([get(a, 0), get(a, 1)]).toEqual([['b', 'a', 'b'], []]);
    const empty = Buffer.from(
      '010201611d4172726179284c6f7743617264696e616c69747928537472696e672929010000000000000000000000000000000000000000000000',
      'hex',
    );
    expect(decodeBlocks(empty, [{ name: 'a', column: a }])).toBe(2);
    expect(get(a, 3)).toEqual([]);
  });

  it('refuse an answer of another shape', () => {
    const block = Buffer.concat(encodeBlock(filled(['Int64'], [[1]]), 1));
    expect(() => decodeBlocks(block, [{ name: 'c0', column: createColumn('Int32') }])).toThrow('c0 Int64');
    expect(() => decodeBlocks(block, [{ name: 'other', column: createColumn('Int64') }])).toThrow('other');
    expect(() => decodeBlocks(block, [])).toThrow('1 columns');
    expect(() => decodeBlocks(block.subarray(0, -1), [{ name: 'c0', column: createColumn('Int64') }])).toThrow('early');
    expect(() => encodeBlock(filled(['Int64'], [[1]]), 2)).toThrow('1 rows');
    expect(() => createColumn('Variant(String)')).toThrow('Variant');
  });
});
