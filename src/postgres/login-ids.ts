/** Which ids of the demo's `user_logins` are in PostgreSQL, and up to where the connector has sent the WAL. */
import type { Postgres } from './client';

/** So many of the newest ids are compared. */
export const COMPARED_IDS = 1_000_000;

export interface SourceIds {
  /** The lowest id that is compared. */
  readonly from: string;
  readonly rows: number;
  /** 62 ids in a number: bit n of bucket b is the id 62 b + n. */
  readonly buckets: ReadonlyMap<string, string>;
  /** What was read is committed below this WAL position. */
  readonly lsn: bigint;
}

/** The lowest id to compare. Errors as those of `Postgres.query`. */
export async function firstComparedId(postgres: Pick<Postgres, 'query'>): Promise<string> {
  const [found] = await postgres.query<{ first: string }>(
    `SELECT greatest(0, coalesce(max(id), 0) - $1)::text AS first FROM public.user_logins`,
    [COMPARED_IDS],
  );
  return found?.first ?? '0';
}

/** One statement, so one snapshot; the position is read after the snapshot was taken. Errors as those of `Postgres.query`. */
export async function sourceIds(postgres: Pick<Postgres, 'query'>, from: string): Promise<SourceIds> {
  const [found] = await postgres.query<{ lsn: string; rows: string; buckets: [string, string][] }>(
    `WITH buckets AS (
       SELECT id / 62 AS bucket, bit_or(1::bigint << (id % 62)::int) AS bits, count(*) AS n
       FROM public.user_logins WHERE id >= $1::bigint GROUP BY 1
     )
     SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text AS lsn, coalesce(sum(n), 0)::text AS rows,
       coalesce(json_agg(json_build_array(bucket::text, bits::text)), '[]') AS buckets FROM buckets`,
    [from],
  );
  return {
    from,
    rows: Number(found?.rows ?? 0),
    buckets: new Map(found?.buckets ?? []),
    lsn: BigInt(found?.lsn ?? 0),
  };
}

/** Everything that was committed below is in Kafka; null: there is no such slot. Errors as those of `Postgres.query`. */
export async function sentUpTo(postgres: Pick<Postgres, 'query'>, slot: string): Promise<bigint | null> {
  const [found] = await postgres.query<{ lsn: string | null }>(
    `SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::text AS lsn FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  return found?.lsn == null ? null : BigInt(found.lsn);
}
