/**
 * Repairs write to a mirror outside the announced blocks, so they are announced in `control`: whoever takes over a
 * partition while one is noted there waits until nothing of it can land any more.
 */
import { randomUUID } from 'node:crypto';
import type { Control } from '../clickhouse/control';
import { ServiceError } from '../errors';
import type { Log } from '../kafka/log';
import type { TopicPartition } from '../model';
import { placeName } from '../plan/replay';

export interface NoticePorts {
  readonly control: Control;
  readonly log: Pick<Log, 'memberId' | 'members'>;
  readonly processId: string;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The longest an insert may run, s. */
  readonly insertSeconds: number;
}

interface Notice {
  readonly process: string;
  /** After so long nothing of it can land, ms. */
  readonly forMs: number;
}

/** A repair may begin its statements for so long, s. */
export const REPAIR_SECONDS = 30;

const NOTICE = 'table:repair:';
const LOOK_MS = 300;
/** How long the group may take to come to rest. */
const PROOF_MS = 10_000;

/**
 * Runs a repair that is over within `REPAIR_SECONDS`. Once it is noted the broker is asked whether the partitions are this
 * member's: whoever gets them later reads the note. Throws FENCED where they are not.
 */
export async function announceRepair<T>(
  places: readonly TopicPartition[],
  { control, log, processId, sleep, insertSeconds }: NoticePorts,
  signal: AbortSignal,
  repair: () => Promise<T>,
): Promise<T> {
  const name = `${NOTICE}${randomUUID()}`;
  const notice: Notice = { process: processId, forMs: (REPAIR_SECONDS + insertSeconds) * 1_000 };
  await control.set(name, JSON.stringify(notice));
  try {
    for (let waitedMs = 0; !(await areMine(places, log)); waitedMs += LOOK_MS) {
      if (waitedMs >= PROOF_MS) throw notMine(places);
      await sleep(LOOK_MS, signal);
    }
    return await repair();
  } finally {
    await control.forget(name);
  }
}

async function areMine(places: readonly TopicPartition[], log: NoticePorts['log']): Promise<boolean> {
  const members = await log.members();
  const mine = members?.find(({ memberId }) => memberId === log.memberId());
  const names = new Set(mine?.partitions.map(placeName));
  return places.every((place) => names.has(placeName(place)));
}

/** Resolves when no repair of another process can write any more. Call it at each new assignment, before anything is written. */
export async function waitForRepairs(
  { control, processId, sleep }: Pick<NoticePorts, 'control' | 'processId' | 'sleep'>,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, value, ageMs } of await control.newest(NOTICE)) {
    const notice = JSON.parse(value) as Notice;
    if (notice.process === processId) continue;
    for (let leftMs = notice.forMs - ageMs; leftMs > 0; leftMs -= LOOK_MS) {
      if ((await control.get(name)) === null) break;
      await sleep(LOOK_MS, signal);
    }
    await control.forget(name);
  }
}

function notMine(places: readonly TopicPartition[]): ServiceError {
  return new ServiceError(
    'FENCED',
    `Another member of the group owns ${places.map(placeName).join(', ')} now, so nothing was mended.`,
    {
      hint: 'Ask again once the group has come to rest.',
    },
  );
}
