/** Which columns are recognised as withheld, in which shapes. */
import { withheldColumns } from '../../../src/debezium/withheld';
import { DEFAULT_PLACEHOLDER } from '../../../src/model';

function withheld(text: string, placeholder = DEFAULT_PLACEHOLDER): string[] {
  const b = Buffer.from(`xx${text}yy`);
  return withheldColumns(b, 2, b.length - 2, placeholder);
}

test('columns are withheld whose value is the placeholder, as text or as the only element of an array', () => {
  const row = { id: 1, a: DEFAULT_PLACEHOLDER, b: 'x', c: [DEFAULT_PLACEHOLDER], 'd"é': DEFAULT_PLACEHOLDER };
  expect(withheld(JSON.stringify(row))).toEqual(['a', 'c', 'd"é']);
  expect(withheld(JSON.stringify(row, null, 2))).toEqual(['a', 'c', 'd"é']);
});

test.each([
  [{}],
  [{ a: 'x', b: null, c: 5, d: true, e: [], f: {} }],
  [{ a: `${DEFAULT_PLACEHOLDER} ` }],
  [{ a: DEFAULT_PLACEHOLDER.slice(1) }],
  [{ a: [DEFAULT_PLACEHOLDER, 'x'] }],
  [{ a: ['x', DEFAULT_PLACEHOLDER] }],
  [{ a: [[DEFAULT_PLACEHOLDER]] }],
  [{ a: { b: DEFAULT_PLACEHOLDER } }],
  [{ [DEFAULT_PLACEHOLDER]: 'a' }],
])('nothing is withheld in %j', (row) => {
  expect(withheld(JSON.stringify(row))).toEqual([]);
});

test('the placeholder is a setting, and may be written with escapes', () => {
  expect(withheld('{"a":"<é>","b":"<\\u00e9>","c":["\\u003cé>"],"d":"<e>"}', '<é>')).toEqual(['a', 'b', 'c']);
  expect(withheld(`{"a":"${DEFAULT_PLACEHOLDER}"}`, '<é>')).toEqual([]);
  expect(withheld('{"a":"\\\\n","b":"\\n"}', '\\n')).toEqual(['a']);
  expect(withheld('{"a":"\\\\n","b":"\\n"}', '\n')).toEqual(['b']);
  expect(withheld(`{"a":"${DEFAULT_PLACEHOLDER}"}`)).toEqual(['a']);
});

test('an image that is cut off gives what comes before the cut, and never an exception', () => {
  const text = JSON.stringify({ a: DEFAULT_PLACEHOLDER, b: [DEFAULT_PLACEHOLDER] });
  const b = Buffer.from(text);
  for (let end = 0; end < b.length; end++)
    expect(['', 'a', 'a,b']).toContain(withheldColumns(b, 0, end, DEFAULT_PLACEHOLDER).join());
  expect(withheldColumns(b, 0, b.length - 5, DEFAULT_PLACEHOLDER)).toEqual(['a']);
});
