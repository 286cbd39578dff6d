/** The forms that a setting's text can have: each says what it takes and reads it, or tells that it does not fit. */
import { MODE_OPTIONS, modesOfText } from '../connector-modes';
import { OP, type ConnectorModes, type OpName } from '../model';

/** How the text of a setting is read. */
export interface Form<T> {
  /** What the text must be, to stand after "must be". */
  readonly says: string;
  /** The value, or undefined when the text does not fit. */
  read(text: string): T | undefined;
}

/** One setting; the key in `SETTINGS` is its name in the environment, in `.env` and in the file. */
export interface Setting<T> {
  readonly doc: string;
  readonly form: Form<T>;
  /** As text, in the setting's form; '' means that it is not set. */
  readonly default: string;
  readonly example: string;
  readonly group: SettingGroup;
  /** Holds a secret or can: never printed, and with `secret` not taken from the command line, where others could see it. */
  readonly sensitive?: 'secret' | 'may hold a secret';
}

export type SettingGroup =
  'Kafka' | 'Tables' | 'ClickHouse' | 'PostgreSQL' | 'Connect' | 'Writing' | 'Page' | 'Process';

export function setting<T>(
  group: SettingGroup,
  doc: string,
  form: Form<T>,
  rest: Pick<Setting<T>, 'default' | 'example' | 'sensitive'>,
): Setting<T> {
  return { group, doc, form, ...rest };
}

/** A number from `min` to `max`, inclusive, written in digits only. */
export function wholeNumber(min: number, max: number): Form<number> {
  return {
    says: `a whole number from ${String(min)} to ${String(max)}`,
    read(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2 };

/** A number of bytes from `min` to `max`, inclusive; `16 MiB` and `16777216` are the same. */
export function byteCount(min: number, max: number): Form<number> {
  return {
    says: `a number of bytes from ${String(min)} to ${String(max)}, or with the unit KiB or MiB`,
    read(text) {
      const [, digits, unit = ''] = /^(\d{1,12})\s*(KiB|MiB)?$/.exec(text) ?? [];
      const value = Number(digits) * (BYTE_UNITS[unit] ?? NaN);
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Form<T> {
  return { says: `one of ${choices.join(', ')}`, read: (text) => choices.find((choice) => choice === text) };
}

/** Kafka's names of its logins, in any case. */
export const kafkaMechanism: Form<'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer'> = {
  says: 'one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER',
  read: (text) =>
    (['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const).find((one) => one === text.toLowerCase()),
};

export const onOff: Form<boolean> = {
  says: 'on or off',
  read: (text) => (text === 'on' ? true : text === 'off' ? false : undefined),
};

export const trueOrFalse: Form<boolean> = {
  says: 'true or false',
  read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
};

/** A port, 0 for any that is free; null for off. */
export const portOrOff: Form<number | null> = {
  says: 'a port from 1 to 65535, 0 for any that is free, or off',
  read: (text) => (text === 'off' ? null : wholeNumber(0, 65_535).read(text)),
};

/** Long enough not to be guessed, of characters that stand in an address and a header as they are. */
export const token: Form<string> = {
  says: 'at least 16 letters, digits, ., _, ~ or -',
  read: (text) => (/^[A-Za-z0-9._~-]{16,200}$/.test(text) ? text : undefined),
};

export const word: Form<string> = {
  says: 'a text without spaces',
  read: (text) => (/^\S+$/.test(text) ? text : undefined),
};

export const anyText: Form<string> = { says: 'a text', read: (text) => text };

/** A name that needs no quoting in ClickHouse and can carry a suffix. */
export const plainName: Form<string> = {
  says: 'a name of letters, digits and _, not beginning with a digit',
  read: (text) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? text : undefined),
};

/** What Kafka allows in a topic name. */
export const topicPart: Form<string> = {
  says: 'a text of letters, digits, ., _ and -, as Kafka allows it in a topic name',
  read: (text) => (/^[A-Za-z0-9._-]{1,200}$/.test(text) ? text : undefined),
};

/** A URL with one of the protocols (`http:`); no path unless the form says so. */
export function address(protocols: readonly string[], path: 'with a path' | 'without a path'): Form<URL> {
  return {
    says: `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}${path === 'without a path' ? ' and has no path' : ''}, special characters of user and password written as %XX`,
    read(text) {
      const url = URL.parse(text);
      if (url === null || !protocols.includes(url.protocol) || url.hostname === '') return undefined;
      if (![url.username, url.password, url.pathname].every(isPercentEncoded)) return undefined;
      return path === 'with a path' || url.pathname === '/' || url.pathname === '' ? url : undefined;
    },
  };
}

/** Kafka's `host:port`, one or more, separated by commas. */
export const brokerList: Form<readonly string[]> = {
  says: 'one or more host:port, separated by commas',
  read(text) {
    const brokers = items(text);
    return brokers.length > 0 && brokers.every(isHostAndPort) ? brokers : undefined;
  },
};

/** Patterns `schema.table`; see `config/patterns.ts`. */
export const patternList: Form<readonly string[]> = {
  says: 'patterns of the form schema.table, separated by commas, where * stands for any characters',
  read(text) {
    const patterns = items(text);
    return patterns.every((pattern) => /^[^.]+\..+$/.test(pattern)) ? patterns : undefined;
  },
};

export const tableForm: Form<string> = {
  says: 'a table of the form schema.table',
  read: (text) => (/^[^.\s,]+\.[^\s,]+$/.test(text) ? text : undefined),
};

/** Debezium's operations, each once. */
export const opList: Form<ReadonlySet<OpName>> = {
  says: `some of ${Object.keys(OP).join(', ')}, separated by commas`,
  read(text) {
    const ops = items(text);
    const known = ops.filter((op): op is OpName => Object.hasOwn(OP, op));
    return known.length === ops.length && ops.length > 0 ? new Set(known) : undefined;
  },
};

/** Source table to view name; null means that the table is not mirrored. */
export const routeList: Form<ReadonlyMap<string, string | null>> = {
  says: 'entries schema.table=view or schema.table=skip, separated by commas, each table and each view once',
  read(text) {
    const routes = new Map<string, string | null>();
    const views = new Set<string>();
    const entries = items(text);
    for (const entry of entries) {
      const [, table, view] = /^([^.=]+\.[^=]+)=([^=]+)$/.exec(entry) ?? [];
      if (table === undefined || view === undefined) return undefined;
      routes.set(table, view === 'skip' ? null : view);
      views.add(view === 'skip' ? `skip ${table}` : view);
    }
    return routes.size === entries.length && views.size === entries.length ? routes : undefined;
  },
};

/** Options of the connector, each once. */
export const modeList: Form<ConnectorModes> = {
  says: `entries option=value, separated by commas, of the options ${MODE_OPTIONS.join(', ')} with a value that Debezium has`,
  read: modesOfText,
};

/** The same form, or nothing: null when the setting is not set. */
export function optional<T>(form: Form<T>): Form<T | null> {
  return { says: form.says, read: (text) => (text === '' ? null : form.read(text)) };
}

function items(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isHostAndPort(text: string): boolean {
  const [, port] = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
