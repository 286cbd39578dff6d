/** Damages bytes in the ways that bytes are damaged: flipped, cut, repeated, moved, replaced by what parsers trip over. */
export interface Random {
  /** A whole number in [0, below). */
  below(below: number): number;
}

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { below: (below) => Math.floor(next() * below) };
}

const TRAPS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '\\u',
    '\\ud800',
    'null',
    'true',
    '1e999',
    '-',
    '-0',
    '1e-',
    '0x10',
    '\u0000',
  ],
  ...['"op":"c"', '"op":"q"', '"op":null', '"before":{}', '"after":[]', '"after":null', '"source":{}', '"source":1'],
  ...['{"schema":', '"payload":', '99999999999999999999', '9007199254740993', '"\uffff"', '\u2028', '"":""'],
].map((text) => Buffer.from(text));
const BINARY = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0x00, 0x00, 0x00, 0x00, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0xfe, 0xff, 0xff, 0xff, 0x0f],
].map((bytes) => Buffer.from(bytes));

/** One to four damages. */
export function mutated(bytes: Buffer, random: Random): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0; left--) result = damaged(result, random);
  return result;
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + random.below(16));
  const insert = (what: Uint8Array): Buffer => Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)]);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 4:
      return insert(bytes.subarray(at, to));
    case 5:
      return insert(TRAPS[random.below(TRAPS.length)] ?? bytes);
    case 6:
      return insert(BINARY[random.below(BINARY.length)] ?? bytes);
    default:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
  }
}

export function arbitraryBytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.below(most) }, () => random.below(256)));
}
