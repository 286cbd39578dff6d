/** The door to winston: log lines as text on a terminal and as JSON elsewhere, without secrets. */
import { createLogger, format, transports } from 'winston';
import { describe, type Fields, type Level } from '../event-words';
import type { Emit } from '../events';

/** Takes lines; never throws, never waits. */
export interface Log {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
  /** Writes an event as its description says. */
  readonly emit: Emit;
}

export interface LogOptions {
  readonly level: Level;
  /** `auto`: text where the stream is a terminal. */
  readonly format: 'auto' | 'text' | 'json';
  /** Standard error if not given: standard output is for what a person asked for. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly now?: () => Date;
  /** Colours on a terminal; the default is what NO_COLOR (https://no-color.org) says. */
  readonly colour?: 'on' | 'off';
}

const LEVELS = { error: 0, warn: 1, info: 2, debug: 3 } as const;
const COLOURS = { error: '\u001b[31m', warn: '\u001b[33m', info: '\u001b[32m', debug: '\u001b[90m' } as const;
const DIM = '\u001b[90m';
const PLAIN = '\u001b[0m';

/** Each line has `ts`, `level` and `message`, then its fields; a field cannot replace one of the three. */
export function createLog(options: LogOptions): Log {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? (() => new Date());
  const terminal = stream.isTTY === true;
  const asText = options.format === 'text' || (options.format === 'auto' && terminal);
  const colour = asText && terminal && (options.colour ?? (process.env['NO_COLOR'] ? 'off' : 'on')) === 'on';
  const logger = createLogger({
    levels: LEVELS,
    level: options.level,
    format: format.printf((info) => {
      const line: Line = {
        ts: now(),
        level: info.level as Level,
        message: withoutSecrets(String(info.message)),
        fields: info['fields'] as Fields,
      };
      return asText ? textLine(line, colour ? 'colour' : 'plain') : jsonLine(line);
    }),
    // winston declares its transports as interfaces, which the rule does not know as instances of their class.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: [new transports.Stream({ stream, eol: '\n' })],
  });
  const write = (level: Level, message: string, fields: Fields = {}): void => {
    logger.log({ level, message, fields });
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    emit(event) {
      const { level, message, fields } = describe(event);
      write(level, message, fields);
    },
  };
}

interface Line {
  readonly ts: Date;
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

function jsonLine({ ts, level, message, fields }: Line): string {
  return JSON.stringify({ ts: ts.toISOString(), level, message, ...shownFields(fields) });
}

function textLine({ ts, level, message, fields }: Line, look: 'colour' | 'plain'): string {
  const paint = (colour: string, text: string): string => (look === 'colour' ? `${colour}${text}${PLAIN}` : text);
  const pairs = Object.entries(shownFields(fields)).map(([name, value]) => `${name}=${fieldText(value)}`);
  const parts = [paint(DIM, clockTime(ts)), paint(COLOURS[level], level.padEnd(5)), message];
  if (pairs.length > 0) parts.push(paint(DIM, pairs.join(' ')));
  return parts.join(' ');
}

const OWN = new Set(['ts', 'level', 'message']);

function shownFields(fields: Fields): Fields {
  const entries = Object.entries(fields).filter(([name]) => !OWN.has(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, shownValue(value)]));
}

function shownValue(value: Fields[string]): Fields[string] {
  if (typeof value === 'string') return withoutSecrets(value);
  return typeof value === 'object' ? value.map(withoutSecrets) : value;
}

/** The last net: the password in a URL, wherever it stands. */
function withoutSecrets(text: string): string {
  return text.replace(/(\w:\/\/[^\s:/@]*):[^\s/]*@/g, '$1:***@');
}

function fieldText(value: Fields[string]): string {
  const text = String(value);
  return text === '' || /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

/** Local time, to the millisecond: a person at a terminal compares it with their clock. */
function clockTime(ts: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = [ts.getHours(), ts.getMinutes(), ts.getSeconds()].map(two).join(':');
  return `${clock}.${String(ts.getMilliseconds()).padStart(3, '0')}`;
}
