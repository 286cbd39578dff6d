/** How much WAL a replication slot keeps PostgreSQL from removing. */
import type { Postgres } from './client';

export interface SlotWal {
  /** null: there is no such slot, or it has no position yet. */
  readonly heldBytes: number | null;
  readonly active: boolean | null;
  /** Why `heldBytes` is null. */
  readonly reason: string | null;
}

/** On a standby it counts from what was replayed. Errors as those of `Postgres.query`. */
export async function slotWal(postgres: Pick<Postgres, 'query'>, slot: string): Promise<SlotWal> {
  const [found] = await postgres.query<{ held: string | null; active: boolean }>(
    `SELECT active, pg_wal_lsn_diff(
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn) AS held
     FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  if (found === undefined) return { heldBytes: null, active: null, reason: `there is no slot ${slot}` };
  const { held, active } = found;
  if (held === null) return { heldBytes: null, active, reason: `the slot ${slot} has no position` };
  return { heldBytes: Math.max(0, Number(held)), active, reason: null };
}
