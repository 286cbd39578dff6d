/** Questions to `changes` about keys and tables: the newest events, what carries a withheld value, what was truncated. */
import type { TopicPartition } from '../model';
import type { Truncation } from '../plan/truncation';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './ddl';
import { newestPages, type NewestOf } from './newest-pages';
import { within, type OffsetRange, type TruthEvent } from './truth-event';
import type { WireDefinition } from './wire-definition';
import type { WireSchemas } from './wire-schemas';

export interface TableOf extends TopicPartition {
  readonly schema: string;
  readonly table: string;
}

/** A snapshot of a table: its rows have one LSN and one time. */
export interface SnapshotRun {
  readonly lsn: number;
  /** Microseconds since the epoch. */
  readonly tsUs: number;
  /** The offset of its first row. */
  readonly from: number;
}

export interface CountedImages extends OffsetRange {
  /** Images with the same values in these fields are on one page; if there are none, those that are the same as a whole. */
  readonly together: readonly string[];
  /** Images of events beyond this LSN are added up; those of others stay apart, since it depends on the event what they mean. */
  readonly alikeBeyond: number;
  readonly page: number;
  readonly pages: number;
}

/** An image as the newest event that has it, and how often it came less how often it went. */
export interface CountedImage extends TruthEvent {
  readonly by: number;
}

export interface TruthLookUps {
  /** For each key its newest event at or above `from` that is not redelivered. */
  newest(of: TableOf, keys: readonly string[], from: number): Promise<TruthEvent[]>;
  /** For each key its newest event below `below` (an offset for each key) whose `after` has `column`. */
  newestWith(of: TableOf, column: string, keys: ReadonlyMap<string, number>): Promise<TruthEvent[]>;
  /** For each key its newest event below `below` (an offset for each key) that begins or ends the life of a row: c, r or d. */
  turns(of: TableOf, keys: ReadonlyMap<string, number>): Promise<TruthEvent[]>;
  /** The newest delete of the table below `below` with this LSN; null when there is none. */
  deletedAt(of: TableOf, lsn: number, below: number): Promise<TruthEvent | null>;
  /** For some keys their newest event in each partition that has any; nothing that is redelivered, no truncates. */
  newestAnywhere(schema: string, table: string, keys: readonly string[]): Promise<(TruthEvent & TopicPartition)[]>;
  /** The last truncate of the table in each partition. */
  truncations(schema: string, table: string): Promise<Truncation[]>;
  /** The newest snapshot of the table that the partition has rows of; null when it has none. Incremental ones do not count. */
  newestRun(of: TableOf, below?: number | null): Promise<SnapshotRun | null>;
  /** How often each image of a table came and went, of those of some offsets, by a hash: `page` of `pages`. */
  countedPage(of: TableOf, counting: CountedImages): Promise<CountedImage[]>;
  /** Where changes of a table are in `changes`, with how many rows; empty when there are none. */
  whereabouts(schema: string, table: string): Promise<(TableOf & { rows: number })[]>;
  /** Each key's newest event of some offsets that is not redelivered, in pages by their offsets; nobody may write to the table meanwhile. */
  newestPages(of: TableOf, newest: NewestOf): AsyncIterable<readonly TruthEvent[]>;
  /** The times in which the events named rows in one way, in their order: more than one after the table's key was changed. */
  keyEras(of: TableOf): Promise<KeyEra[]>;
}

/** Events of a partition that name rows by the same columns. */
export interface KeyEra extends OffsetRange {
  readonly of: TableOf;
  /** The names of those columns as they were then; empty where nothing told rows apart. */
  readonly key: readonly string[];
  /** When its first transaction was committed, microseconds since the epoch. */
  readonly tsUs: number;
}

/** Keys of one query at most: their text goes into the statement. */
const KEYS_A_QUERY = 10_000;
/** Pairs of key and offset of one query at most: each is an expression of its own. */
const PAIRS_A_QUERY = 500;

export function truthLookUps(
  clickhouse: ClickHouse,
  machinery: string,
  wires: Pick<WireSchemas, 'read'>,
): TruthLookUps {
  const changes = `${quoteName(machinery)}.changes`;
  const named = (schema: string, table: string): string =>
    `schema = ${quoteText(schema)} AND table = ${quoteText(table)}`;
  const ofTable = (of: TableOf): string =>
    `topic = ${quoteText(of.topic)} AND partition = ${of.partition} AND ${named(of.schema, of.table)}`;
  const asTruths = async <T extends TruthRow>(rows: readonly T[]): Promise<(readonly [TruthEvent, T])[]> => {
    const definitions = await wires.read(rows.map(({ wire_schema }) => wire_schema));
    return rows.map((row) => [asTruth(row, definitions.get(row.wire_schema) ?? null), row]);
  };
  const truths = async (sql: string): Promise<TruthEvent[]> =>
    (await asTruths(await clickhouse.query<TruthRow>(sql))).map(([truth]) => truth);
  const newestBelow = async (of: TableOf, keys: ReadonlyMap<string, number>, what: string): Promise<TruthEvent[]> => {
    const found: TruthEvent[] = [];
    for (const some of slices([...keys], PAIRS_A_QUERY)) {
      const pairs = some.map(([key, below]) => `(key = ${quoteText(key)} AND offset < ${below})`).join(' OR ');
      const where = `${ofTable(of)} AND redelivered = 0 AND ${what} AND (${pairs})`;
      found.push(
        ...(await truths(`SELECT ${TRUTH} FROM ${changes} WHERE ${where} ORDER BY offset DESC LIMIT 1 BY key`)),
      );
    }
    return found;
  };
  return {
    async newest(of, keys, from) {
      const found: TruthEvent[] = [];
      for (const some of slices(keys)) {
        const where = `${ofTable(of)} AND offset >= ${from} AND redelivered = 0 AND key IN (${some.map(quoteText).join(', ')})`;
        found.push(
          ...(await truths(`SELECT ${TRUTH} FROM ${changes} WHERE ${where} ORDER BY offset DESC LIMIT 1 BY key`)),
        );
      }
      return found;
    },
    newestWith: (of, column, keys) =>
      newestBelow(of, keys, `after != '' AND NOT has(unavailable, ${quoteText(column)})`),
    turns: (of, keys) => newestBelow(of, keys, `op IN ('c', 'r', 'd')`),
    async deletedAt(of, lsn, below) {
      const where = `${ofTable(of)} AND redelivered = 0 AND op = 'd' AND lsn = ${lsn} AND offset < ${below}`;
      const [found] = await truths(`SELECT ${TRUTH} FROM ${changes} WHERE ${where} ORDER BY offset DESC LIMIT 1`);
      return found ?? null;
    },
    async newestAnywhere(schema, table, keys) {
      const found: (TruthEvent & TopicPartition)[] = [];
      for (const some of slices(keys)) {
        const where = `${named(schema, table)} AND redelivered = 0 AND op != 't' AND key IN (${some.map(quoteText).join(', ')})`;
        const rows = await clickhouse.query<TruthRow & TopicPartition>(
          `SELECT topic, partition, ${TRUTH} FROM ${changes} WHERE ${where} ORDER BY offset DESC LIMIT 1 BY key, topic, partition`,
        );
        found.push(...(await asTruths(rows)).map(([truth, { topic, partition }]) => ({ ...truth, topic, partition })));
      }
      return found;
    },
    async truncations(schema, table) {
      const rows = await clickhouse.query<TopicPartition & { last: string; ts_us: string; last_lsn: string | null }>(
        `SELECT topic, partition, max(offset) AS last, toUnixTimestamp64Micro(argMax(ts, offset)) AS ts_us, argMax(lsn, offset) AS last_lsn ` +
          `FROM ${changes} WHERE ${named(schema, table)} AND op = 't' AND redelivered = 0 GROUP BY topic, partition`,
      );
      return rows.map(({ topic, partition, last, ts_us, last_lsn }) => ({
        topic,
        partition,
        offset: Number(last),
        tsUs: Number(ts_us),
        lsn: orNull(last_lsn),
      }));
    },
    async newestRun(of, below = null) {
      const reads = `${ofTable(of)} AND ${within({ from: 0, below })} AND redelivered = 0 AND op = 'r' AND lsn IS NOT NULL`;
      const [last] = await clickhouse.query<{ lsn: string; ts_us: string }>(
        `SELECT lsn, toUnixTimestamp64Micro(ts) AS ts_us FROM ${changes} WHERE ${reads} ORDER BY offset DESC LIMIT 1`,
      );
      if (last === undefined) return null;
      const [first] = await clickhouse.query<{ first: string }>(
        `SELECT min(offset) AS first FROM ${changes} WHERE ${reads} AND lsn = ${last.lsn} AND ts = fromUnixTimestamp64Micro(${last.ts_us}, 'UTC')`,
      );
      return { lsn: Number(last.lsn), tsUs: Number(last.ts_us), from: Number(first?.first ?? 0) };
    },
    async countedPage(of, { from, below, alikeBeyond, page, pages, together }) {
      const fields = together.map((name) => `JSONExtractRaw(one.1, ${quoteText(name)})`);
      const hash = `cityHash64(${fields.length === 0 ? 'one.1' : fields.join(', ')})`;
      const rows = await clickhouse.query<TruthRow & { by: string }>(
        `SELECT '' AS key, max(o) AS offset, 'c' AS op, '' AS before, image AS after, argMax(l, o) AS lsn, argMax(x, o) AS tx_id, ` +
          `argMax(c, o) AS commit_lsn, argMax(t, o) AS ts_us, []::Array(String) AS unavailable, toString(w) AS wire_schema, sum(s) AS by FROM ` +
          `(SELECT offset AS o, wire_schema AS w, lsn AS l, tx_id AS x, commit_lsn AS c, toUnixTimestamp64Micro(ts) AS t, one.1 AS image, one.2 AS s ` +
          `FROM ${changes} ARRAY JOIN [(before, -1), (after, 1)] AS one WHERE ${ofTable(of)} AND redelivered = 0 AND op != 't' ` +
          `AND NOT (op = 'r' AND lsn IS NULL) AND ${within({ from, below })} AND one.1 != '' AND ${hash} % ${pages} = ${page}) ` +
          `GROUP BY image, w, if(ifNull(l, 0) > ${alikeBeyond}, 0, o)`,
      );
      return (await asTruths(rows)).map(([truth, { by }]) => ({ ...truth, by: Number(by) }));
    },
    async whereabouts(schema, table) {
      const rows = await clickhouse.query<{ topic: string; partition: number; rows: string }>(
        `SELECT topic, partition, count() AS rows FROM ${changes} WHERE ${named(schema, table)} GROUP BY topic, partition`,
      );
      return rows.map((row) => ({ topic: row.topic, partition: row.partition, schema, table, rows: Number(row.rows) }));
    },
    async keyEras(of) {
      // Numbers are numbers, however large; a number that became a text is another key.
      const shape = `arrayMap(name -> (name, JSONType(key, name) = 'String'), JSONExtractKeys(key))`;
      const rows = await clickhouse.query<{ names: string[]; from: string; ts_us: string }>(
        `SELECT shape.1 AS names, offset AS from, toUnixTimestamp64Micro(ts) AS ts_us FROM ` +
          `(SELECT offset, ts, shape, lagInFrame(toNullable(toString(shape))) OVER (ORDER BY offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before FROM ` +
          `(SELECT offset, ts, ${shape} AS shape FROM ${changes} WHERE ${ofTable(of)} AND redelivered = 0 AND op != 't')) ` +
          `WHERE before IS NULL OR before != toString(shape) ORDER BY offset`,
      );
      return rows.map(({ names, from, ts_us }, index) => {
        const next = rows[index + 1];
        const below = next === undefined ? null : Number(next.from);
        return { of, key: names, from: Number(from), below, tsUs: Number(ts_us) };
      });
    },
    newestPages(of, newest) {
      const counts = `${ofTable(of)} AND redelivered = 0 AND op != 't'`;
      const read = (condition: string): Promise<TruthEvent[]> =>
        truths(`SELECT ${TRUTH} FROM ${changes} WHERE ${ofTable(of)} AND ${condition} ORDER BY offset`);
      return newestPages(newest, { clickhouse, machinery, counts, read });
    },
  };
}

const TRUTH =
  'key, offset, op, before, after, lsn, tx_id, commit_lsn, toUnixTimestamp64Micro(ts) AS ts_us, unavailable, toString(wire_schema) AS wire_schema';

interface TruthRow {
  key: string;
  offset: string;
  op: string;
  before: string;
  after: string;
  lsn: string | null;
  tx_id: string | null;
  commit_lsn: string | null;
  ts_us: string;
  unavailable: string[];
  wire_schema: string;
}

function asTruth(row: TruthRow, wire: WireDefinition | null): TruthEvent {
  const { key, op, before, after, unavailable } = row;
  return {
    key,
    op,
    before,
    after,
    unavailable,
    wire,
    offset: Number(row.offset),
    lsn: orNull(row.lsn),
    txId: orNull(row.tx_id),
    commitLsn: orNull(row.commit_lsn),
    tsUs: Number(row.ts_us),
  };
}

export function orNull(value: string | null): number {
  return value === null ? -1 : Number(value);
}

export function* slices<T>(all: readonly T[], size = KEYS_A_QUERY): Generator<T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size);
}
