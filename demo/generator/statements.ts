/** Changes as statements: rows of one table and kind go in one statement, and a row that changes twice in two. */
import { SHAPES, TABLES, type Change, type Op, type Table } from './tables';

export interface Statement {
  readonly table: Table;
  readonly op: Op;
  readonly sql: string;
  readonly params: readonly unknown[];
}

const OPS: readonly Op[] = ['insert', 'update', 'delete'];

/** In an order that gives the same rows as the changes one after the other. Each returns `changed`, the rows it changed. */
export function statementsOf(changes: readonly Change[]): Statement[] {
  const rounds: Change[][] = [[]];
  let updated = new Set<string>();
  for (const change of changes) {
    const row = `${change.table} ${change.key}`;
    if (change.op === 'update' && updated.has(row)) {
      rounds.push([]);
      updated = new Set();
    }
    if (change.op === 'update') updated.add(row);
    rounds.at(-1)?.push(change);
  }
  return rounds.flatMap((round) =>
    TABLES.flatMap((table) =>
      OPS.flatMap((op) => {
        const some = round.filter((change) => change.table === table && change.op === op);
        return some.length === 0 ? [] : [statementOf(table, op, some)];
      }),
    ),
  );
}

function statementOf(table: Table, op: Op, changes: readonly Change[]): Statement {
  const { key, time, inserted, corrected } = SHAPES[table];
  const columns = op === 'insert' ? inserted : op === 'update' ? corrected : [];
  const keys = changes.map((change) => change.key);
  const values = columns.map((_, index) => changes.map((change) => change.values[index] ?? null));
  const names = columns.map(({ name }) => name);
  const lists = [key, ...columns].map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  const returning = (sql: string): string =>
    `WITH done AS (${sql} RETURNING 1) SELECT count(*)::int AS changed FROM done`;
  switch (op) {
    case 'insert': {
      const ago = `clock_timestamp() - make_interval(secs => v.ago)`;
      return {
        table,
        op,
        sql: returning(
          `INSERT INTO public.${table} (${[key.name, ...names, time.name].join(', ')}) ` +
            `SELECT ${[key.name, ...names].map((name) => `v.${name}`).join(', ')}, ${ago} ` +
            `FROM unnest(${lists}, $${columns.length + 2}::int[]) AS v(${[key.name, ...names, 'ago'].join(', ')})`,
        ),
        params: [keys, ...values, changes.map((change) => change.ago)],
      };
    }
    case 'update':
      return {
        table,
        op,
        sql: returning(
          `UPDATE public.${table} AS t SET ${names.map((name) => `${name} = v.${name}`).join(', ')} ` +
            `FROM unnest(${lists}) AS v(${[key.name, ...names].join(', ')}) WHERE t.${key.name} = v.${key.name}`,
        ),
        params: [keys, ...values],
      };
    case 'delete':
      return {
        table,
        op,
        sql: returning(`DELETE FROM public.${table} WHERE ${key.name} = ANY($1::${key.type}[])`),
        params: [keys],
      };
  }
}
