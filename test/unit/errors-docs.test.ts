import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '../../src/errors';

const page = readFileSync('docs/errors.md', 'utf8');
const headings = [...page.matchAll(/^### (\S+)$/gm)].map((match) => match[1]);

test('docs/errors.md explains each error code once, and no other', () => {
  expect([...headings].sort()).toEqual(Object.keys(ERROR_CODES).sort());
});

test('each explanation says something', () => {
  const texts = page.split(/^### \S+$/m).slice(1);
  expect(texts.filter((text) => text.trim().length < 40)).toEqual([]);
});

test('each code stands in the section of its kind', () => {
  const sections: Record<string, string> = {
    Configuration: 'config',
    Retry: 'retry',
    Stop: 'stop',
    'Bad record': 'bad-record',
    Table: 'table',
  };
  for (const section of page.split(/^## /m).slice(1)) {
    const kind = sections[section.split('\n')[0] ?? ''];
    for (const [, code] of section.matchAll(/^### (\S+)$/gm))
      expect([code, ERROR_CODES[code as keyof typeof ERROR_CODES]]).toEqual([code, kind]);
  }
});
