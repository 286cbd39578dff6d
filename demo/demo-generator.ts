/** The generator within the demo: for a moment where nobody watches, and for as long as somebody does. */
import { join } from 'node:path';
import { ServiceError } from '../src/errors';
import { withSession } from '../src/postgres/client';
import { DEFAULT_MIX, parseMix } from './generator/mix';
import { generate } from './generator/run';
import type { Screen } from './screen';

const BRIEFLY = { rate: 150, changes: 300 };
const DEFAULT_RATE = 10;

export interface GeneratorParts {
  readonly root: string;
  readonly pgUrl: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** RATE, changes each second; 0: none. Throws CONFIG_INVALID for what is no number. */
export function demoRate(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_RATE;
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (rate === 0 || (rate >= 0.1 && rate <= 10_000)) return rate;
  throw new ServiceError('CONFIG_INVALID', `RATE must be a number of changes each second, and is "${text}".`, {
    hint: 'For example make demo RATE=50; RATE=0 for no changes.',
  });
}

/** Some hundred changes, the same each time on empty tables. */
export async function generateBriefly(parts: GeneratorParts): Promise<void> {
  await run(parts, { ...BRIEFLY, seed: 1, history: false });
}

/** Until the signal aborts. Where it fails that is said, and the demo goes on without. */
export async function generateOn(parts: GeneratorParts, rate: number): Promise<void> {
  try {
    await run(parts, { rate, changes: null, seed: Date.now() >>> 0, history: true });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    parts.screen.say(`the generator cannot go on: ${error.message} ${error.hint}`);
  }
}

async function run(
  { root, pgUrl, screen, signal }: GeneratorParts,
  how: { rate: number; changes: number | null; seed: number; history: boolean },
): Promise<void> {
  const options = { ...how, mix: parseMix(DEFAULT_MIX), seconds: null, yes: true };
  const schemaFile = join(root, 'demo', 'schema.sql');
  await withSession(pgUrl, (session) =>
    generate(options, {
      session,
      schemaFile,
      signal,
      say: (text) => screen.show(text),
      show: everyTenSeconds(screen.say),
    }),
  );
}

function everyTenSeconds(say: (text: string) => void): (text: string) => void {
  let saidAt = performance.now();
  return (text) => {
    if (performance.now() - saidAt < 10_000) return;
    saidAt = performance.now();
    say(text);
  };
}
