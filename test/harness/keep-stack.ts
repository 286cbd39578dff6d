/** Keeps parts running for several runs of integration tests: `npm run test:stack`, until Ctrl-C. */
import { startTestStack } from './test-stack';

async function main(): Promise<void> {
  const stack = await startTestStack((line) => process.stderr.write(`  ${line}\n`));
  process.stdout.write(`export TEST_STACK_DIR='${stack.dir}'\n`);
  const alive = setInterval(() => undefined, 60_000);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(alive);
      void stack.remove();
    });
  }
}

void main();
