/** Stops the parts after the last integration test, failed or not, and removes what they wrote. */
import { openTestStack } from './test-stack';

export default async function tearDown(): Promise<void> {
  await openTestStack().remove();
}
