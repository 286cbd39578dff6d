/** The parts that come from Maven Central: downloaded once, whole or not at all, into a folder named by their version. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../src/errors';
import { requireMaven } from './needed-tools';
import { lastLines, partLog, prepareLog } from './part-log';
import { runIntoLog } from './run-to-end';
import type { Command } from './run-to-end';

/** What each pom of `stack/` brings, and about how much of it, as measured. */
export const DOWNLOADS = {
  kafka: { title: 'Kafka and Kafka Connect', megabytes: 55 },
  debezium: { title: 'Debezium PostgreSQL connector', megabytes: 5 },
  'avro-converter': { title: 'Avro converter', megabytes: 56 },
  registry: { title: 'Apicurio Registry', megabytes: 136 },
} as const;
export type DownloadName = keyof typeof DOWNLOADS;

export interface DownloadPlace {
  readonly root: string;
  readonly partsDir: string;
  /** Where Maven's output goes: `logs/maven.log` in it. */
  readonly dir: string;
  readonly log: (line: string) => void;
}

/** The version that the pom pins, its property `part.version`. */
export function pinnedVersion(root: string, name: DownloadName): string {
  const match = /<part\.version>([^<]+)</.exec(readFileSync(pomFile(root, name), 'utf8'));
  if (match?.[1] === undefined) throw new Error(`no part.version in the pom of ${name}`);
  return match[1];
}

/** Where a download is or will be; `jars/` in it holds the jars, an archive is unpacked beside. */
export function downloadFolder(place: { root: string; partsDir: string }, name: DownloadName): string {
  return join(place.partsDir, `${name}-${pinnedVersion(place.root, name)}`);
}

/** Downloads what is missing, one after the other. Throws STACK_FAILED with Maven's last lines. */
export async function ensureDownloads(place: DownloadPlace, names: readonly DownloadName[]): Promise<void> {
  for (const name of names) {
    if (!existsSync(downloadFolder(place, name))) await download(place, name);
  }
}

async function download(place: DownloadPlace, name: DownloadName): Promise<void> {
  const maven = requireMaven();
  const { title, megabytes } = DOWNLOADS[name];
  const target = downloadFolder(place, name);
  const started = performance.now();
  place.log(`${title} ${pinnedVersion(place.root, name)}: downloading about ${megabytes} MB from Maven Central, once`);
  mkdirSync(place.partsDir, { recursive: true });
  const fresh = mkdtempSync(join(place.partsDir, `.${name}-`));
  try {
    const jars = join(fresh, 'jars');
    const pom = pomFile(place.root, name);
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${jars}`];
    const args = ['-B', '-ntp', '-Dstyle.color=never', '-f', pom, ...goal];
    await run(place, title, { file: maven, args });
    for (const archive of readdirSync(jars).filter((file) => file.endsWith('.tar.gz'))) {
      await run(place, title, { file: 'tar', args: ['-xzf', join(jars, archive), '-C', fresh] });
      rmSync(join(jars, archive));
    }
    publish(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  place.log(`${title}: downloaded, ${(folderBytes(target) / 1e6).toFixed(0)} MB unpacked, in ${seconds} s`);
}

/** Another stack may have downloaded the same meanwhile; then theirs stays. */
function publish(fresh: string, target: string): void {
  try {
    renameSync(fresh, target);
  } catch (cause) {
    if (!existsSync(target)) throw cause;
  }
}

async function run(place: DownloadPlace, title: string, command: Command): Promise<void> {
  const log = partLog(place.dir, 'maven');
  const from = prepareLog(log);
  const code = await runIntoLog(command, log);
  if (code === 0) return;
  const tail = lastLines(log, { lines: 12, from }).map((line) => `    ${line}`);
  throw new ServiceError('STACK_FAILED', `${title} could not be downloaded:\n${tail.join('\n')}`, {
    hint: `Is Maven Central (or the mirror of your Maven settings) reachable? The whole output is in ${log}; then \`make up\` again.`,
  });
}

function pomFile(root: string, name: DownloadName): string {
  return join(root, 'stack', name, 'pom.xml');
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}
