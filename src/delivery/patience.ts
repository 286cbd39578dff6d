/** Waiting for what is away: growing pauses, said once for each, and once when it is back. */
import type { ErrorCode } from '../errors';
import { ServiceError } from '../errors';
import type { Emit, Outside } from '../events';
import { classifyByCode, retry } from '../retry';

/** Which part outside an error code is about. */
function outsideOf(code: ErrorCode): Outside {
  if (code.startsWith('KAFKA')) return 'Kafka';
  return code.startsWith('POSTGRES') ? 'PostgreSQL' : 'ClickHouse';
}

const TAGS = { ClickHouse: 'clickhouse-waiting', Kafka: 'kafka-waiting', PostgreSQL: 'postgres-waiting' } as const;

/** Runs `action` until it succeeds or something is wrong that waiting does not mend; an abort ends it. */
export async function patiently<T>(action: () => Promise<T>, { signal, emit }: { signal: AbortSignal; emit: Emit }): Promise<T> {
  let since = 0;
  let outside: Outside | null = null;
  const result = await retry(action, {
    signal,
    classify: (error) => (error instanceof ServiceError && (error.code === 'GUARD_REFUSED' || error.code === 'FENCED') ? 'stop' : classifyByCode(error)),
    onWait: ({ attempt, delayMs, error }) => {
      if (!(error instanceof ServiceError)) return;
      outside = outsideOf(error.code);
      if (attempt === 1) since = performance.now();
      emit({ tag: TAGS[outside], attempt, delayMs: Math.round(delayMs), code: error.code, message: error.message });
    },
  });
  if (outside !== null) emit({ tag: 'back-again', outside, afterMs: Math.round(performance.now() - since) });
  return result;
}
