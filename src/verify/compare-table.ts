/** Compares one table: buckets of keys by their hashes first, rows only where buckets differ, and judges what differs. */
import { quoteText } from '../clickhouse/quote';
import type { TopicPartition } from '../model';
import { judge, type Cells, type Judgement, type KeyEvent, type RowState } from './judge';
import { judgeCount, type CountEvent } from './judge-count';
import type { Held, KafkaLooks, MirrorQueries, Progress, SourceSession } from './ports';
import { hiddenCondition, type SnapshotView } from './snapshot-view';
import type { Share, TablePlan } from './table-plan';

/** Rows of a bucket, about. */
const ROWS_A_BUCKET = 256;
const MOST_BITS = 16;
/** Hashes held at once. */
const ROWS_A_GROUP = 200_000;
const BUCKETS_A_GROUP = 20_000;
const ROWS_A_FETCH = 20_000;
/** Keys of one judgement: they stand in the statement. */
const KEYS_A_BATCH = 3_000;

export interface BucketRow {
  readonly bucket: number;
  readonly row_count: number;
  readonly sum_a: string;
  readonly sum_b: string;
  readonly [altered: `altered_${number}`]: number | undefined;
}

/** A key whose mirror row is wrong. */
export interface WrongKey {
  readonly rowKey: string;
  readonly expected: RowState;
  readonly mirror: RowState;
}

export interface Comparing {
  readonly table: string;
  readonly plan: TablePlan;
  readonly share: Share;
  /** The table's schema and name in `changes`, as a condition; and `changes`, qualified. */
  readonly changes: string;
  readonly changesOfTable: string;
  readonly session: SourceSession;
  readonly mirror: MirrorQueries;
  readonly kafka: KafkaLooks;
  readonly envelopeText: (value: Uint8Array) => string | null;
  readonly view: SnapshotView;
  /** Where the table's topics ended before the snapshot was taken. */
  readonly before: readonly Held[];
  readonly topics: readonly string[];
  readonly onProgress: (progress: Progress) => void;
}

/** The share to compare a table of about so many rows by; `sample` null for all of them. */
export function shareFor(rows: number, sample: number | null): Share {
  const looked = sample === null ? rows : Math.min(rows, sample);
  const bits = Math.min(MOST_BITS, Math.max(0, Math.ceil(Math.log2(Math.max(1, looked) / ROWS_A_BUCKET))));
  const threshold = sample === null || rows <= sample ? 0x100000000 : Math.ceil((sample / rows) * 0x100000000);
  return { bits, sample: threshold };
}

/** The table's wrong keys, and how many were only changed since. The mirror must have reached the snapshot. */
export async function wrongKeys(
  of: Comparing,
  source: readonly BucketRow[],
  onWrong: (wrong: readonly WrongKey[]) => void,
): Promise<{ mirrorRows: number; movedSince: number }> {
  const mirror = await of.mirror.query<BucketRow>(of.plan.mirrorBuckets(of.share));
  const groups = differingBuckets(source, mirror);
  let movedSince = 0;
  for (const [index, buckets] of groups.entries()) {
    of.onProgress({ phase: 'comparing', table: of.table, done: index, total: groups.length });
    const candidates = await differingHashes(of, buckets);
    for (let at = 0; at < candidates.length; at += KEYS_A_BATCH) {
      of.onProgress({ phase: 'judging', table: of.table, done: at, total: candidates.length });
      const judged = await judgeKeys(of, candidates.slice(at, at + KEYS_A_BATCH));
      movedSince += judged.moved;
      onWrong(judged.wrong);
    }
  }
  return { mirrorRows: mirror.reduce((sum, { row_count }) => sum + row_count, 0), movedSince };
}

/** Buckets that differ, in groups that fit into memory. */
export function differingBuckets(source: readonly BucketRow[], mirror: readonly BucketRow[]): number[][] {
  const rest = new Map(mirror.map((row) => [row.bucket, row]));
  const differing: { bucket: number; rows: number }[] = [];
  for (const row of source) {
    const other = rest.get(row.bucket);
    rest.delete(row.bucket);
    if (other !== undefined && sameBucket(row, other)) continue;
    differing.push({ bucket: row.bucket, rows: Math.max(row.row_count, other?.row_count ?? 0) });
  }
  for (const row of rest.values()) differing.push({ bucket: row.bucket, rows: row.row_count });
  return inGroups(differing);
}

function sameBucket(a: BucketRow, b: BucketRow): boolean {
  return a.row_count === b.row_count && a.sum_a === b.sum_a && a.sum_b === b.sum_b;
}

function inGroups(buckets: readonly { readonly bucket: number; readonly rows: number }[]): number[][] {
  const groups: number[][] = [];
  let rows = 0;
  for (const one of buckets) {
    const last = groups.at(-1);
    if (last === undefined || rows + one.rows > ROWS_A_GROUP || last.length === BUCKETS_A_GROUP) {
      groups.push([one.bucket]);
      rows = one.rows;
    } else {
      last.push(one.bucket);
      rows += one.rows;
    }
  }
  return groups;
}

interface HashRow {
  readonly row_key: string;
  readonly row_hash: string;
}

async function differingHashes(
  { plan, share, session, mirror }: Comparing,
  buckets: readonly number[],
): Promise<string[]> {
  const hashes = new Map<string, string>();
  for (const { row_key, row_hash } of await mirror.query<HashRow>(plan.mirrorHashes(share, buckets)))
    hashes.set(row_key, row_hash);
  const candidates: string[] = [];
  await session.query(`DECLARE verified NO SCROLL CURSOR FOR ${plan.sourceHashes(share, buckets)}`);
  for (;;) {
    const rows = await session.query<HashRow>(`FETCH ${ROWS_A_FETCH} FROM verified`);
    for (const { row_key, row_hash } of rows) {
      if (hashes.get(row_key) !== row_hash) candidates.push(row_key);
      hashes.delete(row_key);
    }
    if (rows.length < ROWS_A_FETCH) break;
  }
  await session.query('CLOSE verified');
  for (const rowKey of hashes.keys()) candidates.push(rowKey);
  return candidates;
}

interface CellRow {
  readonly row_key: string;
  readonly cells: (string | null)[];
}

/** What `changes` says of a key or, for a truncate, of all keys. */
export interface EventRow extends CellRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly op: string;
  readonly hidden: number;
  readonly unavailable: readonly string[];
  readonly lsn: string | null;
  /** Microseconds since the epoch. */
  readonly ts_us: string;
}

/** Reads in the order that the argument in `judge.ts` needs: committed offsets, the mirror, `changes`. */
async function judgeKeys(of: Comparing, keys: readonly string[]): Promise<{ wrong: WrongKey[]; moved: number }> {
  const { plan, session, kafka, mirror } = of;
  const source = byKey(await session.query<CellRow>(plan.sourceRows(), [keys]));
  const committed = await kafka.committed(of.topics);
  const standing = byKey(await mirror.query<CellRow>(plan.mirrorRows(keys)));
  const { events, truncates } = await laterEvents(of, keys);
  const wrong: WrongKey[] = [];
  let moved = 0;
  for (const rowKey of keys) {
    const row = source.get(rowKey) ?? null;
    const mirrorRow = standing.get(rowKey) ?? null;
    const own = [...(events.get(rowKey) ?? []), ...truncates].sort(inOrder);
    const judgement = plan.counted
      ? judgeTimes(row, mirrorRow, own, committed)
      : judge(
          row,
          mirrorRow,
          own.map((event) => asKeyEvent(event, committed)),
          plan.names,
        );
    if (judgement.moved > 0) moved++;
    if (!judgement.equal) wrong.push({ rowKey, expected: judgement.expected, mirror: mirrorRow });
  }
  return { wrong, moved };
}

type Committed = readonly (TopicPartition & { offset: number | null })[];

/** How often a row without a key is there: the last of its cells. */
export function timesOf(cells: Cells | null): number {
  return Number(cells?.at(-1) ?? 0);
}

/** A row without a key: the source's cells, or the mirror's, with how often it should be there. */
function judgeTimes(row: RowState, mirror: RowState, events: readonly EventRow[], committed: Committed): Judgement {
  const counts = events.map((event): CountEvent => {
    const { hidden, certain } = asKeyEvent(event, committed);
    const place = `${event.partition}@${event.topic}`;
    return { op: event.op, by: timesOf(event.cells), place, offset: Number(event.offset), hidden, certain };
  });
  const { equal, expected, moved } = judgeCount(timesOf(row), timesOf(mirror), counts);
  const values = (row ?? mirror ?? []).slice(0, -1);
  return { equal, expected: expected === 0 ? null : [...values, String(expected)], moved };
}

/** Events that the snapshot does not see, and all that came since it was taken. */
async function laterEvents(
  { plan, mirror, view, before, changes, changesOfTable }: Comparing,
  keys: readonly string[],
): Promise<{ events: Map<string, EventRow[]>; truncates: EventRow[] }> {
  const hidden = hiddenCondition(view, 'tx_id');
  const since = before.map(
    ({ topic, partition, high }) => `(topic = ${quoteText(topic)} AND partition = ${partition} AND offset >= ${high})`,
  );
  const known = [...new Set(before.map(({ topic }) => quoteText(topic)))];
  const unknown = known.length === 0 ? '1' : `topic NOT IN (${known.join(', ')})`;
  // Ids of transactions come round again; what was written long ago was seen.
  const where = `(ingested_at > now() - INTERVAL 2 DAY AND ${hidden}) OR ${[...since, unknown].join(' OR ')}`;
  const [rows, truncates] = await Promise.all([
    mirror.query<EventRow>(plan.events(keys, where, hidden)),
    mirror.query<EventRow>(
      `SELECT '' AS row_key, topic, partition, offset, op, toUInt8(${hidden}) AS hidden, []::Array(Nullable(String)) AS cells, unavailable, lsn, toUnixTimestamp64Micro(ts) AS ts_us ` +
        `FROM ${changes} WHERE ${changesOfTable} AND redelivered = 0 AND op = 't' AND (${where})`,
    ),
  ]);
  const events = new Map<string, EventRow[]>();
  for (const row of rows) {
    const own = events.get(row.row_key);
    if (own === undefined) events.set(row.row_key, [row]);
    else own.push(row);
  }
  return { events, truncates };
}

/** By offset within a partition, else by time and LSN, as `plan/truncation.ts` does. */
function inOrder(a: EventRow, b: EventRow): number {
  if (a.topic === b.topic && a.partition === b.partition) return Number(a.offset) - Number(b.offset);
  return Number(a.ts_us) - Number(b.ts_us) || Number(a.lsn ?? -1) - Number(b.lsn ?? -1);
}

function asKeyEvent(event: EventRow, committed: Committed): KeyEvent {
  const { op, cells, unavailable, hidden, topic, partition, offset } = event;
  const acknowledged = committed.find((one) => one.topic === topic && one.partition === partition)?.offset ?? 0;
  return { op, cells, unavailable, hidden: hidden === 1, certain: Number(offset) < acknowledged };
}

function byKey(rows: readonly CellRow[]): Map<string, (string | null)[]> {
  return new Map(rows.map(({ row_key, cells }) => [row_key, cells]));
}
