/** Removes what a stack has made, and nothing else. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { takeDown } from './mode';
import type { StackSettings } from './stack-settings';

/** What we put into the folder; whatever else is in it is somebody else's. */
const OURS = ['state.json', 'data', 'logs', 'config', 'lock'];

/** Stops the stack and removes its data, logs and state. Downloads stay. */
export async function cleanStack(settings: StackSettings, log: (line: string) => void): Promise<void> {
  await takeDown(settings, log, { data: 'remove' });
  for (const name of OURS) rmSync(join(settings.dir, name), { recursive: true, force: true });
  log(`removed state, data and logs in ${settings.dir}`);
  if (existsSync(settings.partsDir)) log(`kept the downloads in ${settings.partsDir}; make distclean removes them too`);
  if (existsSync(settings.dir) && readdirSync(settings.dir).length === 0) rmdirSync(settings.dir);
}
