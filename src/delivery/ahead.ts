/** A block that is prepared while the one before it is written, as far as that needs nothing the other still writes. */
import type { LookUps } from '../clickhouse/look-ups';
import type { Glance } from '../clickhouse/target';
import type { TopicPartition } from '../model';
import type { ChangeBlock } from '../plan/change-block';
import { machineryTable } from './assign';
import type { DeliveryLimits, DeliveryPorts } from './ports';
import { prepareBlock, type Past, type Prepared, type PreparePorts } from './prepare';

/** What was prepared ahead. It keeps the block's mirrors as they are until it is given up, which its writing ends with, too. */
export interface Ahead {
  readonly prepared: Prepared;
  /** `ingested_at`, ms since the epoch. */
  readonly at: number;
  /** Whether the machinery's tables are still those that it was prepared for. */
  fits(now: Glance): boolean;
  /** Idempotent. */
  giveUp(): void;
}

/** Thrown inside, never further: the block cannot be prepared before the one ahead of it is written. */
const TOO_EARLY = new Error('the block before is not written yet');

function refuse(): never {
  throw TOO_EARLY;
}

/** Every look-up reads `changes` or a mirror, where the block before is missing. */
const NO_LOOK_UPS = new Proxy({}, { get: () => refuse }) as LookUps;

/**
 * Prepares `block` for a time when what `past` says holds. Null where it needs a look at ClickHouse, or a table that is
 * not open as it is needed: such a block is prepared when its turn comes. Alters nothing, announces nothing.
 */
export async function prepareAhead(
  block: ChangeBlock,
  past: Past,
  at: { readonly of: TopicPartition; readonly ports: DeliveryPorts; readonly limits: DeliveryLimits },
): Promise<Ahead | null> {
  const { of, ports, limits } = at;
  const { start, end } = block;
  if (start <= past.highest) return null;
  const release = await ports.tables.lease(block.tables);
  try {
    const glance = await ports.glance();
    const changes = machineryTable(glance, 'changes');
    const quarantine = machineryTable(glance, 'quarantine');
    const ingestedAt = ports.now();
    const prepared = await prepareBlock(
      block,
      { ...of, ...past, start, end, at: ingestedAt, seen: false, announced: false, round: 0, changes, quarantine },
      withoutLooking(ports),
      limits,
    );
    return {
      prepared,
      at: ingestedAt,
      fits: (now) =>
        machineryTable(now, 'changes').uuid === changes.uuid &&
        machineryTable(now, 'quarantine').uuid === quarantine.uuid,
      giveUp: release,
    };
  } catch {
    // Whatever it is: it comes again when the block is prepared in its turn, and is dealt with there.
    release();
    return null;
  }
}

function withoutLooking({ tables }: DeliveryPorts): PreparePorts {
  return {
    lookUps: NO_LOOK_UPS,
    currentRows: refuse,
    tables: {
      open: async (table, need) => (await tables.standing(table, need)) ?? refuse(),
      refresh: refuse,
      reopen: refuse,
      learnKey: refuse,
      widen: refuse,
    },
  };
}
