/** Starts one part, waits until it answers, and explains it when it does not. */
import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../src/errors';
import type { Part, PartContext } from './part';
import { lastLines, prepareLog } from './part-log';
import { isRunning, startDetached } from './process-identity';
import type { ProcessIdentity } from './process-identity';
import type { PartState } from './state';

const POLL_MS = 100;
/** Until a part must answer. The slowest, Connect, takes 5 s on two cores; a busy machine gets much more. */
export const READY_MS = 180_000;

export interface PartRun {
  readonly part: Part;
  readonly context: PartContext;
  readonly log: (line: string) => void;
  /** Told as soon as the process exists and again when it is ready, so that no process is ever unknown. */
  readonly onStarted: (state: PartState) => void;
}

/** Starts the part and waits until it is ready. Throws STACK_FAILED with the last lines of its log; it is left as it is. */
export async function startPart(run: PartRun): Promise<PartState> {
  const { part, context, log } = run;
  const started = performance.now();
  const from = prepareLog(context.log);
  const port = portOf(part, context);
  log(`starting on port ${port}`);
  const launch = await part.prepare(context);
  const state: PartState = {
    ...(await startDetached(launch, context.log)),
    port,
    version: '',
    log: context.log,
    startedAt: new Date().toISOString(),
    variant: part.variant(context.avro),
  };
  run.onStarted(state);
  const version = await untilReady(run, state);
  if (version === null) throw failed(run, 'ended before it was ready', lastLines(context.log, { lines: 15, from }));
  const ready = { ...state, version };
  run.onStarted(ready);
  log(`ready in ${((performance.now() - started) / 1000).toFixed(1)} s (${version})`);
  return ready;
}

/** Waits until a part that runs already answers. Throws STACK_FAILED as `startPart` does. */
export async function awaitPart(run: PartRun, state: PartState): Promise<void> {
  const version = await untilReady(run, state);
  if (version === null) throw failed(run, 'ended', lastLines(run.context.log, { lines: 15, from: 0 }));
  run.log(`already up on port ${state.port} (${version})`);
  if (version !== state.version) run.onStarted({ ...state, version });
}

/** Its version; null when it has ended. Throws STACK_FAILED when it does not answer in time. */
async function untilReady(run: PartRun, identity: ProcessIdentity): Promise<string | null> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline) {
    const running = isRunning(identity);
    const version = running ? await run.part.probe(run.context) : null;
    // Asked again after the answer: it may have come from another program on the same port.
    if (version !== null && isRunning(identity)) return version;
    if (!running) return null;
    await pause(POLL_MS);
  }
  throw failed(run, `did not answer within ${READY_MS / 1000} s`, lastLines(run.context.log, { lines: 15, from: 0 }));
}

function failed(run: PartRun, what: string, tail: readonly string[]): ServiceError {
  const lines = tail.map((line) => `    ${line}`).join('\n');
  return new ServiceError('STACK_FAILED', `${run.part.name} ${what}; the end of its log:\n${lines}`, {
    hint: `The whole log of ${run.part.name}: ${run.context.log}. The other parts were left as they are; mend it and run \`make up\` again.`,
  });
}

export function portOf(part: Part, context: Pick<PartContext, 'ports'>): number {
  const [first] = part.ports;
  return first === undefined ? 0 : context.ports[first];
}
