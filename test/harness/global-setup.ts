/** Starts the parts before the first integration test, unless TEST_STACK_DIR names some; a run that is interrupted takes them along. */
import { hasTestStack, removeAbandoned, startTestStack } from './test-stack';

const say = (line: string): void => {
  process.stderr.write(`  ${line}\n`);
};

/** Read by the teardown, which runs in the same process: what was given is left running. */
export const GIVEN = 'TEST_STACK_GIVEN';

export default async function setUp(): Promise<void> {
  if (hasTestStack()) {
    process.env[GIVEN] = '1';
    return;
  }
  await removeAbandoned(say);
  const started = performance.now();
  const stack = await startTestStack(say);
  say(`the parts are up after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void stack.remove().finally(() => process.exit(130));
    });
  }
}
