/** The connector after parts were killed, with what a person would do for it. */
import { connectorStatus } from '../../src/connect/connector';
import { waitFor } from './wait-for';
import type { World } from './world';

/**
 * Waits until the connector sends heartbeats; its status alone may be one of before. A task that gave up is started
 * again once; Connect itself does not. A worker whose Kafka was killed can lose the thread that reads its offsets
 * (KafkaBasedLog: "Cannot accept new calls when AdminClient is closing", KAFKA-14401) and then answers without ever
 * starting the task: it is restarted once, and `tell` says so.
 */
export async function connectorIsUp(world: World, tell: (line: string) => void): Promise<void> {
  const { CONNECT_URL: connectUrl } = world.stack.env;
  const heartbeats = async (): Promise<number> => {
    // Each has the same key, so all go into one partition, whichever that is.
    const partitions = await world.topics.admin.fetchTopicOffsets(`__debezium-heartbeat.${world.name}`);
    return partitions.reduce((sum, { high }) => sum + Number(high), 0);
  };
  const up = async (deadlineMs: number): Promise<void> => {
    await waitFor(() => world.connectorRuns(), 'the connector runs', deadlineMs);
    const before = await heartbeats();
    await waitFor(async () => (await heartbeats()) > before, 'the connector sends heartbeats', deadlineMs);
  };
  const { tasks } = await connectorStatus({ connectUrl, name: world.name });
  if (tasks.some(({ state }) => state === 'FAILED')) {
    await fetch(`${connectUrl}/connectors/${world.name}/restart?includeTasks=true&onlyFailed=true`, { method: 'POST' });
  }
  await up(30_000).catch(async () => {
    tell('Connect hangs, and is restarted');
    await world.stack.stopPart('connect', 'SIGKILL');
    await world.stack.startPart('connect');
    await up(60_000);
  });
}
