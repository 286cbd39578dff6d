/** Restarting, pausing and resuming a connector that exists, each until it is so. */
import { ServiceError } from '../errors';
import type { HttpEndpoint } from '../security';
import { taskFailed, toStatus, untilRunning, type ConnectorStatus } from './connector';
import { openConnect, pause, type ConnectRest } from './rest';

export interface ConnectorPlace {
  readonly connectUrl: string | HttpEndpoint;
  readonly name: string;
  readonly secrets: readonly string[];
}

const POLL_MS = 200;
const DEADLINE_MS = 60_000;
/** A worker that is not busy takes up a restart within this. */
const MOVES_MS = 2_000;
const STAYS_MS = 2_000;

/** Starts what failed, or everything, and waits until it runs. Throws CONNECTOR_FAILED with the task's error if it does not. */
export async function restartConnector(at: ConnectorPlace, which: 'failed' | 'all'): Promise<ConnectorStatus> {
  const connect = openConnect(at.connectUrl, { secrets: at.secrets });
  const before = await stateOf(connect, at);
  if (before.state === 'STOPPED' || before.state === 'PAUSED') throw wrongState(before, 'connectors resume');
  if (which === 'failed' && before.running) return before;
  await connect.restart(at.name, which);
  await untilItMoves(connect, at);
  return untilItStays(connect, at);
}

/** The request is answered before it is carried out: the states read at once are those of before. */
async function untilItMoves(connect: ConnectRest, at: ConnectorPlace): Promise<void> {
  const deadline = performance.now() + MOVES_MS;
  while (performance.now() < deadline) {
    const status = await stateOf(connect, at);
    const states = [status, ...status.tasks].map(({ state }) => state);
    if (states.some((state) => state !== 'RUNNING' && state !== 'FAILED')) return;
    await pause(POLL_MS / 10);
  }
}

/** The tasks end and keep their place; the slot holds WAL from here on. One that had failed stays failed. */
export async function pauseConnector(at: ConnectorPlace): Promise<ConnectorStatus> {
  const connect = openConnect(at.connectUrl, { secrets: at.secrets });
  await stateOf(connect, at);
  await connect.pause(at.name);
  return untilState(connect, at, ({ state, tasks }) => {
    return state === 'PAUSED' && tasks.every((task) => task.state === 'PAUSED' || task.state === 'FAILED');
  });
}

/** From paused or stopped; it goes on where it was. Kafka Connect itself leaves a task alone that had failed before. */
export async function resumeConnector(at: ConnectorPlace): Promise<ConnectorStatus> {
  const connect = openConnect(at.connectUrl, { secrets: at.secrets });
  const before = await stateOf(connect, at);
  await connect.resume(at.name);
  if (taskFailed(before)) {
    await connect.restart(at.name, 'failed');
    await untilItMoves(connect, at);
  }
  return untilItStays(connect, at);
}

/** A task counts as RUNNING before Debezium has looked at slot and publication, and fails a moment later. */
async function untilItStays(connect: ConnectRest, at: ConnectorPlace): Promise<ConnectorStatus> {
  await untilRunning(connect, { ...at, deadlineMs: DEADLINE_MS });
  await pause(STAYS_MS);
  return untilRunning(connect, { ...at, deadlineMs: DEADLINE_MS });
}

async function stateOf(connect: ConnectRest, { name, secrets }: ConnectorPlace): Promise<ConnectorStatus> {
  const raw = await connect.status(name);
  if (raw !== null) return toStatus(name, raw, secrets);
  throw new ServiceError('CONNECTOR_FAILED', `there is no connector ${name}`, {
    hint: 'Set CONNECTOR_NAME to the one that is meant, or make it: debezium-clickhouse connectors apply',
  });
}

async function untilState(
  connect: ConnectRest,
  at: ConnectorPlace,
  reached: (status: ConnectorStatus) => boolean,
): Promise<ConnectorStatus> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const status = await stateOf(connect, at);
    if (reached(status)) return status;
    if (performance.now() > deadline) throw wrongState(status, 'connectors status');
    await pause(POLL_MS);
  }
}

function wrongState(status: ConnectorStatus, command: string): ServiceError {
  return new ServiceError('CONNECTOR_FAILED', `the connector ${status.name} is ${status.state}`, {
    hint: `Nothing was changed. Run: debezium-clickhouse ${command}`,
  });
}
