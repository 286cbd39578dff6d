import { readFileSync } from 'node:fs';
import { EVENT_GUIDE } from '../../src/event-guide';
import { describe as inWords } from '../../src/event-words';
import { eventsPage } from '../../src/telemetry/docs';

const EVENTS = Object.values(EVENT_GUIDE).map(({ example }) => example);
const page = readFileSync('docs/events.md', 'utf8');

test('docs/events.md is what the events and their words make (npm run docs:events)', () => {
  expect(page).toBe(eventsPage());
});

test('it has each event that there is once, and no other', () => {
  const tags = [...readFileSync('src/events.ts', 'utf8').matchAll(/readonly tag: ('[^;]+);/g)].flatMap(([, of = '']) =>
    [...of.matchAll(/'([a-z-]+)'/g)].map(([, tag]) => tag),
  );
  expect(tags.length).toBeGreaterThan(30);
  expect([...page.matchAll(/^## (.+)$/gm)].map(([, tag]) => tag).sort()).toEqual(tags.sort());
});

test.each(Object.entries(EVENT_GUIDE))('%s is explained, with the level that it has', (tag, guide) => {
  expect(guide.example.tag).toBe(tag);
  expect(guide.meaning.length).toBeGreaterThan(40);
  expect(guide.levels).toContain(inWords(guide.example).level);
  // Who is warned is told what to do.
  if (guide.levels.some((level) => level === 'error' || level === 'warn')) expect(guide.remedy).not.toBeNull();
});

test('the codes, pages and headings that it leads to are there', () => {
  const headingsOf = (file: string): string[] =>
    [...readFileSync(`docs/${file}`, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
      text.toLowerCase().replaceAll(' ', '-'),
    );
  const links = [...page.matchAll(/\]\(([a-z-]+\.md)(?:#([a-z-]+))?\)/g)];
  expect(links.length).toBeGreaterThan(10);
  for (const [, file = '', anchor] of links)
    if (anchor !== undefined) expect([file, headingsOf(file)]).toEqual([file, expect.arrayContaining([anchor])]);
    else expect(headingsOf(file).length).toBeGreaterThan(0);
});

test.each(EVENTS)('$tag is described with its tag, a message and its facts', (event) => {
  const { message, fields } = inWords(event);
  expect(message.length).toBeGreaterThan(3);
  expect(fields['event']).toBe(event.tag);
});

test('an event about a partition names it in the message or in the fields', () => {
  const about = EVENTS.filter((event) => 'partition' in event);
  expect(about.length).toBeGreaterThan(8);
  for (const event of about) expect(inWords(event).fields).toMatchObject({ topic: 'cdc.public.orders', partition: 0 });
});

test('waiting says what for, how long, and why, as a warning', () => {
  const waiting = { attempt: 3, delayMs: 1234.5, code: 'CLICKHOUSE_UNREACHABLE', message: 'no answer' } as const;
  expect(inWords({ tag: 'clickhouse-waiting', ...waiting })).toEqual({
    level: 'warn',
    message: 'waiting for ClickHouse, next attempt in 1.2 s: no answer',
    fields: { event: 'clickhouse-waiting', attempt: 3, delayMs: 1235, code: 'CLICKHOUSE_UNREACHABLE' },
  });
});

test('a policy is told loudly when it was not for a while, and for the figures else', () => {
  const { example, levels } = EVENT_GUIDE['policy-acted'];
  expect([true, false].map((loud) => inWords({ ...example, loud }).level)).toEqual(levels);
});

test('a block tells how each table was written', () => {
  const { fields } = inWords(EVENT_GUIDE['block-written'].example);
  expect(fields).toMatchObject({ start: 1200, end: 1300, rows: 100, modes: ['public.orders append'], ms: 21 });
});
