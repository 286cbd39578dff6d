/** Waiting for what is away: growing pauses, said once for each, and once when it is back. */
import type { ErrorCode } from '../errors';
import { ServiceError } from '../errors';
import type { Emit, Outside } from '../events';
import { classifyByCode, retry } from '../retry';

/** Which part outside an error code is about. */
function outsideOf(code: ErrorCode): Outside {
  if (code.startsWith('KAFKA')) return 'Kafka';
  if (code.startsWith('REGISTRY')) return 'registry';
  if (code.startsWith('CONNECT')) return 'Kafka Connect';
  return code.startsWith('POSTGRES') ? 'PostgreSQL' : 'ClickHouse';
}

const TAGS = {
  ClickHouse: 'clickhouse-waiting',
  Kafka: 'kafka-waiting',
  'Kafka Connect': 'connect-waiting',
  PostgreSQL: 'postgres-waiting',
  registry: 'registry-waiting',
} as const;

/** Runs `action` until it succeeds or something is wrong that waiting does not mend; an abort ends it. */
export async function patiently<T>(
  action: () => Promise<T>,
  { signal, emit }: { signal: AbortSignal; emit: Emit },
): Promise<T> {
  const waiting: { since: number; outside: Outside | null } = { since: 0, outside: null };
  const result = await retry(action, {
    signal,
    classify: (error) =>
      error instanceof ServiceError && (error.code === 'GUARD_REFUSED' || error.code === 'FENCED')
        ? 'stop'
        : classifyByCode(error),
    onWait: ({ attempt, delayMs, error }) => {
      if (!(error instanceof ServiceError)) return;
      const outside = outsideOf(error.code);
      if (waiting.outside === null) waiting.since = performance.now();
      waiting.outside = outside;
      emit({ tag: TAGS[outside], attempt, delayMs: Math.round(delayMs), code: error.code, message: error.message });
    },
  });
  const { since, outside } = waiting;
  if (outside !== null) emit({ tag: 'back-again', outside, afterMs: Math.round(performance.now() - since) });
  return result;
}

/** Many partitions wait for the same thing: each attempt is said once for all of them, and so is the end of the waiting. */
export function sayOnce(emit: Emit): Emit {
  const said = new Map<Outside, number>();
  return (event) => {
    if (event.tag === 'back-again') {
      if (said.delete(event.outside)) emit(event);
      return;
    }
    const outside = (Object.keys(TAGS) as Outside[]).find((name) => TAGS[name] === event.tag);
    if (outside !== undefined && 'attempt' in event) {
      if (event.attempt <= (said.get(outside) ?? 0)) return;
      said.set(outside, event.attempt);
    }
    emit(event);
  };
}
