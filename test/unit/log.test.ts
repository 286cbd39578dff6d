import { Writable } from 'node:stream';
import { createLog, type LogOptions } from '../../src/telemetry/log';

const now = (): Date => new Date(2026, 0, 2, 3, 4, 5, 6);

function record(terminal: 'terminal' | 'pipe', options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString().trimEnd().split('\n'));
      done();
    },
  });
  const withTty = Object.assign(stream, { isTTY: terminal === 'terminal' });
  return { lines, log: createLog({ level: 'debug', format: 'auto', now, stream: withTty, colour: 'off', ...options }) };
}

test('lines are JSON where the stream is no terminal', () => {
  const { lines, log } = record('pipe');
  log.info('hello', { rows: 3, table: 'public.orders' });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { ts: now().toISOString(), level: 'info', message: 'hello', rows: 3, table: 'public.orders' },
  ]);
});

test('lines are text on a terminal, with values quoted where they have spaces', () => {
  const { lines, log } = record('terminal');
  log.warn('hello', { rows: 3, hint: 'look here' });
  expect(lines).toEqual(['03:04:05.006 warn  hello rows=3 hint="look here"']);
});

test('the format of the settings wins over the stream', () => {
  const text = record('pipe', { format: 'text', colour: 'on' });
  text.log.info('hello');
  expect(text.lines).toEqual(['03:04:05.006 info  hello']);
  const json = record('terminal', { format: 'json' });
  json.log.info('hello');
  expect(JSON.parse(json.lines[0]!)).toMatchObject({ message: 'hello' });
});

test('colours come on a terminal only, and can be turned off', () => {
  const on = record('terminal', { colour: 'on' });
  on.log.error('bad');
  expect(on.lines[0]).toContain('\u001b[31m');
});

test('lines below the level are left out', () => {
  const { lines, log } = record('terminal', { level: 'warn' });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(lines.map((line) => line.at(-1))).toEqual(['c', 'd']);
});

test('passwords in URLs are hidden in messages and fields', () => {
  const { lines, log } = record('pipe');
  log.info('at postgres://me:hunter2@db/x', { url: 'http://u:hunter2@h:1', urls: ['http://:hunter2@h'] });
  expect(lines[0]).not.toContain('hunter2');
  expect(lines[0]).toContain('postgres://me:***@db/x');
});

test('a field cannot replace time, level or message', () => {
  const { lines, log } = record('pipe');
  log.info('real', { message: 'false', level: 'false', ts: 'false', more: true });
  expect(JSON.parse(lines[0]!)).toEqual({ ts: now().toISOString(), level: 'info', message: 'real', more: true });
});

test('events are written as they are described', () => {
  const { lines, log } = record('pipe');
  log.emit({ tag: 'stopped', exitCode: 0 });
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', message: 'stopped', event: 'stopped', exitCode: 0 });
});
