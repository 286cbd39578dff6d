/** Runs a command of this package to its end, with settings from nowhere but the test. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../stack/project-root';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Program = 'src/main.js' | 'stack/main.js' | 'demo/generate.js';

/** The compiled program; `make test` compiles before it runs the tests. */
export function program(name: Program): string {
  return join(projectRoot(), process.env['TEST_DIST'] ?? 'dist', name);
}

/** Runs a program to its end; killed after `deadlineMs` (60 s), then `code` is null. */
export function runCommand(options: {
  readonly program: Program;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly deadlineMs?: number;
}): Promise<Ended> {
  const { args, env, cwd, deadlineMs = 60_000 } = options;
  const child = spawn(process.execPath, [program(options.program), ...args], {
    cwd,
    // No setting of the shell that runs the tests may slip in; PATH only unless the test says otherwise.
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, ...output });
    });
  });
}
