/** Snappy in the two forms in which it is found in topics. */
import fc from 'fast-check';
import { compressSync } from 'snappy';
import { unsnappy } from '../../../src/kafka/codecs';

const HEADER = Buffer.concat([
  Buffer.from([0x82]),
  Buffer.from('SNAPPY\0', 'latin1'),
  Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]),
]);

function block(plain: Uint8Array): Buffer {
  const compressed = compressSync(Buffer.from(plain));
  const length = Buffer.alloc(4);
  length.writeInt32BE(compressed.length);
  return Buffer.concat([length, compressed]);
}

describe('snappy', () => {
  it('is read bare and in the blocks that Java writes, however many there are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 5 }), (parts) => {
        const whole = Buffer.concat(parts);
        expect(unsnappy(compressSync(whole))).toEqual(whole);
        expect(unsnappy(Buffer.concat([HEADER, ...parts.map(block)]))).toEqual(whole);
      }),
      { seed: 6 },
    );
  });

  it('whose blocks are cut off is refused, not read short', () => {
    const framed = Buffer.concat([HEADER, block(Buffer.from('one')), block(Buffer.from('two'))]);
    for (let length = HEADER.length + 1; length < framed.length; length++) {
      if (length === HEADER.length + block(Buffer.from('one')).length) continue;
      expect(() => unsnappy(framed.subarray(0, length))).toThrow('damaged');
    }
  });
});
