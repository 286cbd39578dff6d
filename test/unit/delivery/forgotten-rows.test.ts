/** Which events stay erased: those of the key that are older than the request, and what is sent again of them. */
import type { StringColumn } from '../../../src/clickhouse/column-string';
import { keyHash, markForgotten, withoutForgotten } from '../../../src/delivery/forgotten-rows';
import { auditRows, FORGOTTEN } from '../../../src/plan/audit-rows';
import type { ForgottenKey } from '../../../src/plan/marks';
import { blockOf, type Fact } from '../plan/blocks';

const KEY = '{"id":7}';

function forgotten(more: Partial<ForgottenKey> = {}): ForgottenKey {
  const marker = { table: 'public.orders', salt: 'salt', below: 10, lsn: 500, commitLsn: 490 };
  return { ...marker, hash: keyHash(more.salt ?? 'salt', KEY), ...more };
}

const event = (offset: number, more: Partial<Fact> = {}): Fact => ({
  ...{ offset, op: 'c', key: KEY, after: '{"id":7}', table: 'orders', lsn: 1_000 + offset, commitLsn: 990 + offset },
  ...more,
});

function flagsOf(facts: readonly Fact[], markers: readonly ForgottenKey[]): number[] {
  const flags = new Uint8Array(facts.length);
  markForgotten(blockOf(facts), markers, flags);
  return [...flags];
}

describe('the events of a forgotten key', () => {
  it('stay erased below the offset of the request, and live from there on', () => {
    expect(flagsOf([event(8), event(9), event(10)], [forgotten()])).toEqual([FORGOTTEN, FORGOTTEN, 0]);
  });

  it('are told from those of other keys and of other tables', () => {
    expect(flagsOf([event(1, { key: '{"id":8}' }), event(2, { table: 'stock' })], [forgotten()])).toEqual([0, 0]);
  });

  it('stay erased when Debezium sends them again under a new offset', () => {
    const again = event(50, { lsn: 500, commitLsn: 490 });
    expect(flagsOf([again, event(51, { lsn: 501, commitLsn: 490 })], [forgotten()])).toEqual([FORGOTTEN, 0]);
  });

  it('live when a new snapshot reads the row: somebody has that key now', () => {
    expect(flagsOf([event(50, { op: 'r', lsn: 400, commitLsn: -1 })], [forgotten()])).toEqual([0]);
  });

  it('are known by markers of any salt', () => {
    expect(flagsOf([event(1)], [forgotten({ salt: 'x', below: 0, lsn: -1 }), forgotten({ salt: 'y' })])).toEqual([
      FORGOTTEN,
    ]);
  });

  it('have an address in changes and nothing else', () => {
    const block = blockOf([event(8), event(20)]);
    const redelivered = new Uint8Array(2);
    markForgotten(block, [forgotten()], redelivered);
    const rows = auditRows(block, { redelivered, withheld: new Map(), wireSchemas: [] }, new Set());
    const text = (name: string, row: number): string => {
      const column = rows.columns.find((one) => one.name === name)?.column as StringColumn;
      return column.textAt(row);
    };
    expect(rows.rowCount).toBe(2);
    expect([text('key', 0), text('after', 0)]).toEqual(['', '']);
    expect([text('key', 1), text('after', 1)]).toEqual([KEY, '{"id":7}']);
  });

  it('leave no bytes in quarantine', () => {
    const bytes = Buffer.from('broken');
    const record = { code: 'ENVELOPE_MALFORMED', table: '', column: '', value: bytes, headers: bytes } as const;
    const [erased, other] = withoutForgotten(
      [
        { ...record, offset: 3, key: Buffer.from(KEY) },
        { ...record, offset: 30, key: Buffer.from(KEY) },
      ],
      [forgotten()],
    );
    expect([erased?.key.length, erased?.value.length, erased?.headers.length]).toEqual([0, 0, 0]);
    expect(other?.value).toBe(bytes);
  });
});
