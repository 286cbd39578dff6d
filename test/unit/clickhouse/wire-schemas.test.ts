/** How images are to be read is kept once, under an id that the definition decides, and found again. */
import type { ClickHouse } from '../../../src/clickhouse/client';
import { imageForms, isMixed } from '../../../src/clickhouse/image-forms';
import { mirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { codecsOf, definitionText, readDefinition } from '../../../src/clickhouse/wire-definition';
import { openWireSchemas } from '../../../src/clickhouse/wire-schemas';
import { PROFILE_MODES, type ConnectorModes, type SourceTable, type WireField } from '../../../src/model';
import { column } from '../../oracle/type-oracle';

const SOURCE: SourceTable = {
  schema: 'public',
  name: 'orders',
  identity: 'full',
  columns: [
    column('id', 'int8', { notNull: true }),
    column('at', 'timestamp', { modifier: 3 }),
    column('sum', 'numeric'),
  ],
  key: ['id'],
};
const ADAPTIVE: ConnectorModes = { ...PROFILE_MODES, decimal: 'precise', time: 'adaptive' };
const OF = { schema: 'public', table: 'orders' };

function layoutOf(source: SourceTable) {
  const layout = mirrorLayout(source);
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

/** A table of two columns that takes the inserts of this service and answers its selects. */
function schemasOver() {
  const rows: { id: string; definition: string }[] = [];
  const statements: string[] = [];
  const clickhouse: Pick<ClickHouse, 'query' | 'command'> = {
    query: async <T>(sql: string) => {
      statements.push(sql);
      const ids = /id IN \(([\d, ]+)\)/.exec(sql)?.[1]?.split(', ');
      return rows.filter(({ id }) => ids === undefined || ids.includes(id)) as T[];
    },
    command: async (sql) => {
      statements.push(sql);
      const [, id = '', definition = ''] = /VALUES \((\d+), 'json', 'public', 'orders', '(.*)'\)$/s.exec(sql) ?? [];
      rows.push({ id, definition: definition.replaceAll('\\"', '"') });
    },
  };
  return { schemas: openWireSchemas(clickhouse as ClickHouse, 'cdc_cdc'), statements, rows };
}

describe('wire schemas', () => {
  it('are kept once each, under an id of 64 bits that the definition decides', async () => {
    const { schemas, statements } = schemasOver();
    const plain = definitionText(SOURCE, PROFILE_MODES, null);
    const { wide, text } = await schemas.record(OF, plain);
    expect(await schemas.record(OF, definitionText({ ...SOURCE }, { ...PROFILE_MODES }, null))).toEqual({ wide, text });
    expect(statements).toHaveLength(1);
    expect(BigInt(text)).toBe((BigInt(wide.high >>> 0) << 32n) | BigInt(wide.low >>> 0));
    expect((await schemas.record(OF, definitionText(SOURCE, ADAPTIVE, null))).text).not.toBe(text);
    expect((await schemas.record(OF, definitionText({ ...SOURCE, key: ['at'] }, PROFILE_MODES, null))).text).not.toBe(
      text,
    );
    expect(statements).toHaveLength(3);
  });

  it('are kept again once the table was made anew', async () => {
    const { schemas, statements } = schemasOver();
    const plain = definitionText(SOURCE, PROFILE_MODES, null);
    await schemas.record(OF, plain);
    schemas.forget();
    await schemas.record(OF, plain);
    expect(statements).toHaveLength(2);
  });

  it('are asked for once, and an id that nothing is known of is left out', async () => {
    const { schemas, rows, statements } = schemasOver();
    rows.push(
      { id: '5', definition: definitionText(SOURCE, ADAPTIVE, null) },
      { id: '6', definition: 'no definition' },
    );
    const found = await schemas.read(['5', '0', '6', '7', '5']);
    expect([...found.keys()]).toEqual(['5']);
    expect(found.get('5')?.modes).toEqual(ADAPTIVE);
    await schemas.read(['5']);
    expect(statements).toHaveLength(1);
  });
});

describe('a definition', () => {
  it('says nothing of modes that are those of the profile, so that ids of before stay', () => {
    const text = definitionText(SOURCE, PROFILE_MODES, null);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['wire', 'schema', 'table', 'columns', 'key']);
    expect(readDefinition(text)).toEqual({ columns: SOURCE.columns, modes: PROFILE_MODES, fields: null });
  });

  it('gives each column the way it is written: by the modes, or by the schema of the record', () => {
    const micro: WireField = {
      ...{ name: 'at', type: 'int64', semantic: 'io.debezium.time.MicroTimestamp', parameters: {}, optional: true },
    };
    const layout = layoutOf(SOURCE);
    const byModes = readDefinition(definitionText(SOURCE, ADAPTIVE, null));
    const bySchema = readDefinition(definitionText(SOURCE, ADAPTIVE, [micro]));
    if (byModes === null || bySchema === null) throw new Error('a definition could not be read');
    expect(codecsOf(layout, byModes).get('at')?.notation).toBe('milliseconds');
    expect(codecsOf(layout, bySchema).get('at')?.notation).toBe('profile');
    expect(codecsOf(layout, bySchema).get('sum')?.notation).toBe('scaled');
  });

  it('that reads as another does makes no view choose between them', () => {
    const layout = layoutOf(SOURCE);
    const same = readDefinition(definitionText(SOURCE, PROFILE_MODES, null));
    const other = readDefinition(definitionText(SOURCE, ADAPTIVE, null));
    if (same === null || other === null) throw new Error('a definition could not be read');
    expect(isMixed(imageForms(layout, new Map([['1', same]]), '1', 'some'))).toBe(false);
    const forms = imageForms(layout, new Map([['1', same], ['2', other]]), '2', 'some'); // prettier-ignore
    expect(forms.others.map(({ ids }) => ids)).toEqual([['0', '1']]);
    expect(isMixed(imageForms(layout, new Map([['2', other]]), '2', 'none'))).toBe(false);
  });
});
