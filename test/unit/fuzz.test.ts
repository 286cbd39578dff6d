/** Arbitrary and damaged bytes never crash or hang the decoder and never make a wrong row; `npm run fuzz` goes on for longer. */
import { fuzzBatches } from '../fuzz/batches';
import { fuzzDecoder } from '../fuzz/decoder';

describe('damaged bytes', () => {
  it.each([1, 2, 3])('are a change as it was sent, a skip or a bad record each, with seed %d', (seed) => {
    const count = 5_000;
    const { changes, skipped, bad } = fuzzDecoder(seed, count);
    expect(changes + skipped + bad).toBe(count);
    for (const some of [changes, skipped, bad]) expect(some).toBeGreaterThan(count / 50);
  });

  it.each([1, 2, 3])('of a record batch are told, or its records lie within them, with seed %d', (seed) => {
    const count = 500;
    const read = fuzzBatches(seed, count);
    expect(read).toBeGreaterThan(count / 50);
    expect(read).toBeLessThan(count);
  });
});
