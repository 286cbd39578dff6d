/** What processes cost: CPU time and memory, as /proc tells. */
import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second on every platform Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process so far, user and system, of all its threads; 0 once it is gone. */
export function cpuSeconds(pid: number): number {
  const text = readProc(pid, 'stat');
  // The name, in parentheses, may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return text === '' ? 0 : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The resident set of a process now, bytes. */
export function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** CPU seconds that all of the machine spent so far, idle left out: what others used meanwhile shows in it. */
export function machineSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  )
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
