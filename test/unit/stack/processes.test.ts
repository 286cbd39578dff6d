import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isRunning,
  ownIdentity,
  parseStat,
  processesIn,
  signalProcess,
  startDetached,
  stopProcess,
} from '../../../stack/process-identity';
import { lastLines } from '../../../stack/part-log';

const SLEEPER = 'setInterval(() => undefined, 1000); console.log("it runs")';
const STUBBORN = 'process.on("SIGTERM", () => undefined); setInterval(() => undefined, 1000); console.log("it runs")';

describe('processes that outlive us', () => {
  let dir: string;
  let log: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'stack-process-'));
    log = join(dir, 'part.log');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  const start = async (script: string): ReturnType<typeof startDetached> => {
    const identity = await startDetached({ file: process.execPath, args: ['-e', script], cwd: dir }, log);
    while (!readFileSync(log, 'utf8').includes('it runs')) await new Promise((resolve) => setTimeout(resolve, 20));
    return identity;
  };

  test('run in a session of their own, write to their log, and end when asked', async () => {
    const identity = await start(SLEEPER);
    expect(isRunning(identity)).toBe(true);
    expect(processesIn(dir)).toEqual([identity.pid]);
    const fields = readFileSync(`/proc/${identity.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    // Process group and session are its own pid: a terminal that closes takes neither with it.
    expect([fields[2], fields[3]]).toEqual([String(identity.pid), String(identity.pid)]);
    expect(await stopProcess(identity, { signals: ['SIGTERM'], waitMs: 5_000 })).toBe(true);
    expect(isRunning(identity)).toBe(false);
    expect(processesIn(dir)).toEqual([]);
  });

  test('are killed when they ignore the request', async () => {
    const identity = await start(STUBBORN);
    expect(await stopProcess(identity, { signals: ['SIGTERM'], waitMs: 200 })).toBe(false);
    expect(await stopProcess(identity, { signals: ['SIGTERM', 'SIGKILL'], waitMs: 200 })).toBe(true);
  });

  test('are asked to stop also while they are frozen', async () => {
    const identity = await start(SLEEPER);
    expect(signalProcess(identity, 'SIGSTOP')).toBe(true);
    expect(await stopProcess(identity, { signals: ['SIGTERM'], waitMs: 5_000 })).toBe(true);
  });

  test('are not mistaken for a later one with the same pid, or of another boot', () => {
    const own = ownIdentity();
    expect(isRunning(own)).toBe(true);
    expect(isRunning({ ...own, startTicks: own.startTicks + 1 })).toBe(false);
    expect(isRunning({ ...own, bootId: 'another' })).toBe(false);
    expect(signalProcess({ ...own, startTicks: own.startTicks + 1 }, 'SIGKILL')).toBe(false);
  });

  test('that cannot be started are an error', async () => {
    const missing = join(dir, 'no such program');
    await expect(startDetached({ file: missing, args: [], cwd: dir }, log)).rejects.toThrow('ENOENT');
  });

  test('are recognised whatever their name holds', () => {
    const rest = ['S', ...Array.from({ length: 18 }, (_, index) => String(index)), '4711', '0'].join(' ');
    expect(parseStat(`12 (a ) R b) ${rest}`)).toEqual({ state: 'S', startTicks: 4711 });
    expect(parseStat('12 (broken')).toBeNull();
  });
});

test('the end of a log begins where this start began', () => {
  const dir = mkdtempSync(join(tmpdir(), 'stack-log-'));
  try {
    const file = join(dir, 'part.log');
    writeFileSync(file, 'old\nnew 1\nnew 2\nnew 3\n');
    expect(lastLines(file, { lines: 2, from: 4 })).toEqual(['new 2', 'new 3']);
    expect(lastLines(file, { lines: 9, from: 4 })).toEqual(['new 1', 'new 2', 'new 3']);
    expect(lastLines(join(dir, 'none'), { lines: 9, from: 0 })).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
