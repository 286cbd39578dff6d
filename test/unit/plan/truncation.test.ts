import { isTruncated, ownTruncate, type Truncation } from '../../../src/plan/truncation';

const t: Truncation = { topic: 'a', partition: 0, offset: 10, tsUs: 500, lsn: 70 };
const event = (more: Partial<Truncation>): Truncation => ({ ...t, offset: 0, tsUs: 0, lsn: 0, ...more });

describe('a truncate', () => {
  it('takes away what has a lower offset in its own partition, whatever time and LSN say', () => {
    expect(isTruncated(event({ offset: 9, tsUs: 900, lsn: 900 }), [t])).toBe(true);
    expect(isTruncated(event({ offset: 11, tsUs: 1, lsn: 1 }), [t])).toBe(false);
  });

  it.each([
    ['was committed before it', { tsUs: 499, lsn: 900 }, true],
    ['was committed after it', { tsUs: 501, lsn: 1 }, false],
    ['is earlier in the same transaction', { tsUs: 500, lsn: 69 }, true],
    ['is later in the same transaction', { tsUs: 500, lsn: 71 }, false],
  ])('takes away of another partition what %s', (_, at, gone) => {
    expect(isTruncated(event({ partition: 1, offset: 5_000, ...at }), [t])).toBe(gone);
  });

  it('is one of several, each counting', () => {
    const later = { ...t, partition: 2, tsUs: 800 };
    expect(isTruncated(event({ partition: 1, tsUs: 700 }), [t, later])).toBe(true);
    expect(ownTruncate({ topic: 'a', partition: 2 }, [t, later])).toBe(10);
    expect(ownTruncate({ topic: 'a', partition: 1 }, [t, later])).toBe(-1);
  });
});
