/**
 * `npm run test:oracle`: random rows through every wire and mode. IMAGES says how many in all, SEED where it begins; each block has
 * the seed after that of the one before, so that a difference can be told again.
 */
import { BLOCK, checkBlock } from './check';
import { WIRES } from './records';
import { SOME_MODES } from './types';

const ways = WIRES.flatMap((wire) => SOME_MODES.map((modes) => ({ wire, modes })));
const first = Number(process.env['SEED'] ?? Math.floor(Date.now() / 1000));
const blocks = Math.ceil(Number(process.env['IMAGES'] ?? 2_000_000) / BLOCK);
const started = performance.now();
for (let n = 0; n < blocks; n++) {
  const { wire, modes } = ways[n % ways.length] as (typeof ways)[number];
  const problem = checkBlock(wire, modes, first + n, BLOCK);
  if (problem === null) continue;
  process.stdout.write(`seed ${first + n}, ${wire}, ${JSON.stringify(modes)}: ${problem}\n`);
  process.exitCode = 1;
  break;
}
if (process.exitCode === undefined) {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(
    `seeds ${first} to ${first + blocks - 1}: ${blocks * BLOCK} images through ${WIRES.length} wires and ${SOME_MODES.length} sets of modes without a difference, in ${seconds} s\n`,
  );
}
