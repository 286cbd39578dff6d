/** `quarantine retry` and `discard`: what is to become of records that could not be decoded. */
import { EXIT } from './failure';
import { agreed, whoAsks } from './person';
import { count } from './progress';
import { filterOf, type Print, type QuarantineFlags } from './quarantine';
import { EXIT_INTERRUPTED, haveDone, type AskingCommand } from './request';
import { openQuarantine, type QuarantineFilter } from '../clickhouse/quarantine';
import type { Config } from '../config';
import { ServiceError } from '../errors';
import { openReader } from '../kafka/reader';
import { connectTarget, databasesOf } from '../wiring';

export interface DecideFlags extends QuarantineFlags {
  readonly reason?: string;
  readonly yes?: true;
}

/** 0 when all of it could be read now, 1 when some could not, 130 after Ctrl-C. Throws REQUEST_FAILED where it was not tried. */
export async function quarantineRetry(
  config: Config,
  place: string | undefined,
  flags: DecideFlags,
  around: AskingCommand,
): Promise<number> {
  const { form, print } = around;
  const filter = chosen(config, place, flags);
  const open = await countOpen(config, filter);
  if (open === 0) return nothing(form, print);
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const outcome = await haveDone(
      { kind: 'retry', filter, who: whoAsks() },
      {
        config,
        reader,
        runService: around.runService,
        onAnswers: () => undefined,
        onBegin: (by) => {
          if (form === 'text')
            print(by === 'service' ? 'The running service tries.' : 'No service runs, so this process tries.');
        },
      },
    );
    if (outcome.kind === 'left') return EXIT_INTERRUPTED;
    const failed = outcome.answers.flatMap(({ state, message }) => (state === 'failed' ? [message ?? ''] : []));
    const sum = (name: string): number => outcome.answers.reduce((all, { counts }) => all + (counts?.[name] ?? 0), 0);
    const [applied, skipped, still, gone] = [sum('applied'), sum('skipped'), sum('still'), sum('gone')];
    if (failed.length > 0 || applied + skipped + still === 0) throw notTried(failed);
    print(
      form === 'json'
        ? JSON.stringify({ open, applied, skipped, still, ...(gone > 0 ? { gone } : {}) }, null, 2)
        : retriedText(applied, skipped, still) + goneText(gone),
    );
    return still === 0 ? EXIT.done : EXIT.findings;
  } finally {
    await reader.close();
  }
}

function retriedText(applied: number, skipped: number, still: number): string {
  return (
    `${count(applied)} are applied: they are in changes, and their keys in the mirror are as changes says. ` +
    `${count(skipped)} are no change that is kept. ${count(still)} still cannot be read.`
  );
}

function goneText(gone: number): string {
  if (gone === 0) return '';
  return ` Of those, Kafka does not have ${count(gone)} any more, and their bytes were not kept, as they may hold masked columns: discard them, or have their rows sent again by a snapshot.`;
}

/** 0 when it is written down, or nobody agreed. */
export async function quarantineDiscard(
  config: Config,
  place: string | undefined,
  flags: DecideFlags,
  { form, print }: Omit<AskingCommand, 'runService'>,
): Promise<number> {
  const { reason = '', yes } = flags;
  if (reason.trim() === '') {
    throw new ServiceError('CONFIG_INVALID', 'discard needs a reason: it is written down beside the record.', {
      hint: 'For example: quarantine discard cdc.public.orders:0:1200 --reason "written by a load test"',
    });
  }
  const filter = chosen(config, place, flags);
  const clickhouse = connectTarget(config);
  try {
    const quarantine = openQuarantine(clickhouse, databasesOf(config).machinery);
    const open = await countOpen(config, filter);
    if (open === 0) return nothing(form, print);
    const question = `${count(open)} records will count as dealt with; their bytes stay in quarantine. Discard them?`;
    if (!(await agreed(question, yes, 'yes'))) {
      print('Nothing was discarded.');
      return EXIT.done;
    }
    let discarded = 0;
    for (;;) {
      const page = await quarantine.records({ ...filter, states: 'open' }, PAGE);
      if (page.length === 0) break;
      const who = whoAsks();
      await quarantine.resolve(page.map((record) => ({ ...record, resolution: 'discarded' as const, reason, who })));
      discarded += page.length;
    }
    print(form === 'json' ? JSON.stringify({ discarded }) : `${count(discarded)} are discarded.`);
    return EXIT.done;
  } finally {
    await clickhouse.close();
  }
}

const PAGE = 1_000;

function chosen(config: Config, place: string | undefined, flags: QuarantineFlags): QuarantineFilter {
  const { table, topic, code, since, all } = flags;
  if ([place, table, topic, code, since, all].every((one) => one === undefined)) {
    throw new ServiceError('CONFIG_INVALID', 'It must be said which records are meant.', {
      hint: 'Name one as topic:partition:offset, or choose with --table, --topic, --code or --since; --all takes every open one.',
    });
  }
  return { ...filterOf(flags, place, config, Date.now()), states: 'open' };
}

async function countOpen(config: Config, filter: QuarantineFilter): Promise<number> {
  const clickhouse = connectTarget(config);
  try {
    const groups = await openQuarantine(clickhouse, databasesOf(config).machinery).groups(filter);
    return groups.reduce((sum, { records }) => sum + records, 0);
  } finally {
    await clickhouse.close();
  }
}

function nothing(form: 'text' | 'json', print: Print): number {
  print(form === 'json' ? JSON.stringify({ open: 0 }) : 'Nothing of that is open in quarantine.');
  return EXIT.done;
}

function notTried(messages: readonly string[]): ServiceError {
  const why = messages.length > 0 ? messages.join(' ') : 'No process of the group owns the partitions.';
  return new ServiceError('REQUEST_FAILED', `The records were not all tried: ${why}`, {
    hint: 'Nothing is lost or twice. Ask again once the group has come to rest.',
  });
}
