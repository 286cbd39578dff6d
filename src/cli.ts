/** The command line: reads what was asked for, loads the settings, and runs it. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Severity } from './check/kind';
import type * as check from './cli/check';
import { addConnectors, type Connectors } from './cli/connector-commands';
import { addOperations, type LoadOperations } from './cli/operations';
import { EXIT, exitCodeOf, failureBlock } from './cli/failure';
import type * as rebuild from './cli/rebuild';
import type * as replay from './cli/replay';
import type { ReplayCommandFlags } from './cli/replay';
import { addReplayOptions, addRunOptions, runCommand, type RunFlags, type RunSurroundings } from './cli/run';
import { addSettings, settingFlags } from './cli/settings';
import type * as verify from './cli/verify';
import { loadConfig, type Config } from './config';
import { createLog, type Log } from './telemetry/log';

/** The service itself; `app.ts`. */
interface VerifyFlags {
  readonly table?: string[];
  readonly sample?: number;
  readonly values?: true;
  readonly masked?: true;
  readonly repair?: true;
}

export interface App {
  readonly runService: RunSurroundings['runService'];
  migrate(options: { config: Config; log: Log }): Promise<void>;
  readonly lastChanges: RunSurroundings['lastChanges'];
}

/** What the command line stands on. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** Each part is loaded when its command runs: `--help` should not wait for the clients of Kafka and ClickHouse. */
  readonly loadApp: () => App;
  readonly loadCheck: () => Pick<typeof check, 'runCheck'>;
  readonly loadConnectors: () => Connectors;
  readonly loadVerify: () => Pick<typeof verify, 'runVerify'>;
  readonly loadReplay: () => Pick<typeof replay, 'replayCommand'>;
  readonly loadRebuild: () => Pick<typeof rebuild, 'rebuildCommand'>;
  readonly operations: LoadOperations;
}

/** Runs one command; `args` without node and script. Never throws: what goes wrong is printed, and is in the exit code. */
export async function runCli(args: readonly string[], around: Surroundings): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = buildProgram(around, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has printed the help or what it did not understand.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.config;
    around.printError(failureBlock(error));
    return exitCodeOf(error);
  }
}

/** The whole command line; `end` takes the exit code of the command that ran. */
export function buildProgram(around: Surroundings, end: (exitCode: number) => void): Command {
  const program = new Command('debezium-clickhouse')
    .description(
      'Brings every change of a PostgreSQL database into ClickHouse, once: an audit table and a mirror of each table.',
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.print(text.replace(/\n$/, '')),
      writeErr: (text) => around.printError(text),
    })
    .showHelpAfterError('(--help tells what there is)');

  const load = (command: Command): Config =>
    loadConfig({ env: around.env, cwd: around.cwd, flags: settingFlags(command) });
  /** For commands that have no log: what the settings leave open is said beside the answer. */
  const configOf = (command: Command): Config => {
    const config = load(command);
    for (const warning of config.warnings) around.printError(`WARNING ${warning}\n`);
    return config;
  };
  const formOf = (command: Command): 'text' | 'json' => (command.opts<{ json?: true }>().json ? 'json' : 'text');

  addRunOptions(addSettings(program.command('run').description('Run the service until it is told to stop.'))).action(
    async (flags: RunFlags, command: Command) => {
      const { runService, lastChanges } = around.loadApp();
      end(await runCommand(load(command), flags, { runService, lastChanges, print: around.print }));
    },
  );

  const jobSurroundings = (): { runService: App['runService']; print: Surroundings['print'] } => ({
    runService: (options) => around.loadApp().runService(options),
    print: around.print,
  });
  addReplayOptions(
    addSettings(
      program
        .command('replay')
        .description(
          'Read topics again from an older offset; by the running service, or here where none runs. Shows first what that comes to.',
        ),
    ),
  )
    .option('--dry-run', 'show what would be read again, and do nothing')
    .option('--yes', 'do not ask before it begins; without a terminal nothing is asked')
    .action(async (flags: ReplayCommandFlags, command: Command) => {
      end(await around.loadReplay().replayCommand(configOf(command), flags, jobSurroundings()));
    });

  addSettings(
    program
      .command('rebuild')
      .description(
        'Make the mirror of a table anew from changes; by the running service, or here where none runs. Kafka is not read again.',
      ),
  )
    .requiredOption('--table <schema.table>', 'the source table')
    .action(async ({ table }: { table: string }, command: Command) => {
      end(await around.loadRebuild().rebuildCommand(configOf(command), table, jobSurroundings()));
    });

  addSettings(
    program.command('migrate').description("Create the service's own databases and tables, or bring them up to date."),
  ).action(async (_options: unknown, command: Command) => {
    const config = configOf(command);
    await around.loadApp().migrate({ config, log: createLog(config.log) });
  });

  addSettings(
    program
      .command('check')
      .description(
        'Tell, before anything is written, what would go wrong, and what mends it; docs/check.md has them all.',
      ),
  )
    .addOption(
      new Option('--fail-on <severity>', 'exit code 1 where a finding is at least as severe')
        .choices(['error', 'warning', 'notice'])
        .default('error'),
    )
    .option('--json', 'print the result as JSON')
    .action(async ({ failOn }: { failOn: Severity }, command: Command) => {
      end(await around.loadCheck().runCheck(configOf(command), around.print, { form: formOf(command), failOn }));
    });

  addSettings(
    program
      .command('verify')
      .description(
        'Prove row by row that the mirrors equal their source, while both are being written. Exit code 0: equal, 1: different.',
      ),
  )
    .addOption(
      new Option('--table <schema.table,...>', 'compare these tables only').argParser((text) =>
        text.split(',').map((one) => one.trim()),
      ),
    )
    .addOption(new Option('--sample <rows>', 'look at about so many rows of each table').argParser(wholeRows))
    .option('--values', 'show the values of rows that differ')
    .option('--masked', 'compare hashed columns, too: the secret goes to PostgreSQL, as a parameter of one statement')
    .option('--repair', 'mend the rows that changes has right and the mirror has not, and look again')
    .option('--json', 'print the result as JSON')
    .action(async (options: VerifyFlags, command: Command) => {
      const { table: tables = null, sample = null, values, masked } = options;
      const shown = values === true ? 'shown' : 'hidden';
      const what = { tables, sample, values: shown, ...(masked === undefined ? {} : { masked }) } as const;
      const repair = options.repair === true ? jobSurroundings().runService : null;
      const how = { form: formOf(command), repair, print: around.print };
      end(await around.loadVerify().runVerify(configOf(command), what, how));
    });

  const { runService } = jobSurroundings();
  addOperations(program, { configOf, formOf, print: around.print, runService, end, load: around.operations });

  addConnectors(program, { configOf, formOf, print: around.print, end, load: around.loadConnectors });
  return program;
}

function wholeRows(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0, for example 10000.');
}
