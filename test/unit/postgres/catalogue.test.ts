import { readTable } from '../../../src/postgres/catalogue';

function row(name: string | null, more: object = {}): object {
  const column = {
    type: 'integer',
    base: 'int4',
    kind: 'b',
    modifier: -1,
    array: false,
    notNull: true,
    generated: false,
  };
  return { identity: 'f', name, ...column, keyPosition: null, ...more };
}

describe('a table of the catalogue', () => {
  it('has its columns in order and its key in key order', async () => {
    const asked: unknown[] = [];
    const table = await readTable(
      async (_sql, params) => {
        asked.push(params);
        return [row('a', { keyPosition: 1 }), row('b', { array: true, notNull: false }), row('c', { keyPosition: 0 })];
      },
      'shop',
      'Odd "table"',
      'pub',
    );
    expect(asked).toEqual([['shop', 'Odd "table"', 'pub']]);
    expect(table).toMatchObject({ schema: 'shop', name: 'Odd "table"', identity: 'full', key: ['c', 'a'] });
    expect(table?.columns.map(({ name, array, notNull }) => [name, array, notNull])).toEqual([
      ['a', false, true],
      ['b', true, false],
      ['c', false, true],
    ]);
  });

  it('is null when there is none, and without columns when it has none', async () => {
    expect(await readTable(async () => [], 'public', 't', 'pub')).toBeNull();
    const bare = await readTable(async () => [row(null, { identity: 'd' })], 'public', 't', 'pub');
    expect(bare).toMatchObject({ schema: 'public', name: 't', identity: 'default', columns: [], key: [] });
  });
});
