/** Has the processes of a running service do something: makes the request in `control`, and follows what each answers. */
import { randomUUID } from 'node:crypto';
import type { Control } from '../clickhouse/control';
import { ERROR_CODES, ServiceError } from '../errors';
import type { Answer, Request } from './request-kinds';
import { answersTo, isFinal, requestName } from './requests';

const LOOK_MS = 500;
/** A request is taken up within two seconds; a rebalance, or a restart, may come in between. */
const TAKEN_UP_MS = 90_000;
/** So often a request is made again while it waits: an older one is not taken up. */
const REFRESH_MS = 10_000;
/** Who works on a request says so every second. */
const SILENT_MS = 30_000;
/** Requests and answers that a command left behind when it was killed. */
const LEFT_BEHIND_MS = 86_400_000;

/** What following the answers stands on. */
export interface Following {
  readonly control: Pick<Control, 'set' | 'newest' | 'forget'>;
  readonly memberCount: () => Promise<number>;
  readonly onAnswers: (answers: readonly Answer[]) => void;
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Makes a request, waits until every member of the group has taken it up, withdraws it, and follows the answers until
 * each is final; one that stopped answering counts as failed. Leaves nothing in `control`.
 */
export async function followAnswers(request: Request, following: Following): Promise<Answer[]> {
  const { control, memberCount, onAnswers, now, sleep, signal } = following;
  const id = randomUUID();
  const askedAt = now();
  let refreshedAt = askedAt;
  let brokenAt = askedAt;
  let takenUp = false;
  const set = (): Promise<void> => control.set(requestName(id), JSON.stringify(request));
  const askAgain = async (answered: number, members: number): Promise<void> => {
    if (now() - askedAt > TAKEN_UP_MS) throw unanswered(answered, members);
    if (now() - refreshedAt < REFRESH_MS) return;
    refreshedAt = now();
    await unlessAway(set);
  };
  for (const prefix of [requestName(''), answersTo('').slice(0, -1)]) await control.forget(prefix, LEFT_BEHIND_MS);
  try {
    await set();
    for (;;) {
      await sleep(LOOK_MS, signal);
      const seen = await unlessAway(async () => {
        const values = await control.newest(answersTo(id));
        return { values, members: takenUp ? 0 : await memberCount() };
      });
      if (seen === null) {
        brokenAt = now();
        continue;
      }
      const answers = seen.values.map(({ value, ageMs }) =>
        heard(JSON.parse(value) as Answer, Math.min(ageMs, now() - brokenAt)),
      );
      if (!takenUp && answers.length > 0 && answers.length >= seen.members) {
        await control.forget(requestName(id));
        takenUp = true;
      }
      onAnswers(answers);
      if (takenUp && answers.every(isFinal)) return answers;
      if (!takenUp) await askAgain(answers.length, seen.members);
    }
  } finally {
    await Promise.allSettled([control.forget(requestName(id)), control.forget(answersTo(id))]);
  }
}

function heard(answer: Answer, silentMs: number): Answer {
  if (isFinal(answer) || silentMs <= SILENT_MS) return answer;
  return {
    ...answer,
    state: 'failed',
    message: 'a process of the service stopped answering; what it had not reached is read on at its next start',
  };
}

/** null while Kafka or ClickHouse does not answer: the service waits for them too. */
async function unlessAway<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof ServiceError && ERROR_CODES[error.code] === 'retry') return null;
    throw error;
  }
}

function unanswered(answered: number, members: number): ServiceError {
  return new ServiceError(
    'REQUEST_FAILED',
    `Of ${members} members of the group, ${answered} answered within ${TAKEN_UP_MS / 1_000} s.`,
    {
      hint: 'See the logs of the service: it may be waiting for Kafka or ClickHouse, or be another version. Those that answered go on.',
    },
  );
}
