import { pairUp, type ComparedTable, type TextRow } from '../../../demo/compare';
import { comparisonText } from '../../../demo/show-step';

const table: ComparedTable = {
  name: 'orders',
  columns: ['id', 'note'],
  key: [0],
  sourceSql: '',
  mirrorSql: '',
  newest: { sourceSql: '', mirrorSql: '' },
};
const row = (id: number, note: string | null): TextRow => [String(id), note];

describe('the comparison of the demo', () => {
  test('finds both sides equal whatever the order of their rows', () => {
    const compared = pairUp(table, [row(1, 'a'), row(2, null)], [row(2, null), row(1, 'a')]);
    expect(compared.equal).toBe(true);
    expect(comparisonText([compared], 100)).toContain('yes');
  });

  test.each([
    ['a row that is missing in the mirror', [row(1, 'a'), row(2, 'b')], [row(1, 'a')]],
    ['a row that only the mirror has', [row(1, 'a')], [row(1, 'a'), row(2, 'b')]],
    ['another value', [row(1, 'a')], [row(1, 'b')]],
    ['NULL in place of the text null', [row(1, 'null')], [row(1, null)]],
    ['a row that the mirror has twice', [row(1, 'a')], [row(1, 'a'), row(1, 'a')]],
  ])('finds %s', (_what, source, mirror) => {
    const compared = pairUp(table, source, mirror);
    expect(compared.equal).toBe(false);
    expect(comparisonText([compared], 100)).toMatch(/NO: 1 row differ[\s\S]*different in orders:/);
  });

  test('says where it compared only the newest rows, and finds others that are missing by their number', () => {
    const rows = [row(1, 'a')];
    const compared = { ...pairUp(table, rows, rows), extent: 'newest' as const, sourceRows: 9_000, mirrorRows: 9_000 };
    expect(comparisonText([compared], 100)).toContain('yes, the newest 1 row');
    expect(comparisonText([{ ...compared, mirrorRows: 8_999 }], 100)).toContain('NO: the numbers of rows differ');
  });

  test('finds two empty tables equal', () => {
    expect(pairUp(table, [], []).equal).toBe(true);
  });
});
