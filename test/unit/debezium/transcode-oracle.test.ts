/** The transcoder against values made without it, in every mode of the connector. */
import { CLAMPED } from '../../harness/choices';
import fc from 'fast-check';
import { createColumn, type Column } from '../../../src/clickhouse/column';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn, TupleColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import { imageCodec } from '../../../src/clickhouse/image-codec';
import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { compileTranscoder, TRANSCODED, type TranscodedRows } from '../../../src/debezium/transcode';
import type { ConnectorModes } from '../../../src/model';
import { column, GENERATED, SOME_MODES, type Cell } from '../../harness/image-oracle';

/** Images of each mode, and where they begin: `npm run test:oracle` makes two million of them. */
const RUNS = Number(process.env['ORACLE_IMAGES'] ?? 400);
const SEED = Number(process.env['SEED'] ?? 20261121);

const id = column('id', 'int4', { notNull: true });
const sources = [id, ...GENERATED.map((one) => one.column)];

function layoutOf(): MirrorLayout {
  const layout = mirrorLayout(
    { schema: 'public', name: 't', identity: 'full', columns: sources, key: ['id'] },
    CLAMPED,
  );
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

/** What a cell of a column holds, as text: the test's own reading of the bytes. */
function cellText(held: Column, row: number, base: string, type: string): string {
  if (held instanceof NullableColumn) return cellText(held.inner, row, base, inner(type));
  if (held instanceof ArrayColumn && type.startsWith('Map')) {
    const [keys, values] = (held.element as TupleColumn).elements as [StringColumn, NullableColumn];
    const pairs = Array.from({ length: held.end(row) - held.start(row) }, (_, i) => {
      const at = held.start(row) + i;
      const value = values.isNull(at) ? null : (values.inner as StringColumn).textAt(at);
      return { key: keys.textAt(at), value };
    });
    pairs.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    return pairs.map(({ key, value }) => framed(key) + (value === null ? '~' : framed(value))).join('');
  }
  if (held instanceof ArrayColumn) {
    const elements = held.element as NullableColumn;
    return Array.from({ length: held.end(row) - held.start(row) }, (_, i) => {
      const at = held.start(row) + i;
      return elements.isNull(at) ? '~' : framed(cellText(elements, at, base, inner(type)));
    }).join('');
  }
  if (held instanceof TupleColumn) return held.elements.map((one) => cellText(one, row, 'float8', 'Float64')).join(',');
  if (held instanceof StringColumn) {
    return base === 'bytea'
      ? Buffer.from(held.bytes.subarray(held.start(row), held.end(row))).toString('hex')
      : held.textAt(row);
  }
  return fixedText(held as FixedColumn, row, type);
}

const inner = (type: string): string => /^(?:Nullable|Array)\((.*)\)$/.exec(type)?.[1] ?? type;
const framed = (text: string): string => `${Buffer.byteLength(text)}:${text}`;

function fixedText(held: FixedColumn, row: number, type: string): string {
  if (type.startsWith('Float')) {
    const value = held.floatAt(row);
    const bytes = Buffer.alloc(held.width);
    if (held.width === 4) bytes.writeFloatBE(value);
    else bytes.writeDoubleBE(value);
    return Number.isNaN(value) ? 'NaN' : bytes.toString('hex');
  }
  if (type === 'Bool') return String(held.numberAt(row) === 1);
  if (type === 'UUID') return uuidText(held, row);
  const value = held.width < 4 ? BigInt(held.numberAt(row)) : integer(held, row);
  if (type.startsWith('Decimal')) return decimalText(value, Number(/, (\d+)\)/.exec(type)?.[1]));
  if (type === 'Date32') return new Date(Number(value) * 86400000).toISOString().slice(0, 10);
  if (type.startsWith('DateTime64')) return instantText(value);
  return type.startsWith('Time64') ? timeText(value) : String(value);
}

function integer(held: FixedColumn, row: number): bigint {
  let value = 0n;
  for (let i = held.width / 4 - 1; i >= 0; i--)
    value = (value << 32n) | BigInt((held.words[(row * held.width) / 4 + i] ?? 0) >>> 0);
  return BigInt.asIntN(held.width * 8, value);
}

function uuidText(held: FixedColumn, row: number): string {
  const words = [1, 0, 3, 2].map((place) => (held.words[row * 4 + place] ?? 0) >>> 0);
  const digits = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const fraction = scale > 0 ? digits.slice(-scale).replace(/0+$/, '') : '';
  const whole = scale > 0 ? digits.slice(0, -scale) : digits;
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function instantText(micros: bigint): string {
  const seconds = micros / 1000000n - (micros % 1000000n < 0n ? 1n : 0n);
  const shown = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return shown + fractionText(micros - seconds * 1000000n);
}

function timeText(micros: bigint): string {
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const seconds = micros / 1000000n;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fractionText(micros % 1000000n)}`;
}

function fractionText(micros: bigint): string {
  const digits = String(micros).padStart(6, '0').replace(/0+$/, '');
  return digits === '' ? '' : `.${digits}`;
}

describe('every value in every mode', () => {
  const layout = layoutOf();

  it.each(SOME_MODES.map((modes): [string, ConnectorModes] => [JSON.stringify(modes), modes]))(
    'is what was generated: %s',
    (_, modes) => {
      const codecs = new Map(
        layout.columns.map((one, index) => [one.name, imageCodec(one.codec, sources[index] ?? id, modes)]),
      );
      const transcoder = compileTranscoder(layout, codecs);
      const rows: TranscodedRows = {
        columns: layout.columns.map(({ type }) => createColumn(type)),
        nulls: createColumn('Array(LowCardinality(String))') as ArrayColumn,
      };
      const images = fc.tuple(...GENERATED.map((one) => one.cells(modes)));
      const check = (cells: readonly Cell[]): void => {
        const members = cells.map((cell, i) => `${JSON.stringify(GENERATED[i]?.column.name)}:${cell.json}`);
        const bytes = Buffer.from(`{"id":1,${members.join(',')}}`);
        for (const one of [...rows.columns, rows.nulls]) one.clear();
        const outcome = transcoder.append(bytes, 0, bytes.length, rows);
        // An expectation for each image would take most of the time.
        if (outcome !== TRANSCODED) expect([outcome, transcoder.failedColumn]).toEqual([TRANSCODED, '']);
        const nulls = Array.from({ length: rows.nulls.end(0) }, (_unused, i) =>
          (rows.nulls.element as StringColumn).textAt(i),
        );
        cells.forEach((cell, i) => {
          const held = rows.columns[i + 1];
          const { name = '', type = '' } = layout.columns[i + 1] ?? {};
          if (held === undefined) throw new Error(`${name} has no column`);
          const isNull = (held instanceof NullableColumn && held.isNull(0)) || nulls.includes(name);
          const shown = isNull ? null : cellText(held, 0, sources[i + 1]?.base ?? '', type);
          if (shown !== cell.expected)
            expect({ name, json: cell.json, shown }).toEqual({ ...cell, name, shown: cell.expected });
        });
      };
      fc.assert(fc.property(images, check), { numRuns: RUNS, seed: SEED });
    },
    3_600_000,
  );
});
