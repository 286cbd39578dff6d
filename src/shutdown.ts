/** The end of the process: the first signal asks for a clean stop with a deadline, the second ends at once. */

/** The exit code when the block in hand could not be finished within the deadline. Nothing is lost: it is redone at the next start. */
export const EXIT_DEADLINE_PASSED = 8;

/** 128 + the signal's number, as shells count. */
const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;
type StopSignal = keyof typeof EXIT_BY_SIGNAL;

export interface ShutdownOptions {
  readonly deadlineMs: number;
  /** Where the signals come from; `process` in the service. */
  readonly signals: {
    on(signal: StopSignal, listener: () => void): unknown;
    off(signal: StopSignal, listener: () => void): unknown;
  };
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** Called once, at the first signal. */
  readonly onStopping: (signal: StopSignal) => void;
  readonly onDeadline: () => void;
}

export interface Shutdown {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** The work is done: no deadline and no listener is left behind. Idempotent. */
  finished(): void;
}

export function watchSignals(options: ShutdownOptions): Shutdown {
  const { signals, exit } = options;
  const controller = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const listeners = (Object.keys(EXIT_BY_SIGNAL) as StopSignal[]).map((name) => {
    const listener = (): void => {
      if (controller.signal.aborted) {
        exit(EXIT_BY_SIGNAL[name]);
        return;
      }
      // Not unref'd: a stop that hangs must end with this code, not with 0 because nothing else is left to do.
      deadline = setTimeout(() => {
        options.onDeadline();
        exit(EXIT_DEADLINE_PASSED);
      }, options.deadlineMs);
      options.onStopping(name);
      controller.abort(new Error(`stopped by ${name}`));
    };
    signals.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    finished() {
      clearTimeout(deadline);
      for (const { name, listener } of listeners) signals.off(name, listener);
    },
  };
}
