/**
 * The offsets of records whose transaction was aborted, read from the broker's own files by Kafka's own tool: kafkajs and
 * the service both filter them by rules of their own, so neither can be the judge.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { downloadFolder } from '../../stack/downloads';
import { requireJava } from '../../stack/needed-tools';
import { projectRoot } from '../../stack/project-root';

const run = promisify(execFile);

/** `topic:partition:offset` of each record of an aborted or unfinished transaction; null where the files cannot be seen. */
export async function abortedRecords(stackDir: string, topicPrefix: string): Promise<ReadonlySet<string> | null> {
  const data = join(stackDir, 'data', 'kafka');
  if (!existsSync(data)) return null;
  const folders = readdirSync(data).filter((name) => name.startsWith(`${topicPrefix}.public.`));
  const files = folders.flatMap((folder) =>
    readdirSync(join(data, folder))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => join(data, folder, name)),
  );
  if (files.length === 0) return new Set();
  const root = projectRoot();
  const jars = join(downloadFolder({ root, partsDir: join(root, '.stack', 'parts') }, 'kafka'), 'jars', '*');
  const { stdout } = await run(
    await requireJava(),
    [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      jars,
      'org.apache.kafka.tools.DumpLogSegments',
      '--deep-iteration',
      '--files',
      files.join(','),
    ],
    { maxBuffer: 1 << 30 },
  );
  return abortedIn(stdout);
}

/** Reads the tool's output: batches name their producer, and a control record says how its transaction ended. */
export function abortedIn(text: string): ReadonlySet<string> {
  const aborted = new Set<string>();
  const open = new Map<string, string[]>();
  let place = '';
  let producer = '';
  let transactional = false;
  const abort = (of: string): void => {
    for (const offset of open.get(of) ?? []) aborted.add(offset);
    open.delete(of);
  };
  const record = ([, offset, rest = '']: RegExpExecArray): void => {
    const marker = /endTxnMarker: (\w+)/.exec(rest);
    if (marker === null) {
      if (!open.has(producer)) open.set(producer, []);
      open.get(producer)?.push(`${place}:${offset}`);
    } else if (marker[1] === 'ABORT') abort(producer);
    else open.delete(producer);
  };
  const enter = (next: string): void => {
    // A transaction may go on in the next file of the same partition.
    if (next !== place) for (const unfinished of [...open.keys()]) abort(unfinished);
    place = next;
  };
  for (const line of text.split('\n')) {
    const [, file, partition] = /^Dumping .*[/]([^/]+)-(\d+)[/]\d+\.log/.exec(line) ?? [];
    const batch = /^baseOffset: .* producerId: (-?\d+) .*isTransactional: (true|false)/.exec(line);
    const found = /^\| offset: (\d+) (.*)$/.exec(line);
    if (file !== undefined) enter(`${file}:${partition}`);
    if (batch !== null) [, producer = ''] = batch;
    if (batch !== null) transactional = batch[2] === 'true';
    if (found !== null && transactional) record(found);
  }
  enter('');
  return aborted;
}
