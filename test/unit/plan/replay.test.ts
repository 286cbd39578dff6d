/** What a replay was asked for, as text, and which offsets that comes to. */
import fc from 'fast-check';
import {
  parseMoment,
  parseOffsets,
  replayRanges,
  topicOfTable,
  unknownPlaces,
  type HeldPartition,
  type ReplayFrom,
  type ReplayRequest,
} from '../../../src/plan/replay';

const held = (more: Partial<HeldPartition> = {}): HeldPartition => ({
  ...{ topic: 'cdc.public.orders', partition: 0, low: 10, high: 100, committed: 100, atMoment: null },
  ...more,
});
const request = (from: ReplayFrom, tables: string[] | null = null): ReplayRequest => ({ from, tables });
const BEGINNING = request({ kind: 'beginning' });
const at = (offset: number): ReplayRequest => request({ kind: 'offsets', offsets: { 'cdc.public.orders:0': offset } });

describe('offsets on the command line', () => {
  it('are read by topic and partition, several of them apart by commas', () => {
    expect(parseOffsets('cdc.public.orders:0=1200, a-b_c:12=0')).toEqual({
      'cdc.public.orders:0': 1200,
      'a-b_c:12': 0,
    });
  });

  it('name a partition in one way only, whatever zeros it is written with', () => {
    expect(parseOffsets('t:007=5')).toEqual({ 't:7': 5 });
  });

  it.each(['', 't=5', 't:0', 't:0=', 't:0=-1', 't:0=1.5', 't:x=1', 't:0=1;u:0=2', 't:0=1,', 't u:0=1'])(
    'of another form are refused: %j',
    (text) => expect(parseOffsets(text)).toBeNull(),
  );

  it('come back as they were written', () => {
    const place = fc.tuple(fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/), fc.nat(999), fc.nat());
    fc.assert(
      fc.property(fc.uniqueArray(place, { minLength: 1, selector: ([topic, of]) => `${topic}:${of}` }), (places) => {
        const expected = Object.fromEntries(places.map(([topic, of, offset]) => [`${topic}:${of}`, offset]));
        const text = places.map(([topic, of, offset]) => `${topic}:${of}=${offset}`).join(',');
        expect(parseOffsets(text)).toEqual(expected);
      }),
    );
  });
});

describe('a moment on the command line', () => {
  it.each([
    ['2026-01-31T08:00:00Z', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31 08:00:00+02:00', Date.UTC(2026, 0, 31, 6)],
    ['2026-01-31T08:00Z', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['1769846400000', 1_769_846_400_000],
  ])('%s is understood', (text, ms) => expect(parseMoment(text)).toBe(ms));

  it.each(['yesterday', '2026-01-31T08:00:00', '31.01.2026', '2026-13-01T00:00:00Z', '12', ''])(
    'without a zone or of another form is refused: %j',
    (text) => expect(parseMoment(text)).toBeNull(),
  );
});

describe('the ranges of a replay', () => {
  it('reach from what was asked for to the end that Kafka has', () => {
    expect(replayRanges(BEGINNING, [held()])).toEqual([
      { topic: 'cdc.public.orders', partition: 0, from: 10, to: 100 },
    ]);
    expect(replayRanges(at(40), [held()])).toMatchObject([{ from: 40, to: 100 }]);
    expect(replayRanges(request({ kind: 'timestamp', ms: 1 }), [held({ atMoment: 70 })])).toMatchObject([{ from: 70 }]);
  });

  it('begin no earlier than Kafka holds, and no later than the group stands', () => {
    expect(replayRanges(at(3), [held()])).toMatchObject([{ from: 10 }]);
    expect(replayRanges(at(90), [held({ committed: 60 })])).toMatchObject([{ from: 60 }]);
  });

  it('leave out partitions that hold nothing or were not named', () => {
    expect(replayRanges(BEGINNING, [held({ low: 100 })])).toEqual([]);
    expect(replayRanges(at(40), [held(), held({ partition: 1 })])).toHaveLength(1);
    expect(replayRanges(request({ kind: 'timestamp', ms: 1 }), [held({ atMoment: 100 })])).toEqual([]);
  });

  it('never skip a record that was not read yet', () => {
    const partition = fc
      .record({ low: fc.nat(50), more: fc.nat(50), read: fc.nat(100), atMoment: fc.option(fc.nat(120)) })
      .map(({ low, more, read, atMoment }) =>
        held({ low, high: low + more, committed: Math.min(low + more, Math.max(low, read)), atMoment }),
      );
    const from = fc.oneof(
      fc.constant<ReplayFrom>({ kind: 'beginning' }),
      fc.nat(120).map((offset): ReplayFrom => ({ kind: 'offsets', offsets: { 'cdc.public.orders:0': offset } })),
      fc.constant<ReplayFrom>({ kind: 'timestamp', ms: 5 }),
    );
    fc.assert(
      fc.property(partition, from, (of, where) => {
        for (const range of replayRanges(request(where), [of])) {
          expect(range.from).toBeLessThanOrEqual(of.committed ?? 0);
          expect(range.from).toBeGreaterThanOrEqual(of.low);
          expect(range.to).toBe(of.high);
        }
      }),
    );
  });
});

describe('what Kafka does not have', () => {
  it('is told by the name it was asked for', () => {
    const asked = request({ kind: 'offsets', offsets: { 'cdc.public.orders:0': 1, 'cdc.public.orders:7': 1 } }, [
      'public.orders',
      'public.nobody',
    ]);
    expect(unknownPlaces(asked, [held()], 'cdc')).toEqual(['cdc.public.orders:7', 'public.nobody']);
    expect(unknownPlaces(BEGINNING, [held()], 'cdc')).toEqual([]);
  });

  it('is looked for under the name that Debezium gives a topic', () => {
    expect(topicOfTable('cdc', 'public.Größe & Co')).toBe('cdc.public.Gr__e___Co');
    expect(
      unknownPlaces(request({ kind: 'beginning' }, ['public.a b']), [held({ topic: 'cdc.public.a_b' })], 'cdc'),
    ).toEqual([]);
  });
});
