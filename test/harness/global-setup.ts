/** Starts the parts before the first integration test; a run that is interrupted takes them along. */
import { removeAbandoned, startTestStack } from './test-stack';

const say = (line: string): void => {
  process.stderr.write(`  ${line}\n`);
};

export default async function setUp(): Promise<void> {
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
