/** Commands that wait for topics to be read would wait for ever while these hold by order: they say so instead. */
import { openControl } from '../clickhouse/control';
import type { Config } from '../config';
import { EVERYTHING, pausesIn } from '../delivery/pauses';
import { ServiceError } from '../errors';
import { connectTarget, databasesOf } from '../wiring';

/** Throws REQUEST_FAILED where one of the topics holds; `topics` null: any of them. */
export async function refuseWhilePaused(
  config: Config,
  what: 'verify' | 'replay',
  topics: readonly string[] | null,
): Promise<void> {
  const clickhouse = connectTarget(config);
  try {
    const pauses = await pausesIn(openControl(clickhouse, databasesOf(config).machinery)).list();
    const holding = pauses
      .map(({ topic }) => topic)
      .filter((topic) => topic === EVERYTHING || topics === null || topics.includes(topic));
    if (holding.length === 0) return;
    const names = holding.includes(EVERYTHING) ? 'Everything' : holding.join(', ');
    throw new ServiceError('REQUEST_FAILED', `${names} is paused, so ${what} would wait in vain.`, {
      hint: 'resume ends the pause; then ask again.',
    });
  } catch (error) {
    // Without a target nothing is paused, and the command says itself what is missing.
    if (error instanceof ServiceError && error.code === 'CLICKHOUSE_QUERY_FAILED') return;
    throw error;
  } finally {
    await clickhouse.close();
  }
}
