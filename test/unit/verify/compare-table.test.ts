import { differingBuckets, shareFor, type BucketRow } from '../../../src/verify/compare-table';

function bucket(number: number, rows: number, sum = 'x'): BucketRow {
  return { bucket: number, row_count: rows, sum_a: sum, sum_b: sum };
}

it('finds buckets that differ in count or sums, or are on one side only', () => {
  const source = [bucket(0, 5), bucket(1, 5), bucket(2, 5), bucket(3, 5)];
  const mirror = [bucket(0, 5), bucket(1, 6), bucket(2, 5, 'y'), bucket(4, 5)];
  expect(differingBuckets(source, mirror)).toEqual([[1, 2, 3, 4]]);
});

it('finds nothing where all are equal, in whatever order', () => {
  expect(differingBuckets([bucket(0, 5), bucket(1, 7)], [bucket(1, 7), bucket(0, 5)])).toEqual([]);
});

it('keeps a group within memory', () => {
  expect(differingBuckets([bucket(0, 150_000), bucket(1, 60_000), bucket(2, 140_000)], [])).toEqual([[0], [1, 2]]);
});

it('makes buckets of some hundred rows, and looks at all of a table that is smaller than the sample', () => {
  expect(shareFor(0, null)).toEqual({ bits: 0, sample: 0x100000000 });
  expect(shareFor(1_000_000, null)).toEqual({ bits: 12, sample: 0x100000000 });
  expect(shareFor(1_000, 5_000)).toEqual({ bits: 2, sample: 0x100000000 });
});

it('looks at about the share of keys that was asked for', () => {
  expect(shareFor(1_000_000, 10_000).sample / 0x100000000).toBeCloseTo(0.01, 6);
});
