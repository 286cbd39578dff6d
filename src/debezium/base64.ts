/** Decodes base64, of either alphabet, into a buffer that is shared because no reader of values is interrupted by another. */

/** What `decodeBase64` decoded last: the first `length` bytes of `bytes`. */
export const decoded = { bytes: new Uint8Array(1024), length: 0 };

function sextet(c: number): number {
  if (c >= 0x41 && c <= 0x5a) return c - 0x41;
  if (c >= 0x61 && c <= 0x7a) return c - 0x47;
  if (c >= 0x30 && c <= 0x39) return c + 4;
  if (c === 0x2b || c === 0x2d) return 62;
  return c === 0x2f || c === 0x5f ? 63 : -1;
}

/** Decodes the base64 [start, end) into `decoded`; false if it is none. Padding may be missing. */
export function decodeBase64(b: Uint8Array, start: number, end: number): boolean {
  let last = end;
  while (last > start && last > end - 2 && b[last - 1] === 0x3d) last--;
  if (decoded.bytes.length < last - start) decoded.bytes = new Uint8Array((last - start) * 2);
  const { bytes } = decoded;
  let bits = 0;
  let count = 0;
  let length = 0;
  for (let i = start; i < last; i++) {
    const value = sextet(b[i] ?? 0);
    if (value < 0) return false;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[length++] = (bits >> count) & 0xff;
    }
  }
  // A single sextet over holds no byte.
  if (count === 6) return false;
  decoded.length = length;
  return true;
}
