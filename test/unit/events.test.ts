import { describe as inWords } from '../../src/event-words';
import type { ServiceEvent } from '../../src/events';

const at = { topic: 'cdc.public.orders', partition: 2 };

const EVENTS: readonly ServiceEvent[] = [
  { tag: 'service-started', groupId: 'g', topicPrefix: 'cdc', database: 'shop' },
  { tag: 'topics-changed', added: ['a', 'b'], gone: ['c'] },
  { tag: 'partition-assigned', ...at, start: 7, how: 'announced' },
  {
    tag: 'block-written',
    ...at,
    start: 7,
    end: 9,
    rows: 2,
    modes: { 'public.orders': 'append' },
    ms: 12.4,
    facts: { bytes: 100, waitedMs: 3, insertMs: 9, ops: {}, newestMs: -1, lsn: -1, latency: [] },
  },
  { tag: 'group-joined', partitions: [at] },
  { tag: 'position-acknowledged', ...at, offset: 9 },
  { tag: 'catalogue-read', table: 'public.orders', ms: 3 },
  { tag: 'schema-read', id: 7, found: 'no', ms: 3 },
  { tag: 'page-served', address: 'http://127.0.0.1:3000' },
  { tag: 'page-unavailable', address: 'http://127.0.0.1:3000', reason: 'the port is taken' },
  { tag: 'record-quarantined', ...at, offset: 8, code: 'ENVELOPE_MALFORMED' },
  { tag: 'records-skipped', ...at, kinds: { tombstone: 3 } },
  { tag: 'table-mirrored', table: 'public.orders', view: 'orders' },
  { tag: 'table-not-mirrored', table: 'public.logs', code: 'TABLE_WITHOUT_KEY', reason: 'it has no key' },
  { tag: 'clickhouse-waiting', attempt: 3, delayMs: 1234.5, code: 'CLICKHOUSE_UNREACHABLE', message: 'no answer' },
  { tag: 'kafka-waiting', attempt: 1, delayMs: 10, code: 'KAFKA_UNREACHABLE', message: 'no answer' },
  { tag: 'postgres-waiting', attempt: 1, delayMs: 10, code: 'POSTGRES_UNREACHABLE', message: 'no answer' },
  { tag: 'back-again', outside: 'Kafka', afterMs: 61_000 },
  { tag: 'redo', ...at, start: 7, end: 9, reason: 'GUARD_REFUSED' },
  { tag: 'stopping', reason: 'SIGTERM', deadlineMs: 30_000 },
  { tag: 'stopped', exitCode: 0 },
  { tag: 'failed', code: 'CHANGES_EXPIRED', message: 'gone', hint: 'again', place: at },
];

test.each(EVENTS)('$tag is described with its tag, a message and its facts', (event) => {
  const { message, fields } = inWords(event);
  expect(message.length).toBeGreaterThan(3);
  expect(fields['event']).toBe(event.tag);
});

test('an event about a partition names it in the message and in the fields', () => {
  for (const event of EVENTS.filter((e) => 'partition' in e)) {
    const { message, fields } = inWords(event);
    expect(message).toContain('cdc.public.orders:2');
    expect(fields).toMatchObject(at);
  }
});

test('waiting says what for, how long, and why, as a warning', () => {
  const [waiting] = EVENTS.filter((e) => e.tag === 'clickhouse-waiting');
  expect(inWords(waiting!)).toEqual({
    level: 'warn',
    message: 'waiting for ClickHouse, next attempt in 1.2 s: no answer',
    fields: { event: 'clickhouse-waiting', attempt: 3, delayMs: 1235, code: 'CLICKHOUSE_UNREACHABLE' },
  });
});

test('a block tells how each table was written', () => {
  const [block] = EVENTS.filter((e) => e.tag === 'block-written');
  expect(inWords(block!).fields).toMatchObject({ start: 7, end: 9, rows: 2, modes: ['public.orders append'], ms: 12 });
});
