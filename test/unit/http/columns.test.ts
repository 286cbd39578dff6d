import { shownChange, shownQuarantined } from '../../../src/http/columns';
import type { ChangeRead } from '../../../src/http/ports';

const change = (of: Partial<ChangeRead>): ChangeRead => ({
  at: '2026-01-01T00:00:00.000000Z',
  ingestedAt: '2026-01-01T00:00:00.100000Z',
  op: 'u',
  table: 'public.orders',
  topic: 'cdc.public.orders',
  partition: 0,
  offset: '7',
  lsn: '1',
  txId: '2',
  redelivered: false,
  key: '{"id":7}',
  before: '',
  after: '',
  unavailable: [],
  ...of,
});

test('old and new stand side by side, each as the text that was sent, the changed ones marked', () => {
  const shown = shownChange(
    change({
      before: '{"id":9007199254740993,"state":"new","price":1.10, "note":null}',
      after: '{"id":9007199254740993,"state":"pa\\"id","price":1.1,"note":null}',
    }),
    'shown',
  );
  expect(shown.columns).toEqual([
    { name: 'id', before: '9007199254740993', after: '9007199254740993', changed: false },
    { name: 'state', before: '"new"', after: '"pa\\"id"', changed: true },
    { name: 'price', before: '1.10', after: '1.1', changed: true },
    { name: 'note', before: 'null', after: 'null', changed: false },
  ]);
  expect(shown.changed).toEqual(['state', 'price']);
});

test('a value that PostgreSQL withheld is the old one, not its placeholder', () => {
  const images = { before: '{"id":1,"text":"long"}', after: '{"id":1,"text":"__debezium_unavailable_value"}' };
  const shown = shownChange(change({ ...images, unavailable: ['text'] }), 'shown');
  expect(shown.columns?.[1]).toEqual({ name: 'text', before: '"long"', after: '"long"', changed: false });
});

test('withheld: neither key nor value leaves the server, the names of changed columns do', () => {
  const shown = shownChange(
    change({ before: '{"id":7,"state":"secret"}', after: '{"id":7,"state":"hidden"}' }),
    'withheld',
  );
  expect(JSON.stringify(shown)).not.toMatch(/secret|hidden|\{\\"id/);
  expect(shown).toMatchObject({ key: null, columns: null, changed: ['state'] });
});

test('long values are cut, and what is no object has no columns', () => {
  const long = shownChange(change({ op: 'c', after: `{"text":"${'x'.repeat(5_000)}"}` }), 'shown');
  expect(long.columns?.[0]?.after?.length).toBeLessThan(310);
  for (const text of ['', 'null', '[1]', '{"a":', '{"a" 1}', 'nonsense'])
    expect(shownChange(change({ op: 'c', after: text }), 'shown').columns).toEqual([]);
});

test('a quarantined record keeps its place and sizes while its bytes are withheld', () => {
  const record = {
    ...{ at: '', code: 'KEY_MALFORMED', message: 'm', table: '', column: '', topic: 't', partition: 0, offset: '1' },
    ...{ keyBytes: 3, valueBytes: 9, key: 'abc', value: 'something' },
  };
  expect(shownQuarantined(record, 'withheld')).toEqual({ ...record, key: null, value: null });
  expect(shownQuarantined(record, 'shown')).toEqual(record);
});
