/** What the live page asks ClickHouse: read only, bounded in time, rows and memory, every value bound by the server. */
import type { QuarantineLook } from '../telemetry/status';
import type { ClickHouse } from './client';
import { quoteName, quoteText, type Databases } from './ddl';

/** `readonly` 2: no statement that changes anything, whatever the rights of the user are. */
export const PAGE_READ_ONLY = {
  readonly: '2',
  max_execution_time: 5,
  max_memory_usage: '1000000000',
  max_threads: 2,
  max_result_rows: '1000',
  result_overflow_mode: 'throw',
} as const;

const SHOWN = 50;
const SHOWN_HISTORY = 200;
/** Offsets of a partition that are looked through from its end: with a filter more, since most rows do not fit it. */
const NEAR = 300;
const FAR = 50_000;
/** Partitions that are looked through; the others have changed before. */
const MOST_PARTITIONS = 64;
const SHOWN_BYTES = 600;
const MOST_MIRRORS = 100;
const SHOWN_GROUPS = 50;

interface ChangeRow {
  readonly at: string;
  readonly ingested_at: string;
  readonly op: string;
  readonly of: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly lsn: string | null;
  readonly tx_id: string | null;
  readonly redelivered: number;
  readonly key: string;
  readonly before: string;
  readonly after: string;
  readonly unavailable: readonly string[];
  readonly schema: string;
  readonly table: string;
  /** `wire_schema` in decimal digits. */
  readonly wire: string;
}

/** What the page may show of what it reads. */
export interface PageMasks {
  /** Masks what stands in rows of before there was a rule. */
  rows<T extends MaskedRow>(rows: readonly T[]): Promise<T[]>;
  /** What is asked for as a key, and how it stands where keys are masked. */
  keys(key: string): readonly string[];
  /** Whether bytes of quarantine that are of no table, or of this one, may be shown. */
  showsBytes(table: string): boolean;
}

export type MaskedRow = Pick<ChangeRow, 'schema' | 'table' | 'wire' | 'key' | 'before' | 'after'>;

const COLUMNS =
  `formatDateTime(ts, '%Y-%m-%dT%H:%i:%S.%fZ') AS at, formatDateTime(changes.ingested_at, '%Y-%m-%dT%H:%i:%S.%fZ') AS ingested_at, op, ` +
  `concat(schema, '.', table) AS of, topic, partition, offset, lsn, tx_id, redelivered, key, before, after, unavailable, ` +
  `schema, table, toString(wire_schema) AS wire`;

const NO_MASKS: PageMasks = {
  rows: (rows) => Promise.resolve([...rows]),
  keys: (key) => [key],
  showsBytes: () => true,
};

function shown(row: ChangeRow) {
  const { at, op, topic, partition, offset, lsn, key, before, after, unavailable } = row;
  return {
    at,
    ingestedAt: row.ingested_at,
    op,
    table: row.of,
    topic,
    partition,
    offset,
    lsn,
    txId: row.tx_id,
    redelivered: row.redelivered === 1,
    key,
    before,
    after,
    unavailable,
  };
}

export function pageReads(clickhouse: Pick<ClickHouse, 'query'>, databases: Databases, masks: PageMasks = NO_MASKS) {
  const machinery = quoteName(databases.machinery);
  const changes = `${machinery}.changes`;
  return {
    /** The newest changes that fit, newest first, from the last records of each of `ends`. */
    async changes(
      filter: { readonly table: string | null; readonly op: string | null; readonly key: string | null },
      ends: readonly { readonly topic: string; readonly partition: number; readonly end: number }[],
    ) {
      if (ends.length === 0) return [];
      const far = filter.table !== null || filter.op !== null || filter.key !== null;
      const { params, conditions } = filterOf(filter, masks);
      const places = ends.slice(0, MOST_PARTITIONS).map(({ topic, partition, end }, index) => {
        params[`topic${index}`] = topic;
        params[`partition${index}`] = partition;
        params[`from${index}`] = Math.max(0, end - (far ? FAR : NEAR));
        return `(topic = {topic${index}:String} AND partition = {partition${index}:UInt32} AND offset >= {from${index}:UInt64})`;
      });
      const where = [`(${places.join(' OR ')})`, ...conditions].join(' AND ');
      const newest = 'ORDER BY changes.ingested_at DESC, ts DESC, offset DESC';
      // The rows are found by their narrow columns first; only those that are shown are read whole.
      const rows = await clickhouse.query<ChangeRow>(
        `SELECT ${COLUMNS} FROM ${changes} AS changes WHERE (topic, partition, offset) IN (` +
          `SELECT topic, partition, offset FROM ${changes} AS changes WHERE ${where} ${newest} LIMIT ${SHOWN}) ${newest} LIMIT ${SHOWN}`,
        params,
        PAGE_READ_ONLY,
      );
      return (await masks.rows(rows)).map(shown);
    },

    /** The newest changes of one row, oldest first; found by the index on keys. */
    async history(table: string, key: string) {
      const { params, conditions } = filterOf({ table, op: null, key: null }, masks);
      const rows = await clickhouse.query<ChangeRow>(
        `SELECT ${COLUMNS} FROM ${changes} AS changes WHERE ${conditions.join(' AND ')} AND key = {key:String} ` +
          `ORDER BY ts DESC, offset DESC LIMIT ${SHOWN_HISTORY}`,
        { ...params, key },
        PAGE_READ_ONLY,
      );
      return (await masks.rows(rows)).map(shown).reverse();
    },

    async quarantine() {
      const rows = await clickhouse.query<QuarantineRow>(
        `SELECT formatDateTime(q.at, '%Y-%m-%dT%H:%i:%S.%fZ') AS set_aside, code, message, table, column, topic, partition, offset, ` +
          `if(q.digest = '', length(q.key), q.key_size) AS key_bytes, if(q.digest = '', length(q.value), q.value_size) AS value_bytes, ` +
          `toValidUTF8(substring(q.key, 1, ${SHOWN_BYTES})) AS key_text, toValidUTF8(substring(q.value, 1, ${SHOWN_BYTES})) AS value_text ` +
          `FROM ${machinery}.quarantine AS q ORDER BY q.at DESC, topic, partition, offset DESC LIMIT ${SHOWN}`,
        {},
        PAGE_READ_ONLY,
      );
      return rows.map((row) => ({
        at: row.set_aside,
        code: row.code,
        message: row.message,
        table: row.table,
        column: row.column,
        topic: row.topic,
        partition: row.partition,
        offset: row.offset,
        keyBytes: Number(row.key_bytes),
        valueBytes: Number(row.value_bytes),
        key: masks.showsBytes(row.table) ? row.key_text : '',
        value: masks.showsBytes(row.table) ? row.value_text : '',
      }));
    },

    /**
     * What is open in quarantine, by where and why, and how many rows are in doubt: keys of which a change is set aside.
     * The rows of one key count once, however many of its changes are open.
     */
    async quarantineCounts(): Promise<QuarantineLook> {
      const rows = await clickhouse.query<{ table: string; code: string; records: string; doubtful: string }>(
        `SELECT if(q.table = '', q.topic, q.table) AS table, q.code AS code, count() AS records, uniqExactIf((table, q.key), q.key != '') AS doubtful ` +
          `FROM (SELECT topic, partition, offset, at, code, table, key FROM ${machinery}.quarantine ORDER BY at DESC LIMIT 1 BY topic, partition, offset) AS q ` +
          `LEFT JOIN (SELECT topic, partition, offset, max(quarantined_at) AS until FROM ${machinery}.quarantine_resolutions GROUP BY topic, partition, offset) AS r ` +
          `USING (topic, partition, offset) WHERE r.until < q.at ` +
          `GROUP BY GROUPING SETS ((table, code), ()) ORDER BY code = '' DESC, records DESC, table, code LIMIT ${SHOWN_GROUPS + 1}`,
        {},
        PAGE_READ_ONLY,
      );
      const [total, ...groups] = rows.map(({ table, code, records, doubtful }) => {
        return { table, code, records: Number(records), doubtfulRows: Number(doubtful) };
      });
      return { open: total?.records ?? 0, doubtfulRows: total?.doubtfulRows ?? 0, groups };
    },

    /** Rows that stand in each mirror, by `schema.table`. */
    async mirrorRows(): Promise<Map<string, number>> {
      const mark = 'debezium-clickhouse: mirror of ';
      const mirrors = await clickhouse.query<{ name: string; of: string }>(
        `SELECT name, substring(comment, ${mark.length + 1}) AS of FROM system.tables ` +
          `WHERE database = {database:String} AND endsWith(name, '__mirror') AND startsWith(comment, {mark:String}) ` +
          `ORDER BY total_rows DESC LIMIT ${MOST_MIRRORS}`,
        { database: databases.machinery, mark },
        PAGE_READ_ONLY,
      );
      if (mirrors.length === 0) return new Map();
      const sums = mirrors.map(
        ({ name, of }) => `SELECT ${quoteText(of)} AS of, sum(_sign) AS rows FROM ${machinery}.${quoteName(name)}`,
      );
      const rows = await clickhouse.query<{ of: string; rows: string }>(sums.join(' UNION ALL '), {}, PAGE_READ_ONLY);
      return new Map(rows.map(({ of, rows: count }) => [of, Number(count)]));
    },
  };
}

interface QuarantineRow {
  readonly set_aside: string;
  readonly code: string;
  readonly message: string;
  readonly table: string;
  readonly column: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key_bytes: string;
  readonly value_bytes: string;
  readonly key_text: string;
  readonly value_text: string;
}

function filterOf(
  filter: { readonly table: string | null; readonly op: string | null; readonly key: string | null },
  masks: PageMasks,
) {
  const params: Record<string, unknown> = {};
  const conditions: string[] = [];
  if (filter.table !== null) {
    const dot = filter.table.indexOf('.');
    params['schema'] = filter.table.slice(0, dot);
    params['table'] = filter.table.slice(dot + 1);
    conditions.push('schema = {schema:String} AND table = {table:String}');
  }
  if (filter.op !== null) {
    params['op'] = filter.op;
    conditions.push('op = {op:String}');
  }
  if (filter.key !== null) {
    const keys = masks.keys(filter.key);
    params['keys'] = keys;
    params['values'] = [...keys, ...keys.map((key) => JSON.stringify(key))];
    conditions.push(
      '(key IN {keys:Array(String)} OR arrayExists(of -> has({values:Array(String)}, of.2), JSONExtractKeysAndValuesRaw(key)))',
    );
  }
  return { params, conditions };
}
