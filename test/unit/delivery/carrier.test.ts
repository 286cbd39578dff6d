import { findCarrier, type Carrier, type EventSource } from '../../../src/delivery/carrier';

interface Event {
  readonly offset: number;
  readonly op: 'c' | 'u' | 'd';
  readonly key: string;
  readonly lsn?: number;
  /** Null: withheld. */
  readonly body?: string | null;
}

function sourceOf(events: readonly Event[]): EventSource<string> {
  const newest = async (isIt: (event: Event) => boolean): Promise<Carrier<string> | null> => {
    const event = events.findLast(isIt);
    if (event === undefined) return null;
    return { lsn: -1, ...event, read: () => event.body ?? '' };
  };
  return {
    carrier: (key, below) =>
      newest(
        (event) => event.key === key && event.offset < below && event.op !== 'd' && typeof event.body === 'string',
      ),
    turn: (key, below) => newest((event) => event.key === key && event.offset < below && event.op !== 'u'),
    deletedAt: (lsn, below) => newest((event) => event.op === 'd' && event.lsn === lsn && event.offset < below),
  };
}

/** Asked of both sources with every split of the events, as a block may begin anywhere. */
async function bodyFor(events: readonly Event[], event: { key: string; offset: number }): Promise<string | null> {
  const answers = new Set<string | null>();
  for (let at = 0; at <= events.length; at++) {
    const sources = [sourceOf(events.slice(at)), sourceOf(events.slice(0, at))];
    answers.add((await findCarrier(sources, event, 'body'))?.read() ?? null);
  }
  expect(answers.size).toBe(1);
  return [...answers][0] ?? null;
}

describe('a withheld value', () => {
  it('is that of the newest older event of the row that has it', async () => {
    const events: Event[] = [
      { offset: 0, op: 'c', key: 'a', body: 'old' },
      { offset: 1, op: 'u', key: 'a', body: 'new' },
      { offset: 2, op: 'u', key: 'a', body: null },
    ];
    expect(await bodyFor(events, { key: 'a', offset: 2 })).toBe('new');
  });

  it('of a changed key is that of the row under its old key, not of a row that had the new key before', async () => {
    const events: Event[] = [
      { offset: 0, op: 'c', key: 'a', body: 'of the row' },
      { offset: 1, op: 'c', key: 'b', body: 'of another row' },
      { offset: 2, op: 'd', key: 'b', lsn: 5 },
      { offset: 3, op: 'd', key: 'a', lsn: 7 },
      { offset: 4, op: 'c', key: 'b', lsn: 7, body: null },
      { offset: 5, op: 'u', key: 'b', body: null },
    ];
    expect(await bodyFor(events, { key: 'b', offset: 4 })).toBe('of the row');
    expect(await bodyFor(events, { key: 'b', offset: 5 })).toBe('of the row');
  });

  it('is followed through several changes of the key, back to a key that was used again', async () => {
    const events: Event[] = [
      { offset: 0, op: 'c', key: 'a', body: 'of the row' },
      { offset: 1, op: 'd', key: 'a', lsn: 1 },
      { offset: 2, op: 'c', key: 'b', lsn: 1, body: null },
      { offset: 3, op: 'c', key: 'a', body: 'of another row' },
      { offset: 4, op: 'd', key: 'a', lsn: 2 },
      { offset: 5, op: 'd', key: 'b', lsn: 3 },
      { offset: 6, op: 'c', key: 'a', lsn: 3, body: null },
    ];
    expect(await bodyFor(events, { key: 'a', offset: 6 })).toBe('of the row');
  });

  it('is not to be found where the delete of the old key is missing, rather than taken from another row', async () => {
    const events: Event[] = [
      { offset: 0, op: 'c', key: 'b', body: 'of another row' },
      { offset: 1, op: 'd', key: 'b', lsn: 1 },
      { offset: 2, op: 'c', key: 'b', lsn: 9, body: null },
    ];
    expect(await bodyFor(events, { key: 'b', offset: 2 })).toBeNull();
  });
});
