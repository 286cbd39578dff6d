/** Tables and transactions that a seed makes: what the test of random tables sends through the real parts. */
import { randomOf, type Random } from '../chaos/random';
import { TYPE_CASES, type StoredValue, type TypeCase } from './type-cases';

export interface RandomColumn {
  readonly name: string;
  readonly type: TypeCase;
  readonly notNull: boolean;
  /** As it stands behind DEFAULT; null for none. */
  readonly byDefault: string | null;
}

export interface RandomTable {
  readonly name: string;
  readonly key: readonly RandomColumn[];
  readonly rest: readonly RandomColumn[];
  readonly identity: 'FULL' | 'DEFAULT';
  /** What makes it, statement by statement. */
  readonly ddl: readonly string[];
}

/** Table and column names; a number makes each unique. */
const NAMES = ['plain', 'With Space', 'MixedCase', 'dot.in', 'quo"te', "apo'strophe", 'back`tick', 'select', 'größe', 'таблица', 'a-b', 'new_id', '1digit', 'x\\y']; // prettier-ignore

/** Arrays whose names share what stands before a dot are one Nested column to ClickHouse; such a table is not mirrored. */
const NAMES_OF_ARRAYS = NAMES.filter((name) => !name.includes('.'));
/** Rows of a table are of these keys only, so that they meet again. */
const KEYS = 12;
/** A text of it is stored out of line, and PostgreSQL does not repeat it. */
const LARGE: TypeCase = {
  type: 'text',
  values: [3_000, 9_000].map((length) => ({ sql: `repeat('large ', ${length / 6})` })),
};

/** Types whose values are their own text in any order, for keys of several columns. */
const KEY_TYPES: readonly TypeCase[] = [
  { type: 'int4', values: numbers((n) => String(n * 7 - 20)) },
  { type: 'int8', values: numbers((n) => `${9007199254740990n + BigInt(n)}`) },
  { type: 'text', values: ['', ' ', 'a', 'A', 'ä', 'a"b', "a''b", 'null', '0', '😀', 'a\\b', '['].map((text) => ({ sql: `'${text}'` })) },
  { type: 'varchar(10)', values: numbers((n) => `'v${n}'`) },
  { type: 'char(5)', values: numbers((n) => `'c${n}'`) },
  { type: 'uuid', values: numbers((n) => `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a${10 + n}'`) },
  { type: 'numeric(18,6)', values: numbers((n) => `${n - 3}.${n}5`) },
  { type: 'bytea', values: numbers((n) => `'\\x0${n.toString(16)}ff'`) },
  { type: 'date', values: numbers((n) => `'20${10 + n}-02-28'`) },
  { type: 'timestamptz', values: numbers((n) => `'2016-11-04 13:51:${10 + n}.00000${n % 10}+02'`) },
  { type: 'bool', values: numbers((n) => String(n % 2 === 0)) },
  { type: 'mood', values: numbers((n) => `'${['sad', 'ok', 'happy'][n % 3] ?? 'ok'}'`) },
]; // prettier-ignore

function numbers(make: (n: number) => string): StoredValue[] {
  return Array.from({ length: KEYS }, (_, n) => ({ sql: make(n) }));
}

/** Values that Debezium loses under our profile say nothing about what comes after it. */
const KEPT_TYPES: readonly TypeCase[] = TYPE_CASES.map(({ type, values }) => ({
  type,
  values: values.filter(({ lost = {} }) =>
    (['profile', 'snapshot', 'stream', 'always'] as const).every((when) => !(when in lost)),
  ),
})).filter(({ values }) => values.length > 0);

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * @param partitions of each topic. With several, the new key of a row may come before the old one goes: a large value that
 * is not repeated then is nowhere to be found and goes to quarantine, so tables with such columns have the identity FULL.
 */
export function randomTables(
  seed: number,
  { count, partitions }: { readonly count: number; readonly partitions: number },
): readonly RandomTable[] {
  return Array.from({ length: count }, (_, index) => randomTable(randomOf(seed, `table ${index}`), index, partitions));
}

function randomTable(random: Random, index: number, partitions: number): RandomTable {
  const name = `${random.pick(NAMES)} ${index}`;
  const key = Array.from({ length: random.between(1, 3) }, (_, n) => ({
    name: `${random.pick(NAMES)} k${n}`,
    // The first tells rows apart; bool and mood have too few values for that.
    type: random.pick(n === 0 ? KEY_TYPES.slice(0, -2) : KEY_TYPES),
    notNull: true,
    byDefault: null,
  }));
  const rest = Array.from({ length: random.between(2, 14) }, (_, n): RandomColumn => {
    const type = random.chance(15) ? LARGE : random.pick(KEPT_TYPES);
    const byDefault = random.chance(30) ? valueOf(random, type) : null;
    return {
      name: `${random.pick(type.type.endsWith('[]') ? NAMES_OF_ARRAYS : NAMES)} c${n}`,
      type,
      notNull: random.chance(25),
      byDefault,
    };
  });
  const mayWithhold = partitions === 1 || !rest.some(({ type }) => type === LARGE);
  const identity = mayWithhold ? random.pick(['FULL', 'DEFAULT'] as const) : 'FULL';
  const columns = [...key, ...rest].map(
    ({ name: column, type: { type }, notNull, byDefault }) =>
      `${quoted(column)} ${type}${notNull ? ' NOT NULL' : ''}${byDefault === null ? '' : ` DEFAULT ${byDefault}`}`,
  );
  const table = quoted(name);
  const ddl = [
    `CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (${shuffled(
      random,
      key.map((one) => quoted(one.name)),
    ).join(', ')}))`,
    ...(identity === 'FULL' ? [`ALTER TABLE ${table} REPLICA IDENTITY FULL`] : []),
    ...rest
      .filter(({ type }) => type === LARGE)
      .map((one) => `ALTER TABLE ${table} ALTER COLUMN ${quoted(one.name)} SET STORAGE EXTERNAL`),
  ];
  return { name, key, rest, identity, ddl };
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: random.below(1_000_000) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function valueOf(random: Random, { type, values }: TypeCase): string {
  return `(${random.pick(values).sql})::${type}`;
}

/** The `n`th key of a table: as many values as it has key columns. */
function keyAt({ key }: RandomTable, n: number): string[] {
  return key.map(({ type: { type, values } }, index) => {
    const value = values[(index === 0 ? n : n * 5 + index) % values.length];
    return `(${value?.sql ?? 'NULL'})::${type}`;
  });
}

type Statement = (table: RandomTable, random: Random, unique: string) => string[];

const where = (table: RandomTable, key: readonly string[]): string =>
  table.key.map(({ name }, index) => `${quoted(name)} = ${key[index] ?? 'NULL'}`).join(' AND ');

const cell = (random: Random, { type, notNull }: RandomColumn): string =>
  !notNull && random.chance(25) ? 'NULL' : valueOf(random, type);

/** Some columns are left to their default, where they have one or may be NULL. */
function row(table: RandomTable, random: Random, n: number): { names: string[]; values: string[] } {
  const rest = table.rest.filter(({ notNull, byDefault }) => (notNull && byDefault === null) || random.chance(85));
  return {
    names: [...table.key, ...rest].map(({ name }) => quoted(name)),
    values: [...keyAt(table, n), ...rest.map((one) => cell(random, one))],
  };
}

const insert: Statement = (table, random) => {
  const { names, values } = row(table, random, random.below(KEYS));
  return [
    `INSERT INTO ${quoted(table.name)} (${names.join(', ')}) VALUES (${values.join(', ')}) ON CONFLICT DO NOTHING`,
  ];
};

/** Made before all others, so that each table has a view. */
export function firstRow(seed: number, table: RandomTable): string[] {
  return insert(table, randomOf(seed, `first row of ${table.name}`), '');
}

const update: Statement = (table, random) => {
  const some = table.rest.filter(() => random.chance(30));
  const changed = some.length === 0 ? table.rest.slice(0, 1) : some;
  const sets = changed.map((one) => `${quoted(one.name)} = ${cell(random, one)}`).join(', ');
  const all = random.chance(10) ? '' : ` WHERE ${where(table, keyAt(table, random.below(KEYS)))}`;
  return [`UPDATE ${quoted(table.name)} SET ${sets}${all}`];
};

const remove: Statement = (table, random) => [
  `DELETE FROM ${quoted(table.name)} WHERE ${where(table, keyAt(table, random.below(KEYS)))}`,
];

const again: Statement = (table, random) => {
  const n = random.below(KEYS);
  const { names, values } = row(table, random, n);
  return [
    `DELETE FROM ${quoted(table.name)} WHERE ${where(table, keyAt(table, n))}`,
    `INSERT INTO ${quoted(table.name)} (${names.join(', ')}) VALUES (${values.join(', ')})`,
  ];
};

const changeKey: Statement = (table, random) => {
  const from = random.below(KEYS);
  const to = keyAt(table, (from + random.between(1, KEYS - 1)) % KEYS);
  const name = quoted(table.name);
  const sets = table.key.map((one, index) => `${quoted(one.name)} = ${to[index] ?? 'NULL'}`).join(', ');
  const free = `NOT EXISTS (SELECT FROM ${name} WHERE ${where(table, to)})`;
  return [`UPDATE ${name} SET ${sets} WHERE ${where(table, keyAt(table, from))} AND ${free}`];
};

/** Rows of one COPY share their place in the WAL. */
const copy: Statement = (table, random, unique) => {
  const all = [...table.key, ...table.rest];
  const first = random.below(KEYS);
  const rows = Array.from({ length: random.between(2, 5) }, (_, index) => keyAt(table, (first + index) % KEYS)).map(
    (key) => {
      const values = [...key, ...table.rest.map((one) => `${cell(random, one)}::${one.type.type}`)];
      return `SELECT ${values.join(', ')} WHERE NOT EXISTS (SELECT FROM ${quoted(table.name)} WHERE ${where(table, key)})`;
    },
  );
  const file = `/tmp/${unique}`;
  const names = all.map(({ name }) => quoted(name)).join(', ');
  return [
    `COPY (${rows.join(' UNION ALL ')}) TO PROGRAM 'cat > ${file}'`,
    `COPY ${quoted(table.name)} (${names}) FROM PROGRAM 'cat ${file} && rm ${file}'`,
  ];
};

const truncate: Statement = (table) => [`TRUNCATE ${quoted(table.name)}`];

const STATEMENTS = [
  { weight: 40, make: insert },
  { weight: 35, make: update },
  { weight: 12, make: remove },
  { weight: 8, make: again },
  { weight: 12, make: changeKey },
  { weight: 6, make: copy },
  { weight: 1, make: truncate },
] as const;

/** The `n`th transaction of a seed: over one to three tables, with parts of it taken back. */
export function randomTransaction(
  seed: number,
  tables: readonly RandomTable[],
  n: number,
  unique: string,
): readonly string[] {
  const random = randomOf(seed, `transaction ${n}`);
  const some = Array.from({ length: random.between(1, 3) }, () => random.pick(tables));
  const few = (from: number, to: number): string[] =>
    Array.from({ length: random.between(from, to) }, (_, index) =>
      random.weighted(STATEMENTS).make(random.pick(some), random, `${unique}-${n}-${index}-${random.below(1_000_000)}`),
    ).flat();
  if (!random.chance(20)) return few(1, 6);
  return [...few(0, 2), 'SAVEPOINT s', ...few(1, 3), 'ROLLBACK TO s', ...few(1, 3)];
}
