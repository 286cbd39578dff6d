/** A real Chromium for tests of the live page: CHROMIUM_PATH, one on PATH, or the one from npm, unpacked once. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { projectRoot } from '../../stack/project-root';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The one from npm is for Linux on x64 only. */
function hasPackage(): boolean {
  return (
    process.platform === 'linux' &&
    process.arch === 'x64' &&
    existsSync(join(projectRoot(), 'node_modules', '@sparticuz', 'chromium', 'bin', 'chromium.br'))
  );
}

function installed(): string | null {
  const given = process.env['CHROMIUM_PATH'];
  if (given !== undefined && given !== '') return given;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of NAMES) if (isExecutable(join(folder, name))) return join(folder, name);
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether tests in a browser can run on this machine. */
export function hasBrowser(): boolean {
  return installed() !== null || hasPackage();
}

/** Starts it; close it. */
export async function openBrowser(): Promise<Browser> {
  const own = installed();
  if (own !== null) return chromium.launch({ executablePath: own, args: ['--no-sandbox'] });
  const dir = join(projectRoot(), '.stack', 'browser');
  mkdirSync(dir, { recursive: true });
  // The package is an ES module and unpacks to the folder of temporary files, so it gets a process and a folder of its own.
  const script = `import('@sparticuz/chromium').then(async ({ default: c }) => console.log(await c.executablePath()))`;
  const env = { ...process.env, TMPDIR: dir };
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: projectRoot(), env });
  // Its own list of fonts names a folder of another machine.
  const fonts = join(dir, 'fonts.conf');
  writeFileSync(
    fonts,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>/usr/share/fonts</dir>` +
      `<dir>${join(dir, 'fonts')}</dir><cachedir>${join(dir, 'fonts-cache')}</cachedir></fontconfig>`,
  );
  return chromium.launch({
    executablePath: stdout.trim(),
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
    env: { ...env, FONTCONFIG_FILE: fonts, LANG: 'en_US.UTF-8' },
  });
}
