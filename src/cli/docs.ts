/** docs/commands.md, made from the command line itself; run by `npm run docs:commands`. */
import type { Argument, Command, Option } from 'commander';
import { writeFileSync } from 'node:fs';
import { buildProgram } from '../cli';

const HEAD = `# Commands

<!-- Made by \`npm run docs:commands\` from the command line itself. Do not edit. -->

\`debezium-clickhouse COMMAND\`; from this folder \`npx node dist/src/main.js COMMAND\`. Every command takes each setting as an
option too (\`--kafka-brokers\` for \`KAFKA_BROKERS\`), but for secrets: [configuration.md](configuration.md). \`--help\` says the same as
this page. Answers go to standard output, everything else to standard error; exit codes: [errors.md](errors.md).
`;

/** A command that can be run, with the words that lead to it. */
export interface RunnableCommand {
  readonly name: string;
  readonly command: Command;
}

/** Every command that can be run, in the order of the help. */
export function runnableCommands(): RunnableCommand[] {
  const nothing = (): never => {
    throw new Error('nothing runs while the commands are listed');
  };
  const load = {
    loadApp: nothing,
    loadCheck: nothing,
    loadConnectors: nothing,
    loadVerify: nothing,
    loadReplay: nothing,
    loadRebuild: nothing,
    operations: { quarantine: nothing, decide: nothing, pause: nothing, forget: nothing, inspect: nothing },
  };
  const program = buildProgram({ env: {}, cwd: '.', print: nothing, printError: nothing, ...load }, nothing);
  return leaves(program, []);
}

function leaves(of: Command, path: readonly string[]): RunnableCommand[] {
  return of.commands.flatMap((command) => {
    const words = [...path, command.name()];
    return command.commands.length === 0 ? [{ name: words.join(' '), command }] : leaves(command, words);
  });
}

/** The options of a command's own, without the settings that every command takes. */
export function ownOptions({ options }: Command): Option[] {
  return options.filter(({ helpGroupHeading = '' }) => !helpGroupHeading.endsWith('settings:'));
}

export function commandsPage(): string {
  return [HEAD, ...runnableCommands().map(section)].join('\n');
}

function section({ name, command }: RunnableCommand): string {
  const args = command.registeredArguments;
  const words = [name, ...args.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`))].join(' ');
  const rows = [...args.map(argumentRow), ...ownOptions(command).map(optionRow)];
  const table = rows.length === 0 ? [] : ['| option | |', '|---|---|', ...rows, ''];
  return [`## ${name}`, '', command.description(), '', `    debezium-clickhouse ${words}`, '', ...table].join('\n');
}

function argumentRow(argument: Argument): string {
  return row(argument.name(), argument.description);
}

function optionRow({ flags, description, argChoices, defaultValue, mandatory }: Option): string {
  const notes = [
    ...(mandatory ? ['required'] : []),
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(typeof defaultValue === 'string' || typeof defaultValue === 'number' ? [`default: ${defaultValue}`] : []),
  ];
  return row(flags, notes.length === 0 ? description : `${description} (${notes.join('; ')})`);
}

function row(name: string, text: string): string {
  return `| \`${name}\` | ${text.replaceAll('|', '\\|')} |`;
}

if (require.main === module) writeFileSync('docs/commands.md', commandsPage());
