/** What the demo's dashboard asks ClickHouse about the demo's tables: read only and bounded like the page's own questions. */
import type { ClickHouse } from './client';
import { quoteName, type Databases } from './ddl';
import { PAGE_READ_ONLY } from './page-reads';

/** The columns that the questions read; a table that lacks one is not the demo's. */
const COLUMNS = {
  user_logins: ['id', 'username', 'event_type', 'event_time'],
  sales: ['event_id', 'event_time', 'product_id', 'category', 'region', 'quantity', 'price'],
  stock_movements: ['event_id', 'event_time', 'product_id', 'warehouse', 'direction', 'quantity'],
} as const;

type DemoTable = keyof typeof COLUMNS;

const DEMO_TABLES = Object.keys(COLUMNS) as DemoTable[];
const MOST_USERS = 8;
const MINUTES = 30;
/** Offsets from the end of a partition among which the newest change is looked for. */
const NEAR = 300;
const MOST_PARTITIONS = 64;

interface Sums {
  readonly sales: string;
  readonly pieces: string;
  readonly revenue: string;
}

export function dashboardReads(clickhouse: Pick<ClickHouse, 'query'>, databases: Databases) {
  const view = (table: DemoTable): string => `${quoteName(databases.views)}.${quoteName(table)}`;
  const ask = <T>(sql: string, params: Record<string, unknown> = {}): Promise<T[]> =>
    clickhouse.query<T>(sql, params, PAGE_READ_ONLY);
  const recent = `event_time >= now64(6, 'UTC') - toIntervalHour({hours:UInt32})`;
  return {
    /** Which of the demo's tables are in ClickHouse, with the columns that are read. */
    async tables(): Promise<DemoTable[]> {
      const found = await ask<{ table: string; names: string[] }>(
        `SELECT table, groupArray(name) AS names FROM system.columns ` +
          `WHERE database = {database:String} AND table IN {tables:Array(String)} GROUP BY table`,
        { database: databases.views, tables: DEMO_TABLES },
      );
      return DEMO_TABLES.filter((table) => {
        const names = found.find((one) => one.table === table)?.names ?? [];
        return COLUMNS[table].every((name) => names.includes(name));
      });
    },

    /** The sales of the last hours, summed in one reading by category, by region, by hour, and as a whole. */
    async sales(hours: number) {
      const rows = await ask<Sums & { by: number; category: string; region: string | null; hour: string }>(
        `SELECT multiIf(grouping(category) = 0, 1, grouping(region) = 0, 2, grouping(hour) = 0, 3, 0) AS by, ` +
          `category, region, toString(toUnixTimestamp(toStartOfHour(event_time))) AS hour, ` +
          `count() AS sales, sum(quantity) AS pieces, toString(sum(quantity * price)) AS revenue ` +
          `FROM ${view('sales')} WHERE ${recent} ` +
          `GROUP BY GROUPING SETS ((category), (region), (hour), ()) ORDER BY by, hour, sum(quantity * price) DESC LIMIT 900`,
        { hours },
      );
      const of = (by: number) => rows.filter((row) => row.by === by);
      const [total] = of(0);
      return {
        total: total === undefined ? { sales: 0, pieces: 0, revenue: '0' } : sums(total),
        byCategory: of(1).map((row) => ({ category: row.category, ...sums(row) })),
        byRegion: of(2).map((row) => ({ region: row.region, ...sums(row) })),
        byHour: of(3).map((row) => ({ at: Number(row.hour) * 1_000, ...sums(row) })),
      };
    },

    /** What lies in each warehouse of each product, and what came and went in the last hours. */
    async stock(hours: number, categories: 'known' | 'unknown') {
      const rows = await ask<Record<'pieces' | 'came' | 'went', string> & { product: number; warehouse: string }>(
        `SELECT product_id AS product, warehouse, sum(if(direction = 'in', quantity, -quantity)) AS pieces, ` +
          `sumIf(quantity, direction = 'in' AND ${recent}) AS came, sumIf(quantity, direction = 'out' AND ${recent}) AS went ` +
          `FROM ${view('stock_movements')} GROUP BY product, warehouse ORDER BY product, warehouse LIMIT 900`,
        { hours },
      );
      const named =
        categories === 'unknown'
          ? []
          : await ask<{ product: number; category: string }>(
              `SELECT product_id AS product, any(category) AS category FROM ${view('sales')} GROUP BY product LIMIT 900`,
            );
      const categoryOf = new Map(named.map(({ product, category }) => [product, category]));
      return rows.map(({ product, warehouse, pieces, came, went }) => ({
        product,
        category: categoryOf.get(product) ?? null,
        warehouse,
        pieces: Number(pieces),
        came: Number(came),
        went: Number(went),
      }));
    },

    /** Events by minute over the last half hour, and who did most in the last hours. */
    async logins(hours: number) {
      const minutes = await ask<{ minute: string; kind: string; events: string }>(
        `SELECT toString(toUnixTimestamp(toStartOfMinute(event_time))) AS minute, event_type AS kind, count() AS events ` +
          `FROM ${view('user_logins')} WHERE event_time >= toStartOfMinute(now64(6, 'UTC')) - toIntervalMinute({minutes:UInt32}) ` +
          `GROUP BY minute, kind ORDER BY minute, kind LIMIT 900`,
        { minutes: MINUTES },
      );
      const users = await ask<{ username: string; events: string; purchases: string; last: string }>(
        `SELECT username, count() AS events, countIf(event_type = 'purchase') AS purchases, ` +
          `toString(toUnixTimestamp64Milli(max(event_time))) AS last FROM ${view('user_logins')} WHERE ${recent} ` +
          `GROUP BY username ORDER BY events DESC, username LIMIT ${MOST_USERS}`,
        { hours },
      );
      return {
        perMinute: minutes.map(({ minute, kind, events }) => ({
          at: Number(minute) * 1_000,
          kind,
          events: Number(events),
        })),
        users: users.map(({ username, events, purchases, last }) => ({
          username,
          events: Number(events),
          purchases: Number(purchases),
          lastAt: Number(last),
        })),
      };
    },

    /** When the newest change of the demo's tables was committed, ms since the epoch; null: none is near the ends. */
    async newestCommit(
      ends: readonly { readonly topic: string; readonly partition: number; readonly end: number }[],
    ): Promise<number | null> {
      if (ends.length === 0) return null;
      const params: Record<string, unknown> = { tables: DEMO_TABLES };
      const places = ends.slice(0, MOST_PARTITIONS).map(({ topic, partition, end }, index) => {
        params[`topic${index}`] = topic;
        params[`partition${index}`] = partition;
        params[`from${index}`] = Math.max(0, end - NEAR);
        return `(topic = {topic${index}:String} AND partition = {partition${index}:UInt32} AND offset >= {from${index}:UInt64})`;
      });
      const [found] = await ask<{ newest: string | null }>(
        `SELECT toUnixTimestamp64Milli(maxOrNull(ts)) AS newest FROM ${quoteName(databases.machinery)}.changes ` +
          `WHERE (${places.join(' OR ')}) AND schema = 'public' AND table IN {tables:Array(String)} AND op != 'r' AND redelivered = 0`,
        params,
      );
      return found?.newest == null ? null : Number(found.newest);
    },

    /** The ids of `user_logins` from `from` on, 62 in a number: bit n of bucket b is the id 62 b + n. */
    async loginIds(from: string) {
      const [found] = await ask<{ rows: string; ids: string; buckets: [string, string][] }>(
        `SELECT toString(sum(n)) AS rows, toString(sum(bitCount(bits))) AS ids, ` +
          `groupArray((toString(bucket), toString(bits))) AS buckets FROM (` +
          `SELECT intDiv(id, 62) AS bucket, groupBitOr(bitShiftLeft(toUInt64(1), toUInt8(id % 62))) AS bits, count() AS n ` +
          `FROM ${view('user_logins')} WHERE id >= {from:Int64} GROUP BY bucket)`,
        { from },
      );
      return { rows: Number(found?.rows ?? 0), ids: Number(found?.ids ?? 0), buckets: new Map(found?.buckets ?? []) };
    },
  };
}

function sums({ sales, pieces, revenue }: Sums) {
  return { sales: Number(sales), pieces: Number(pieces), revenue };
}
