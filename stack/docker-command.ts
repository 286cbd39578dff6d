/** Runs the docker command, with a time limit, and tells its lines as they come. */
import { spawn } from 'node:child_process';

/** How the command ended: its exit code (-1: it could not be started, or its time was up) and what it printed. */
export interface DockerResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DockerOptions {
  /** Milliseconds; no limit if not given. */
  readonly timeoutMs?: number;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets each line of standard error, where docker says what it does. */
  readonly onLine?: (line: string) => void;
}

/** `docker <args>`; never rejects. */
export type Docker = (args: readonly string[], options?: DockerOptions) => Promise<DockerResult>;

/** The real one. */
export const runDocker: Docker = (args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn('docker', args, {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    });
    let stdout = '';
    let stderr = '';
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') options.onLine?.(line.trim());
    });
    child.once('error', (error) => {
      resolve({ code: -1, stdout, stderr: error.message });
    });
    child.once('close', (code) => {
      resolve({ code: code ?? -1, stdout, stderr });
    });
  });

/** Runs docker with this terminal as its own, for what goes on until the person stops it. Gives the exit code. */
export async function attachDocker(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn('docker', args, { env: { ...process.env, ...env }, stdio: 'inherit' });
  return new Promise((resolve) => {
    child.once('error', () => {
      resolve(127);
    });
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
}
