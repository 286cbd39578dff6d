/** The stack under the demo: taken as it is if it is up, else started. */
import { ServiceError } from '../src/errors';
import { dockerStatus } from '../stack/docker';
import { openStack } from '../stack/local';
import { bringUp } from '../stack/mode';
import type { StackSettings } from '../stack/stack-settings';
import { PART_NAMES, readState, type StackState } from '../stack/state';

type Log = (line: string) => void;

/** Whether any part runs: what runs already is somebody else's to stop. */
export async function isStackUp(settings: StackSettings): Promise<boolean> {
  const state = readState(settings.dir);
  if (state === null) return false;
  if (state.mode === 'docker') return (await dockerStatus()).some((part) => part.state === 'up');
  const stack = openStack({ ...settings, log: () => undefined });
  return stack !== null && PART_NAMES.some((name) => stack.isUp(name));
}

/** Starts what is not up, with the plain JSON connector. Throws what the stack throws, each with its remedy. */
export async function raiseStack(
  settings: StackSettings,
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
): Promise<StackState> {
  requirePlainJson(settings, readState(settings.dir));
  await bringUp({ ...settings, connector: 'json' }, environment, log);
  const state = readState(settings.dir);
  if (state !== null) return state;
  throw new ServiceError('STACK_FAILED', 'the stack is up, but its state file is missing', {
    hint: 'Run make down, then make demo again.',
  });
}

/** Topics that hold another wire stay in Kafka, and the service refuses them by name. */
function requirePlainJson(settings: StackSettings, state: StackState | null): void {
  const other = settings.connector ?? state?.connector ?? 'json';
  if (other === 'json') return;
  throw new ServiceError(
    'CONFIG_INVALID',
    `the demo needs the plain JSON connector, and this stack has CONNECTOR=${other}`,
    {
      hint: 'Begin anew with make clean and make demo, or beside it: make demo STACK_DIR=.stack-demo CONNECTOR=json',
    },
  );
}
