/** The table that an envelope names, told by its bytes so that the next record's need only be compared. */
import type { Envelope } from './debezium/envelope-found';
import { textOf } from './debezium/json-scan';
import type { BlockTable } from './plan/change-block';

/** The bytes of name, db, schema and table, each preceded by its length, as the wire has them. */
export function rawNames(bytes: Uint8Array, e: Envelope): Uint8Array {
  const parts = [
    [e.nameStart, e.nameEnd],
    [e.dbStart, e.dbEnd],
    [e.schemaStart, e.schemaEnd],
    [e.tableStart, e.tableEnd],
  ] as const;
  const raw = new Uint8Array(parts.reduce((sum, [start, end]) => sum + 2 + Math.max(0, end - start), 0));
  let at = 0;
  for (const [start, end] of parts) {
    const length = Math.max(0, end - start);
    raw[at++] = length >> 8;
    raw[at++] = length & 0xff;
    if (length > 0) raw.set(bytes.subarray(start, end), at);
    at += length;
  }
  return raw;
}

export function sameNames(bytes: Uint8Array, e: Envelope, { raw }: { readonly raw: Uint8Array }): boolean {
  let at = samePart(bytes, e.nameStart, e.nameEnd, raw, 0);
  if (at >= 0) at = samePart(bytes, e.dbStart, e.dbEnd, raw, at);
  if (at >= 0) at = samePart(bytes, e.schemaStart, e.schemaEnd, raw, at);
  if (at >= 0) at = samePart(bytes, e.tableStart, e.tableEnd, raw, at);
  return at >= 0;
}

/** The position in `raw` after this part, -1 where it differs. */
// eslint-disable-next-line max-params -- called four times for each record
function samePart(bytes: Uint8Array, start: number, end: number, raw: Uint8Array, at: number): number {
  const length = Math.max(0, end - start);
  if (((raw[at] ?? 0) << 8) + (raw[at + 1] ?? 0) !== length) return -1;
  let position = at + 2;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== raw[position++]) return -1;
  return position;
}

/** Of a change, which names its table. */
export function tableOf(bytes: Uint8Array, e: Envelope): BlockTable {
  const text = (start: number, end: number): string => (start < 0 ? '' : textOf(bytes, start, end));
  return {
    source: text(e.nameStart, e.nameEnd),
    db: text(e.dbStart, e.dbEnd),
    schema: text(e.schemaStart, e.schemaEnd),
    name: text(e.tableStart, e.tableEnd),
  };
}

export function snapshotOf(bytes: Uint8Array, { snapshotStart, snapshotEnd }: Envelope): string {
  return snapshotStart < 0 ? 'false' : textOf(bytes, snapshotStart, snapshotEnd);
}
