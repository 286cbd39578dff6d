import fc from 'fast-check';
import type { TruthEvent } from '../../../src/clickhouse/truth-event';
import type { TruthLookUps } from '../../../src/clickhouse/truth-look-ups';
import {
  eventsOfChanges,
  eventsOfChangesFor,
  findCarrier,
  type Carrier,
  type EventSource,
} from '../../../src/delivery/carrier';

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

describe('what will be asked first, read together', () => {
  const OF = { topic: 't', partition: 0, schema: 'public', table: 'rows' };

  /** `changes` with a history in it, and how often it was asked. */
  function changesOf(events: readonly Event[]) {
    const asked = { queries: 0 };
    const truthOf = ({ offset, op, key, lsn = -1, body }: Event): TruthEvent => ({
      ...{ key, offset, op, lsn, before: '', after: body ?? '', commitLsn: -1, txId: -1, tsUs: 0 },
      unavailable: body === null ? ['body'] : [],
      wire: null,
    });
    const newest = (keys: ReadonlyMap<string, number>, isIt: (event: Event) => boolean): TruthEvent[] => {
      asked.queries++;
      return [...keys].flatMap(([key, below]) => {
        const found = events.findLast((event) => event.key === key && event.offset < below && isIt(event));
        return found === undefined ? [] : [truthOf(found)];
      });
    };
    const lookUps: Pick<TruthLookUps, 'newestWith' | 'turns' | 'deletedAt'> = {
      newestWith: async (_, __, keys) => newest(keys, ({ op, body }) => op !== 'd' && typeof body === 'string'),
      turns: async (_, keys) => newest(keys, ({ op }) => op !== 'u'),
      deletedAt: async (_, lsn, below) => {
        asked.queries++;
        const found = events.findLast((event) => event.op === 'd' && event.lsn === lsn && event.offset < below);
        return found === undefined ? null : truthOf(found);
      },
    };
    return { lookUps, asked };
  }

  const histories = fc
    .array(
      fc.record({
        op: fc.constantFrom('c', 'u', 'd'),
        key: fc.constantFrom('a', 'b', 'c'),
        lsn: fc.integer({ min: 0, max: 5 }),
        body: fc.option(fc.string({ maxLength: 2 })),
      }),
      { minLength: 1, maxLength: 15 },
    )
    .map((events) => events.map((event, offset): Event => ({ ...event, offset })));

  it('gives the same values as asking for each', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (events) => {
        const { lookUps } = changesOf(events);
        const newest = ['a', 'b', 'c'].flatMap((key) => events.findLast((event) => event.key === key) ?? []);
        const wanted = newest.map(({ key, offset }) => ({ key, below: offset + 1, column: 'body' }));
        const read = ({ after, offset }: TruthEvent): string => `${offset} ${after}`;
        const together = [await eventsOfChangesFor(wanted, lookUps, OF, read)];
        const oneByOne = [eventsOfChanges(lookUps, OF, read)];
        for (const event of newest) {
          const found = await findCarrier(together, event, 'body');
          expect(found?.read()).toBe((await findCarrier(oneByOne, event, 'body'))?.read());
        }
      }),
      { seed: 7 },
    );
  });

  it('takes two queries for any number of rows', async () => {
    const events = Array.from({ length: 200 }, (_, n): Event[] => [
      { offset: 2 * n, op: 'c', key: `k${n}`, body: `of ${n}` },
      { offset: 2 * n + 1, op: 'u', key: `k${n}`, body: null },
    ]).flat();
    const { lookUps, asked } = changesOf(events);
    const wanted = events
      .filter(({ op }) => op === 'u')
      .map(({ key, offset }) => ({ key, below: offset + 1, column: 'body' }));
    const sources = [await eventsOfChangesFor(wanted, lookUps, OF, ({ after }) => after)];
    for (const { key, below } of wanted) {
      const found = await findCarrier(sources, { key, offset: below - 1 }, 'body');
      expect(found?.read()).toBe(`of ${key.slice(1)}`);
    }
    expect(asked.queries).toBe(2);
  });
});
