/** How many of the changes go to which table: words and numbers that a person types, as weights. */
import { ServiceError } from '../../src/errors';
import { TABLES, type Table } from './tables';

/** A weight for each table that is written. */
export type Mix = Readonly<Partial<Record<Table, number>>>;

/** Of the changes of the shop. */
const SHOP: Mix = { sales: 0.7, stock_movements: 0.3 };
export const DEFAULT_MIX = 'user_logins=30,my_table=10,shop=60';

/** `user_logins=3,shop=7`: `shop` is 70 % sales and 30 % movements of stock. Throws CONFIG_INVALID in words. */
export function parseMix(text: string): Mix {
  const mix: Partial<Record<Table, number>> = {};
  for (const part of text.split(',')) {
    const [, name = '', digits = ''] = /^\s*([a-z_]+)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (name === '') throw wrong(`--mix has "${part.trim()}"`);
    for (const [table, share] of Object.entries(sharesOf(name)) as [Table, number][])
      mix[table] = (mix[table] ?? 0) + Number(digits) * share;
  }
  if (sum(mix) === 0) throw wrong('--mix leaves nothing to write');
  return mix;
}

/** Only the tables that are named; `shop` names two. Throws CONFIG_INVALID in words. */
export function onlyTables(mix: Mix, text: string | undefined): Mix {
  if (text === undefined) return mix;
  const wanted = new Set(text.split(',').flatMap((name) => Object.keys(sharesOf(name.trim())) as Table[]));
  const left = Object.fromEntries(TABLES.filter((table) => wanted.has(table)).map((table) => [table, mix[table] ?? 0]));
  if (sum(left) === 0) throw wrong('--tables and --mix together leave nothing to write');
  return left;
}

function sharesOf(name: string): Mix {
  if (name === 'shop') return SHOP;
  const table = TABLES.find((one) => one === name);
  if (table === undefined) throw wrong(`there is no table "${name}" in the demo`);
  return { [table]: 1 };
}

function sum(mix: Mix): number {
  return Object.values(mix).reduce((all, one) => all + one, 0);
}

function wrong(what: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', `${what}.`, {
    hint: `Tables: ${TABLES.join(', ')}, and shop for the last two. For example --mix ${DEFAULT_MIX} --tables shop.`,
  });
}
