/** Erases the events of keys on request, between two blocks of their partition. */
import type { Eraser, ErasedKeys } from '../clickhouse/eraser';
import type { TargetTable } from '../clickhouse/insert';
import { ServiceError } from '../errors';
import type { Emit } from '../events';
import type { BetweenBlocks } from './between-blocks';

/** Which keys; they travel as hashes. */
export interface ForgetRequest {
  readonly schema: string;
  readonly table: string;
  readonly salt: string;
  readonly hashes: readonly string[];
  readonly who: string;
  /** `OPS` leaves deletes out, so it cannot be known whether a row lives. */
  readonly unlessLiving: boolean;
}

export interface ForgetTools {
  readonly eraser: Eraser;
  /** The table's mirror; null where it has none. */
  readonly mirrorOf: (schema: string, table: string) => Promise<TargetTable | null>;
  readonly emit: Emit;
}

export interface Forgotten {
  readonly events: number;
  readonly quarantined: number;
}

/**
 * First the marker, so that nothing brings the rows back, then the mirror, quarantine and, last, `changes`, by which the
 * rest is found: killed in between, it is done by asking again. Throws REQUEST_FAILED where a row of the keys still lives
 * in the source: its next change would come back, and meet no row.
 */
export async function forgetKeys(request: ForgetRequest, at: BetweenBlocks, tools: ForgetTools): Promise<Forgotten> {
  const { schema, table, salt, hashes, who } = request;
  const { topic, partition } = at.of;
  const { eraser } = tools;
  const past = (await eraser.pasts(request)).find((one) => one.topic === topic && one.partition === partition);
  if (request.unlessLiving && (past?.living ?? 0) > 0) throw living(`${schema}.${table}`);
  const keys: ErasedKeys = { schema, table, salt, hashes, topic, partition, below: at.settled };
  const { commitLsn, lsn } = at.past.watermark.position;
  const mark = (state: 'begun' | 'done'): Promise<void> =>
    eraser.mark(hashes.map((hash) => ({ ...keys, hash, lsn, commitLsn, events: past?.events ?? 0, who, state })));
  await mark('begun');
  const mirror = await tools.mirrorOf(schema, table);
  if (mirror !== null) await eraser.fromMirror(keys, mirror);
  const quarantined = await eraser.fromQuarantine(keys, who);
  await eraser.fromChanges(keys);
  await mark('done');
  const events = past?.events ?? 0;
  tools.emit({ tag: 'key-forgotten', topic, partition, table: `${schema}.${table}`, events });
  return { events, quarantined };
}

function living(table: string): ServiceError {
  return new ServiceError('REQUEST_FAILED', `A row of that key still lives in ${table}, as far as changes knows.`, {
    place: { table },
    hint: 'Delete it in PostgreSQL first; once the delete has arrived (verify waits for it), ask again.',
  });
}
