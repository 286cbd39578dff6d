/** What stands behind the demo's dashboard: the reads of both databases, and where the mirror is in between. */
import type { ClickHouse } from '../clickhouse/client';
import { dashboardReads } from '../clickhouse/dashboard-reads';
import type { Config } from '../config';
import type { DashboardReads, PartitionEnd } from '../http/ports';
import { openReconciliation, type IdLook } from '../http/reconciliation';
import { topicOfTable } from '../plan/replay';
import type { Postgres } from '../postgres/client';
import { firstComparedId, sentUpTo, sourceIds } from '../postgres/login-ids';
import type { State } from '../telemetry/state';
import { databasesOf } from '../wiring';

export interface DashboardParts {
  readonly config: Config;
  readonly clickhouse: ClickHouse;
  readonly postgres: Postgres | null;
  readonly state: State;
  readonly ends: () => readonly PartitionEnd[];
  /** Where the partitions of a topic end in Kafka now; null: not joined yet. */
  readonly bounds: (topic: string) => Promise<readonly { readonly partition: number; readonly high: number }[] | null>;
}

const LOGINS = 'public.user_logins';

export function dashboardOf({ config, clickhouse, postgres, state, ends, bounds }: DashboardParts): DashboardReads {
  const reads = dashboardReads(clickhouse, databasesOf(config));
  const reconciliation = openReconciliation();
  const topic = topicOfTable(config.topicPrefix, LOGINS);

  /** Whether everything below the ends of now is written, as far as this process knows. */
  const reached = async (): Promise<'yes' | 'no'> => {
    const found = await bounds(topic);
    if (found === null) return 'no';
    const isWritten = (partition: number, high: number): boolean =>
      [...state.partitions.values()].some(
        (of) => of.topic === topic && of.partition === partition && of.position >= high,
      );
    return found.every(({ partition, high }) => high === 0 || isWritten(partition, high)) ? 'yes' : 'no';
  };

  /** The order of the reads is what the judgement stands on. */
  const look = async (source: Postgres): Promise<IdLook> => {
    const from = await firstComparedId(source);
    const sent = await sentUpTo(source, config.connector.placeholders['SLOT_NAME'] ?? '');
    const isReached = await reached();
    const mirror = await reads.loginIds(from);
    return { sent, reached: isReached, mirror, source: await sourceIds(source, from) };
  };

  return {
    ...reads,
    newestCommit: () => reads.newestCommit(ends()),
    async reconcile() {
      if (postgres === null) return { reason: 'PG_URL is not set, so PostgreSQL cannot be asked.' };
      if (!(await reads.tables()).includes('user_logins'))
        return { reason: 'There is no user_logins in ClickHouse yet.' };
      return reconciliation.judge(await look(postgres));
    },
  };
}
