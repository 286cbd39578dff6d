/** Stops the parts after the last integration test, failed or not, and removes what they wrote. */
import { GIVEN } from './global-setup';
import { openTestStack } from './test-stack';

export default async function tearDown(): Promise<void> {
  if (process.env[GIVEN] === undefined) await openTestStack().remove();
}
