/**
 * Judges the ids that are on one side only; pure. What came after the position of the mirror is on its way. A difference
 * is a gap when it was there before, everything committed until then is known to be in Kafka, and the mirror has all
 * that Kafka had at that moment.
 */

/** 62 ids in a number: bit n of bucket b is the id 62 b + n. */
export type IdBuckets = ReadonlyMap<string, string>;

/** What both sides hold, read in this order: `sent`, Kafka's ends and `reached`, the mirror, the source. */
export interface IdLook {
  /** Everything committed below this WAL position was in Kafka; null: not known. */
  readonly sent: bigint | null;
  /** Whether the mirror then held all that Kafka had after `sent` was read. */
  readonly reached: 'yes' | 'no';
  readonly mirror: { readonly rows: number; readonly ids: number; readonly buckets: IdBuckets };
  readonly source: { readonly rows: number; readonly buckets: IdBuckets; readonly lsn: bigint };
}

interface Ids {
  readonly count: number;
  /** The lowest of them. */
  readonly ids: readonly string[];
}

export interface Reconciled {
  readonly sourceRows: number;
  readonly mirrorRows: number;
  /** Rows of the mirror beyond one for each id. */
  readonly doubled: number;
  /** In PostgreSQL and not in ClickHouse yet. */
  readonly arriving: Ids;
  /** Deleted in PostgreSQL and still in ClickHouse. */
  readonly leaving: Ids;
  /** In PostgreSQL and lost on the way. */
  readonly missing: Ids;
  /** In ClickHouse, and not in PostgreSQL any more, though the mirror is beyond the delete. */
  readonly surplus: Ids;
}

export interface Reconciliation {
  judge(look: IdLook): Reconciled;
}

const SHOWN = 20;
/** More differences than these are not remembered: they count as on their way. */
const MOST_REMEMBERED = 10_000;
const PER_BUCKET = 62n;

export function openReconciliation(): Reconciliation {
  /** Since which WAL position of the source each difference is known. */
  let known = new Map<string, bigint>();
  return {
    judge({ sent, reached, mirror, source }) {
      const remembered = new Map<string, bigint>();
      const split = (ids: readonly string[], side: string): { late: Ids; lost: Ids } => {
        const lost: string[] = [];
        const late: string[] = [];
        for (const id of ids) {
          const name = `${side} ${id}`;
          const since = known.get(name);
          if (remembered.size < MOST_REMEMBERED) remembered.set(name, since ?? source.lsn);
          const isPassed = since !== undefined && sent !== null && reached === 'yes' && sent >= since;
          (isPassed ? lost : late).push(id);
        }
        return { late: shown(late), lost: shown(lost) };
      };
      const inSource = split(onlyIn(source.buckets, mirror.buckets), 'source');
      const inMirror = split(onlyIn(mirror.buckets, source.buckets), 'mirror');
      known = remembered;
      return {
        sourceRows: source.rows,
        mirrorRows: mirror.rows,
        doubled: mirror.rows - mirror.ids,
        arriving: inSource.late,
        leaving: inMirror.late,
        missing: inSource.lost,
        surplus: inMirror.lost,
      };
    },
  };
}

function shown(ids: readonly string[]): Ids {
  return { count: ids.length, ids: ids.slice(0, SHOWN) };
}

/** The ids of `some` that `others` lacks, the lowest first. */
function onlyIn(some: IdBuckets, others: IdBuckets): string[] {
  const found: bigint[] = [];
  for (const [bucket, text] of some) {
    const other = others.get(bucket);
    if (other === text) continue;
    const bits = BigInt(text) & ~BigInt(other ?? 0);
    for (let bit = 0n; bit < PER_BUCKET; bit++)
      if ((bits & (1n << bit)) !== 0n) found.push(BigInt(bucket) * PER_BUCKET + bit);
  }
  return found.sort((a, b) => (a < b ? -1 : 1)).map(String);
}
