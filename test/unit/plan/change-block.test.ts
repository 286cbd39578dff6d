/** A block keeps what it is given, in order, through growth and reuse; and which of its rows withhold values. */
import { DEFAULT_PLACEHOLDER, OP } from '../../../src/model';
import { withheldColumns } from '../../../src/debezium/withheld';
import { placeholderOf } from '../../../src/placeholder';
import { ChangeBlock, type BadRecord } from '../../../src/plan/change-block';
import { withheldRows } from '../../../src/plan/withheld-rows';
import { blockOf, tableNamed, type Fact } from './blocks';

const bad = (offset: number): BadRecord => ({
  offset,
  code: 'ENVELOPE_MALFORMED',
  table: '',
  column: '',
  key: Buffer.from('k'),
  value: Buffer.from('val'),
  headers: Buffer.from('hh'),
});

describe('a block of changes', () => {
  const block = blockOf([
    { offset: 7, op: 'c', key: '{"id":1}', after: '{"id":1,"note":"ü"}', lsn: 11, commitLsn: 10, txId: 5, txOrder: 2 },
    { offset: 9, op: 'd', key: '{"id":1}', before: '{"id":1}', lsn: -1, commitLsn: -1, txId: -1, table: 'stock' },
    { offset: 12, op: 'r', after: '{"id":3}', snapshot: 'first' },
    { offset: 13, op: 't', snapshot: 'first', table: 'stock' },
  ]);

  it('keeps every field of every change as it came', () => {
    expect(block).toMatchObject({ rowCount: 4, start: 7, end: 14, empty: false });
    expect([...block.offsets.subarray(0, 4)]).toEqual([7, 9, 12, 13]);
    expect([...block.ops.subarray(0, 4)]).toEqual([OP.c, OP.d, OP.r, OP.t]);
    expect([0, 1, 2, 3].map((row) => block.key.textAt(row))).toEqual(['{"id":1}', '{"id":1}', '', '']);
    expect([0, 1, 2, 3].map((row) => block.before.textAt(row))).toEqual(['', '{"id":1}', '', '']);
    expect([0, 1, 2, 3].map((row) => block.after.textAt(row))).toEqual(['{"id":1,"note":"ü"}', '', '{"id":3}', '']);
    expect([block.lsn(0), block.commitLsn(0), block.txIds[0], block.txOrders[0]]).toEqual([11, 10, 5, 2]);
    expect([block.lsn(1), block.commitLsn(1), block.txIds[1], block.txOrders[1]]).toEqual([-1, -1, -1, -1]);
    expect([block.tsUs[0], block.capturedUs[0]]).toEqual([1_000_007, 2_000_007]);
    expect([0, 1, 2, 3].map((row) => block.snapshotAt(row))).toEqual(['false', 'false', 'first', 'first']);
    expect([0, 1, 2, 3].map((row) => block.streamed(row))).toEqual([true, true, false, true]);
    expect([0, 1].map((row) => [block.has(block.before, row), block.has(block.after, row)])).toEqual([
      [false, true],
      [true, false],
    ]);
  });

  it('names each table once, by all four of its names', () => {
    expect(block.tables).toEqual([tableNamed('orders'), tableNamed('stock')]);
    expect([...block.tableOf.subarray(0, 4)]).toEqual([0, 1, 0, 1]);
    const of = new ChangeBlock();
    const orders = tableNamed('orders');
    const others = [
      { ...orders, schema: 'x' },
      { ...orders, db: 'x' },
      { ...orders, source: 'x' },
    ];
    expect([orders, ...others, { ...orders }].map((table) => of.tableIndex(table))).toEqual([0, 1, 2, 3, 0]);
  });

  it('counts the bytes of keys and images, and those of bad records', () => {
    expect(block.byteCount).toBe('{"id":1}'.length * 3 + '{"id":1,"note":"ü"}'.length + 1 + '{"id":3}'.length);
    const other = new ChangeBlock();
    other.appendBad(bad(4));
    expect(other).toMatchObject({ start: 4, rowCount: 0, empty: false, byteCount: 4 });
    other.appendBad(bad(6));
    expect(other).toMatchObject({ start: 4, bad: [{ offset: 4 }, { offset: 6 }] });
  });

  it('grows beyond its first buffers without losing a field', () => {
    const facts = Array.from({ length: 5000 }, (_, offset): Fact => {
      const id = `{"id":${offset}}`;
      const numbers = { lsn: offset * 3, commitLsn: offset * 2, txId: offset + 1, txOrder: offset % 7 };
      const snapshot = offset % 5 === 0 ? 'last' : 'false';
      return {
        offset,
        op: offset % 2 === 0 ? 'c' : 'u',
        key: id,
        after: id,
        snapshot,
        table: `t${offset % 3}`,
        ...numbers,
      };
    });
    const large = blockOf(facts);
    expect(large.rowCount).toBe(5000);
    facts.forEach((fact, row) => {
      expect({
        offset: large.offsets[row],
        op: String.fromCharCode(large.ops[row]!),
        key: large.key.textAt(row),
        after: large.after.textAt(row),
        snapshot: large.snapshotAt(row),
        table: large.tables[large.tableOf[row]!]?.name,
        lsn: large.lsn(row),
        commitLsn: large.commitLsn(row),
        txId: large.txIds[row],
        txOrder: large.txOrders[row],
      }).toEqual(fact);
      expect([large.tsUs[row], large.capturedUs[row]]).toEqual([1_000_000 + row, 2_000_000 + row]);
    });
  });

  it('has nothing of its first use after a reset', () => {
    const reused = blockOf([
      { offset: 1, op: 'r', after: '{"id":1}', snapshot: 'first', table: 'a' },
      { offset: 2, op: 'c', key: '{}' },
    ]);
    reused.appendBad(bad(3));
    reused.reset();
    expect(reused).toMatchObject({ rowCount: 0, start: -1, end: -1, byteCount: 0, empty: true, tables: [], bad: [] });
    blockOf([{ offset: 8, op: 'u', before: '{"x":1}', table: 'b' }], reused);
    expect(reused).toMatchObject({ rowCount: 1, start: 8, end: 9, tables: [tableNamed('b')] });
    expect([reused.key.textAt(0), reused.before.textAt(0), reused.after.textAt(0)]).toEqual(['', '{"x":1}', '']);
    expect(reused.snapshotAt(0)).toBe('false');
  });
});

describe('rows that withhold values', () => {
  const forms = placeholderOf(DEFAULT_PLACEHOLDER);
  const find = (facts: readonly Fact[]) =>
    withheldRows(blockOf(facts), forms.needles, (b, start, end) => withheldColumns(b, start, end, forms));
  const u = (offset: number, after: object): Fact => ({ offset, op: 'u', after: JSON.stringify(after) });
  const W = DEFAULT_PLACEHOLDER;

  it('are found with their columns, wherever in the block they are', () => {
    const plain = { id: 1, note: 'x' };
    const found = find([
      u(0, { id: W }),
      u(1, plain),
      u(2, { note: W, id: 2, doc: W }),
      u(3, plain),
      u(4, { tags: [W] }),
    ]);
    expect(found).toEqual(new Map([[0, ['id']], [2, ['note', 'doc']], [4, ['tags']]])); // prettier-ignore
  });

  it('are none where no value is the placeholder alone', () => {
    expect(find([])).toEqual(new Map());
    expect(find([u(0, { id: 1 }), u(1, { note: `${W}!` }), u(2, { [W]: 1 }), u(3, { note: W.slice(1) })])).toEqual(
      new Map(),
    );
  });

  it('are found behind a row that only mentions the placeholder, and behind rows without an image', () => {
    const found = find([u(0, { note: `a ${W} b` }), { offset: 1, op: 'd', before: '{}' }, u(2, { [W]: 1, note: W })]);
    expect(found).toEqual(new Map([[2, ['note']]]));
  });

  it('are found among many, each once', () => {
    const facts = Array.from({ length: 700 }, (_, n) =>
      u(n, n % 7 === 3 ? { id: n, a: W, b: W } : { id: n, a: 'v'.repeat(n) }),
    );
    const found = find(facts);
    expect([...found.keys()]).toEqual(facts.map(({ offset }) => offset).filter((n) => n % 7 === 3));
    expect([...found.values()].every((names) => names.join() === 'a,b')).toBe(true);
  });
});
