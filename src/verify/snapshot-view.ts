/** Which transactions a PostgreSQL snapshot sees, and the same question as a condition of ClickHouse. */
import { ServiceError } from '../errors';

/** `pg_current_snapshot()`: transactions below `xmax` are seen unless they were running. 64-bit ids. */
export interface SnapshotView {
  readonly xmax: bigint;
  readonly running: readonly bigint[];
}

const XID_BITS = 0xffffffffn;
const HALF = 0x80000000n;

/** Reads `xmin:xmax:xip,xip,…`. */
export function parseSnapshot(text: string): SnapshotView {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (match === null) {
    throw new ServiceError('INTERNAL', 'PostgreSQL described its snapshot in a form this service does not read.', {
      hint: 'Please report this with the version of the PostgreSQL server.',
    });
  }
  const [, , xmax = '0', running = ''] = match;
  return { xmax: BigInt(xmax), running: running === '' ? [] : running.split(',').map(BigInt) };
}

/**
 * Whether the snapshot does not see a transaction. Debezium gives the 32-bit id, so ids are compared modulo 2^32 as
 * PostgreSQL does: right for transactions at most 2^31 apart.
 */
export function isHidden({ xmax, running }: SnapshotView, txId: bigint): boolean {
  const ahead = (txId - xmax) & XID_BITS;
  return ahead < HALF || running.some((one) => (one & XID_BITS) === (txId & XID_BITS));
}

/** `isHidden` as a condition on a column that holds a 32-bit id; false for NULL. */
export function hiddenCondition({ xmax, running }: SnapshotView, column: string): string {
  const ahead = `bitAnd(toInt64(ifNull(${column}, 0)) - ${xmax & XID_BITS}, ${XID_BITS}) < ${HALF}`;
  const ids = running.map((one) => String(one & XID_BITS));
  const wasRunning = ids.length === 0 ? '' : ` OR bitAnd(ifNull(${column}, 0), ${XID_BITS}) IN (${ids.join(', ')})`;
  return `(isNotNull(${column}) AND (${ahead}${wasRunning}))`;
}
