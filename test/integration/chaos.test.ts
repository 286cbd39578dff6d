/** A short run of the chaos suite; `make chaos` runs it for longer. */
import { join } from 'node:path';
import { runSeed } from '../chaos/one-seed';
import { openTestStack } from '../harness/test-stack';
import { scenario } from '../harness/scenario';

const SECONDS = 25;

describe('under fire', () => {
  for (const seed of [1, 2]) {
    scenario(
      `seed ${seed} of ${SECONDS} s loses and repeats nothing, and no reader sees a row go back`,
      async () => {
        const outcome = await runSeed({
          seed,
          seconds: SECONDS,
          sendsTwice: false,
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
