/** A short run of the chaos suite; `make chaos` runs it for longer. */
import { join } from 'node:path';
import { runSeed } from '../chaos/one-seed';
import { openTestStack } from '../harness/test-stack';
import { scenario } from '../harness/scenario';

const SECONDS = 25;

describe('under fire', () => {
  for (const [seed, wire, partitions] of [
    [1, 'json', 1],
    [2, 'avro', 3],
  ] as const) {
    scenario(
      `seed ${seed} of ${SECONDS} s, as ${wire}, with ${partitions} partitions a table, loses and repeats nothing, and no reader sees a row go back`,
      async () => {
        const outcome = await runSeed({
          seed,
          seconds: SECONDS,
          traits: { wire, partitions, sendsTwice: false },
          dir: join(openTestStack().dir, 'chaos'),
        });
        process.stderr.write(`  seed ${seed}: ${JSON.stringify(outcome.done)}, ${outcome.changes} changes\n`);
        expect(outcome.failures).toEqual([]);
        expect(Object.keys(outcome.done).length).toBeGreaterThan(1);
        expect(outcome.changes).toBeGreaterThan(300);
        expect(outcome.samples).toBeGreaterThan(50);
      },
      480_000,
    );
  }
});
