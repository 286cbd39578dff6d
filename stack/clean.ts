/** Removes what a stack has made, and nothing else. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DOWNLOADS } from './downloads';
import type { DownloadName } from './downloads';
import { takeDown } from './mode';
import type { StackSettings } from './stack-settings';

/** What we put into the folder; whatever else is in it is somebody else's. */
const OURS = ['state.json', 'data', 'logs', 'config', 'lock'];

/** Stops the stack and removes its data, logs and state; the downloads only when asked to. */
export async function cleanStack(
  settings: StackSettings,
  options: { readonly downloads: 'keep' | 'remove'; readonly log: (line: string) => void },
): Promise<void> {
  const { dir, partsDir } = settings;
  const { log } = options;
  await takeDown(settings, log, { data: 'remove' });
  for (const name of OURS) rmSync(join(dir, name), { recursive: true, force: true });
  log(`removed state, data and logs in ${dir}`);
  if (options.downloads === 'remove') {
    removeDownloads(partsDir);
    log(`removed the downloads in ${partsDir}`);
  } else if (existsSync(partsDir)) {
    log(`kept the downloads in ${partsDir}; make distclean removes them too`);
  }
  removeIfEmpty(dir);
}

function removeDownloads(partsDir: string): void {
  const names = Object.keys(DOWNLOADS) as DownloadName[];
  for (const entry of existsSync(partsDir) ? readdirSync(partsDir) : []) {
    const ours = names.some((name) => entry.startsWith(`${name}-`) || entry.startsWith(`.${name}-`));
    if (ours) rmSync(join(partsDir, entry), { recursive: true });
  }
  removeIfEmpty(partsDir);
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
