/** The state file: what was started, where, and the settings that lead to it. `npm start`, the commands and `make env` read it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../src/connect/profile';
import { ServiceError } from '../src/errors';
import type { ProcessIdentity } from './process-identity';
import type { Ports, StackMode } from './stack-settings';

/** In the order in which they are shown. */
export const PART_NAMES = ['postgres', 'clickhouse', 'kafka', 'connect', 'registry'] as const;
export type PartName = (typeof PART_NAMES)[number];

/** Settings of the service that lead to this stack; REGISTRY_URL only where a registry was started. */
export interface StackEnv {
  readonly PG_URL: string;
  readonly CH_URL: string;
  readonly CH_DATABASE: string;
  readonly KAFKA_BROKERS: string;
  readonly CONNECT_URL: string;
  readonly REGISTRY_URL?: string;
}

/** A part that was started. It may have died since: ask `isRunning`. */
export interface PartState extends ProcessIdentity {
  readonly port: number;
  /** As the server said it; empty until it was ready. */
  readonly version: string;
  readonly log: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** What it was started with beyond its ports; another value needs a restart. */
  readonly variant: string;
}

export interface StackState {
  readonly format: 1;
  readonly mode: StackMode;
  readonly connector: Profile | null;
  /** Only in stacks of the chaos suite: Connect runs without its exactly-once. */
  readonly sendsTwice?: boolean;
  readonly ports: Ports;
  readonly env: StackEnv;
  /** Parts started by us as processes; empty in Docker mode and after `down`. */
  readonly parts: Readonly<Partial<Record<PartName, PartState>>>;
}

export function stateFile(dir: string): string {
  return join(dir, 'state.json');
}

/** The state, or null where no stack was started. Throws STACK_FAILED when the file is not one of ours. */
export function readState(dir: string): StackState | null {
  let text: string;
  try {
    text = readFileSync(stateFile(dir), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(dir, cause);
  }
  return parseState(text, dir);
}

/** Reads a state from its text. Throws STACK_FAILED. */
export function parseState(text: string, dir: string): StackState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(dir, cause);
  }
  if (isState(value)) return value;
  throw unreadable(dir, undefined);
}

/** Replaces the file as a whole, so that a reader never sees half of it. Only its owner may read it: it holds a password. */
export function writeState(dir: string, state: StackState): void {
  mkdirSync(dir, { recursive: true });
  const file = stateFile(dir);
  const next = `${file}.${process.pid}.new`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

function isState(value: unknown): value is StackState {
  if (typeof value !== 'object' || value === null) return false;
  const { format, mode, ports, env, parts } = value as Partial<Record<keyof StackState, unknown>>;
  if (format !== 1 || (mode !== 'local' && mode !== 'docker')) return false;
  return [ports, env, parts].every((field) => typeof field === 'object' && field !== null);
}

function unreadable(dir: string, cause: unknown): ServiceError {
  return new ServiceError('STACK_FAILED', `${stateFile(dir)} is not a state file of this version`, {
    hint: 'Stop what it lists by hand if it still runs, remove the file, and run `make up` again.',
    cause,
  });
}
