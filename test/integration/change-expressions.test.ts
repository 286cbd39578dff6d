/** The SQL that reads images in `changes` against values made without it, in every mode of the connector, on a real ClickHouse. */
import { CLAMPED } from '../harness/choices';
import { randomBytes } from 'node:crypto';
import { changeExpression } from '../../src/clickhouse/change-expression';
import { connectClickHouse, type ClickHouse } from '../../src/clickhouse/client';
import { imageCodec } from '../../src/clickhouse/image-codec';
import { mirrorLayout } from '../../src/clickhouse/mirror-layout';
import { quoteText } from '../../src/clickhouse/quote';
import type { ConnectorModes } from '../../src/model';
import { mirrorText } from '../../src/verify/mirror-text';
import { GENERATED, SOME_MODES } from '../oracle/types';
import { Random } from '../oracle/random';
import { column } from '../oracle/type-oracle';
import { sampleImages } from '../oracle/records';
import { openTestStack } from '../harness/test-stack';

jest.setTimeout(120_000);

/** Images of each mode. */
const IMAGES = Number(process.env['IMAGES'] ?? 200);
const SEED = 20261121;

const id = column('id', 'int4', { notNull: true });
const sources = [id, ...GENERATED.map((one) => one.column)];

/** Both sides are compared as numbers: a decimal that is text in the mirror has the zeros at its end there, not in the comparison. */
function withoutZeros(text: string | null | undefined): string | null | undefined {
  return text === null || text === undefined ? text : text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

describe('the expressions of a table', () => {
  let clickhouse: ClickHouse;
  const database = `t${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    const url = new URL(openTestStack().env.CH_URL);
    clickhouse = connectClickHouse({
      url: url.origin,
      user: decodeURIComponent(url.username) || 'default',
      password: decodeURIComponent(url.password),
      application: 'tests',
      requestTimeoutMs: 60_000,
    });
    await clickhouse.command(`CREATE DATABASE ${database}`);
  });

  afterAll(async () => {
    await clickhouse.command(`DROP DATABASE ${database}`);
    await clickhouse.close();
  });

  it.each(SOME_MODES.map((modes): [string, ConnectorModes] => [JSON.stringify(modes), modes]))(
    'read what was generated: %s',
    async (_, modes) => {
      const layout = mirrorLayout(
        { schema: 'public', name: 't', identity: 'full', columns: sources, key: ['id'] },
        CLAMPED,
      );
      if ('code' in layout) throw new Error(layout.code);
      const rows = sampleImages(modes, new Random(SEED), IMAGES);
      const images = rows.map(({ image }) => image);
      await clickhouse.command(`CREATE OR REPLACE TABLE ${database}.images (image String) ENGINE = Memory`);
      for (let from = 0; from < images.length; from += 50) {
        const values = images.slice(from, from + 50).map((image) => `(${quoteText(image)})`);
        await clickhouse.command(`INSERT INTO ${database}.images VALUES ${values.join(', ')}`);
      }
      const expressions = layout.columns.map((one, index) => {
        const source = sources[index] ?? id;
        const value = changeExpression(one, 'image', imageCodec(one.codec, source, modes));
        // A NULL of a type that has none is its default here; the mirror names it in _nulls.
        const isNull = `(isNull(${value}) OR simpleJSONExtractRaw(image, ${quoteText(one.name)}) = 'null')`;
        return `if(${isNull}, NULL, ${mirrorText(one, source.base, value)})`;
      });
      const wrong: string[] = [];
      for (const [index, expression] of expressions.entries()) {
        if (index === 0) continue;
        const read = await clickhouse.query<{ id: number; value: string | null }>(
          `SELECT JSONExtractInt(image, 'id')::UInt32 AS id, CAST(${expression}, 'Nullable(String)') AS value FROM ${database}.images`,
        );
        expect(read).toHaveLength(rows.length);
        for (const { id: row, value } of read) {
          const cell = rows[row]?.cells[index - 1];
          const text = cell?.expected();
          const expected = layout.columns[index]?.codec.asText === true ? withoutZeros(text) : text;
          if (value !== expected) wrong.push(`${sources[index]?.name} of ${images[row]} is ${value}, not ${expected}`);
        }
      }
      expect(wrong.slice(0, 40)).toEqual([]);
    },
  );
});
