/**
 * A type of PostgreSQL as its oracle knows it: how its values are made, what Connect has of them in each mode, and the
 * bytes that ClickHouse must get, in its Native form. Nothing here is made by code of the service.
 */
import type { ConnectorModes, SourceColumn } from '../../src/model';
import type { BytesOut } from './bytes-out';
import type { Data, Shape } from './connect-data';
import type { Random } from './random';

export interface TypeOracle<V> {
  readonly column: SourceColumn;
  make(random: Random, modes: ConnectorModes): V;
  shape(modes: ConnectorModes): Shape;
  data(value: V, modes: ConnectorModes): Data;
  /** As text in one form for all of its notations: what a person would call the value, in the range of its type. */
  expected(value: V, modes: ConnectorModes): string;
  /** Parts of the column, such as keys and values of a map; 1 if not given. */
  readonly parts?: number;
  native(value: V, out: readonly BytesOut[], modes: ConnectorModes): void;
  /** What stands in the place of a NULL. */
  nativeDefault(out: readonly BytesOut[]): void;
}

/** A type with its values hidden. */
export interface Generated {
  readonly column: SourceColumn;
  /** The column with nothing in it, to be filled by `cell`. */
  open(modes: ConnectorModes): OracleColumn;
}

/** A value of one column: what Connect has of it, null for NULL, and its text. */
export interface Cell {
  readonly data: Data;
  expected(): string | null;
}

export interface OracleColumn {
  readonly shape: Shape;
  /** The column's bytes so far. */
  bytes(): Buffer;
  clear(): void;
  /** Makes the next value and adds it. */
  next(random: Random): Cell;
  /** ClickHouse has no NULL of the type: the mirror names the column in `_nulls`. */
  readonly namesNulls: boolean;
}

export function column(name: string, base: string, more: Partial<SourceColumn> = {}): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, ...more };
}

/** Appends a value of fixed width, or an empty string for width 0, in the place of a NULL. */
export function defaultOf(width: number): (out: readonly BytesOut[]) => void {
  return ([values]) => values?.zeros(width === 0 ? 1 : width);
}
