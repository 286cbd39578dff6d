import { hiddenCondition, isHidden, parseSnapshot } from '../../../src/verify/snapshot-view';

it('reads a snapshot with and without running transactions', () => {
  expect(parseSnapshot('10:20:10,14')).toEqual({ xmax: 20n, running: [10n, 14n] });
  expect(parseSnapshot('10:10:')).toEqual({ xmax: 10n, running: [] });
});

it('refuses what is no snapshot', () => {
  expect(() => parseSnapshot('10:')).toThrow('a form this service does not read');
});

it('does not see what was running or came later', () => {
  const view = parseSnapshot('10:20:10,14');
  expect([9n, 10n, 13n, 14n, 19n, 20n, 21n].filter((id) => isHidden(view, id))).toEqual([10n, 14n, 20n, 21n]);
});

it('compares 32-bit ids across their turn', () => {
  const view = parseSnapshot(`${(1n << 32n) - 3n}:${(1n << 32n) + 5n}:${(1n << 32n) - 3n}`);
  expect([4294967292n, 4294967293n, 4294967295n, 4n, 5n, 6n].filter((id) => isHidden(view, id))).toEqual([
    4294967293n,
    5n,
    6n,
  ]);
});

it('asks ClickHouse the same, with 32-bit ids', () => {
  const condition = hiddenCondition(
    parseSnapshot(`${(1n << 32n) + 2n}:${(1n << 32n) + 5n}:${(1n << 32n) + 2n}`),
    'tx_id',
  );
  expect(condition).toBe(
    '(isNotNull(tx_id) AND (bitAnd(toInt64(ifNull(tx_id, 0)) - 5, 4294967295) < 2147483648 OR bitAnd(ifNull(tx_id, 0), 4294967295) IN (2)))',
  );
});
