/** The command line: reads what was asked for, loads the settings, and runs it. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { ShownChange } from './app';
import { changesTable } from './cli-changes';
import type * as check from './cli-check';
import type * as connectors from './cli-connectors';
import { EXIT, exitCodeOf, failureBlock } from './cli-failure';
import { addSettings, settingFlags } from './cli-settings';
import type * as verify from './cli-verify';
import { loadConfig, type Config } from './config';
import { PROFILES, type Profile } from './connect/profile';
import { watchSignals } from './shutdown';
import { createLog, type Log } from './telemetry/log';

/** The service itself; `app.ts`. */
export interface App {
  /** Runs until the signal aborts, or with `once` until no record comes any more; the exit code. */
  runService(options: { config: Config; log: Log; once: boolean; signal: AbortSignal }): Promise<number>;
  migrate(options: { config: Config; log: Log }): Promise<void>;
  /** The newest rows of `changes`, oldest first. */
  lastChanges(options: { config: Config; count: number }): Promise<ShownChange[]>;
}

/** Where standard output is no terminal. */
const WIDTH_WITHOUT_TERMINAL = 160;
/** How many changes `--once` shows. */
const LAST_CHANGES = 10;

/** What the command line stands on. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** Each part is loaded when its command runs: `--help` should not wait for the clients of Kafka and ClickHouse. */
  readonly loadApp: () => App;
  readonly loadCheck: () => Pick<typeof check, 'runCheck'>;
  readonly loadConnectors: () => Pick<typeof connectors, 'applyCommand' | 'deleteCommand' | 'statusCommand'>;
  readonly loadVerify: () => Pick<typeof verify, 'runVerify'>;
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

function buildProgram(around: Surroundings, end: (exitCode: number) => void): Command {
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

  const configOf = (command: Command): Config =>
    loadConfig({ env: around.env, cwd: around.cwd, flags: settingFlags(command) });
  const formOf = (command: Command): 'text' | 'json' => (command.opts<{ json?: true }>().json ? 'json' : 'text');

  addSettings(program.command('run').description('Run the service until it is told to stop.'))
    .option('--once', 'stop when no new record has come for ONCE_IDLE_SECONDS, and print the last ten changes')
    .action(async (options: { once?: true }, command: Command) => {
      end(await runCommand(configOf(command), options.once === true, around));
    });

  addSettings(
    program.command('migrate').description("Create the service's own databases and tables, or bring them up to date."),
  ).action(async (_options: unknown, command: Command) => {
    const config = configOf(command);
    await around.loadApp().migrate({ config, log: createLog(config.log) });
  });

  addSettings(
    program.command('check').description('Tell, before anything is written, what would go wrong, and what mends it.'),
  )
    .option('--json', 'print the result as JSON')
    .action(async (_options: unknown, command: Command) => {
      end(await around.loadCheck().runCheck(configOf(command), around.print, formOf(command)));
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
    .option('--json', 'print the result as JSON')
    .action(async (options: { table?: string[]; sample?: number; values?: true }, command: Command) => {
      const { table: tables = null, sample = null, values } = options;
      const what = { tables, sample, values: values === true ? 'shown' : 'hidden' } as const;
      end(await around.loadVerify().runVerify(configOf(command), what, formOf(command), around.print));
    });

  const connector = program.command('connectors').description('The Debezium connector in Kafka Connect.');
  addSettings(
    connector.command('apply').description('Register the connector, or bring it up to date, and wait until it runs.'),
  )
    .addOption(
      new Option('--profile <name>', 'the form of the records; see connectors/README.md')
        .choices(PROFILES)
        .default('json'),
    )
    .option('--whole-schema <schema>', 'capture every table of this schema, those created later too')
    .action(async (options: { profile: Profile; wholeSchema?: string }, command: Command) => {
      const { profile, wholeSchema } = options;
      end(await around.loadConnectors().applyCommand(configOf(command), { profile, wholeSchema }, around.print));
    });
  addSettings(connector.command('delete').description('Remove the connector, its slot and its publication.')).action(
    async (_options: unknown, command: Command) => {
      end(await around.loadConnectors().deleteCommand(configOf(command), around.print));
    },
  );
  addSettings(connector.command('status').description('Show the states of the connector and its task.'))
    .option('--json', 'print the status as JSON')
    .action(async (_options: unknown, command: Command) => {
      end(await around.loadConnectors().statusCommand(configOf(command), around.print, formOf(command)));
    });
  return program;
}

async function runCommand(config: Config, once: boolean, around: Surroundings): Promise<number> {
  const log = createLog(config.log);
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
    const exitCode = await around.loadApp().runService({ config, log, once, signal: shutdown.signal });
    log.emit({ tag: 'stopped', exitCode });
    if (once && !shutdown.signal.aborted) {
      const changes = await around.loadApp().lastChanges({ config, count: LAST_CHANGES });
      around.print(changesTable(changes, process.stdout.columns || WIDTH_WITHOUT_TERMINAL));
    }
    return exitCode;
  } finally {
    shutdown.finished();
  }
}

function wholeRows(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0, for example 10000.');
}
