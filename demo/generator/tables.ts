/** The tables of demo/schema.sql, as the generator writes them. */

export const TABLES = ['user_logins', 'my_table', 'sales', 'stock_movements'] as const;
export type Table = (typeof TABLES)[number];

export type Op = 'insert' | 'update' | 'delete';

/** One change of one row; values in the order of the table's `inserted` or `corrected` columns, null for NULL. */
export interface Change {
  readonly table: Table;
  readonly op: Op;
  readonly key: string;
  readonly values: readonly (string | null)[];
  /** Seconds before now at which an inserted row says it happened. */
  readonly ago: number;
}

interface Column {
  readonly name: string;
  readonly type: string;
}

export interface TableShape {
  readonly key: Column;
  /** When a row says it happened. */
  readonly time: Column;
  readonly inserted: readonly Column[];
  readonly corrected: readonly Column[];
}

const column = (name: string, type: string): Column => ({ name, type });
const time = column('event_time', 'timestamptz');

export const SHAPES: Readonly<Record<Table, TableShape>> = {
  user_logins: {
    key: column('id', 'bigint'),
    time,
    inserted: [column('username', 'text'), column('event_type', 'text')],
    corrected: [column('username', 'text')],
  },
  my_table: {
    key: column('id', 'integer'),
    time: column('created_at', 'timestamp'),
    inserted: [column('name', 'text')],
    corrected: [column('name', 'text')],
  },
  sales: {
    key: column('event_id', 'uuid'),
    time,
    inserted: [
      column('product_id', 'integer'),
      column('category', 'text'),
      column('region', 'text'),
      column('quantity', 'integer'),
      column('price', 'numeric'),
    ],
    corrected: [column('region', 'text'), column('quantity', 'integer'), column('price', 'numeric')],
  },
  stock_movements: {
    key: column('event_id', 'uuid'),
    time,
    inserted: [
      column('product_id', 'integer'),
      column('warehouse', 'text'),
      column('direction', 'text'),
      column('quantity', 'integer'),
    ],
    corrected: [column('quantity', 'integer')],
  },
};
