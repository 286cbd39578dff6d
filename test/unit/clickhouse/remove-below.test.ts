import { selectWithout } from '../../../src/clickhouse/remove-below';

const below = (offset: number) => ({ topic: 'cdc.public.t', partition: 0, below: offset });

describe('the view of a table that was truncated', () => {
  test('leaves out what came below the truncate', () => {
    expect(selectWithout('SELECT id FROM a.t__mirror FINAL WHERE _sign = 1', below(7))).toBe(
      `SELECT id FROM a.t__mirror FINAL WHERE _sign = 1 AND NOT (_topic = 'cdc.public.t' AND _partition = 0 AND _offset < 7)`,
    );
  });

  test('knows only the newest truncate', () => {
    const standing = `SELECT id FROM a.t__mirror FINAL WHERE (_sign = 1) AND (NOT ((_topic = 'cdc.public.t') AND (_partition = 0) AND (_offset < 7)))`;
    expect(selectWithout(standing, below(12))).toBe(
      `SELECT id FROM a.t__mirror FINAL WHERE _sign = 1 AND NOT (_topic = 'cdc.public.t' AND _partition = 0 AND _offset < 12)`,
    );
  });

  test('is left as it is when it is not of our form', () => {
    expect(selectWithout('SELECT 1 AS id', below(7))).toBeNull();
  });
});
