/** The settings of the stack: read from the environment and `.env`, checked, with their defaults. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'dotenv';
import { PROFILES } from '../src/connect/profile';
import type { Profile } from '../src/connect/profile';
import { ServiceError } from '../src/errors';

/** Each port a part listens on, with the setting that changes it and its default. 0 means any free port. */
export const PORT_SETTINGS = {
  postgres: { setting: 'STACK_PG_PORT', fallback: 54320 },
  kafka: { setting: 'STACK_KAFKA_PORT', fallback: 19092 },
  kafkaController: { setting: 'STACK_KAFKA_CONTROLLER_PORT', fallback: 19093 },
  connect: { setting: 'STACK_CONNECT_PORT', fallback: 18083 },
  clickhouseHttp: { setting: 'STACK_CH_HTTP_PORT', fallback: 18123 },
  clickhouseTcp: { setting: 'STACK_CH_TCP_PORT', fallback: 19000 },
  registry: { setting: 'STACK_REGISTRY_PORT', fallback: 18081 },
} as const;

export type PortName = keyof typeof PORT_SETTINGS;
export const PORT_NAMES = Object.keys(PORT_SETTINGS) as readonly PortName[];
export type Ports = Readonly<Record<PortName, number>>;

export type StackMode = 'docker' | 'local';

/** What the person asked for. */
export interface StackSettings {
  /** undefined: Docker where it works, else local. */
  readonly mode: StackMode | undefined;
  /** undefined: what the stack has, else `json`; null: no connector. */
  readonly connector: Profile | null | undefined;
  /** Absolute path of the folder with state, logs and data. */
  readonly dir: string;
  /** Absolute path of the downloads, which several stacks may share. */
  readonly partsDir: string;
  readonly ports: Ports;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The process's environment over the repository's `.env`. An empty value counts as not set. */
export function stackEnvironment(root: string, environment: Environment): Environment {
  const file = join(root, '.env');
  const fromFile: Environment = existsSync(file) ? parse(readFileSync(file)) : {};
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  return { ...fromFile, ...Object.fromEntries(set) };
}

/** Reads the settings; relative folders are taken from `root`. Throws CONFIG_INVALID that names the setting. */
export function readStackSettings(root: string, environment: Environment): StackSettings {
  const { STACK, CONNECTOR, STACK_DIR, STACK_PARTS_DIR } = environment;
  const ports = PORT_NAMES.map((name) => [name, readPort(name, environment)] as const);
  return {
    mode: oneOf('STACK', STACK, ['docker', 'local']),
    connector: readConnector(CONNECTOR),
    dir: resolve(root, filled(STACK_DIR) ?? '.stack'),
    partsDir: resolve(root, filled(STACK_PARTS_DIR) ?? join('.stack', 'parts')),
    ports: Object.fromEntries(ports) as Record<PortName, number>,
  };
}

function readConnector(value: string | undefined): Profile | null | undefined {
  const chosen = oneOf('CONNECTOR', value, [...PROFILES, 'none']);
  return chosen === 'none' ? null : chosen;
}

function readPort(name: PortName, environment: Environment): number {
  const { setting, fallback } = PORT_SETTINGS[name];
  const text = filled(environment[setting]);
  if (text === undefined) return fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= 0 && port <= 65535) return port;
  throw new ServiceError('CONFIG_INVALID', `${setting} is not a port: it must be a whole number from 0 to 65535`, {
    hint: `For example ${setting}=${fallback}; 0 takes any free port.`,
  });
}

function oneOf<const T extends string>(
  setting: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  const text = filled(value);
  if (text === undefined) return undefined;
  const found = allowed.find((candidate) => candidate === text);
  if (found !== undefined) return found;
  throw new ServiceError('CONFIG_INVALID', `${setting} must be one of ${allowed.join(', ')}`, {
    hint: `For example ${setting}=${String(allowed[0])}.`,
  });
}

function filled(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
