/** Shows the log of a part, or where the logs are. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { ServiceError } from '../src/errors';
import { dockerLogs } from './docker';
import { partsOf } from './local';
import { partLog } from './part-log';
import type { StackSettings } from './stack-settings';
import { PART_NAMES, readState } from './state';

const LINES = 200;

/** The last lines of a part's log, going on with `-f`; without a part the list of logs. Gives the exit code. */
export async function showLogs(
  settings: StackSettings,
  args: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const follow = args.includes('-f');
  const part = args.find((arg) => arg !== '-f');
  const state = readState(settings.dir);
  if (state?.mode === 'docker') return dockerLogs({ part, follow, lines: LINES });
  if (part === undefined) {
    print(
      partsOf(state?.connector ?? null)
        .map((name) => `${name.padEnd(11)}${partLog(settings.dir, name)}`)
        .join('\n'),
    );
    print('make logs PART=kafka shows the end of one; ARGS=-f goes on showing it');
    return 0;
  }
  const file = partLog(settings.dir, part);
  if (!existsSync(file)) {
    throw new ServiceError('CONFIG_INVALID', `there is no log of ${part}`, {
      hint: `PART is one of ${PART_NAMES.join(', ')}, maven (the downloads); each has a log once it was started.`,
    });
  }
  const child = spawn('tail', ['-n', String(LINES), ...(follow ? ['-f'] : []), file], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 0);
    });
  });
}
