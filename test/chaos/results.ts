/** The list of seeds that were run and what they came to: a file to which each run adds a line. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../stack/project-root';
import type { Outcome } from './one-seed';

export const CHAOS_DIR = join(projectRoot(), '.stack', 'chaos');
const FILE = join(CHAOS_DIR, 'results.jsonl');

export function readResults(): readonly Outcome[] {
  if (!existsSync(FILE)) return [];
  return readFileSync(FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Outcome);
}

export function addResult(outcome: Outcome): void {
  mkdirSync(CHAOS_DIR, { recursive: true });
  appendFileSync(FILE, `${JSON.stringify(outcome)}\n`);
}
