/** What people do in `user_logins` (sign up, log in, buy, log out) and with the names of `my_table`. */
import type { Random } from './random';
import { createRows } from './rows';
import type { Change } from './tables';

/** Gives ids that are not taken, as text. */
export type NextId = () => string;

/** The newest event of a user. */
export interface UserEvent {
  readonly username: string;
  readonly event_type: string;
}

const USERS = 400;
const MOST_ROWS = 2_000;
const MOST_NAMES = 2_000;
const FIRST =
  'ada,ben,carla,deniz,edith,farid,grace,hana,ivan,jo,kofi,lena,mei,nora,omar,pia,quinn,rosa,sami,tove'.split(',');
const HOW = 'quiet,bright,old,swift,tall,round,mossy,northern,paper,copper,early,plain'.split(',');
const WHAT = 'harbour,lamp,orchard,bridge,river,window,letter,engine,garden,kettle,sparrow,ladder'.split(',');
/** Of a hundred changes of each table, how many are of which kind. */
const USER_KINDS = { event: 96, corrected: 2, withdrawn: 2 };
const NAME_KINDS = { created: 50, renamed: 35, removed: 15 };

function nameOf(user: number): string {
  return `${FIRST[user % FIRST.length] ?? ''}${Math.floor(user / FIRST.length) + 1}`;
}

/** Each user signs up once, then logs in, buys now and then, and logs out; a few do most of it. */
export function createUsers(random: Random, nextId: NextId, known: readonly UserEvent[]): () => Change {
  const last = new Map(known.map(({ username, event_type }) => [username, event_type]));
  const rows = createRows<string>(random, MOST_ROWS);
  const somebody = (): string => nameOf(Math.floor(random.fraction() ** 2 * USERS));

  const next = (username: string): string => {
    const before = last.get(username);
    if (before === undefined) return 'signup';
    if (before === 'signup' || before === 'logout') return 'login';
    return random.weighted({ purchase: 55, logout: 45 });
  };

  return () => {
    const kind = random.weighted(USER_KINDS);
    const row = kind === 'corrected' ? rows.any() : kind === 'withdrawn' ? rows.take() : null;
    // A login that was noted under the wrong name, or twice.
    if (row !== null) {
      if (kind === 'withdrawn') return { table: 'user_logins', op: 'delete', key: row, values: [], ago: 0 };
      return { table: 'user_logins', op: 'update', key: row, values: [somebody()], ago: 0 };
    }
    const username = somebody();
    const type = next(username);
    last.set(username, type);
    const key = nextId();
    rows.add(key);
    return { table: 'user_logins', op: 'insert', key, values: [username, type], ago: 0 };
  };
}

/** Names are created, renamed and removed; beyond some thousand more go than come. */
export function createNames(random: Random, nextId: NextId, known: readonly string[]): () => Change {
  const rows = createRows<string>(random, 2 * MOST_NAMES);
  for (const key of known) rows.add(key);
  const name = (): string => `${random.pick(HOW)} ${random.pick(WHAT)} ${random.between(1, 999)}`;
  return () => {
    const kind = rows.size() > MOST_NAMES ? 'removed' : random.weighted(NAME_KINDS);
    const row = kind === 'renamed' ? rows.any() : kind === 'removed' ? rows.take() : null;
    if (row !== null) {
      if (kind === 'removed') return { table: 'my_table', op: 'delete', key: row, values: [], ago: 0 };
      return { table: 'my_table', op: 'update', key: row, values: [name()], ago: 0 };
    }
    const key = nextId();
    rows.add(key);
    return { table: 'my_table', op: 'insert', key, values: [name()], ago: 0 };
  };
}
