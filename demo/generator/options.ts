/** What may be said on the generator's command line. */
import { parseArgs } from 'node:util';
import { ServiceError } from '../../src/errors';
import { DEFAULT_MIX, onlyTables, parseMix, type Mix } from './mix';

export interface Options {
  /** Changes each second. */
  readonly rate: number;
  readonly mix: Mix;
  /** It ends after so many seconds; null: when it is told to. */
  readonly seconds: number | null;
  /** It ends after so many changes; null: when it is told to. */
  readonly changes: number | null;
  /** The same seed on empty tables gives the same changes. */
  readonly seed: number;
  /** A day of sales first, where the tables are new. */
  readonly history: boolean;
  /** It may write to a PostgreSQL on another machine. */
  readonly yes: boolean;
}

export const USAGE = `usage: npm run generate -- [options]      (or: make generate RATE=50 ARGS='…')

Writes changes to the demo's tables in PostgreSQL, until Ctrl-C: user_logins, my_table, and a shop (sales,
stock_movements), as rows that come and are corrected and cancelled later. Makes the tables where they are missing.

  --rate N         changes each second (10)
  --mix LIST       how much goes where (${DEFAULT_MIX}); shop is 70 % sales, 30 % movements of stock
  --tables LIST    write only these, for example --tables shop or --tables user_logins,my_table
  --seconds N      end after so many seconds
  --changes N      end after so many changes
  --seed N         decisions that can be repeated
  --no-history     do not begin new tables with a day of sales
  --yes            write to a PostgreSQL that is not on this machine, too

PG_URL says where to write; else the stack that make up or make demo started.
`;

const MOST_RATE = 100_000;
const DEFAULT_RATE = '10';

/** 'help' where that is asked for. Throws CONFIG_INVALID in words. `fallbackSeed` is taken where none is given. */
export function parseOptions(args: readonly string[], fallbackSeed: number): Options | 'help' {
  const { help, rate, mix, tables, seconds, changes, seed, history, yes } = valuesOf(args);
  if (help === true) return 'help';
  return {
    rate: number('rate', rate ?? DEFAULT_RATE, { least: 0.1, most: MOST_RATE }),
    mix: onlyTables(parseMix(mix ?? DEFAULT_MIX), tables),
    seconds: seconds === undefined ? null : number('seconds', seconds, { least: 0.1, most: 1e9 }),
    changes: changes === undefined ? null : whole('changes', changes, 1),
    seed: seed === undefined ? fallbackSeed : whole('seed', seed, 0),
    history: history !== false,
    yes: yes === true,
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        rate: { type: 'string' },
        mix: { type: 'string' },
        tables: { type: 'string' },
        seconds: { type: 'string' },
        changes: { type: 'string' },
        seed: { type: 'string' },
        history: { type: 'boolean' },
        yes: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw wrong((error as Error).message.replace(/\.? To specify.*$/s, ''));
  }
}

function number(name: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw wrong(`--${name} must be a number from ${least} to ${most}, and is "${text}"`);
}

function whole(name: string, text: string, least: number): number {
  const value = number(name, text, { least, most: 2 ** 32 - 1 });
  if (Number.isInteger(value)) return value;
  throw wrong(`--${name} must be a whole number, and is "${text}"`);
}

function wrong(what: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', `${what}.`, { hint: 'npm run generate -- --help lists the options.' });
}
