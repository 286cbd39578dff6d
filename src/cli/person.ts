/** Who runs a command, and whether they agree to what it is about to do. */
import { hostname, userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';

/** `name@machine`, to be written down beside a decision. */
export function whoAsks(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without a name, as in some containers.
    return `uid ${String(process.getuid?.() ?? '?')}@${hostname()}`;
  }
}

/**
 * `yes` agrees beforehand; at a terminal it is asked, and Ctrl-C at the question is a no. `unasked`: what counts where
 * nobody can be asked.
 */
export async function agreed(question: string, yes: true | undefined, unasked: 'yes' | 'no'): Promise<boolean> {
  if (yes === true) return true;
  if (!process.stdin.isTTY) return unasked === 'yes';
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `).catch(() => '');
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
