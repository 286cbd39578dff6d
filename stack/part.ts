/** What every part of the local stack has in common, and the look at whether a server answers. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ServiceError } from '../src/errors';
import type { DownloadName } from './downloads';
import { lastLines, prepareLog } from './part-log';
import type { Launch } from './process-identity';
import { runIntoLog } from './run-to-end';
import type { PortName, Ports } from './stack-settings';
import type { PartName } from './state';

/** What a part is told about its stack. Paths are absolute. */
export interface PartContext {
  readonly root: string;
  readonly dir: string;
  readonly partsDir: string;
  readonly ports: Ports;
  /** Whether the Avro converter and the registry belong to the stack. */
  readonly avro: boolean;
  /** Connect without its exactly-once: after a crash it sends again what it had sent. */
  readonly sendsTwice: boolean;
  readonly pgUrl: string;
  readonly pgPassword: string;
  /** Where the part's output goes. */
  readonly log: string;
}

/** One server of the stack. */
export interface Part {
  readonly name: PartName;
  /** The first is the one that clients use. */
  readonly ports: readonly PortName[];
  /** What must be downloaded for it. */
  downloads(avro: boolean): readonly DownloadName[];
  /** Parts that must be ready before it starts. */
  readonly after: readonly PartName[];
  /** What it is started with beyond its ports: a running one of another variant is restarted. */
  variant(avro: boolean): string;
  /** Makes data folder and configuration where they are missing, and says how to start. */
  prepare(context: PartContext): Promise<Launch>;
  /** The server's version once it answers, else null. Never throws. */
  probe(context: PartContext): Promise<string | null>;
  /** In this order, until it has ended. */
  readonly stopSignals: readonly NodeJS.Signals[];
}

export function dataFolder(context: { readonly dir: string }, part: PartName): string {
  return join(context.dir, 'data', part);
}

/** Runs a command that prepares a part, its output in the part's log. Throws STACK_FAILED with its last lines. */
export async function prepareWith(context: PartContext, name: string, launch: Launch): Promise<void> {
  const from = prepareLog(context.log);
  const code = await runIntoLog(launch, context.log);
  if (code === 0) return;
  const tail = lastLines(context.log, { lines: 15, from }).map((line) => `    ${line}`);
  throw new ServiceError('STACK_FAILED', `${name} failed (code ${code}); the end of its output:\n${tail.join('\n')}`, {
    hint: `The whole log: ${context.log}. The other parts were left as they are; mend it and run \`make up\` again.`,
  });
}

/** Fills `${NAME}` in a template of `stack/`. */
export function fillTemplate(root: string, file: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(root, 'stack', file), 'utf8');
  return text.replace(/\$\{([A-Z_]+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** GET: the body of a 200, null for anything else. */
export async function httpGet(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const body = await response.text();
    return response.status === 200 ? body : null;
  } catch {
    return null;
  }
}

/** Sends bytes to a loopback port; whether any byte came back within two seconds. */
export async function answers(port: number, request: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(2_000, () => {
      end(false);
    });
    socket.once('connect', () => socket.write(request));
    socket.once('data', () => {
      end(true);
    });
    socket.once('error', () => {
      end(false);
    });
    socket.once('close', () => {
      end(false);
    });
  });
}
