/** The log of a part: where it is, how it is kept short, and its last lines. */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const KEEP_BYTES = 20 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;

export function partLog(dir: string, part: string): string {
  return join(dir, 'logs', `${part}.log`);
}

/** Makes the folder, sets an overlong log aside as `.1`, and gives the size from which new lines start. */
export function prepareLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if (!existsSync(file)) return 0;
  const { size } = statSync(file);
  if (size <= KEEP_BYTES) return size;
  renameSync(file, `${file}.1`);
  return 0;
}

/** The last lines of a file, from byte `from` on; empty when there is no such file. */
export function lastLines(file: string, options: { readonly lines: number; readonly from: number }): readonly string[] {
  if (!existsSync(file)) return [];
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(Math.min(options.from, size), size - TAIL_BYTES);
    const bytes = Buffer.alloc(size - start);
    readSync(descriptor, bytes, 0, bytes.length, start);
    return bytes.toString('utf8').trimEnd().split('\n').slice(-options.lines);
  } finally {
    closeSync(descriptor);
  }
}
