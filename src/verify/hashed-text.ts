/** For a column that is hashed on its way (mask: hash) an expression of PostgreSQL that makes the same hash of its values. */
import { createHash } from 'node:crypto';
import type { SourceColumn } from '../model';

/** The two keys of HMAC-SHA-256 that a secret gives, each 64 bytes in hexadecimal. */
export interface HashKeys {
  readonly inner: string;
  readonly outer: string;
}

const BLOCK = 64;

export function hashKeys(secret: string): HashKeys {
  const given = Buffer.from(secret, 'utf8');
  const key = Buffer.alloc(BLOCK);
  (given.length > BLOCK ? createHash('sha256').update(given).digest() : given).copy(key);
  const padded = (pad: number): string => Buffer.from(key.map((byte) => byte ^ pad)).toString('hex');
  return { inner: padded(0x36), outer: padded(0x5c) };
}

/** Settings of a transaction that hold the keys, so that no other statement has them. */
const INNER = 'debezium_clickhouse.mask_inner';
const OUTER = 'debezium_clickhouse.mask_outer';

/** The statement that sets them; the keys are its parameters, as `bytea` is written. */
export const SET_HASH_KEYS = `SELECT set_config('${INNER}', $1, true), set_config('${OUTER}', $2, true)`;

/** Types whose text in every wire and mode is that of PostgreSQL. */
const EXACT = new Set(['text', 'varchar', 'bpchar', 'citext', 'json', 'jsonb', 'int2', 'int4', 'int8', 'bool', 'uuid']);

/** Null where the text that was hashed depends on how the connector writes the type. */
export function hashedText({ base, kind, array }: SourceColumn, x: string): string | null {
  if (array || !(kind === 'e' || (kind === 'b' && EXACT.has(base)))) return null;
  // A cast to text would take the padding of char(n) away.
  const text = base === 'bpchar' ? `CASE WHEN ${x} IS NOT NULL THEN concat(${x}, '') END` : `${x}::text`;
  const key = (name: string): string => `current_setting('${name}')::bytea`;
  return `encode(sha256(${key(OUTER)} || sha256(${key(INNER)} || convert_to(${text}, 'UTF8'))), 'hex')`;
}
