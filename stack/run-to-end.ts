/** Runs a command to its end and gives back what it printed. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Exit code (-1: could not be started, or ended by a signal) and both outputs together. */
export async function runToEnd(command: Command): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command.file, command.args, { ...optionsOf(command), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => {
      resolve({ code: -1, output: error.message });
    });
    child.once('close', (code) => {
      resolve({ code: code ?? -1, output });
    });
  });
}

/** The same with the output appended to a file; gives the exit code. */
export async function runIntoLog(command: Command, log: string): Promise<number> {
  const file = openSync(log, 'a');
  try {
    return await new Promise((resolve) => {
      const child = spawn(command.file, command.args, { ...optionsOf(command), stdio: ['ignore', file, file] });
      child.once('error', () => {
        resolve(-1);
      });
      child.once('close', (code) => {
        resolve(code ?? -1);
      });
    });
  } finally {
    closeSync(file);
  }
}

function optionsOf(command: Command): { cwd?: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  return {
    env: { ...process.env, ...command.env },
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    ...(command.uid === undefined ? {} : { uid: command.uid }),
    ...(command.gid === undefined ? {} : { gid: command.gid }),
  };
}
