/** The columns of `changes` and `quarantine` that a block becomes, read back value by value. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { ArrayColumn, NullableColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import type { Column } from '../../../src/clickhouse/column';
import { encodeBlock } from '../../../src/clickhouse/native';
import {
  AuditColumns,
  auditRows,
  quarantineRows,
  type AuditRows,
  type BlockColumns,
} from '../../../src/plan/audit-rows';
import type { BadRecord } from '../../../src/plan/change-block';
import { asStrings, blockOf, type Fact } from './blocks';

function valueAt(column: Column, row: number): unknown {
  if (column instanceof StringColumn) return column.textAt(row);
  if (column instanceof FixedColumn && column.type === 'FixedString(1)') return column.unitsAt(row);
  if (column instanceof FixedColumn) return column.numberAt(row);
  if (column instanceof NullableColumn) return column.isNull(row) ? null : valueAt(column.inner, row);
  if (!(column instanceof ArrayColumn)) throw new TypeError(column.type);
  const values: unknown[] = [];
  for (let at = column.start(row); at < column.end(row); at++) values.push(asStrings(column.element).textAt(at));
  return values;
}

/** Every row with every value, whether it travels in a column or once for the block. */
function read({ columns, rowCount, uniform = [] }: BlockColumns & Partial<AuditRows>): Record<string, unknown>[] {
  const same = uniform.map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value] as const);
  return Array.from({ length: rowCount }, (_, row) =>
    Object.fromEntries([...same, ...columns.map(({ name, column }) => [name, valueAt(column, row)] as const)]),
  );
}

const FACTS: readonly Fact[] = [
  {
    offset: 4,
    op: 'r',
    key: '{"id":1}',
    after: '{"id":1}',
    snapshot: 'first',
    lsn: 2 ** 40 + 1,
    commitLsn: -1,
    txId: -1,
    tsUs: 1_000_004,
  },
  { offset: 5, op: 'u', key: '{"id":1}', before: '{"id":1}', after: '{"id":1,"doc":"w"}', txOrder: 3 },
  { offset: 9, op: 'd', key: '{"id":2}', before: '{"id":2,"ü":"é"}', table: 'stock' },
];
const FULL = { redelivered: Uint8Array.of(0, 1, 0), withheld: new Map([[1, ['doc', 'tags']]]), wireSchemas: [[{ low: 7, high: 1 }], [{ low: 9, high: 0 }]] }; // prettier-ignore

const rowAt = (offset: number, more: object): object => ({
  source: 'shop',
  db: 'demo',
  schema: 'public',
  table: 'orders',
  before: '',
  after: '',
  ts: 1_000_000 + offset,
  captured_at: 2_000_000 + offset,
  tx_id: 7,
  tx_order: null,
  lsn: 1000 + offset,
  commit_lsn: 900 + offset,
  snapshot: 'false',
  redelivered: 0,
  unavailable: [],
  wire_schema: 2 ** 32 + 7,
  offset,
  ...more,
});

const EXPECTED = [
  rowAt(4, { op: 'r', key: '{"id":1}', after: '{"id":1}', snapshot: 'first', lsn: 2 ** 40 + 1, commit_lsn: null, tx_id: null }), // prettier-ignore
  rowAt(5, { op: 'u', key: '{"id":1}', before: '{"id":1}', after: '{"id":1,"doc":"w"}', tx_order: 3, redelivered: 1, unavailable: ['doc', 'tags'] }), // prettier-ignore
  rowAt(9, { op: 'd', key: '{"id":2}', before: '{"id":2,"ü":"é"}', table: 'stock', wire_schema: 9 }),
];

describe('the rows of changes', () => {
  it('hold every value of every change', () => {
    expect(read(auditRows(blockOf(FACTS), FULL, new Set()))).toEqual(EXPECTED);
  });

  it('carry what is the same in every row only once', () => {
    const facts = FACTS.map((fact) => ({ ...fact, table: 'orders', snapshot: 'false' }));
    const plain = { redelivered: new Uint8Array(3), withheld: new Map(), wireSchemas: FULL.wireSchemas };
    const rows = auditRows(blockOf(facts), plain, new Set());
    expect(Object.fromEntries(rows.uniform)).toEqual({
      source: 'shop',
      db: 'demo',
      schema: 'public',
      table: 'orders',
      wire_schema: 2n ** 32n + 7n,
      snapshot: 'false',
      redelivered: 0,
      unavailable: [],
    });
    expect(rows.columns.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['table']));
    expect(read(rows)[2]).toMatchObject({ table: 'orders', op: 'd', offset: 9, wire_schema: 2 ** 32 + 7 });
  });

  it('are made anew in columns that held a longer block', () => {
    const into = new AuditColumns();
    auditRows(blockOf(FACTS), FULL, new Set(), into);
    const shorter = auditRows(blockOf(FACTS.slice(1)), { ...FULL, redelivered: Uint8Array.of(1, 0), withheld: new Map([[0, ['doc', 'tags']]]) }, new Set(), into); // prettier-ignore
    expect(read(shorter)).toEqual(EXPECTED.slice(1));
  });

  it.each([[[4]], [[5]], [[9]], [[4, 9]], [[4, 5, 9]], [[6, 100]]])(
    'leave out the offsets %j and nothing else',
    (out) => {
      const rows = auditRows(blockOf(FACTS), FULL, new Set(out));
      expect(read(rows)).toEqual(EXPECTED.filter((row) => !out.includes((row as { offset: number }).offset)));
    },
  );

  it('are as many in each column as the block says, so that they can be sent', () => {
    for (const out of [[], [5], [4, 5, 9]]) {
      const { columns, rowCount } = auditRows(blockOf(FACTS), FULL, new Set(out));
      expect(columns.map(({ column }) => column.rows)).toEqual(columns.map(() => rowCount));
      expect(encodeBlock(columns, rowCount).length).toBeGreaterThan(0);
    }
  });

  it('name each column of the table once, but not those that are one value for the block', () => {
    const names = auditRows(blockOf(FACTS), FULL, new Set()).columns.map(({ name }) => name);
    const sql = readFileSync(join(__dirname, '../../../migrations/0001_audit.sql'), 'utf8');
    const [, columns = ''] = /\.changes\s*\(([\s\S]*?)\)\s*ENGINE/.exec(sql) ?? [];
    const declared = [...columns.matchAll(/^ {4}(\w+) {2,}/gm)].map(([, name]) => name);
    expect([...names, 'topic', 'partition', 'ingested_at'].sort()).toEqual(declared.sort());
  });

  it('are none for an empty block', () => {
    expect(auditRows(blockOf([]), { ...FULL, redelivered: new Uint8Array(0) }, new Set()).rowCount).toBe(0);
  });
});

describe('the rows of quarantine', () => {
  it('hold the record byte for byte, what is wrong, and where', () => {
    const bytes = { key: Buffer.from([0xff, 0]), value: Buffer.from([0xfe, 0x22, 0]), headers: Buffer.from([0]) };
    const known: BadRecord = { offset: 3, code: 'VALUE_UNREADABLE', table: 'public.t', column: 'c', ...bytes };
    const unknown: BadRecord = { ...known, offset: 2 ** 33, code: 'ENVELOPE_MALFORMED', table: '', column: '' };
    const rows = quarantineRows([known, unknown], ({ code }) => `said of ${code}`);
    expect(read(rows)).toMatchObject([
      { offset: 3, code: 'VALUE_UNREADABLE', message: 'said of VALUE_UNREADABLE', table: 'public.t', column: 'c' },
      { offset: 2 ** 33, code: 'ENVELOPE_MALFORMED', message: 'said of ENVELOPE_MALFORMED', table: '', column: '' },
    ]);
    for (const name of ['key', 'value', 'headers'] as const) {
      const column = asStrings(rows.columns.find((one) => one.name === name)!.column);
      for (const row of [0, 1]) {
        expect(Buffer.from(column.bytes.slice(column.start(row), column.end(row)))).toEqual(bytes[name]);
      }
    }
    expect(encodeBlock(rows.columns, rows.rowCount).length).toBeGreaterThan(0);
  });
});
