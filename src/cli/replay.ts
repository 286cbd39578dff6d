/** The `replay` command: shows what would be read again, has it read again, and ends when that is done. */
import { createInterface } from 'node:readline/promises';
import type { RunOptions } from '../app';
import { EXIT } from './failure';
import { refuseWhilePaused } from './paused';
import { count, createProgressLine, duration } from './progress';
import { EXIT_INTERRUPTED, haveDone, type Outcome } from './request';
import { replayOf, type ReplayFlags } from './run';
import { fittedTable } from './table';
import type { Config } from '../config';
import type { Answer } from '../delivery/request-kinds';
import { ServiceError } from '../errors';
import { openReader, type KafkaReader } from '../kafka/reader';
import {
  placeName,
  replayRanges,
  topicOfTable,
  unknownPlaces,
  type HeldPartition,
  type ReplayRange,
  type ReplayRequest,
} from '../plan/replay';
import { isTableTopic } from '../wiring';

export interface ReplayCommandFlags extends ReplayFlags {
  readonly yes?: true;
  readonly dryRun?: true;
}

export interface ReplaySurroundings {
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly print: (text: string) => void;
}

/** A range, and when its first record was written, ms since the epoch; null where that could not be read. */
export interface PlannedRange extends ReplayRange {
  readonly sinceMs: number | null;
}

/** How long reading the first record of each partition may take; the plan is shown without times then. */
const FIRST_RECORDS_MS = 15_000;
/** The first offsets of a range may hold no record: the ends of transactions. */
const LOOK_FOR_FIRST = 10;
const WIDTH_WITHOUT_TERMINAL = 160;

/** 0 when everything was replayed, or nothing was to be; 130 after Ctrl-C. Throws REQUEST_FAILED where it was not. */
export async function replayCommand(
  config: Config,
  flags: ReplayCommandFlags,
  around: ReplaySurroundings,
): Promise<number> {
  const request = replayOf(flags);
  if (request === null) {
    throw new ServiceError('CONFIG_INVALID', 'replay needs to know where it begins.', {
      hint: 'For example: replay --from-beginning, replay --from-offset cdc.public.orders:0=1200 or replay --from-timestamp 2026-01-31T08:00:00Z',
    });
  }
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const plan = await planReplay(request, config.topicPrefix, reader);
    around.print(planText(plan, Date.now(), process.stdout.columns || WIDTH_WITHOUT_TERMINAL));
    if (plan.length === 0 || flags.dryRun === true) return EXIT.done;
    if (flags.yes !== true && process.stdin.isTTY && !(await agreed())) {
      around.print('Nothing was replayed.');
      return EXIT.done;
    }
    await refuseWhilePaused(
      config,
      'replay',
      plan.map(({ topic }) => topic),
    );
    return await carryOut(request, plan, { config, reader, around });
  } finally {
    await reader.close();
  }
}

/** Asks Kafka what the request comes to. Throws REQUEST_FAILED where it names what Kafka does not have. */
export async function planReplay(
  request: ReplayRequest,
  topicPrefix: string,
  reader: KafkaReader,
): Promise<PlannedRange[]> {
  const isOfTable = isTableTopic(topicPrefix);
  const topics = (await reader.topics()).filter(isOfTable).sort();
  const committed = new Map((await reader.committed(topics)).map((one) => [placeName(one), one.offset] as const));
  const held: HeldPartition[] = [];
  for (const topic of topics) {
    const at = request.from.kind === 'timestamp' ? await reader.offsetsAt(topic, request.from.ms) : null;
    const bounds = [...(await reader.bounds(topic))].sort((a, b) => a.partition - b.partition);
    for (const of of bounds) {
      const atMoment = at?.get(of.partition) ?? null;
      held.push({ ...of, atMoment, committed: committed.get(placeName(of)) ?? null });
    }
  }
  const unknown = unknownPlaces(request, held, topicPrefix);
  if (unknown.length > 0) {
    throw new ServiceError('REQUEST_FAILED', `Kafka does not have ${unknown.join(', ')}.`, {
      hint: `Topics of tables begin with ${topicPrefix}. (TOPIC_PREFIX); a table is named schema.table.`,
    });
  }
  const named =
    request.tables === null ? null : new Set(request.tables.map((table) => topicOfTable(topicPrefix, table)));
  const ranges = replayRanges(
    request,
    held.filter(({ topic }) => named?.has(topic) ?? true),
  );
  const since = await firstTimes(ranges, reader);
  return ranges.map((range) => ({ ...range, sinceMs: since.get(placeName(range)) ?? null }));
}

async function firstTimes(ranges: readonly ReplayRange[], reader: KafkaReader): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const heads = ranges.map((range) => ({ ...range, to: Math.min(range.to, range.from + LOOK_FOR_FIRST) }));
  await reader.read(
    heads,
    (record) => {
      const at = placeName(record);
      if (!times.has(at)) times.set(at, record.timestampMs);
      return times.size < heads.length ? 'go on' : 'stop';
    },
    AbortSignal.timeout(FIRST_RECORDS_MS),
  );
  return times;
}

export function planText(plan: readonly PlannedRange[], nowMs: number, width: number): string {
  if (plan.length === 0) return 'There is nothing to replay: Kafka holds no record from there on.';
  const rows = plan.map(({ topic, partition, from, to, sinceMs }) => [
    topic,
    String(partition),
    String(from),
    String(to - 1),
    count(to - from),
    sinceMs === null
      ? 'not known'
      : `${new Date(sinceMs).toISOString()}, ${duration(Math.max(0, nowMs - sinceMs))} ago`,
  ]);
  const head = ['topic', 'partition', 'first offset', 'last offset', 'offsets', 'first record'];
  return [
    fittedTable({ head, rows, width, cutFirst: [0] }),
    `${count(total(plan))} offsets are read again, from ${plan.length === 1 ? 'one partition' : `${plan.length} partitions`}. ` +
      'changes gains only what it lacks, and no reader of a view sees a row go back; the mirrors are made anew at the end.',
  ].join('\n');
}

function total(plan: readonly PlannedRange[]): number {
  return plan.reduce((sum, { from, to }) => sum + to - from, 0);
}

async function agreed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C at the question is a no.
    const answer = await terminal.question('Replay this? [y/N] ').catch(() => '');
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

async function carryOut(
  request: ReplayRequest,
  plan: readonly PlannedRange[],
  { config, reader, around }: { config: Config; reader: KafkaReader; around: ReplaySurroundings },
): Promise<number> {
  const startedAt = performance.now();
  const line = createProgressLine({ stream: process.stderr, now: () => performance.now() });
  const outcome = await haveDone(
    { kind: 'replay', ...request },
    {
      config,
      reader,
      runService: around.runService,
      onAnswers: (answers) => showAnswers(answers, line),
      onBegin: (by) =>
        around.print(
          by === 'service'
            ? 'The running service replays it. Ctrl-C stops watching; the service goes on.'
            : 'No service runs, so this process replays it. Ctrl-C stops it; what is left is read at the next start.',
        ),
    },
  );
  line.clear();
  const said = conclusion(outcome, plan, performance.now() - startedAt);
  around.print(said.text);
  return said.exitCode;
}

function showAnswers(answers: readonly Answer[], line: ReturnType<typeof createProgressLine>): void {
  const all = answers.map(({ progress }) => progress);
  const sum = (of: 'passed' | 'total' | 'partitions' | 'caughtUp'): number =>
    all.reduce((so_far, one) => so_far + (one?.[of] ?? 0), 0);
  const [done, total] = [sum('passed'), sum('total')];
  if (total === 0) line.show('waiting for the replay to begin', { done, total });
  else if (done < total || sum('caughtUp') < sum('partitions')) line.show('replaying', { done, total });
  else line.show('all is read; making the mirrors anew', { done: 0, total: 0 });
}

/** Throws REQUEST_FAILED where a part of the plan was not replayed. */
export function conclusion(
  outcome: Outcome,
  plan: readonly PlannedRange[],
  ms: number,
): { readonly exitCode: number; readonly text: string } {
  if (outcome.kind === 'left') {
    const text =
      outcome.by === 'service'
        ? 'Not watched any more. The service goes on with the replay; its log says how far it is.'
        : 'Stopped. What was replayed is written; the rest is read again at the next start of the service.';
    return { exitCode: EXIT_INTERRUPTED, text };
  }
  const { answers } = outcome;
  const replayed = new Set(answers.filter(({ state }) => state === 'done').flatMap((answer) => answer.replayed ?? []));
  const missing = plan.map(placeName).filter((place) => !replayed.has(place));
  if (missing.length === 0) {
    return { exitCode: EXIT.done, text: `Replayed ${count(total(plan))} offsets in ${duration(ms)}.` };
  }
  const messages = answers.flatMap(({ state, message }) =>
    state === 'failed' && message !== undefined ? [message] : [],
  );
  const why = messages.length > 0 ? messages.join(' ') : 'They moved to another process of the group meanwhile.';
  throw new ServiceError('REQUEST_FAILED', `Not replayed to the end: ${missing.join(', ')}. ${why}`, {
    hint: 'Nothing is lost or twice. Ask for the replay again once the group has come to rest.',
  });
}
