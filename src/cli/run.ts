/** The `run` command: the service until it is told to stop, from where it stopped or from further back. */
import { Option, type Command } from 'commander';
import type { RunOptions, ShownChange } from '../app';
import { changesTable } from './changes';
import type { Config } from '../config';
import { ServiceError } from '../errors';
import { parseMoment, parseOffsets, type ReplayFrom, type ReplayRequest } from '../plan/replay';
import { watchSignals } from '../shutdown';
import { createLog } from '../telemetry/log';

/** Where standard output is no terminal. */
const WIDTH_WITHOUT_TERMINAL = 160;
/** How many changes `--once` shows. */
const LAST_CHANGES = 10;

export interface ReplayFlags {
  readonly fromBeginning?: true;
  readonly fromOffset?: string;
  readonly fromTimestamp?: string;
  readonly tables?: string;
}

export interface RunFlags extends ReplayFlags {
  readonly once?: true;
  readonly takeOver?: true;
  readonly acceptLoss?: true;
}

/** What `run` needs of the service and of the terminal. */
export interface RunSurroundings {
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly lastChanges: (options: { config: Config; count: number }) => Promise<ShownChange[]>;
  readonly print: (text: string) => void;
}

/** The options that say where a replay begins. */
export function addReplayOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--from-beginning', 'read everything again that Kafka holds').conflicts([
        'fromOffset',
        'fromTimestamp',
      ]),
    )
    .addOption(
      new Option(
        '--from-offset <topic:partition=offset,...>',
        'read these partitions again from these offsets',
      ).conflicts(['fromBeginning', 'fromTimestamp']),
    )
    .addOption(
      new Option('--from-timestamp <time>', 'read again from this moment, for example 2026-01-31T08:00:00Z').conflicts([
        'fromBeginning',
        'fromOffset',
      ]),
    )
    .option('--tables <schema.table,...>', 'replay the topics of these tables only');
}

export function addRunOptions(command: Command): Command {
  return addReplayOptions(command)
    .option('--once', 'stop when no new record has come for ONCE_IDLE_SECONDS, and print the last ten changes')
    .option('--take-over', 'write to a target that another consumer group wrote to; its service must not run any more')
    .option('--accept-loss', 'go on where Kafka deleted records before they were read; they are lost');
}

/** What the flags ask for; null when they ask for no replay. Throws CONFIG_INVALID for a form that cannot be read. */
export function replayOf(flags: ReplayFlags): ReplayRequest | null {
  const from = replayFrom(flags);
  const tables = flags.tables?.split(',').map((table) => table.trim()) ?? null;
  if (from !== null) return { from, tables };
  if (tables === null) return null;
  throw wrong(
    '--tables',
    'needs --from-beginning, --from-offset or --from-timestamp beside it',
    '--from-beginning --tables public.orders',
  );
}

function replayFrom({ fromBeginning, fromOffset, fromTimestamp }: ReplayFlags): ReplayFrom | null {
  if (fromBeginning === true) return { kind: 'beginning' };
  if (fromOffset !== undefined) {
    const offsets = parseOffsets(fromOffset);
    if (offsets === null)
      throw wrong(
        '--from-offset',
        'must be topic:partition=offset, several separated by commas',
        'cdc.public.orders:0=1200',
      );
    return { kind: 'offsets', offsets };
  }
  if (fromTimestamp === undefined) return null;
  const ms = parseMoment(fromTimestamp);
  if (ms === null)
    throw wrong(
      '--from-timestamp',
      'must be a moment with its zone in ISO 8601, or milliseconds since 1970',
      '2026-01-31T08:00:00Z',
    );
  return { kind: 'timestamp', ms };
}

function wrong(option: string, form: string, example: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', `${option} ${form}.`, { hint: `For example: ${option} ${example}` });
}

/** Runs the service; the exit code. */
export async function runCommand(config: Config, flags: RunFlags, around: RunSurroundings): Promise<number> {
  const replay = replayOf(flags);
  const once = flags.once === true;
  const log = createLog(config.log);
  for (const warning of config.warnings) log.warn(warning);
  const deadlineMs = config.shutdownDeadlineMs;
  const shutdown = watchSignals({
    deadlineMs,
    signals: process,
    exit: (code) => process.exit(code),
    onStopping: (signal) => log.emit({ tag: 'stopping', reason: signal, deadlineMs }),
    onDeadline: () =>
      log.error('the deadline has passed; the block in hand is redone at the next start', { deadlineMs }),
  });
  try {
    const takeOver = flags.takeOver === true;
    const acceptLoss = flags.acceptLoss === true;
    const exitCode = await around.runService({
      config,
      log,
      once,
      signal: shutdown.signal,
      replay,
      takeOver,
      acceptLoss,
      job: null,
    });
    log.emit({ tag: 'stopped', exitCode });
    if (once && !shutdown.signal.aborted) {
      const changes = await around.lastChanges({ config, count: LAST_CHANGES });
      around.print(changesTable(changes, process.stdout.columns || WIDTH_WITHOUT_TERMINAL));
    }
    return exitCode;
  } finally {
    shutdown.finished();
  }
}
