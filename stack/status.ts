/** What `make status` shows: each part, the connector and its tasks. */
import { connectorStatus, renderStatus } from '../src/connect/connector';
import type { ConnectorStatus } from '../src/connect/connector';
import { dockerStatus } from './docker';
import { openStack, PARTS, partsOf } from './local';
import type { StackHandle } from './local-handle';
import { partLog } from './part-log';
import { portOf } from './part-runner';
import { allUp, statusTable } from './render';
import type { PartStatus } from './render';
import type { StackSettings } from './stack-settings';
import { readState } from './state';
import type { PartName, StackState } from './state';

/** Prints the status; the exit code is 0 only when every part and the connector with its tasks are up. */
export async function showStatus(settings: StackSettings, print: (text: string) => void): Promise<number> {
  const state = readState(settings.dir);
  if (state === null) {
    print('no stack was started yet: make up');
    return 1;
  }
  const parts = state.mode === 'docker' ? await dockerStatus() : await localStatus(settings, state);
  print(statusTable(parts));
  const worker = parts.find((part) => part.part === 'connect');
  const connector = worker?.state === 'up' ? await readConnector(state) : null;
  if (state.connector !== null) {
    print(connector === null ? 'connector: unknown, because Kafka Connect does not answer' : renderStatus(connector));
  }
  return allUp(parts, connector) ? 0 : 1;
}

async function readConnector(state: StackState): Promise<ConnectorStatus | null> {
  if (state.connector === null) return null;
  return connectorStatus({
    connectUrl: state.env.CONNECT_URL,
    secrets: [decodeURIComponent(new URL(state.env.PG_URL).password)],
  });
}

async function localStatus(settings: StackSettings, state: StackState): Promise<readonly PartStatus[]> {
  const stack = openStack({ ...settings, log: () => undefined });
  if (stack === null) return [];
  return Promise.all(partsOf(state.connector).map((name) => partStatus(stack, name)));
}

async function partStatus(stack: StackHandle, name: PartName): Promise<PartStatus> {
  const known = stack.parts()[name];
  const log = partLog(stack.dir, name);
  const running = stack.isUp(name);
  const version = running ? await stack.probe(name) : null;
  return {
    part: name,
    state: !running ? 'down' : version === null ? 'no answer' : 'up',
    port: known?.port ?? portOf(PARTS[name], stack),
    process: running && known !== undefined ? String(known.pid) : '',
    version: version ?? known?.version ?? '',
    log,
  };
}
