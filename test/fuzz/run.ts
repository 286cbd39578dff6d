/** `npm run fuzz`: damaged bytes for as long as one likes. SECONDS says how long, SEED where it begins. */
import { fuzzBatches } from './batches';
import { fuzzDecoder } from './decoder';

const seconds = Number(process.env['SECONDS'] ?? 60);
const first = Number(process.env['SEED'] ?? 1);
const until = performance.now() + seconds * 1_000;
const all = { changes: 0, skipped: 0, bad: 0, batches: 0 };
let seed = first;
for (; performance.now() < until; seed++) {
  const tally = fuzzDecoder(seed, 20_000);
  all.changes += tally.changes;
  all.skipped += tally.skipped;
  all.bad += tally.bad;
  all.batches += 5_000;
  fuzzBatches(seed, 5_000);
}
process.stdout.write(
  `seeds ${first} to ${seed - 1}: ${all.changes} changes, ${all.skipped} skipped, ${all.bad} bad, ${all.batches} batches; no wrong row, no crash\n`,
);
