import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

test('each runbook of an error or an alert is its own, and says what to do', () => {
  const runbooks = ['Errors', 'Alerts'].flatMap((section) => {
    const text = page.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? '';
    return text
      .split(/^### /m)
      .slice(1)
      .map((one) => one.slice(one.indexOf('\n')).trim());
  });
  expect(new Set(runbooks).size).toBe(runbooks.length);
  expect(runbooks.filter((text) => text.length < 80)).toEqual([]);
});

test('docs/operations.md has a runbook for what happens to the parts around the service', () => {
  const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(
    expect.arrayContaining([
      'PostgreSQL fail-over',
      'A lost slot',
      'ClickHouse: backup and restore',
      'A group of mixed versions',
      'A second reader',
      'Power loss',
      'ClickHouse Cloud and replicas',
    ]),
  );
});

/** As GitHub makes them of headings. */
function anchors(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((one) =>
      one
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

const pages = ['README.md', 'connectors/README.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

test.each(pages)('the links of %s lead somewhere', (name) => {
  const text = readFileSync(name, 'utf8');
  const broken = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? name : join(dirname(name), path);
    if (!existsSync(file)) return [link];
    return anchor === undefined || anchors(readFileSync(file, 'utf8')).has(anchor) ? [] : [link];
  });
  expect(broken).toEqual([]);
});
