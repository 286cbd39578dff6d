/** Finds in a block the events of keys that were erased on request, by the hashes of their keys. */
import { createHash } from 'node:crypto';
import { tableName } from '../model';
import { FORGOTTEN } from '../plan/audit-rows';
import type { BadRecord, ChangeBlock } from '../plan/change-block';
import type { ForgottenKey } from '../plan/marks';
import { isBeyond } from '../plan/position';

/** Hex of SHA-256 of salt and key: what ClickHouse's `hex(SHA256(concat(salt, key)))` gives. */
export function keyHash(salt: string, key: string | Uint8Array): string {
  return createHash('sha256').update(salt).update(key).digest('hex').toUpperCase();
}

/** Writes `FORGOTTEN` into `flags` for each row of the block that stays erased. */
export function markForgotten(block: ChangeBlock, forgotten: readonly ForgottenKey[], flags: Uint8Array): void {
  if (forgotten.length === 0) return;
  const matches = createMatcher(forgotten);
  for (let row = 0; row < block.rowCount; row++) {
    const offset = block.offsets[row] ?? 0;
    const erased = forgotten.filter((one) => offset < one.below || (block.streamed(row) && sentAgain(block, row, one)));
    if (erased.length === 0 || !block.has(block.key, row)) continue;
    const table = block.tables[block.tableOf[row] ?? 0] ?? { schema: '', name: '' };
    const key = block.key.bytes.subarray(block.key.start(row), block.key.end(row));
    if (matches(erased, tableName(table), key)) flags[row] = FORGOTTEN;
  }
}

/** Not beyond where the partition stood then: its twin has no key any more that could be compared. */
function sentAgain(block: ChangeBlock, row: number, { commitLsn, lsn }: ForgottenKey): boolean {
  return !isBeyond(block.commitLsn(row), block.lsn(row), { commitLsn, lsn });
}

/** A record in quarantine of an erased key keeps its address only. */
export function withoutForgotten(bad: readonly BadRecord[], forgotten: readonly ForgottenKey[]): readonly BadRecord[] {
  if (forgotten.length === 0) return bad;
  const matches = createMatcher(forgotten);
  const none = new Uint8Array(0);
  return bad.map((record) => {
    const erased = forgotten.filter(({ below }) => record.offset < below);
    return record.key.length > 0 && matches(erased, record.table, record.key)
      ? { ...record, key: none, value: none, headers: none }
      : record;
  });
}

/** `table` '' is any: the envelope could not be opened. */
function createMatcher(
  forgotten: readonly ForgottenKey[],
): (among: readonly ForgottenKey[], table: string, key: Uint8Array) => boolean {
  const salts = new Set(forgotten.map(({ salt }) => salt));
  return (among, table, key) => {
    const hashes = new Map<string, string>();
    for (const salt of salts) hashes.set(salt, keyHash(salt, key));
    return among.some((one) => hashes.get(one.salt) === one.hash && (table === '' || table === one.table));
  };
}
