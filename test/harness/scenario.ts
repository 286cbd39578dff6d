/** A test that shows the end of the service's log when it fails. */
import { existsSync, readFileSync } from 'node:fs';

const LINES = 40;
const logs = new Set<string>();

/** From here on a failing scenario of this test file shows this file. */
export function showWhenFailing(logFile: string): void {
  logs.add(logFile);
}

/** `it`, with the log. */
export function scenario(sentence: string, body: () => Promise<void>, timeoutMs?: number): void {
  it(sentence, () => withLogs(sentence, body), timeoutMs);
}

/** For `beforeAll`: the log is shown when the preparation fails. */
export async function withLogs(what: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    for (const log of logs) {
      if (!existsSync(log)) continue;
      const tail = readFileSync(log, 'utf8').trimEnd().split('\n').filter(isTelling).slice(-LINES).join('\n');
      process.stderr.write(`\nthe end of the service's log, for "${what}":\n${tail}\n`);
    }
    throw error;
  }
}

/** Heartbeats arrive all the time. */
function isTelling(line: string): boolean {
  return !line.includes('"event":"records-skipped"');
}
