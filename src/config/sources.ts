/** Where settings come from: files that hold them, and how one source wins over another. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSettingName, SECRET_FILE_NAMES, SETTING_NAMES, settingOfSecretFile } from './settings';
import { ServiceError } from '../errors';

/** Texts of settings by name; a secret may stand as NAME_FILE, the path of a file that holds it. */
export type Texts = Readonly<Record<string, string>>;

/** One place that settings come from. */
export interface Source {
  readonly name: string;
  readonly texts: Texts;
}

export function known(texts: Readonly<Record<string, string | undefined>>): Texts {
  const kept: Record<string, string> = {};
  for (const name of [...SETTING_NAMES, ...SECRET_FILE_NAMES]) {
    const text = texts[name];
    if (text !== undefined && text !== '') kept[name] = text;
  }
  return kept;
}

export function stackSource(dir: string): Source {
  const path = resolve(dir, 'state.json');
  const text = readIfThere(path);
  if (text === null) return { name: path, texts: {} };
  const state = parseObject(path, text, 'Run make down and make up again.');
  const env = state['env'];
  const isRecord = typeof env === 'object' && env !== null;
  return { name: path, texts: isRecord ? known(env as Record<string, string>) : {} };
}

export function fileSource(path: string): Source {
  const text = readIfThere(path);
  const hint = 'Correct CONFIG_FILE; it names a JSON file like {"KAFKA_BROKERS": "kafka:9092", "BLOCK_ROWS": 20000}.';
  if (text === null) throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path} is not there.`, { hint });
  const entries = Object.entries(parseObject(path, text, hint));
  const unknown = entries.map(([name]) => name).filter(isUnknown);
  if (unknown.length > 0) {
    throw new ServiceError(
      'CONFIG_INVALID',
      `The file ${path} has settings that do not exist: ${unknown.join(', ')}.`,
      {
        hint: 'docs/configuration.md lists the names.',
      },
    );
  }
  const nested = entries.filter(([name, value]) => typeof value === 'object' && !isJson(name)).map(([name]) => name);
  if (nested.length > 0) {
    throw new ServiceError(
      'CONFIG_INVALID',
      `The file ${path} has lists or objects where text belongs: ${nested.join(', ')}.`,
      {
        hint: 'Write lists as one text, separated by commas: "TABLES_INCLUDE": "public.*,sales.*".',
      },
    );
  }
  const texts = entries.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
  return { name: path, texts: known(Object.fromEntries(texts) as Texts) };
}

/** Settings whose text is JSON, so that a file of JSON may have it as it is. */
function isJson(name: string): boolean {
  return name === 'COLUMNS';
}

function isUnknown(name: string): boolean {
  return name === 'CONFIG_FILE' || !(isSettingName(name) || settingOfSecretFile(name) !== null);
}

export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path} cannot be read.`, {
      hint: 'See that it is a file and that this user may read it.',
      cause,
    });
  }
}

function parseObject(path: string, text: string, hint: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which can hold a password.
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path} does not hold a JSON object.`, { hint });
}

/** A URL hides the parts that sources below it set; parts beside or above it replace what it says; so do a secret and its file. */
export function mergeSources(sources: readonly Source[]): Texts {
  let merged: Record<string, string> = {};
  for (const { name: source, texts } of sources) {
    refuseTwice(source, texts);
    const replaced = ['CH', 'PG'].filter((prefix) =>
      [`${prefix}_URL`, `${prefix}_URL_FILE`].some((url) => url in texts),
    );
    const kept = Object.entries(merged).filter(
      ([name]) => !replaced.some((prefix) => isPartOfUrl(name, prefix)) && !(otherForm(name) in texts),
    );
    merged = { ...Object.fromEntries(kept), ...texts };
  }
  return merged;
}

/** Reads the files of secrets; paths begin at `cwd`. One line break at the end does not belong to the secret. */
export function withSecretFiles(texts: Texts, cwd: string): Texts {
  const read = Object.entries(texts).map(([name, text]) => {
    const secret = settingOfSecretFile(name);
    return secret === null ? [name, text] : [secret, secretIn(resolve(cwd, text), name)];
  });
  return Object.fromEntries(read) as Texts;
}

function secretIn(path: string, name: string): string {
  const text = readIfThere(path)?.replace(/\r?\n$/, '');
  if (text !== undefined && text !== '') return text;
  const what = text === undefined ? 'is not there' : 'is empty';
  throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path}, named by ${name}, ${what}.`, {
    hint: `Write the secret into it, or correct ${name}.`,
  });
}

function refuseTwice(source: string, texts: Texts): void {
  const twice = Object.keys(texts).find((name) => settingOfSecretFile(name) !== null && otherForm(name) in texts);
  if (twice === undefined) return;
  throw new ServiceError('CONFIG_INVALID', `${otherForm(twice)} and ${twice} are both set in ${source}.`, {
    hint: 'Keep one of the two: which of them counts could only be guessed.',
  });
}

/** CH_PASSWORD for CH_PASSWORD_FILE, and the other way round. */
function otherForm(name: string): string {
  return settingOfSecretFile(name) ?? `${name}_FILE`;
}

const URL_PARTS = ['HOST', 'PORT', 'USER', 'PASSWORD', 'DATABASE', 'URL', 'SSLMODE'];

function isPartOfUrl(name: string, prefix: string): boolean {
  // ClickHouse's database is a setting of its own, not a part of its URL.
  if (name === 'CH_DATABASE') return false;
  return URL_PARTS.some((part) => name === `${prefix}_${part}` || name === `${prefix}_${part}_FILE`);
}
