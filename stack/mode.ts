/** Docker or local: chooses, says why, and brings the stack up or down that way. */
import { PLACEHOLDER_DEFAULTS } from '../src/connect/profile';
import type { Profile } from '../src/connect/profile';
import { ServiceError } from '../src/errors';
import { dockerDown, dockerUp, tryDocker } from './docker';
import { openStack, startStack } from './local';
import type { StackMode, StackSettings } from './stack-settings';
import { readState } from './state';
import type { StackState } from './state';

type Log = (line: string) => void;
type Environment = Readonly<Record<string, string | undefined>>;

/** Starts the stack the way that was asked for or that works here. Throws what the parts throw. */
export async function bringUp(settings: StackSettings, environment: Environment, log: Log): Promise<void> {
  const state = readState(settings.dir);
  const mode = await chooseMode(settings, state, log);
  const connector = settings.connector === undefined ? (state?.connector ?? 'json') : settings.connector;
  if (mode === 'docker') await dockerUp({ settings, connector, environment, log });
  else await bringUpLocal({ settings, connector, environment, log });
}

/** Stops the stack that the state file names. Data stays unless it is to be removed. */
export async function takeDown(
  settings: StackSettings,
  log: Log,
  options: { readonly data: 'keep' | 'remove' } = { data: 'keep' },
): Promise<void> {
  const state = readState(settings.dir);
  if (state === null) {
    log('nothing to stop: no stack was started here');
    return;
  }
  if (state.mode === 'docker') await dockerDown({ settings, data: options.data, log });
  else await openStack({ ...settings, log })?.stop();
  log('the stack is down');
}

async function chooseMode(settings: StackSettings, state: StackState | null, log: Log): Promise<StackMode> {
  if (settings.mode !== undefined) {
    log(`${settings.mode === 'docker' ? 'Docker' : 'local'} stack, because STACK=${settings.mode}`);
    if (settings.mode === 'docker') await requireDocker();
    return settings.mode;
  }
  if (state !== null) {
    log(`${state.mode === 'docker' ? 'Docker' : 'local'} stack, as before; STACK=docker or STACK=local chooses`);
    return state.mode;
  }
  const docker = await tryDocker();
  log(docker.usable ? 'Docker stack, because its daemon answers' : `local stack, because ${docker.reason}`);
  return docker.usable ? 'docker' : 'local';
}

async function requireDocker(): Promise<void> {
  const docker = await tryDocker();
  if (docker.usable) return;
  throw new ServiceError('STACK_FAILED', `Docker cannot be used: ${docker.reason}`, {
    hint: 'Start Docker, or run the same parts as local processes: make up STACK=local',
  });
}

async function bringUpLocal(options: {
  readonly settings: StackSettings;
  readonly connector: Profile | null;
  readonly environment: Environment;
  readonly log: Log;
}): Promise<void> {
  const { settings, connector, environment, log } = options;
  const names = Object.keys(PLACEHOLDER_DEFAULTS);
  const connectorSettings = Object.fromEntries(names.map((name) => [name, environment[name]]));
  const { dir, partsDir, ports } = settings;
  await startStack({ dir, partsDir, ports, connector, connectorSettings, log });
}
