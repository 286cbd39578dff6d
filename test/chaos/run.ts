/**
 * Runs seeds of chaos, one after the other: `make chaos SEED=1 MINUTES=3 SEEDS=50`. Seeds that passed for as long are
 * not run again, so an interrupted run goes on where it stopped. SEED alone runs that seed, passed or not.
 */
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { removeAbandoned, startTestStack } from '../harness/test-stack';
import { runSeed, type Outcome } from './one-seed';
import { addResult, CHAOS_DIR, readResults } from './results';
import { traitsOf } from './traits';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function setting(name: string, fallback: number): number {
  const text = process.env[name] ?? '';
  if (text === '') return fallback;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${name} must be a number above 0, for example ${name}=${fallback}`);
}

function describe({ seed, failures, done, changes, consumers, highestRssMiB }: Outcome): string {
  const deeds = Object.values(done).reduce((sum, count) => sum + count, 0);
  return (
    `seed ${seed}: ${failures.length === 0 ? 'passed' : 'FAILED'}; ${consumers} consumers, ${deeds} deeds, ` +
    `${changes} changes, at most ${highestRssMiB} MiB`
  );
}

/** What a failing seed leaves for a person: its failures, what was done when, and where the logs are. */
function explain({ seed, seconds, failures }: Outcome): void {
  const folder = join(CHAOS_DIR, `seed-${seed}`);
  say(readFileSync(join(folder, 'timeline.log'), 'utf8'));
  for (const failure of failures) say(`  ${failure}`);
  say(`  logs: ${folder}`);
  say(`  again: make chaos SEED=${seed} MINUTES=${seconds / 60}`);
}

/** Each seed has parts of its own, so that none sees what another left, and their logs are its own. */
async function onNewParts(seed: number, seconds: number): Promise<Outcome> {
  const traits = traitsOf(seed);
  const stack = await startTestStack(() => undefined, { sendsTwice: traits.sendsTwice });
  const interrupted = (): void => {
    void stack.remove().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await runSeed({ seed, seconds, traits, dir: CHAOS_DIR });
  } finally {
    process.removeListener('SIGINT', interrupted).removeListener('SIGTERM', interrupted);
    await stack.remove();
  }
}

async function main(): Promise<number> {
  const seconds = Math.round(setting('MINUTES', 3) * 60);
  const first = setting('SEED', 1);
  const count = setting('SEEDS', 1);
  const passed = new Set(
    readResults()
      .filter((result) => result.failures.length === 0 && result.seconds >= seconds)
      .map(({ seed }) => seed),
  );
  const seeds = Array.from({ length: count }, (_, index) => first + index).filter(
    (seed) => count === 1 || !passed.has(seed),
  );
  say(`${seeds.length} of ${count} seeds from ${first} are to be run, ${seconds} s each`);
  if (seeds.length === 0) return 0;
  await removeAbandoned(say);
  let failed = 0;
  for (const seed of seeds) {
    const outcome = await onNewParts(seed, seconds);
    addResult(outcome);
    say(describe(outcome));
    if (outcome.failures.length === 0) continue;
    failed++;
    explain(outcome);
  }
  say(`${seeds.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : 'unknown error');
    process.exit(1);
  },
);
