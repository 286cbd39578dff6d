/** Images without what is masked: nothing of a masked value is left, and nothing else is touched. */
import { createHash, createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { createImageMask, type ImageMask } from '../../../src/debezium/image-mask';
import { JsonOutput } from '../../../src/debezium/json-output';
import { placeholderForms } from '../../../src/debezium/withheld';
import { wireSchema } from '../../../src/debezium/wire-schema';
import { DEFAULT_PLACEHOLDER, type Mask } from '../../../src/model';

const hash = (bytes: Uint8Array): string => createHmac('sha256', 'a secret of these tests').update(bytes).digest('hex');

const md5 = (bytes: Uint8Array): Uint8Array => createHash('md5').update(bytes).digest();

const maskOf = (columns: Readonly<Record<string, Mask>>): ImageMask =>
  createImageMask({
    of: (name) => (Object.hasOwn(columns, name) ? columns[name]! : null),
    hash,
    placeholder: placeholderForms(DEFAULT_PLACEHOLDER, md5),
  });

function masked(text: string, mask: ImageMask): string {
  const bytes = Buffer.from(`##${text}##`, 'utf8');
  const output = new JsonOutput();
  mask.write(bytes, 2, bytes.length - 2, output);
  return Buffer.from(output.bytes.subarray(0, output.at)).toString('utf8');
}

/** The same JSON in another spelling: white space anywhere, letters of strings as escapes. */
function respelled(json: string, spaces: readonly string[], escapeEvery: number): string {
  let at = 0;
  let letters = 0;
  const space = (): string => spaces[at++ % Math.max(1, spaces.length)] ?? '';
  return (json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:\s]+/g) ?? [])
    .map((token) => {
      const text = token.startsWith('"')
        ? token.replaceAll(/\\u[\da-f]{4}|\\.|[a-z]/g, (letter) =>
            letter.length === 1 && ++letters % escapeEvery === 0
              ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
              : letter,
          )
        : token;
      return `${text}${space()}`;
    })
    .join('');
}

const SECRET = 'k7Qz-geheim-№-秘密';

describe('the mask of an image', () => {
  test('leaves out what is dropped, hashes what is hashed, and copies the rest as it stands', () => {
    const mask = maskOf({ email: 'hash', ssn: 'drop' });
    const image = '{"id": 1,"ssn":"123","name":"a\\u0041" , "email":"a@b.c","ssn":{"x":[1]},"n":1.50}';
    expect(masked(image, mask)).toBe(
      `{"id": 1,"name":"a\\u0041","email":"${hash(Buffer.from('a@b.c'))}","n":1.50}`,
    );
    expect(masked('{"ssn":"1"}', mask)).toBe('{}');
    expect(masked(' { } ', mask)).toBe('{}');
  });

  test('keeps NULL as NULL and a withheld value as withheld', () => {
    const mask = maskOf({ a: 'hash', b: 'hash', c: 'hash', d: 'drop' });
    const image = `{"a":null,"b":"${DEFAULT_PLACEHOLDER}","c":["${DEFAULT_PLACEHOLDER}"],"d":"${DEFAULT_PLACEHOLDER}"}`;
    expect(masked(image, mask)).toBe(image.replace(/,"d".*/, '}'));
    const bytes = `{"a":"${Buffer.from(DEFAULT_PLACEHOLDER).toString('base64')}"}`;
    expect(masked(bytes, mask)).toBe(bytes);
  });

  test('hashes the text of a value, so that equal values of any wire and spelling have equal hashes', () => {
    const mask = maskOf({ v: 'hash' });
    const of = (value: string): string => (JSON.parse(masked(`{"v":${value}}`, mask)) as { v: string }).v;
    expect(of('"Zoë"')).toBe(hash(Buffer.from('Zoë')));
    expect(of('"Zo\\u00eb"')).toBe(of('"Zoë"'));
    expect(of('42')).toBe(hash(Buffer.from('42')));
    expect(of('"42"')).toBe(of('42'));
    expect(of('true')).toBe(hash(Buffer.from('true')));
    expect(of('[1, null,"a\\u0062"]')).toBe(of('[1,null,"ab"]'));
    expect(of('"a\\/b"')).toBe(of('"a/b"'));
    expect(of('["a"]')).not.toBe(of('["b"]'));
  });

  test('finds a name however it is escaped, and where fields come in another order', () => {
    const mask = maskOf({ email: 'drop' });
    expect(masked('{"a":1,"email":"x"}', mask)).toBe('{"a":1}');
    expect(masked('{"\\u0065mail":"x","a":1}', mask)).toBe('{"a":1}');
    expect(masked('{"a":1,"b":2,"email":"x","a2":3}', mask)).toBe('{"a":1,"b":2,"a2":3}');
  });

  test.each(['', 'null', '"a@b.c"', '[{"email":"a@b.c"}]', '{"email":"a@b.c"', '{"a":1}{"email":"x"}', '{"a":1,}', '{"email":a@b.c}'])(
    'knows nothing of %p, and writes the hash of all of it',
    (text) => {
      expect(masked(text, maskOf({ email: 'hash' }))).toBe(`"${hash(Buffer.from(text))}"`);
    },
  ); // prettier-ignore

  test('takes masked columns out of a schema, or makes strings of them', () => {
    const field = { semantic: null, parameters: {}, optional: true };
    const schema = wireSchema([
      { ...field, name: 'id', type: 'int32' },
      { ...field, name: 'email', type: 'bytes', semantic: 'io.debezium.data.Bits', parameters: { length: '4' } },
      { ...field, name: 'ssn', type: 'struct', fields: [] },
    ]);
    const mask = maskOf({ email: 'hash', ssn: 'drop' });
    const { fields } = mask.schema(schema);
    expect(fields).toEqual([schema.fields[0], { ...field, name: 'email', type: 'string' }]);
    expect(mask.schema(schema)).toBe(mask.schema(schema));
    expect(maskOf({ other: 'drop' }).schema(schema)).toBe(schema);
  });

  test('leaves no byte of any masked value, and equals the image without it, for arbitrary images', () => {
    const plant = fc.oneof(
      fc.constant(SECRET),
      fc.array(fc.constant(SECRET), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('x', SECRET), fc.constant(SECRET)),
    );
    const member = fc.record({
      name: fc.oneof(fc.constantFrom('id', 'email', 'ssn', '', 'a"b', 'ключ'), fc.string()).filter((name) => name !== '__proto__'),
      value: fc.jsonValue({ maxDepth: 2 }),
      planted: plant,
      mask: fc.constantFrom<(Mask | null)[]>('drop', 'hash', null),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { selector: ({ name }) => name, maxLength: 12 }),
        fc.array(fc.constantFrom('', ' ', '\n', '\t  '), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        (members, spaces, escapeEvery) => {
          const columns = Object.fromEntries(members.flatMap(({ name, mask }) => (mask === null ? [] : [[name, mask]])));
          const image = members.map(({ name, value, planted, mask }) =>
            `${JSON.stringify(name)}:${JSON.stringify(mask === null ? value : planted)}`);
          const mask = maskOf(columns);
          const plain = masked(`{${image.join(',')}}`, mask);
          const spelled = masked(respelled(`{${image.join(',')}}`, spaces, escapeEvery), mask);
          expect(JSON.parse(spelled)).toEqual(JSON.parse(plain));
          const found = JSON.parse(plain) as Record<string, unknown>;
          const kept = members.filter((one) => one.mask !== 'drop');
          expect(Object.keys(found).sort()).toEqual(kept.map(({ name }) => name).sort());
          for (const { name, value, mask: how } of kept) {
            if (how === null) expect(found[name]).toEqual(JSON.parse(JSON.stringify(value)));
            else expect(found[name]).toMatch(/^[\da-f]{64}$/);
          }
          const own = members.filter(({ mask: how }) => how === null).map(({ name, value }) => JSON.stringify([name, value]));
          for (const text of [plain, spelled])
            for (const part of [SECRET, 'geheim', '秘密', 'k7Qz', JSON.stringify(SECRET)])
              if (!own.some((one) => one.includes(part)) && !kept.some(({ name }) => name.includes(part)))
                expect(text.includes(part)).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });
}); // prettier-ignore
