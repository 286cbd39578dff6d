/** Requests of commands to a running service, through `control`: one writer, so the owners of the partitions carry them out. */
import type { Control } from '../clickhouse/control';
import type { Emit } from '../events';
import { patiently } from './patience';
import { carryOut, parseRequest, type Answer, type Request, type RequestTools } from './request-kinds';

/** Requests that nobody set for so long are not carried out: who asked has given up. */
const OLDEST_MS = 60_000;
const LOOK_MS = 2_000;
/** How often an answer that is not the last one is written again, so that who waits sees that the process lives. */
const WRITE_MS = 1_000;

const REQUEST = 'request:';
const ANSWER = 'answer:';

export function requestName(id: string): string {
  return `${REQUEST}${id}`;
}

/** Each process of the group answers for itself: the prefix of all their answers. */
export function answersTo(id: string): string {
  return `${ANSWER}${id}:`;
}

export function answerName(id: string, processId: string): string {
  return `${answersTo(id)}${processId}`;
}

/** True for an answer after which no other comes. */
export function isFinal({ state }: Answer): boolean {
  return state !== 'waiting' && state !== 'running';
}

export interface RequestHandling extends RequestTools {
  readonly control: Control;
  /** Names this process among those of the group. */
  readonly processId: string;
  readonly emit: Emit;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Looks for requests until the signal aborts; carries them out one after the other. Answers are written by this loop
 * alone and in order, so that no late one hides the last. An abort lets the request in hand end, and says how.
 */
export async function answerRequests(handling: RequestHandling, signal: AbortSignal): Promise<void> {
  const { control, processId, emit, sleep } = handling;
  const waiting = { signal, emit };
  const handled = new Set<string>();
  const answers = new Map<string, Answer>();
  let work = Promise.resolve();

  const takeUp = (id: string, request: Request | null): void => {
    handled.add(id);
    if (request === null) {
      answers.set(id, { state: 'failed', message: 'the service does not know what is asked; its version is another' });
      return;
    }
    answers.set(id, { state: 'waiting' });
    work = work.then(async () => {
      if (signal.aborted) {
        answers.set(id, { state: 'failed', message: 'the service was stopped before it began' });
        return;
      }
      answers.set(id, { state: 'running' });
      answers.set(id, await carryOut(request, handling, (progress) => answers.set(id, { state: 'running', progress })));
    });
  };

  const write = async (): Promise<void> => {
    for (const [id, answer] of answers) {
      await control.set(answerName(id, processId), JSON.stringify(answer));
      if (isFinal(answer) && answers.get(id) === answer) answers.delete(id);
    }
  };

  try {
    while (!signal.aborted) {
      for (const { name, value, ageMs } of await patiently(() => control.newest(REQUEST), waiting)) {
        const id = name.slice(REQUEST.length);
        if (!handled.has(id) && ageMs <= OLDEST_MS) takeUp(id, parseRequest(value));
      }
      await patiently(write, waiting);
      await sleep(answers.size > 0 ? WRITE_MS : LOOK_MS, signal);
    }
  } finally {
    await work;
    // Who asked finds out by itself when ClickHouse is away.
    await write().catch(() => undefined);
  }
}
