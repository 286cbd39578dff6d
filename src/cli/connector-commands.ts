/** The commands for the connector as the command line has them: their names, options and help. */
import { Option, type Command } from 'commander';
import type * as connectors from './connectors';
import { addSettings } from './settings';
import type * as snapshot from './snapshot';
import type { SnapshotFlags } from './snapshot';
import type { Config } from '../config';
import { PROFILES, type Profile } from '../connect/profile';

export type Connectors = Pick<typeof connectors, 'applyCommand' | 'deleteCommand' | 'statusCommand' | 'changeCommand'> &
  Pick<typeof snapshot, 'snapshotCommand'>;

export interface ConnectorSurroundings {
  readonly configOf: (command: Command) => Config;
  readonly formOf: (command: Command) => 'text' | 'json';
  readonly print: (text: string) => void;
  readonly end: (exitCode: number) => void;
  readonly load: () => Connectors;
}

export function addConnectors(program: Command, around: ConnectorSurroundings): void {
  const { configOf, formOf, print, end, load } = around;
  const group = program.command('connectors').description('The Debezium connector in Kafka Connect.');
  const add = (name: string, description: string): Command =>
    addSettings(group.command(name).description(description)).option('--json', 'print the result as JSON');

  add(
    'apply',
    'Register the connector, or bring it up to date, and wait until it runs. Adds new tables to its publication.',
  )
    .addOption(
      new Option('--profile <name>', 'the form of the records; see connectors/README.md')
        .choices(PROFILES)
        .default('json'),
    )
    .option('--whole-schema <schema>', 'capture every table of this schema, those created later too')
    .action(async (options: { profile: Profile; wholeSchema?: string }, command: Command) => {
      const { profile, wholeSchema } = options;
      end(await load().applyCommand(configOf(command), { profile, wholeSchema }, print, formOf(command)));
    });
  add('delete', 'Remove the connector, its position, its slot and its publication.').action(
    async (_options: unknown, command: Command) => {
      end(await load().deleteCommand(configOf(command), print, formOf(command)));
    },
  );
  add('status', 'Show the states of the connector and its task. Exit code 1: it does not run.').action(
    async (_options: unknown, command: Command) => {
      end(await load().statusCommand(configOf(command), print, formOf(command)));
    },
  );
  add('restart', 'Start connector and task again where they failed, and wait until they run.')
    .option('--all', 'those that run, too')
    .action(async ({ all }: { all?: true }, command: Command) => {
      const change = { kind: 'restart', which: all === true ? 'all' : 'failed' } as const;
      end(await load().changeCommand(configOf(command), change, print, formOf(command)));
    });
  add('pause', 'Let the connector rest; it keeps its place, and PostgreSQL keeps WAL for it from here on.').action(
    async (_options: unknown, command: Command) => {
      end(await load().changeCommand(configOf(command), { kind: 'pause' }, print, formOf(command)));
    },
  );
  add('resume', 'Let a paused or stopped connector go on where it was.').action(
    async (_options: unknown, command: Command) => {
      end(await load().changeCommand(configOf(command), { kind: 'resume' }, print, formOf(command)));
    },
  );
  add(
    'snapshot',
    'Send the rows of tables once more, while the connector runs; shows progress and ends when it is done.',
  )
    .option('--tables <schema.table,...>', 'these tables; without it, all that the settings include')
    .addOption(
      new Option('--type <type>', 'incremental: beside the stream, by chunks of the key; blocking: the stream waits')
        .choices(['incremental', 'blocking'])
        .default('incremental'),
    )
    .option('--where <condition>', 'only rows for which this condition in SQL holds')
    .option('--stop', 'stop the incremental snapshot that runs, of --tables or of all')
    .option('--no-wait', 'ask for it and end at once')
    .action(async (flags: SnapshotFlags, command: Command) => {
      end(await load().snapshotCommand(configOf(command), flags, print, formOf(command)));
    });
}
