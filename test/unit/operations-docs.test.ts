import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '../../src/errors';

const page = readFileSync('docs/operations.md', 'utf8');
const headingsOf = (section: string): string[] => {
  const text = page.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? '';
  return [...text.matchAll(/^### (\S+)$/gm)].map((match) => match[1] ?? '').sort();
};

test('docs/operations.md has one heading for each error code, and no other', () => {
  expect(headingsOf('Errors')).toEqual(Object.keys(ERROR_CODES).sort());
});

test('docs/operations.md has one heading for each alert, and no other', () => {
  const rules = readFileSync('ops/prometheus/alerts.yml', 'utf8');
  expect(headingsOf('Alerts')).toEqual([...rules.matchAll(/alert: (\w+)/g)].map((match) => match[1]).sort());
});
