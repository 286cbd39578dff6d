/** Where settings come from: files that hold them, and how one source wins over another. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSettingName, SETTING_NAMES } from './config-settings';
import { ServiceError } from './errors';

/** Texts of settings by name. */
export type Texts = Readonly<Record<string, string>>;

/** One place that settings come from. */
export interface Source {
  readonly name: string;
  readonly texts: Texts;
}

export function known(texts: Readonly<Record<string, string | undefined>>): Texts {
  const kept: Record<string, string> = {};
  for (const name of SETTING_NAMES) {
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
  const hint = 'Correct CONFIG_FILE; it names a JSON file like {"KAFKA_BROKERS": "kafka:9092", "BLOCK_ROWS": 50000}.';
  if (text === null) throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path} is not there.`, { hint });
  const entries = Object.entries(parseObject(path, text, hint));
  const unknown = entries.map(([name]) => name).filter((name) => !isSettingName(name) || name === 'CONFIG_FILE');
  if (unknown.length > 0) {
    throw new ServiceError(
      'CONFIG_INVALID',
      `The file ${path} has settings that do not exist: ${unknown.join(', ')}.`,
      {
        hint: 'docs/configuration.md lists the names.',
      },
    );
  }
  const nested = entries.filter(([, value]) => typeof value === 'object').map(([name]) => name);
  if (nested.length > 0) {
    throw new ServiceError(
      'CONFIG_INVALID',
      `The file ${path} has lists or objects where text belongs: ${nested.join(', ')}.`,
      {
        hint: 'Write lists as one text, separated by commas: "TABLES_INCLUDE": "public.*,sales.*".',
      },
    );
  }
  return { name: path, texts: known(Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))) };
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

/** A URL hides the parts that sources below it set; parts beside or above it replace what it says. */
export function mergeSources(sources: readonly Source[]): Texts {
  let merged: Record<string, string> = {};
  for (const { texts } of sources) {
    const replaced = ['CH', 'PG'].filter((prefix) => texts[`${prefix}_URL`] !== undefined);
    const kept = Object.entries(merged).filter(([name]) => !replaced.some((prefix) => isPartOfUrl(name, prefix)));
    merged = { ...Object.fromEntries(kept), ...texts };
  }
  return merged;
}

function isPartOfUrl(name: string, prefix: string): boolean {
  // ClickHouse's database is a setting of its own, not a part of its URL.
  return name.startsWith(`${prefix}_`) && name !== 'CH_DATABASE';
}
