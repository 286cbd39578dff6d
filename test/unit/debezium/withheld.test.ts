/** Which columns are recognised as withheld, in which forms; docs/types.md lists them. */
import { createHash } from 'node:crypto';
import { withheldColumns } from '../../../src/debezium/withheld';
import { placeholderOf } from '../../../src/placeholder';
import { DEFAULT_PLACEHOLDER } from '../../../src/model';

const P = DEFAULT_PLACEHOLDER;
const BYTES = [...Buffer.from(P)];
const BASE64 = 'X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==';
const UUID = 'b68a35a7-17ad-35b3-af2a-ae46edb4545a';

function withheld(text: string, placeholder = P): string[] {
  const b = Buffer.from(`xx${text}yy`);
  return withheldColumns(b, 2, b.length - 2, placeholderOf(placeholder));
}

/** Every form that Debezium gives the placeholder, by the types and modes that have it. */
const FORMS: readonly (readonly [string, unknown])[] = [
  ['text, varchar, char, json, jsonb, xml, tsvector, ranges; bytea as hex; numeric as string', P],
  ['bytea as bytes', BASE64],
  ['text[], varchar[], char[], json[], jsonb[]', [P]],
  ['bytea[] as bytes', [BASE64]],
  ['int4[], int8[], date[]', BYTES],
  ['uuid[]', [UUID]],
  ['hstore as json', JSON.stringify({ [P]: P })],
  ['hstore as map', { [P]: P }],
];

test.each(FORMS)('a value is withheld in the form of %s', (_, value) => {
  const row = { id: 1, before: null, c: value, after: 'x' };
  expect(withheld(JSON.stringify(row))).toEqual(['c']);
  expect(withheld(JSON.stringify(row, null, 2))).toEqual(['c']);
});

test.each(FORMS)('one of the needles stands in the form of %s', (_, value) => {
  const text = Buffer.from(JSON.stringify({ c: value }));
  expect(placeholderOf(P).needles.some((needle) => text.includes(Buffer.from(needle)))).toBe(true);
});

test('columns are withheld whose value is the placeholder, whatever their name', () => {
  const row = { id: 1, a: P, b: 'x', c: [P], 'd"é': P };
  expect(withheld(JSON.stringify(row))).toEqual(['a', 'c', 'd"é']);
});

test.each([
  [{}],
  [{ a: 'x', b: null, c: 5, d: true, e: [], f: {} }],
  [{ a: `${P} ` }],
  [{ a: P.slice(1) }],
  [{ a: [P, 'x'] }],
  [{ a: ['x', P] }],
  [{ a: [[P]] }],
  [{ a: { b: P } }],
  [{ [P]: 'a' }],
  [{ a: { [P]: 'x' } }],
  [{ a: { [P]: P, b: 'x' } }],
  [{ a: JSON.stringify({ [P]: P, b: 'x' }) }],
  [{ a: [...BYTES, 1] }],
  [{ a: BYTES.slice(1) }],
  [{ a: [BYTES] }],
  [{ a: [UUID, UUID] }],
  [{ a: BASE64.slice(4) }],
  [{ a: '{'.padEnd(2000, 'x') }],
])('nothing is withheld in %j', (row) => {
  expect(withheld(JSON.stringify(row))).toEqual([]);
});

test('the placeholder is a setting, and may be written with escapes', () => {
  expect(withheld('{"a":"<é>","b":"<\\u00e9>","c":["\\u003cé>"],"d":"<e>"}', '<é>')).toEqual(['a', 'b', 'c']);
  expect(withheld(`{"a":"${P}"}`, '<é>')).toEqual([]);
  expect(withheld('{"a":"\\\\n","b":"\\n"}', '\\n')).toEqual(['a']);
  expect(withheld('{"a":"\\\\n","b":"\\n"}', '\n')).toEqual(['b']);
  expect(withheld(`{"a":"${P}"}`)).toEqual(['a']);
});

test('the placeholder may be given as bytes, and each form follows from them', () => {
  const hash = createHash('md5')
    .update(Buffer.from([0x7e, 0xff]))
    .digest('hex');
  const forms = placeholderOf('hex:7eff');
  expect(forms.strings[1]).toBe('fv8=');
  expect(forms.numbers).toBe('126,-1');
  expect(forms.strings[2]?.slice(0, 8)).toBe(hash.slice(0, 8));
  expect(forms.strings[2]?.[14]).toBe('3');
  expect(withheld('{"a":[126,-1],"b":"fv8=","c":"hex:7eff"}', 'hex:7eff')).toEqual(['a', 'b']);
});

test('an image that is cut off gives what comes before the cut, and never an exception', () => {
  const text = JSON.stringify({ a: P, b: [P], c: { [P]: P }, d: BYTES });
  const b = Buffer.from(text);
  for (let end = 0; end < b.length; end++)
    expect(['', 'a', 'a,b', 'a,b,c', 'a,b,c,d']).toContain(withheldColumns(b, 0, end, placeholderOf(P)).join());
});
