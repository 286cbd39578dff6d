/** Services with a fault at a named point, and what they said about it. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../stack/project-root';
import { serviceProcess, type ServiceProcess } from '../harness/service-process';
import { waitFor } from '../harness/wait-for';
import type { World } from '../harness/world';

/** A line of the fault's file; see fault-hook.cjs. */
export interface FaultLine {
  readonly pid: number;
  readonly point?: string;
  readonly deed?: string;
  readonly table?: string;
  readonly topic?: string;
  readonly offset?: number;
  readonly end?: number;
  /** The token of an insert that the guard refused. */
  readonly refused?: string;
  /** The offset of a commit that came from a generation that was over. */
  readonly fenced?: number;
}

export interface FaultyService {
  readonly process: ServiceProcess;
  /** What happened so far. */
  lines(): readonly FaultLine[];
  /** Waits until the fault happened, and gives its line. */
  happened(deadlineMs?: number): Promise<FaultLine>;
}

let count = 0;

/** A service with its own folder and log, not started yet. `fault` is `point:n:deed`; settings go over those of the world. */
export function faultyService(
  world: World,
  fault: string | null,
  settings: Readonly<Record<string, string>> = {},
): FaultyService {
  count++;
  const cwd = join(world.stack.dir, `${world.name}-fault-${count}`);
  mkdirSync(cwd, { recursive: true });
  const file = join(cwd, 'fault.jsonl');
  const hook = join(projectRoot(), 'test', 'faults', 'fault-hook.cjs');
  const injected = { NODE_OPTIONS: `--require ${hook}`, FAULT: fault ?? '', FAULT_FILE: file };
  const lines = (): FaultLine[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as FaultLine)
      : [];
  return {
    process: serviceProcess({
      settings: { ...world.settings, INSERT_TIMEOUT_SECONDS: '2', ...settings, ...injected },
      cwd,
      logFile: join(cwd, 'service.log'),
    }),
    lines,
    happened: (deadlineMs = 90_000) =>
      waitFor(() => lines().find(({ point }) => point !== undefined), `the fault ${fault ?? ''} happens`, deadlineMs),
  };
}
