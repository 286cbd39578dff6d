/** The commands for operating the service as the command line has them: their names, options and help. */
import { Argument, InvalidArgumentError, type Command } from 'commander';
import type * as inspect from './cli-inspect';
import type { InspectFlags } from './cli-inspect';
import type * as quarantine from './cli-quarantine';
import type { QuarantineFlags, ShowFlags } from './cli-quarantine';
import { addSettings } from './cli-settings';
import type { Config } from './config';

/** What the commands need of the command line. */
export interface OperationSurroundings {
  readonly configOf: (command: Command) => Config;
  readonly formOf: (command: Command) => 'text' | 'json';
  readonly print: (text: string) => void;
  readonly end: (exitCode: number) => void;
  readonly load: LoadOperations;
}

/** Each part is loaded when its command runs. */
export interface LoadOperations {
  readonly quarantine: () => Pick<typeof quarantine, 'quarantineList' | 'quarantineShow'>;
  readonly inspect: () => Pick<typeof inspect, 'inspectCommand'>;
}

export function addOperations(program: Command, around: OperationSurroundings): void {
  addQuarantine(program, around);
  addInspect(program, around);
}

function addQuarantine(program: Command, { configOf, formOf, print, end, load }: OperationSurroundings): void {
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
