/** The scanner against JSON.parse as the oracle: tables of the awkward cases, then generated and damaged text. */
import * as fc from 'fast-check';
import {
  hasEscape,
  readSafeInteger,
  skipSpace,
  skipString,
  skipValue,
  textOf,
  unescapeInto,
} from '../../../src/debezium/json-scan';

/** Whether the scanner takes the whole of `text` as one JSON value, at an offset that is not 0 and with bytes behind it. */
function scans(text: string): boolean {
  const padded = Buffer.from(`[1${text}2]`);
  const end = padded.length - 2;
  const first = skipSpace(padded, 2, end);
  const after = skipValue(padded, first, end);
  return after >= 0 && skipSpace(padded, after, end) === end;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text as UTF-8 can hold it: a lone surrogate becomes U+FFFD. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

const good = [
  '0', '-0', '-1.5e+10', '1E5', '1e-7', '9007199254740993', '0.10', '123456789012345678901234567890.5', 'true', 'false', 'null',
  '""', '"a"', '"\\""', '"\\\\"', '"\\u00e9\\uD83D\\uDE00\\/\\b\\f\\n\\r\\t"', '"\\ud800"', '"é😀"', '"\u007f\u2028"',
  '[]', '{}', ' [ ] ', '\t{\r\n}\n', '[[],{},[{}]]', '{"a":{"b":[1,2,{"c":null}]},"d":"}"}', '{"":1}', '{"a":1,"a":2}', '[1 , 2]',
  '{ "a" : 1 , "b" : [ ] }', '"{[,:"',
]; // prettier-ignore
const malformed = [
  '', ' ', '01', '-', '+1', '1.', '.5', '1e', '1e+', '-a', '1_0', 'NaN', 'Infinity', 'tru', 'truee', 'nul', 'True', 'undefined',
  '"', '"a', '"\\"', '"\\x"', '"\\u12"', '"\\u12g4"', '"\n"', '"\t"', '"\u0000"', "'a'", '[', ']', '[1', '[1,]', '[,1]', '[1 2]', '[1}',
  '{', '}', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{a:1}', '{"a" 1}', '{"a":1]', '{1:2}', '{"a":1 "b":2}', '1 2', '[]]', '\u00a01', '\ufeff1', '\u000b1',
]; // prettier-ignore

describe('skipValue', () => {
  test.each(good)('takes %j as JSON.parse does', (text) => {
    expect(parses(text)).toBe(true);
    expect(scans(text)).toBe(true);
  });

  test.each(malformed)('refuses %j as JSON.parse does', (text) => {
    expect(parses(text)).toBe(false);
    expect(scans(text)).toBe(false);
  });

  test('nests to 512 and no deeper', () => {
    expect(scans('['.repeat(512) + ']'.repeat(512))).toBe(true);
    expect(scans('['.repeat(513) + ']'.repeat(513))).toBe(false);
    expect(scans('{"a":'.repeat(512) + '1' + '}'.repeat(512))).toBe(true);
  });

  test('takes exactly the valid ones of arbitrary values written with white space, escapes and big numbers', () => {
    fc.assert(
      fc.property(json(), (text) => {
        expect(parses(text)).toBe(true);
        expect(scans(text)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('agrees with JSON.parse on damaged text', () => {
    const damage = fc.record({
      at: fc.nat(),
      drop: fc.integer({ min: 0, max: 3 }),
      put: fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '0',
        '-',
        '.',
        'e',
        'u',
        ' ',
        '\n',
        'é',
        '\u0001',
      ),
    });
    fc.assert(
      fc.property(json(), damage, (text, { at, drop, put }) => {
        const letters = text.split('');
        letters.splice(at % (letters.length + 1), drop, put);
        const damaged = wellFormed(letters.join(''));
        expect(scans(damaged)).toBe(parses(damaged));
      }),
      { numRuns: 2000 },
    );
  });

  test('agrees with JSON.parse on text cut off anywhere', () => {
    fc.assert(
      fc.property(json(), fc.nat(), (text, at) => {
        const cut = wellFormed(text.slice(0, at % (text.length + 1)));
        expect(scans(cut)).toBe(parses(cut));
      }),
      { numRuns: 1000 },
    );
  });

  test('never reads beyond its end, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, cut) => {
        const end = Math.min(cut, bytes.length);
        const alone = bytes.slice(0, end);
        const after = skipValue(bytes, 0, end);
        expect(after).toBeLessThanOrEqual(end);
        expect(after).toBe(skipValue(alone, 0, end));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('skipString', () => {
  test('ends after the closing quote and needs an opening one', () => {
    const b = Buffer.from('x"a\\"b"y');
    expect(skipString(b, 1, b.length)).toBe(7);
    expect(skipString(b, 0, b.length)).toBe(-1);
    expect(skipString(b, 1, 6)).toBe(-1);
    expect(skipString(b, b.length, b.length)).toBe(-1);
  });
});

describe('textOf and unescapeInto', () => {
  test.each(['plain', '\\"\\\\\\/\\b\\f\\n\\r\\t', '\\u0041\\u00e9\\u20ac', '\\uD83D\\uDE00', 'é€😀', 'a\\u0000b', ''])(
    'read %j as JSON.parse does',
    (content) => {
      const b = Buffer.from(content);
      expect(textOf(b, 0, b.length)).toBe(JSON.parse(`"${content}"`));
    },
  );

  test.each(['\\ud800', '\\udc00', '\\ud800x', '\\ud800\\u0041', '\\ud800\\ud83d\\ude00', '\\udc00\\ud800'])(
    'make U+FFFD of each lone surrogate in %j',
    (content) => {
      const b = Buffer.from(content);
      expect(textOf(b, 0, b.length)).toBe(wellFormed(JSON.parse(`"${content}"`) as string));
    },
  );

  test('agree with JSON.parse on any string, and never write more than they read', () => {
    fc.assert(
      fc.property(stringContent(), (content) => {
        const b = Buffer.from(`>${content}<`);
        const end = b.length - 1;
        const expected = wellFormed(JSON.parse(`"${content}"`) as string);
        expect(textOf(b, 1, end)).toBe(expected);
        expect(hasEscape(b, 1, end)).toBe(content.includes('\\'));
        const target = new Uint8Array(end - 1 + 4).fill(0xaa);
        const position = unescapeInto(b, 1, end, target, 2);
        expect(Buffer.from(target.subarray(2, position)).toString()).toBe(expected);
        expect(position - 2).toBeLessThanOrEqual(end - 1);
        expect([...target.subarray(position)]).toEqual(Array(target.length - position).fill(0xaa));
      }),
      { numRuns: 1000 },
    );
  });

  test('stay inside their bounds for escapes that are cut off', () => {
    for (const content of ['\\', '\\u', '\\u12', '\\ud83d\\u', '\\ud83d\\ude0']) {
      const b = Buffer.from(content);
      const target = new Uint8Array(b.length);
      expect(unescapeInto(b, 0, b.length, target, 0)).toBeLessThanOrEqual(b.length);
    }
  });
});

describe('readSafeInteger', () => {
  test.each([
    ['0', 0], ['-0', 0], ['7', 7], ['-42', -42], ['31299144', 31299144], ['1795223719264516', 1795223719264516],
    ['9007199254740991', 9007199254740991], ['-9007199254740991', -9007199254740991],
    ['9007199254740992', NaN], ['9007199254740993', NaN], ['9223372036854775807', NaN], ['1'.repeat(400), NaN],
    ['', NaN], ['-', NaN], ['1.0', NaN], ['1e3', NaN], ['+1', NaN], [' 1', NaN], ['12345678x', NaN],
  ])('reads %j as %d', (text, expected) => {
    expect(readSafeInteger(Buffer.from(text), 0, text.length)).toBe(expected);
  }); // prettier-ignore

  test('reads every safe integer exactly and nothing beyond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), fc.maxSafeInteger(), (any, safe) => {
        for (const value of [any, BigInt(safe)]) {
          const text = value.toString();
          const expected = Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value ? Number(value) : NaN;
          expect(readSafeInteger(Buffer.from(text), 0, text.length)).toBe(expected);
        }
      }),
    );
  });
});

/** The content of a string: any letters, raw where JSON allows it or escaped in one of its ways, lone surrogates included. */
function stringContent(): fc.Arbitrary<string> {
  const escaped = fc.constantFrom(
    '\\"',
    '\\\\',
    '\\/',
    '\\b',
    '\\f',
    '\\n',
    '\\r',
    '\\t',
    '\\uD83D\\uDE00',
    '\\ud83d',
    '\\uDE00',
    '\\u0000',
  );
  const unit = fc.integer({ min: 0, max: 0xffff }).map((n) => `\\u${n.toString(16).padStart(4, '0')}`);
  const raw = fc.string({ unit: 'binary', maxLength: 4 }).map((s) => s.replace(/["\\\u0000-\u001f]/g, '_'));
  return fc.array(fc.oneof(raw, raw, escaped, unit), { maxLength: 6 }).map((parts) => parts.join(''));
}

/** Well-formed JSON text of any shape. */
function json(): fc.Arbitrary<string> {
  const space = fc.constantFrom('', '', '', ' ', '\n', '\t \r\n');
  const text = stringContent().map((content) => `"${content}"`);
  const number = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
    fc.constantFrom('-0', '1E+5', '0.0', '-1.50e-07', '9007199254740993'),
  );
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(text, number, fc.constantFrom('true', 'false', 'null')),
      fc.array(spaced(tie('value')), { maxLength: 4 }).map((elements) => `[${elements.join(',')}]`),
      fc
        .array(fc.tuple(spaced(text), spaced(tie('value'))), { maxLength: 4 })
        .map((list) => `{${list.map(([k, v]) => `${k}:${v}`).join(',')}}`),
      fc.constantFrom('[ ]', '{\n}'),
    ),
  }));
  return spaced(value);

  function spaced(inner: fc.Arbitrary<string>): fc.Arbitrary<string> {
    return fc.tuple(space, inner, space).map((parts) => parts.join(''));
  }
}
