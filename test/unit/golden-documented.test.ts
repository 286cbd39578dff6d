/** PostGIS and pgvector, by records made from their documented form: what each wire's values become in a mirror. */
import { readFileSync } from 'node:fs';
import type { Column } from '../../src/clickhouse/column-contract';
import type { FixedColumn } from '../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn } from '../../src/clickhouse/column-nested';
import { StringColumn } from '../../src/clickhouse/column-string';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import { codecsOf } from '../../src/clickhouse/wire-definition';
import { PROFILES } from '../../src/connect/profile';
import { compileTranscoder, TRANSCODED } from '../../src/debezium/transcode';
import { PROFILE_MODES, type SourceTable } from '../../src/model';
import { MirrorRows } from '../../src/plan/mirror-rows';
import { asText, documented, documentedFile, ORIGIN } from '../golden/documented';
import { gathered, type GoldenName } from '../golden/golden';
import { column } from '../oracle/type-oracle';

const SOURCE: SourceTable = {
  schema: 'public',
  name: 'places',
  identity: 'full',
  key: ['id'],
  columns: [
    column('id', 'int4', { notNull: true }),
    column('spot', 'geometry'),
    column('road', 'geography'),
    column('plain', 'geometry'),
    column('spots', 'geometry', { array: true }),
    column('dense', 'vector'),
    column('half', 'halfvec'),
    column('sparse', 'sparsevec'),
  ],
};

const POINT = '0101000020730C00001C7C613255DE6540787AA52C435C42C0';
const LINE =
  '0105000020E610000001000000010200000002000000A779C7293A2465400B462575025A46C0C66D3480B7FC6440C3D32B65195246C0';

const FULL = {
  id: '1',
  spot: POINT,
  road: LINE,
  plain: '0101000000000000000000F03F0000000000000040',
  spots: `[${POINT},]`,
  dense: `[10,-0.5,${Math.fround(1e-10)}]`,
  half: '[101,102.5]',
  sparse: '{"dimensions":25,"vector":[[1,201.0],[9,209.0]]}',
};

/** A cell as text: the test's own reading. */
function textAt(held: Column, row: number): string | null {
  if (held instanceof NullableColumn) return held.isNull(row) ? null : textAt(held.inner, row);
  if (held instanceof StringColumn) return held.textAt(row);
  if (held instanceof ArrayColumn) {
    const range = Array.from({ length: held.end(row) - held.start(row) }, (_, index) => held.start(row) + index);
    return `[${range.map((at) => textAt(held.element, at)).join()}]`;
  }
  const numbers = held as FixedColumn;
  return String(numbers.type.startsWith('Float') ? numbers.floatAt(row) : numbers.numberAt(row));
}

function layout(): MirrorLayout {
  const made = mirrorLayout(SOURCE);
  if ('code' in made) throw new Error(made.code);
  return made;
}

/** Each image of the wire as the row of a mirror, in text; a NULL by its name where the type has none. */
function rowsOf(name: GoldenName): Record<string, string | null>[] {
  const shape = layout();
  const rows = new MirrorRows(shape);
  for (const block of gathered(name).blocks) {
    expect(block.bad).toEqual([]);
    for (let row = 0; row < block.rowCount; row++) {
      const image = block.has(block.after, row) ? block.after : block.before;
      const fields = block.wireSchemaAt(row)?.fields ?? null;
      const transcoder = compileTranscoder(
        shape,
        codecsOf(shape, { columns: SOURCE.columns, modes: PROFILE_MODES, fields }),
      );
      const outcome = transcoder.append(image.bytes, image.start(row), image.end(row), rows);
      expect([outcome, transcoder.failedColumn]).toEqual([TRANSCODED, '']);
    }
  }
  return Array.from({ length: rows.rowCount }, (_, row) => {
    const cells = shape.columns.map(({ name: of }, index) => [
      of,
      rows.nullNames(row).includes(of) ? null : textAt(rows.columns[index]!, row),
    ]);
    return Object.fromEntries(cells) as Record<string, string | null>;
  });
}

describe('records that were made from the documented form', () => {
  it.each(PROFILES)('say so in the wire %s, and are what their maker makes', (profile) => {
    expect(readFileSync(documentedFile(profile), 'utf8')).toBe(asText(documented(profile)));
    expect(documented(profile).origin).toBe(ORIGIN);
  });

  it('have columns of EWKB, of Array(Float32), and of the text of a sparse vector', () => {
    expect(Object.fromEntries(layout().columns.map(({ name, type }) => [name, type]))).toEqual({
      id: 'Int32',
      spot: 'Nullable(String)',
      road: 'Nullable(String)',
      plain: 'Nullable(String)',
      spots: 'Array(Nullable(String))',
      dense: 'Array(Float32)',
      half: 'Array(Float32)',
      sparse: 'Nullable(String)',
    });
  });

  it.each(PROFILES)('are read in the wire %s with every digit', (profile) => {
    const nothing = { spot: null, road: null, plain: null, dense: null, half: null, sparse: null };
    expect(rowsOf(`documented-${profile}`)).toEqual([
      FULL,
      { id: '2', ...nothing, spots: '[]' },
      { ...FULL, id: '2', spots: null },
      FULL,
    ]);
  });
});
