/** `verify --json` of a world, with what it said where it has no result. */
import type { Doubts, VerifyResult } from '../../src/verify/result';
import type { World } from './world';

export interface Verified {
  readonly code: number | null;
  readonly result: VerifyResult &
    Doubts & {
      /** Only with `--repair`, where something differed. */
      readonly repair?: { readonly before: VerifyResult; readonly repairs: readonly unknown[] };
    };
}

/** Throws what the command wrote to standard error when it ended without a result, or was killed for taking too long. */
export async function verified(world: Pick<World, 'command'>, ...args: readonly string[]): Promise<Verified> {
  const { code, stdout, stderr } = await world.command(['verify', '--json', ...args]);
  if (!stdout.startsWith('{')) {
    const end = code === null ? 'was killed because it did not end' : `ended with exit code ${code}`;
    throw new Error(`verify ${end}, without a result:\n${stderr}`);
  }
  return { code, result: JSON.parse(stdout) as Verified['result'] };
}
