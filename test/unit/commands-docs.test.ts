import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { SECRET_FILE_NAMES, SETTING_NAMES } from '../../src/config/settings';

interface Listed {
  readonly page: string;
  readonly commands: readonly { readonly name: string; readonly description: string; readonly options: string[] }[];
}

/** From a process of its own: commander is a module that jest cannot load. */
const { page, commands } = JSON.parse(
  execFileSync(process.execPath, [
    '-r',
    './test/unit/cli-typescript.cjs',
    '-e',
    `const { commandsPage, ownOptions, runnableCommands } = require('./src/cli/docs.ts');
     const commands = runnableCommands().map(({ name, command }) => (
       { name, description: command.description(), options: ownOptions(command).map(({ long }) => long) }));
     process.stdout.write(JSON.stringify({ page: commandsPage(), commands }));`,
  ]).toString(),
) as Listed;

test('docs/commands.md is what the command line makes (npm run docs:commands)', () => {
  expect(readFileSync('docs/commands.md', 'utf8')).toBe(page);
});

test('it has each command once, with each option of its own', () => {
  expect(commands.length).toBeGreaterThan(20);
  expect([...page.matchAll(/^## (.+)$/gm)].map(([, name]) => name)).toEqual(commands.map(({ name }) => name));
  for (const { name, description, options } of commands) {
    const section = page.split(/^## /m).find((one) => one.startsWith(`${name}\n`)) ?? '';
    const listed = [...section.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, option]) => option);
    expect([name, listed]).toEqual([name, options]);
    expect([name, description.length > 20]).toEqual([name, true]);
  }
});

const pages = ['README.md', 'connectors/README.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);
/** Words of a line after our command's name, as far as they are words and options. */
const CALL = /(?:debezium-clickhouse|dist\/src\/main\.js|npm start --) +((?:[a-z][a-z-]*|--[a-z-]+)(?:[^\n`|;#(]*))/g;

test.each(pages)('%s names commands and options that there are', (name) => {
  const settings = new Set(
    [...SETTING_NAMES, ...SECRET_FILE_NAMES].map((one) => `--${one.toLowerCase().replaceAll('_', '-')}`),
  );
  const wrong: string[] = [];
  const text = readFileSync(name, 'utf8');
  const words = [...new Set(commands.map((one) => one.name.split(' ')[0]))].join('|');
  /** Prose names our commands without the program: `verify --repair`. */
  const named = text.matchAll(new RegExp(`\`((?:${words}) [^\`\n]*)\``, 'g'));
  for (const [whole, call = ''] of [...text.matchAll(CALL), ...named]) {
    const line = whole.startsWith('npm start') ? `run ${call}` : call;
    const found = commands
      .filter((one) => line === one.name || line.startsWith(`${one.name} `))
      .sort((a, b) => b.name.length - a.name.length)[0];
    const options = [...line.matchAll(/(?<=\s)--[a-z][a-z-]*/g)].map(([option]) => option);
    const group = commands.some((one) => one.name.startsWith(`${line.trim()} `));
    if (found === undefined) {
      // A group's name alone, and prose that goes on after our name, are no calls.
      if (!group && options.length > 0) wrong.push(whole);
      continue;
    }
    const known = new Set(['--help', ...found.options]);
    wrong.push(...options.filter((one) => !known.has(one) && !settings.has(one)).map((one) => `${whole}: ${one}`));
  }
  expect(wrong).toEqual([]);
});
