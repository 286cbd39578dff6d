/** Rows of incremental snapshots, which no LSN tells: those that were here while a table was as before are not of what it became. */
import { columnRules } from '../../../src/column-rules';
import { tableKnowledge, type Found, type TableKnowledge } from '../../../src/delivery/table-knowledge';
import { ServiceError } from '../../../src/errors';
import { createMasking } from '../../../src/masking';
import type { SourceTable } from '../../../src/model';
import { placeholderOf } from '../../../src/placeholder';
import { placeOf, tableAt } from '../../../src/plan/table-versions';

const TABLE = { schema: 'public', name: 'orders' };
const column = {
  base: 'int4',
  type: 'integer',
  kind: 'b',
  modifier: -1,
  array: false,
  notNull: true,
  generated: false,
};
const orders = (oid: number): SourceTable => ({
  ...{ ...TABLE, identity: 'full', key: ['id'], oid, madeBy: oid },
  columns: [{ ...column, name: 'id', attnum: 1 }],
});

/** A source whose table can be exchanged and that can be away, and a memory that outlives the service. */
function world() {
  const remembered = new Map<string, string>();
  const state = { now: orders(7), lsn: 100, away: false };
  const start = (): TableKnowledge => {
    const rules = columnRules([]);
    return tableKnowledge({
      catalogue: {
        table: () => Promise.resolve(state.now),
        state: () =>
          state.away
            ? Promise.reject(new ServiceError('POSTGRES_UNREACHABLE', 'away', { hint: 'Wait.' }))
            : Promise.resolve({ lsn: ++state.lsn, state: String(state.now.oid) }),
      },
      memory: {
        get: (name) => Promise.resolve(remembered.get(name) ?? null),
        set: (name, value) => Promise.resolve(void remembered.set(name, value)),
      },
      rules,
      masking: createMasking({ rules, secret: 's', placeholder: placeholderOf('x') }),
      isReadAgain: () => Promise.resolve(true),
      emit: () => undefined,
      signal: new AbortController().signal,
    });
  };
  return { state, start };
}

const isOf = ({ known }: Found, tsUs: number): number | undefined => {
  const versions = typeof known === 'string' ? [] : known.versions;
  return tableAt(versions, placeOf({ lsn: -1, txId: -1, commitLsn: 50, tsUs }), new Set(['id']))?.oid;
};

it('are of the table of then when another has its name after a stop', async () => {
  const { state, start } = world();
  const before = start();
  await before.of(TABLE, null, null);
  for (const sentUs of [4_000, 5_000, 3_000]) await before.rememberSent(TABLE, sentUs);
  state.now = orders(8);
  const found = await start().of(TABLE, null, null);
  expect([4_999, 5_000, 5_001].map((tsUs) => isOf(found, tsUs))).toEqual([7, 7, 8]);
});

it('tell nothing while PostgreSQL is away: the table may be another by then', async () => {
  const { state, start } = world();
  const knowledge = start();
  const { look } = await knowledge.of(TABLE, null, null);
  state.away = true;
  state.now = orders(8);
  expect(await knowledge.isCurrent(TABLE, look, Infinity)).toBe(true);
  await knowledge.rememberSent(TABLE, 5_000);
  state.away = false;
  expect(isOf(await start().of(TABLE, look, null), 5_000)).toBe(8);
});
