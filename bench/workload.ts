/** The table and the changes that the drain is measured on: 70 % inserts, 22 % updates, 8 % deletes, scattered keys. */
import type { Postgres } from '../src/postgres/client';

export const TABLE = 'orders';

/** Ten columns of the usual types, about 690 bytes for a record of plain JSON on average. */
const CREATE = `
  CREATE TABLE ${TABLE} (
    id bigint PRIMARY KEY,
    customer integer NOT NULL,
    status text NOT NULL,
    amount numeric(12,2) NOT NULL,
    pieces integer NOT NULL,
    email text,
    note text,
    paid boolean NOT NULL,
    created timestamptz NOT NULL,
    updated timestamp NOT NULL
  );
  ALTER TABLE ${TABLE} REPLICA IDENTITY FULL`;

const INSERTS = 700;
const UPDATES = 220;
const DELETES = 80;
/** Changes of one transaction. */
export const TRANSACTION = INSERTS + UPDATES + DELETES;

export async function createTable(postgres: Postgres): Promise<void> {
  await postgres.query(`DROP TABLE IF EXISTS ${TABLE}; ${CREATE}`);
}

/** Makes about this many changes, the same ones every time. */
export async function makeChanges(postgres: Postgres, changes: number, onStep: (done: number) => void): Promise<void> {
  for (let step = 0; step * TRANSACTION < changes; step++) {
    await postgres.query(
      `SET synchronous_commit = off; BEGIN; ${insert(step)}; ${update(step)}; ${remove(step)}; COMMIT`,
    );
    onStep((step + 1) * TRANSACTION);
  }
}

/** The rows of a step have the ids [step · 700, step · 700 + 700). */
function insert(step: number): string {
  return `INSERT INTO ${TABLE}
    SELECT id, (id * 7919) % 100000, (ARRAY['new','paid','packed','sent','done'])[1 + id % 5],
      ((id * 104729) % 10000000) / 100.0, 1 + id % 9,
      CASE WHEN id % 3 = 0 THEN NULL ELSE 'c' || (id * 7919) % 100000 || '@example.org' END,
      CASE id % 7 WHEN 1 THEN 'fragile, "care"' WHEN 2 THEN 'Grüße aus Köln' ELSE NULL END,
      id % 2 = 0, '2026-01-01 00:00:00+00'::timestamptz + id * interval '1.000001 seconds',
      '2026-01-01 00:00:00'::timestamp + id * interval '1.000001 seconds'
    FROM generate_series(${step * INSERTS}::bigint, ${step * INSERTS + INSERTS - 1}) AS id`;
}

/** 220 rows that no step deletes, each of another earlier step, so that their keys are scattered. */
function update(step: number): string {
  return `UPDATE ${TABLE} SET status = 'done', amount = amount + 1, pieces = pieces + 1,
      updated = updated + interval '1 hour'
    WHERE id IN (SELECT ((${step} * 31 + k * 17) % ${step + 1}) * ${INSERTS} + ${DELETES} + (k * 2 + ${step}) % ${INSERTS - DELETES}
      FROM generate_series(0::bigint, ${UPDATES - 1}) AS k)`;
}

/** The first 80 rows of the fifth step before. */
function remove(step: number): string {
  const of = (step - 5) * INSERTS;
  return `DELETE FROM ${TABLE} WHERE id >= ${of} AND id < ${of + DELETES}`;
}
