/** Processes that outlive us: started detached, recognised later by pid, start time and boot, and stopped. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** What makes a process this one and not a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22). */
  readonly startTicks: number;
  /** `/proc/sys/kernel/random/boot_id`. */
  readonly bootId: string;
}

/** How to start a server. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts a process in a session of its own; its output is appended to `log`. Throws what spawn reports. */
export async function startDetached(launch: Launch, log: string): Promise<ProcessIdentity> {
  const output = openSync(log, 'a');
  try {
    const child = spawn(launch.file, launch.args, {
      cwd: launch.cwd,
      env: { ...process.env, ...launch.env },
      detached: true,
      stdio: ['ignore', output, output],
      ...(launch.uid === undefined ? {} : { uid: launch.uid }),
      ...(launch.gid === undefined ? {} : { gid: launch.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? -1;
    // A process that has ended already is a zombie until Node reaps it; one without a start time is simply not running.
    return { pid, startTicks: readStat(pid)?.startTicks ?? -1, bootId: bootId() };
  } finally {
    closeSync(output);
  }
}

/** Our own identity, for lock files. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? -1, bootId: bootId() };
}

/** Whether exactly this process still runs; a zombie does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  const stat = readStat(identity.pid);
  return stat !== null && stat.state !== 'Z' && stat.state !== 'X' && stat.startTicks === identity.startTicks;
}

/** Sends a signal if the process is still ours; says whether it was. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  process.kill(identity.pid, signal);
  return true;
}

/** Sends the signals one after the other until the process has ended; each gets `waitMs`. False: it still runs. */
export async function stopProcess(
  identity: ProcessIdentity,
  options: { readonly signals: readonly NodeJS.Signals[]; readonly waitMs: number },
): Promise<boolean> {
  for (const signal of options.signals) {
    if (!signalProcess(identity, signal)) return true;
    // A stopped process acts on nothing but SIGKILL until it is continued.
    if (signal !== 'SIGKILL') signalProcess(identity, 'SIGCONT');
    const deadline = performance.now() + options.waitMs;
    while (performance.now() < deadline) {
      if (!isRunning(identity)) return true;
      await pause(25);
    }
  }
  return !isRunning(identity);
}

/** Pids of the processes, zombies left out, whose working folder is this one. */
export function processesIn(folder: string): readonly number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder && readStat(pid)?.state !== 'Z';
    } catch {
      return false;
    }
  });
}

/** State letter and start time out of the text of `/proc/<pid>/stat`; the name in it may hold spaces and brackets. */
export function parseStat(text: string): { readonly state: string; readonly startTicks: number } | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTicks = Number(fields[19]);
  return state === undefined || !Number.isFinite(startTicks) ? null : { state, startTicks };
}

function readStat(pid: number): { readonly state: string; readonly startTicks: number } | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

let knownBootId: string | undefined;
function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
}
