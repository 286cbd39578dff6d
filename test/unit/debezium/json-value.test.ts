/** Values built from JSON text: as JSON.parse builds them, except that numbers stay text. */
import * as fc from 'fast-check';
import { isJsonNumber, parseImage, parseJson, type JsonValue } from '../../../src/debezium/json-value';

function image(text: string): Map<string, JsonValue> | null {
  const b = Buffer.from(`1${text}2`);
  return parseImage(b, 1, b.length - 1);
}

/** The value as JSON.parse would have built it. */
function plain(value: JsonValue): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Map) {
    const object = Object.create(null) as Record<string, unknown>;
    for (const [name, inner] of value as Map<string, JsonValue>) object[name] = plain(inner);
    return object;
  }
  return isJsonNumber(value) ? Number(value.text) : (value as readonly JsonValue[]).map(plain);
}

test('numbers keep the digits they were written with', () => {
  expect(image('{"a":9007199254740993,"b":1.50,"c":-0,"d":1E+10}')).toEqual(
    new Map([
      ['a', { text: '9007199254740993' }],
      ['b', { text: '1.50' }],
      ['c', { text: '-0' }],
      ['d', { text: '1E+10' }],
    ]),
  );
});

test('columns keep their order, and the last of two with one name counts', () => {
  expect([...(image(' { "b" : "\\u00e9" , "a" : [ true , null ] , "b" : {"__proto__":[ ]} } ') ?? [])]).toEqual([
    ['b', new Map([['__proto__', []]])],
    ['a', [true, null]],
  ]);
});

test.each(['', '{', '[1]', '5', 'null', '{"a":1,}', '{"a":01}', '{"a":1}x', '{"a":"\\x"}'])(
  '%j is no image',
  (text) => {
    expect(image(text)).toBeNull();
  },
);

test('any JSON value is read as by JSON.parse', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 2), (text, indent) => {
      const pretty = JSON.stringify(JSON.parse(text), null, indent);
      const b = Buffer.from(pretty);
      const value = parseJson(b, 0, b.length);
      expect(value).toBeDefined();
      expect(JSON.stringify(plain(value as JsonValue))).toBe(JSON.stringify(JSON.parse(pretty)));
    }),
  );
});

test('text that JSON.parse refuses is undefined', () => {
  for (const text of ['', '[1,]', 'nul', '"a', '1 2'])
    expect(parseJson(Buffer.from(text), 0, text.length)).toBeUndefined();
});
