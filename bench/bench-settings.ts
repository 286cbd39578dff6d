/** What a benchmark run was asked for: `make bench CHANGES=… REPEAT=… WIRE=…`. */
import { join } from 'node:path';
import { PROFILES, type Profile } from '../src/connect/profile';
import { projectRoot } from '../stack/project-root';

/** Everything the benchmarks make: their parts, the facts of the topics, results. */
export const BENCH_DIR = join(projectRoot(), '.stack', 'bench');
export const RESULTS_DIR = join(BENCH_DIR, 'results');
export const PARTS_DIR = join(projectRoot(), '.stack', 'parts');

/** The number in the environment under this name; throws where it is none or not above 0. */
export function numberSetting(name: string, fallback: number): number {
  const text = process.env[name] ?? '';
  if (text === '') return fallback;
  const value = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${name} must be a number above 0, for example ${name}=${fallback}`);
}

/** The comma-separated words in the environment, each one of `known`; all of them where nothing is set. */
export function choiceSetting<T extends string>(name: string, known: readonly T[]): readonly T[] {
  const words = (process.env[name] ?? '').split(',').filter((word) => word !== '');
  const wrong = words.find((word) => !known.includes(word as T));
  if (wrong !== undefined) throw new Error(`${name} has no ${wrong}; it knows ${known.join(', ')}`);
  return words.length === 0 ? known : (words as T[]);
}

export function wireSetting(): Profile {
  return process.env['WIRE'] === undefined ? 'json' : (choiceSetting('WIRE', PROFILES)[0] ?? 'json');
}

/** Whether the parts stay up when the benchmark ends, for the next one: KEEP=1. */
export function keepsParts(): boolean {
  return (process.env['KEEP'] ?? '') !== '';
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
