import type { ShownChange } from '../../src/app';
import { changesTable } from '../../src/cli/changes';
import { fittedTable, shrink } from '../../src/cli/table';
import fc from 'fast-check';

const change: ShownChange = {
  committed: '2026-01-31 12:00:00.123456',
  op: 'u',
  source_table: 'public.orders',
  key: '{"id":1}',
  before: `{"id":1,"note":"${'a'.repeat(200)}"}`,
  after: `{"id":1,"note":"${'b'.repeat(200)}"}`,
  place: 'cdc.public.orders:0:42',
};

describe('the last changes', () => {
  test.each([100, 130, 160])('fit a terminal of %d columns, and only values are cut', (width) => {
    const lines = changesTable([change], width).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBe(width);
    expect(lines[3]).toContain(' 2026-01-31 12:00:00.123 │ u  │ public.orders │ ');
    expect(lines[3]).toContain('…');
    expect(lines[3]).toMatch(/ 0:42 +│$/);
  });

  test('are said to be none where nothing was written yet', () => {
    expect(changesTable([], 80)).toBe('No change has been written yet.');
  });

  test('cannot move the cursor or change colours', () => {
    const text = changesTable([{ ...change, after: 'x\u001b[2J\ny\u202e' }], 160);
    expect(text).toContain('x\\u001b[2J\\u000ay\\u202e');
    expect(text).not.toContain('\u001b');
  });
});

describe('a fitted table', () => {
  test('counts wide characters as two', () => {
    const [top, , , row] = fittedTable({ head: ['a'], rows: [['日本語']], width: 80 }).split('\n');
    expect(top).toBe('┌────────┐');
    expect(row).toBe('│ 日本語 │');
  });

  test('never gives a column more than it has, nor all of them more than the room', () => {
    const widths = fc.array(fc.integer({ min: 4, max: 300 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(widths, fc.integer({ min: 40, max: 400 }), (natural, room) => {
        const fitted = shrink(natural, room);
        expect(fitted.every((width, column) => width <= (natural[column] ?? 0))).toBe(true);
        const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);
        expect(sum(fitted)).toBe(Math.min(sum(natural), room));
      }),
    );
  });
});
