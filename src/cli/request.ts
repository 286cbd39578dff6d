/** Has something done by the owners of the partitions: asks the running service, or is the owner itself where none runs. */
import type { RunOptions } from '../app';
import { openControl } from '../clickhouse/control';
import type { Config } from '../config';
import { followAnswers } from '../delivery/follow-answers';
import type { Answer, Request } from '../delivery/request-kinds';
import type { KafkaReader } from '../kafka/reader';
import { pause } from '../retry';
import { watchSignals } from '../shutdown';
import { createLog } from '../telemetry/log';
import { connectTarget, databasesOf } from '../wiring';

/** As shells count: ended by Ctrl-C. */
export const EXIT_INTERRUPTED = 130;

/** What came of a request. */
export type Outcome =
  | { readonly kind: 'answered'; readonly by: 'service' | 'this process'; readonly answers: readonly Answer[] }
  /** Ctrl-C: nobody watches any more; a service goes on. */
  | { readonly kind: 'left'; readonly by: 'service' | 'this process' };

/** What a command that asks the owners of partitions needs of the command line. */
export interface AskingCommand {
  /** Where no service runs, this process becomes it until the answer is there. */
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly form: 'text' | 'json';
  readonly print: (text: string) => void;
}

export interface Asking {
  readonly config: Config;
  readonly reader: Pick<KafkaReader, 'memberCount'>;
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly onAnswers: (answers: readonly Answer[]) => void;
  /** Called once it is known who does it. */
  readonly onBegin: (by: 'service' | 'this process') => void;
}

/** Ctrl-C ends the watching, or the process that does it itself, cleanly. Throws REQUEST_FAILED when nobody answers. */
export async function haveDone(request: Request, asking: Asking): Promise<Outcome> {
  const by = (await asking.reader.memberCount()) > 0 ? 'service' : 'this process';
  asking.onBegin(by);
  const shutdown = watchSignals({
    deadlineMs: asking.config.shutdownDeadlineMs,
    signals: process,
    exit: (code) => process.exit(code),
    onStopping: () => undefined,
    onDeadline: () => undefined,
  });
  const { signal } = shutdown;
  try {
    const answers = by === 'service' ? await askService(request, asking, signal) : await doIt(request, asking, signal);
    return signal.aborted ? { kind: 'left', by } : { kind: 'answered', by, answers };
  } catch (error) {
    if (signal.aborted) return { kind: 'left', by };
    throw error;
  } finally {
    shutdown.finished();
  }
}

async function askService(
  request: Request,
  { config, reader, onAnswers }: Asking,
  signal: AbortSignal,
): Promise<Answer[]> {
  const clickhouse = connectTarget(config);
  const control = openControl(clickhouse, databasesOf(config).machinery);
  try {
    return await followAnswers(request, {
      control,
      memberCount: () => reader.memberCount(),
      onAnswers,
      now: () => performance.now(),
      sleep: pause,
      signal,
    });
  } finally {
    await clickhouse.close();
  }
}

/** As the owner of all partitions, in this process. */
async function doIt(
  request: Request,
  { config, runService, onAnswers }: Asking,
  signal: AbortSignal,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  // A bar and lines of the log would run into each other; warnings are worth it.
  const quiet = process.stderr.isTTY && (config.log.level === 'info' || config.log.level === 'debug');
  const log = createLog({ ...config.log, level: quiet ? 'warn' : config.log.level });
  await runService({
    config,
    log,
    signal,
    once: false,
    replay: null,
    takeOver: false,
    acceptLoss: false,
    job: {
      request,
      onProgress: (progress) => onAnswers([{ state: 'running', progress }]),
      onAnswer: (answer) => void answers.push(answer),
    },
  });
  return answers;
}
