/** The commands for operating the service as the command line has them: their names, options and help. */
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import type { RunOptions } from '../app';
import type * as forget from './forget';
import type { ForgetFlags } from './forget';
import type * as inspect from './inspect';
import type { InspectFlags } from './inspect';
import type * as pause from './pause';
import type { PauseFlags } from './pause';
import type * as decide from './quarantine-decide';
import type { DecideFlags } from './quarantine-decide';
import type * as quarantine from './quarantine';
import type { QuarantineFlags, ShowFlags } from './quarantine';
import { addSettings } from './settings';
import type { Config } from '../config';

/** What the commands need of the command line. */
export interface OperationSurroundings {
  readonly configOf: (command: Command) => Config;
  readonly formOf: (command: Command) => 'text' | 'json';
  readonly print: (text: string) => void;
  readonly end: (exitCode: number) => void;
  readonly runService: (options: RunOptions) => Promise<number>;
  readonly load: LoadOperations;
}

/** Each part is loaded when its command runs. */
export interface LoadOperations {
  readonly quarantine: () => Pick<typeof quarantine, 'quarantineList' | 'quarantineShow'>;
  readonly decide: () => Pick<typeof decide, 'quarantineRetry' | 'quarantineDiscard'>;
  readonly pause: () => Pick<typeof pause, 'pauseCommand' | 'resumeCommand'>;
  readonly forget: () => Pick<typeof forget, 'forgetCommand'>;
  readonly inspect: () => Pick<typeof inspect, 'inspectCommand'>;
}

export function addOperations(program: Command, around: OperationSurroundings): void {
  const quarantine = addQuarantine(program, around);
  addDecisions(quarantine, around);
  addInspect(program, around);
  addPauses(program, around);
  addForget(program, around);
}

function addQuarantine(program: Command, { configOf, formOf, print, end, load }: OperationSurroundings): Command {
  const group = program.command('quarantine').description('Records that could not be decoded: why, and what to do.');
  addChoice(addSettings(group.command('list').description('Count what is open, by table, column and code.')))
    .option('--all', 'those that were dealt with, too')
    .option('--json', 'print the result as JSON')
    .action(async (flags: QuarantineFlags, command: Command) => {
      end(await load.quarantine().quarantineList(configOf(command), flags, formOf(command), print));
    });
  addChoice(
    addSettings(
      group.command('show').description('Tell of each record why it is there, where it is and the form of its value.'),
    ),
  )
    .addArgument(placeArgument())
    .option('--all', 'those that were dealt with, too')
    .option('--bytes', 'show key, value and headers: they hold the values of the row')
    .option('--limit <records>', 'show so many at most', wholeNumber, 20)
    .option('--json', 'print the result as JSON; bytes as hexadecimal text')
    .action(async (place: string | undefined, flags: ShowFlags, command: Command) => {
      const form = formOf(command);
      end(await load.quarantine().quarantineShow(configOf(command), place, flags, { form, print }));
    });
  return group;
}

function addDecisions(group: Command, { configOf, formOf, print, runService, end, load }: OperationSurroundings): void {
  addChoice(
    addSettings(
      group
        .command('retry')
        .description(
          'Try records again after a fix or another policy; by the running service, or here where none runs.',
        ),
    ),
  )
    .addArgument(placeArgument())
    .option('--all', 'every open one')
    .option('--json', 'print the result as JSON')
    .action(async (place: string | undefined, flags: DecideFlags, command: Command) => {
      const around = { form: formOf(command), print, runService };
      end(await load.decide().quarantineRetry(configOf(command), place, flags, around));
    });
  addChoice(
    addSettings(
      group.command('discard').description('Say that records are not needed. Their bytes stay in quarantine.'),
    ),
  )
    .addArgument(placeArgument())
    .option('--all', 'every open one')
    .requiredOption('--reason <text>', 'why; written down beside each record')
    .option('--yes', 'do not ask before it is done; without a terminal nothing is asked')
    .option('--json', 'print the result as JSON')
    .action(async (place: string | undefined, flags: DecideFlags, command: Command) => {
      const around = { form: formOf(command), print };
      end(await load.decide().quarantineDiscard(configOf(command), place, flags, around));
    });
}

function addPauses(program: Command, around: OperationSurroundings): void {
  const { configOf, formOf, print, runService, end, load } = around;
  addSettings(
    program
      .command('pause')
      .description(
        'Have a table hold, over restarts, without losing its place; tells how long Kafka keeps what is unread.',
      ),
  )
    .addOption(new Option('--table <schema.table>', 'this source table').conflicts('all'))
    .option('--all', 'everything')
    .option('--json', 'print the result as JSON')
    .action(async (flags: PauseFlags, command: Command) => {
      end(await load.pause().pauseCommand(configOf(command), flags, { form: formOf(command), print, runService }));
    });
  addSettings(program.command('resume').description('Have a table that holds read on from its place.'))
    .addOption(new Option('--table <schema.table>', 'this source table').conflicts('all'))
    .option('--all', 'everything that holds')
    .option('--json', 'print the result as JSON')
    .action(async (flags: PauseFlags, command: Command) => {
      end(await load.pause().resumeCommand(configOf(command), flags, { form: formOf(command), print, runService }));
    });
}

function addForget(program: Command, { configOf, formOf, print, runService, end, load }: OperationSurroundings): void {
  addSettings(
    program
      .command('forget')
      .description('Erase the events of a key from changes, mirror and quarantine, and say what Kafka still holds.'),
  )
    .requiredOption('--table <schema.table>', 'the source table')
    .requiredOption('--key <value>', 'the value of the key column, or a JSON object of the key columns')
    .option('--dry-run', 'show what would be erased, and do nothing')
    .option('--yes', 'do not ask before it is done; needed where there is no terminal')
    .option('--json', 'print the result as JSON')
    .action(async (flags: ForgetFlags, command: Command) => {
      end(await load.forget().forgetCommand(configOf(command), flags, { form: formOf(command), print, runService }));
    });
}

function addInspect(program: Command, { configOf, formOf, print, end, load }: OperationSurroundings): void {
  addSettings(
    program
      .command('inspect')
      .description('Explain one record step by step: bytes, envelope, types, how it is written, what was written.'),
  )
    .addArgument(placeArgument().argRequired())
    .option('--values', 'show key, images and rows: they hold the values of the row')
    .option('--json', 'print the result as JSON')
    .action(async (place: string, flags: InspectFlags, command: Command) => {
      end(await load.inspect().inspectCommand(configOf(command), place, flags, { form: formOf(command), print }));
    });
}

/** The options that choose records in quarantine. */
function addChoice(command: Command): Command {
  return command
    .option('--table <schema.table>', 'of this source table')
    .option('--topic <topic>', 'of this topic')
    .option('--code <CODE>', 'with this error code')
    .option('--since <time>', 'set aside since this moment, for example 2026-01-31T08:00:00Z or 2h');
}

function placeArgument(): Argument {
  return new Argument('[topic:partition:offset]', 'one record').argOptional();
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0, for example 100.');
}
