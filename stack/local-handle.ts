/** A local stack in the hand of its user: its settings, and its parts to stop and start one by one. */
import { ServiceError } from '../src/errors';
import type { PartContext } from './part';
import { startPart } from './part-runner';
import type { PartRun } from './part-runner';
import { isRunning, signalProcess, stopProcess } from './process-identity';
import { withStackLock } from './stack-lock';
import type { Ports } from './stack-settings';
import type { PartName, PartState, StackEnv, StackState } from './state';

/** What the lifecycle works on; the state is written to the file at each change. */
export interface LocalStack {
  readonly root: string;
  readonly dir: string;
  readonly partsDir: string;
  readonly state: StackState;
  contextFor(name: PartName): PartContext;
  /** Notes a part as started, or as stopped on purpose. */
  setPart(name: PartName, part: PartState | null): void;
  run(name: PartName): PartRun;
}

/** For the tests and the commands. Parts keep ports and data over stop and start. */
export interface StackHandle {
  /** Settings of the service that lead to this stack. */
  readonly env: StackEnv;
  readonly ports: Ports;
  readonly dir: string;
  /** What was started and not stopped on purpose; a part that died is still in it. */
  parts(): StackState['parts'];
  /** Whether its process runs; says nothing about whether it answers. */
  isUp(name: PartName): boolean;
  /** Its version if it answers now, else null. */
  probe(name: PartName): Promise<string | null>;
  /**
   * Ends a part and waits until its process is gone. Without a signal it is asked to stop and killed after 20 s; with
   * one only that is sent, and STACK_FAILED thrown if it runs on after 30 s. A part that is not up is left alone.
   */
  stopPart(name: PartName, signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal and waits for nothing: SIGSTOP freezes a part, SIGCONT thaws it. */
  signalPart(name: PartName, signal: NodeJS.Signals): void;
  /** Starts a part that is down and waits until it answers. Throws STACK_FAILED. */
  startPart(name: PartName): Promise<void>;
  /** Stops all parts, Connect first; data and settings stay. */
  stop(): Promise<void>;
}

// Connect first, so that it commits its offsets while Kafka is there.
const STOP_ORDER: readonly (readonly PartName[])[] = [
  ['connect', 'registry'],
  ['kafka', 'clickhouse', 'postgres'],
];

export function openHandle(local: LocalStack): StackHandle {
  const stopPart = async (name: PartName, signal?: NodeJS.Signals): Promise<void> => {
    const state = local.state.parts[name];
    if (state === undefined) return;
    const run = local.run(name);
    const ask =
      signal === undefined ? { signals: run.part.stopSignals, waitMs: 20_000 } : { signals: [signal], waitMs: 30_000 };
    if (!(await stopProcess(state, ask))) {
      throw new ServiceError('STACK_FAILED', `${name} (pid ${state.pid}) does not stop`, {
        hint: `Read ${state.log}.`,
      });
    }
    local.setPart(name, null);
    run.log('stopped');
  };
  return {
    env: local.state.env,
    ports: local.state.ports,
    dir: local.dir,
    parts: () => local.state.parts,
    isUp(name) {
      const state = local.state.parts[name];
      return state !== undefined && isRunning(state);
    },
    probe: (name) => local.run(name).part.probe(local.contextFor(name)),
    stopPart,
    signalPart(name, signal) {
      const state = local.state.parts[name];
      if (state !== undefined) signalProcess(state, signal);
    },
    async startPart(name) {
      const state = local.state.parts[name];
      if (state === undefined || !isRunning(state)) await startPart(local.run(name));
    },
    stop: () =>
      withStackLock(local.dir, async () => {
        for (const names of STOP_ORDER) await Promise.all(names.map((name) => stopPart(name)));
      }),
  };
}
